//! One app: its lane, its snapshots, its files.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::{Error, Gates, Settings, io_error};
use crate::clock::Clock;
use crate::lane::{self, Lane};
use crate::log::{self, Segments};
use crate::modules::Modules;
use crate::snapshot::{Reaper, Snapshot, Snapshots};
use crate::value::{History, Name, Sequence};
use crate::wasm;

/// How long a read waits for the sequence it asked for.
const AT_LEAST_WAIT_MAX: Duration = Duration::from_secs(5);

/// An isolated state with its log, lane and modules.
#[derive(Debug)]
pub struct App {
    name: Name,
    lane: Lane,
    pub(super) clock: Clock,
    pub(super) gates: Arc<Gates>,
}

/// Which state a read wants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct At {
    /// Not before this sequence; waits for it.
    pub at_least: Option<Sequence>,
    /// Exactly this one, if it is still held.
    pub as_of: Option<Sequence>,
}

impl App {
    /// Makes the files of a new app. Renamed into place when whole, so that a
    /// crash leaves an app or none.
    pub(super) fn create(directory: &Path, limits: &log::segments::Limits) -> Result<(), Error> {
        let name = directory.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let draft = directory.with_file_name(format!(".{name}"));
        let fresh = match fs::remove_dir_all(&draft) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _ => fs::create_dir(&draft),
        };
        fresh.map_err(|source| io_error("create", &draft, source))?;
        let segments = Segments::new(draft.join("log"), *limits);
        segments.create(History(Uuid::now_v7())).map_err(Error::Log)?;
        fs::rename(&draft, directory).map_err(|source| io_error("rename", &draft, source))?;
        let parent = directory.parent().unwrap_or(directory);
        let synced = fs::File::open(parent).and_then(|parent| parent.sync_all());
        synced.map_err(|source| io_error("sync", parent, source))
    }

    pub(super) fn open(
        name: &Name,
        directory: &Path,
        settings: &Settings,
        clock: Clock,
        host: &Arc<wasm::Host>,
        reaper: Reaper,
        gates: Arc<Gates>,
    ) -> Result<Self, Error> {
        let modules = Modules::open(name.clone(), directory.join("modules"), Arc::clone(host));
        let modules = Arc::new(modules.map_err(Error::Modules)?);
        let parts = lane::Parts {
            app: name.clone(),
            storage: Box::new(Segments::new(directory.join("log"), settings.log)),
            modules,
            slot: directory.join("running"),
            clock: clock.clone(),
            reaper,
        };
        let lane = Lane::open(settings.lane.clone(), parts).map_err(Error::Lane)?;
        Ok(Self { name: name.clone(), lane, clock, gates })
    }

    /// The app's name.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Its lane.
    #[must_use]
    pub fn lane(&self) -> &Lane {
        &self.lane
    }

    /// Its published states.
    #[must_use]
    pub fn snapshots(&self) -> &Arc<Snapshots> {
        self.lane.snapshots()
    }

    /// The state a read wants.
    ///
    /// # Errors
    /// [`Error::Ahead`] for a sequence that was not given out,
    /// [`Error::NotVisible`] for one that does not come in time,
    /// [`Error::Unavailable`] for one that is no longer held.
    pub async fn snapshot(&self, at: At) -> Result<Arc<Snapshot>, Error> {
        if let Some(asked) = at.at_least.max(at.as_of) {
            self.reach(asked).await?;
        }
        match at.as_of {
            Some(asked) => self.snapshots().as_of(asked).map_err(Error::Unavailable),
            None => Ok(self.snapshots().current()),
        }
    }

    async fn reach(&self, asked: Sequence) -> Result<(), Error> {
        if self.snapshots().current().state.sequence() >= asked {
            return Ok(());
        }
        let last = self.lane.last_sequence();
        if asked > last {
            return Err(Error::Ahead { asked, last });
        }
        let waited = tokio::time::timeout(AT_LEAST_WAIT_MAX, self.snapshots().wait_for(asked));
        waited.await.map_err(|_elapsed| {
            let latest = self.snapshots().current().state.sequence();
            Error::NotVisible { asked, latest }
        })
    }
}
