//! Building a table from its chunks, at the pace of a copy: rows are not looked up,
//! and blocks come out full, as if the rows had been put in order.
//!
//! A chunk is not trusted to be one: what would break the invariants of a table is
//! refused, in words for whoever keeps chunks to add where it was.

use std::sync::Arc;

use super::block::{BLOCK_BYTES_MAX, BLOCK_BYTES_TARGET, Block, Place};
use super::bound::Bound;
use super::row::{Row, key_of_first};
use super::table::{Blocks, Table};
use super::write::should_merge;
use crate::value::{KEY_BYTES_MAX, Sequence};

/// A chunk where it lies; see [`Chunk`](super::Chunk).
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChunkRef<'a> {
    pub(crate) lower: &'a str,
    pub(crate) rows: &'a [u8],
    pub(crate) changed: &'a [Sequence],
    pub(crate) deleted: Sequence,
}

/// Looks at the chunks of a table, in order, and says whether they can be one.
#[derive(Debug, Default)]
pub(crate) struct Checker {
    /// Where the chunk before begins; none before the first.
    lower: Option<String>,
    /// The last key so far.
    last: Vec<u8>,
    /// Where the rows of the chunk that was looked at last end among its bytes.
    ends: Vec<usize>,
}

/// A table under construction.
#[derive(Debug, Default)]
pub(crate) struct Loader {
    checker: Checker,
    blocks: Vec<(Bound, Block)>,
    rows: u64,
    bytes: u64,
}

impl Checker {
    /// Looks at the next chunk.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn check(&mut self, chunk: ChunkRef<'_>) -> Result<(), String> {
        let in_order = match &self.lower {
            None => chunk.lower.is_empty(),
            Some(before) => chunk.lower > before.as_str() && chunk.lower.as_bytes() > &*self.last,
        };
        if !in_order {
            return Err("its bounds do not follow those of the chunk before".into());
        }
        self.ends.clear();
        let mut end = 0;
        let mut last = chunk.lower.as_bytes();
        while let Some(row) = Row::first_of(chunk.rows.get(end..).unwrap_or_default()) {
            let key = row.key();
            // Only the first key can be where the chunk begins.
            let follows = key > last || (end == 0 && key == last);
            if !follows || key.is_empty() {
                return Err(format!("key {} is not above the one before", self.ends.len()));
            }
            if key.len() > KEY_BYTES_MAX || std::str::from_utf8(key).is_err() {
                return Err(format!("key {} is no key", self.ends.len()));
            }
            if !row.is_sound() {
                return Err(format!("value {} is not text", self.ends.len()));
            }
            end += row.packed().len();
            self.ends.push(end);
            last = key;
        }
        if end != chunk.rows.len() || self.ends.len() != chunk.changed.len() {
            return Err(format!("it has {} rows and not those it should", self.ends.len()));
        }
        if !self.ends.is_empty() {
            self.last = last.to_vec();
        }
        self.lower = Some(chunk.lower.to_owned());
        Ok(())
    }
}

impl Loader {
    /// Adds the next chunk.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn add(&mut self, chunk: ChunkRef<'_>) -> Result<(), String> {
        self.checker.check(chunk)?;
        self.rows += chunk.changed.len() as u64;
        self.bytes += chunk.rows.len() as u64;
        // What was deleted near the chunk's bounds was deleted within them, so no
        // block of another chunk may reach over them: the first begins there.
        let mut bound = Bound::of(chunk.lower.as_bytes());
        let ends = std::mem::take(&mut self.checker.ends);
        let end_of = |count: usize| count.checked_sub(1).and_then(|index| ends.get(index));
        let (mut first, mut start) = (0, 0);
        for (index, &end) in ends.iter().enumerate() {
            let next = ends.get(index + 1);
            let is_full = end - start >= BLOCK_BYTES_TARGET;
            if next.is_some_and(|next| !is_full && next - start <= BLOCK_BYTES_MAX) {
                continue;
            }
            let begins = |row: usize| end_of(row).copied().unwrap_or(0);
            let places = (first..=index).zip(chunk.changed.iter().skip(first));
            let places = places.map(|(row, changed)| Place::new(begins(row) - start, *changed));
            let rows = chunk.rows.get(start..end).unwrap_or_default();
            self.push(bound, Block::new(rows.to_vec(), places.collect(), chunk.deleted));
            let key = |row: usize| key_of_first(chunk.rows.get(begins(row)..).unwrap_or_default());
            bound = Bound::between(key(index), key(index + 1));
            (first, start) = (index + 1, end);
        }
        if ends.is_empty() {
            self.push(bound, Block::empty(chunk.deleted));
        }
        self.checker.ends = ends;
        Ok(())
    }

    /// The table.
    ///
    /// # Errors
    /// That there was no chunk.
    pub(crate) fn finish(self) -> Result<Table, String> {
        if self.blocks.is_empty() {
            return Err("it has no chunks".into());
        }
        let blocks = self.blocks.into_iter().map(|(bound, block)| (bound, Arc::new(block)));
        let blocks: Blocks = blocks.collect();
        Ok(Table { blocks, rows: self.rows, bytes: self.bytes, since: Sequence(0) })
    }

    /// Adds a block, and joins it with those before that are too small to stay.
    fn push(&mut self, bound: Bound, block: Block) {
        let (mut bound, mut block) = (bound, block);
        while let Some((last_bound, last)) =
            self.blocks.pop_if(|(_, last)| should_merge(last, &block))
        {
            (bound, block) = (last_bound, last.joined(&block));
        }
        self.blocks.push((bound, block));
    }
}
