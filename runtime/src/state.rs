//! The state of an app after one entry: tables as persistent maps of packed
//! blocks.
//!
//! A [`State`] is a value. Cloning it costs a few reference counts, and a clone
//! never changes whatever happens to the original (I6): the executor keeps one
//! to move forward, and every snapshot is a clone of it. Only this module names
//! the crate of the persistent map; it knows neither the log nor handlers, and
//! does not check who may write what.
//!
//! # Figures
//!
//! `figures.rs` has the test that measures them, and says how to run it.

mod block;
mod bound;
mod chunk;
mod edit;
#[cfg(test)]
mod figures;
mod load;
#[cfg(test)]
pub(crate) mod model;
mod range;
mod row;
mod runs;
mod table;
#[cfg(test)]
mod tests;
mod write;

pub(crate) use self::chunk::{CHUNK_BYTES_MIN, Chunk};
pub(crate) use self::load::{Checker, ChunkRef, Loader};
pub(crate) use self::row::{Row, pack_row, packed_bytes};
pub(crate) use self::runs::Rows;

pub use self::range::{Order, Range};
pub use self::row::{RowRef, ValueRef, unpack};
pub use self::runs::Scan;
pub use self::table::Table;

use crate::value::{ChangeSet, Lifecycle, Name, Position, Sequence, TableChanges};

/// The state after one entry.
#[derive(Clone, Debug)]
pub struct State {
    sequence: Sequence,
    time_ms: u64,
    position: Position,
    tables: im::OrdMap<Name, Table>,
}

/// What one entry moves besides tables.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step {
    /// The entry's sequence.
    pub sequence: Sequence,
    /// When the entry was accepted, in milliseconds since 1970.
    pub time_ms: u64,
    /// The last event of the app once the entry's own are counted.
    pub position: Position,
}

impl State {
    /// The state before the first entry.
    #[must_use]
    pub fn empty() -> Self {
        Self { sequence: Sequence(0), time_ms: 0, position: Position(0), tables: im::OrdMap::new() }
    }

    /// The state after an entry, of tables that were loaded.
    pub(crate) fn loaded(step: Step, tables: impl IntoIterator<Item = (Name, Table)>) -> Self {
        Self {
            sequence: step.sequence,
            time_ms: step.time_ms,
            position: step.position,
            tables: tables.into_iter().collect(),
        }
    }

    /// Moves to the state after an entry and returns how many bytes, by
    /// estimate, clones of the state before no longer share with this one.
    ///
    /// Changes are absolute: applying a change set again is applying it once,
    /// and a change set applied to a state that is already further, as when a
    /// checkpoint that was written in passing is brought up to date, does no
    /// harm once those after it have been applied too. For the same reason a
    /// table that is *kept* but absent is created. A table that *moves* is the
    /// exception: it may be applied again at once, when the table that it took the
    /// rows of is gone, but not to a state that is further, where there may be another
    /// of that name.
    pub fn apply(&mut self, step: Step, changes: &ChangeSet) -> u64 {
        self.sequence = step.sequence;
        self.time_ms = step.time_ms;
        self.position = step.position;
        changes.tables.iter().map(|table| self.apply_to_table(step.sequence, table)).sum()
    }

    /// The last entry this state includes; 0 before the first.
    #[must_use]
    pub fn sequence(&self) -> Sequence {
        self.sequence
    }

    /// When that entry was accepted, in milliseconds since 1970.
    #[must_use]
    pub fn time_ms(&self) -> u64 {
        self.time_ms
    }

    /// The last event this state includes; 0 before the first.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    /// What [`apply`](Self::apply) was last told of the entry.
    pub(crate) fn step(&self) -> Step {
        Step { sequence: self.sequence, time_ms: self.time_ms, position: self.position }
    }

    /// A state that has nothing but some tables, each under a name that may be another
    /// than here. A table that is not here is there without rows.
    #[must_use]
    pub fn view(&self, tables: impl IntoIterator<Item = (Name, Name)>) -> Self {
        let found = |from: &Name| self.tables.get(from).cloned();
        let tables = tables.into_iter();
        let tables = tables.map(|(name, from)| {
            let table = found(&from).unwrap_or_else(|| Table::empty(self.sequence));
            (name, table)
        });
        Self::loaded(self.step(), tables)
    }

    /// A table, the server's own included; none if nobody has created it.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables.get(name)
    }

    /// All tables by name, the server's own (`$…`) included.
    pub fn tables(&self) -> impl Iterator<Item = (&Name, &Table)> {
        self.tables.iter()
    }

    fn apply_to_table(&mut self, sequence: Sequence, changes: &TableChanges) -> u64 {
        let mut unshared = 0;
        match &changes.lifecycle {
            Lifecycle::Dropped => {
                return self.tables.remove(&changes.table).map_or(0, |table| table.bytes());
            }
            Lifecycle::Moved { from } => {
                if let Some(table) = self.tables.remove(from) {
                    let before = self.tables.insert(changes.table.clone(), table.moved(sequence));
                    unshared += before.map_or(0, |table| table.bytes());
                }
            }
            Lifecycle::Kept | Lifecycle::Created => {}
        }
        if !self.tables.contains_key(&changes.table) {
            self.tables.insert(changes.table.clone(), Table::empty(sequence));
        }
        let table = self.tables.get_mut(&changes.table);
        unshared + table.map_or(0, |table| table.apply(sequence, &changes.rows))
    }
}

impl Default for State {
    fn default() -> Self {
        Self::empty()
    }
}
