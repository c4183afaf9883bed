//! What one query read.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::is_any_in;
use crate::state::Range;
use crate::value::{ChangeSet, Lifecycle, Name, TableChanges};

/// Keys and ranges that are remembered of one query, over all its tables. The most
/// that one `get-many` asks for.
pub const READS_MAX: usize = 10_000;
/// How long they may be together, in bytes: thousands of queries are watched for, and
/// most read a few keys.
pub const READS_BYTES_MAX: usize = 256 << 10;
/// The latest ranges of a table that a further one is joined with if it can be: those
/// of as many cursors that advance in turns.
const JOINED_MAX: usize = 8;

/// What a query read: of each table the keys and ranges.
///
/// More may be kept than was read: of a table for which there is no room any more
/// ([`READS_MAX`], [`READS_BYTES_MAX`]) the whole table, and of neighbouring ranges
/// one that covers both. A key counts as changed when it is written, even if with the
/// value it had, and every key of a table when the table comes, goes, or takes the
/// place of another.
#[derive(Debug, Default)]
pub struct Reads {
    pub(super) tables: BTreeMap<Name, TableReads>,
    /// Whether it read what every entry changes.
    pub(super) every_entry: bool,
    taken: Taken,
}

/// What was read of one table; nothing if it was only looked for.
#[derive(Debug, Default)]
pub(super) struct TableReads {
    pub(super) keys: HashSet<Arc<str>>,
    pub(super) ranges: Vec<Range>,
    /// Whether all of it counts as read; then there are no others.
    pub(super) is_whole: bool,
}

#[derive(Debug, Default, Clone, Copy)]
struct Taken {
    reads: usize,
    bytes: usize,
}

impl Reads {
    /// Notes that a table was looked for. One that is not there is watched for too.
    pub fn table(&mut self, table: &str) {
        of(&mut self.tables, table);
    }

    /// Notes that a key was read, or found absent.
    pub fn key(&mut self, table: &str, key: &str) {
        let Some(reads) = of(&mut self.tables, table) else { return };
        if reads.is_whole || reads.keys.contains(key) {
            return;
        }
        match self.taken.take(1, key.len()) {
            true => drop(reads.keys.insert(key.into())),
            false => self.taken.give_back(reads.give_up()),
        }
    }

    /// Notes that it was read what a range holds, or how much.
    pub fn range(&mut self, table: &str, range: Range) {
        if let Some(key) = range.single() {
            return self.key(table, key);
        }
        let Some(reads) = of(&mut self.tables, table) else { return };
        if reads.is_whole || range.is_empty() {
            return;
        }
        let mut latest = reads.ranges.iter_mut().rev().take(JOINED_MAX);
        let joined = latest.find_map(|own| Some((own.joined(&range)?, own)));
        let (range, own) = joined.map_or((range, None), |(joined, own)| (joined, Some(own)));
        let (n, more) = match &own {
            Some(own) => (0, bytes_of(&range).saturating_sub(bytes_of(own))),
            None => (1, bytes_of(&range)),
        };
        // Without bounds it is the whole table.
        if bytes_of(&range) == 0 || !self.taken.take(n, more) {
            return self.taken.give_back(reads.give_up());
        }
        match own {
            Some(own) => *own = range,
            None => reads.ranges.push(range),
        }
    }

    /// Notes that the sequence or the time of the state was read, which are others
    /// after every entry.
    pub fn sequence(&mut self) {
        self.every_entry = true;
    }

    /// Whether what an entry changed was read.
    #[must_use]
    pub fn are_touched_by(&self, changes: &ChangeSet) -> bool {
        self.every_entry || changes.tables.iter().any(|table| self.are_touched_in(table))
    }

    fn are_touched_in(&self, changes: &TableChanges) -> bool {
        let is_taken = match &changes.lifecycle {
            Lifecycle::Moved { from } => self.tables.contains_key(from),
            Lifecycle::Kept | Lifecycle::Created | Lifecycle::Dropped => false,
        };
        let own = self.tables.get(&changes.table);
        is_taken || own.is_some_and(|own| own.are_touched_by(changes))
    }
}

impl TableReads {
    fn are_touched_by(&self, changes: &TableChanges) -> bool {
        let rows = &changes.rows;
        changes.lifecycle != Lifecycle::Kept
            || (self.is_whole && !rows.is_empty())
            || (!self.keys.is_empty()
                && rows.iter().any(|(key, _)| self.keys.contains(key.as_str())))
            || self.ranges.iter().any(|range| is_any_in(rows, range))
    }

    /// Makes all of the table count as read, and says what is not remembered any more.
    fn give_up(&mut self) -> Taken {
        let keys = std::mem::take(&mut self.keys);
        let ranges = std::mem::take(&mut self.ranges);
        self.is_whole = true;
        let bytes = keys.iter().map(|key| key.len()).sum::<usize>()
            + ranges.iter().map(bytes_of).sum::<usize>();
        Taken { reads: keys.len() + ranges.len(), bytes }
    }
}

impl Taken {
    /// Whether there is room for so much more.
    fn take(&mut self, reads: usize, bytes: usize) -> bool {
        let (reads, bytes) = (self.reads + reads, self.bytes + bytes);
        let room = reads <= READS_MAX && bytes <= READS_BYTES_MAX;
        if room {
            *self = Self { reads, bytes };
        }
        room
    }

    /// Joined ranges may have become shorter than they were together.
    fn give_back(&mut self, given: Self) {
        self.reads = self.reads.saturating_sub(given.reads);
        self.bytes = self.bytes.saturating_sub(given.bytes);
    }
}

/// What was read of a table; none if no table can have that name.
fn of<'a>(tables: &'a mut BTreeMap<Name, TableReads>, table: &str) -> Option<&'a mut TableReads> {
    if !tables.contains_key(table) {
        tables.insert(table.parse().ok()?, TableReads::default());
    }
    tables.get_mut(table)
}

/// None for every key.
fn bytes_of(range: &Range) -> usize {
    let bounds = [&range.lower, &range.upper].into_iter().flatten();
    bounds.map(String::len).sum()
}
