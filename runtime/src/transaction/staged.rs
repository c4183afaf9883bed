//! The tables of a transaction: what is staged over each, without asking whether
//! it may be.

use std::collections::BTreeMap;

use super::read::View;
use crate::state::{Order, Range, State};
use crate::value::{ChangeSet, Key, Lifecycle, Name, Sequence, TableChanges, Value};

/// New values, or none for a key that is deleted.
pub(super) type StagedRows = BTreeMap<Key, Option<Value>>;

/// Staged changes by table.
#[derive(Default, Debug)]
pub(super) struct StagedTables {
    tables: BTreeMap<Name, StagedTable>,
    rows: usize,
    bytes: usize,
}

#[derive(Debug)]
struct StagedTable {
    lifecycle: Lifecycle,
    /// A deletion is here only if the base has the key, so that a key that comes
    /// and goes within a transaction leaves no trace.
    rows: StagedRows,
}

impl StagedTables {
    pub(super) fn put(&mut self, table: &Name, key: Key, value: Value) {
        self.stage(table, key, Some(value));
    }

    pub(super) fn delete(&mut self, base: &State, table: &Name, key: Key) {
        if base.table(table.as_str()).is_some_and(|table| table.contains(key.as_str())) {
            self.stage(table, key, None);
        } else if let Some(staged) = self.tables.get_mut(table)
            && let Some(value) = staged.rows.remove(&key)
        {
            self.rows -= 1;
            self.bytes -= row_bytes(&key, value.as_ref());
        }
    }

    pub(super) fn create(&mut self, base: &State, table: &Name) {
        let in_base = base.table(table.as_str());
        let lifecycle = match self.tables.get(table) {
            Some(StagedTable { lifecycle: Lifecycle::Dropped, .. }) => Lifecycle::Kept,
            None if in_base.is_none() => Lifecycle::Created,
            _ => return,
        };
        let loses_rows = lifecycle == Lifecycle::Kept;
        self.tables.insert(table.clone(), StagedTable { lifecycle, rows: StagedRows::new() });
        // A table dropped and created anew is, in a change set, one that is kept
        // and loses all its rows.
        if let (true, Some(in_base)) = (loses_rows, in_base) {
            for row in in_base.scan(&Range::all(), Order::Ascending) {
                // Every key that is stored was a key when it was put.
                let Ok(key) = Key::new(row.key) else { continue };
                self.stage(table, key, None);
            }
        }
    }

    pub(super) fn drop(&mut self, base: &State, table: &Name) {
        self.forget(table);
        if base.table(table.as_str()).is_some() {
            let dropped = StagedTable { lifecycle: Lifecycle::Dropped, rows: StagedRows::new() };
            self.tables.insert(table.clone(), dropped);
        }
    }

    pub(super) fn absorb(&mut self, other: Self) {
        for (table, staged) in other.tables {
            let is_new = !self.tables.contains_key(&table);
            assert!(is_new, "table {table} is staged by both transactions");
            self.tables.insert(table, staged);
        }
        self.rows += other.rows;
        self.bytes += other.bytes;
    }

    pub(super) fn into_changes(self) -> ChangeSet {
        let kept = |staged: &StagedTable| staged.lifecycle == Lifecycle::Kept;
        let tables = self.tables.into_iter();
        let touched = tables.filter(|(_, staged)| !kept(staged) || !staged.rows.is_empty());
        let tables = touched.map(|(table, staged)| TableChanges {
            table,
            lifecycle: staged.lifecycle,
            rows: staged.rows.into_iter().collect(),
        });
        ChangeSet { tables: tables.collect() }
    }

    /// A table as the transaction sees it; none if it is not there.
    pub(super) fn view<'a>(
        &'a self,
        base: &'a State,
        table: &str,
        sequence: Sequence,
    ) -> Option<View<'a>> {
        let in_base = base.table(table);
        match self.tables.get(table) {
            None => in_base.map(View::of_table),
            Some(StagedTable { lifecycle: Lifecycle::Dropped, .. }) => None,
            Some(staged) => Some(View::of_staged(in_base, &staged.rows, sequence)),
        }
    }

    /// How many bytes a staged row counts for; none if it is not staged.
    pub(super) fn row_bytes(&self, table: &Name, key: &Key) -> Option<usize> {
        let staged = self.tables.get(table)?.rows.get(key)?;
        Some(row_bytes(key, staged.as_ref()))
    }

    /// How many rows are staged.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// How many bytes of keys and values are staged.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    fn stage(&mut self, table: &Name, key: Key, value: Option<Value>) {
        if !self.tables.contains_key(table) {
            let kept = StagedTable { lifecycle: Lifecycle::Kept, rows: StagedRows::new() };
            self.tables.insert(table.clone(), kept);
        }
        let Some(staged) = self.tables.get_mut(table) else {
            return;
        };
        let key_bytes = key.as_str().len();
        self.bytes += row_bytes(&key, value.as_ref());
        match staged.rows.insert(key, value) {
            None => self.rows += 1,
            Some(replaced) => self.bytes -= key_bytes + replaced.map_or(0, |value| value.len()),
        }
    }

    fn forget(&mut self, table: &Name) {
        let Some(staged) = self.tables.remove(table) else {
            return;
        };
        self.rows -= staged.rows.len();
        let bytes = staged.rows.iter().map(|(key, value)| row_bytes(key, value.as_ref()));
        self.bytes -= bytes.sum::<usize>();
    }
}

fn row_bytes(key: &Key, value: Option<&Value>) -> usize {
    key.as_str().len() + value.map_or(0, Value::len)
}
