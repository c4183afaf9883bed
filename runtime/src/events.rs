//! The events of an app, wherever they are kept: what is in the log is read from there,
//! what was trimmed from the archive, and the newest are in memory. They are read by
//! position, so nobody who follows them can miss one, however slow.
//!
//! What an event's type begins with, its subject and its correlation are indexed: in
//! memory for the newest, on [disk](crate::index::postings) for the others. So a page
//! of some of them costs what is on it, and not what is between.
//!
//! This module knows nothing of who reads.

mod by_id;
mod candidates;
mod consumer;
mod fill;
mod filter;
mod reading;
mod recent;
mod rounds;
mod stored;
mod webhook;

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::sync::watch;

pub use self::consumer::Consumer;
pub use self::fill::{FillError, fill, postings_of};
pub use self::filter::Filter;
pub use self::recent::Recent;
pub use self::stored::{depth_of, stored};
pub use self::webhook::Webhook;

use self::candidates::Candidates;
use self::filter::correlation_term;
use self::reading::Reading;
use self::rounds::Rounds;
use crate::archive::{self, Archive};
use crate::index::{self, postings::Postings};
use crate::receipts::{self, Receipts};
use crate::record::{Damage, Entry, Outcome};
use crate::snapshot::Snapshots;
use crate::state::Order;
use crate::value::{Position, Sequence, StoredEvent, chain_of};

/// Postings that are written at once: some megabytes.
const SETTLED_AT_ONCE: usize = 1 << 18;
/// Postings that leave memory while the committer waits: some tens of microseconds.
const FORGOTTEN_AT_ONCE: usize = 500;

/// Why events cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The archive cannot be read.
    #[error("cannot read the archive of events")]
    Archive(#[from] archive::Error),
    /// What is indexed cannot be read.
    #[error("cannot look events up")]
    Index(#[from] index::Error),
    /// The entry of an event cannot be read.
    #[error("cannot read the entry of an event")]
    Receipt(#[from] receipts::Error),
    /// A round is not what was written.
    #[error("round {round} of the log is damaged")]
    Damaged {
        /// Which.
        round: u64,
        /// Where.
        source: Damage,
    },
    /// The row of a consumer is not one that is written.
    #[error("consumer `{name}` cannot be read: {reason}; put it anew")]
    Consumer {
        /// Whose.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// What is indexed begins later than what is kept, because the archive is damaged.
    #[error(
        "events before {from} are not indexed, and can be asked for by position only; the \
         server's log says why"
    )]
    NotIndexed {
        /// The first that is.
        from: Position,
    },
    /// The row of a webhook is not one that is written.
    #[error("webhook `{name}` cannot be read: {reason}; put it anew")]
    Webhook {
        /// Whose.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// It is in none of the places where it should be.
    #[error("event {position} is not where it should be; `chancery verify` tells what is missing")]
    Missing {
        /// Which.
        position: Position,
    },
}

/// How much of a page there may be.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Events on it.
    pub events: usize,
    /// Bytes of them, more or less; one event may be more than that.
    pub bytes: usize,
    /// Events that are read to see whether they are wanted.
    pub scanned: usize,
}

impl Limits {
    /// So many events, of 4 MiB at most, out of at most 10,000.
    #[must_use]
    pub fn of(events: usize) -> Self {
        Self { events, bytes: 4 << 20, scanned: 10_000 }
    }
}

/// Some events.
#[derive(Debug, Clone)]
pub struct Page {
    /// They.
    pub events: Vec<Arc<StoredEvent>>,
    /// Where to go on; none if there is nothing more as of `at`.
    pub next: Option<Position>,
    /// The last event there was when it was read.
    pub at: Position,
    /// How many events were read for it.
    pub scanned: usize,
}

/// The events of one app.
#[derive(Debug)]
pub struct Events {
    receipts: Arc<Receipts>,
    snapshots: Arc<Snapshots>,
    archive: Option<Arc<Archive>>,
    postings: Postings,
    /// Held for some look-ups in maps, by the committer too.
    recent: RwLock<Recent>,
    rounds: Rounds,
    last: watch::Sender<Position>,
    is_over: AtomicBool,
}

impl Events {
    /// The events of an app whose state was recovered: `recent` knows all that
    /// `postings` do not.
    #[must_use]
    pub fn new(
        receipts: Arc<Receipts>,
        snapshots: Arc<Snapshots>,
        archive: Option<Arc<Archive>>,
        postings: Postings,
        mut recent: Recent,
    ) -> Self {
        let (last, _) = watch::channel(snapshots.current().state.position());
        while recent.forget_through(postings.covered().1, FORGOTTEN_AT_ONCE) {}
        let (recent, rounds) = (RwLock::new(recent), Rounds::default());
        let is_over = AtomicBool::new(false);
        Self { receipts, snapshots, archive, postings, recent, rounds, last, is_over }
    }

    /// Notes what a durable and published round holds, and wakes who follows. Receipts
    /// have to know it by then.
    pub fn publish<'a>(
        &self,
        entries: impl IntoIterator<Item = &'a Entry>,
        finished: impl IntoIterator<Item = (&'a Entry, &'a Outcome)>,
    ) {
        let mut last = None;
        {
            let mut recent = self.recent_mut();
            for entry in entries {
                recent.entry(entry);
            }
            for (entry, outcome) in finished {
                recent.outcome(outcome);
                recent.keep_newest(entry, outcome);
                last = outcome.events.last().map(|event| event.position).or(last);
            }
        }
        if let Some(last) = last {
            self.reached(last);
        }
    }

    /// Puts what a log that was opened again says of its later entries behind what was
    /// known.
    pub fn go_on(&self, later: Recent) {
        self.recent_mut().go_on(later);
        self.reached(self.snapshots.current().state.position());
    }

    fn reached(&self, position: Position) {
        self.last.send_if_modified(|last| {
            let is_later = position > *last;
            *last = position.max(*last);
            is_later
        });
    }

    /// The last event that is durable and published; 0 if there is none.
    #[must_use]
    pub fn last(&self) -> Position {
        *self.last.borrow()
    }

    /// The first event that is kept; the one after the last if there is none.
    #[must_use]
    pub fn first(&self) -> Position {
        self.archive.as_ref().map_or(Position(1), |archive| archive.first())
    }

    /// Waits until there is an event after this one, or followers are
    /// [let go](Events::let_go).
    pub async fn wait_beyond(&self, position: Position) {
        let mut last = self.last.subscribe();
        let is_over = |last: &Position| *last > position || self.is_over();
        // The sender lives in `self`: the channel cannot be closed meanwhile.
        let waited = last.wait_for(is_over).await;
        debug_assert!(waited.is_ok());
    }

    /// Wakes all who follow, because the server ends.
    pub fn let_go(&self) {
        self.is_over.store(true, Ordering::Release);
        self.last.send_modify(|_| ());
    }

    /// Whether nobody should follow any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    /// As [`Events::page`], upwards, if all of it is in memory: reads from no disk. So
    /// those who follow share what is new.
    #[must_use]
    pub fn newest(&self, from: Position, filter: &Filter, limits: Limits) -> Option<Page> {
        let (at, snapshot) = (self.last(), self.snapshots.current());
        let mut page = Page { events: Vec::new(), next: None, at, scanned: 0 };
        let mut bytes = 0;
        let recent = self.recent();
        for position in (from.0..=at.0).map(Position) {
            if page.events.len() >= limits.events || bytes >= limits.bytes {
                page.next = Some(position);
                break;
            }
            let event = reading::shown(&snapshot.state, recent.newest(position)?);
            page.scanned += 1;
            if filter.matches(&event) {
                bytes += recent::bytes_of(&event);
                page.events.push(event);
            }
        }
        Some(page)
    }

    /// An event; none if there is none with this position, or it is not kept any more.
    /// Reads from the disk, unless it is one of the newest.
    ///
    /// # Errors
    /// [`Error`].
    pub fn event(&self, position: Position) -> Result<Option<Arc<StoredEvent>>, Error> {
        match position >= self.first() && position <= self.last() && position.0 > 0 {
            true => Reading::new(self).event(position).map(Some),
            false => Ok(None),
        }
    }

    /// Events from this one on, or back, that are wanted. What is before the
    /// [first](Events::first) is not there. Reads from the disk.
    ///
    /// # Errors
    /// [`Error`].
    pub fn page(
        &self,
        from: Position,
        order: Order,
        filter: &Filter,
        limits: Limits,
    ) -> Result<Page, Error> {
        let range = match order {
            Order::Ascending => from..=Position(u64::MAX),
            Order::Descending => Position(0)..=from,
        };
        self.page_of(range, order, filter, limits)
    }

    /// The same, of the events from one to another, in this order.
    ///
    /// # Errors
    /// [`Error`].
    pub fn page_of(
        &self,
        range: RangeInclusive<Position>,
        order: Order,
        filter: &Filter,
        limits: Limits,
    ) -> Result<Page, Error> {
        // Asked once: a page without a `next` says that all up to here was looked at.
        let at = self.last();
        let mut page = Page { events: Vec::new(), next: None, at, scanned: 0 };
        let (mut reading, mut bytes) = (Reading::new(self), 0);
        let range = *range.start()..=at.min(*range.end());
        let mut candidates = Candidates::new(self, range, order, filter.terms())?;
        while let Some(position) = candidates.next()? {
            let is_full = page.events.len() >= limits.events
                || bytes >= limits.bytes
                || page.scanned >= limits.scanned;
            if is_full {
                page.next = Some(position);
                break;
            }
            page.scanned += 1;
            let event = reading.event(position)?;
            if filter.matches(&event) {
                bytes += recent::bytes_of(&event);
                page.events.push(event);
            }
        }
        Ok(page)
    }

    /// The first event at or after a time, in milliseconds since 1970; the one after the
    /// last if there is none. Reads from the disk.
    ///
    /// # Errors
    /// [`Error`].
    pub fn position_at(&self, time_ms: u64) -> Result<Position, Error> {
        let mut reading = Reading::new(self);
        let (mut low, mut high) = (self.first(), Position(self.last().0 + 1));
        while low < high {
            let middle = Position(low.0.midpoint(high.0));
            // Times do not fall.
            match reading.event(middle)?.time_ms < time_ms {
                true => low = Position(middle.0 + 1),
                false => high = middle,
            }
        }
        Ok(low)
    }

    /// Commands that have a correlation in common and another id, in order, at most so
    /// many. Some may have another correlation.
    ///
    /// # Errors
    /// [`Error::Index`].
    pub fn correlated(&self, id: &str, at_most: usize) -> Result<Vec<Sequence>, Error> {
        let term = correlation_term(id);
        // Memory first: what leaves it is on disk by then.
        let (newer, pending) = {
            let recent = self.recent();
            (recent.numbers(term, 0, Order::Ascending, at_most), recent.pending(term))
        };
        let mut found = self.postings.numbers(term, 0, Order::Ascending, at_most)?;
        found.extend(newer);
        found.extend(pending.iter().map(|sequence| sequence.0));
        found.sort_unstable();
        found.dedup();
        found.truncate(at_most);
        Ok(found.into_iter().map(Sequence).collect())
    }

    /// The events of an entry whose receipt is not kept any more, as the archive has
    /// them.
    ///
    /// # Errors
    /// [`Error::Archive`].
    pub fn of_entry(&self, sequence: Sequence) -> Result<Vec<Arc<StoredEvent>>, Error> {
        let Some(archive) = &self.archive else { return Ok(Vec::new()) };
        let before = Sequence(sequence.0.saturating_sub(1));
        let (mut reading, mut found) = (Reading::new(self), Vec::new());
        let (mut position, last) = (fill::after(archive, before)?, archive.last()?);
        while position <= last {
            let event = reading.event(position)?;
            if event.sequence != sequence {
                break;
            }
            found.push(event);
            position = Position(position.0 + 1);
        }
        Ok(found)
    }

    /// Moves what is in memory only to disk, and merges what is there.
    ///
    /// # Errors
    /// [`index::Error`]; what is not on disk stays in memory.
    pub fn settle(&self) -> Result<(), index::Error> {
        loop {
            let (_, after) = self.postings.covered();
            let (last, rows) = self.recent().rows(after, SETTLED_AT_ONCE);
            if last <= after {
                break;
            }
            self.postings.add(after.next(), last, rows)?;
            let (_, covered) = self.postings.covered();
            if covered == after {
                break;
            }
            while self.recent_mut().forget_through(covered, FORGOTTEN_AT_ONCE) {}
        }
        loop {
            match self.postings.merge() {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                // Many small files cost time, and nothing else.
                Err(error @ index::Error::Damaged { .. }) => {
                    tracing::warn!(error = chain_of(&error), "not merged");
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// What is indexed on disk.
    #[must_use]
    pub fn postings(&self) -> &Postings {
        &self.postings
    }

    /// The events of what was trimmed.
    #[must_use]
    pub fn archive(&self) -> Option<&Arc<Archive>> {
        self.archive.as_ref()
    }

    fn recent(&self) -> RwLockReadGuard<'_, Recent> {
        self.recent.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn recent_mut(&self) -> RwLockWriteGuard<'_, Recent> {
        self.recent.write().unwrap_or_else(PoisonError::into_inner)
    }
}
