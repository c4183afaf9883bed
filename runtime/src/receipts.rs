//! What became of each entry, found again in the log.
//!
//! Where to look is in memory for the newest entries and on disk for the others, in
//! the [`Index`]. A receipt itself is read from the log, whose records carry their own
//! checksums, so a damaged one is refused rather than served (I11).

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use uuid::Uuid;

use crate::ids::{Seen, time_of};
use crate::index::{self, Index, Place, Row};
use crate::log::{self, Reader};
use crate::record::{self, Entry, Outcome};
use crate::value::Sequence;

pub use crate::index::Status;

/// What a client may know of an entry: what was asked, and what came of it.
#[derive(Debug, Clone)]
pub struct Receipt {
    /// What was asked.
    pub entry: Arc<Entry>,
    /// What came of it; none if it has not been executed yet.
    pub outcome: Option<Arc<Outcome>>,
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
    /// The index does not say where it is.
    #[error("cannot look entries up")]
    Index(#[from] index::Error),
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
    /// It was executed, so long ago that its receipt is not kept any more.
    #[error(
        "entry {sequence} was executed, and its receipt is not kept any more; the oldest that is \
         kept is of entry {first}"
    )]
    Trimmed {
        /// Whose receipt it was.
        sequence: Sequence,
        /// The first entry that has one.
        first: Sequence,
    },
}

/// An entry that the index does not have yet.
#[derive(Debug, Clone, Copy)]
struct Recent {
    id: Uuid,
    place: Place,
}

/// Where the entries of an app are that are not on disk, by sequence.
#[derive(Debug)]
pub struct Places {
    /// The last entry before these.
    before: Sequence,
    recent: VecDeque<Recent>,
}

impl Default for Places {
    /// Before the first entry.
    fn default() -> Self {
        Self::after(Sequence(0))
    }
}

impl Places {
    /// Before the first entry after this one.
    #[must_use]
    pub fn after(before: Sequence) -> Self {
        Self { before, recent: VecDeque::new() }
    }

    /// Notes the round of an entry. Entries come in order (I4).
    ///
    /// # Panics
    /// If they do not: the lane stops rather than go on with a gap.
    pub fn add_entry(&mut self, sequence: Sequence, id: Uuid, round: u64) {
        assert_eq!(sequence, self.last().next(), "I4: entry {sequence} out of order");
        let place = Place { entry_round: round, outcome_round: 0, status: Status::Accepted };
        self.recent.push_back(Recent { id, place });
    }

    /// The last entry of which this knows nothing.
    #[must_use]
    pub fn base(&self) -> Sequence {
        self.before
    }

    /// Puts others, of the entries after some earlier one, in the place of those.
    ///
    /// # Panics
    /// If there are entries between: the lane stops rather than go on with a gap.
    fn replace_after(&mut self, later: Self) {
        assert!(later.before <= self.last(), "I4: {} and {} have a gap", self.last(), later.before);
        let n_kept = usize::try_from(later.before.0.saturating_sub(self.before.0));
        self.recent.truncate(n_kept.unwrap_or(usize::MAX));
        // Of what left memory meanwhile the disk knows.
        let n_known = usize::try_from(self.last().0.saturating_sub(later.before.0));
        self.recent.extend(later.recent.into_iter().skip(n_known.unwrap_or(usize::MAX)));
    }

    /// Notes the round of an outcome.
    pub fn add_outcome(&mut self, outcome: &Outcome, round: u64) {
        let at = self.at(outcome.sequence);
        if let Some(recent) = at.and_then(|at| self.recent.get_mut(at)) {
            recent.place.outcome_round = round;
            recent.place.status = Status::of(outcome);
        }
    }

    /// The last entry.
    #[must_use]
    pub fn last(&self) -> Sequence {
        Sequence(self.before.0 + self.recent.len() as u64)
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.recent.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.recent.is_empty()
    }

    /// What the index has to know of the entries after this one that have an outcome.
    #[must_use]
    pub fn rows(&self, after: Sequence, at_most: usize) -> Vec<Row> {
        // Of entries before these the index has to know already; it refuses a gap.
        let begin = self.at(after.next()).unwrap_or(0);
        let rows = self.recent.iter().enumerate().skip(begin).take(at_most);
        // Outcomes come in the order of their entries (I4).
        let rows = rows.take_while(|(_, recent)| recent.place.status != Status::Accepted);
        let row = |(at, recent): (usize, &Recent)| Row {
            sequence: Sequence(self.before.0 + 1 + at as u64),
            id: recent.id,
            time_ms: time_of(recent.id),
            place: recent.place,
        };
        rows.map(row).collect()
    }

    /// Forgets the entries up to this one, because they are on disk.
    pub fn forget_through(&mut self, sequence: Sequence) {
        let n_entries = sequence.min(self.last()).0.saturating_sub(self.before.0);
        let n_entries = usize::try_from(n_entries).unwrap_or(self.recent.len());
        self.recent.drain(..n_entries.min(self.recent.len()));
        self.before = self.before.max(sequence.min(Sequence(self.before.0 + n_entries as u64)));
        if self.recent.len() < self.recent.capacity() / 4 {
            self.recent.shrink_to(self.recent.capacity() / 2);
        }
    }

    fn get(&self, sequence: Sequence) -> Option<Place> {
        self.at(sequence).and_then(|at| self.recent.get(at)).map(|recent| recent.place)
    }

    fn at(&self, sequence: Sequence) -> Option<usize> {
        usize::try_from(sequence.0.checked_sub(self.before.0)?.checked_sub(1)?).ok()
    }
}

/// The receipts of one app.
#[derive(Debug)]
pub struct Receipts {
    places: RwLock<Places>,
    index: Arc<Index>,
    reader: RwLock<Arc<dyn Reader>>,
    /// The first entry whose receipt is kept.
    first: AtomicU64,
}

impl Receipts {
    /// The receipts of a recovered log: of the entries up to `index.covered()` on
    /// disk, of the others in memory.
    #[must_use]
    pub fn new(places: Places, index: Arc<Index>, reader: Arc<dyn Reader>) -> Self {
        let (places, reader) = (RwLock::new(places), RwLock::new(reader));
        Self { places, index, reader, first: AtomicU64::new(1) }
    }

    /// Puts what a log that was opened again says of its later entries in the place
    /// of what was known of them.
    pub fn replace_after(&self, later: Places, reader: Arc<dyn Reader>) {
        self.places_mut().replace_after(later);
        *self.reader.write().unwrap_or_else(PoisonError::into_inner) = reader;
    }

    /// Notes what a durable round holds.
    pub fn add<'a>(
        &self,
        round: u64,
        entries: impl IntoIterator<Item = &'a Entry>,
        outcomes: impl IntoIterator<Item = &'a Outcome>,
    ) {
        let mut places = self.places_mut();
        for entry in entries {
            places.add_entry(entry.sequence, entry.id, round);
        }
        for outcome in outcomes {
            places.add_outcome(outcome, round);
        }
    }

    /// Moves entries that have an outcome from memory to the index, so many at most,
    /// and tells how many it were. Their ids are on disk then as well.
    ///
    /// # Errors
    /// [`index::Error`]; they stay in memory.
    pub fn settle(&self, at_most: usize) -> Result<usize, index::Error> {
        let rows = self.places().rows(self.index.covered(), at_most);
        if !rows.is_empty() {
            self.index.add(&rows)?;
        }
        self.places_mut().forget_through(self.index.covered());
        Ok(rows.len())
    }

    /// How many entries are in memory.
    #[must_use]
    pub fn n_in_memory(&self) -> usize {
        self.places().len()
    }

    /// From now on receipts of entries before this one are not kept.
    pub fn keep_from(&self, first: Sequence) {
        self.first.fetch_max(first.0, Ordering::SeqCst);
    }

    /// The first entry whose receipt is kept.
    #[must_use]
    pub fn first(&self) -> Sequence {
        Sequence(self.first.load(Ordering::SeqCst))
    }

    /// The last entry that is durable.
    #[must_use]
    pub fn last(&self) -> Sequence {
        self.places().last()
    }

    /// Where the older entries are.
    #[must_use]
    pub fn index(&self) -> &Arc<Index> {
        &self.index
    }

    /// The receipt of an entry; none if it is not durable yet.
    ///
    /// # Errors
    /// [`Error`] if the log cannot be read; [`Error::Trimmed`] if it is not kept.
    pub fn read(&self, sequence: Sequence) -> Result<Option<Receipt>, Error> {
        let Some(place) = self.place(sequence)? else { return Ok(None) };
        let (entry, bytes) = self.entry(sequence, place)?;
        let entry = Arc::new(entry);
        if place.outcome_round == 0 {
            return Ok(Some(Receipt { entry, outcome: None }));
        }
        let bytes = match place.outcome_round == place.entry_round {
            true => bytes,
            false => self.round(sequence, place.outcome_round)?,
        };
        let outcome = record::find_outcome(&bytes, sequence);
        let outcome = outcome.map_err(|source| Error::Damaged { sequence, source })?;
        let outcome = outcome.ok_or(Error::Missing { sequence, round: place.outcome_round })?;
        Ok(Some(Receipt { entry, outcome: Some(Arc::new(outcome)) }))
    }

    /// The rounds of an entry and of its outcome, which is 0 while there is none; none
    /// if the entry is not durable yet.
    ///
    /// # Errors
    /// As for [`Receipts::read`].
    pub fn rounds(&self, sequence: Sequence) -> Result<Option<(u64, u64)>, Error> {
        let place = self.place(sequence)?;
        Ok(place.map(|place| (place.entry_round, place.outcome_round)))
    }

    /// When the round of an entry was written, by the clock as it was then, in
    /// milliseconds since 1970; none if the entry is not durable yet.
    ///
    /// # Errors
    /// As for [`Receipts::read`].
    pub fn written_ms(&self, sequence: Sequence) -> Result<Option<u64>, Error> {
        let Some(place) = self.place(sequence)? else { return Ok(None) };
        let header = record::header(&self.round(sequence, place.entry_round)?);
        let header = header.map_err(|source| Error::Damaged { sequence, source })?;
        Ok(Some(header.time_ms))
    }

    /// What is known of the id of a durable entry, as the log has it: the index knows
    /// only which entry it was given to.
    ///
    /// # Errors
    /// As for [`Receipts::read`].
    pub fn seen(&self, sequence: Sequence) -> Result<Option<Seen>, Error> {
        let Some(place) = self.place(sequence)? else { return Ok(None) };
        let (entry, _) = self.entry(sequence, place)?;
        Ok(Some(Seen { sequence, fingerprint: entry.fingerprint }))
    }

    /// Sequences of entries below `before`, the newest first, of one status or
    /// of any.
    ///
    /// # Errors
    /// [`Error::Index`].
    pub fn page(
        &self,
        status: Option<Status>,
        before: Sequence,
        limit: usize,
    ) -> Result<Vec<Sequence>, Error> {
        let (mut page, in_memory_after) = {
            let places = self.places();
            let last = places.last().0.min(before.0.saturating_sub(1));
            let sequences = (places.before.0 + 1..=last).rev().map(Sequence);
            let matching = sequences.filter(|sequence| match (status, places.get(*sequence)) {
                (Some(status), Some(place)) => place.status == status,
                (None, Some(_)) => true,
                (_, None) => false,
            });
            (matching.take(limit).collect::<Vec<_>>(), places.before)
        };
        if page.len() < limit {
            let before = before.min(in_memory_after.next());
            page.extend(self.index.page(status, before, limit - page.len())?);
        }
        let first = self.first();
        page.retain(|sequence| *sequence >= first);
        Ok(page)
    }

    /// In memory first: what is not there any more is on disk by now.
    fn place(&self, sequence: Sequence) -> Result<Option<Place>, Error> {
        let first = self.first();
        if sequence < first && sequence.0 > 0 {
            return Err(Error::Trimmed { sequence, first });
        }
        let place = self.places().get(sequence);
        match place {
            Some(place) => Ok(Some(place)),
            None => Ok(self.index.place(sequence)?),
        }
    }

    fn entry(&self, sequence: Sequence, place: Place) -> Result<(Entry, Vec<u8>), Error> {
        let bytes = self.round(sequence, place.entry_round)?;
        let entry = record::find_entry(&bytes, sequence);
        let entry = entry.map_err(|source| Error::Damaged { sequence, source })?;
        let entry = entry.ok_or(Error::Missing { sequence, round: place.entry_round })?;
        Ok((entry, bytes))
    }

    fn round(&self, sequence: Sequence, round: u64) -> Result<Vec<u8>, Error> {
        let reader = Arc::clone(&self.reader.read().unwrap_or_else(PoisonError::into_inner));
        reader.round(round).map_err(|source| Error::Log { sequence, source })
    }

    fn places(&self) -> RwLockReadGuard<'_, Places> {
        self.places.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn places_mut(&self) -> RwLockWriteGuard<'_, Places> {
        self.places.write().unwrap_or_else(PoisonError::into_inner)
    }
}
