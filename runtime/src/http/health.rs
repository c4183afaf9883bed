//! Whether the process lives, and whether its apps take commands.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;

use super::answer::json;
use super::code;
use super::problem::Problem;
use crate::engine::{App, Progress};
use crate::lane::Health;
use crate::value::Name;

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
    /// Of what is read, while it is opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    percent: Option<u8>,
    /// What of its files was found damaged; it is served all the same.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    damage: Vec<String>,
}

/// Answers for as long as the process can, whatever its apps do.
pub(super) async fn alive() -> Response {
    json(StatusCode::OK, &serde_json::json!({"status": "ok"}))
}

/// Why a lane does not run is in the server's log, not here. Damage is: it may be mended
/// while there is time, and nobody reads a log of a server that answers.
pub(super) async fn ready(State(shared): super::State) -> Response {
    let apps = shared.engine.apps();
    let opening = shared.engine.opening();
    let mut lanes: Vec<_> = apps.iter().map(|app| lane(app)).collect();
    lanes.extend(opening.iter().map(|(name, progress)| of_opening(name, *progress)));
    if lanes.iter().all(|lane| lane.lane == RUNNING) {
        return json(StatusCode::OK, &ReadyJson { status: "ready", apps: lanes });
    }
    let others = lanes.iter().filter(|lane| lane.lane != RUNNING);
    let others: Vec<_> = others.map(LaneJson::to_text).collect();
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
        percent: None,
        damage: app.damage(),
    }
}

fn of_opening(name: &Name, progress: Progress) -> LaneJson<'_> {
    let percent = Some(progress.percent);
    LaneJson { name: name.as_str(), sequence: 0, lane: "opening", percent, damage: Vec::new() }
}

impl LaneJson<'_> {
    fn to_text(&self) -> String {
        let percent = self.percent.map_or_else(String::new, |percent| format!(" ({percent} %)"));
        format!("`{}` is {}{percent}", self.name, self.lane)
    }
}
