//! `/v1/apps/{app}/consumers`: programs outside that read events in batches, and say
//! how far they have come. At least once: what was not acknowledged comes again.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Serialize;
use tokio::task::spawn_blocking;

use super::State as SharedState;
use super::answer::{CHANCERY_HISTORY, Time, insert_text, json};
use super::apps::name_of;
use super::at::{IntoApp, OfApp, Segments};
use super::events::{StoredJson, take_after, take_filter};
use super::params::Params;
use super::problem::{Outcome, Problem, internal};
use crate::engine::{App, Batch, Existed};
use crate::events::{Consumer, Limits};
use crate::value::Position;

#[derive(Debug, Serialize)]
struct ListJson<'a> {
    consumers: Vec<ConsumerJson<'a>>,
}

#[derive(Debug, Serialize)]
struct ConsumerJson<'a> {
    name: &'a str,
    position: u64,
    last: u64,
    /// Events after the position, wanted or not.
    lag: u64,
    types: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    changed_at: Time,
}

#[derive(Debug, Serialize)]
struct BatchJson<'a> {
    events: Vec<StoredJson<'a>>,
    /// What to acknowledge when all of them were dealt with.
    acknowledge: u64,
    last: u64,
    lag: u64,
}

impl<'a> ConsumerJson<'a> {
    fn of(app: &App, name: &'a str, consumer: &'a Consumer) -> Self {
        let last = app.events().last().0;
        Self {
            name,
            position: consumer.position.0,
            last,
            lag: last.saturating_sub(consumer.position.0),
            types: consumer.filter.types.iter().map(|pattern| pattern.as_str()).collect(),
            subject: consumer.filter.subject.as_deref(),
            changed_at: Time(consumer.time_ms),
        }
    }
}

pub(super) async fn list(OfApp(app): OfApp, params: Params) -> Result<Response, Problem> {
    params.finish()?;
    let all = app.consumers()?;
    let consumers = all.iter().map(|(name, consumer)| ConsumerJson::of(&app, name, consumer));
    Ok(stamped(&app, json(StatusCode::OK, &ListJson { consumers: consumers.collect() })))
}

pub(super) async fn show(
    OfApp(app): OfApp,
    Segments((_, name)): Segments<(String, String)>,
    params: Params,
) -> Result<Response, Problem> {
    params.finish()?;
    let consumer = app.consumer(&name)?;
    Ok(answer(&app, StatusCode::OK, &name, &consumer))
}

/// Makes a consumer, or changes one.
pub(super) async fn put(
    IntoApp(app): IntoApp,
    Segments((_, name)): Segments<(String, String)>,
    mut params: Params,
) -> Result<Response, Problem> {
    let wanted = take_filter(&mut params).and_then(|filter| {
        let after = take_after(&app, &mut params)?;
        params.finish()?;
        Ok((filter, after, name_of(&name)?))
    });
    let (filter, after, name) = wanted.map_err(not_logged)?;
    let (consumer, existed) = app.put_consumer(&name, after, filter).await?;
    let status = match existed {
        Existed::Yes => StatusCode::OK,
        Existed::No => StatusCode::CREATED,
    };
    Ok(answer(&app, status, name.as_str(), &consumer))
}

pub(super) async fn remove(
    IntoApp(app): IntoApp,
    Segments((_, name)): Segments<(String, String)>,
    params: Params,
) -> Result<Response, Problem> {
    params.finish().map_err(not_logged)?;
    app.remove_consumer(&name_of(&name).map_err(not_logged)?).await?;
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(stamped(&app, response))
}

/// The next events, or none after a while without.
pub(super) async fn fetch(
    State(shared): SharedState,
    OfApp(app): OfApp,
    Segments((_, name)): Segments<(String, String)>,
    mut params: Params,
) -> Result<Response, Problem> {
    let limit = shared.page_limit(&mut params)?;
    let wait = params.number("wait", 0..=shared.settings.wait_max.as_secs(), 0)?;
    params.finish()?;
    let limits = Limits { bytes: shared.settings.page_bytes_max, ..Limits::of(limit) };
    let until = shared.clock.elapsed() + Duration::from_secs(wait);
    let batch = loop {
        let (of, name) = (Arc::clone(&app), name.clone());
        let batch = spawn_blocking(move || of.fetch(&name, limits)).await;
        let batch = batch.map_err(|error| internal(&error.to_string()))??;
        let left = until.saturating_sub(shared.clock.elapsed());
        // A page that ends before the end has seen much that is not wanted: that it
        // may be acknowledged is worth an answer.
        let is_done = !batch.page.events.is_empty() || batch.page.next.is_some();
        if is_done || left.is_zero() || app.events().is_over() {
            break batch;
        }
        let more = app.events().wait_beyond(batch.page.at);
        if tokio::time::timeout(left, more).await.is_err() {
            break batch;
        }
    };
    Ok(stamped(&app, json(StatusCode::OK, &BatchJson::of(&app, &batch))))
}

impl<'a> BatchJson<'a> {
    fn of(app: &App, batch: &'a Batch) -> Self {
        let last = app.events().last().0;
        Self {
            events: batch.page.events.iter().map(|event| StoredJson::of(event)).collect(),
            acknowledge: batch.acknowledge.0,
            last,
            lag: last.saturating_sub(batch.acknowledge.0),
        }
    }
}

/// Moves a consumer on.
pub(super) async fn acknowledge(
    IntoApp(app): IntoApp,
    Segments((_, name)): Segments<(String, String)>,
    mut params: Params,
) -> Result<Response, Problem> {
    let wanted = params.parsed("position").and_then(|position| {
        params.finish()?;
        let missing = || Problem::of_parameter("position", "is missing");
        Ok((name_of(&name)?, Position(position.ok_or_else(missing)?)))
    });
    let (name, position) = wanted.map_err(not_logged)?;
    let consumer = app.acknowledge(&name, position).await?;
    Ok(answer(&app, StatusCode::OK, name.as_str(), &consumer))
}

fn answer(app: &App, status: StatusCode, name: &str, consumer: &Consumer) -> Response {
    stamped(app, json(status, &ConsumerJson::of(app, name, consumer)))
}

fn stamped(app: &App, mut response: Response) -> Response {
    insert_text(response.headers_mut(), CHANCERY_HISTORY, &app.snapshots().history());
    response
}

fn not_logged(problem: Problem) -> Problem {
    problem.outcome(Outcome::NotLogged)
}
