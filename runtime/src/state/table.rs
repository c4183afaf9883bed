//! A table: reading it. Writing is in `write.rs`.

use std::sync::Arc;

use super::block::Block;
use super::bound::Bound;
use super::range::{Order, Range};
use super::row::{ValueRef, text};
use super::runs::{Rows, Run, Runs, Scan};
use crate::value::Sequence;

/// The blocks of a table, each under its lower bound; the next one's bound is
/// where it ends.
pub(super) type Blocks = im::OrdMap<Bound, Arc<Block>>;

/// An ordered map from key to value, immutable but for its state.
///
/// There is always a block at the empty bound, so every key falls in one block;
/// only in a table without rows is it empty. No block is above its largest size
/// unless it is a single row, and no two neighbours of which one is too small
/// would fit in one.
#[derive(Clone, Debug)]
pub struct Table {
    pub(super) blocks: Blocks,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    /// No row counts as changed, and no key as deleted, before this: when the table
    /// was moved to where it is. Blocks say when rows changed where they were.
    pub(super) since: Sequence,
}

impl Table {
    /// A table created at a sequence. Whatever was in an earlier table of this
    /// name is deleted as of then.
    pub(super) fn empty(created: Sequence) -> Self {
        let blocks = Blocks::unit(Bound::lowest(), Arc::new(Block::empty(created)));
        Self { blocks, rows: 0, bytes: 0, since: Sequence(0) }
    }

    /// The table in another's place as of a sequence, which changes all its rows.
    pub(super) fn moved(self, sequence: Sequence) -> Self {
        Self { since: sequence, ..self }
    }

    /// How many rows it has.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// How many bytes its rows take, keys and eight bytes a row included.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The value of a key, or none.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<ValueRef<'_>> {
        let (_, block) = self.blocks.get_prev(key.as_bytes())?;
        let (row, _) = block.row(block.search(key.as_bytes()).ok()?)?;
        Some(row.value())
    }

    /// Whether it has a key.
    #[must_use]
    pub fn contains(&self, key: &str) -> bool {
        let block = self.blocks.get_prev(key.as_bytes());
        block.is_some_and(|(_, block)| block.search(key.as_bytes()).is_ok())
    }

    /// How many keys the range covers. Walks over blocks and reads no values.
    #[must_use]
    pub fn count(&self, range: &Range) -> u64 {
        if *range == Range::all() {
            return self.rows;
        }
        self.runs(range, Order::Ascending).map(|run| run.rows.len() as u64).sum()
    }

    /// The rows of a range.
    #[must_use]
    pub fn scan(&self, range: &Range, order: Order) -> Scan<'_> {
        Scan(self.packed_rows(range, order))
    }

    /// Appends rows of a range in packed form, as many as fit in `bytes_max`
    /// and at least one if there is one, and returns the key of the last: the
    /// next page covers `range.beyond(key, order)`. None means that the range
    /// covers no rows.
    pub fn pack(
        &self,
        range: &Range,
        order: Order,
        bytes_max: usize,
        out: &mut Vec<u8>,
    ) -> Option<String> {
        let start = out.len();
        let mut last = None;
        for run in self.runs(range, order) {
            let room = bytes_max.saturating_sub(out.len() - start);
            let fitting = run.fitting(order, room, usize::from(last.is_none()));
            let Some(key) = run.pack(&fitting, order, out) else {
                if run.rows.is_empty() {
                    continue;
                }
                break;
            };
            last = Some(key);
            if fitting != run.rows {
                break;
            }
        }
        last.map(|key| text(key).to_owned())
    }

    /// Whether a row of the range was put or deleted after a sequence.
    ///
    /// Never misses a change. It may take one for another: deletions are known
    /// by block, so the deletion of a neighbour counts as a change. A single key
    /// that is there now is answered exactly.
    #[must_use]
    pub fn changed_since(&self, range: &Range, sequence: Sequence) -> bool {
        if let Some(changed) = range.single().and_then(|key| self.changed(key)) {
            return changed > sequence;
        }
        let mut runs = self.runs(range, Order::Ascending);
        self.since > sequence || runs.any(|run| run.block.changed_since(&run.rows, sequence))
    }

    /// The packed rows of a range, for those who copy rather than read them.
    pub(crate) fn packed_rows(&self, range: &Range, order: Order) -> Rows<'_> {
        Rows::new(self.runs(range, order), self.since)
    }

    /// When a key that is there was last put.
    fn changed(&self, key: &str) -> Option<Sequence> {
        let (_, block) = self.blocks.get_prev(key.as_bytes())?;
        let (_, changed) = block.row(block.search(key.as_bytes()).ok()?)?;
        Some(changed.max(self.since))
    }

    pub(super) fn runs(&self, range: &Range, order: Order) -> Runs<'_> {
        Runs::new(&self.blocks, range, order)
    }
}

impl<'a> Run<'a> {
    /// The part of the run, from where the scan enters it, that fits in `room`
    /// bytes, and at least so many rows even if they do not.
    fn fitting(&self, order: Order, room: usize, least: usize) -> std::ops::Range<usize> {
        let (block, std::ops::Range { start, end }) = (self.block, self.rows.clone());
        let bytes = |from, to| block.offset(to) - block.offset(from);
        if bytes(start, end) <= room {
            return start..end;
        }
        let fit = |taken: &usize| match order {
            Order::Ascending => bytes(start, start + taken) <= room,
            Order::Descending => bytes(end - taken, end) <= room,
        };
        // A block has a few dozen rows, and only the last of a page comes here.
        let taken = (1..=end - start).take_while(fit).count().max(least);
        match order {
            Order::Ascending => start..start + taken,
            Order::Descending => end - taken..end,
        }
    }

    /// Appends some of the rows and returns the key of the last one appended.
    fn pack(
        &self,
        rows: &std::ops::Range<usize>,
        order: Order,
        out: &mut Vec<u8>,
    ) -> Option<&'a [u8]> {
        match order {
            Order::Ascending => {
                out.extend_from_slice(self.block.packed(rows));
                rows.clone().last()
            }
            Order::Descending => {
                for index in rows.clone().rev() {
                    out.extend_from_slice(self.block.packed(&(index..index + 1)));
                }
                rows.clone().next()
            }
        }
        .map(|index| self.block.key(index))
    }
}
