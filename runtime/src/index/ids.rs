//! Runs of ids: rows, and how one is found.

use uuid::Uuid;

use super::layout::{Fields, Kind};
use super::run::Run;
use super::{Error, Row};
use crate::value::Sequence;

pub(super) const HOUR_MS: u64 = 60 * 60 * 1000;
/// Hour and id.
pub(super) const KEY_BYTES: usize = 4 + 16;
/// Hour, id and sequence.
pub(super) const ROW_BYTES: usize = KEY_BYTES + 8;

/// The hour comes first, so that ids of one time are on neighbouring pages whatever
/// their version: in versions 1 and 6 the time does not lead.
fn key(id: Uuid, time_ms: u64) -> [u8; KEY_BYTES] {
    let mut key = [0; KEY_BYTES];
    // The times of all versions end far below 2^32 hours.
    let hour = u32::try_from(time_ms / HOUR_MS).unwrap_or(u32::MAX);
    let parts = hour.to_be_bytes().into_iter().chain(*id.as_bytes());
    key.iter_mut().zip(parts).for_each(|(byte, part)| *byte = part);
    key
}

pub(super) fn row(of: &Row) -> [u8; ROW_BYTES] {
    let mut row = [0; ROW_BYTES];
    let parts = key(of.id, of.time_ms).into_iter().chain(of.sequence.0.to_be_bytes());
    row.iter_mut().zip(parts).for_each(|(byte, part)| *byte = part);
    row
}

/// The end of the hour of a row: its id has an earlier time.
pub(super) fn hour_end_ms(row: &[u8]) -> u64 {
    let hour = u64::from(u32::from_be_bytes(Fields(row).take()));
    hour.saturating_add(1).saturating_mul(HOUR_MS)
}

pub(super) fn sequence_of(row: &[u8]) -> Sequence {
    Sequence(u64::from_be_bytes(Fields(row.get(KEY_BYTES..).unwrap_or_default()).take()))
}

/// Whether a run may have an id of this time, by what is in memory of it.
pub(super) fn may_have(run: &Run, time_ms: u64) -> bool {
    let header = run.header();
    (header.min_ms..=header.max_ms).contains(&time_ms)
}

pub(super) fn find(run: &Run, id: Uuid, time_ms: u64) -> Result<Option<Sequence>, Error> {
    if !may_have(run, time_ms) {
        return Ok(None);
    }
    let wanted = key(id, time_ms);
    let mut page = 0;
    for level in (0..run.levels().len()).rev() {
        // The last item that does not come after what is wanted: a page whose first
        // row it is or comes before, or the row itself.
        let items = run.page(level, page)?;
        let bytes = Kind::Ids.item_bytes(level);
        let (mut low, mut high) = (0, items.len() / bytes);
        while low < high {
            let middle = low.midpoint(high);
            let item = items.get(middle * bytes..).and_then(|item| item.get(..KEY_BYTES));
            match item.is_some_and(|item| item <= wanted.as_slice()) {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        let Some(at) = low.checked_sub(1) else { return Ok(None) };
        if level > 0 {
            page = page * Kind::Ids.per_page(level) + at as u64;
            continue;
        }
        let found = items.get(at * bytes..(at + 1) * bytes);
        let found = found.filter(|row| row.starts_with(&wanted));
        return Ok(found.map(sequence_of));
    }
    Ok(None)
}
