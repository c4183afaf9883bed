//! `/v1/apps/{app}/dead-letters`: events that reactions could not handle or webhooks not
//! deliver, and those that wait behind them.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Serialize;
use uuid::Uuid;

use super::answer::{Time, json, read_from};
use super::at::{IntoApp, OfApp, Segments, take_at};
use super::code;
use super::modules::not_entered;
use super::params::Params;
use super::problem::Problem;
use super::receipt;
use crate::engine::DeadLetter;
use crate::lane::reactions::{Addressee, LetterState};
use crate::value::Position;

#[derive(Debug, Serialize)]
struct LettersJson<'a> {
    sequence: u64,
    dead_letters: Vec<LetterJson<'a>>,
    next: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct LetterJson<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    reaction: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook: Option<&'a str>,
    /// The event's; `GET …/events/{position}` shows it.
    position: u64,
    state: &'static str,
    event_id: Uuid,
    #[serde(rename = "type")]
    event_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<FailureJson<'a>>,
    attempts: u32,
    first_at: Time,
    last_at: Time,
}

#[derive(Debug, Serialize)]
struct FailureJson<'a> {
    code: &'a str,
    message: &'a str,
}

impl<'a> LetterJson<'a> {
    fn of(dead: &'a DeadLetter) -> Self {
        let letter = &dead.letter;
        let failed = letter.state != LetterState::Waiting;
        let (reaction, webhook) = match &dead.addressee {
            Addressee::Reaction(name) => (Some(name.as_str()), None),
            Addressee::Webhook(name) => (None, Some(name.as_str())),
        };
        Self {
            reaction,
            webhook,
            position: dead.position.0,
            state: letter.state.as_str(),
            event_id: letter.event_id,
            event_type: &letter.event_type,
            subject: letter.subject.as_deref(),
            failure: failed.then(|| FailureJson { code: &letter.code, message: &letter.message }),
            attempts: letter.attempts,
            first_at: Time(letter.first_ms),
            last_at: Time(letter.last_ms),
        }
    }
}

pub(super) async fn list(
    State(shared): super::State,
    OfApp(app): OfApp,
    mut params: Params,
) -> Result<Response, Problem> {
    let at = take_at(&mut params)?;
    // Names of webhooks and reactions do not exclude each other: these do.
    let addressee = match (params.text("reaction"), params.text("webhook")) {
        (Some(_), Some(_)) => {
            return Err(Problem::of_parameter("webhook", "has no meaning beside `reaction`"));
        }
        (None, Some(webhook)) => Some(format!("webhook:{webhook}")),
        (reaction, None) => reaction,
    };
    let after = params.text("after");
    let limit = shared.page_limit(&mut params)?;
    params.finish()?;
    let page = app.dead_letters(at, addressee.as_deref(), after.as_deref(), limit).await?;
    let body = LettersJson {
        sequence: page.sequence.0,
        dead_letters: page.letters.iter().map(LetterJson::of).collect(),
        next: page.next.as_deref(),
    };
    Ok(read_from(&app, page.sequence, json(StatusCode::OK, &body)))
}

pub(super) async fn show(
    OfApp(app): OfApp,
    Segments((_, addressee, position)): Segments<(String, String, String)>,
    mut params: Params,
) -> Result<Response, Problem> {
    let at = take_at(&mut params)?;
    params.finish()?;
    let (sequence, letter) = app.dead_letter(at, &addressee, position_of(&position)?).await?;
    Ok(read_from(&app, sequence, json(StatusCode::OK, &LetterJson::of(&letter))))
}

pub(super) async fn retry(
    IntoApp(app): IntoApp,
    Segments((_, addressee, position)): Segments<(String, String, String)>,
    params: Params,
) -> Result<Response, Problem> {
    params.finish()?;
    let receipt = app.retry_dead_letter(&addressee, position_of(&position)?).await;
    Ok(receipt::answer(&app, &receipt.map_err(not_entered)?))
}

pub(super) async fn drop_letter(
    IntoApp(app): IntoApp,
    Segments((_, addressee, position)): Segments<(String, String, String)>,
    params: Params,
) -> Result<Response, Problem> {
    params.finish()?;
    let receipt = app.drop_dead_letter(&addressee, position_of(&position)?).await;
    Ok(receipt::answer(&app, &receipt.map_err(not_entered)?))
}

fn position_of(text: &str) -> Result<Position, Problem> {
    text.parse().map(Position).map_err(|error| {
        let detail = format!("`{}` is no position: {error}", text.escape_debug());
        Problem::new(code::INVALID_REQUEST, detail)
    })
}
