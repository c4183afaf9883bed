//! Who is to be told of which change.
//!
//! One lock holds it all: whoever publishes a state takes it for a look-up for each row
//! that was written and one for each range that is watched in its table; whoever
//! watches, for as long as adding what he read takes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::{Reads, is_any_in};
use crate::state::Range;
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
struct Mark {
    /// The state that was read: what is in it is no news.
    since: Sequence,
    is_touched: AtomicBool,
    told: Notify,
}

/// In the order of their numbers, so that one is found among ten thousand that read
/// the same.
type Marks = Vec<(u64, Arc<Mark>)>;

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
    ranges: HashMap<Range, Marks>,
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
        inner.add(number, &mark, &reads);
        if inner.is_over {
            mark.touch();
        }
        Watch { watchers: Arc::clone(self), number, reads, mark }
    }

    /// Tells those who read what an entry changed, before it did.
    pub fn touched(&self, entry: Sequence, changes: &ChangeSet) {
        let inner = self.inner();
        let touch = |marks: &Marks| touch(marks, entry);
        touch(&inner.every_entry);
        for table in &changes.tables {
            if let Lifecycle::Moved { from } = &table.lifecycle
                && let Some(watched) = inner.tables.get(from)
            {
                touch(&watched.all);
            }
            if let Some(watched) = inner.tables.get(&table.table) {
                watched.touched(table, touch);
            }
        }
    }

    /// Tells everybody who read the state before an entry, whatever they read.
    pub fn touch_all(&self, entry: Sequence) {
        touch(&self.inner().all, entry);
    }

    /// Tells everybody, now and from now on: the server ends.
    pub fn let_go(&self) {
        let mut inner = self.inner();
        inner.is_over = true;
        inner.all.iter().for_each(|(_, mark)| mark.touch());
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

impl Inner {
    fn add(&mut self, number: u64, mark: &Arc<Mark>, reads: &Reads) {
        let own = || (number, Arc::clone(mark));
        self.all.push(own());
        if reads.every_entry {
            self.every_entry.push(own());
        }
        for (table, reads) in &reads.tables {
            let watched = self.tables.entry(table.clone()).or_default();
            watched.all.push(own());
            if reads.is_whole {
                watched.whole.push(own());
            }
            for key in &reads.keys {
                watched.keys.entry(Arc::clone(key)).or_default().push(own());
            }
            for range in &reads.ranges {
                let marks = watched.ranges.entry(range.clone()).or_default();
                // Two ranges of one query may have grown into the same.
                if marks.last().is_none_or(|(last, _)| *last != number) {
                    marks.push(own());
                }
            }
        }
    }

    fn remove(&mut self, number: u64, reads: &Reads) {
        remove(&mut self.all, number);
        remove(&mut self.every_entry, number);
        for (table, reads) in &reads.tables {
            let Some(watched) = self.tables.get_mut(table) else { continue };
            remove(&mut watched.all, number);
            remove(&mut watched.whole, number);
            for key in &reads.keys {
                if watched.keys.get_mut(key).is_some_and(|marks| remove(marks, number)) {
                    watched.keys.remove(key);
                }
            }
            for range in &reads.ranges {
                if watched.ranges.get_mut(range).is_some_and(|marks| remove(marks, number)) {
                    watched.ranges.remove(range);
                }
            }
            if watched.all.is_empty() {
                self.tables.remove(table);
            }
        }
    }
}

impl Watched {
    fn touched(&self, changes: &TableChanges, touch: impl Fn(&Marks)) {
        let rows = &changes.rows;
        if changes.lifecycle != Lifecycle::Kept {
            return touch(&self.all);
        }
        if rows.is_empty() {
            return;
        }
        touch(&self.whole);
        if !self.keys.is_empty() {
            let marks = rows.iter().filter_map(|(key, _)| self.keys.get(key.as_str()));
            marks.for_each(&touch);
        }
        for (range, marks) in &self.ranges {
            if is_any_in(rows, range) {
                touch(marks);
            }
        }
    }
}

fn touch(marks: &Marks, entry: Sequence) {
    let before = marks.iter().filter(|(_, mark)| mark.since < entry);
    before.for_each(|(_, mark)| mark.touch());
}

/// Takes one out; whether none is left.
fn remove(marks: &mut Marks, number: u64) -> bool {
    if let Ok(at) = marks.binary_search_by_key(&number, |(number, _)| *number) {
        marks.remove(at);
    }
    marks.is_empty()
}
