//! What became of each entry, found again in the log.
//!
//! In memory is only where to look: 24 bytes an entry. A receipt is read
//! from the log, whose records carry their own checksums, so a damaged one is
//! refused rather than served (I11).

use std::sync::{Arc, PoisonError, RwLock};

use crate::log::{self, Reader};
use crate::record::{self, Entry, Outcome, Verdict};
use crate::value::Sequence;

/// What a client may know of an entry: what was asked, and what came of it.
#[derive(Debug, Clone)]
pub struct Receipt {
    /// What was asked.
    pub entry: Arc<Entry>,
    /// What came of it; none if it has not been executed yet.
    pub outcome: Option<Arc<Outcome>>,
}

/// How far an entry has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// Logged; its turn has not come.
    Accepted,
    /// Executed, and its changes are kept.
    Succeeded,
    /// Executed, and refused by its handler.
    Rejected,
    /// Its handler trapped or exceeded a limit.
    Failed,
}

impl Status {
    /// The status of an outcome.
    #[must_use]
    pub fn of(outcome: &Outcome) -> Self {
        match outcome.verdict {
            Verdict::Succeeded(_) => Self::Succeeded,
            Verdict::Rejected(_) => Self::Rejected,
            Verdict::Failed(_) => Self::Failed,
        }
    }

    /// The word for it, in receipts and filters.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Succeeded => "succeeded",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
        }
    }
}

impl std::str::FromStr for Status {
    type Err = crate::value::Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let all = [Self::Accepted, Self::Succeeded, Self::Rejected, Self::Failed];
        let found = all.into_iter().find(|status| status.as_str() == text);
        found.ok_or_else(|| crate::value::Invalid {
            what: "status",
            reason: format!("`{text}` must be accepted, succeeded, rejected or failed"),
        })
    }
}

/// Why a receipt cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The log does not give the round.
    #[error("cannot read the round of entry {sequence}")]
    Log {
        /// Whose receipt it was.
        sequence: Sequence,
        /// Why.
        source: log::Error,
    },
    /// The round is not what was written.
    #[error("the record of entry {sequence} is damaged")]
    Damaged {
        /// Whose receipt it was.
        sequence: Sequence,
        /// Where.
        source: record::Damage,
    },
    /// The round does not hold what the index says.
    #[error("entry {sequence} is not in round {round}, where it was written")]
    Missing {
        /// Whose receipt it was.
        sequence: Sequence,
        /// Where it should be.
        round: u64,
    },
}

/// The rounds of one entry.
#[derive(Debug, Clone, Copy)]
struct Place {
    entry_round: u64,
    /// 0 while there is no outcome.
    outcome_round: u64,
    status: Status,
}

/// Where each entry of an app is, by sequence.
#[derive(Debug, Default)]
pub struct Index {
    places: Vec<Place>,
}

impl Index {
    /// Notes the round of an entry. Entries come in order (I4).
    ///
    /// # Panics
    /// If they do not: the lane stops rather than go on with a gap.
    pub fn add_entry(&mut self, sequence: Sequence, round: u64) {
        assert_eq!(index(sequence), self.places.len(), "I4: entry {sequence} out of order");
        let status = Status::Accepted;
        self.places.push(Place { entry_round: round, outcome_round: 0, status });
    }

    /// Notes the round of an outcome.
    pub fn add_outcome(&mut self, outcome: &Outcome, round: u64) {
        if let Some(place) = self.places.get_mut(index(outcome.sequence)) {
            place.outcome_round = round;
            place.status = Status::of(outcome);
        }
    }

    /// The last entry.
    #[must_use]
    pub fn last(&self) -> Sequence {
        Sequence(self.places.len() as u64)
    }

    fn get(&self, sequence: Sequence) -> Option<Place> {
        self.places.get(index(sequence)).copied()
    }
}

/// Sequences begin at 1.
fn index(sequence: Sequence) -> usize {
    usize::try_from(sequence.0).map_or(usize::MAX, |n| n.wrapping_sub(1))
}

/// The receipts of one app.
#[derive(Debug)]
pub struct Receipts {
    index: RwLock<Index>,
    reader: RwLock<Arc<dyn Reader>>,
}

impl Receipts {
    /// The receipts of a recovered log.
    #[must_use]
    pub fn new(index: Index, reader: Arc<dyn Reader>) -> Self {
        Self { index: RwLock::new(index), reader: RwLock::new(reader) }
    }

    /// Starts over from a log that was opened again.
    pub fn reset(&self, index: Index, reader: Arc<dyn Reader>) {
        *self.index.write().unwrap_or_else(PoisonError::into_inner) = index;
        *self.reader.write().unwrap_or_else(PoisonError::into_inner) = reader;
    }

    /// Notes what a durable round holds.
    pub fn add<'a>(
        &self,
        round: u64,
        entries: impl IntoIterator<Item = &'a Entry>,
        outcomes: impl IntoIterator<Item = &'a Outcome>,
    ) {
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        for entry in entries {
            index.add_entry(entry.sequence, round);
        }
        for outcome in outcomes {
            index.add_outcome(outcome, round);
        }
    }

    /// The last entry that is durable.
    #[must_use]
    pub fn last(&self) -> Sequence {
        self.index.read().unwrap_or_else(PoisonError::into_inner).last()
    }

    /// The receipt of an entry; none if it is not durable yet.
    ///
    /// # Errors
    /// [`Error`] if the log cannot be read.
    pub fn read(&self, sequence: Sequence) -> Result<Option<Receipt>, Error> {
        let place = self.index.read().unwrap_or_else(PoisonError::into_inner).get(sequence);
        let Some(place) = place else { return Ok(None) };
        let damaged = |source| Error::Damaged { sequence, source };
        let bytes = self.round(sequence, place.entry_round)?;
        let entry = record::find_entry(&bytes, sequence).map_err(damaged)?;
        let entry = entry.ok_or(Error::Missing { sequence, round: place.entry_round })?;
        let entry = Arc::new(entry);
        if place.outcome_round == 0 {
            return Ok(Some(Receipt { entry, outcome: None }));
        }
        let bytes = match place.outcome_round == place.entry_round {
            true => bytes,
            false => self.round(sequence, place.outcome_round)?,
        };
        let outcome = record::find_outcome(&bytes, sequence).map_err(damaged)?;
        let outcome = outcome.ok_or(Error::Missing { sequence, round: place.outcome_round })?;
        Ok(Some(Receipt { entry, outcome: Some(Arc::new(outcome)) }))
    }

    /// Sequences of entries below `before`, the newest first, of one status or
    /// of any.
    #[must_use]
    pub fn page(&self, status: Option<Status>, before: Sequence, limit: usize) -> Vec<Sequence> {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        let last = index.last().0.min(before.0.saturating_sub(1));
        let sequences = (1..=last).rev().map(Sequence);
        let matching = sequences.filter(|sequence| match (status, index.get(*sequence)) {
            (Some(status), Some(place)) => place.status == status,
            (None, Some(_)) => true,
            (_, None) => false,
        });
        matching.take(limit).collect()
    }

    fn round(&self, sequence: Sequence, round: u64) -> Result<Vec<u8>, Error> {
        let reader = Arc::clone(&self.reader.read().unwrap_or_else(PoisonError::into_inner));
        reader.round(round).map_err(|source| Error::Log { sequence, source })
    }
}
