//! Who is to be told of which change.
//!
//! One lock holds it all: whoever publishes a state takes it for a few look-ups for each
//! row that was written; whoever watches, for as long as adding what he read takes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::Reads;
use super::ranges::Ranges;
use crate::value::{ChangeSet, Lifecycle, Name, Sequence, TableChanges};

/// All who watch the state of one app.
#[derive(Debug, Default)]
pub struct Watchers(Mutex<Inner>);

/// Somebody who watches, until it is dropped; told once.
#[derive(Debug)]
pub struct Watch {
    watchers: Arc<Watchers>,
    number: u64,
    reads: Reads,
    mark: Arc<Mark>,
}

#[derive(Debug)]
pub(super) struct Mark {
    /// The state that was read: what is in it is no news.
    since: Sequence,
    is_touched: AtomicBool,
    told: Notify,
}

/// Some who watch, in the order of their numbers, so that one is found among thousands
/// that read the same.
#[derive(Debug, Default)]
pub(super) struct Marks(Vec<Marked>);

/// One of them, and his number.
#[derive(Debug, Clone)]
pub(super) struct Marked(u64, Arc<Mark>);

#[derive(Debug, Default)]
struct Inner {
    last: u64,
    tables: HashMap<Name, Watched>,
    /// Those who are told of every entry.
    every_entry: Marks,
    all: Marks,
    /// Whether nobody should watch any more.
    is_over: bool,
}

/// Who watches what of one table.
#[derive(Debug, Default)]
struct Watched {
    keys: HashMap<Arc<str>, Marks>,
    ranges: Ranges,
    whole: Marks,
    /// All of them, and those who only looked for it.
    all: Marks,
}

impl Watchers {
    /// Watches for changes, after a sequence, of what was read of the state as of it.
    #[must_use]
    pub fn watch(self: &Arc<Self>, since: Sequence, reads: Reads) -> Watch {
        let (is_touched, told) = Default::default();
        let mark = Arc::new(Mark { since, is_touched, told });
        let mut inner = self.inner();
        inner.last += 1;
        let number = inner.last;
        inner.add(&Marked(number, Arc::clone(&mark)), &reads);
        if inner.is_over {
            mark.touch();
        }
        Watch { watchers: Arc::clone(self), number, reads, mark }
    }

    /// Tells those who read what an entry changed, before it did.
    pub fn touched(&self, entry: Sequence, changes: &ChangeSet) {
        let inner = self.inner();
        inner.every_entry.touch(entry);
        for table in &changes.tables {
            if let Lifecycle::Moved { from } = &table.lifecycle
                && let Some(watched) = inner.tables.get(from)
            {
                watched.all.touch(entry);
            }
            if let Some(watched) = inner.tables.get(&table.table) {
                watched.touched(entry, table);
            }
        }
    }

    /// Tells everybody who read the state before an entry, whatever they read.
    pub fn touch_all(&self, entry: Sequence) {
        self.inner().all.touch(entry);
    }

    /// Tells everybody, now and from now on: the server ends.
    pub fn let_go(&self) {
        let mut inner = self.inner();
        inner.is_over = true;
        inner.all.0.iter().for_each(|Marked(_, mark)| mark.touch());
    }

    /// Whether nobody should watch any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.inner().is_over
    }

    /// Whether nothing is kept of anybody.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        let inner = self.inner();
        inner.tables.is_empty() && inner.every_entry.is_empty() && inner.all.is_empty()
    }

    /// No code of others runs under this lock.
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch {
    /// Tells it, whatever was read.
    pub fn touch(&self) {
        self.mark.touch();
    }

    /// Whether it was told.
    #[must_use]
    pub fn is_touched(&self) -> bool {
        self.mark.is_touched.load(Ordering::Acquire)
    }

    /// Waits until it is told. For one at a time.
    pub async fn touched(&self) {
        while !self.is_touched() {
            self.mark.told.notified().await;
        }
    }

    /// What it watches.
    #[must_use]
    pub fn reads(&self) -> &Reads {
        &self.reads
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.watchers.inner().remove(self.number, &self.reads);
    }
}

impl Mark {
    fn touch(&self) {
        if !self.is_touched.swap(true, Ordering::AcqRel) {
            self.told.notify_one();
        }
    }
}

impl Marks {
    /// One that is there already is there once.
    pub(super) fn add(&mut self, mark: Marked) {
        if self.0.last().is_none_or(|last| last.0 != mark.0) {
            self.0.push(mark);
        }
    }

    pub(super) fn remove(&mut self, number: u64) {
        if let Ok(at) = self.0.binary_search_by_key(&number, |mark| mark.0) {
            self.0.remove(at);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Tells those who read the state before an entry.
    fn touch(&self, entry: Sequence) {
        let before = self.0.iter().filter(|Marked(_, mark)| mark.since < entry);
        before.for_each(|Marked(_, mark)| mark.touch());
    }
}

impl Inner {
    /// The number of the mark has to be the greatest so far.
    fn add(&mut self, mark: &Marked, reads: &Reads) {
        self.all.add(mark.clone());
        if reads.every_entry {
            self.every_entry.add(mark.clone());
        }
        for (table, reads) in &reads.tables {
            let watched = self.tables.entry(table.clone()).or_default();
            watched.all.add(mark.clone());
            if reads.is_whole {
                watched.whole.add(mark.clone());
            }
            for key in &reads.keys {
                watched.keys.entry(Arc::clone(key)).or_default().add(mark.clone());
            }
            for range in &reads.ranges {
                watched.ranges.add(range, mark.clone());
            }
        }
    }

    fn remove(&mut self, number: u64, reads: &Reads) {
        self.all.remove(number);
        self.every_entry.remove(number);
        for (table, reads) in &reads.tables {
            let Some(watched) = self.tables.get_mut(table) else { continue };
            watched.all.remove(number);
            watched.whole.remove(number);
            for key in &reads.keys {
                let Some(marks) = watched.keys.get_mut(key) else { continue };
                marks.remove(number);
                if marks.is_empty() {
                    watched.keys.remove(key);
                }
            }
            for range in &reads.ranges {
                watched.ranges.remove(range, number);
            }
            if watched.all.is_empty() {
                self.tables.remove(table);
            }
        }
    }
}

impl Watched {
    fn touched(&self, entry: Sequence, changes: &TableChanges) {
        let rows = &changes.rows;
        if changes.lifecycle != Lifecycle::Kept {
            return self.all.touch(entry);
        }
        if rows.is_empty() {
            return;
        }
        self.whole.touch(entry);
        if !self.keys.is_empty() {
            let marks = rows.iter().filter_map(|(key, _)| self.keys.get(key.as_str()));
            marks.for_each(|marks| marks.touch(entry));
        }
        self.ranges.of(rows).for_each(|marks| marks.touch(entry));
    }
}
