//! Making the index whole again from the log, where files of it are missing or
//! were refused.

use std::collections::VecDeque;

use crate::ids::{AHEAD_MAX, time_of};
use crate::index::{self, Index, Place, Row};
use crate::log::{Log, SegmentInfo, Start, Upkeep};
use crate::receipts::Status;
use crate::record::{Damage, Record, Round};
use crate::value::Sequence;

use super::{Error, Recovered};

/// Rows that are added at once: some megabytes in memory.
const ROWS_AT_ONCE: usize = 1 << 16;

/// How much later than its entry an id may be.
const AHEAD_MS: u64 = AHEAD_MAX.as_secs() * 1000;

/// Makes what was read and the index fit: what is on disk leaves memory, and what
/// replaying relied on but is not on disk is put there, from the log.
///
/// # Errors
/// [`Error`] if the log cannot be read, or the index not be written.
pub fn reconcile(
    recovered: &mut Recovered,
    index: &Index,
    start: Option<&Start>,
) -> Result<(), Error> {
    let (indexed, last) = (index.reach(), recovered.places.last());
    if indexed > last {
        return Err(Error::Behind { indexed, last });
    }
    if let Some(start) = start.filter(|start| index.covered() < start.entry) {
        complete(&mut *recovered.log, index, start)?;
    }
    while recovered.ids.forget_through(index.covered(), usize::MAX) {}
    recovered.places.forget_through(index.covered());
    Ok(())
}

/// Reads the sealed part of the log for what the index is to have.
fn complete(log: &mut dyn Log, index: &Index, start: &Start) -> Result<(), Error> {
    tracing::warn!(
        covered = %index.covered(), needed = %start.entry,
        "the index is not whole; making it again from the log"
    );
    // What has to be read may be in the segment that is written to.
    log.seal()?;
    let upkeep = log.upkeep();
    let segments = upkeep.segments();
    if let Some(first) = segments.first()
        && first.first_sequence > index.covered().next()
    {
        // The ids of what was trimmed are lost. None of them is later than this.
        // It is later than the first entry that is left by so much at most, and it was
        // below the floor when it was trimmed; a clock may have been wrong in between.
        let first_ms = first_time(&*upkeep, &segments)?.unwrap_or(start.time_ms);
        let forgotten_ms = first_ms.saturating_add(AHEAD_MS + 1).min(start.floor_ms);
        index.begin_at(first.first_sequence, forgotten_ms)?;
    }
    let mut rows = Rows::of(index.covered(), start.entry);
    rows.read(&*upkeep, ROWS_AT_ONCE, &mut |rows| index.add(rows))
}

/// The time of the first entry that is there.
fn first_time(upkeep: &dyn Upkeep, segments: &[SegmentInfo]) -> Result<Option<u64>, Error> {
    let mut found = None;
    for segment in segments.iter().filter(|segment| segment.is_sealed) {
        upkeep.check(segment.first_round, &mut |round| {
            let times = round.records.iter().filter_map(|record| match record {
                Record::Entry(entry) => Some(entry.time_ms),
                Record::Outcome(_) | Record::Attempt(_) => None,
            });
            found = found.or(times.min());
            Ok(())
        })?;
        if found.is_some() {
            break;
        }
    }
    Ok(found)
}

/// What an index has to know of the entries after this one up to that one, as the sealed
/// part of the log says, told in order and some at a time; false if not all of them are
/// there with their outcome.
///
/// # Errors
/// [`Error::Log`] if a segment is not what was written; what `take` said.
pub fn rows_of(
    upkeep: &dyn Upkeep,
    after: Sequence,
    upto: Sequence,
    take: &mut Take<'_>,
) -> Result<bool, Error> {
    let segments = upkeep.segments();
    if segments.first().is_none_or(|first| first.first_sequence > after.next()) {
        return Ok(false);
    }
    let mut rows = Rows::of(after, upto);
    rows.read(upkeep, ROWS_AT_ONCE, take)?;
    Ok(rows.are_complete())
}

/// Takes rows of an index, the next after those before.
pub type Take<'a> = dyn FnMut(&[Row]) -> Result<(), index::Error> + 'a;

/// Rows of an index as they are read from rounds.
pub(super) struct Rows {
    /// Entries up to here are in the index.
    after: Sequence,
    /// Entries beyond this are not wanted.
    upto: Sequence,
    /// Without an outcome yet.
    open: VecDeque<Row>,
    done: Vec<Row>,
    /// The last that was done.
    last: Sequence,
}

impl Rows {
    pub(super) fn of(after: Sequence, upto: Sequence) -> Self {
        Self { after, upto, open: VecDeque::new(), done: Vec::new(), last: after }
    }

    /// Reads the segments that have any, and gives rows away whenever there are so many.
    pub(super) fn read(
        &mut self,
        upkeep: &dyn Upkeep,
        at_once: usize,
        take: &mut Take<'_>,
    ) -> Result<(), Error> {
        let segments = upkeep.segments();
        for (at, segment) in segments.iter().enumerate() {
            let is_before =
                segments.get(at + 1).is_some_and(|next| next.first_sequence <= self.after.next());
            if is_before || !segment.is_sealed || self.are_complete() {
                continue;
            }
            let mut failed = None;
            let checked = upkeep.check(segment.first_round, &mut |round| {
                self.round(&round);
                if self.done.len() >= at_once
                    && let Err(error) = take(&std::mem::take(&mut self.done))
                {
                    failed = Some(error);
                    return Err(Damage { offset: 0, record: None, what: "given up".to_owned() });
                }
                Ok(())
            });
            if let Some(error) = failed {
                return Err(error.into());
            }
            checked?;
        }
        Ok(take(&std::mem::take(&mut self.done))?)
    }

    fn round(&mut self, round: &Round) {
        for record in &round.records {
            match record {
                Record::Entry(entry)
                    if entry.sequence > self.after && entry.sequence <= self.upto =>
                {
                    let place = Place {
                        entry_round: round.header.number,
                        outcome_round: 0,
                        status: Status::Accepted,
                    };
                    let (sequence, id) = (entry.sequence, entry.id);
                    self.open.push_back(Row { sequence, id, time_ms: time_of(id), place });
                }
                Record::Outcome(outcome) => {
                    let ours =
                        self.open.front().is_some_and(|row| row.sequence == outcome.sequence);
                    if ours && let Some(mut row) = self.open.pop_front() {
                        row.place.outcome_round = round.header.number;
                        row.place.status = Status::of(outcome);
                        self.last = row.sequence;
                        self.done.push(row);
                    }
                }
                Record::Entry(_) | Record::Attempt(_) => {}
            }
        }
    }

    fn are_complete(&self) -> bool {
        self.open.is_empty() && self.last == self.upto
    }
}
