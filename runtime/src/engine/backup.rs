//! Backups of a running app: what holds still while it is copied, and what gives way.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::{App, Error, io_error};
use crate::backup::{self, Copied, Source, Writer};
use crate::checkpoint::{self, Checkpoint, Pace, Unhurried};
use crate::disk;
use crate::ids::time_of;
use crate::lane::{Health, Refusal};
use crate::value::{History, Name, Sequence};

/// How much a backup rests for the time it works, in percent: commands go on.
const REST_PERCENT: u32 = 50;

/// A backup that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackedUp {
    /// Where it is.
    pub path: PathBuf,
    /// The last entry in it.
    pub sequence: Sequence,
    /// Whose entries these are.
    pub history: History,
    /// Bytes of its files.
    pub bytes: u64,
    /// How many files it has.
    pub files: usize,
    /// How long it took.
    pub took: Duration,
}

impl App {
    /// Copies the app as of one round, while commands go on, to a directory of its
    /// own among the backups. Blocks for as long as that takes; the lane waits only
    /// while the newest file of its log is sealed. Nothing is trimmed or erased
    /// meanwhile, and no checkpoint written.
    ///
    /// # Errors
    /// [`Error::Busy`] while another backup of this app is made; [`Error::DiskLow`]
    /// and [`Error::NoRoom`]; [`Error::Refused`] if the lane does not run, or ends
    /// meanwhile; [`Error::Backup`].
    pub fn backup(&self, name: Option<&Name>) -> Result<BackedUp, Error> {
        let home = &self.home;
        let Ok(_turn) = home.backing_up.try_lock() else {
            return Err(Error::Busy { what: "backups of this app" });
        };
        let started = self.clock.elapsed();
        self.gates.room.check()?;
        // From here on nothing is removed or replaced.
        let _still = self.keeper();
        let (disk, backups) = (&*home.disk, &home.backups);
        let created = disk::create_directories(disk, backups);
        created.map_err(|source| io_error("create", backups, source))?;
        let checkpoint = self.checkpoint_of_now();
        // After the state was taken: all that is in it is before this end.
        let end = self.lane().seal()?;
        let reason = || "the log is being opened again".to_owned();
        let upkeep =
            self.lane().upkeep().ok_or_else(|| Refusal::Recovering { reason: reason() })?;
        let source = Source {
            app: self.name(),
            directory: &home.directory,
            upkeep: &*upkeep,
            end,
            checkpoint,
            time_ms: self.clock.wall_ms(),
        };
        self.gates.room.check_for(disk, backups, Writer::bytes_needed(&source))?;
        let writer = Writer { disk: &home.disk, backups };
        let copied = writer.write(&source, name, &mut Watchful::of(self));
        let Copied { path, manifest } = copied.map_err(|error| self.not_copied(error))?;
        let path = std::path::absolute(&path).unwrap_or(path);
        let took = self.clock.elapsed().saturating_sub(started);
        let backed_up = BackedUp {
            path,
            sequence: manifest.entry,
            history: manifest.history,
            bytes: manifest.bytes(),
            files: manifest.files.len(),
            took,
        };
        tracing::info!(
            app = %self.name(),
            path = %backed_up.path.display(),
            sequence = %backed_up.sequence,
            bytes = backed_up.bytes,
            ms = took.as_millis(),
            "backed up"
        );
        Ok(backed_up)
    }

    /// The published state, and a boundary that it is not behind.
    fn checkpoint_of_now(&self) -> Checkpoint {
        let lane = self.lane();
        let start = lane.anchor();
        let state = self.snapshots().current().state.clone();
        let floor_ms = lane.floor_ms();
        let mut attempts = lane.attempts();
        attempts.retain(|attempt| time_of(attempt.id) >= floor_ms);
        Checkpoint { start, state, attempts }
    }

    /// Why a backup ended before it was complete.
    fn not_copied(&self, error: backup::Error) -> Error {
        match error {
            backup::Error::Stopped | backup::Error::Checkpoint(checkpoint::Error::Stopped) => {
                match self.gates.room.check() {
                    Err(low) => low,
                    Ok(()) => Error::Refused(Refusal::Draining),
                }
            }
            error => Error::Backup(error),
        }
    }
}

/// Gives up when the server ends, or when the disk is nearly full.
#[derive(Debug)]
struct Watchful<'a> {
    app: &'a App,
    pace: Unhurried,
}

impl<'a> Watchful<'a> {
    fn of(app: &'a App) -> Self {
        let never = Arc::new(AtomicBool::new(false));
        Self { app, pace: Unhurried::new(app.clock.clone(), REST_PERCENT, never) }
    }
}

impl Pace for Watchful<'_> {
    fn pause(&mut self) -> ControlFlow<()> {
        let is_ending = matches!(self.app.lane().health(), Health::Draining);
        if is_ending || self.app.gates.room.check().is_err() {
            return ControlFlow::Break(());
        }
        self.pace.pause()
    }
}
