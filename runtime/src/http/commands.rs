//! `/v1/apps/{app}/commands`: submitted, waited for, looked up; or tried and
//! kept nothing of.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;
use tokio::task::spawn_blocking;

use super::answer::{
    CHANCERY_HISTORY, IDEMPOTENT_REPLAYED, PREFERENCE_APPLIED, SERVER_TIMING, insert_text, json,
    read_from, timing,
};
use super::at::{IntoApp, OfApp, Segments};
use super::code;
use super::envelope::{self, NO_INPUT, bare_metadata};
use super::params::Params;
use super::prefer::Prefer;
use super::problem::{Outcome, Problem, internal};
use super::receipt::{self, EndJson, EventJson, ReceiptJson};
use super::tables::ValueJson;
use super::trace::traceparent;
use super::{Shared, State as SharedState};
use crate::engine::{App, CommandRequest, DryRun, Error, Progressed, Submitted};
use crate::lane::Refusal;
use crate::receipts::{Receipt, Status};
use crate::record::Outcome as Recorded;
use crate::value::{ChangeSet, CommandId, Key, Sequence, Value};

const IDEMPOTENCY_KEY: &str = "idempotency-key";

#[derive(Debug, Serialize)]
struct PageJson<'a> {
    commands: Vec<ReceiptJson<'a>>,
    next: Option<u64>,
}

#[derive(Debug, Serialize)]
struct DryRunJson<'a> {
    dry_run: bool,
    on: u64,
    status: &'static str,
    #[serde(flatten)]
    end: EndJson<'a>,
    events: Vec<EventJson<'a>>,
    changes: Vec<ChangeJson<'a>>,
}

#[derive(Debug, Serialize)]
struct ChangeJson<'a> {
    table: &'a str,
    key: &'a str,
    #[serde(flatten)]
    value: Option<ValueJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted: Option<bool>,
}

/// `PUT …/commands/{id}`: a retry is safe by the meaning of the method.
pub(super) async fn submit_with_id(
    State(shared): SharedState,
    IntoApp(app): IntoApp,
    Segments((_, id)): Segments<(String, String)>,
    params: Params,
    request: Request,
) -> Result<Response, Problem> {
    params.finish().map_err(not_logged)?;
    let id = id_of(&id)?;
    let headers = request.headers().clone();
    let text = shared.json_body(request, shared.command_limit()).await;
    let text = text.map_err(not_logged)?.unwrap_or_default();
    let command = envelope::parse(&shared.settings, id, &text, traceparent(&headers));
    let command = command.map_err(not_logged)?;
    drop(text);
    submit(&shared, &app, command, &headers).await
}

/// `POST …/commands/{name}` with the id in `Idempotency-Key`, and the input as
/// the body.
pub(super) async fn submit_by_name(
    State(shared): SharedState,
    IntoApp(app): IntoApp,
    Segments((_, name)): Segments<(String, String)>,
    mut params: Params,
    request: Request,
) -> Result<Response, Problem> {
    let basis = params.parsed("basis").map_err(not_logged)?.map(Sequence);
    params.finish().map_err(not_logged)?;
    let headers = request.headers().clone();
    let id = id_of_header(&headers)?;
    let input = shared.json_body(request, shared.command_limit()).await;
    let input = input.map_err(not_logged)?;
    let command = CommandRequest {
        id,
        name,
        input: input.as_deref().unwrap_or(NO_INPUT).into(),
        basis,
        unchanged: Vec::new(),
        caller: None,
        correlation_id: None,
        causation_id: None,
        metadata: bare_metadata(traceparent(&headers)),
    };
    submit(&shared, &app, command, &headers).await
}

pub(super) async fn show(
    State(shared): SharedState,
    OfApp(app): OfApp,
    Segments((_, id)): Segments<(String, String)>,
    mut params: Params,
) -> Result<Response, Problem> {
    let wait_max = shared.settings.wait_max.as_secs();
    let wait = Duration::from_secs(params.number("wait", 0..=wait_max, 0)?);
    params.finish()?;
    // Not only ids of commands: deployments have receipts as well.
    let id = any_id(&id)?;
    let submitted = app.asking(id, move |app| app.find(id)).await??;
    let receipt = wait_for(&app, &submitted, wait).await?;
    let body = json(StatusCode::OK, &ReceiptJson::of(&receipt));
    Ok(read_from(&app, receipt.entry.sequence, body))
}

/// Erases what the command said and did; answers with the receipt of the erasure.
pub(super) async fn erase(
    OfApp(app): OfApp,
    Segments((_, id)): Segments<(String, String)>,
    params: Params,
) -> Result<Response, Problem> {
    params.finish()?;
    let receipt = app.erase(any_id(&id)?).await?;
    Ok(receipt::answer(&app, &receipt))
}

pub(super) async fn list(
    State(shared): SharedState,
    OfApp(app): OfApp,
    mut params: Params,
) -> Result<Response, Problem> {
    let status: Option<Status> = params.parsed("status")?;
    let before = params.parsed("before")?.map(Sequence);
    let limit = shared.page_limit(&mut params)?;
    params.finish()?;
    let bytes_max = shared.settings.page_bytes_max;
    let of = Arc::clone(&app);
    // Each is read from the disk.
    let page = spawn_blocking(move || of.receipts(status, before, limit, bytes_max)).await;
    let page = page.map_err(|error| internal(&error.to_string()))??;
    let body = PageJson {
        commands: page.receipts.iter().map(ReceiptJson::of).collect(),
        next: page.next.map(|sequence| sequence.0),
    };
    let mut response = json(StatusCode::OK, &body);
    let history = app.snapshots().history();
    insert_text(response.headers_mut(), CHANCERY_HISTORY, &history);
    Ok(response)
}

async fn submit(
    shared: &Shared,
    app: &Arc<App>,
    command: CommandRequest,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let started = shared.clock.elapsed();
    let settings = &shared.settings;
    let prefer = Prefer::of(headers, settings.wait_default, settings.wait_max);
    let mut response = match prefer.dry_run {
        true => try_out(app, &command).await?,
        false => carry_out(app, command, prefer.wait).await?,
    };
    let status = response.status();
    let headers = response.headers_mut();
    if let Some(applied) = prefer.applied(status) {
        insert_text(headers, PREFERENCE_APPLIED, &applied);
    }
    let took = shared.clock.elapsed().saturating_sub(started);
    insert_text(headers, SERVER_TIMING, &timing("total", took));
    Ok(response)
}

async fn carry_out(
    app: &Arc<App>,
    command: CommandRequest,
    wait: Duration,
) -> Result<Response, Problem> {
    let id = command.id;
    let submit = move |app: &App| app.submit(command).map_err(|error| refused(app, id, error));
    let submitted = app.asking(id.uuid(), submit).await??;
    let replayed = match &submitted {
        Submitted::Flying { replayed, .. } => *replayed,
        Submitted::Settled(_) => true,
    };
    let receipt = wait_for(app, &submitted, wait).await?;
    let mut response = receipt::answer(app, &receipt);
    if replayed {
        let yes = HeaderValue::from_static("true");
        response.headers_mut().insert(IDEMPOTENT_REPLAYED, yes);
    }
    Ok(response)
}

/// The receipt as it is when its time is up; it is durable whatever it says.
async fn wait_for(app: &App, submitted: &Submitted, wait: Duration) -> Result<Receipt, Problem> {
    match (app.progress(submitted, wait).await?, submitted) {
        (Progressed::Done(receipt), _) => Ok(receipt),
        (Progressed::Logged { .. }, Submitted::Settled(receipt)) => Ok(receipt.clone()),
        (Progressed::Logged { .. }, Submitted::Flying { flight, .. }) => {
            Ok(Receipt { entry: Arc::clone(&flight.entry), outcome: None })
        }
    }
}

/// Why a command got no place. A lane that takes nothing does not look whether
/// it has seen the id, so of one that it has this request cannot say that
/// nothing was logged.
fn refused(app: &App, id: CommandId, error: Error) -> Problem {
    let closed = matches!(
        &error,
        Error::Refused(Refusal::Recovering { .. } | Refusal::Stopped { .. } | Refusal::Draining)
    );
    let unsure = match &error {
        Error::Refused(Refusal::Unreadable { .. }) => true,
        _ => closed && !matches!(app.lane().find(id.uuid()), Ok(None)),
    };
    // What has a receipt was executed, whether or not it can be read now.
    let executed = matches!(&error, Error::Receipt(_));
    let problem = Problem::from(error);
    match (unsure, executed) {
        (true, _) => problem.outcome_instead(Outcome::Unknown),
        (_, true) => problem.outcome_instead(Outcome::Executed),
        _ => not_logged(problem),
    }
}

/// Everything that is refused before the sequencer.
fn not_logged(problem: Problem) -> Problem {
    problem.outcome(Outcome::NotLogged)
}

async fn try_out(app: &App, command: &CommandRequest) -> Result<Response, Problem> {
    let tried = app.dry_run(command).await;
    let DryRun { on, outcome } = tried.map_err(|error| not_logged(error.into()))?;
    Ok(read_from(app, on, json(StatusCode::OK, &dry_run(on, &outcome))))
}

fn dry_run(on: Sequence, outcome: &Recorded) -> DryRunJson<'_> {
    DryRunJson {
        dry_run: true,
        on: on.0,
        status: Status::of(outcome).as_str(),
        end: EndJson::of(&outcome.verdict),
        events: receipt::events(&outcome.events),
        changes: changes(&outcome.changes),
    }
}

fn changes(changes: &ChangeSet) -> Vec<ChangeJson<'_>> {
    let tables = changes.tables.iter().filter(|table| !table.table.is_system());
    let rows = tables.flat_map(|table| {
        let rows = table.rows.iter();
        rows.map(|(key, value)| change(table.table.as_str(), key, value.as_ref()))
    });
    rows.collect()
}

fn change<'a>(table: &'a str, key: &'a Key, value: Option<&'a Value>) -> ChangeJson<'a> {
    ChangeJson {
        table,
        key: key.as_str(),
        value: value.map(ValueJson::of),
        deleted: value.is_none().then_some(true),
    }
}

fn id_of(text: &str) -> Result<CommandId, Problem> {
    let id: Result<CommandId, _> = text.parse();
    id.map_err(|invalid| not_logged(Problem::new(code::INVALID_ID, invalid.to_string())))
}

fn any_id(text: &str) -> Result<uuid::Uuid, Problem> {
    uuid::Uuid::try_parse(text).map_err(|error| {
        let detail = format!("`{}` is not a UUID: {error}", text.escape_debug());
        Problem::new(code::INVALID_ID, detail)
    })
}

/// A structured field has its text in quotes; many clients leave them out.
fn id_of_header(headers: &HeaderMap) -> Result<CommandId, Problem> {
    let Some(field) = headers.get(IDEMPOTENCY_KEY) else {
        let detail = "the header `Idempotency-Key` is missing; give it a UUID of version 7, and \
                      the same one again when you retry";
        return Err(not_logged(Problem::new(code::INVALID_ID, detail)));
    };
    let text = field.to_str().unwrap_or_default().trim();
    let bare = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    id_of(bare.unwrap_or(text))
}
