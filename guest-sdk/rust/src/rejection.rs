//! Why a handler refuses.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::NewEvent;
use crate::command::to_json;

/// Why a handler refuses.
///
/// From a command it means that nothing it staged is kept; the client gets the
/// code, the message and the details as they are. Any error type that converts
/// into a `Rejection` may be returned by a handler:
///
/// ```
/// use chancery_sdk::{Rejection, reject};
///
/// enum BuyError {
///     OutOfStock { product: String },
/// }
///
/// impl From<BuyError> for Rejection {
///     fn from(error: BuyError) -> Self {
///         match error {
///             BuyError::OutOfStock { product } => {
///                 reject("out-of-stock", format!("No {product} is left."))
///             }
///         }
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// For programs: 1 to 64 bytes in kebab-case, such as `out-of-stock`.
    pub code: String,
    /// For people: one sentence.
    pub message: String,
    /// A JSON document with what a program needs to go on.
    pub details: Option<String>,
    /// Facts about the refusal that are worth recording. From anything but a command
    /// they are ignored.
    pub events: Vec<NewEvent>,
}

/// A rejection with this code and message: short for [`Rejection::new`].
///
/// ```
/// use chancery_sdk::reject;
///
/// let rejection = reject("out-of-stock", "No lamp is left.")
///     .with_details(&serde_json::json!({ "product": "lamp" }));
/// assert_eq!(rejection.details.as_deref(), Some(r#"{"product":"lamp"}"#));
/// ```
pub fn reject(code: impl Into<String>, message: impl Into<String>) -> Rejection {
    Rejection::new(code, message)
}

impl Rejection {
    /// A rejection with no details and no events.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), details: None, events: Vec::new() }
    }

    /// Adds what a program needs to go on.
    ///
    /// # Panics
    ///
    /// If the details cannot be written as JSON, as a map whose keys are not text.
    #[must_use]
    pub fn with_details(mut self, details: &impl Serialize) -> Self {
        self.details = Some(to_json(details));
        self
    }

    /// Adds a fact that is recorded although nothing else is kept.
    #[must_use]
    pub fn with_event(mut self, event: NewEvent) -> Self {
        self.events.push(event);
        self
    }
}

impl Rejection {
    /// Says, from a reaction, that there is no use in trying again: the event becomes a
    /// dead letter at once. It is a member of the details, which are an object then;
    /// other details than an object are dropped.
    ///
    /// ```
    /// use chancery_sdk::reject;
    ///
    /// let rejection = reject("no-such-carrier", "Nobody ships there.").permanent();
    /// assert_eq!(rejection.details.as_deref(), Some(r#"{"permanent":true}"#));
    /// ```
    #[must_use]
    pub fn permanent(mut self) -> Self {
        let details = self.details.as_deref().unwrap_or_default();
        let mut details: Map<String, Value> = serde_json::from_str(details).unwrap_or_default();
        details.insert("permanent".to_owned(), true.into());
        self.details = Some(to_json(&details));
        self
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Rejection {}
