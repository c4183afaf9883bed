//! The state before a command.

use std::any::type_name;
use std::cell::RefCell;
use std::rc::Rc;

use serde::Serialize;

use super::follow::History;
use super::{Outcome, parse, tree};
use crate::app::{Definition, Handler};
use crate::command::to_json;
use crate::host::memory::{self, Effects, Hand, Store, Tables, Timers, Writer};
use crate::key::AsKey;
use crate::table::Keyed;
use crate::{App, Command, NewEvent, QueryRequest, Rejection, Snapshot, Transaction, Value};

/// When the first command of a test is accepted, unless it says otherwise. Any
/// time would do; this one is easy to recognise.
const FIRST_TIME_MS: u64 = 1_700_000_000_000;

/// The state of an app with no rows, before its first command.
pub fn given<A: App>() -> Given {
    let mut tables = Tables::default();
    for table in A::DEFINITION.tables.iter().flat_map(|table| (table.declare)()) {
        tables.declare(table.name, Writer::Commands);
    }
    for projection in A::DEFINITION.projections {
        for table in (projection.tables)() {
            tables.give(table.name, projection.name);
        }
    }
    Given {
        definition: A::DEFINITION,
        tables,
        sequence: 0,
        time_ms: FIRST_TIME_MS,
        caller: None,
        basis: None,
        timers: Timers::new(),
        history: History::default(),
    }
}

/// The state of an app, and what the next command will be told of its submission.
#[derive(Clone, Debug)]
pub struct Given {
    pub(super) definition: &'static Definition,
    pub(super) tables: Tables,
    pub(super) sequence: u64,
    pub(super) time_ms: u64,
    caller: Option<String>,
    basis: Option<u64>,
    pub(super) timers: Timers,
    pub(super) history: History,
}

impl Given {
    /// With this row, and its entries in the table's indexes.
    #[must_use]
    pub fn row<T, Q>(mut self, table: &T, key: &Q, value: &T::Value) -> Self
    where
        T: Keyed,
        Q: AsKey<T::Key> + ?Sized,
    {
        let command = self.command("given", "null".to_owned());
        let (mut transaction, staged) = self.open(command, Hand::Test);
        table.put_row(&mut transaction, key, value);
        self.tables = staged.tables();
        self
    }

    /// With this row in a table that another module owns: the handlers under test
    /// may read it, not write it.
    #[must_use]
    pub fn foreign_row<T, Q>(mut self, table: &T, key: &Q, value: &T::Value) -> Self
    where
        T: Keyed,
        Q: AsKey<T::Key> + ?Sized,
    {
        self.tables.declare(table.name(), Writer::Foreign);
        self.tables.put(table.name(), &crate::key::encode(key), &table.encode_row(value));
        self
    }

    /// With this event on record. The projections that follow it have it in their
    /// tables; what reactions made of it is past, and not asked for again.
    ///
    /// # Panics
    ///
    /// If a projection would be parked.
    #[must_use]
    pub fn event(mut self, event: &NewEvent) -> Self {
        memory::check_event(event);
        self.sequence += 1;
        self.record(std::slice::from_ref(event));
        self.history.past();
        self
    }

    /// At this time, in milliseconds since 1970: that of the commands and queries
    /// to come.
    #[must_use]
    pub fn at_ms(mut self, time_ms: u64) -> Self {
        self.time_ms = time_ms;
        self
    }

    /// With commands and queries from this caller: what the server makes of its
    /// credentials, as an object with `subject` and `claims`.
    #[must_use]
    pub fn caller(mut self, caller: &impl Serialize) -> Self {
        self.caller = Some(to_json(caller));
        self
    }

    /// With commands whose sender looked at this sequence.
    #[must_use]
    pub fn basis(mut self, sequence: u64) -> Self {
        self.basis = Some(sequence);
        self
    }

    /// Executes a command's function.
    ///
    /// # Panics
    ///
    /// If the function is not among the app's commands, and where the server
    /// would trap.
    pub fn when<I, O, E, F>(self, handler: F, input: I) -> Outcome<O>
    where
        F: Fn(&mut Transaction, I) -> Result<O, E>,
        E: Into<Rejection>,
    {
        let name = registered(self.definition.all_commands(), type_name::<F>());
        self.execute(&name, "null".to_owned(), |transaction| {
            handler(transaction, input).map_err(Into::into)
        })
    }

    /// Executes a command as the server does: by its name, with an input in JSON.
    ///
    /// # Panics
    ///
    /// Where the server would trap.
    pub fn when_named(self, name: &str, input: &impl Serialize) -> Outcome<serde_json::Value> {
        let definition = self.definition;
        self.execute(name, to_json(input), |transaction| {
            definition.execute(transaction).map(|value| json_of(&value))
        })
    }

    /// Asks a query's function.
    ///
    /// # Errors
    ///
    /// If the query refuses.
    ///
    /// # Panics
    ///
    /// If the function is not among the app's queries, and where the server would
    /// trap.
    pub fn query<I, O, E, F>(&self, handler: F, input: I) -> Result<O, Rejection>
    where
        F: Fn(&Snapshot, I) -> Result<O, E>,
        E: Into<Rejection>,
    {
        let name = registered(self.definition.queries, type_name::<F>());
        handler(&self.snapshot_for(&name, "null".to_owned()), input).map_err(Into::into)
    }

    /// Asks a query as the server does: by its name, with an input in JSON.
    ///
    /// # Errors
    ///
    /// If the query refuses, is not known, or does not accept the input.
    ///
    /// # Panics
    ///
    /// Where the server would trap.
    pub fn query_named(
        &self,
        name: &str,
        input: &impl Serialize,
    ) -> Result<serde_json::Value, Rejection> {
        let snapshot = self.snapshot_for(name, to_json(input));
        self.definition.query(&snapshot).map(|value| json_of(&value))
    }

    /// The manifest that the server would be given.
    pub fn manifest(&self) -> serde_json::Value {
        parse(&crate::manifest::describe(self.definition))
    }

    /// Has an event happen, by a command of whatever module: the projections fold it,
    /// and the outcome has the commands that follow from it.
    ///
    /// # Panics
    ///
    /// If a projection would be parked.
    pub fn when_event(mut self, event: &NewEvent) -> Outcome<()> {
        memory::check_event(event);
        let before = self.tables.clone();
        self.sequence += 1;
        let effects = Effects { events: vec![event.clone()], ..Effects::default() };
        let recorded = self.record(&effects.events);
        self.time_ms += 1;
        Outcome::new(self, before, Ok(()), effects, recorded)
    }

    pub(super) fn tables(&self) -> &Tables {
        &self.tables
    }

    /// The state as a query sees it, to be looked into by the tables themselves.
    pub fn snapshot(&self) -> Snapshot {
        self.snapshot_for("given", "null".to_owned())
    }

    fn snapshot_for(&self, query: &str, input: String) -> Snapshot {
        let host = memory::Snapshot {
            store: Store::new(self.tables.clone(), Hand::Commands),
            sequence: self.sequence,
            time_ms: self.time_ms,
            request_time_ms: self.time_ms,
        };
        let caller = self.caller.clone();
        let (name, metadata) = (query.to_owned(), "{}".to_owned());
        Snapshot::new(host, QueryRequest { name, input, caller, metadata })
    }

    fn execute<O>(
        mut self,
        name: &str,
        input: String,
        handler: impl FnOnce(&mut Transaction) -> Result<O, Rejection>,
    ) -> Outcome<O> {
        let before = self.tables.clone();
        self.sequence += 1;
        let (mut transaction, staged) = self.open(self.command(name, input), Hand::Commands);
        let result = handler(&mut transaction);
        drop(transaction);
        let effects = match &result {
            Ok(_) => {
                self.tables = staged.tables();
                let effects = staged.effects.take();
                self.timers = effects.pending.clone();
                self.timers.extend(effects.timers.clone());
                effects
            }
            Err(rejection) => {
                rejection.events.iter().for_each(memory::check_event);
                Effects { events: rejection.events.clone(), ..Effects::default() }
            }
        };
        let recorded = self.record(&effects.events);
        // The server's clock moves on as well.
        self.time_ms += 1;
        Outcome::new(self, before, result, effects, recorded)
    }

    fn open(&self, command: Command, hand: Hand) -> (Transaction, Staged) {
        let store = Store::new(self.tables.clone(), hand);
        let effects = Effects { pending: self.timers.clone(), ..Effects::default() };
        let effects = Rc::new(RefCell::new(effects));
        let staged = Staged { store: store.clone(), effects: Rc::clone(&effects) };
        let host = memory::Transaction { store, effects, sequence: command.sequence };
        (Transaction::new(host, command), staged)
    }

    /// The id of the command of the sequence that is on.
    pub(super) fn command_id(&self) -> String {
        format!("018bcfe5-6800-7000-8000-{:012x}", self.sequence)
    }

    fn command(&self, name: &str, input: String) -> Command {
        let id = self.command_id();
        Command {
            correlation_id: id.clone(),
            id,
            name: name.to_owned(),
            input,
            sequence: self.sequence,
            time_ms: self.time_ms,
            scheduled_for_ms: None,
            basis: self.basis,
            caller: self.caller.clone(),
            causation_id: None,
            metadata: "{}".to_owned(),
        }
    }
}

/// What a transaction leaves behind.
struct Staged {
    store: Store,
    effects: Rc<RefCell<Effects>>,
}

impl Staged {
    fn tables(&self) -> Tables {
        self.store.tables.borrow().clone()
    }
}

/// The name of the handler that is this function.
#[expect(clippy::panic, reason = "a test that fails panics")]
fn registered<'a, R: 'a>(
    handlers: impl IntoIterator<Item = &'a Handler<R>>,
    function: &str,
) -> String {
    let mut handlers = handlers.into_iter();
    match handlers.find(|handler| (handler.type_name)() == function) {
        Some(handler) => handler.kebab_name(),
        None => panic!("`{function}` is not registered in `app!`"),
    }
}

fn json_of(value: &Value) -> serde_json::Value {
    match value {
        Value::Json(text) => parse(text),
        Value::Bytes(bytes) => tree(bytes),
    }
}
