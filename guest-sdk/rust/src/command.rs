//! What the server says of a command or query besides its input.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Rejection;

/// A command the server has accepted. See [`Transaction::command`](crate::Transaction::command).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The id given by whoever submitted it: a UUID in its usual text form.
    pub id: String,
    /// The command's name, such as `buy-product`.
    pub name: String,
    /// The input as it came: a JSON document.
    pub input: String,
    /// The command's place in the app's log, from 1.
    pub sequence: u64,
    /// When the server accepted it: milliseconds since 1970.
    pub time_ms: u64,
    /// When it was due, for a command that a timer submitted.
    pub scheduled_for_ms: Option<u64>,
    /// The sequence its sender looked at before deciding, if it said so.
    pub basis: Option<u64>,
    /// Who submitted it: a JSON object with `subject` and `claims`.
    pub caller: Option<String>,
    /// Shared by everything that follows from one first command.
    pub correlation_id: String,
    /// The id of the event or command this one follows from.
    pub causation_id: Option<String>,
    /// Further facts about the submission: a JSON object.
    pub metadata: String,
}

/// A question the server was asked. See [`Snapshot::request`](crate::Snapshot::request).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryRequest {
    /// The query's name, such as `stock-of`.
    pub name: String,
    /// The input as it came: a JSON document.
    pub input: String,
    /// Who asks: a JSON object with `subject` and `claims`.
    pub caller: Option<String>,
    /// Further facts about the request: a JSON object.
    pub metadata: String,
}

impl QueryRequest {
    /// What a reaction is told instead: nobody asks.
    pub(crate) fn of_reaction(name: &str) -> Self {
        let (input, metadata) = ("null".to_owned(), "{}".to_owned());
        Self { name: name.to_owned(), input, caller: None, metadata }
    }
}

/// A command to be submitted by the server: at a time, by
/// [`Transaction::schedule`](crate::Transaction::schedule), or because of an event, by a
/// reaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCommand {
    /// The command's name; any module of the app may own it.
    pub name: String,
    /// The input: a JSON document.
    pub input: String,
    /// Further facts to hand on: a JSON object.
    pub metadata: String,
}

impl NewCommand {
    /// A command with this input and no metadata.
    ///
    /// ```
    /// use chancery_sdk::NewCommand;
    ///
    /// let command = NewCommand::new("cancel-order", &serde_json::json!({ "order": 42 }));
    /// assert_eq!(command.input, r#"{"order":42}"#);
    /// ```
    ///
    /// # Panics
    ///
    /// If the input cannot be written as JSON, as a map whose keys are not text.
    pub fn new(name: impl Into<String>, input: &impl Serialize) -> Self {
        Self { name: name.into(), input: to_json(input), metadata: "{}".to_owned() }
    }
}

/// JSON text of something the application itself made.
#[expect(clippy::panic, reason = "a type that is not JSON is a mistake in the handler: it traps")]
pub(crate) fn to_json(value: &(impl Serialize + ?Sized)) -> String {
    match serde_json::to_string(value) {
        Ok(text) => text,
        Err(error) => panic!("cannot be written as JSON: {error}"),
    }
}

/// An input whose JSON fits the schema but not the type is the caller's to mend.
pub(crate) fn parse_input<I: DeserializeOwned>(input: &str) -> Result<I, Rejection> {
    serde_json::from_str(input).map_err(|error| {
        Rejection::new("invalid-input", format!("The input does not fit: {error}."))
    })
}
