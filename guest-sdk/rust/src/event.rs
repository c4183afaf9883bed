//! Facts that a command states.

use serde::Serialize;

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
