//! Who watches which ranges of a table.
//!
//! Most ranges are prefixes, such as the orders of one customer. They are kept by what
//! all their keys begin with, so that a row is compared only with those it may be in.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use super::is_any_in;
use super::watchers::{Marked, Marks};
use crate::state::Range;
use crate::value::{Key, Value};

/// The ranges of one table, each with those who watch it.
#[derive(Debug, Default)]
pub(super) struct Ranges {
    by_beginning: HashMap<Box<str>, HashMap<Range, Marks>>,
    /// How many beginnings there are of each length, in bytes.
    lengths: BTreeMap<usize, usize>,
}

impl Ranges {
    pub(super) fn add(&mut self, range: &Range, mark: Marked) {
        let beginning = range.beginning();
        let ranges = match self.by_beginning.entry(beginning.into()) {
            Entry::Occupied(there) => there.into_mut(),
            Entry::Vacant(new) => {
                *self.lengths.entry(beginning.len()).or_default() += 1;
                new.insert(HashMap::new())
            }
        };
        ranges.entry(range.clone()).or_default().add(mark);
    }

    pub(super) fn remove(&mut self, range: &Range, number: u64) {
        let beginning = range.beginning();
        let Some(ranges) = self.by_beginning.get_mut(beginning) else { return };
        let Some(marks) = ranges.get_mut(range) else { return };
        marks.remove(number);
        if marks.is_empty() {
            ranges.remove(range);
        }
        if !ranges.is_empty() {
            return;
        }
        self.by_beginning.remove(beginning);
        if let Some(count) = self.lengths.get_mut(&beginning.len()) {
            *count -= 1;
            if *count == 0 {
                self.lengths.remove(&beginning.len());
            }
        }
    }

    /// Those who watch a range in which one of these rows is. Somebody may be there
    /// more than once.
    pub(super) fn of<'a>(
        &'a self,
        rows: &'a [(Key, Option<Value>)],
    ) -> impl Iterator<Item = &'a Marks> {
        let beginnings = self.lengths.keys().flat_map(|&length| {
            let mut last = None;
            // Those with the same beginning are neighbours.
            rows.iter().filter_map(move |(key, _)| {
                let beginning = key.as_str().get(..length)?;
                (last.replace(beginning) != Some(beginning)).then_some(beginning)
            })
        });
        let ranges = beginnings.filter_map(|beginning| self.by_beginning.get(beginning)).flatten();
        ranges.filter(|(range, _)| is_any_in(rows, range)).map(|(_, marks)| marks)
    }
}
