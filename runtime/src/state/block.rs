//! A block: an immutable run of packed rows, and reading it.
//!
//! It knows its rows and nothing of the table around it; how blocks are made
//! from others is in `edit.rs`.

use std::cmp::Ordering;
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
    rows: Box<[u8]>,
    /// For each row where it begins and when it changed.
    places: Box<[Place]>,
    /// How many bytes all its keys begin with alike.
    shared_bytes: usize,
    /// The highest sequence at which a row within the block's bounds was
    /// deleted, or at which the table was created. Never falls: not at splits,
    /// and not at merges, where the higher of two is kept.
    pub(super) deleted: Sequence,
    /// The highest sequence at which one of the rows was put.
    pub(super) newest: Sequence,
}

/// What is known of a row without reading it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// Where it begins among the bytes.
    pub(super) offset: u32,
    /// The first bytes of its key after those that all keys of the block share.
    /// Most comparisons end here: reading a row to see its key is a cache miss,
    /// and a search would have four or five of them.
    hint: u32,
    /// When it was last put.
    pub(super) changed: Sequence,
}

impl Block {
    /// A block of rows and their places, whose hints are set here.
    pub(super) fn new(rows: Vec<u8>, places: Vec<Place>, deleted: Sequence) -> Self {
        let newest = places.iter().map(|place| place.changed).max();
        let mut block = Self {
            rows: rows.into_boxed_slice(),
            places: places.into_boxed_slice(),
            shared_bytes: 0,
            deleted,
            newest: newest.unwrap_or_default(),
        };
        // Keys are in order, so what the first and the last share, all share.
        let last = block.last_key().unwrap_or_default();
        block.shared_bytes = shared_bytes(block.key(0), last);
        for place in &mut block.places {
            place.hint = hint(key_at(&block.rows, *place), block.shared_bytes);
        }
        block
    }

    /// A block without rows.
    pub(super) fn empty(deleted: Sequence) -> Self {
        Self::new(Vec::new(), Vec::new(), deleted)
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
        let shared = self.key(0).get(..self.shared_bytes).unwrap_or_default();
        match key.get(..self.shared_bytes).unwrap_or(key).cmp(shared) {
            Ordering::Less => return Err(0),
            Ordering::Greater => return Err(self.len()),
            Ordering::Equal => {}
        }
        let hint = hint(key, self.shared_bytes);
        self.places.binary_search_by(|place| {
            let by_hint = place.hint.cmp(&hint);
            by_hint.then_with(|| key_at(&self.rows, *place).cmp(key))
        })
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
        self.places.get(index).map_or(&[], |place| key_at(&self.rows, *place))
    }

    /// The key of the last row, if there is one.
    pub(super) fn last_key(&self) -> Option<&[u8]> {
        self.places.last().map(|place| key_at(&self.rows, *place))
    }

    /// Where a row begins among the bytes, or where the last one ends.
    pub(super) fn offset(&self, index: usize) -> usize {
        self.places.get(index).map_or(self.rows.len(), |place| place.offset as usize)
    }

    /// The bytes of some rows that follow each other.
    pub(super) fn packed(&self, rows: &Range<usize>) -> &[u8] {
        self.rows.get(self.offset(rows.start)..self.offset(rows.end)).unwrap_or_default()
    }

    /// The places of some rows that follow each other.
    pub(super) fn places(&self, rows: &Range<usize>) -> &[Place] {
        self.places.get(rows.clone()).unwrap_or_default()
    }

    /// Whether one of these rows was put, or any row within the block's bounds
    /// deleted, after a sequence.
    pub(super) fn changed_since(&self, rows: &Range<usize>, sequence: Sequence) -> bool {
        if self.deleted > sequence {
            return true;
        }
        self.newest > sequence && self.places(rows).iter().any(|place| place.changed > sequence)
    }
}

impl Place {
    /// The place of a row that begins there. Even the draft of a block stays far
    /// below 4 GiB: `write.rs` bounds the rows that meet at once.
    pub(super) fn new(offset: usize, changed: Sequence) -> Self {
        assert!(u32::try_from(offset).is_ok(), "a block of {offset} bytes cannot be indexed");
        Self { offset: u32::try_from(offset).unwrap_or_default(), hint: 0, changed }
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Block({} rows, {} bytes)", self.len(), self.bytes())
    }
}

fn key_at(rows: &[u8], place: Place) -> &[u8] {
    key_of_first(rows.get(place.offset as usize..).unwrap_or_default())
}

/// How many bytes two keys begin with alike.
pub(super) fn shared_bytes(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// The four bytes of a key after the first few, as a number that sorts as they
/// do. Where the key ends early there are zeros, so equal hints decide nothing.
fn hint(key: &[u8], after: usize) -> u32 {
    let rest = key.get(after..).unwrap_or_default();
    if let Some(bytes) = rest.first_chunk::<4>() {
        return u32::from_be_bytes(*bytes);
    }
    let byte = |index| u32::from(rest.get(index).copied().unwrap_or(0));
    byte(0) << 24 | byte(1) << 16 | byte(2) << 8
}
