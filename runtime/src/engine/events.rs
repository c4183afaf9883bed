//! Reading events: from where to where, and what cannot be read.

use std::sync::Arc;

use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::{App, Error};
use crate::events::{Filter, Limits, Page};
use crate::state::Order;
use crate::value::{Position, StoredEvent};

/// Which events are wanted: those within all of these bounds.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// After this one.
    pub after: Option<Position>,
    /// Before this one.
    pub before: Option<Position>,
    /// At or after this time, in milliseconds since 1970.
    pub from_ms: Option<u64>,
    /// Before this time.
    pub to_ms: Option<u64>,
    /// Of these types, about this subject.
    pub filter: Filter,
    /// The first of them first, or the last.
    pub order: Order,
}

impl App {
    /// A page of events. Reads from the disk, so it may take some time.
    ///
    /// # Errors
    /// [`Error::EventAhead`], [`Error::EventsGone`], [`Error::Events`].
    pub fn events_page(&self, wanted: &Wanted, limits: Limits) -> Result<Page, Error> {
        let events = self.events();
        if let Some(after) = wanted.after {
            self.check_after(after)?;
        }
        let mut first = wanted.after.map_or(Position(1), |after| Position(after.0 + 1));
        let mut end = wanted.before.map_or(u64::MAX, |before| before.0);
        if let Some(from_ms) = wanted.from_ms {
            first = first.max(events.position_at(from_ms)?);
        }
        if let Some(to_ms) = wanted.to_ms {
            end = end.min(events.position_at(to_ms)?.0);
        }
        let range = first..=Position(end.saturating_sub(1));
        let page = events.page_of(range, wanted.order, &wanted.filter, limits)?;
        // Again: what was dropped meanwhile is not on the page.
        wanted.after.map_or(Ok(()), |after| self.check_after(after))?;
        Ok(page)
    }

    /// One event. Reads from the disk.
    ///
    /// # Errors
    /// [`Error::UnknownEvent`], [`Error::Events`].
    pub fn event(&self, asked: Position) -> Result<Arc<StoredEvent>, Error> {
        let events = self.events();
        let (first, last) = (events.first(), events.last());
        events.event(asked)?.ok_or(Error::UnknownEvent { asked, first, last })
    }

    /// The event with an id. Reads from the disk.
    ///
    /// # Errors
    /// [`Error::UnknownEventId`], [`Error::Events`].
    pub fn event_with_id(&self, id: Uuid) -> Result<Arc<StoredEvent>, Error> {
        let events = self.events();
        let (first, last) = (events.first(), events.last());
        events.with_id(id)?.ok_or(Error::UnknownEventId { id, first, last })
    }

    /// Events from this one on that are wanted, without the disk if all of them are in
    /// memory: for those who follow.
    ///
    /// # Errors
    /// [`Error::Events`].
    pub async fn read_on(
        self: &Arc<Self>,
        from: Position,
        filter: &Arc<Filter>,
        limits: Limits,
    ) -> Result<Page, Error> {
        if let Some(page) = self.events().newest(from, filter, limits) {
            return Ok(page);
        }
        let (app, filter) = (Arc::clone(self), Arc::clone(filter));
        let read = move || app.events().page(from, Order::Ascending, &filter, limits);
        let read = spawn_blocking(read).await;
        Ok(read.map_err(|error| Error::Host(error.to_string()))??)
    }

    /// An event, as [`Events::event`] gives it, for those who may not wait for the disk.
    ///
    /// # Errors
    /// [`Error::Events`].
    ///
    /// [`Events::event`]: crate::events::Events::event
    pub async fn read_event(
        self: &Arc<Self>,
        position: Position,
    ) -> Result<Option<Arc<StoredEvent>>, Error> {
        let app = Arc::clone(self);
        let read = spawn_blocking(move || app.events().event(position)).await;
        Ok(read.map_err(|error| Error::Host(error.to_string()))??)
    }

    /// That the events after this one can be read from here.
    ///
    /// # Errors
    /// [`Error::EventAhead`] if it has not been emitted; [`Error::EventsGone`] if some
    /// after it are not kept any more.
    pub fn check_after(&self, after: Position) -> Result<(), Error> {
        let (first, last) = (self.events().first(), self.events().last());
        if after > last {
            return Err(Error::EventAhead { asked: after, last });
        }
        match after.0 + 1 < first.0 {
            true => Err(Error::EventsGone { asked: after, first }),
            false => Ok(()),
        }
    }
}
