//! An event by its id, which tells nothing of where it is.

use std::sync::Arc;

use uuid::Uuid;

use super::filter::id_term;
use super::{Error, Events};
use crate::state::Order;
use crate::value::{Position, StoredEvent};

/// Events whose ids have one term, at most: two are not to be expected ever.
const SAME_TERM_MAX: usize = 8;

impl Events {
    /// An event by its id; none if there is none, or it is not kept any more. Reads from
    /// the disk, unless it is one of the newest.
    ///
    /// # Errors
    /// [`Error`].
    pub fn with_id(&self, id: Uuid) -> Result<Option<Arc<StoredEvent>>, Error> {
        let term = id_term(id);
        // Memory first: what leaves it is on disk by then.
        let newer = self.recent().with_id(term);
        let found = self.postings.numbers(term, 0, Order::Ascending, SAME_TERM_MAX)?;
        for position in found.into_iter().map(Position).chain(newer) {
            if let Some(event) = self.event(position)?
                && event.id == id
            {
                return Ok(Some(event));
            }
        }
        let (first, last, from) = (self.first(), self.last(), self.indexed_from()?);
        match first <= last && first < from {
            true => Err(Error::NotIndexed { from }),
            false => Ok(None),
        }
    }

    /// The first event of which it is known what it has in common with others; one
    /// after all if there is none.
    pub(super) fn indexed_from(&self) -> Result<Position, Error> {
        // Memory first: what leaves it is on disk by then.
        let in_memory = self.recent().first_event();
        let on_disk = self.postings.first_event()?;
        Ok([in_memory, on_disk].into_iter().flatten().min().unwrap_or(Position(u64::MAX)))
    }
}
