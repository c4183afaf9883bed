//! Calls, as the rest of the server makes them, and their translation into the
//! contract's words.

use std::sync::Arc;
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::contract::types;
use super::outcome::CallError;
use crate::transaction::Transaction;
use crate::value::{Name, Sequence, Value};

/// A question for a module.
#[derive(Clone, Debug)]
pub struct QueryCall {
    /// The app and module, such as `main/shop`, for log lines.
    pub module: Arc<str>,
    /// Which query.
    pub name: Name,
    /// Its input: a JSON document, already checked against the schema.
    pub input: Arc<str>,
    /// Who asks: a JSON object.
    pub caller: Option<Arc<str>>,
    /// Further facts: a JSON object.
    pub metadata: Arc<str>,
    /// When it was asked, in milliseconds since 1970.
    pub request_time_ms: u64,
    /// For log lines.
    pub request_id: Arc<str>,
}

/// A query's answer.
#[derive(Debug)]
pub struct Answered {
    /// The result; if it is JSON, well-formed.
    pub value: Value,
    /// Whether it asked for the time of the request, so that another answer may
    /// follow from the same state.
    pub asked_time: bool,
    /// How long it took, instantiation included.
    pub elapsed: Duration,
}

/// A command for a live instance.
#[derive(Clone, Debug)]
pub struct CommandCall {
    /// The app and module, such as `main/shop`, for log lines.
    pub module: Arc<str>,
    /// The command's id.
    pub id: Uuid,
    /// Which command.
    pub name: Name,
    /// Its input: a JSON document, already checked against the schema.
    pub input: Arc<str>,
    /// Its place in the log.
    pub sequence: Sequence,
    /// When it was accepted, in milliseconds since 1970.
    pub time_ms: u64,
    /// When it was due, if a timer submitted it.
    pub scheduled_for_ms: Option<u64>,
    /// The sequence its sender looked at.
    pub basis: Option<Sequence>,
    /// Who submitted it: a JSON object.
    pub caller: Option<Arc<str>>,
    /// Shared by all that follows from one first command.
    pub correlation_id: Arc<str>,
    /// The event or command it follows from.
    pub causation_id: Option<Arc<str>>,
    /// Further facts: a JSON object.
    pub metadata: Arc<str>,
}

/// A command that was executed, or could not be.
#[derive(Debug)]
pub struct Executed {
    /// What was given, with what the handler staged. Of use only if there is a
    /// result; otherwise to be discarded.
    pub transaction: Transaction,
    /// The result; if it is JSON, well-formed.
    pub result: Result<Value, CallError>,
    /// How long it took, instantiation included.
    pub elapsed: Duration,
}

impl QueryCall {
    pub(super) fn to_request(&self) -> types::QueryRequest {
        types::QueryRequest {
            name: self.name.as_str().into(),
            input: self.input.clone(),
            caller: self.caller.clone(),
            metadata: self.metadata.clone(),
        }
    }
}

impl CommandCall {
    pub(super) fn to_command(&self, id: Arc<str>) -> types::Command {
        types::Command {
            id,
            name: self.name.as_str().into(),
            input: self.input.clone(),
            sequence: self.sequence.0,
            time_ms: self.time_ms,
            scheduled_for_ms: self.scheduled_for_ms,
            basis: self.basis.map(|sequence| sequence.0),
            caller: self.caller.clone(),
            correlation_id: self.correlation_id.clone(),
            causation_id: self.causation_id.clone(),
            metadata: self.metadata.clone(),
        }
    }
}

/// How long a call takes, for people: nothing is decided by it, and no guest
/// sees it.
#[derive(Clone, Copy)]
pub(super) struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "measures, and no test depends on it")]
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    pub(super) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}
