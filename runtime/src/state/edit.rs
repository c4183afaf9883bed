//! Making blocks from blocks: with rows put and deleted, cut in pieces, joined.
//!
//! It decides where a block is cut; which blocks meet is decided in `write.rs`.

use std::ops::Range;

use super::block::{BLOCK_BYTES_MAX, BLOCK_BYTES_TARGET, Block, Place};
use super::bound::Bound;
use super::row::{pack_row, packed_bytes};
use crate::value::{Key, Sequence, Value};

/// A key that is put or deleted.
pub(super) type Change = (Key, Option<Value>);

/// How full the pieces of a block are made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fill {
    /// All alike, with room to grow: for writes anywhere.
    Even,
    /// Up to the target: for a block that grew at its end, where more will
    /// likely follow and nothing will come in between.
    Full,
}

/// One change and where it meets the block.
struct Edit<'a> {
    change: &'a Change,
    /// The row it replaces or removes, or before which it is put.
    index: usize,
    /// Whether the block has the key.
    found: bool,
}

/// A block under construction.
struct Draft {
    rows: Vec<u8>,
    places: Vec<Place>,
    deleted: Sequence,
}

impl Block {
    /// This block with changes, in key order and each within its bounds, made at
    /// a sequence. It may be too large or too small.
    pub(super) fn edited(&self, sequence: Sequence, changes: &[Change]) -> Self {
        let edits: Vec<_> = changes.iter().filter_map(|change| self.edit(change)).collect();
        let mut draft = Draft::for_edits(self, &edits);
        let mut kept = 0;
        for edit in &edits {
            draft.copy(self, kept..edit.index);
            match &edit.change.1 {
                Some(value) => draft.put(&edit.change.0, value, sequence),
                None => draft.deleted = draft.deleted.max(sequence),
            }
            kept = edit.index + usize::from(edit.found);
        }
        draft.copy(self, kept..self.len());
        draft.finish()
    }

    /// This block and the one after it as one.
    pub(super) fn joined(&self, next: &Self) -> Self {
        let mut draft = Draft {
            rows: Vec::with_capacity(self.bytes() + next.bytes()),
            places: Vec::with_capacity(self.len() + next.len()),
            deleted: self.deleted.max(next.deleted),
        };
        draft.copy(self, 0..self.len());
        draft.copy(next, 0..next.len());
        draft.finish()
    }

    /// The block, now at `bound`, cut in pieces, each within the largest size or
    /// a single row.
    pub(super) fn pieces(&self, bound: Bound, fill: Fill) -> Vec<(Bound, Self)> {
        let share = match fill {
            Fill::Full => BLOCK_BYTES_TARGET,
            Fill::Even => self.bytes().div_ceil(self.bytes().div_ceil(BLOCK_BYTES_TARGET)),
        };
        let mut pieces = Vec::new();
        let (mut bound, mut start) = (bound, 0);
        for end in 1..=self.len() {
            let bytes = self.offset(end) - self.offset(start);
            let with_next = self.offset(end + 1) - self.offset(start);
            if end == self.len() || bytes >= share || with_next > BLOCK_BYTES_MAX {
                let next = Bound::between(self.key(end - 1), self.key(end));
                pieces.push((std::mem::replace(&mut bound, next), self.piece(start..end)));
                start = end;
            }
        }
        pieces
    }

    fn piece(&self, rows: Range<usize>) -> Self {
        let mut draft = Draft {
            rows: Vec::with_capacity(self.packed(&rows).len()),
            places: Vec::with_capacity(rows.len()),
            deleted: self.deleted,
        };
        draft.copy(self, rows);
        draft.finish()
    }

    /// How a change meets this block; not at all if it deletes an absent key.
    fn edit<'a>(&self, change: &'a Change) -> Option<Edit<'a>> {
        match self.search(change.0.as_str().as_bytes()) {
            Ok(index) => Some(Edit { change, index, found: true }),
            Err(index) if change.1.is_some() => Some(Edit { change, index, found: false }),
            Err(_) => None,
        }
    }
}

impl Draft {
    /// A draft with exactly the room that the result needs: blocks live long,
    /// and spare capacity would live as long.
    fn for_edits(block: &Block, edits: &[Edit<'_>]) -> Self {
        let (mut bytes, mut rows) = (block.bytes(), block.len());
        for edit in edits {
            if edit.found {
                bytes -= block.packed(&(edit.index..edit.index + 1)).len();
                rows -= 1;
            }
            if let (key, Some(value)) = edit.change {
                bytes += packed_bytes(key.as_str(), value.into());
                rows += 1;
            }
        }
        Self {
            rows: Vec::with_capacity(bytes),
            places: Vec::with_capacity(rows),
            deleted: block.deleted,
        }
    }

    fn put(&mut self, key: &Key, value: &Value, changed: Sequence) {
        self.places.push(Place::new(self.rows.len(), changed));
        pack_row(key.as_str(), value.into(), &mut self.rows);
    }

    fn copy(&mut self, block: &Block, rows: Range<usize>) {
        let (from, to) = (block.offset(rows.start), self.rows.len());
        self.rows.extend_from_slice(block.packed(&rows));
        self.places.extend(
            block
                .places(&rows)
                .iter()
                .map(|place| Place::new(place.offset as usize - from + to, place.changed)),
        );
    }

    fn finish(self) -> Block {
        Block::new(self.rows, self.places, self.deleted)
    }
}
