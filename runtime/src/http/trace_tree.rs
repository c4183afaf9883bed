//! `/v1/apps/{app}/trace/{correlation-id}`: what followed from what.

use std::sync::Arc;

use axum::response::Response;
use http::StatusCode;
use serde::Serialize;
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::answer::{CHANCERY_HISTORY, Time, insert_text, json};
use super::at::{OfApp, Segments};
use super::events::StoredJson;
use super::params::Params;
use super::problem::{Problem, internal};
use super::receipt::{FailureJson, status};
use crate::engine::{TraceItem, Traced};
use crate::receipts::Receipt;
use crate::record::{Act, Command, Verdict};
use crate::transaction::timers::written;

#[derive(Debug, Serialize)]
struct TraceJson<'a> {
    correlation_id: &'a str,
    /// Each before what followed from it, which is one level deeper.
    items: Vec<ItemJson<'a>>,
    truncated: bool,
}

#[derive(Debug, Serialize)]
struct ItemJson<'a> {
    level: usize,
    #[serde(flatten)]
    what: WhatJson<'a>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum WhatJson<'a> {
    Command(CommandJson<'a>),
    ForgottenCommand { id: Uuid, sequence: u64, accepted_at: Time },
    Event(Box<StoredJson<'a>>),
}

/// A command without its input and its result, which its receipt has.
#[derive(Debug, Serialize)]
struct CommandJson<'a> {
    id: Uuid,
    sequence: u64,
    name: &'a str,
    /// The reaction that asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    reaction: Option<Arc<str>>,
    status: &'static str,
    accepted_at: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    scheduled_for: Option<Time>,
    /// When it is due, if this did no more than schedule it.
    #[serde(skip_serializing_if = "Option::is_none")]
    schedules_for: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    causation_id: Option<&'a str>,
    depth: u32,
    elapsed_us: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<FailureJson<'a>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    erased: bool,
}

pub(super) async fn show(
    OfApp(app): OfApp,
    Segments((_, id)): Segments<(String, String)>,
    params: Params,
) -> Result<Response, Problem> {
    params.finish()?;
    let (of, asked) = (Arc::clone(&app), id.clone());
    let trace = spawn_blocking(move || of.trace(&asked)).await;
    let trace = trace.map_err(|error| internal(&error.to_string()))??;
    let items = trace.items.iter().map(item).collect();
    let body = TraceJson { correlation_id: &id, items, truncated: trace.truncated };
    let mut response = json(StatusCode::OK, &body);
    insert_text(response.headers_mut(), CHANCERY_HISTORY, &app.snapshots().history());
    Ok(response)
}

fn item(item: &TraceItem) -> ItemJson<'_> {
    let what = match &item.what {
        Traced::Command { receipt, command } => WhatJson::Command(of_command(receipt, command)),
        Traced::Forgotten { id, sequence, time_ms } => WhatJson::ForgottenCommand {
            id: *id,
            sequence: sequence.0,
            accepted_at: Time(*time_ms),
        },
        Traced::Event(event) => WhatJson::Event(Box::new(StoredJson::of(event))),
    };
    ItemJson { level: item.level, what }
}

fn of_command<'a>(receipt: &'a Receipt, command: &'a Command) -> CommandJson<'a> {
    let (entry, outcome) = (&*receipt.entry, receipt.outcome.as_deref());
    let failure = outcome.and_then(|outcome| match &outcome.verdict {
        Verdict::Succeeded(_) => None,
        Verdict::Rejected(failure) | Verdict::Failed(failure) => Some(FailureJson::of(failure)),
    });
    let written = written(&command.metadata);
    CommandJson {
        id: entry.id,
        sequence: entry.sequence.0,
        name: command.name.as_str(),
        reaction: written.reaction,
        status: status(receipt).as_str(),
        accepted_at: Time(entry.time_ms),
        scheduled_for: command.scheduled_for_ms.map(Time),
        schedules_for: match &entry.act {
            Act::Schedule(schedule) => Some(Time(schedule.at_ms)),
            _ => None,
        },
        causation_id: command.causation_id.as_deref(),
        depth: written.depth,
        elapsed_us: outcome.map_or(0, |outcome| outcome.elapsed_us),
        failure,
        erased: entry.erased,
    }
}
