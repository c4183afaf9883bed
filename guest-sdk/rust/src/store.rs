//! The state of the app, as a handler may see it.
//!
//! A query is given a [`Snapshot`], which has no way to write; a command is given
//! a [`Transaction`], whose writes are kept if the command succeeds and dropped
//! otherwise; a projection is given a [`View`] of its own tables, a reaction a
//! [`Snapshot`]. Tables are read and written through [`Table`](crate::Table); the
//! raw methods of [`Read`] and [`Write`] are what it is built on.

use crate::host;
use crate::{Command, NewCommand, NewEvent, Order, QueryRequest, Range, Value};

/// State that can be read.
pub trait Read {
    /// The value of a key, or none.
    fn raw_get(&self, table: &str, key: &str) -> Option<Value>;

    /// The values of many keys, in the order asked, in one call to the server.
    fn raw_get_many(&self, table: &str, keys: &[String]) -> Vec<Option<Value>>;

    /// How many keys the range covers; reads no values.
    fn raw_count(&self, table: &str, range: &Range) -> u64;

    /// A cursor over the rows of a range.
    fn raw_scan(&self, table: &str, range: &Range, order: Order) -> Cursor;
}

/// State that can be read and changed.
pub trait Write: Read {
    /// Sets the value of a key.
    fn raw_put(&mut self, table: &str, key: &str, value: &Value);

    /// Removes a key. Removing one that is absent changes nothing.
    fn raw_delete(&mut self, table: &str, key: &str);
}

/// The immutable state after one entry of the log.
#[derive(Debug)]
pub struct Snapshot {
    host: host::Snapshot,
    request: QueryRequest,
}

impl Snapshot {
    pub(crate) fn new(host: host::Snapshot, request: QueryRequest) -> Self {
        Self { host, request }
    }

    /// The question being answered: its name, input and caller. In a reaction the name
    /// is the reaction's, with an input of `null` from nobody.
    ///
    /// ```
    /// use chancery_sdk::{Rejection, Snapshot, reject};
    ///
    /// fn whoami(snapshot: &Snapshot, (): ()) -> Result<String, Rejection> {
    ///     snapshot.request().caller.clone().ok_or_else(|| reject("nobody", "Who are you?"))
    /// }
    /// ```
    pub fn request(&self) -> &QueryRequest {
        &self.request
    }

    /// The last entry this state includes; 0 before the first.
    pub fn sequence(&self) -> u64 {
        self.host.sequence()
    }

    /// The time of that entry, in milliseconds since 1970.
    pub fn time_ms(&self) -> u64 {
        self.host.time_ms()
    }

    /// The time of the request, in milliseconds since 1970, for questions such as
    /// "what is overdue now?". A query that asks for it gets no ETag. In a reaction it is
    /// the time of the event.
    pub fn request_time_ms(&self) -> u64 {
        self.host.request_time_ms()
    }
}

/// The staged changes of the command being executed, over the state before it.
///
/// Reads see the writes made so far.
#[derive(Debug)]
pub struct Transaction {
    host: host::Transaction,
    command: Command,
}

impl Transaction {
    pub(crate) fn new(host: host::Transaction, command: Command) -> Self {
        Self { host, command }
    }

    /// Records a fact with this command's outcome and returns its id.
    ///
    /// ```
    /// use chancery_sdk::{NewEvent, Rejection, Transaction};
    ///
    /// fn ring(tx: &mut Transaction, (): ()) -> Result<String, Rejection> {
    ///     Ok(tx.emit(&NewEvent::new("bell.rung", &()).about("bell/1")))
    /// }
    /// ```
    pub fn emit(&mut self, event: &NewEvent) -> String {
        self.host.emit(event)
    }

    /// Has a command submitted at a time, in milliseconds since 1970, and returns
    /// the timer's id. A time in the past means at once.
    ///
    /// ```
    /// use chancery_sdk::{NewCommand, Rejection, Transaction};
    ///
    /// fn snooze(tx: &mut Transaction, (): ()) -> Result<String, Rejection> {
    ///     let in_a_minute = tx.time_ms() + 60_000;
    ///     Ok(tx.schedule(in_a_minute, &NewCommand::new("wake", &())))
    /// }
    /// ```
    pub fn schedule(&mut self, at_ms: u64, command: &NewCommand) -> String {
        self.host.schedule(at_ms, command)
    }

    /// Takes back a timer that has not fired; false if there is none.
    pub fn cancel_timer(&mut self, id: &str) -> bool {
        self.host.cancel_timer(id)
    }

    /// A new UUID, derived from the command's id and the number of calls before,
    /// so the same at every execution.
    pub fn new_id(&mut self) -> String {
        self.host.new_id()
    }

    /// The command being executed: its id, name, caller, time, basis and more.
    pub fn command(&self) -> &Command {
        &self.command
    }

    /// The sequence of this command.
    pub fn sequence(&self) -> u64 {
        self.command.sequence
    }

    /// The time at which this command was accepted, in milliseconds since 1970:
    /// the only clock a command has.
    pub fn time_ms(&self) -> u64 {
        self.command.time_ms
    }
}

/// A projection's own tables, and nothing else: no clock, no other tables, no way to
/// emit. So building the tables anew from history gives the same rows.
///
/// ```
/// use chancery_sdk::{Event, Rejection, Table, View};
///
/// const SALES: Table<String, u64> = Table::new("sales");
///
/// fn count_sale(view: &mut View, sold: Event<String>) -> Result<(), Rejection> {
///     let product = sold.data;
///     let n_sold = SALES.get(view, &product).unwrap_or(0) + 1;
///     SALES.put(view, &product, &n_sold);
///     Ok(())
/// }
/// ```
///
/// Using a table that the projection does not list traps.
#[derive(Debug)]
pub struct View {
    host: host::View,
}

impl View {
    pub(crate) fn new(host: host::View) -> Self {
        Self { host }
    }
}

macro_rules! read {
    ($type:ty) => {
        impl Read for $type {
            fn raw_get(&self, table: &str, key: &str) -> Option<Value> {
                self.host.get(table, key)
            }

            fn raw_get_many(&self, table: &str, keys: &[String]) -> Vec<Option<Value>> {
                self.host.get_many(table, keys)
            }

            fn raw_count(&self, table: &str, range: &Range) -> u64 {
                self.host.count(table, range)
            }

            fn raw_scan(&self, table: &str, range: &Range, order: Order) -> Cursor {
                Cursor(self.host.scan(table, range, order))
            }
        }
    };
}

read!(Snapshot);
read!(Transaction);
read!(View);

macro_rules! write {
    ($type:ty) => {
        impl Write for $type {
            fn raw_put(&mut self, table: &str, key: &str, value: &Value) {
                self.host.put(table, key, value);
            }

            fn raw_delete(&mut self, table: &str, key: &str) {
                self.host.delete(table, key);
            }
        }
    };
}

write!(Transaction);
write!(View);

/// A place in a scan. It is valid until the call returns; keeping it for a later
/// one traps.
#[derive(Debug)]
pub struct Cursor(host::Cursor);

impl Cursor {
    /// The next rows in one block of about `bytes_max` bytes, in the form that
    /// the contract gives for `cursor.next-packed`; empty at the end.
    #[cfg_attr(
        target_arch = "wasm32",
        expect(clippy::needless_pass_by_ref_mut, reason = "it moves on, though on the server")
    )]
    pub(crate) fn next_packed(&mut self, bytes_max: u32) -> Vec<u8> {
        self.0.next_packed(bytes_max)
    }
}
