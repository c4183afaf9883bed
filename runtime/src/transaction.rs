//! The staged changes of the command being executed, over the state before it.
//!
//! Reads see the writes made so far. Everything leaves together, as one change
//! set and its events, or not at all. This module checks what handlers write:
//! keys, values, ownership, limits. It knows nothing of WebAssembly, of the log,
//! or of what happens to the change set.

mod cursor;
mod event;
mod json;
mod merge;
mod new_command;
mod read;
mod refusal;
mod staged;
#[cfg(test)]
mod tests;
pub mod timers;

pub use self::cursor::{Cursor, PAGE_BYTES_MAX, PAGE_ROWS_MAX};
pub use self::event::NewEvent;
pub use self::json::check_json;
pub use self::new_command::NewCommand;
pub use self::read::{Read, View};
pub use self::refusal::Refusal;
pub use self::timers::Chain;

use std::collections::BTreeSet;
use std::sync::Arc;

use uuid::Uuid;

use self::staged::StagedTables;
use crate::state::State;
use crate::value::{ChangeSet, Event, Key, Name, Sequence, VALUE_BYTES_MAX, Value};

/// How much one transaction may stage.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Keys written, each counted once.
    pub rows_max: usize,
    /// Bytes of keys, values and events staged.
    pub bytes_max: usize,
    /// Events emitted.
    pub events_max: usize,
}

impl Default for Limits {
    /// 100,000 rows, 64 MiB and 10,000 events. Arbitrary, but for this: what one
    /// command stages is written in one record, and all others wait behind it.
    fn default() -> Self {
        Self { rows_max: 100_000, bytes_max: 64 << 20, events_max: 10_000 }
    }
}

/// What a transaction is told about the command it is for.
#[derive(Clone, Debug)]
pub struct Context {
    /// The command's sequence.
    pub sequence: Sequence,
    /// When it was accepted, in milliseconds since 1970.
    pub time_ms: u64,
    /// Its id, from which all ids it makes are derived.
    pub command_id: Uuid,
    /// The tables its handler may write: those its module owns.
    pub writable: Arc<BTreeSet<Name>>,
    /// How much it may stage.
    pub limits: Limits,
    /// What it passes on to the commands that follow from it.
    pub chain: Chain,
}

/// What a transaction leaves behind.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Staged {
    /// The rows that were written, sorted, each once.
    pub changes: ChangeSet,
    /// The events that were emitted, in order, with their positions.
    pub events: Vec<Event>,
}

/// Staged changes over a base state.
#[derive(Debug)]
pub struct Transaction {
    base: State,
    context: Context,
    /// Whether reads, like writes, reach no tables but the writable ones.
    own_tables_only: bool,
    tables: StagedTables,
    events: Vec<NewEvent>,
    event_bytes: usize,
    ids: u64,
    /// How many were scheduled, those that were taken back included.
    timers: u32,
}

impl Transaction {
    /// A transaction with nothing staged.
    #[must_use]
    pub fn new(base: State, context: Context) -> Self {
        Self {
            base,
            context,
            own_tables_only: false,
            tables: StagedTables::default(),
            events: Vec::new(),
            event_bytes: 0,
            ids: 0,
            timers: 0,
        }
    }

    /// A transaction for a projection's view: it reads no tables but those it
    /// may write, so that building them anew gives the same rows.
    #[must_use]
    pub fn for_view(base: State, context: Context) -> Self {
        Self { own_tables_only: true, ..Self::new(base, context) }
    }

    /// Sets the value of a key.
    ///
    /// # Errors
    /// [`Refusal`], after which nothing has changed.
    pub fn put(&mut self, table: &str, key: &str, value: Value) -> Result<(), Refusal> {
        let name = self.writable(table)?;
        let key = Key::new(key)?;
        if value.len() > VALUE_BYTES_MAX {
            return Err(Refusal::ValueTooLong { bytes: value.len() });
        }
        if let Value::Json(text) = &value {
            check_json(text)?;
        }
        let replaced = self.tables.row_bytes(&name, &key);
        let rows = usize::from(replaced.is_none());
        self.ensure_room(
            rows,
            (key.as_str().len() + value.len()).saturating_sub(replaced.unwrap_or(0)),
        )?;
        self.tables.put(&name, key, value);
        Ok(())
    }

    /// Removes a key. Removing one that is absent changes nothing.
    ///
    /// # Errors
    /// [`Refusal`], after which nothing has changed.
    pub fn delete(&mut self, table: &str, key: &str) -> Result<(), Refusal> {
        let name = self.writable(table)?;
        let key = Key::new(key)?;
        let in_base = self.base.table(table).is_some_and(|table| table.contains(key.as_str()));
        if in_base && self.tables.row_bytes(&name, &key).is_none() {
            self.ensure_room(1, key.as_str().len())?;
        }
        self.tables.delete(&self.base, &name, key);
        Ok(())
    }

    /// Records a fact and returns its id.
    ///
    /// # Errors
    /// [`Refusal`], after which nothing has changed.
    pub fn emit(&mut self, event: NewEvent) -> Result<Uuid, Refusal> {
        event.check()?;
        if self.events.len() >= self.context.limits.events_max {
            return Err(Refusal::TooManyEvents { limit: self.context.limits.events_max });
        }
        self.ensure_room(0, event.bytes())?;
        self.event_bytes += event.bytes();
        let id = event::id(self.context.command_id, self.events.len());
        self.events.push(event);
        Ok(id)
    }

    /// A new UUID, derived from the command's id and the number of calls before.
    pub fn new_id(&mut self) -> Uuid {
        let id = Uuid::new_v5(&self.context.command_id, format!("id/{}", self.ids).as_bytes());
        self.ids += 1;
        id
    }

    /// Creates a table, the server's own included. One that is there stays as
    /// it is. For the server: no ownership is checked.
    pub fn create_table(&mut self, table: &Name) {
        self.tables.create(&self.base, table);
    }

    /// Removes a table with its rows. For the server, as above.
    pub fn drop_table(&mut self, table: &Name) {
        self.tables.drop(&self.base, table);
    }

    /// Sets the value of a key in any table, and creates the table if it is not
    /// there. For the server: neither ownership, limits nor the value are
    /// checked. Where a handler is behind it, ask
    /// [`ensure_room`](Self::ensure_room) first.
    pub fn put_system(&mut self, table: &Name, key: Key, value: Value) {
        self.create_table(table);
        self.tables.put(table, key, value);
    }

    /// Removes a key from any table. For the server, as above.
    pub fn delete_system(&mut self, table: &Name, key: Key) {
        if self.any_table(table.as_str()).is_some() {
            self.tables.delete(&self.base, table, key);
        }
    }

    /// Takes over what another transaction staged in tables that this one has
    /// not touched, such as a projection's after its command. Events and ids
    /// stay this one's own.
    pub fn absorb(&mut self, other: Self) {
        self.tables.absorb(other.tables);
    }

    /// Ends the transaction with everything it staged.
    #[must_use]
    pub fn finish(self) -> Staged {
        let events = event::number(&self.base, self.context.command_id, self.events);
        Staged { changes: self.tables.into_changes(), events }
    }

    /// Ends the transaction without what it staged, and records instead the
    /// events that come with a rejection.
    ///
    /// # Errors
    /// [`Refusal`] if one of these events is not acceptable; then none is
    /// recorded.
    pub fn discard(self, failure_events: Vec<NewEvent>) -> Result<Vec<Event>, Refusal> {
        let Self { base, context, .. } = self;
        let command_id = context.command_id;
        let mut rejection = Self::new(base, context);
        for event in failure_events {
            rejection.emit(event)?;
        }
        Ok(event::number(&rejection.base, command_id, rejection.events))
    }

    /// Whether so many more rows and bytes may be staged.
    ///
    /// # Errors
    /// [`Refusal::TooManyRows`] or [`Refusal::TooManyBytes`].
    pub fn ensure_room(&self, rows: usize, bytes: usize) -> Result<(), Refusal> {
        let limits = &self.context.limits;
        if self.tables.rows() + rows > limits.rows_max {
            return Err(Refusal::TooManyRows { limit: limits.rows_max });
        }
        if self.tables.bytes() + self.event_bytes + bytes > limits.bytes_max {
            return Err(Refusal::TooManyBytes { limit: limits.bytes_max });
        }
        Ok(())
    }

    /// The sequence of the command.
    #[must_use]
    pub fn sequence(&self) -> Sequence {
        self.context.sequence
    }

    /// When the command was accepted, in milliseconds since 1970.
    #[must_use]
    pub fn time_ms(&self) -> u64 {
        self.context.time_ms
    }

    /// The command's id.
    #[must_use]
    pub fn command_id(&self) -> Uuid {
        self.context.command_id
    }

    /// The state below the staged changes.
    #[must_use]
    pub fn base(&self) -> &State {
        &self.base
    }

    /// The events emitted so far, in order.
    #[must_use]
    pub fn events(&self) -> &[NewEvent] {
        &self.events
    }

    /// Any table with its staged changes, the server's own included. For the
    /// server: handlers read through [`Read`].
    #[must_use]
    pub fn any_table(&self, table: &str) -> Option<View<'_>> {
        self.tables.view(&self.base, table, self.context.sequence)
    }

    /// The name of a table that is there and that the handler may write.
    fn writable(&self, table: &str) -> Result<Name, Refusal> {
        Read::table(self, table)?;
        let own = self.context.writable.get(table);
        own.cloned().ok_or_else(|| Refusal::ForeignTable { table: table.to_owned() })
    }
}

impl Read for Transaction {
    fn table(&self, table: &str) -> Result<View<'_>, Refusal> {
        let hidden = read::is_system(table)
            || (self.own_tables_only && !self.context.writable.contains(table));
        let view = if hidden { None } else { self.any_table(table) };
        view.ok_or_else(|| match self.own_tables_only {
            true => Refusal::outside_view(table),
            false => Refusal::unknown_table(table),
        })
    }
}
