//! A server in memory, for native tests: what the contract says of a store, and
//! nothing of its speed. It panics where the server would trap.
#![expect(clippy::panic, reason = "a panic is how a native test meets a trap")]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::rc::Rc;

use crate::key::KEY_BYTES_MAX;
use crate::log::Level;
use crate::{NewCommand, NewEvent, Order, Range, Value};

const VALUE_BYTES_MAX: usize = 1024 * 1024;
const EVENT_TYPE_BYTES_MAX: usize = 128;
const SUBJECT_BYTES_MAX: usize = 1_024;

/// The tables of an app. Cloning is cheap: a table is copied when it is written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tables(BTreeMap<String, Table>);

#[derive(Clone, Debug)]
struct Table {
    writer: Writer,
    rows: Rc<BTreeMap<String, Value>>,
}

/// Who writes a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writer {
    /// The commands of the module under test.
    Commands,
    /// One of its projections.
    Projection(&'static str),
    /// Another module: those under test may only read it.
    Foreign,
}

/// Handles share what they are handles of, as they do on the server.
type Shared = Rc<RefCell<Tables>>;

#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) store: Store,
    pub(crate) sequence: u64,
    pub(crate) time_ms: u64,
    pub(crate) request_time_ms: u64,
}

#[derive(Debug)]
pub(crate) struct Transaction {
    pub(crate) store: Store,
    pub(crate) effects: Rc<RefCell<Effects>>,
    /// New ids of a command follow from its sequence and their number.
    pub(crate) sequence: u64,
}

#[derive(Debug)]
pub(crate) struct View {
    pub(crate) store: Store,
}

#[derive(Clone, Debug)]
pub(crate) struct Store {
    pub(crate) tables: Shared,
    pub(crate) hand: Hand,
}

/// Whose hand a store is in, which decides what it may do there.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Hand {
    /// A test's, which may do everything.
    Test,
    Commands,
    /// A projection's, which does not even see the tables of others.
    Projection(&'static str),
}

/// What a command does besides writing rows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Effects {
    pub(crate) events: Vec<NewEvent>,
    pub(crate) timers: Timers,
    /// Timers of earlier commands; those cancelled are taken out.
    pub(crate) pending: Timers,
    pub(crate) n_ids: u64,
}

/// By id: when they are due, in milliseconds since 1970, and what is submitted then.
pub(crate) type Timers = BTreeMap<String, (u64, NewCommand)>;

#[derive(Debug)]
pub(crate) struct Cursor {
    store: Store,
    table: String,
    lower: Bound<String>,
    upper: Bound<String>,
    order: Order,
}

impl Tables {
    pub(crate) fn declare(&mut self, name: &str, writer: Writer) {
        let empty = Table { writer, rows: Rc::default() };
        self.0.entry(name.to_owned()).or_insert(empty);
    }

    /// Whether the table is there and has this writer.
    pub(crate) fn is_written_by(&self, name: &str, writer: Writer) -> bool {
        self.0.get(name).is_some_and(|table| table.writer == writer)
    }

    /// Gives a table that is there to a projection.
    pub(crate) fn give(&mut self, name: &str, projection: &'static str) {
        self.table_mut(name).writer = Writer::Projection(projection);
    }

    pub(crate) fn put(&mut self, table: &str, key: &str, value: &Value) {
        check_value(value);
        check_key(key);
        Rc::make_mut(&mut self.table_mut(table).rows).insert(key.to_owned(), value.clone());
    }

    pub(crate) fn get(&self, table: &str, key: &str) -> Option<&Value> {
        self.table(table).rows.get(key)
    }

    /// The rows that differ from those of `before`, with what they are now.
    pub(crate) fn changes(&self, before: &Self) -> Vec<(String, String, Option<Value>)> {
        let none = Rc::default();
        let mut changes = Vec::new();
        for (name, table) in &self.0 {
            let old = before.0.get(name).map_or(&none, |table| &table.rows);
            let removed = old.keys().filter(|key| !table.rows.contains_key(*key));
            let written = table.rows.iter().filter(|(key, value)| old.get(*key) != Some(value));
            changes.extend(removed.map(|key| (name.clone(), key.clone(), None)));
            changes.extend(
                written.map(|(key, value)| (name.clone(), key.clone(), Some(value.clone()))),
            );
        }
        changes
    }

    fn table(&self, name: &str) -> &Table {
        match self.0.get(name) {
            Some(table) => table,
            None => panic!("table `{name}` is not declared; list it under `tables` in `app!`"),
        }
    }

    fn table_mut(&mut self, name: &str) -> &mut Table {
        match self.0.get_mut(name) {
            Some(table) => table,
            None => panic!("table `{name}` is not declared; list it under `tables` in `app!`"),
        }
    }
}

impl Store {
    pub(crate) fn new(tables: Tables, hand: Hand) -> Self {
        Self { tables: Rc::new(RefCell::new(tables)), hand }
    }

    fn own_rows<T>(
        &self,
        table: &str,
        change: impl FnOnce(&mut BTreeMap<String, Value>) -> T,
    ) -> T {
        self.check_visible(table);
        let mut tables = self.tables.borrow_mut();
        let table_mut = tables.table_mut(table);
        match (self.hand, table_mut.writer) {
            (Hand::Commands, Writer::Foreign) => {
                panic!("table `{table}` belongs to another module: it can only be read")
            }
            (Hand::Commands, Writer::Projection(projection)) => {
                panic!("table `{table}` is written by projection `{projection}` alone")
            }
            _ => change(Rc::make_mut(&mut table_mut.rows)),
        }
    }

    fn put(&self, table: &str, key: &str, value: &Value) {
        check_key(key);
        check_value(value);
        self.own_rows(table, |rows| rows.insert(key.to_owned(), value.clone()));
    }

    fn delete(&self, table: &str, key: &str) {
        check_key(key);
        self.own_rows(table, |rows| rows.remove(key));
    }

    fn check_visible(&self, table: &str) {
        if let Hand::Projection(name) = self.hand {
            let is_own = self.tables.borrow().is_written_by(table, Writer::Projection(name));
            assert!(is_own, "table `{table}` is not among the tables of projection `{name}`");
        }
    }

    fn get(&self, table: &str, key: &str) -> Option<Value> {
        check_key(key);
        self.check_visible(table);
        self.tables.borrow().table(table).rows.get(key).cloned()
    }

    fn scan(&self, table: &str, range: &Range, order: Order) -> Cursor {
        self.check_visible(table);
        self.tables.borrow().table(table);
        let (lower, upper) = match range {
            Range::All => (Bound::Unbounded, Bound::Unbounded),
            Range::Prefix(prefix) => (Bound::Included(prefix.clone()), after_prefix(prefix)),
            Range::Between { lower, upper } => (
                lower.clone().map_or(Bound::Unbounded, Bound::Included),
                upper.clone().map_or(Bound::Unbounded, Bound::Excluded),
            ),
        };
        Cursor { store: self.clone(), table: table.to_owned(), lower, upper, order }
    }

    fn count(&self, table: &str, range: &Range) -> u64 {
        let mut cursor = self.scan(table, range, Order::Ascending);
        let mut count = 0;
        while cursor.next_row().is_some() {
            count += 1;
        }
        count
    }
}

macro_rules! read {
    ($type:ty) => {
        impl $type {
            pub(crate) fn get(&self, table: &str, key: &str) -> Option<Value> {
                self.store.get(table, key)
            }

            pub(crate) fn get_many(&self, table: &str, keys: &[String]) -> Vec<Option<Value>> {
                keys.iter().map(|key| self.store.get(table, key)).collect()
            }

            pub(crate) fn count(&self, table: &str, range: &Range) -> u64 {
                self.store.count(table, range)
            }

            pub(crate) fn scan(&self, table: &str, range: &Range, order: Order) -> Cursor {
                self.store.scan(table, range, order)
            }
        }
    };
}

read!(Snapshot);
read!(Transaction);
read!(View);

impl View {
    pub(crate) fn put(&self, table: &str, key: &str, value: &Value) {
        self.store.put(table, key, value);
    }

    pub(crate) fn delete(&self, table: &str, key: &str) {
        self.store.delete(table, key);
    }
}

impl Snapshot {
    pub(crate) fn sequence(&self) -> u64 {
        self.sequence
    }

    pub(crate) fn time_ms(&self) -> u64 {
        self.time_ms
    }

    pub(crate) fn request_time_ms(&self) -> u64 {
        self.request_time_ms
    }
}

impl Transaction {
    pub(crate) fn put(&self, table: &str, key: &str, value: &Value) {
        self.store.put(table, key, value);
    }

    pub(crate) fn delete(&self, table: &str, key: &str) {
        self.store.delete(table, key);
    }

    pub(crate) fn emit(&self, event: &NewEvent) -> String {
        check_event(event);
        self.effects.borrow_mut().events.push(event.clone());
        self.new_id()
    }

    pub(crate) fn schedule(&self, at_ms: u64, command: &NewCommand) -> String {
        let id = self.new_id();
        self.effects.borrow_mut().timers.insert(id.clone(), (at_ms, command.clone()));
        id
    }

    pub(crate) fn cancel_timer(&self, id: &str) -> bool {
        let mut effects = self.effects.borrow_mut();
        effects.timers.remove(id).is_some() || effects.pending.remove(id).is_some()
    }

    pub(crate) fn new_id(&self) -> String {
        let mut effects = self.effects.borrow_mut();
        effects.n_ids += 1;
        format!("00000000-0000-8000-{:04x}-{:012x}", 0x8000 + self.sequence, effects.n_ids)
    }
}

impl Cursor {
    /// Rows until they take `bytes_max`, in the form of the contract: so that the
    /// tests go through the same decoder as WebAssembly does.
    pub(crate) fn next_packed(&mut self, bytes_max: u32) -> Vec<u8> {
        let mut page = Vec::new();
        while u32::try_from(page.len()).is_ok_and(|page_bytes| page_bytes < bytes_max) {
            let Some((key, value)) = self.next_row() else {
                break;
            };
            let (tag, value) = match &value {
                Value::Json(text) => (0, text.as_bytes()),
                Value::Bytes(bytes) => (1 << 31, bytes.as_slice()),
            };
            page.extend(length(key.as_bytes()).to_le_bytes());
            page.extend((length(value) | tag).to_le_bytes());
            page.extend(key.as_bytes());
            page.extend(value);
        }
        page
    }

    fn next_row(&mut self) -> Option<(String, Value)> {
        if !is_ordered(&self.lower, &self.upper) {
            return None;
        }
        let tables = self.store.tables.borrow();
        let mut rows =
            tables.table(&self.table).rows.range((self.lower.clone(), self.upper.clone()));
        let (key, value) = match self.order {
            Order::Ascending => rows.next()?,
            Order::Descending => rows.next_back()?,
        };
        match self.order {
            Order::Ascending => self.lower = Bound::Excluded(key.clone()),
            Order::Descending => self.upper = Bound::Excluded(key.clone()),
        }
        Some((key.clone(), value.clone()))
    }
}

/// Shown by cargo for a test that fails.
#[expect(clippy::print_stderr, reason = "this is where a native test's log goes")]
pub(crate) fn log(level: Level, message: &str) {
    eprintln!("{level:?}: {message}");
}

/// Keys that begin with a prefix are below the first that is above it and does not.
fn after_prefix(prefix: &str) -> Bound<String> {
    let mut end = prefix.to_owned();
    // No character is above this one, so nothing with the prefix is above this text
    // unless a thousand of them follow: a key has not the room.
    end.extend(std::iter::repeat_n(char::MAX, KEY_BYTES_MAX / char::MAX.len_utf8() + 1));
    Bound::Excluded(end)
}

/// `BTreeMap::range` panics where the contract says that nothing is covered.
fn is_ordered(lower: &Bound<String>, upper: &Bound<String>) -> bool {
    match (lower, upper) {
        (Bound::Included(lower) | Bound::Excluded(lower), Bound::Excluded(upper)) => lower < upper,
        _ => true,
    }
}

fn check_key(key: &str) {
    let key_bytes = key.len();
    assert!(
        (1..=KEY_BYTES_MAX).contains(&key_bytes),
        "a key is 1 to {KEY_BYTES_MAX} bytes; this has {key_bytes}: {key:?}"
    );
}

fn check_value(value: &Value) {
    let value_bytes = match value {
        Value::Json(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
    };
    assert!(
        value_bytes <= VALUE_BYTES_MAX,
        "a value is at most {VALUE_BYTES_MAX} bytes; this has {value_bytes}"
    );
    if let Value::Json(text) = value {
        let parsed = serde_json::from_str::<serde::de::IgnoredAny>(text);
        assert!(parsed.is_ok(), "a value is not JSON: {text}");
    }
}

pub(crate) fn check_event(event: &NewEvent) {
    let is_word = |word: &str| {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        !word.is_empty() && word.bytes().all(is_allowed)
    };
    let event_type = &event.event_type;
    assert!(
        event_type.len() <= EVENT_TYPE_BYTES_MAX && event_type.split('.').all(is_word),
        "an event type is words of letters, digits, `-` and `_`, separated by dots, \
         of at most {EVENT_TYPE_BYTES_MAX} bytes: not {event_type:?}"
    );
    let subject_bytes = event.subject.as_deref().map_or(0, str::len);
    assert!(
        subject_bytes <= SUBJECT_BYTES_MAX,
        "a subject is at most {SUBJECT_BYTES_MAX} bytes; this has {subject_bytes}"
    );
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}
