//! The server, through the imports of the contract: conversions and nothing else.

use crate::bindings::chancery::app::{log as imported, store, types};
use crate::log::Level;
use crate::{NewCommand, NewEvent, Order, Range, Value};

#[derive(Debug)]
pub(crate) struct Snapshot(pub(crate) store::Snapshot);

#[derive(Debug)]
pub(crate) struct Transaction(pub(crate) store::Transaction);

#[derive(Debug)]
pub(crate) struct View(pub(crate) store::View);

#[derive(Debug)]
pub(crate) struct Cursor(store::Cursor);

macro_rules! read {
    ($type:ty) => {
        impl $type {
            pub(crate) fn get(&self, table: &str, key: &str) -> Option<Value> {
                self.0.get(table, key).map(Value::from)
            }

            pub(crate) fn get_many(&self, table: &str, keys: &[String]) -> Vec<Option<Value>> {
                let values = self.0.get_many(table, keys);
                values.into_iter().map(|value| value.map(Value::from)).collect()
            }

            pub(crate) fn count(&self, table: &str, range: &Range) -> u64 {
                self.0.count(table, &range.into())
            }

            pub(crate) fn scan(&self, table: &str, range: &Range, order: Order) -> Cursor {
                Cursor(self.0.scan(table, &range.into(), order.into()))
            }
        }
    };
}

read!(Snapshot);
read!(Transaction);
read!(View);

macro_rules! write {
    ($type:ty) => {
        impl $type {
            pub(crate) fn put(&self, table: &str, key: &str, value: &Value) {
                self.0.put(table, key, &value.clone().into());
            }

            pub(crate) fn delete(&self, table: &str, key: &str) {
                self.0.delete(table, key);
            }
        }
    };
}

write!(Transaction);
write!(View);

impl Snapshot {
    pub(crate) fn sequence(&self) -> u64 {
        self.0.sequence()
    }

    pub(crate) fn time_ms(&self) -> u64 {
        self.0.time_ms()
    }

    pub(crate) fn request_time_ms(&self) -> u64 {
        self.0.request_time_ms()
    }
}

impl Transaction {
    pub(crate) fn emit(&self, event: &NewEvent) -> String {
        self.0.emit(&event.clone().into())
    }

    pub(crate) fn schedule(&self, at_ms: u64, command: &NewCommand) -> String {
        self.0.schedule(at_ms, &command.clone().into())
    }

    pub(crate) fn cancel_timer(&self, id: &str) -> bool {
        self.0.cancel_timer(id)
    }

    pub(crate) fn new_id(&self) -> String {
        self.0.new_id()
    }
}

impl Cursor {
    pub(crate) fn next_packed(&self, bytes_max: u32) -> Vec<u8> {
        self.0.next_packed(bytes_max)
    }
}

pub(crate) fn log(level: Level, message: &str) {
    let level = match level {
        Level::Trace => imported::Level::Trace,
        Level::Debug => imported::Level::Debug,
        Level::Info => imported::Level::Info,
        Level::Warn => imported::Level::Warn,
        Level::Error => imported::Level::Error,
    };
    imported::write(level, message);
}

impl From<types::Value> for Value {
    fn from(value: types::Value) -> Self {
        match value {
            types::Value::Json(text) => Self::Json(text),
            types::Value::Bytes(bytes) => Self::Bytes(bytes),
        }
    }
}

impl From<Value> for types::Value {
    fn from(value: Value) -> Self {
        match value {
            Value::Json(text) => Self::Json(text),
            Value::Bytes(bytes) => Self::Bytes(bytes),
        }
    }
}

impl From<NewCommand> for types::NewCommand {
    fn from(command: NewCommand) -> Self {
        let NewCommand { name, input, metadata } = command;
        Self { name, input, metadata }
    }
}

impl From<&Range> for types::Range {
    fn from(range: &Range) -> Self {
        match range {
            Range::All => Self::All,
            Range::Prefix(text) => Self::Prefix(text.clone()),
            Range::Between { lower, upper } => {
                Self::Between(types::Bounds { lower: lower.clone(), upper: upper.clone() })
            }
        }
    }
}

impl From<Order> for types::Order {
    fn from(order: Order) -> Self {
        match order {
            Order::Ascending => Self::Ascending,
            Order::Descending => Self::Descending,
        }
    }
}

impl From<NewEvent> for types::NewEvent {
    fn from(event: NewEvent) -> Self {
        let NewEvent { event_type, subject, data } = event;
        Self { event_type, subject, data }
    }
}
