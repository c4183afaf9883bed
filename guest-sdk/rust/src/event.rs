//! Facts: as a command states them, and as they are on record.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Rejection;
use crate::command::to_json;

/// A fact to be recorded with the outcome of the command that states it.
///
/// ```
/// use chancery_sdk::NewEvent;
///
/// let event = NewEvent::new("order.placed", &serde_json::json!({ "buyer": "ann" }))
///     .about("order/42");
/// assert_eq!(event.subject.as_deref(), Some("order/42"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// What happened, in the past tense: words of letters, digits, `-` and `_`,
    /// separated by dots; 1 to 128 bytes.
    pub event_type: String,
    /// The thing it happened to, such as `order/42`; at most 1,024 bytes.
    pub subject: Option<String>,
    /// The particulars: a JSON document.
    pub data: String,
}

impl NewEvent {
    /// An event of this type, about nothing in particular.
    ///
    /// # Panics
    ///
    /// If the data cannot be written as JSON, as a map whose keys are not text.
    pub fn new(event_type: impl Into<String>, data: &impl Serialize) -> Self {
        Self { event_type: event_type.into(), subject: None, data: to_json(data) }
    }

    /// Names the thing it happened to. Events of one subject are handled in order.
    #[must_use]
    pub fn about(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }
}

/// A fact on record, with its data as a `D`: what projections and reactions are
/// given.
///
/// ```
/// use chancery_sdk::{Event, NewCommand, Rejection, Snapshot};
/// use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// struct Paid {
///     order: u64,
/// }
///
/// /// A reaction.
/// fn ship(_: &Snapshot, paid: Event<Paid>) -> Result<Option<NewCommand>, Rejection> {
///     Ok(Some(NewCommand::new("ship-order", &paid.data.order)))
/// }
/// ```
///
/// Data that are no `D` refuse the event: the projection is parked, the reaction
/// leaves a dead letter. An event whose data were erased is passed over, unless a `D`
/// can be made of `null`, as an `Option` can.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event<D> {
    /// Its place among the app's events, from 1, without gaps.
    pub position: u64,
    /// A UUID derived from the command's id and the event's place in it.
    pub id: String,
    /// What happened, such as `order.placed`.
    pub event_type: String,
    /// The thing it happened to, such as `order/42`.
    pub subject: Option<String>,
    /// The time of the command, in milliseconds since 1970.
    pub time_ms: u64,
    /// The particulars.
    pub data: D,
    /// The sequence of the command.
    pub sequence: u64,
    /// The id of the command.
    pub command_id: String,
    /// Shared by everything that follows from one first command.
    pub correlation_id: String,
    /// What the command itself followed from.
    pub causation_id: Option<String>,
    /// Which code emitted it: the module's SHA-256 in hexadecimal.
    pub module_hash: String,
    /// Further facts: a JSON object with `module`, `depth` and `erased`.
    pub metadata: String,
}

impl Event<String> {
    /// With the data, which are JSON text, as a `D`; none if there is nothing to be
    /// made of it because it was erased.
    pub(crate) fn decode<D: DeserializeOwned>(self) -> Result<Option<Event<D>>, Rejection> {
        match serde_json::from_str(&self.data) {
            Ok(data) => Ok(Some(self.with(data))),
            Err(_) if self.is_erased() => Ok(None),
            Err(error) => {
                let message = format!("The data of `{}` do not fit: {error}.", self.event_type);
                Err(Rejection::new("invalid-event", message).permanent())
            }
        }
    }

    fn is_erased(&self) -> bool {
        let metadata = serde_json::from_str::<serde_json::Value>(&self.metadata);
        metadata.is_ok_and(|members| members.get("erased") == Some(&true.into()))
    }

    fn with<D>(self, data: D) -> Event<D> {
        Event {
            position: self.position,
            id: self.id,
            event_type: self.event_type,
            subject: self.subject,
            time_ms: self.time_ms,
            data,
            sequence: self.sequence,
            command_id: self.command_id,
            correlation_id: self.correlation_id,
            causation_id: self.causation_id,
            module_hash: self.module_hash,
            metadata: self.metadata,
        }
    }
}
