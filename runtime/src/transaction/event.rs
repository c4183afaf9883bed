//! Events on their way to being recorded: their checks, ids and positions.

use std::sync::Arc;

use uuid::Uuid;

use super::json::check_json;
use super::refusal::Refusal;
use crate::state::State;
use crate::value::{Event, Position, VALUE_BYTES_MAX, is_event_type};

/// The longest subject of an event, in bytes: that of a key, which it often is.
pub(super) const SUBJECT_BYTES_MAX: usize = 1024;

/// A fact to be recorded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewEvent {
    /// Such as `order.placed`.
    pub event_type: Arc<str>,
    /// Such as `order/42`.
    pub subject: Option<Arc<str>>,
    /// A JSON document.
    pub data: Arc<str>,
}

impl NewEvent {
    /// Whether a handler may record it.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        if !is_event_type(&self.event_type) {
            return Err(Refusal::invalid_event_type(&self.event_type));
        }
        let subject_bytes = self.subject.as_ref().map_or(0, |subject| subject.len());
        if subject_bytes > SUBJECT_BYTES_MAX {
            return Err(Refusal::SubjectTooLong { bytes: subject_bytes });
        }
        if self.data.len() > VALUE_BYTES_MAX {
            return Err(Refusal::ValueTooLong { bytes: self.data.len() });
        }
        check_json(&self.data)
    }

    /// How many bytes it counts for.
    pub(super) fn bytes(&self) -> usize {
        let subject_bytes = self.subject.as_ref().map_or(0, |subject| subject.len());
        self.event_type.len() + subject_bytes + self.data.len()
    }
}

/// The id of a command's event, by its index among them.
pub(super) fn id(command_id: Uuid, index: usize) -> Uuid {
    Uuid::new_v5(&command_id, format!("event/{index}").as_bytes())
}

/// Gives events their ids, and the positions that follow the base's last.
pub(super) fn number(base: &State, command_id: Uuid, events: Vec<NewEvent>) -> Vec<Event> {
    let positions = base.position().0 + 1..;
    let numbered = positions.zip(events).enumerate().map(|(index, (position, event))| Event {
        position: Position(position),
        id: id(command_id, index),
        event_type: event.event_type,
        subject: event.subject,
        data: event.data,
    });
    numbered.collect()
}
