//! Runs of places: rows, and how one is found and pages of them are made.

use super::layout::{Fields, Kind};
use super::run::Run;
use super::{Error, Place, Row, Status, damaged};
use crate::value::Sequence;

/// Two rounds and a status.
pub(super) const ROW_BYTES: usize = 8 + 8 + 1;
/// A bit for each status.
pub(super) const MASK_BYTES: usize = 1;

const MASK_ANY: u8 = u8::MAX;

fn code(status: Status) -> u8 {
    match status {
        Status::Accepted => 0,
        Status::Succeeded => 1,
        Status::Rejected => 2,
        Status::Failed => 3,
    }
}

fn mask(status: Status) -> u8 {
    1 << code(status)
}

pub(super) fn row(of: &Row) -> [u8; ROW_BYTES] {
    let mut row = [0; ROW_BYTES];
    let rounds = [of.place.entry_round, of.place.outcome_round];
    let parts = rounds.iter().flat_map(|round| round.to_be_bytes());
    let parts = parts.chain([code(of.place.status)]);
    row.iter_mut().zip(parts).for_each(|(byte, part)| *byte = part);
    row
}

/// None if it is not one that is written.
pub(super) fn decode(row: &[u8]) -> Option<Place> {
    let mut fields = Fields(row);
    let entry_round = u64::from_be_bytes(fields.take());
    let outcome_round = u64::from_be_bytes(fields.take());
    let status = match fields.take() {
        [1] => Status::Succeeded,
        [2] => Status::Rejected,
        [3] => Status::Failed,
        _ => return None,
    };
    Some(Place { entry_round, outcome_round, status })
}

pub(super) fn mask_of_rows(page: &[u8]) -> u8 {
    let codes = page.chunks_exact(ROW_BYTES).filter_map(|row| row.last());
    codes.fold(0, |mask, code| mask | 1u8.checked_shl((*code).into()).unwrap_or(0))
}

pub(super) fn mask_of_masks(page: &[u8]) -> u8 {
    page.iter().fold(0, |mask, more| mask | more)
}

pub(super) fn find(run: &Run, sequence: Sequence) -> Result<Option<Place>, Error> {
    let Some(at) = sequence.0.checked_sub(run.first().0) else { return Ok(None) };
    let per_page = Kind::Places.per_page(0);
    let page = run.page(0, at / per_page)?;
    let row = usize::try_from(at % per_page).ok().and_then(|at| page.chunks(ROW_BYTES).nth(at));
    let Some(row) = row else { return Ok(None) };
    decode(row).map(Some).ok_or_else(|| damaged(run.path(), "a status is unknown"))
}

/// Continues a page with what this run has.
pub(super) fn page(
    run: &Run,
    status: Option<Status>,
    before: Sequence,
    limit: usize,
    page: &mut Vec<Sequence>,
) -> Result<(), Error> {
    let before = before.0.saturating_sub(run.first().0);
    let mask = status.map_or(MASK_ANY, mask);
    let mut walk = Walk { run, before, mask, limit, page };
    walk.descend(run.levels().len() - 1, 0)
}

/// On the way through a run, from its end to its beginning.
struct Walk<'a> {
    run: &'a Run,
    /// Rows from this one on are not wanted.
    before: u64,
    mask: u8,
    limit: usize,
    page: &'a mut Vec<Sequence>,
}

impl Walk<'_> {
    fn descend(&mut self, level: usize, page: u64) -> Result<(), Error> {
        if self.page.len() >= self.limit {
            return Ok(());
        }
        let items = self.run.page(level, page)?;
        let first = page * Kind::Places.per_page(level);
        let items = items.chunks(Kind::Places.item_bytes(level));
        for (at, item) in items.enumerate().rev() {
            if self.page.len() >= self.limit {
                return Ok(());
            }
            let at = first + at as u64;
            let has = match (level, item.last()) {
                (0, Some(code)) => 1u8.checked_shl((*code).into()).unwrap_or(0),
                (_, Some(mask)) => *mask,
                (_, None) => 0,
            };
            if has & self.mask == 0 || at.saturating_mul(self.rows_in(level)) >= self.before {
                continue;
            }
            match level.checked_sub(1) {
                Some(below) => self.descend(below, at)?,
                None => self.page.push(Sequence(self.run.first().0 + at)),
            }
        }
        Ok(())
    }

    /// How many rows there are below one item of a level.
    fn rows_in(&self, level: usize) -> u64 {
        (0..level).map(|level| Kind::Places.per_page(level)).product()
    }
}
