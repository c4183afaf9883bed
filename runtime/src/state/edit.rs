//! Making blocks from blocks: with rows put and deleted, cut in pieces, joined.
//!
//! It decides where a block is cut; which blocks meet is decided in `write.rs`.

use super::block::{BLOCK_BYTES_MAX, BLOCK_BYTES_TARGET, Block, Place};
use super::row::{pack_row, packed_bytes};
use crate::value::{Key, Sequence, Value};

/// A key that is put or deleted.
pub(super) type Change = (Key, Option<Value>);

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
        let edits: Vec<_> = changes
            .iter()
            .filter_map(|change| self.edit(change))
            .collect();
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

    /// The block cut in pieces, each within the largest size or a single row.
    /// `grew_at_end` says that its last row is new: then more will likely follow
    /// there, and the pieces before it are filled rather than left room.
    pub(super) fn pieces(&self, grew_at_end: bool) -> Vec<Self> {
        let share = if grew_at_end {
            BLOCK_BYTES_TARGET
        } else {
            self.bytes()
                .div_ceil(self.bytes().div_ceil(BLOCK_BYTES_TARGET))
        };
        let mut pieces = Vec::new();
        let mut start = 0;
        for index in 1..=self.len() {
            let bytes = self.offset(index) - self.offset(start);
            let with_next = self.offset(index + 1) - self.offset(start);
            if index == self.len() || bytes >= share || with_next > BLOCK_BYTES_MAX {
                pieces.push(self.piece(start..index));
                start = index;
            }
        }
        pieces
    }

    fn piece(&self, rows: std::ops::Range<usize>) -> Self {
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
            Ok(index) => Some(Edit {
                change,
                index,
                found: true,
            }),
            Err(index) if change.1.is_some() => Some(Edit {
                change,
                index,
                found: false,
            }),
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
        self.places.push(Place {
            offset: offset(self.rows.len()),
            changed,
        });
        pack_row(key.as_str(), value.into(), &mut self.rows);
    }

    fn copy(&mut self, block: &Block, rows: std::ops::Range<usize>) {
        let (from, to) = (offset(block.offset(rows.start)), offset(self.rows.len()));
        self.rows.extend_from_slice(block.packed(&rows));
        let places = block.places.get(rows).unwrap_or_default();
        self.places.extend(places.iter().map(|place| Place {
            offset: place.offset - from + to,
            changed: place.changed,
        }));
    }

    fn finish(self) -> Block {
        let newest = self.places.iter().map(|place| place.changed()).max();
        Block {
            rows: self.rows.into_boxed_slice(),
            places: self.places.into_boxed_slice(),
            deleted: self.deleted,
            newest: newest.unwrap_or_default(),
        }
    }
}

/// A place among the bytes of a block as it is kept. Even the draft of a block
/// stays far below 4 GiB: `write.rs` bounds the rows that meet at once.
fn offset(bytes: usize) -> u32 {
    assert!(
        u32::try_from(bytes).is_ok(),
        "a block of {bytes} bytes cannot be indexed"
    );
    u32::try_from(bytes).unwrap_or_default()
}
