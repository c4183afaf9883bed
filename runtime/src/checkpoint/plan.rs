//! What has to be written of a table: which of the chunks that are there still hold
//! what the table has, and which ranges are to be cut anew. No I/O.

use super::format::Info;
use crate::state::{CHUNK_BYTES_MIN, Range, Table};
use crate::value::Sequence;

/// A part of a table, in the order of keys.
#[derive(Debug)]
pub(super) enum Part<'a> {
    /// A chunk that is as it was.
    Kept(&'a Info),
    /// A range to be cut in chunks, and the chunks that it was cut in before.
    Cut { range: Range, replaced: &'a [Info] },
}

/// The parts of a table of which a generation has these chunks, as of a sequence;
/// none if it had no such table.
pub(super) fn parts<'a>(table: &Table, chunks: &'a [Info], since: Sequence) -> Vec<Part<'a>> {
    if chunks.is_empty() {
        return vec![Part::Cut { range: Range::all(), replaced: &[] }];
    }
    let range = |start: usize, end: usize| {
        let lower = chunks.get(start).map(|info| info.lower.clone());
        let upper = chunks.get(end).map(|info| info.lower.clone());
        Range::between(lower, upper)
    };
    let has_changed = |index| table.changed_since(&range(index, index + 1), since);
    let changed: Vec<bool> = (0..chunks.len()).map(has_changed).collect();
    let is_changed = |index: usize| changed.get(index).copied().unwrap_or(false);
    let mut parts = Vec::new();
    let mut next = 0;
    while let Some(info) = chunks.get(next) {
        if !is_changed(next) {
            parts.push(Part::Kept(info));
            next += 1;
            continue;
        }
        let mut start = next;
        loop {
            while is_changed(next) {
                next += 1;
            }
            // What has become too small to be a chunk, perhaps nothing at all, goes
            // together with a neighbour.
            if table.chunk_bytes(&range(start, next)) >= CHUNK_BYTES_MIN {
                break;
            } else if next < chunks.len() {
                next += 1;
            } else if start > 0 && matches!(parts.last(), Some(Part::Kept(_))) {
                parts.pop();
                start -= 1;
            } else {
                break;
            }
        }
        let replaced = chunks.get(start..next).unwrap_or_default();
        parts.push(Part::Cut { range: range(start, next), replaced });
    }
    parts
}
