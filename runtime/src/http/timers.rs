//! `/v1/apps/{app}/timers`: commands that are to be submitted later, in the order in
//! which they will be.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::answer::{Time, json, raw, read_from};
use super::at::{IntoApp, OfApp, Segments, take_at};
use super::code;
use super::modules::not_entered;
use super::params::Params;
use super::problem::Problem;
use super::receipt;
use crate::transaction::timers::Timer;

#[derive(Debug, Serialize)]
struct TimersJson<'a> {
    sequence: u64,
    count: u64,
    timers: Vec<TimerJson<'a>>,
    next: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct TimerJson<'a> {
    /// The id of the command, once it is submitted.
    id: Uuid,
    due: Time,
    command: &'a str,
    input: &'a RawValue,
    metadata: &'a RawValue,
    correlation_id: &'a str,
    causation_id: &'a str,
    /// The entry that asked for it, or whose event a reaction followed.
    since: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    reaction: Option<&'a str>,
}

impl<'a> TimerJson<'a> {
    fn of(timer: &'a Timer) -> Self {
        Self {
            id: timer.id,
            due: Time(timer.due_ms),
            command: timer.command.name.as_str(),
            input: raw(&timer.command.input),
            metadata: raw(&timer.command.metadata),
            correlation_id: &timer.correlation_id,
            causation_id: &timer.causation_id,
            since: timer.turn.sequence.0,
            reaction: timer.reaction.as_ref().map(crate::value::Name::as_str),
        }
    }
}

pub(super) async fn list(
    State(shared): super::State,
    OfApp(app): OfApp,
    mut params: Params,
) -> Result<Response, Problem> {
    let at = take_at(&mut params)?;
    let after = params.text("after");
    let limit = shared.page_limit(&mut params)?;
    params.finish()?;
    let bytes_max = shared.settings.page_bytes_max;
    let page = app.timers(at, after.as_deref(), limit, bytes_max).await?;
    let body = TimersJson {
        sequence: page.sequence.0,
        count: page.count,
        timers: page.timers.iter().map(TimerJson::of).collect(),
        next: page.next.as_deref(),
    };
    Ok(read_from(&app, page.sequence, json(StatusCode::OK, &body)))
}

pub(super) async fn show(
    OfApp(app): OfApp,
    Segments((_, id)): Segments<(String, String)>,
    mut params: Params,
) -> Result<Response, Problem> {
    let at = take_at(&mut params)?;
    params.finish()?;
    let (sequence, timer) = app.timer(at, timer_id(&id)?).await?;
    Ok(read_from(&app, sequence, json(StatusCode::OK, &TimerJson::of(&timer))))
}

pub(super) async fn cancel(
    IntoApp(app): IntoApp,
    Segments((_, id)): Segments<(String, String)>,
    params: Params,
) -> Result<Response, Problem> {
    params.finish()?;
    let receipt = app.cancel_timer(timer_id(&id)?).await.map_err(not_entered)?;
    Ok(receipt::answer(&app, &receipt))
}

fn timer_id(text: &str) -> Result<Uuid, Problem> {
    let invalid = |_| Problem::new(code::INVALID_ID, format!("`{text}` is not the id of a timer"));
    Uuid::try_parse(text).map_err(invalid)
}
