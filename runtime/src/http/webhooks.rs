//! `/v1/apps/{app}/webhooks`: where events are sent, and how far that has come. At least
//! once, in order for each.

use axum::extract::{Request, State};
use axum::response::Response;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::State as SharedState;
use super::answer::{CHANCERY_HISTORY, Time, insert_text, json, read_from};
use super::apps::name_of;
use super::at::{IntoApp, OfApp, Segments, take_at};
use super::envelope::{member, object, unreadable};
use super::events::PATTERNS_MAX;
use super::modules::not_entered;
use super::params::Params;
use super::problem::{Outcome, Problem};
use super::receipt;
use crate::engine::webhooks::{Turn, WebhookInfo, Whence};
use crate::engine::{App, Existed};
use crate::events::Filter;
use crate::value::Position;

#[derive(Debug, Serialize)]
struct ListJson<'a> {
    sequence: u64,
    webhooks: Vec<WebhookJson<'a>>,
}

#[derive(Debug, Serialize)]
struct WebhookJson<'a> {
    name: &'a str,
    url: &'a str,
    types: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    /// `running`, `retrying`, `parked`, or `paused`.
    status: &'static str,
    /// The last event that was delivered, left behind, or not wanted.
    position: u64,
    last: u64,
    /// Events after the position, wanted or not.
    lag: u64,
    dead: usize,
    waiting: usize,
    /// The event that it cannot get past, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    trouble: Option<TroubleJson<'a>>,
    changed_at: Time,
}

#[derive(Debug, Serialize)]
struct TroubleJson<'a> {
    position: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<u32>,
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_attempt_at: Option<Time>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted<'a> {
    #[serde(borrow)]
    url: Option<&'a RawValue>,
    #[serde(borrow)]
    types: Option<&'a RawValue>,
    #[serde(borrow)]
    subject: Option<&'a RawValue>,
    #[serde(borrow)]
    from: Option<&'a RawValue>,
    #[serde(borrow)]
    after: Option<&'a RawValue>,
}

impl<'a> WebhookJson<'a> {
    fn of(info: &'a WebhookInfo) -> Self {
        let (webhook, trouble) = (&info.webhook, info.trouble.as_ref());
        let status = match trouble {
            _ if webhook.is_paused => "paused",
            None => "running",
            Some(trouble) if trouble.attempts.is_some() => "retrying",
            Some(_) => "parked",
        };
        Self {
            name: info.name.as_str(),
            url: &webhook.url,
            types: webhook.filter.types.iter().map(|pattern| pattern.as_str()).collect(),
            subject: webhook.filter.subject.as_deref(),
            status,
            position: info.position.0,
            last: info.last.0,
            lag: info.last.0.saturating_sub(info.position.0),
            dead: info.dead,
            waiting: info.waiting,
            trouble: trouble.map(|trouble| TroubleJson {
                position: trouble.position.0,
                attempts: trouble.attempts,
                reason: &trouble.reason,
                next_attempt_at: trouble.again_ms.map(Time),
            }),
            changed_at: Time(webhook.time_ms),
        }
    }
}

pub(super) async fn list(OfApp(app): OfApp, mut params: Params) -> Result<Response, Problem> {
    let at = take_at(&mut params)?;
    params.finish()?;
    let list = app.webhooks(at).await?;
    let webhooks = list.webhooks.iter().map(WebhookJson::of).collect();
    let body = ListJson { sequence: list.sequence.0, webhooks };
    Ok(read_from(&app, list.sequence, json(StatusCode::OK, &body)))
}

pub(super) async fn show(
    OfApp(app): OfApp,
    Segments((_, name)): Segments<(String, String)>,
    params: Params,
) -> Result<Response, Problem> {
    params.finish()?;
    Ok(answer(&app, StatusCode::OK, &app.webhook(&name)?))
}

/// Makes a webhook, or changes one.
pub(super) async fn put(
    State(shared): SharedState,
    IntoApp(app): IntoApp,
    Segments((_, name)): Segments<(String, String)>,
    params: Params,
    request: Request,
) -> Result<Response, Problem> {
    let name = params.finish().and_then(|()| name_of(&name)).map_err(not_logged)?;
    let text = shared.json_body(request, shared.command_limit()).await.map_err(not_logged)?;
    let wanted = wanted(&text.unwrap_or_default());
    let (url, filter, from) = wanted.map_err(not_logged)?;
    let put = app.put_webhook(&name, &url, filter, from).await;
    let (info, existed) = put.map_err(not_entered)?;
    let status = match existed {
        Existed::Yes => StatusCode::OK,
        Existed::No => StatusCode::CREATED,
    };
    Ok(answer(&app, status, &info))
}

pub(super) async fn remove(
    IntoApp(app): IntoApp,
    Segments((_, name)): Segments<(String, String)>,
    params: Params,
) -> Result<Response, Problem> {
    let name = params.finish().and_then(|()| name_of(&name)).map_err(not_logged)?;
    let receipt = app.remove_webhook(&name).await.map_err(not_entered)?;
    Ok(receipt::answer(&app, &receipt))
}

/// Stops one for a while.
pub(super) async fn pause(
    app: IntoApp,
    segments: Segments<(String, String)>,
    params: Params,
) -> Result<Response, Problem> {
    turn(app, segments, params, Turn::Pause).await
}

/// Has one go on.
pub(super) async fn resume(
    app: IntoApp,
    segments: Segments<(String, String)>,
    params: Params,
) -> Result<Response, Problem> {
    turn(app, segments, params, Turn::Resume).await
}

async fn turn(
    IntoApp(app): IntoApp,
    Segments((_, name)): Segments<(String, String)>,
    params: Params,
    turn: Turn,
) -> Result<Response, Problem> {
    let name = params.finish().and_then(|()| name_of(&name)).map_err(not_logged)?;
    let info = app.turn_webhook(&name, turn).await.map_err(not_entered)?;
    Ok(answer(&app, StatusCode::OK, &info))
}

/// What the body of `PUT` asks for.
fn wanted(text: &str) -> Result<(String, Filter, Option<Whence>), Problem> {
    let wanted: Wanted<'_> = object(text).map_err(|error| unreadable(text, &error))?;
    let url: Option<String> = member("/url", wanted.url)?;
    let url = url.ok_or_else(|| Problem::of_member("/url", "is missing"))?;
    let patterns: Vec<String> = member("/types", wanted.types)?.unwrap_or_default();
    if patterns.len() > PATTERNS_MAX {
        let reason = format!("has more than {PATTERNS_MAX} patterns");
        return Err(Problem::of_member("/types", &reason));
    }
    let types = patterns.iter().enumerate().map(|(index, pattern)| {
        let parsed = pattern.parse();
        parsed.map_err(|error: crate::value::Invalid| {
            Problem::of_member(&format!("/types/{index}"), &error.to_string())
        })
    });
    let types = types.collect::<Result<_, _>>()?;
    let subject = member::<String>("/subject", wanted.subject)?.map(Into::into);
    let from: Option<String> = member("/from", wanted.from)?;
    let after: Option<u64> = member("/after", wanted.after)?;
    let from = match (from.as_deref(), after) {
        (None, None) => None,
        (Some("now"), None) => Some(Whence::Now),
        (Some("start"), None) => Some(Whence::Start),
        (None, Some(position)) => Some(Whence::After(Position(position))),
        (Some(_), Some(_)) => {
            return Err(Problem::of_member("/after", "has no meaning beside `from`"));
        }
        (Some(_), None) => {
            let reason = "must be `now` or `start`; `after` takes a position";
            return Err(Problem::of_member("/from", reason));
        }
    };
    Ok((url, Filter { types, subject }, from))
}

fn answer(app: &App, status: StatusCode, info: &WebhookInfo) -> Response {
    let mut response = json(status, &WebhookJson::of(info));
    insert_text(response.headers_mut(), CHANCERY_HISTORY, &app.snapshots().history());
    response
}

fn not_logged(problem: Problem) -> Problem {
    problem.outcome(Outcome::NotLogged)
}
