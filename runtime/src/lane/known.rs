//! What is known of an id: in memory of the newest, on disk of the others.

use std::sync::MutexGuard;

use uuid::Uuid;

use super::inbox::Inbox;
use super::{Lane, Refusal, Ticket};
use crate::ids::{Seen, time_of};
use crate::receipts;
use crate::value::{Hash, Sequence, chain_of};

impl Lane {
    /// What became of the entry with an id: in flight, settled, or none if it has
    /// no place.
    ///
    /// # Errors
    /// [`Refusal::Recovering`] while nobody can tell, [`Refusal::Unreadable`] if
    /// what was written cannot be read.
    pub fn find(&self, id: Uuid) -> Result<Option<Ticket>, Refusal> {
        let (known, inbox) = self.look_up(id)?;
        inbox.find(id, known)
    }

    /// What became of an id that may have been submitted before; none if it has no place.
    /// It is never given one.
    ///
    /// # Errors
    /// As for [`Lane::submit`].
    pub fn retry(&self, id: Uuid, fingerprint: Hash) -> Result<Option<Ticket>, Refusal> {
        let (known, inbox) = self.look_up(id)?;
        inbox.retry(id, fingerprint, known)
    }

    /// Whether the disk may have to be read for what is known of an id: not for one that
    /// is newer than what is on disk and was never seen, or is in flight, as most are.
    #[must_use]
    pub fn reads_for(&self, id: Uuid) -> bool {
        self.0.index.reads_for(time_of(id)) || self.0.inbox().has_settled(id)
    }

    /// What the disk knows of an id, and the inbox, which knows the rest. Reads
    /// nothing for an id that is newer than what is on disk, as most are.
    pub(super) fn look_up(
        &self,
        id: Uuid,
    ) -> Result<(Option<Seen>, MutexGuard<'_, Inbox>), Refusal> {
        loop {
            let version = self.0.index.version();
            let found = self.0.index.find(id, time_of(id));
            let found = found.map_err(|error| self.unreadable(&error))?;
            let known = match found {
                Some(sequence) => Some(self.seen(sequence)?),
                None => None,
            };
            let mut inbox = self.0.inbox();
            // Ids may have gone from memory to disk after it was looked at.
            if self.0.index.version() == version {
                inbox.floor.forgotten(self.0.index.forgotten_ms());
                return Ok((known, inbox));
            }
        }
    }

    /// What the log says of an entry whose id is on disk.
    fn seen(&self, sequence: Sequence) -> Result<Seen, Refusal> {
        let seen = self.0.receipts.seen(sequence).map_err(|error| match error {
            receipts::Error::Trimmed { sequence, first } => Refusal::Trimmed { sequence, first },
            error => self.unreadable(&error),
        })?;
        let lost = || Refusal::Unreadable { reason: format!("entry {sequence} is not in the log") };
        seen.ok_or_else(lost)
    }

    /// Why something on disk could not be read: mostly because the log is closed.
    fn unreadable(&self, error: &dyn std::error::Error) -> Refusal {
        let closed = self.0.inbox().check_phase().err();
        closed.unwrap_or_else(|| Refusal::Unreadable { reason: chain_of(error) })
    }
}
