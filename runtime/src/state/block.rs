//! A block: an immutable run of packed rows, and reading it.
//!
//! It knows its rows and nothing of the table around it; how blocks are made
//! from others is in `edit.rs`.

use std::fmt;
use std::ops::Range;

use super::row::{Row, key_of_first};
use crate::value::Sequence;

/// How large blocks are made. At 2 KiB a scan spends its time copying rather
/// than walking the map, and a put rewrites little; measured against one map
/// entry a row, scans are ten times quicker and memory is nearly halved.
pub(super) const BLOCK_BYTES_TARGET: usize = 2 * 1024;
/// A block above this is split, unless it is a single row. Half above the
/// target, so that an even split leaves both sides room to grow.
pub(super) const BLOCK_BYTES_MAX: usize = 3 * 1024;
/// A block below this is merged with a neighbour if both fit the target. A
/// quarter of it, so that a key that comes and goes does not split and merge
/// each time.
pub(super) const BLOCK_BYTES_MIN: usize = 512;

/// An immutable run of rows.
#[derive(Clone)]
pub(super) struct Block {
    /// The rows, packed and contiguous, in the order of their keys.
    pub(super) rows: Box<[u8]>,
    /// For each row where it begins and when it changed.
    pub(super) places: Box<[Place]>,
    /// The highest sequence at which a row within the block's bounds was
    /// deleted, or at which the table was created. Never falls: not at splits,
    /// and not at merges, where the higher of two is kept.
    pub(super) deleted: Sequence,
    /// The highest sequence at which one of the rows was put.
    pub(super) newest: Sequence,
}

/// Where a row begins, and when it was last put. Packed: at 20 rows a block,
/// four bytes of padding a row would be 4 % of a table.
#[derive(Clone, Copy)]
#[repr(Rust, packed(4))]
pub(super) struct Place {
    pub(super) offset: u32,
    pub(super) changed: Sequence,
}

impl Block {
    /// A block without rows.
    pub(super) fn empty(deleted: Sequence) -> Self {
        Self {
            rows: [].into(),
            places: [].into(),
            deleted,
            newest: Sequence(0),
        }
    }

    /// How many rows it has.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// How many bytes its rows take.
    pub(super) fn bytes(&self) -> usize {
        self.rows.len()
    }

    /// How many bytes it takes in memory, by estimate.
    pub(super) fn footprint(&self) -> usize {
        size_of::<Self>() + self.rows.len() + size_of_val(&*self.places)
    }

    /// Where a key is, or where it would be.
    pub(super) fn search(&self, key: &[u8]) -> Result<usize, usize> {
        self.places
            .binary_search_by(|place| self.key_at(*place).cmp(key))
    }

    /// How many rows are below a key.
    pub(super) fn rank(&self, key: &[u8]) -> usize {
        self.search(key).unwrap_or_else(|index| index)
    }

    /// A row and when it was last put.
    pub(super) fn row(&self, index: usize) -> Option<(Row<'_>, Sequence)> {
        let place = self.places.get(index)?;
        let row = Row::first_of(self.rows.get(place.offset as usize..)?)?;
        Some((row, place.changed))
    }

    /// The key of a row; empty if there is no such row.
    pub(super) fn key(&self, index: usize) -> &[u8] {
        self.places
            .get(index)
            .map_or(&[], |place| self.key_at(*place))
    }

    /// Where a row begins among the bytes, or where the last one ends.
    pub(super) fn offset(&self, index: usize) -> usize {
        self.places
            .get(index)
            .map_or(self.rows.len(), |place| place.offset as usize)
    }

    /// The bytes of some rows that follow each other.
    pub(super) fn packed(&self, rows: &Range<usize>) -> &[u8] {
        self.rows
            .get(self.offset(rows.start)..self.offset(rows.end))
            .unwrap_or_default()
    }

    /// Whether one of these rows was put, or any row within the block's bounds
    /// deleted, after a sequence.
    pub(super) fn changed_since(&self, rows: &Range<usize>, sequence: Sequence) -> bool {
        if self.deleted > sequence {
            return true;
        }
        let places = self.places.get(rows.clone()).unwrap_or_default();
        self.newest > sequence && places.iter().any(|place| place.changed() > sequence)
    }

    fn key_at(&self, place: Place) -> &[u8] {
        key_of_first(self.rows.get(place.offset as usize..).unwrap_or_default())
    }
}

impl Place {
    pub(super) fn changed(self) -> Sequence {
        self.changed
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Block({} rows, {} bytes)", self.len(), self.bytes())
    }
}
