//! Looks after what an app has on disk while it runs: checkpoints, the index, what
//! may be forgotten, what has to be erased, and whether all is as it was written.
//!
//! Everything here happens beside the lane, from immutable states and sealed files,
//! and never holds it up. Each step is complete in itself: after a crash between two
//! of them the app is as it was, with one thing less done. The order matters: what
//! is in a checkpoint is in the index first; the log loses only what two checkpoints
//! have that were read back from the disk; and what the log loses is in the archive
//! first, if it is an event.

mod erasure;
mod retention;
mod scrub;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::archive::{self, Archive};
use crate::checkpoint::{self, Checkpoint, Checkpoints, Pace, Written};
use crate::clock::Clock;
use crate::disk::Disk;
use crate::ids::time_of;
use crate::index;
use crate::lane::{self, Lane};
use crate::value::{Position, Sequence};
use crate::{log, receipts, recovery};

use self::erasure::Erasing;
use self::retention::Retaining;
pub use self::scrub::Damages;
use self::scrub::Scrub;

/// When checkpoints are written, and what is kept for how long.
#[derive(Debug, Clone)]
pub struct Settings {
    /// A checkpoint is written when so many bytes of rounds came after the last:
    /// what a start has to replay at most, more or less.
    pub checkpoint_bytes: u64,
    /// And when the last is so old, if there was any round after it.
    pub checkpoint_after: Duration,
    /// How long receipts are kept: segments whose entries are all older are removed,
    /// as far as nothing else needs them. Never less than the window.
    pub receipts_keep: Duration,
    /// How long the inputs of commands are kept, if that is less.
    pub payloads_keep: Duration,
    /// How long events are kept; for ever if none.
    pub events_keep: Option<Duration>,
    /// How much of what is on disk is read and checked, in bytes a second, on average;
    /// nothing if 0. It goes file by file.
    pub scrub_bytes_per_s: u64,
    /// How long after a checkpoint another may be written only so that something can
    /// be erased.
    pub erase_after: Duration,
    /// What is known of so many entries may be in memory while the keeper has no time,
    /// because a backup is made; then it is moved to disk all the same.
    pub unsettled_max: usize,
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Default for Settings {
    /// Checkpoints after 64 MiB, which is replayed in about a second, and five minutes.
    /// Receipts for 30 days, events for ever. At 1 MiB a second all of a disk of 80 GiB
    /// is seen once a day.
    fn default() -> Self {
        Self {
            checkpoint_bytes: 64 << 20,
            checkpoint_after: Duration::from_secs(5 * 60),
            receipts_keep: 30 * DAY,
            payloads_keep: 30 * DAY,
            events_keep: None,
            scrub_bytes_per_s: 1 << 20,
            erase_after: Duration::from_secs(5),
            unsettled_max: 1 << 16,
        }
    }
}

/// Why something was not done. It is tried again later.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The index could not be written.
    #[error("cannot write the index")]
    Index(#[from] index::Error),
    /// The checkpoint could not be written.
    #[error("cannot write a checkpoint")]
    Checkpoint(#[from] checkpoint::Error),
    /// A segment could not be read, erased in, or removed.
    #[error("cannot look after the log")]
    Log(#[from] log::Error),
    /// The lane would not seal its log.
    #[error("cannot seal the log")]
    Lane(#[from] lane::Refusal),
    /// What is in a segment could not be told.
    #[error("cannot read a receipt")]
    Receipt(#[from] receipts::Error),
    /// Events could not be archived.
    #[error("cannot archive events")]
    Archive(#[from] archive::Error),
    /// A file of the index could not be built again.
    #[error("cannot build the index again")]
    Again(#[from] recovery::Error),
    /// An entry that two checkpoints have executed has no outcome.
    #[error("entry {0} has no outcome, which it must have; the segment is kept")]
    NoOutcome(Sequence),
    /// An app's events and its archive do not fit.
    #[error("the archive ends with event {0}, and the log has no later one up to here")]
    Short(Position),
}

/// What a keeper looks after.
#[derive(Debug)]
pub struct Parts {
    /// The app's lane.
    pub lane: Lane,
    /// Its checkpoints.
    pub checkpoints: Checkpoints,
    /// The events of what was trimmed.
    pub archive: Arc<Archive>,
    /// What its files are on.
    pub disk: Arc<dyn Disk>,
    /// Where its uploaded modules are.
    pub modules: PathBuf,
    /// The time.
    pub clock: Clock,
}

/// Keeps the files of one app.
#[derive(Debug)]
pub struct Keeper {
    lane: Lane,
    checkpoints: Checkpoints,
    archive: Arc<Archive>,
    clock: Clock,
    settings: Settings,
    /// As of the last checkpoint, or when the app was opened.
    kept: Kept,
    /// A generation was damaged: there has to be another.
    is_forced: bool,
    retaining: Retaining,
    erasing: Erasing,
    scrub: Scrub,
}

#[derive(Debug, Clone, Copy)]
struct Kept {
    sequence: Sequence,
    log_bytes: u64,
    at: Duration,
}

impl Keeper {
    /// Looks after an app that was opened from these checkpoints.
    #[must_use]
    pub fn new(parts: Parts, settings: Settings) -> Self {
        let Parts { lane, checkpoints, archive, disk, modules, clock } = parts;
        // What was replayed at this start would be replayed again at the next.
        let kept = Kept { sequence: lane.anchor().entry, log_bytes: 0, at: clock.elapsed() };
        let scrub = Scrub::new(disk, modules, clock.elapsed());
        let (retaining, erasing) = (Retaining::default(), Erasing::default());
        let is_forced = false;
        Self {
            lane,
            checkpoints,
            archive,
            clock,
            settings,
            kept,
            is_forced,
            retaining,
            erasing,
            scrub,
        }
    }

    /// Does what is due. What fails does not keep the rest from being done.
    ///
    /// # Errors
    /// [`Error`], the first; the app goes on.
    pub fn tend(&mut self, pace: &mut dyn Pace) -> Result<(), Error> {
        let mut done = match self.is_due() {
            true => self.checkpoint(pace).map(drop),
            false => Ok(()),
        };
        done = done.and(self.erase_pending(pace));
        // Whatever failed: on a full disk this is what makes room.
        if self.retention_is_due() {
            done = done.and(self.retain(pace));
        }
        self.scrub_some(pace);
        done
    }

    /// What was found damaged, to be asked for at any time.
    #[must_use]
    pub fn damages(&self) -> Damages {
        self.scrub.damages()
    }

    /// The events of what was trimmed.
    #[must_use]
    pub fn archive(&self) -> &Arc<Archive> {
        &self.archive
    }

    /// The checkpoints.
    #[must_use]
    pub fn checkpoints(&self) -> &Checkpoints {
        &self.checkpoints
    }

    /// Writes a checkpoint of the published state.
    ///
    /// # Errors
    /// [`Error`]; the one before is still there.
    pub fn checkpoint(&mut self, pace: &mut dyn Pace) -> Result<Written, Error> {
        // The boundary first: it has to be one that the state is not behind.
        let start = self.lane.anchor();
        let log_bytes = self.lane.log_bytes();
        let state = self.lane.snapshots().current().state.clone();
        self.lane.settle()?;
        let floor_ms = self.lane.floor_ms();
        let mut attempts = self.lane.attempts();
        attempts.retain(|attempt| time_of(attempt.id) >= floor_ms);
        let checkpoint = Checkpoint { start, state, attempts };
        let started = self.clock.elapsed();
        let written = self.checkpoints.write(&checkpoint, pace)?;
        let at = self.clock.elapsed();
        self.kept = Kept { sequence: checkpoint.state.sequence(), log_bytes, at };
        self.is_forced = false;
        self.retaining.ask();
        tracing::debug!(
            sequence = %checkpoint.state.sequence(),
            generation = ?written.generation,
            chunks = written.chunks_written,
            kept = written.chunks_kept,
            ms = at.saturating_sub(started).as_millis(),
            "checkpoint"
        );
        Ok(written)
    }

    fn is_due(&self) -> bool {
        if self.is_forced {
            return true;
        }
        let now = self.lane.snapshots().current().state.sequence();
        if now == self.kept.sequence {
            return false;
        }
        let bytes = self.lane.log_bytes().saturating_sub(self.kept.log_bytes);
        let age = self.clock.elapsed().saturating_sub(self.kept.at);
        bytes >= self.settings.checkpoint_bytes || age >= self.settings.checkpoint_after
    }
}
