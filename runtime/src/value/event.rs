//! Events, as they are stored and as they are read.

use std::sync::Arc;

use uuid::Uuid;

use super::{Hash, Name, Position, Sequence};

/// A fact on record, as it is stored: what it shares with its command is stored
/// once, with the command's outcome.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Event {
    /// The event's place in the app.
    pub position: Position,
    /// UUIDv5 of the command's id and the event's index.
    pub id: Uuid,
    /// Such as `order.placed`.
    pub event_type: Arc<str>,
    /// Such as `order/42`.
    pub subject: Option<Arc<str>>,
    /// A JSON document.
    pub data: Arc<str>,
}

/// A fact on record with what is known of the command that stated it: what readers,
/// projections and reactions are given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredEvent {
    /// Its place among the events of the app. The one before it has the position
    /// before this; there are no gaps.
    pub position: Position,
    /// Its id.
    pub id: Uuid,
    /// Such as `order.placed`.
    pub event_type: Arc<str>,
    /// Such as `order/42`. None if it was erased.
    pub subject: Option<Arc<str>>,
    /// A JSON document; `null` if it was erased.
    pub data: Arc<str>,
    /// The entry that emitted it.
    pub sequence: Sequence,
    /// When that was accepted, in milliseconds since 1970.
    pub time_ms: u64,
    /// The id of that entry.
    pub command_id: Uuid,
    /// What it has in common with all that led to it and follows from it; the
    /// command's id if it was erased.
    pub correlation_id: Arc<str>,
    /// What led to its command.
    pub causation_id: Option<Arc<str>>,
    /// The module that emitted it.
    pub module: Option<Name>,
    /// The version of that module.
    pub module_hash: Option<Hash>,
    /// How many reactions and timers led to its command, one after another.
    pub depth: u32,
    /// Whether subject and data were erased.
    pub erased: bool,
}
