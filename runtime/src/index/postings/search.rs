//! Finding rows of a run of postings.

use super::super::Error;
use super::super::layout::Kind;
use super::super::run::Run;
use super::{Posting, ROW_BYTES};
use crate::state::Order;

/// A row of a run, and its neighbours.
struct Place<'a> {
    run: &'a Run,
    page: u64,
    rows: Vec<u8>,
    /// The index of the row on its page.
    at: usize,
}

impl<'a> Place<'a> {
    /// The last row that does not come after this one; none if all do.
    fn floor(run: &'a Run, wanted: Posting) -> Result<Option<Self>, Error> {
        let wanted = wanted.bytes();
        let mut page = 0;
        for level in (0..run.levels().len()).rev() {
            let rows = run.page(level, page)?;
            let (mut low, mut high) = (0, rows.len() / ROW_BYTES);
            while low < high {
                let middle = low.midpoint(high);
                let row = rows.get(middle * ROW_BYTES..(middle + 1) * ROW_BYTES);
                match row.is_some_and(|row| row <= wanted.as_slice()) {
                    true => low = middle + 1,
                    false => high = middle,
                }
            }
            let Some(at) = low.checked_sub(1) else { return Ok(None) };
            if level == 0 {
                return Ok(Some(Self { run, page, rows, at }));
            }
            page = page * Kind::Postings.per_page(level) + at as u64;
        }
        Ok(None)
    }

    fn first(run: &'a Run) -> Result<Self, Error> {
        Ok(Self { run, page: 0, rows: run.page(0, 0)?, at: 0 })
    }

    fn row(&self) -> Option<Posting> {
        let row = self.rows.get(self.at * ROW_BYTES..(self.at + 1) * ROW_BYTES);
        row.map(Posting::read)
    }

    /// Goes to the next row; there is none after the last.
    fn forward(&mut self) -> Result<(), Error> {
        self.at += 1;
        if self.at * ROW_BYTES >= self.rows.len() {
            (self.page, self.at) = (self.page + 1, 0);
            self.rows = self.run.page(0, self.page)?;
        }
        Ok(())
    }

    /// Goes to the row before; there is none before the first.
    fn back(&mut self) -> Result<(), Error> {
        match (self.at.checked_sub(1), self.page.checked_sub(1)) {
            (Some(at), _) => self.at = at,
            (None, Some(page)) => {
                (self.page, self.rows) = (page, self.run.page(0, page)?);
                self.at = (self.rows.len() / ROW_BYTES).saturating_sub(1);
            }
            (None, None) => self.rows.clear(),
        }
        Ok(())
    }
}

pub(super) fn floor(run: &Run, wanted: Posting) -> Result<Option<Posting>, Error> {
    Ok(Place::floor(run, wanted)?.and_then(|place| place.row()))
}

pub(super) fn first(run: &Run) -> Result<Option<Posting>, Error> {
    Ok(Place::first(run)?.row())
}

/// Adds numbers with the term of a row, from its number on or back.
pub(super) fn numbers(
    run: &Run,
    from: Posting,
    order: Order,
    at_most: usize,
    found: &mut Vec<u64>,
) -> Result<(), Error> {
    let mut place = match (Place::floor(run, from)?, order) {
        (Some(place), _) => place,
        (None, Order::Ascending) => Place::first(run)?,
        (None, Order::Descending) => return Ok(()),
    };
    if order == Order::Ascending && place.row().is_some_and(|row| row < from) {
        place.forward()?;
    }
    while let Some(Posting(_, number)) = place.row().filter(|row| row.0 == from.0)
        && found.len() < at_most
    {
        found.push(number);
        match order {
            Order::Ascending => place.forward()?,
            Order::Descending => place.back()?,
        }
    }
    Ok(())
}
