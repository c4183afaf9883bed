//! Reading events one after another, from wherever each is.

use std::sync::Arc;

use super::stored::{archived, masked, stored};
use super::{Error, Events};
use crate::archive::{Archive, Scan};
use crate::receipts;
use crate::receipts::erased::is_erased;
use crate::record::Parts;
use crate::snapshot::Snapshot;
use crate::state::State;
use crate::value::{Position, Sequence, StoredEvent};

pub(super) struct Reading<'a> {
    events: &'a Events,
    /// What was erased as of the beginning is not shown.
    snapshot: Arc<Snapshot>,
    /// The events of the entry that was read last.
    entry: Vec<Arc<StoredEvent>>,
    /// Where the archive is read on, and from which event.
    archive: Option<(Position, Scan<'a>)>,
}

impl<'a> Reading<'a> {
    pub(super) fn new(events: &'a Events) -> Self {
        let snapshot = events.snapshots.current();
        Self { events, snapshot, entry: Vec::new(), archive: None }
    }

    /// An event that there is.
    pub(super) fn event(&mut self, position: Position) -> Result<Arc<StoredEvent>, Error> {
        let event = self.find(position)?;
        Ok(shown(&self.snapshot.state, event))
    }

    fn find(&mut self, position: Position) -> Result<Arc<StoredEvent>, Error> {
        if let Some(event) = of(&self.entry, position) {
            return Ok(event);
        }
        if let Some(event) = self.events.recent().newest(position) {
            return Ok(event);
        }
        if let Some(event) = self.archived(position)? {
            return Ok(event);
        }
        match self.logged(position) {
            // Trimmed between the two looks.
            Err(Error::Receipt(receipts::Error::Trimmed { .. })) => {}
            found => return found,
        }
        self.archived(position)?.ok_or(Error::Missing { position })
    }

    fn archived(&mut self, position: Position) -> Result<Option<Arc<StoredEvent>>, Error> {
        let Some(archive) = &self.events.archive else { return Ok(None) };
        if archive.last()? < position {
            return Ok(None);
        }
        let mut scan = match self.archive.take() {
            Some((next, scan)) if next == position => scan,
            _ => Archive::scan(archive, position),
        };
        let Some(event) = scan.next().transpose()? else { return Ok(None) };
        self.archive = Some((Position(position.0 + 1), scan));
        Ok(Some(event).filter(|event| event.position == position).map(archived).map(Arc::new))
    }

    fn logged(&mut self, position: Position) -> Result<Arc<StoredEvent>, Error> {
        let missing = || Error::Missing { position };
        // Memory first: what leaves it is on disk by then.
        let in_memory = self.events.recent().entry_of(position);
        let sequence = match in_memory {
            Some(sequence) => Some(sequence),
            None => self.events.postings.entry_of(position)?,
        };
        let sequence = sequence.ok_or_else(missing)?;
        let rounds = self.events.receipts.rounds(sequence)?;
        let (entry_round, outcome_round) = rounds.ok_or_else(missing)?;
        let damaged = |round| move |source| Error::Damaged { round, source };
        let entry = self.round(sequence, entry_round)?.entry(sequence);
        let entry = entry.map_err(damaged(entry_round))?.ok_or_else(missing)?;
        let outcome = self.round(sequence, outcome_round)?.outcome(sequence);
        let outcome = outcome.map_err(damaged(outcome_round))?.ok_or_else(missing)?;
        self.entry = stored(&entry, &outcome);
        of(&self.entry, position).ok_or_else(missing)
    }

    fn round(&self, sequence: Sequence, number: u64) -> Result<Arc<Parts>, Error> {
        if let Some(parts) = self.events.rounds.get(number) {
            return Ok(parts);
        }
        let bytes = self.events.receipts.round(sequence, number)?;
        let parts = Parts::new(bytes);
        let parts = Arc::new(parts.map_err(|source| Error::Damaged { round: number, source })?);
        self.events.rounds.put(number, &parts);
        Ok(parts)
    }
}

/// An event without what was erased as of a state.
pub(super) fn shown(state: &State, event: Arc<StoredEvent>) -> Arc<StoredEvent> {
    match !event.erased && is_erased(state, event.sequence) {
        true => Arc::new(masked(&event)),
        false => event,
    }
}

/// The event of a position among those of an entry, which have positions one after
/// another.
fn of(entry: &[Arc<StoredEvent>], position: Position) -> Option<Arc<StoredEvent>> {
    let first = entry.first()?.position;
    let at = usize::try_from(position.0.checked_sub(first.0)?).ok()?;
    entry.get(at).cloned()
}
