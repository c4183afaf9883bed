//! `/v1/apps/{app}/reactions`: how far they have come, and what keeps them.

use axum::response::Response;
use http::StatusCode;
use serde::Serialize;

use super::answer::{json, read_from};
use super::at::{IntoApp, OfApp, Segments, take_at};
use super::modules::not_entered;
use super::params::Params;
use super::problem::Problem;
use super::receipt;
use crate::engine::ReactionInfo;
use crate::value::Position;
use crate::wasm::Begin;

#[derive(Debug, Serialize)]
struct ReactionsJson<'a> {
    sequence: u64,
    /// The last event there is.
    last: u64,
    reactions: Vec<ReactionJson<'a>>,
}

#[derive(Debug, Serialize)]
struct ReactionJson<'a> {
    name: &'a str,
    /// `running`, `retrying`, `parked`, or `removed`.
    status: &'static str,
    module: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    on: &'a [String],
    from: Begin,
    /// The last event that it has handled, or left behind.
    position: u64,
    /// The entry that deployed it first.
    since: u64,
    dead: usize,
    waiting: usize,
    /// The event that it cannot get past, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<TroubleJson<'a>>,
}

#[derive(Debug, Serialize)]
struct TroubleJson<'a> {
    position: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<u32>,
    reason: &'a str,
}

pub(super) async fn list(OfApp(app): OfApp, mut params: Params) -> Result<Response, Problem> {
    let at = take_at(&mut params)?;
    params.finish()?;
    let list = app.reactions(at).await?;
    let Position(last) = list.last;
    let reactions = list.reactions.iter().map(describe).collect();
    let body = ReactionsJson { sequence: list.sequence.0, last, reactions };
    Ok(read_from(&app, list.sequence, json(StatusCode::OK, &body)))
}

/// Drops the place of one that no module declares.
pub(super) async fn drop_reaction(
    IntoApp(app): IntoApp,
    Segments((_, reaction)): Segments<(String, String)>,
    params: Params,
) -> Result<Response, Problem> {
    params.finish()?;
    let receipt = app.drop_reaction(&reaction).await.map_err(not_entered)?;
    Ok(receipt::answer(&app, &receipt))
}

fn describe(info: &ReactionInfo) -> ReactionJson<'_> {
    let trouble = info.trouble.as_ref();
    let status = match trouble {
        _ if !info.is_declared => "removed",
        None => "running",
        Some(trouble) if trouble.attempts.is_some() => "retrying",
        Some(_) => "parked",
    };
    ReactionJson {
        name: info.name.as_str(),
        status,
        module: info.module.as_str(),
        description: &info.description,
        on: &info.on,
        from: info.from,
        position: info.position.0,
        since: info.since.0,
        dead: info.dead,
        waiting: info.waiting,
        trouble: trouble.map(|trouble| TroubleJson {
            position: trouble.position.0,
            attempts: trouble.attempts,
            reason: &trouble.reason,
        }),
    }
}
