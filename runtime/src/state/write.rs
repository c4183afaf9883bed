//! A table: writing it. Keeps the invariants of its blocks.
//!
//! Changes come sorted, so those that fall in one block are next to each other
//! and the block is rewritten once for all of them. Nodes of the map and blocks
//! that no clone shares are replaced in place.

use std::ops::Bound::{Excluded, Unbounded};
use std::sync::Arc;

use super::block::{BLOCK_BYTES_MAX, BLOCK_BYTES_MIN, BLOCK_BYTES_TARGET, Block};
use super::bound::Bound;
use super::edit::{Change, Fill};
use super::table::Table;
use crate::value::Sequence;

/// How many changes meet a block at once. Bounds the bytes of an oversized block
/// on its way to being split (256 rows of 1 MiB), and keeps that work in cache.
const CHANGES_AT_ONCE_MAX: usize = 256;

/// What a shared block costs besides itself: the map's nodes above it, which are
/// copied with it. Two nodes of sixteen entries, a rough mean: blocks changed
/// together share nodes, deep maps have more.
const SHARED_PATH_BYTES: usize = 1024;

impl Table {
    /// Applies changes in key order, each key once, and returns the estimated
    /// bytes that clones of the table no longer share with it.
    pub(super) fn apply(&mut self, sequence: Sequence, changes: &[Change]) -> u64 {
        // Out of order, a row would end up in a block that is not its own.
        let in_order = changes.is_sorted_by(|a, b| a.0 < b.0);
        assert!(in_order, "changes are in key order, each key once");
        let mut unshared = 0;
        let mut rest = changes;
        while let Some((key, _)) = rest.first() {
            let Some(bound) = self.bound_of(key.as_str().as_bytes()) else {
                break;
            };
            let ahead = rest.len().min(CHANGES_AT_ONCE_MAX);
            let together = match self.bound_after(&bound) {
                Some(next) if ahead > 1 => rest
                    .iter()
                    .take(ahead)
                    .take_while(|(key, _)| key.as_str().as_bytes() < next)
                    .count(),
                _ => ahead,
            };
            let (run, tail) = rest.split_at(together);
            unshared += self.rewrite(bound, sequence, run);
            rest = tail;
        }
        unshared
    }

    /// Rewrites one block with the changes that fall in it.
    fn rewrite(&mut self, bound: Bound, sequence: Sequence, run: &[Change]) -> u64 {
        let Some(slot) = self.blocks.get_mut(&bound) else {
            return 0;
        };
        let edited = slot.edited(sequence, run);
        self.rows = self.rows + edited.len() as u64 - slot.len() as u64;
        self.bytes = self.bytes + edited.bytes() as u64 - slot.bytes() as u64;
        let shrank = edited.bytes() < slot.bytes();
        if edited.bytes() <= BLOCK_BYTES_MAX || edited.len() == 1 {
            let unshared = replace(slot, edited);
            return unshared + if shrank { self.settle(bound) } else { 0 };
        }
        let last = run.last().map(|(key, _)| key.as_str().as_bytes());
        let fill = if last == edited.last_key() { Fill::Full } else { Fill::Even };
        self.spread(edited.pieces(bound, fill))
    }

    /// Puts the pieces of a block where the block was.
    fn spread(&mut self, pieces: Vec<(Bound, Block)>) -> u64 {
        let bounds: Vec<_> = pieces.iter().map(|(bound, _)| bound.clone()).collect();
        let mut unshared = 0;
        for (bound, piece) in pieces {
            if let Some(slot) = self.blocks.get_mut(&bound) {
                unshared += replace(slot, piece);
            } else {
                self.blocks.insert(bound, Arc::new(piece));
            }
        }
        // A piece before a large row may be small, and so may the last one.
        unshared + bounds.into_iter().map(|bound| self.settle(bound)).sum::<u64>()
    }

    /// Merges the block at a bound with its neighbours while that is called for.
    /// Does nothing if the block has been merged with another already.
    fn settle(&mut self, mut bound: Bound) -> u64 {
        let mut unshared = 0;
        while let Some(block) = self.blocks.get(&bound) {
            let before = (Unbounded, Excluded(bound.as_bytes()));
            let left = self.blocks.range::<_, [u8]>(before).next_back();
            if let Some((left_bound, left)) = left
                && should_merge(left, block)
            {
                let left_bound = left_bound.clone();
                unshared += self.merge(&left_bound, &bound);
                bound = left_bound;
                continue;
            }
            let after = (Excluded(bound.as_bytes()), Unbounded);
            match self.blocks.range::<_, [u8]>(after).next() {
                Some((right_bound, right)) if should_merge(block, right) => {
                    let right_bound = right_bound.clone();
                    unshared += self.merge(&bound, &right_bound);
                }
                _ => break,
            }
        }
        unshared
    }

    /// Moves the rows of the block at `right` into the one before it, at `left`.
    fn merge(&mut self, left: &Bound, right: &Bound) -> u64 {
        let Some(removed) = self.blocks.remove(right) else {
            return 0;
        };
        let Some(slot) = self.blocks.get_mut(left) else {
            return 0;
        };
        let joined = slot.joined(&removed);
        replace(slot, joined) + unshared_bytes(&removed)
    }

    fn bound_of(&self, key: &[u8]) -> Option<Bound> {
        self.blocks.get_prev(key).map(|(bound, _)| bound.clone())
    }

    fn bound_after(&self, bound: &Bound) -> Option<&[u8]> {
        let after = (Excluded(bound.as_bytes()), Unbounded);
        self.blocks.range::<_, [u8]>(after).next().map(|(bound, _)| bound.as_bytes())
    }
}

/// Whether two neighbours should be one block. An empty one always should,
/// however large the other.
pub(super) fn should_merge(left: &Block, right: &Block) -> bool {
    let (less, more) = if left.bytes() < right.bytes() { (left, right) } else { (right, left) };
    less.len() == 0
        || (less.bytes() < BLOCK_BYTES_MIN && less.bytes() + more.bytes() <= BLOCK_BYTES_TARGET)
}

/// Puts a block where another was.
fn replace(slot: &mut Arc<Block>, block: Block) -> u64 {
    if let Some(own) = Arc::get_mut(slot) {
        *own = block;
        return 0;
    }
    let unshared = unshared_bytes(slot);
    *slot = Arc::new(block);
    unshared
}

/// What it costs that a block is given up: nothing, unless a clone still has it.
/// By now the map's nodes above it are no longer shared, so the count is true.
fn unshared_bytes(block: &Arc<Block>) -> u64 {
    let shared = Arc::strong_count(block) > 1;
    if shared { (block.footprint() + SHARED_PATH_BYTES) as u64 } else { 0 }
}
