//! `/v1/apps/{app}/projections`: how far they are, and what can be done about them.

use axum::response::Response;
use http::StatusCode;
use serde::Serialize;

use super::answer::{json, read_from};
use super::at::{IntoApp, OfApp, Segments};
use super::modules::not_entered;
use super::params::Params;
use super::problem::Problem;
use super::receipt;
use crate::catalog::{Parked, Which};
use crate::engine::ProjectionInfo;
use crate::record::Steer;
use crate::value::{Name, Pattern, Position};

#[derive(Debug, Serialize)]
struct ProjectionsJson<'a> {
    sequence: u64,
    projections: Vec<ProjectionJson<'a>>,
}

#[derive(Debug, Serialize)]
struct ProjectionJson<'a> {
    name: &'a str,
    module: &'a str,
    status: &'static str,
    /// The last event that is in the tables that are read.
    position: u64,
    /// How many events of the app came after it.
    lag: u64,
    on: Vec<&'a str>,
    tables: Vec<&'a str>,
    live: Option<BuildJson<'a>>,
    next: Option<BuildJson<'a>>,
}

#[derive(Debug, Serialize)]
struct BuildJson<'a> {
    version: u32,
    hash: String,
    /// The first event that it was given: 1, unless older ones were not kept any more.
    from: u64,
    position: u64,
    lag: u64,
    /// Why it goes no further.
    error: Option<&'a Parked>,
}

pub(super) async fn list(OfApp(app): OfApp, params: Params) -> Result<Response, Problem> {
    params.finish()?;
    let (sequence, infos) = app.projections();
    let projections = infos.iter().map(describe).collect();
    let body = ProjectionsJson { sequence: sequence.0, projections };
    Ok(read_from(&app, sequence, json(StatusCode::OK, &body)))
}

pub(super) async fn show(
    OfApp(app): OfApp,
    Segments((_, name)): Segments<(String, String)>,
    params: Params,
) -> Result<Response, Problem> {
    params.finish()?;
    let (sequence, info) = app.projection(&name)?;
    Ok(read_from(&app, sequence, json(StatusCode::OK, &describe(&info))))
}

pub(super) async fn resume(
    app: IntoApp,
    segments: Segments<(String, String)>,
    params: Params,
) -> Result<Response, Problem> {
    steer(app, segments, params, Steer::Resume).await
}

pub(super) async fn skip(
    app: IntoApp,
    segments: Segments<(String, String)>,
    params: Params,
) -> Result<Response, Problem> {
    steer(app, segments, params, Steer::Skip).await
}

pub(super) async fn rebuild(
    app: IntoApp,
    segments: Segments<(String, String)>,
    params: Params,
) -> Result<Response, Problem> {
    steer(app, segments, params, Steer::Rebuild).await
}

async fn steer(
    IntoApp(app): IntoApp,
    Segments((_, name)): Segments<(String, String)>,
    params: Params,
    what: Steer,
) -> Result<Response, Problem> {
    params.finish()?;
    let receipt = app.steer(&name, what).await.map_err(not_entered)?;
    Ok(receipt::answer(&app, &receipt))
}

fn describe(info: &ProjectionInfo) -> ProjectionJson<'_> {
    let projecting = &info.projecting;
    let shown = if projecting.row.live.is_some() { Which::Live } else { Which::Next };
    let declared = projecting.declared(shown);
    let on = declared.iter().flat_map(|it| it.on.iter().map(Pattern::as_str));
    let tables = declared.iter().flat_map(|it| it.tables.iter().map(Name::as_str));
    let position = info.position(Which::Live).unwrap_or_default();
    ProjectionJson {
        name: projecting.name.as_str(),
        module: projecting.row.module.as_str(),
        status: info.status.as_str(),
        position: position.0,
        lag: lag(info, position),
        on: on.collect(),
        tables: tables.collect(),
        live: build(info, Which::Live),
        next: build(info, Which::Next),
    }
}

fn build(info: &ProjectionInfo, which: Which) -> Option<BuildJson<'_>> {
    let build = info.projecting.row.build(which)?;
    let position = info.position(which).unwrap_or_default();
    Some(BuildJson {
        version: build.version,
        hash: build.hash.to_string(),
        from: build.from.0,
        position: position.0,
        lag: lag(info, position),
        error: build.parked.as_ref(),
    })
}

fn lag(info: &ProjectionInfo, position: Position) -> u64 {
    info.last.0.saturating_sub(position.0)
}
