//! `/v1/apps/{app}/backup`: copies an app to a directory of the server's.
//!
//! A client may choose a name and nothing else: where backups are is the operator's
//! choice.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::State as SharedState;
use super::answer::{json, read_from};
use super::apps::name_of;
use super::at::OfApp;
use super::body::check_json_type;
use super::envelope::{object, unreadable};
use super::params::Params;
use super::problem::{Problem, internal};
use crate::engine::BackedUp;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct BackupJson {
    name: Option<String>,
}

#[derive(Debug, Serialize)]
struct BackedUpJson<'a> {
    app: &'a str,
    path: String,
    history: Uuid,
    sequence: u64,
    files: usize,
    bytes: u64,
    took_ms: u64,
}

/// Makes a backup; it goes on if its client does not wait for it.
pub(super) async fn create(
    State(shared): SharedState,
    OfApp(app): OfApp,
    params: Params,
    request: Request,
) -> Result<Response, Problem> {
    params.finish()?;
    // Also without a body: a page of another origin cannot send it unasked.
    check_json_type(request.headers())?;
    let text = shared.json_body(request, shared.command_limit()).await?;
    let body: BackupJson = match &text {
        Some(text) => object(text).map_err(|error| unreadable(text, &error))?,
        None => BackupJson::default(),
    };
    let name = body.name.as_deref().map(name_of).transpose()?;
    let copied = Arc::clone(&app);
    let made = spawn_blocking(move || copied.backup(name.as_ref())).await;
    let made = made.map_err(|error| internal(&error.to_string()))??;
    let BackedUp { path, sequence, history, bytes, files, took } = made;
    let answer = BackedUpJson {
        app: app.name().as_str(),
        path: path.display().to_string(),
        history: history.0,
        sequence: sequence.0,
        files,
        bytes,
        took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
    };
    Ok(read_from(&app, sequence, json(StatusCode::CREATED, &answer)))
}
