//! Calls, as the rest of the server makes them, and their translation into the
//! contract's words.

use std::sync::Arc;
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::contract::types;
use super::outcome::CallError;
use crate::transaction::{NewCommand, Transaction};
use crate::value::{Name, Sequence, StoredEvent, Value};

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

/// A question that is a script itself.
#[derive(Clone, Debug)]
pub struct AdhocCall {
    /// The app, for log lines.
    pub app: Arc<str>,
    /// What log lines and failures call it.
    pub name: Arc<str>,
    /// A JavaScript expression, or the body of a function.
    pub source: Arc<str>,
    /// What the script sees as `input`: a JSON document.
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

/// An event for a projection.
#[derive(Clone, Debug)]
pub struct ProjectCall {
    /// The app and module, such as `main/shop`, for log lines.
    pub module: Arc<str>,
    /// Which projection.
    pub projection: Name,
    /// What happened; of a type that the projection is on.
    pub event: Arc<StoredEvent>,
}

/// An event for a reaction.
#[derive(Clone, Debug)]
pub struct ReactCall {
    /// The app and module, such as `main/shop`, for log lines.
    pub module: Arc<str>,
    /// Which reaction.
    pub reaction: Name,
    /// What happened; of a type that the reaction is on.
    pub event: Arc<StoredEvent>,
}

/// What a reaction came to.
#[derive(Debug)]
pub struct Reacted {
    /// The commands to submit, in order. Whether there are such commands, and
    /// whether their inputs fit, is not known here.
    pub result: Result<Vec<NewCommand>, CallError>,
    /// How long it took, instantiation included.
    pub elapsed: Duration,
}

/// A command that was executed or an event that was projected, or could not be.
#[derive(Debug)]
pub struct Executed {
    /// What was given, with what the handler staged. Of use only if there is a
    /// result; otherwise to be discarded.
    pub transaction: Transaction,
    /// The result; if it is JSON, well-formed. That of a projection is `null`.
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

impl AdhocCall {
    pub(super) fn to_request(&self) -> types::QueryRequest {
        types::QueryRequest {
            name: self.name.clone(),
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

/// An event, in the contract's words.
pub(super) fn to_event(event: &StoredEvent) -> types::Event {
    types::Event {
        position: event.position.0,
        id: event.id.to_string().into(),
        event_type: event.event_type.clone(),
        subject: event.subject.clone(),
        time_ms: event.time_ms,
        data: event.data.clone(),
        sequence: event.sequence.0,
        command_id: event.command_id.to_string().into(),
        correlation_id: event.correlation_id.clone(),
        causation_id: event.causation_id.clone(),
        module_hash: event.module_hash.map_or_else(|| "".into(), |hash| hash.to_string().into()),
        metadata: metadata(event),
    }
}

/// Whatever is in it must be the same whenever the event is read, since tables
/// are built from it.
fn metadata(event: &StoredEvent) -> Arc<str> {
    let module = event.module.as_ref().map(Name::as_str);
    serde_json::json!({ "module": module, "depth": event.depth, "erased": event.erased })
        .to_string()
        .into()
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
