//! Whether the process lives, and whether its apps take commands.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;

use super::answer::json;
use super::code;
use super::problem::Problem;
use crate::engine::App;
use crate::lane::Health;

/// The one word of a lane that needs nobody.
const RUNNING: &str = "running";

#[derive(Debug, Serialize)]
struct ReadyJson<'a> {
    status: &'static str,
    apps: Vec<LaneJson<'a>>,
}

#[derive(Debug, Serialize)]
struct LaneJson<'a> {
    name: &'a str,
    sequence: u64,
    lane: &'static str,
}

/// Answers for as long as the process can, whatever its apps do.
pub(super) async fn alive() -> Response {
    json(StatusCode::OK, &serde_json::json!({"status": "ok"}))
}

/// Why a lane does not run is in the server's log, not here.
pub(super) async fn ready(State(shared): super::State) -> Response {
    let apps = shared.engine.apps();
    let lanes: Vec<_> = apps.iter().map(|app| lane(app)).collect();
    if lanes.iter().all(|lane| lane.lane == RUNNING) {
        return json(StatusCode::OK, &ReadyJson { status: "ready", apps: lanes });
    }
    let others = lanes.iter().filter(|lane| lane.lane != RUNNING);
    let others: Vec<_> = others.map(|lane| format!("`{}` is {}", lane.name, lane.lane)).collect();
    Problem::new(code::NOT_READY, others.join("; ")).with("apps", &lanes).into_response()
}

fn lane(app: &App) -> LaneJson<'_> {
    let lane = match app.lane().health() {
        Health::Running => RUNNING,
        Health::Recovering(_) => "recovering",
        Health::Stopped(_) => "stopped",
        Health::Draining => "draining",
    };
    LaneJson {
        name: app.name().as_str(),
        sequence: app.snapshots().current().state.sequence().0,
        lane,
    }
}
