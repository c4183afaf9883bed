//! Taking out of the files what was erased: bodies of records in the log, and of events
//! in the archive.
//!
//! That something is erased is in the state ([`lane::erase`](crate::lane::erase)). A
//! record may lose its body when both checkpoints include its outcome, because no start
//! reads it then. Doing it again does nothing, so a crash leaves nothing to be found
//! but in the state: at a start every row is looked at once, which reads one record
//! each, of those that the log still has.

use std::collections::BTreeSet;

use super::{Error, Keeper};
use crate::checkpoint::Pace;
use crate::lane::erase;
use crate::log::{self, SegmentInfo, Upkeep};
use crate::receipts;
use crate::value::Sequence;

/// What is known of erasures.
#[derive(Debug, Default)]
pub(super) struct Erasing {
    /// Rows of the state that were looked at.
    n_rows: u64,
    /// Known, and not yet out of every file.
    pending: BTreeSet<Sequence>,
    /// Out of every file.
    done: BTreeSet<Sequence>,
}

/// How far an erasure has come in the log.
enum Reach {
    Done,
    /// These rounds have it, and no checkpoint needs them.
    Ready([u64; 2]),
    /// A checkpoint may need it.
    NotYet,
}

impl Keeper {
    /// Erases what can be erased. Writes checkpoints if that makes it possible.
    pub(super) fn erase_pending(&mut self, pace: &mut dyn Pace) -> Result<(), Error> {
        self.note_erasures();
        if self.erasing.pending.is_empty() {
            return Ok(());
        }
        if self.erase_ready()? {
            return Ok(());
        }
        let since = self.clock.elapsed().saturating_sub(self.kept.at);
        if since < self.settings.erase_after && self.checkpoints.trim_floor().is_some() {
            return Ok(());
        }
        // Both generations have to include it.
        self.checkpoint(pace)?;
        self.checkpoint(pace)?;
        self.erase_ready().map(drop)
    }

    /// Whether something that was erased may still be in a file.
    #[must_use]
    pub fn is_erasing(&self) -> bool {
        let current = self.lane.snapshots().current();
        erase::erased_count(&current.state) != self.erasing.n_rows
            || !self.erasing.pending.is_empty()
    }

    fn note_erasures(&mut self) {
        let current = self.lane.snapshots().current();
        let n_rows = erase::erased_count(&current.state);
        if n_rows == self.erasing.n_rows {
            return;
        }
        let rows = erase::erased(&current.state);
        self.erasing.pending = rows.difference(&self.erasing.done).copied().collect();
        self.erasing.n_rows = n_rows;
    }

    /// Whether nothing is left that has to wait.
    fn erase_ready(&mut self) -> Result<bool, Error> {
        let Some(upkeep) = self.lane.upkeep() else { return Ok(false) };
        // Events that come to the archive later come without.
        self.archive.erase(&self.erasing.pending)?;
        let (mut ready, mut rounds, mut done) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
        for sequence in &self.erasing.pending {
            match self.reach(*sequence)? {
                Reach::Done => done.push(*sequence),
                Reach::Ready(both) => {
                    ready.insert(*sequence);
                    rounds.extend(both);
                }
                Reach::NotYet => {}
            }
        }
        self.erase_in_log(&*upkeep, &ready, &rounds)?;
        for sequence in done.into_iter().chain(ready) {
            self.erasing.pending.remove(&sequence);
            self.erasing.done.insert(sequence);
        }
        Ok(self.erasing.pending.is_empty())
    }

    fn reach(&self, sequence: Sequence) -> Result<Reach, Error> {
        let receipts = self.lane.receipts();
        let receipt = match receipts.read(sequence) {
            Err(receipts::Error::Trimmed { .. }) => return Ok(Reach::Done),
            Ok(None) => return Ok(Reach::NotYet),
            receipt => receipt?,
        };
        let outcome = receipt.as_ref().and_then(|receipt| receipt.outcome.as_deref());
        let gone = receipt.as_ref().is_some_and(|receipt| receipt.entry.erased);
        if gone && outcome.is_some_and(|outcome| outcome.erased) {
            return Ok(Reach::Done);
        }
        let floor = self.checkpoints.trim_floor().map_or(0, |start| start.tail.number);
        Ok(match receipts.rounds(sequence)? {
            Some((entry, outcome)) if outcome > 0 && entry.max(outcome) <= floor => {
                Reach::Ready([entry, outcome])
            }
            _ => Reach::NotYet,
        })
    }

    /// Each segment is written anew once, whatever is erased in it.
    fn erase_in_log(
        &self,
        upkeep: &dyn Upkeep,
        ready: &BTreeSet<Sequence>,
        rounds: &BTreeSet<u64>,
    ) -> Result<(), Error> {
        let segments = upkeep.segments();
        let of = |round: &u64| segment_of(&segments, *round);
        let of_rounds: BTreeSet<u64> = rounds.iter().filter_map(of).collect();
        for first_round in of_rounds {
            let erase = || upkeep.erase_all(first_round, &|head| ready.contains(&head.sequence));
            match erase() {
                Err(log::Error::NotSealed { .. }) => {
                    self.lane.seal()?;
                    erase()?
                }
                erased => erased?,
            };
        }
        Ok(())
    }
}

fn segment_of(segments: &[SegmentInfo], round: u64) -> Option<u64> {
    let at = segments.partition_point(|segment| segment.first_round <= round);
    segments.get(at.checked_sub(1)?).map(|segment| segment.first_round)
}
