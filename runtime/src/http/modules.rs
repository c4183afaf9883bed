//! `/v1/apps/{app}/modules`: uploads, what is deployed, and its versions.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::answer::{Time, json, raw, read_from};
use super::apps::name_of;
use super::at::{IntoApp, OfApp, Segments};
use super::body::{check_not_encoded, media_type, unsupported};
use super::code::{self, Retry};
use super::envelope::{object, unreadable};
use super::params::Params;
use super::problem::{Outcome, Problem};
use super::receipt::{self, ReceiptJson};
use super::{Shared, State as SharedState};
use crate::catalog::{Deployed, ModuleRow, Plan};
use crate::engine::{App, Deployment, Error, Upload};
use crate::receipts::{Receipt, Status};
use crate::value::{Hash, Name};
use crate::wasm::{Refused, Script};

#[derive(Debug, Serialize)]
struct ModulesJson<'a> {
    modules: Vec<ModuleJson<'a>>,
}

#[derive(Debug, Serialize)]
struct ModuleJson<'a> {
    name: &'a str,
    hash: String,
    deployed_at: Time,
    sequence: u64,
    description: &'a str,
    commands: Vec<&'a str>,
    queries: Vec<&'a str>,
    tables: Vec<&'a str>,
    projections: Vec<&'a str>,
    reactions: Vec<&'a str>,
}

#[derive(Debug, Serialize)]
struct ShownJson<'a> {
    #[serde(flatten)]
    module: ModuleJson<'a>,
    manifest: &'a RawValue,
    versions: Vec<VersionJson>,
}

#[derive(Debug, Serialize)]
struct VersionJson {
    hash: String,
    sequence: u64,
    time: Time,
}

#[derive(Debug, Serialize)]
struct DeployedJson<'a> {
    plan: &'a Plan,
    receipt: Option<ReceiptJson<'a>>,
    /// Whether this request put something in place.
    deployed: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RollbackJson {
    hash: String,
}

pub(super) async fn list(OfApp(app): OfApp, params: Params) -> Result<Response, Problem> {
    params.finish()?;
    let snapshot = app.snapshots().current();
    let modules = snapshot.catalog.modules();
    let modules: Vec<_> = modules.map(|deployed| describe(deployed)).collect();
    let answer = json(StatusCode::OK, &ModulesJson { modules });
    Ok(read_from(&app, snapshot.state.sequence(), answer))
}

pub(super) async fn show(
    OfApp(app): OfApp,
    Segments((_, module)): Segments<(String, String)>,
    params: Params,
) -> Result<Response, Problem> {
    params.finish()?;
    let deployed = app.deployed(&module)?;
    let versions = app.versions(&deployed.name)?;
    let manifest = deployed.manifest().to_json();
    let shown = ShownJson {
        module: describe(&deployed),
        manifest: raw(&manifest),
        versions: versions.iter().map(version).collect(),
    };
    Ok(json(StatusCode::OK, &shown))
}

/// Deploys an upload, or a version that was uploaded before.
pub(super) async fn deploy(
    State(shared): SharedState,
    IntoApp(app): IntoApp,
    Segments((_, module)): Segments<(String, String)>,
    params: Params,
    request: Request,
) -> Result<Response, Problem> {
    let deployment = read_and_deploy(&shared, &app, &module, params, request).await;
    let deployment = deployment.map_err(|problem| problem.outcome(Outcome::NotLogged))?;
    Ok(answer(&app, &deployment))
}

async fn read_and_deploy(
    shared: &Shared,
    app: &Arc<App>,
    module: &str,
    mut params: Params,
    request: Request,
) -> Result<Deployment, Problem> {
    let check = params.flag("check")?;
    // What stacks call a script.
    let file = params.text("file");
    params.finish()?;
    let module = name_of(module)?;
    match media_type(request.headers()).as_str() {
        "application/wasm" => {
            check_not_encoded(request.headers())?;
            let held = shared.body(request.into_body(), shared.upload_limit());
            let held = held.await?;
            if Script::is_kept(&held.bytes) {
                let (found, fix) = ("a script".to_owned(), "send it as `text/javascript`");
                return Err(Error::Upload(Refused::NotWasm { found, fix }).into());
            }
            // The bytes are held, and counted, until they are deployed.
            carry_out(app, &module, Upload::Bytes(held.bytes.clone()), check).await
        }
        "application/json" => {
            let kept = rollback(shared, request).await?;
            carry_out(app, &module, kept, check).await
        }
        "text/javascript" | "application/javascript" => {
            check_not_encoded(request.headers())?;
            let held = shared.body(request.into_body(), shared.upload_limit()).await?;
            let file = file.unwrap_or_else(|| format!("{module}.js"));
            let script = Script::new(&file, &held.bytes).map_err(Error::Upload)?;
            carry_out(app, &module, Upload::Bytes(script.to_bytes().into()), check).await
        }
        _ => {
            let wanted = "`application/wasm`, `text/javascript`, or `application/json` with the hash of a version";
            Err(unsupported(request.headers(), wanted))
        }
    }
}

pub(super) async fn remove(
    IntoApp(app): IntoApp,
    Segments((_, module)): Segments<(String, String)>,
    params: Params,
) -> Result<Response, Problem> {
    params.finish()?;
    let receipt = app.remove(&module).await.map_err(not_entered)?;
    Ok(receipt::answer(&app, &receipt))
}

/// What to say of an entry that the server was to make: its id is the server's
/// own, so nobody can send it again.
pub(super) fn not_entered(error: Error) -> Problem {
    let logged = matches!(error, Error::NotVisible { .. });
    let problem = Problem::from(error);
    let problem = match problem.kind() {
        code::OUTCOME_UNKNOWN => problem
            .detail("the log failed while the change was being logged; look whether it was made")
            .retry(Retry::Later),
        code::NOT_LOGGED => problem
            .detail("the log failed before the change was logged; try again in a moment")
            .retry(Retry::Later),
        kind if kind.retry == Retry::SameId => problem.retry(Retry::Later),
        _ => problem,
    };
    problem.outcome(match logged {
        true => Outcome::Logged,
        false => Outcome::NotLogged,
    })
}

async fn carry_out(
    app: &Arc<App>,
    module: &Name,
    upload: Upload,
    check: bool,
) -> Result<Deployment, Problem> {
    let done = match check {
        true => app.plan(module, upload).await,
        false => app.deploy(module, upload).await,
    };
    done.map_err(not_entered)
}

async fn rollback(shared: &Shared, request: Request) -> Result<Upload, Problem> {
    let text = shared.json_body(request, shared.command_limit()).await?;
    let text = text.unwrap_or_default();
    let body: RollbackJson = object(&text).map_err(|e| unreadable(&text, &e))?;
    let hash: Result<Hash, _> = body.hash.parse();
    let hash = hash.map_err(|invalid| Problem::of_member("/hash", &invalid.reason))?;
    Ok(Upload::Kept(hash))
}

fn answer(app: &App, deployment: &Deployment) -> Response {
    let receipt = deployment.receipt.as_ref();
    // Refused by its `on_deploy` command, or by what came before it.
    if let Some(receipt) = receipt.filter(|receipt| !succeeded(receipt)) {
        return receipt::answer(app, receipt);
    }
    let body = DeployedJson {
        plan: &deployment.plan,
        receipt: receipt.map(ReceiptJson::of),
        deployed: receipt.is_some(),
    };
    let response = json(StatusCode::OK, &body);
    match receipt {
        Some(receipt) => read_from(app, receipt.entry.sequence, response),
        None => response.into_response(),
    }
}

fn succeeded(receipt: &Receipt) -> bool {
    receipt::status(receipt) == Status::Succeeded
}

fn describe(deployed: &Deployed) -> ModuleJson<'_> {
    let manifest = deployed.manifest();
    ModuleJson {
        name: deployed.name.as_str(),
        hash: deployed.hash().to_string(),
        deployed_at: Time(deployed.row.time_ms),
        sequence: deployed.since().0,
        description: &manifest.description,
        commands: manifest.commands.keys().map(Name::as_str).collect(),
        queries: manifest.queries.keys().map(Name::as_str).collect(),
        tables: manifest.tables.keys().map(Name::as_str).collect(),
        projections: manifest.projections.keys().map(Name::as_str).collect(),
        reactions: manifest.reactions.keys().map(Name::as_str).collect(),
    }
}

fn version(row: &ModuleRow) -> VersionJson {
    VersionJson { hash: row.hash.to_string(), sequence: row.sequence.0, time: Time(row.time_ms) }
}
