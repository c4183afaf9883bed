//! Two ordered runs of rows as one: those of the base, and those staged over
//! them, which hide base rows of the same key.

use std::cmp::Ordering;
use std::collections::btree_map;
use std::iter::Peekable;

use super::staged::StagedRows;
use crate::state::{Order, Range, Row, RowRef, Rows, Table, ValueRef, pack_row, packed_bytes};
use crate::value::{Key, Sequence, Value};

/// The rows of a range of a table, with what is staged over it.
#[derive(Debug)]
pub(super) struct Merged<'a> {
    base: Option<Peekable<Rows<'a>>>,
    staged: Option<Peekable<Staged<'a>>>,
    order: Order,
}

/// A row from either side.
#[derive(Clone, Copy, Debug)]
pub(super) enum MergedRow<'a> {
    Base(Row<'a>, Sequence),
    Staged(&'a Key, &'a Value),
}

impl<'a> Merged<'a> {
    pub(super) fn new(
        base: Option<&'a Table>,
        staged: Option<&'a StagedRows>,
        range: &Range,
        order: Order,
    ) -> Self {
        // The standard library panics at a range whose bounds are reversed.
        let staged = staged.filter(|_| !range.is_empty());
        let staged =
            staged.map(|rows| Staged { rows: rows.range::<str, _>(range.bounds()), order });
        Self {
            base: base.map(|base| base.packed_rows(range, order).peekable()),
            staged: staged.map(Iterator::peekable),
            order,
        }
    }

    /// Which side has the next key; equal if both have it.
    fn compare(&mut self) -> Option<Ordering> {
        let base = self.base.as_mut().and_then(Peekable::peek);
        let staged = self.staged.as_mut().and_then(Peekable::peek);
        match (base, staged) {
            (None, None) => None,
            (Some(_), None) => Some(Ordering::Less),
            (None, Some(_)) => Some(Ordering::Greater),
            (Some((row, _)), Some((key, _))) => {
                Some(self.order.compare(row.key(), key.as_str().as_bytes()))
            }
        }
    }

    fn next_base(&mut self) -> Option<(Row<'a>, Sequence)> {
        self.base.as_mut()?.next()
    }
}

impl<'a> Iterator for Merged<'a> {
    type Item = MergedRow<'a>;

    fn next(&mut self) -> Option<MergedRow<'a>> {
        loop {
            let side = self.compare()?;
            if side == Ordering::Less {
                return self.next_base().map(|(row, changed)| MergedRow::Base(row, changed));
            }
            if side == Ordering::Equal {
                self.next_base();
            }
            if let (key, Some(value)) = self.staged.as_mut()?.next()? {
                return Some(MergedRow::Staged(key, value));
            }
        }
    }
}

impl<'a> MergedRow<'a> {
    pub(super) fn to_ref(self, sequence: Sequence) -> RowRef<'a> {
        match self {
            Self::Base(row, changed) => row.to_ref(changed),
            Self::Staged(key, value) => {
                RowRef { key: key.as_str(), value: value.into(), changed: sequence }
            }
        }
    }

    pub(super) fn packed_bytes(&self) -> usize {
        match self {
            Self::Base(row, _) => row.packed().len(),
            Self::Staged(key, value) => packed_bytes(key.as_str(), ValueRef::from(*value)),
        }
    }

    pub(super) fn pack(&self, out: &mut Vec<u8>) {
        match self {
            Self::Base(row, _) => out.extend_from_slice(row.packed()),
            Self::Staged(key, value) => pack_row(key.as_str(), ValueRef::from(*value), out),
        }
    }
}

/// Staged rows of a range, in either direction.
#[derive(Debug)]
struct Staged<'a> {
    rows: btree_map::Range<'a, Key, Option<Value>>,
    order: Order,
}

impl<'a> Iterator for Staged<'a> {
    type Item = (&'a Key, &'a Option<Value>);

    fn next(&mut self) -> Option<Self::Item> {
        match self.order {
            Order::Ascending => self.rows.next(),
            Order::Descending => self.rows.next_back(),
        }
    }
}
