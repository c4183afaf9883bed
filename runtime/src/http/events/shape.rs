//! Events as JSON: the server's own shape, and that of CloudEvents 1.0.

use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::super::answer::{Time, raw};
use crate::engine::App;
use crate::value::StoredEvent;

/// An event as clients see it.
#[derive(Debug, Serialize)]
pub(in crate::http) struct StoredJson<'a> {
    position: u64,
    /// The position before. Who has not seen it has missed something, unless it
    /// filters.
    previous: u64,
    id: Uuid,
    #[serde(rename = "type")]
    event_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    time: Time,
    data: &'a RawValue,
    sequence: u64,
    command_id: Uuid,
    correlation_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    causation_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    module: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    module_hash: Option<String>,
    depth: u32,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    erased: bool,
}

impl<'a> StoredJson<'a> {
    pub(in crate::http) fn of(event: &'a StoredEvent) -> Self {
        Self {
            position: event.position.0,
            previous: event.position.0.saturating_sub(1),
            id: event.id,
            event_type: &event.event_type,
            subject: event.subject.as_deref(),
            time: Time(event.time_ms),
            data: raw(&event.data),
            sequence: event.sequence.0,
            command_id: event.command_id,
            correlation_id: &event.correlation_id,
            causation_id: event.causation_id.as_deref(),
            module: event.module.as_ref().map(|module| module.as_str()),
            module_hash: event.module_hash.map(|hash| hash.to_string()),
            depth: event.depth,
            erased: event.erased,
        }
    }
}

/// An event on one line.
pub(super) fn line(event: &StoredEvent) -> String {
    let text = serde_json::to_string(&StoredJson::of(event)).unwrap_or_default();
    // Data is as it was given; outside of its strings a line's end is a space.
    match text.contains(['\n', '\r']) {
        true => text.replace(['\n', '\r'], " "),
        false => text,
    }
}

/// An event as the body of a message: a CloudEvent.
pub(in crate::http) fn cloud_event(app: &App, event: &StoredEvent) -> Vec<u8> {
    // Names, numbers and texts serialise.
    serde_json::to_vec(&CloudJson::of(app, event)).unwrap_or_default()
}

/// An event as CloudEvents 1.0 has it. Names of attributes have letters and digits only,
/// and numbers there end at 2^31, so larger ones are texts.
#[derive(Debug, Serialize)]
pub(super) struct CloudJson<'a> {
    specversion: &'static str,
    id: Uuid,
    source: String,
    #[serde(rename = "type")]
    event_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    time: Time,
    datacontenttype: &'static str,
    data: &'a RawValue,
    history: Uuid,
    position: String,
    previous: String,
    commandsequence: String,
    commandid: Uuid,
    correlationid: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    causationid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    module: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    modulehash: Option<String>,
    depth: u32,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    erased: bool,
}

impl<'a> CloudJson<'a> {
    pub(super) fn of(app: &App, event: &'a StoredEvent) -> Self {
        Self {
            specversion: "1.0",
            id: event.id,
            source: format!("/v1/apps/{}", app.name()),
            event_type: &event.event_type,
            subject: event.subject.as_deref(),
            time: Time(event.time_ms),
            datacontenttype: "application/json",
            data: raw(&event.data),
            history: app.snapshots().history().0,
            position: event.position.to_string(),
            previous: event.position.0.saturating_sub(1).to_string(),
            commandsequence: event.sequence.to_string(),
            commandid: event.command_id,
            correlationid: &event.correlation_id,
            causationid: event.causation_id.as_deref(),
            module: event.module.as_ref().map(|module| module.as_str()),
            modulehash: event.module_hash.map(|hash| hash.to_string()),
            depth: event.depth,
            erased: event.erased,
        }
    }
}
