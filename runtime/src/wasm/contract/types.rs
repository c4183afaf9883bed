//! The interface `types` of the contract, with shared texts.
//!
//! Field names and their order are those of `wit/types.wit`; the linker checks
//! them against every module. Documented there.

use std::sync::Arc;

use wasmtime::component::{ComponentType, HasData, Lift, Linker, Lower};

use crate::{state, transaction, value};

/// The interface has no functions, so there is nothing to implement.
pub trait Host {}
impl<T: ?Sized> Host for T {}

/// As [`Host`].
pub trait HostWithStore<T>: HasData {}
impl<D: HasData + ?Sized, T> HostWithStore<T> for D {}

/// Links the interface's functions, of which there are none.
pub fn add_to_linker<T, D: HasData>(
    _: &mut Linker<T>,
    _: fn(&mut T) -> D::Data<'_>,
) -> wasmtime::Result<()> {
    Ok(())
}

#[derive(Clone, Debug, ComponentType, Lift, Lower)]
#[component(variant)]
pub enum Value {
    #[component(name = "json")]
    Json(Arc<str>),
    #[component(name = "bytes")]
    Bytes(Arc<[u8]>),
}

impl From<state::ValueRef<'_>> for Value {
    fn from(value: state::ValueRef<'_>) -> Self {
        match value {
            state::ValueRef::Json(text) => Self::Json(text.into()),
            state::ValueRef::Bytes(bytes) => Self::Bytes(bytes.into()),
        }
    }
}

impl From<Value> for value::Value {
    fn from(value: Value) -> Self {
        match value {
            Value::Json(text) => Self::Json(text),
            Value::Bytes(bytes) => Self::Bytes(bytes),
        }
    }
}

#[derive(Clone, Debug, ComponentType, Lift, Lower)]
#[component(record)]
pub struct Row {
    pub key: Arc<str>,
    pub value: Value,
}

impl From<state::RowRef<'_>> for Row {
    fn from(row: state::RowRef<'_>) -> Self {
        Self { key: row.key.into(), value: row.value.into() }
    }
}

#[derive(Clone, Debug, ComponentType, Lift, Lower)]
#[component(variant)]
pub enum Range {
    #[component(name = "all")]
    All,
    #[component(name = "prefix")]
    Prefix(String),
    #[component(name = "between")]
    Between(Bounds),
}

#[derive(Clone, Debug, ComponentType, Lift, Lower)]
#[component(record)]
pub struct Bounds {
    pub lower: Option<String>,
    pub upper: Option<String>,
}

#[derive(Clone, Copy, Debug, ComponentType, Lift, Lower)]
#[component(enum)]
#[repr(u8)]
pub enum Order {
    #[component(name = "ascending")]
    Ascending,
    #[component(name = "descending")]
    Descending,
}

impl From<Order> for state::Order {
    fn from(order: Order) -> Self {
        match order {
            Order::Ascending => Self::Ascending,
            Order::Descending => Self::Descending,
        }
    }
}

#[derive(Clone, Debug, ComponentType, Lift, Lower)]
#[component(record)]
pub struct Command {
    pub id: Arc<str>,
    pub name: Arc<str>,
    pub input: Arc<str>,
    pub sequence: u64,
    #[component(name = "time-ms")]
    pub time_ms: u64,
    #[component(name = "scheduled-for-ms")]
    pub scheduled_for_ms: Option<u64>,
    pub basis: Option<u64>,
    pub caller: Option<Arc<str>>,
    #[component(name = "correlation-id")]
    pub correlation_id: Arc<str>,
    #[component(name = "causation-id")]
    pub causation_id: Option<Arc<str>>,
    pub metadata: Arc<str>,
}

#[derive(Clone, Debug, ComponentType, Lift, Lower)]
#[component(record)]
pub struct NewCommand {
    pub name: Arc<str>,
    pub input: Arc<str>,
    pub metadata: Arc<str>,
}

#[derive(Clone, Debug, ComponentType, Lift, Lower)]
#[component(record)]
pub struct QueryRequest {
    pub name: Arc<str>,
    pub input: Arc<str>,
    pub caller: Option<Arc<str>>,
    pub metadata: Arc<str>,
}

#[derive(Clone, Debug, ComponentType, Lift, Lower)]
#[component(record)]
pub struct NewEvent {
    #[component(name = "event-type")]
    pub event_type: Arc<str>,
    pub subject: Option<Arc<str>>,
    pub data: Arc<str>,
}

impl From<NewEvent> for transaction::NewEvent {
    fn from(event: NewEvent) -> Self {
        Self { event_type: event.event_type, subject: event.subject, data: event.data }
    }
}

#[derive(Clone, Debug, ComponentType, Lift, Lower)]
#[component(record)]
pub struct Event {
    pub position: u64,
    pub id: Arc<str>,
    #[component(name = "event-type")]
    pub event_type: Arc<str>,
    pub subject: Option<Arc<str>>,
    #[component(name = "time-ms")]
    pub time_ms: u64,
    pub data: Arc<str>,
    pub sequence: u64,
    #[component(name = "command-id")]
    pub command_id: Arc<str>,
    #[component(name = "correlation-id")]
    pub correlation_id: Arc<str>,
    #[component(name = "causation-id")]
    pub causation_id: Option<Arc<str>>,
    #[component(name = "module-hash")]
    pub module_hash: Arc<str>,
    pub metadata: Arc<str>,
}

#[derive(Clone, Debug, ComponentType, Lift, Lower)]
#[component(record)]
pub struct Failure {
    pub code: Arc<str>,
    pub message: Arc<str>,
    pub details: Option<Arc<str>>,
    pub events: Vec<NewEvent>,
}
