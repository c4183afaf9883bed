//! A table in pieces: rows that follow each other, and what is known of when they
//! changed. This file cuts them; `load.rs` puts a table together again; where they
//! are kept meanwhile is not known here.

use std::iter::Peekable;

use super::block::shared_bytes;
use super::range::{Order, Range};
use super::row::text;
use super::runs::Rows;
use super::table::Table;
use crate::value::Sequence;

/// How large chunks are cut, what is kept beside the rows included. A change costs
/// a chunk, and a chunk costs an entry in a list that is written each time: 32 KiB
/// keep that list at a few thousandths of the rows, and a row of 100 bytes costs
/// some 300 times itself. A little less, because redb's pages are powers of two, and
/// what holds a chunk should not be one byte too small.
const CHUNK_BYTES: usize = 32 * 1024 - 256;
/// What is reckoned for when a row changed. It is kept as a distance from the newest
/// in the chunk, in seven bits a byte, so this is enough for 268 million entries.
const CHANGED_BYTES: usize = 4;
/// A chunk below this is better joined with its neighbour. A quarter, so that one
/// that shrinks and grows is not joined and cut each time.
pub(crate) const CHUNK_BYTES_MIN: usize = CHUNK_BYTES / 4;

/// Rows of a table that follow each other.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Chunk {
    /// Where it begins: above every key of the chunk before, and not above any of
    /// its own. The first begins at the empty text. It ends where the next begins.
    pub(crate) lower: String,
    /// The rows, packed and contiguous, in the order of their keys.
    pub(crate) rows: Vec<u8>,
    /// When each of them was last put.
    pub(crate) changed: Vec<Sequence>,
    /// The highest sequence at which a key between its bounds was deleted, or a
    /// higher one: it is known by block, and blocks reach beyond the bounds.
    pub(crate) deleted: Sequence,
}

/// The chunks of a range, in order.
pub(crate) struct Chunks<'a> {
    table: &'a Table,
    rows: Peekable<Rows<'a>>,
    /// Where the next chunk begins; none after the last.
    lower: Option<String>,
    /// Where the last one ends.
    upper: Option<String>,
    /// How many bytes a chunk should have.
    share: usize,
}

impl Table {
    /// The rows of a range in chunks of about the same size. There is always one,
    /// perhaps without rows: what was deleted is told too.
    pub(crate) fn chunks(&self, range: &Range) -> Chunks<'_> {
        let bytes = self.chunk_bytes(range).max(1);
        Chunks {
            table: self,
            rows: self.packed_rows(range, Order::Ascending).peekable(),
            lower: Some(range.lower_text().to_owned()),
            upper: range.upper.clone(),
            share: bytes.div_ceil(bytes.div_ceil(CHUNK_BYTES)),
        }
    }

    /// How many bytes the rows of a range take in chunks, about. Reads no rows.
    pub(crate) fn chunk_bytes(&self, range: &Range) -> usize {
        let runs = self.runs(range, Order::Ascending);
        runs.map(|run| run.block.packed(&run.rows).len() + run.rows.len() * CHANGED_BYTES).sum()
    }

    /// The highest sequence at which a key of the range was deleted, or a higher one.
    fn deleted(&self, range: &Range) -> Sequence {
        let runs = self.runs(range, Order::Ascending);
        runs.map(|run| run.block.deleted).max().unwrap_or_default().max(self.since)
    }
}

impl Iterator for Chunks<'_> {
    type Item = Chunk;

    fn next(&mut self) -> Option<Chunk> {
        let mut chunk = Chunk { lower: self.lower.take()?, ..Chunk::default() };
        let mut last: &[u8] = &[];
        while let Some((row, changed)) = self.rows.peek() {
            let bytes = chunk.rows.len() + chunk.changed.len() * CHANGED_BYTES;
            let with_next = bytes + row.packed().len() + CHANGED_BYTES;
            if !chunk.changed.is_empty() && (bytes >= self.share || with_next > CHUNK_BYTES) {
                self.lower = Some(between(last, row.key()));
                break;
            }
            chunk.rows.extend_from_slice(row.packed());
            chunk.changed.push(*changed);
            last = row.key();
            self.rows.next();
        }
        let upper = self.lower.as_ref().or(self.upper.as_ref()).cloned();
        chunk.deleted = self.table.deleted(&Range::between(Some(chunk.lower.clone()), upper));
        Some(chunk)
    }
}

impl std::fmt::Debug for Chunks<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chunks").field("lower", &self.lower).finish_non_exhaustive()
    }
}

/// The shortest text between two keys, `left` below `right`: as many characters of
/// `right` as tell it from `left`.
fn between(left: &[u8], right: &[u8]) -> String {
    let right = text(right);
    let mut end = (shared_bytes(left, right.as_bytes()) + 1).min(right.len());
    while !right.is_char_boundary(end) {
        end += 1;
    }
    right.get(..end).unwrap_or(right).to_owned()
}
