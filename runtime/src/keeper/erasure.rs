//! Taking out of the files what was erased: bodies of records in the log, and of events
//! in the archive.
//!
//! That something is erased is in the state ([`lane::erase`](crate::lane::erase)). A
//! record may lose its body when both checkpoints include its outcome, because no start
//! reads it then. Doing it again does nothing, so a crash leaves nothing to be found
//! but in the state: at a start every row is looked at once, which reads one record
//! each, of those that the log still has.

use std::collections::{BTreeMap, BTreeSet};

use super::{Error, Keeper};
use crate::checkpoint::Pace;
use crate::lane::erase;
use crate::log::{self, SegmentInfo, Upkeep};
use crate::receipts;
use crate::value::{Sequence, chain_of};

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
    /// Erases what can be erased. Writes checkpoints if that makes it possible. What
    /// fails does not keep the rest from being erased.
    pub(super) fn erase_pending(&mut self, pace: &mut dyn Pace) -> Result<(), Error> {
        self.note_erasures();
        if self.erasing.pending.is_empty() {
            return Ok(());
        }
        let (waits, erased) = self.erase_ready();
        if !waits {
            return erased;
        }
        let since = self.clock.elapsed().saturating_sub(self.kept.at);
        if since < self.settings.erase_after && self.checkpoints.trim_floor().is_some() {
            return erased;
        }
        // Both generations have to include it.
        self.checkpoint(pace)?;
        self.checkpoint(pace)?;
        self.erase_ready().1
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

    /// Whether something is left that waits for checkpoints; and the first of what
    /// failed, which is tried again later.
    fn erase_ready(&mut self) -> (bool, Result<(), Error>) {
        let Some(upkeep) = self.lane.upkeep() else { return (true, Ok(())) };
        let mut failures = Failures::default();
        // Events that come to the archive later come without.
        let is_archive_done =
            failures.note("the archive", self.archive.erase(&self.erasing.pending));
        let (mut waits, mut ready, mut done) = (false, BTreeMap::new(), Vec::new());
        for sequence in &self.erasing.pending {
            match failures.note(&format!("entry {sequence}"), self.reach(*sequence)) {
                Some(Reach::Done) => done.push(*sequence),
                Some(Reach::Ready(rounds)) => drop(ready.insert(*sequence, rounds)),
                Some(Reach::NotYet) => waits = true,
                None => {}
            }
        }
        done.extend(self.erase_in_log(&*upkeep, &ready, &mut failures));
        if is_archive_done.is_some() {
            for sequence in done {
                self.erasing.pending.remove(&sequence);
                self.erasing.done.insert(sequence);
            }
        }
        (waits, failures.first())
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

    /// Each segment is written anew once, whatever is erased in it. Tells what is out of
    /// all of them.
    fn erase_in_log(
        &self,
        upkeep: &dyn Upkeep,
        ready: &BTreeMap<Sequence, [u64; 2]>,
        failures: &mut Failures,
    ) -> Vec<Sequence> {
        let segments = upkeep.segments();
        let mut is_erased = BTreeMap::new();
        for first_round in
            ready.values().flatten().filter_map(|round| segment_of(&segments, *round))
        {
            is_erased.entry(first_round).or_insert_with(|| {
                let erased = self.erase_in(upkeep, first_round, ready);
                failures.note(&format!("the segment from round {first_round}"), erased).is_some()
            });
        }
        let is_out = |rounds: &[u64; 2]| {
            let mut segments = rounds.iter().filter_map(|round| segment_of(&segments, *round));
            segments.all(|first_round| is_erased.get(&first_round) == Some(&true))
        };
        ready.iter().filter(|(_, rounds)| is_out(rounds)).map(|(sequence, _)| *sequence).collect()
    }

    fn erase_in(
        &self,
        upkeep: &dyn Upkeep,
        first_round: u64,
        ready: &BTreeMap<Sequence, [u64; 2]>,
    ) -> Result<(), Error> {
        let erase = || upkeep.erase_all(first_round, &|head| ready.contains_key(&head.sequence));
        match erase() {
            Err(log::Error::NotSealed { .. }) => {
                self.lane.seal()?;
                erase()?
            }
            erased => erased?,
        };
        Ok(())
    }
}

/// What failed: each is told, and the first is kept.
#[derive(Default)]
struct Failures(Option<Error>);

impl Failures {
    fn note<T, E: Into<Error>>(&mut self, what: &str, done: Result<T, E>) -> Option<T> {
        match done {
            Ok(done) => Some(done),
            Err(error) => {
                let error = error.into();
                tracing::error!(what, error = chain_of(&error), "not erased yet");
                self.0.get_or_insert(error);
                None
            }
        }
    }

    fn first(self) -> Result<(), Error> {
        self.0.map_or(Ok(()), Err)
    }
}

fn segment_of(segments: &[SegmentInfo], round: u64) -> Option<u64> {
    let at = segments.partition_point(|segment| segment.first_round <= round);
    segments.get(at.checked_sub(1)?).map(|segment| segment.first_round)
}
