//! Walking over a range of a table, block by block and row by row.
//!
//! Everything that reads more than one row is built on [`Runs`]: it settles
//! once, at the two ends, which rows of a block belong to the range.

use std::ops;
use std::sync::Arc;

use im::ordmap::RangedIter;
use im::shared_ptr::DefaultSharedPtr;

use super::block::Block;
use super::bound::Bound;
use super::range::{Order, Range};
use super::row::{Row, RowRef};
use super::table::Blocks;
use crate::value::Sequence;

/// The rows of one block that a range covers. May be empty: the block's bounds
/// meet the range even if none of its rows does, which matters to deletions.
#[derive(Debug)]
pub(super) struct Run<'a> {
    pub(super) block: &'a Block,
    pub(super) rows: ops::Range<usize>,
}

/// The blocks whose bounds meet a range, in order.
pub(super) struct Runs<'a> {
    /// None if the range covers nothing.
    blocks: Option<RangedIter<'a, Bound, Arc<Block>, DefaultSharedPtr>>,
    order: Order,
    /// The block in which the range begins, and how many of its rows precede it.
    first: Option<(&'a Block, usize)>,
    /// The block in which the range ends, and how many of its rows it reaches.
    last: Option<(&'a Block, usize)>,
}

impl<'a> Runs<'a> {
    pub(super) fn new(blocks: &'a Blocks, range: &Range, order: Order) -> Self {
        if range.is_empty() {
            return Self { blocks: None, order, first: None, last: None };
        }
        let lower = range.lower_text().as_bytes();
        let upper = range.upper.as_deref().map(str::as_bytes);
        let first = blocks.get_prev(lower);
        let from = first.map_or(&[][..], |(bound, _)| bound.as_bytes());
        let beyond = upper.map_or(ops::Bound::Unbounded, ops::Bound::Excluded);
        // The block of the upper bound is the range's last unless it begins at
        // that bound, and then none of its rows is below it.
        let last = upper.and_then(|upper| Some((blocks.get_prev(upper)?.1, upper)));
        Self {
            blocks: Some(blocks.range::<_, [u8]>((ops::Bound::Included(from), beyond))),
            order,
            first: first.map(|(_, block)| (&**block, block.rank(lower))),
            last: last.map(|(block, upper)| (&**block, block.rank(upper))),
        }
    }
}

impl<'a> Iterator for Runs<'a> {
    type Item = Run<'a>;

    fn next(&mut self) -> Option<Run<'a>> {
        let blocks = self.blocks.as_mut()?;
        let (_, block) = match self.order {
            Order::Ascending => blocks.next(),
            Order::Descending => blocks.next_back(),
        }?;
        let at = |end: Option<(&Block, usize)>| {
            end.filter(|(end, _)| std::ptr::eq(*end, &**block)).map(|(_, rank)| rank)
        };
        let rows = at(self.first).unwrap_or(0)..at(self.last).unwrap_or(block.len());
        Some(Run { block, rows })
    }
}

/// The packed rows of a range, in order, each with the sequence of its last put.
pub(crate) struct Rows<'a> {
    runs: Runs<'a>,
    run: Option<Run<'a>>,
    /// No row counts as put before this.
    since: Sequence,
}

impl<'a> Rows<'a> {
    pub(super) fn new(runs: Runs<'a>, since: Sequence) -> Self {
        Self { runs, run: None, since }
    }
}

impl<'a> Iterator for Rows<'a> {
    type Item = (Row<'a>, Sequence);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(run) = &mut self.run {
                let index = match self.runs.order {
                    Order::Ascending => run.rows.next(),
                    Order::Descending => run.rows.next_back(),
                };
                if let Some(index) = index {
                    let row = run.block.row(index);
                    return row.map(|(row, changed)| (row, changed.max(self.since)));
                }
            }
            self.run = Some(self.runs.next()?);
        }
    }
}

impl std::fmt::Debug for Rows<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows").field("run", &self.run).finish_non_exhaustive()
    }
}

/// The rows of a range, in order.
#[derive(Debug)]
pub struct Scan<'a>(pub(super) Rows<'a>);

impl<'a> Iterator for Scan<'a> {
    type Item = RowRef<'a>;

    fn next(&mut self) -> Option<RowRef<'a>> {
        self.0.next().map(|(row, changed)| row.to_ref(changed))
    }
}
