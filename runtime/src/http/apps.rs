//! `/v1/apps`: which apps there are.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Serialize;
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::answer::{json, read_from};
use super::at::{OfApp, Segments};
use super::code;
use super::params::Params;
use super::problem::{Problem, internal};
use crate::engine::{App, Existed};
use crate::value::Name;

#[derive(Debug, Serialize)]
struct AppsJson {
    apps: Vec<AppJson>,
}

#[derive(Debug, Serialize)]
struct AppJson {
    name: String,
    history: Uuid,
    sequence: u64,
    modules: Vec<String>,
    live_queries: LiveJson,
    /// What of its files was found damaged.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    damage: Vec<String>,
}

/// What live queries there are, and what they cost.
#[derive(Debug, Serialize)]
struct LiveJson {
    /// Those whose clients listen.
    open: usize,
    /// How often handlers ran for them, since the server was started.
    runs: u64,
}

pub(super) async fn list(State(shared): super::State, params: Params) -> Result<Response, Problem> {
    params.finish()?;
    let apps: Vec<_> = shared.engine.apps().iter().map(|app| describe(app)).collect();
    Ok(json(StatusCode::OK, &AppsJson { apps }))
}

pub(super) async fn show(OfApp(app): OfApp, params: Params) -> Result<Response, Problem> {
    params.finish()?;
    Ok(answer(&app, StatusCode::OK))
}

/// Creates an app unless it is there; a body, if there is one, says nothing.
pub(super) async fn create(
    State(shared): super::State,
    Segments(name): Segments<String>,
    params: Params,
) -> Result<Response, Problem> {
    params.finish()?;
    let name = name_of(&name)?;
    let engine = Arc::clone(&shared.engine);
    // Makes files and syncs them.
    let created = spawn_blocking(move || engine.create(&name)).await;
    match created.map_err(|error| internal(&error.to_string()))?? {
        (app, Existed::Yes) => Ok(answer(&app, StatusCode::OK)),
        (app, Existed::No) => Ok(answer(&app, StatusCode::CREATED)),
    }
}

/// A segment of a path that has to be a name.
pub(super) fn name_of(text: &str) -> Result<Name, Problem> {
    text.parse().map_err(|invalid: crate::value::Invalid| {
        Problem::new(code::INVALID_NAME, invalid.to_string())
    })
}

fn answer(app: &App, status: StatusCode) -> Response {
    let described = describe(app);
    let sequence = crate::value::Sequence(described.sequence);
    read_from(app, sequence, json(status, &described))
}

fn describe(app: &App) -> AppJson {
    let snapshot = app.snapshots().current();
    let modules = snapshot.catalog.modules();
    AppJson {
        name: app.name().to_string(),
        history: app.snapshots().history().0,
        sequence: snapshot.state.sequence().0,
        modules: modules.map(|module| module.name.to_string()).collect(),
        live_queries: LiveJson { open: app.live_figures().open(), runs: app.live_figures().runs() },
        damage: app.damage(),
    }
}
