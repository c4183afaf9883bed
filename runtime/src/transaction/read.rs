//! Reading a state and reading a transaction, as one thing: what is staged is
//! laid over the table below it.
//!
//! A table over which nothing is staged is read as if there were no
//! transaction, at the same speed.

use super::merge::Merged;
use super::refusal::Refusal;
use super::staged::StagedRows;
use crate::state::{Order, Range, RowRef, State, Table, ValueRef};
use crate::value::Sequence;

/// What handlers can read tables of. They name tables freely, and the server's
/// own are not theirs to see: those are unknown.
pub trait Read {
    /// A table.
    ///
    /// # Errors
    /// [`Refusal::UnknownTable`].
    fn table(&self, table: &str) -> Result<View<'_>, Refusal>;

    /// The value of a key, or none.
    ///
    /// # Errors
    /// [`Refusal::UnknownTable`].
    fn get(&self, table: &str, key: &str) -> Result<Option<ValueRef<'_>>, Refusal> {
        Ok(self.table(table)?.get(key))
    }

    /// The values of many keys, in the order asked.
    ///
    /// # Errors
    /// [`Refusal::UnknownTable`].
    fn get_many(&self, table: &str, keys: &[String]) -> Result<Vec<Option<ValueRef<'_>>>, Refusal> {
        let view = self.table(table)?;
        Ok(keys.iter().map(|key| view.get(key)).collect())
    }

    /// How many keys a range covers.
    ///
    /// # Errors
    /// [`Refusal::UnknownTable`].
    fn count(&self, table: &str, range: &Range) -> Result<u64, Refusal> {
        Ok(self.table(table)?.count(range))
    }
}

impl Read for State {
    fn table(&self, table: &str) -> Result<View<'_>, Refusal> {
        let found = if is_system(table) { None } else { Self::table(self, table) };
        found.map(View::of_table).ok_or_else(|| Refusal::unknown_table(table))
    }
}

/// A table as a handler sees it. Costs nothing to make.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// None if the table was created in this transaction.
    base: Option<&'a Table>,
    /// None if nothing is staged over the table.
    staged: Option<&'a StagedRows>,
    /// When staged rows will have changed.
    sequence: Sequence,
}

impl<'a> View<'a> {
    pub(super) fn of_table(base: &'a Table) -> Self {
        Self { base: Some(base), staged: None, sequence: Sequence(0) }
    }

    pub(super) fn of_staged(
        base: Option<&'a Table>,
        staged: &'a StagedRows,
        sequence: Sequence,
    ) -> Self {
        Self { base, staged: Some(staged), sequence }
    }

    /// The value of a key, or none.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<ValueRef<'a>> {
        match self.staged.and_then(|staged| staged.get(key)) {
            Some(staged) => staged.as_ref().map(ValueRef::from),
            None => self.base?.get(key),
        }
    }

    /// How many keys the range covers.
    #[must_use]
    pub fn count(&self, range: &Range) -> u64 {
        let in_base = self.base.map_or(0, |base| base.count(range));
        let Some(staged) = self.staged.filter(|_| !range.is_empty()) else {
            return in_base;
        };
        let (mut added, mut removed) = (0, 0);
        for (key, value) in staged.range::<str, _>(range.bounds()) {
            match value {
                None => removed += 1,
                Some(_) if self.base.is_none_or(|base| !base.contains(key.as_str())) => added += 1,
                Some(_) => {}
            }
        }
        in_base + added - removed
    }

    /// The rows of a range.
    pub fn scan(&self, range: &Range, order: Order) -> impl Iterator<Item = RowRef<'a>> {
        let sequence = self.sequence;
        self.merged(range, order).map(move |row| row.to_ref(sequence))
    }

    /// Appends rows of a range in packed form, as [`Table::pack`] does.
    pub fn pack(
        &self,
        range: &Range,
        order: Order,
        bytes_max: usize,
        out: &mut Vec<u8>,
    ) -> Option<String> {
        if !self.is_staged_in(range) {
            return self.base?.pack(range, order, bytes_max, out);
        }
        let start = out.len();
        let mut last = None;
        for row in self.merged(range, order) {
            if last.is_some() && out.len() - start + row.packed_bytes() > bytes_max {
                break;
            }
            row.pack(out);
            last = Some(row);
        }
        last.map(|row| row.to_ref(self.sequence).key.to_owned())
    }

    fn merged(&self, range: &Range, order: Order) -> Merged<'a> {
        Merged::new(self.base, self.staged, range, order)
    }

    /// Whether a key of the range is staged. Otherwise the base alone decides.
    fn is_staged_in(&self, range: &Range) -> bool {
        let staged = self.staged.filter(|_| !range.is_empty());
        staged.is_some_and(|staged| staged.range::<str, _>(range.bounds()).next().is_some())
    }
}

/// Whether a name is of the server's own tables, which handlers do not see.
pub(super) fn is_system(table: &str) -> bool {
    table.starts_with('$')
}
