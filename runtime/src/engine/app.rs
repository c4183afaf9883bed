//! One app: its lane, its snapshots, its files.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use uuid::Uuid;

use super::gates::Gates;
use super::webhooks::Standings;
use super::{
    Error, LiveFigures, Progress, Pump, Reactor, Settings, Stage, WebhookSettings, io_error,
};
use crate::checkpoint::{Checkpoints, Generation};
use crate::clock::Clock;
use crate::disk::{self, Disk};
use crate::events::Events;
use crate::keeper::{self, Damages, Keeper};
use crate::lane::{self, Lane};
use crate::log::{self, Segments};
use crate::modules::Modules;
use crate::snapshot::{Reaper, Snapshot, Snapshots};
use crate::value::{History, Name, Sequence, chain_of};
use crate::wasm;
use crate::worker::{Duty, Projections, Worker};

/// How long a read waits for the sequence it asked for.
const AT_LEAST_WAIT_MAX: Duration = Duration::from_secs(5);

/// An isolated state with its log, lane and modules.
#[derive(Debug)]
pub struct App {
    name: Name,
    lane: Lane,
    keeper: Mutex<Keeper>,
    /// Before what it uses, so that it ends first.
    worker: Worker,
    pub(super) home: Home,
    /// Here as well, because the keeper is seldom at leisure.
    damages: Damages,
    pump: Arc<Pump>,
    pub(super) reactor: Arc<Reactor>,
    pub(super) webhooks: WebhookSettings,
    /// What those who deliver say of themselves.
    pub(super) deliveries: Standings,
    pub(super) clock: Clock,
    pub(super) gates: Arc<Gates>,
    pub(super) live: LiveFigures,
}

/// Where an app is, and where its backups go.
#[derive(Debug)]
pub(super) struct Home {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) directory: PathBuf,
    pub(super) backups: PathBuf,
    /// Held while a backup is made.
    pub(super) backing_up: Mutex<()>,
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
    pub(super) fn create(
        disk: &Arc<dyn Disk>,
        directory: &Path,
        limits: &log::segments::Limits,
    ) -> Result<(), Error> {
        let name = directory.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let draft = directory.with_file_name(format!(".{name}"));
        let fresh = match disk.remove_directory(&draft) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _ => disk.create_directory(&draft),
        };
        fresh.map_err(|source| io_error("create", &draft, source))?;
        let segments = Segments::new(Arc::clone(disk), draft.join("log"), *limits);
        segments.create(History(Uuid::now_v7())).map_err(Error::Log)?;
        let finished = disk::finish(&**disk, &draft, directory);
        finished.map_err(|source| io_error("rename", &draft, source))
    }

    #[expect(clippy::too_many_arguments, reason = "each is another's; one caller")]
    pub(super) fn open(
        name: &Name,
        directory: &Path,
        settings: &Settings,
        clock: Clock,
        host: &Arc<wasm::Host>,
        reaper: Reaper,
        gates: Arc<Gates>,
        told: &mut dyn FnMut(Progress),
    ) -> Result<Self, Error> {
        let disk = || Arc::clone(&settings.disk);
        let modules = directory.join("modules");
        let modules = Modules::open(disk(), name.clone(), modules, Arc::clone(host));
        let modules = Arc::new(modules.map_err(Error::Modules)?);
        let checkpoints = Checkpoints::new(disk(), directory.to_owned());
        let loaded =
            checkpoints.load(&mut |done, of| told(Progress::of(Stage::Checkpoint, done, of)));
        let loaded = loaded.map_err(|source| Error::Checkpoint { app: name.clone(), source })?;
        for refused in &loaded.refused {
            let (file, why) = (refused.path.display(), chain_of(&refused.reason));
            tracing::warn!(app = %name, %file, why, "not used");
        }
        let parts = lane::Parts {
            app: name.clone(),
            disk: disk(),
            storage: Box::new(Segments::new(disk(), directory.join("log"), settings.log)),
            base: loaded.checkpoint,
            index: Some(directory.join("index")),
            archive: Some(directory.join("events")),
            postings: Some(directory.join("postings")),
            modules,
            slot: directory.join("running"),
            clock: clock.clone(),
            reaper,
        };
        let mut read = |percent| told(Progress { stage: Stage::Log, percent });
        let lane = Lane::open(settings.lane.clone(), parts, &mut read).map_err(Error::Lane)?;
        if lane.receipts().first() > Sequence(1) {
            // What was trimmed is in both, so there were two.
            for path in Generation::BOTH.map(|generation| checkpoints.path(generation)) {
                if !disk().exists(&path).map_err(|source| io_error("find", &path, source))? {
                    let file = path.display();
                    tracing::warn!(app = %name, %file, "not there; the other is used until it is written anew");
                }
            }
        }
        let archive = lane.events().archive().cloned().ok_or(Error::Host(String::new()))?;
        let parts = keeper::Parts {
            lane: lane.clone(),
            checkpoints,
            archive,
            disk: disk(),
            modules: directory.join("modules"),
            clock: clock.clone(),
        };
        let keeper = Keeper::new(parts, settings.keeper.clone());
        let damages = keeper.damages();
        let (directory, backups) = (directory.to_owned(), settings.backups.clone());
        let home = Home { disk: disk(), directory, backups, backing_up: Mutex::default() };
        let (name, keeper) = (name.clone(), Mutex::new(keeper));
        let pump = Arc::new(Pump::new(lane.clone(), Arc::clone(&gates)));
        let (reactions, own) = (settings.reactions, clock.clone());
        let reactor = Reactor::new(lane.clone(), own, Arc::clone(&gates), reactions);
        let reactor = Arc::new(reactor);
        let mut duties: Vec<Box<dyn Duty>> = vec![Box::new(Projections::default())];
        if settings.tended {
            duties.push(Box::new(Arc::clone(&pump)));
            duties.push(Box::new(Arc::clone(&reactor)));
        }
        let worker = Worker::start(&name, &lane, &clock, duties);
        let live = LiveFigures::default();
        let (webhooks, deliveries) = (settings.webhooks.clone(), Standings::default());
        Ok(Self {
            name,
            lane,
            worker,
            keeper,
            home,
            damages,
            pump,
            reactor,
            webhooks,
            deliveries,
            clock,
            gates,
            live,
        })
    }

    /// What submits the commands of timers that are due.
    #[must_use]
    pub fn pump(&self) -> &Pump {
        &self.pump
    }

    /// The app's name.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Whoever looks after its files; waits for what is being done.
    pub fn keeper(&self) -> MutexGuard<'_, Keeper> {
        self.keeper.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same, unless something is being done that takes long.
    pub fn keeper_if_free(&self) -> Option<MutexGuard<'_, Keeper>> {
        match self.keeper.try_lock() {
            Ok(keeper) => Some(keeper),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// What of its files was found damaged, what stands still because of a fault of the
    /// server's own, and what can be done; empty if all is well as far as it is known.
    #[must_use]
    pub fn damage(&self) -> Vec<String> {
        let mut damage = self.damages.all();
        damage.extend(self.worker.faults());
        damage
    }

    /// Closes it: as [`Lane::close`], and nothing is done beside it any more.
    pub(super) fn close(&self, within: Duration) {
        self.lane.close(within);
        self.worker.stop();
    }

    /// Its lane.
    #[must_use]
    pub fn lane(&self) -> &Lane {
        &self.lane
    }

    /// Its events.
    #[must_use]
    pub fn events(&self) -> &Arc<Events> {
        self.lane.events()
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
