//! Receipts as JSON, and as answers: the status of each is decided here.

use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::StatusCode;
use http::header::{LOCATION, RETRY_AFTER};
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::answer::{Time, insert_text, json, raw, stamp};
use super::code::{self, Retry};
use super::problem::{Outcome, Problem, RETRY_AFTER_S};
use crate::engine::App;
use crate::receipts::{Receipt, Status};
use crate::record::{Act, Verdict};
use crate::value::{ChangeSet, Event, Failure, Value};

/// A receipt as clients see it.
#[derive(Debug, Serialize)]
pub(super) struct ReceiptJson<'a> {
    id: Uuid,
    sequence: u64,
    kind: &'static str,
    name: &'a str,
    status: &'static str,
    accepted_at: Time,
    /// When a timer was to submit it.
    #[serde(skip_serializing_if = "Option::is_none")]
    scheduled_for: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    module: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    module_hash: Option<String>,
    #[serde(flatten)]
    end: EndJson<'a>,
    events: Vec<EventJson<'a>>,
    changes: usize,
    elapsed_us: u64,
    /// What was in it is gone, all or a part.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    erased: bool,
}

/// How something ended: at most one of these.
#[derive(Debug, Default, Serialize)]
pub(super) struct EndJson<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<FailureJson<'a>>,
}

#[derive(Debug, Serialize)]
pub(super) struct FailureJson<'a> {
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<&'a RawValue>,
}

#[derive(Debug, Serialize)]
pub(super) struct EventJson<'a> {
    position: u64,
    id: Uuid,
    #[serde(rename = "type")]
    event_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    data: &'a RawValue,
}

impl<'a> ReceiptJson<'a> {
    pub(super) fn of(receipt: &'a Receipt) -> Self {
        let entry = &*receipt.entry;
        let (kind, name) = kind_and_name(&entry.act);
        let outcome = receipt.outcome.as_deref();
        let (module, module_hash) = module_of(receipt);
        Self {
            id: entry.id,
            sequence: entry.sequence.0,
            kind,
            name,
            status: status(receipt).as_str(),
            accepted_at: Time(entry.time_ms),
            scheduled_for: scheduled_for(&entry.act),
            module,
            module_hash,
            end: outcome.map_or_else(EndJson::default, |outcome| EndJson::of(&outcome.verdict)),
            events: outcome.map_or_else(Vec::new, |outcome| events(&outcome.events)),
            changes: outcome.map_or(0, |outcome| rows(&outcome.changes)),
            elapsed_us: outcome.map_or(0, |outcome| outcome.elapsed_us),
            erased: entry.erased || outcome.is_some_and(|outcome| outcome.erased),
        }
    }
}

impl<'a> EndJson<'a> {
    pub(super) fn of(verdict: &'a Verdict) -> Self {
        match verdict {
            Verdict::Succeeded(Value::Json(text)) => {
                Self { result: Some(raw(text)), ..Self::default() }
            }
            Verdict::Succeeded(Value::Bytes(bytes)) => {
                Self { result_base64: Some(BASE64_STANDARD.encode(bytes)), ..Self::default() }
            }
            Verdict::Rejected(failure) | Verdict::Failed(failure) => {
                Self { failure: Some(FailureJson::of(failure)), ..Self::default() }
            }
        }
    }
}

impl<'a> FailureJson<'a> {
    pub(super) fn of(failure: &'a Failure) -> Self {
        Self {
            code: &failure.code,
            message: &failure.message,
            details: failure.details.as_deref().map(raw),
        }
    }
}

/// The events of an outcome, in order.
pub(super) fn events(events: &[Event]) -> Vec<EventJson<'_>> {
    let events = events.iter().map(|event| EventJson {
        position: event.position.0,
        id: event.id,
        event_type: &event.event_type,
        subject: event.subject.as_deref(),
        data: raw(&event.data),
    });
    events.collect()
}

/// The answer to a request whose entry has a receipt: the same each time it is
/// asked, but for a command that was not executed the first time.
pub(super) fn answer(app: &App, receipt: &Receipt) -> Response {
    let verdict = receipt.outcome.as_ref().map(|outcome| &outcome.verdict);
    let mut response = match verdict {
        None => accepted(app, receipt),
        Some(Verdict::Succeeded(_)) => json(StatusCode::OK, &ReceiptJson::of(receipt)),
        Some(Verdict::Rejected(failure)) => {
            refused(code::REJECTED, failure, receipt).into_response()
        }
        Some(Verdict::Failed(failure)) => refused(code::FAILED, failure, receipt).into_response(),
    };
    stamp(&mut response, app.snapshots().history(), receipt.entry.sequence);
    response
}

/// How far the entry of a receipt has come.
pub(super) fn status(receipt: &Receipt) -> Status {
    let outcome = receipt.outcome.as_deref();
    outcome.map_or(Status::Accepted, Status::of)
}

fn accepted(app: &App, receipt: &Receipt) -> Response {
    let mut response = json(StatusCode::ACCEPTED, &ReceiptJson::of(receipt));
    let location = format!("/v1/apps/{}/commands/{}", app.name(), receipt.entry.id);
    insert_text(response.headers_mut(), LOCATION, &location);
    response.headers_mut().insert(RETRY_AFTER, RETRY_AFTER_S);
    response
}

fn refused(kind: code::Code, failure: &Failure, receipt: &Receipt) -> Problem {
    let mut problem = Problem::of_handler(kind, failure)
        .outcome(Outcome::Executed)
        .with("id", receipt.entry.id)
        .with("sequence", receipt.entry.sequence.0);
    if receipt.entry.act.command().is_none() {
        // Its id is the server's own; asked for again, it is refused again.
        problem = problem.retry(Retry::No);
    }
    let (module, module_hash) = module_of(receipt);
    if let Some(module) = module {
        problem = problem.with("module", module);
    }
    match module_hash {
        Some(hash) => problem.with("module_hash", hash),
        None => problem,
    }
}

fn kind_and_name(act: &Act) -> (&'static str, &str) {
    match act {
        Act::Command(command) => ("command", command.name.as_str()),
        Act::Deploy(deploy) => ("deploy", deploy.module.as_str()),
        Act::Remove { module } => ("remove", module.as_str()),
        Act::DropTable { table } => ("drop-table", table.as_str()),
        Act::Erase { .. } => ("erase", ""),
        Act::Advance { worker, .. } => ("advance", worker),
        Act::Projection { name, .. } => ("projection", name.as_str()),
        Act::Schedule(schedule) => ("schedule", schedule.command.name.as_str()),
        Act::Cancel { .. } => ("cancel-timer", ""),
    }
}

fn scheduled_for(act: &Act) -> Option<Time> {
    match act {
        Act::Command(command) => command.scheduled_for_ms.map(Time),
        Act::Schedule(schedule) => Some(Time(schedule.at_ms)),
        _ => None,
    }
}

fn module_of(receipt: &Receipt) -> (Option<&str>, Option<String>) {
    let outcome = receipt.outcome.as_deref();
    let module = outcome.and_then(|outcome| outcome.module.as_ref());
    let hash = outcome.and_then(|outcome| outcome.module_hash);
    (module.map(crate::value::Name::as_str), hash.map(|hash| hash.to_string()))
}

/// Rows of tables that handlers see; the server's own are its own business.
fn rows(changes: &ChangeSet) -> usize {
    let tables = changes.tables.iter().filter(|table| !table.table.is_system());
    tables.map(|table| table.rows.len()).sum()
}
