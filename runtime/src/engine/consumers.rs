//! Consumers: programs outside that read events in batches and say how far they have
//! come. What they acknowledged is an entry, so it is as durable as everything else;
//! what they did not is given again: at least once.

use super::{App, Error, Existed, suggest};
use crate::events::{Consumer, Filter, Limits, Page};
use crate::lane::{Expected, Prepared};
use crate::record::{Act, Verdict};
use crate::state::Order;
use crate::value::{ChangeSet, Key, Lifecycle, Name, Position, TableChanges, Value};

/// Consumers of one app, at most: each is a row, and all are listed at once.
pub const CONSUMERS_MAX: usize = 1000;
/// How often it is tried again if somebody else moved the same consumer meanwhile.
const TRIES_MAX: usize = 16;

/// Some events for a consumer.
#[derive(Debug)]
pub struct Batch {
    /// They.
    pub page: Page,
    /// What to acknowledge when all of them were dealt with.
    pub acknowledge: Position,
}

impl App {
    /// The consumers, by name.
    ///
    /// # Errors
    /// [`Error::Events`] if a row cannot be understood.
    pub fn consumers(&self) -> Result<Vec<(String, Consumer)>, Error> {
        Ok(Consumer::all(&self.snapshots().current().state)?)
    }

    /// One consumer.
    ///
    /// # Errors
    /// [`Error::UnknownConsumer`], with the nearest name.
    pub fn consumer(&self, name: &str) -> Result<Consumer, Error> {
        Ok(self.consumer_and_row(name)?.0)
    }

    /// Makes a consumer, or changes the one of that name: its filter, and where it is
    /// if `position` says so. A new one begins before the first event that is kept,
    /// unless `position` says otherwise.
    ///
    /// # Errors
    /// [`Error::EventAhead`], [`Error::EventsGone`], [`Error::TooManyConsumers`], or
    /// what the lane refused.
    pub async fn put_consumer(
        &self,
        name: &Name,
        position: Option<Position>,
        filter: Filter,
    ) -> Result<(Consumer, Existed), Error> {
        if let Some(position) = position {
            self.check_after(position)?;
        }
        let mut existed = Existed::No;
        let changed = self.change(name, |found, app| {
            existed = if found.is_some() { Existed::Yes } else { Existed::No };
            if found.is_none() && app.consumers()?.len() >= CONSUMERS_MAX {
                return Err(Error::TooManyConsumers { max: CONSUMERS_MAX });
            }
            let begin = Position(app.events().first().0.saturating_sub(1));
            let at = position.or(found.map(|found| found.position)).unwrap_or(begin);
            let time_ms = app.clock.wall_ms();
            Ok(Change::To(Consumer { position: at, filter: filter.clone(), time_ms }))
        });
        let changed = changed.await?;
        // It was put a moment ago; somebody may have removed it since.
        Ok((changed.ok_or_else(|| self.unknown_consumer(name.as_str()))?, existed))
    }

    /// Removes a consumer.
    ///
    /// # Errors
    /// [`Error::UnknownConsumer`], or what the lane refused.
    pub async fn remove_consumer(&self, name: &Name) -> Result<(), Error> {
        let changed = self.change(name, |found, app| match found {
            Some(_) => Ok(Change::Remove),
            None => Err(app.unknown_consumer(name.as_str())),
        });
        changed.await.map(drop)
    }

    /// What comes after what a consumer acknowledged. Changes nothing: the same comes
    /// again until it is acknowledged. Reads from the disk.
    ///
    /// # Errors
    /// [`Error::UnknownConsumer`]; [`Error::ConsumerMissed`] if events were not kept for as
    /// long as the consumer was away; [`Error::Events`].
    pub fn fetch(&self, name: &str, limits: Limits) -> Result<Batch, Error> {
        let consumer = self.consumer(name)?;
        let from = Position(consumer.position.0 + 1);
        let page = self.events().page(from, Order::Ascending, &consumer.filter, limits)?;
        // Afterwards: what was dropped meanwhile is not on the page.
        self.check_after(consumer.position).map_err(|error| match error {
            Error::EventsGone { asked: position, first } => {
                Error::ConsumerMissed { name: name.to_owned(), position, first }
            }
            other => other,
        })?;
        let acknowledge = page.next.map_or(page.at, |next| Position(next.0.saturating_sub(1)));
        Ok(Batch { page, acknowledge })
    }

    /// Moves a consumer to a position; durable when `Ok`. One that it has passed
    /// changes nothing.
    ///
    /// # Errors
    /// [`Error::UnknownConsumer`], [`Error::EventAhead`], or what the lane refused.
    pub async fn acknowledge(&self, name: &Name, position: Position) -> Result<Consumer, Error> {
        let last = self.events().last();
        if position > last {
            return Err(Error::EventAhead { asked: position, last });
        }
        let changed = self.change(name, |found, app| match found {
            None => Err(app.unknown_consumer(name.as_str())),
            Some(found) if found.position >= position => Ok(Change::None),
            Some(found) => {
                let time_ms = app.clock.wall_ms();
                Ok(Change::To(Consumer { position, time_ms, ..found }))
            }
        });
        match changed.await? {
            Some(consumer) => Ok(consumer),
            None => self.consumer(name.as_str()),
        }
    }

    /// Changes a consumer's row from what it is; again, if it was another by then.
    async fn change(
        &self,
        name: &Name,
        mut decide: impl FnMut(Option<Consumer>, &Self) -> Result<Change, Error>,
    ) -> Result<Option<Consumer>, Error> {
        let key = Key::new(name.as_str())?;
        for _ in 0..TRIES_MAX {
            let found = Consumer::find(&self.snapshots().current().state, name.as_str())?;
            let (found, row) = found.unzip();
            let from = found.as_ref().map_or(Position(0), |found| found.position);
            let (to, consumer) = match decide(found, self)? {
                Change::None => return Ok(None),
                Change::Remove => (from, None),
                Change::To(consumer) => (consumer.position, Some(consumer)),
            };
            let prepared = prepared(key.clone(), row, consumer.as_ref().map(Consumer::row));
            let act = Act::Advance { worker: format!("consumer/{name}").into(), from, to };
            let receipt = self.enter_with(act, None, Some(prepared)).await?;
            match receipt.outcome.as_ref().map(|outcome| &outcome.verdict) {
                Some(Verdict::Succeeded(_)) => return Ok(consumer),
                // Somebody else was first, or the log was opened again.
                Some(Verdict::Rejected(_)) => {}
                _ => return Err(Error::Host("a consumer's entry failed".to_owned())),
            }
        }
        Err(Error::Busy { what: "changes of one consumer" })
    }

    fn consumer_and_row(&self, name: &str) -> Result<(Consumer, Value), Error> {
        let found = Consumer::find(&self.snapshots().current().state, name)?;
        found.ok_or_else(|| self.unknown_consumer(name))
    }

    fn unknown_consumer(&self, name: &str) -> Error {
        let names = self.consumers().unwrap_or_default();
        let suggestion = suggest(name, names.iter().map(|(name, _)| name.as_str()));
        Error::UnknownConsumer { app: self.name().clone(), name: name.to_owned(), suggestion }
    }
}

enum Change {
    None,
    Remove,
    To(Consumer),
}

fn prepared(key: Key, before: Option<Value>, after: Option<Value>) -> Prepared {
    let table = Consumer::table();
    let expected = vec![Expected { table: table.clone(), key: key.clone(), value: before }];
    let (lifecycle, rows) = (Lifecycle::Created, vec![(key, after)]);
    let changes = ChangeSet { tables: vec![TableChanges { table, lifecycle, rows }] };
    Prepared { expected, changes }
}
