//! What whoever looks after an app's files needs of its lane.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::{FORGOTTEN_AT_ONCE, Lane, Refusal, SETTLED_AT_ONCE};
use crate::index::{self, Index};
use crate::log::{Start, Upkeep};
use crate::record::Attempt;
use crate::value::{Sequence, chain_of};

impl Lane {
    /// From where the log would have to be read to follow the published state, or
    /// any later one: what a checkpoint of it needs.
    #[must_use]
    pub fn anchor(&self) -> Start {
        *self.0.anchor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of deaths of the process.
    #[must_use]
    pub fn attempts(&self) -> Vec<Attempt> {
        self.0.attempts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Bytes of rounds that were written since the lane's base, or read when it was
    /// opened.
    #[must_use]
    pub fn log_bytes(&self) -> u64 {
        self.0.log_bytes.load(Ordering::Relaxed)
    }

    /// The earliest time of an id that is accepted.
    #[must_use]
    pub fn floor_ms(&self) -> u64 {
        let mut inbox = self.0.inbox();
        // Of an app that is asked for nothing it rises as well.
        inbox.floor.advance(&self.0.clock);
        inbox.floor.ms(&self.0.clock)
    }

    /// What can be done to the sealed part of the log; none while it is opened again.
    #[must_use]
    pub fn upkeep(&self) -> Option<Arc<dyn Upkeep>> {
        self.0.upkeep.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The index of what is no longer in memory.
    #[must_use]
    pub fn index(&self) -> &Arc<Index> {
        &self.0.index
    }

    /// Moves what is known of executed entries from memory to disk.
    ///
    /// # Errors
    /// [`index::Error`]; what is not on disk stays in memory.
    pub fn settle(&self) -> Result<(), index::Error> {
        self.0.events.settle()?;
        while self.0.receipts.settle(SETTLED_AT_ONCE)? == SETTLED_AT_ONCE {}
        let covered = self.0.index.covered();
        // In small steps: the sequencer has the same lock.
        while self.0.inbox().ids.forget_through(covered, FORGOTTEN_AT_ONCE) {}
        match self.0.index.merge() {
            // Many small files cost time, and nothing else: checkpoints do not wait.
            Err(error @ index::Error::Damaged { .. }) => {
                tracing::warn!(app = %self.0.app, error = chain_of(&error), "not merged");
            }
            Ok(true) => return self.settle(),
            merged => drop(merged?),
        }
        Ok(())
    }

    /// Seals the log behind its last round, so that all of it can be copied. Blocks
    /// until the committer has done so.
    ///
    /// # Errors
    /// [`Refusal`] if the lane is not running.
    pub fn seal(&self) -> Result<Start, Refusal> {
        let told = {
            let mut inbox = self.0.inbox();
            let told = inbox.ask_to_seal()?;
            self.0.start_if_needed(&mut inbox);
            told
        };
        self.0.fresh.notify_one();
        let gone = Refusal::Recovering { reason: "the log failed while it was sealed".to_owned() };
        told.recv().map_err(|_gone| gone)
    }

    /// Forgets what the log no longer has: receipts of entries before `first`, and
    /// what the index knows of them, ids as far as they are before `floor_ms`.
    ///
    /// # Errors
    /// [`index::Error`]; more may be there than must be.
    pub fn forget(&self, first: Sequence, floor_ms: u64) -> Result<(), index::Error> {
        self.0.receipts.keep_from(first);
        self.0.index.forget(first, floor_ms)
    }

    /// How long ids are remembered.
    #[must_use]
    pub fn window(&self) -> Duration {
        self.0.settings.window
    }
}
