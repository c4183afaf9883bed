//! `/v1/apps/{app}/events`: pages of events, one event, and following them. What
//! `Accept` names decides how they are written.

mod follow;
mod shape;

use std::str::FromStr;
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::Timestamp;
use serde::Serialize;
use tokio::task::spawn_blocking;
use uuid::Uuid;

use self::follow::Follower;
use self::shape::{CloudJson, line};
pub(super) use self::shape::{StoredJson, cloud_event as as_cloud_event};
use super::answer::{CHANCERY_HISTORY, insert_text, json};
use super::at::{OfApp, Segments};
use super::params::Params;
use super::problem::{Problem, internal};
use super::stream::{accepted, last_id};
use super::{Shared, State as SharedState};
use crate::engine::{App, Error, Wanted};
use crate::events::{Filter, Limits, Page};
use crate::state::Order;
use crate::value::{Pattern, Position};

/// Patterns of one request: as many as a projection may have.
pub(super) const PATTERNS_MAX: usize = 64;

#[derive(Debug, Serialize)]
struct PageJson<'a> {
    events: Vec<StoredJson<'a>>,
    next: Option<u64>,
    last: u64,
}

/// How events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Lines,
    Cloud,
    Stream,
}

impl Format {
    /// The first of those that a client names and this server knows.
    fn of(headers: &HeaderMap) -> Self {
        let known = accepted(headers).find_map(|media_type| match media_type.as_str() {
            "application/json" | "*/*" => Some(Self::Json),
            "application/x-ndjson" => Some(Self::Lines),
            "application/cloudevents+json" | "application/cloudevents-batch+json" => {
                Some(Self::Cloud)
            }
            "text/event-stream" => Some(Self::Stream),
            _ => None,
        });
        known.unwrap_or(Self::Json)
    }
}

pub(super) async fn list(
    State(shared): SharedState,
    OfApp(app): OfApp,
    mut params: Params,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let format = Format::of(&headers);
    let filter = take_filter(&mut params)?;
    let after = take_after(&app, &mut params)?;
    let from_ms = params.parsed::<Millis>("from_time")?.map(|time| time.0);
    if format == Format::Stream {
        params.finish()?;
        let after = last_id(&app, &headers, "position")?.map(Position).or(after);
        return follow(&shared, app, after, from_ms, filter).await;
    }
    let before = params.parsed("before")?.map(Position);
    let to_ms = params.parsed::<Millis>("to_time")?.map(|time| time.0);
    let order = params.parsed::<InOrder>("order")?.map_or(Order::Ascending, |order| order.0);
    let limit = shared.page_limit(&mut params)?;
    params.finish()?;
    let wanted = Wanted { after, before, from_ms, to_ms, filter, order };
    let limits = Limits { bytes: shared.settings.page_bytes_max, ..Limits::of(limit) };
    let page = read(&app, move |app| app.events_page(&wanted, limits)).await?;
    let next = page.next.map(|next| match order {
        Order::Ascending => next.0.saturating_sub(1),
        Order::Descending => next.0 + 1,
    });
    let mut response = answer(&app, format, &page, next);
    insert_text(response.headers_mut(), CHANCERY_HISTORY, &app.snapshots().history());
    Ok(response)
}

pub(super) async fn show(
    OfApp(app): OfApp,
    Segments((_, asked)): Segments<(String, String)>,
    params: Params,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    params.finish()?;
    let event = match asked.parse()? {
        One::At(position) => read(&app, move |app| app.event(position)).await?,
        One::WithId(id) => read(&app, move |app| app.event_with_id(id)).await?,
    };
    let mut response = match Format::of(&headers) {
        Format::Cloud => {
            let event = CloudJson::of(&app, &event);
            typed("application/cloudevents+json; charset=utf-8", json(StatusCode::OK, &event))
        }
        Format::Json | Format::Lines | Format::Stream => {
            json(StatusCode::OK, &StoredJson::of(&event))
        }
    };
    insert_text(response.headers_mut(), CHANCERY_HISTORY, &app.snapshots().history());
    Ok(response)
}

async fn follow(
    shared: &Shared,
    app: Arc<App>,
    after: Option<Position>,
    from_ms: Option<u64>,
    filter: Filter,
) -> Result<Response, Problem> {
    let Ok(place) = Arc::clone(&shared.followers).try_acquire_owned() else {
        return Err(Error::Busy { what: "followers of events" }.into());
    };
    let next = match (after, from_ms) {
        (Some(after), _) => {
            app.check_after(after)?;
            Position(after.0 + 1)
        }
        (None, Some(from_ms)) => {
            read(&app, move |app| Ok(app.events().position_at(from_ms)?)).await?
        }
        (None, None) => app.events().first(),
    };
    Ok(Follower::new(app, next, filter, place).into_response())
}

/// Reads from the disk, where it holds nobody up.
async fn read<T: Send + 'static>(
    app: &Arc<App>,
    what: impl FnOnce(&App) -> Result<T, Error> + Send + 'static,
) -> Result<T, Problem> {
    let app = Arc::clone(app);
    let done = spawn_blocking(move || what(&app)).await;
    Ok(done.map_err(|error| internal(&error.to_string()))??)
}

fn answer(app: &App, format: Format, page: &Page, next: Option<u64>) -> Response {
    let events = &page.events;
    match format {
        Format::Json | Format::Stream => {
            let events = events.iter().map(|event| StoredJson::of(event)).collect();
            json(StatusCode::OK, &PageJson { events, next, last: page.at.0 })
        }
        Format::Lines => {
            let lines: String = events.iter().map(|event| line(event) + "\n").collect();
            let mut response = typed("application/x-ndjson", lines.into_response());
            with_next(&mut response, next);
            response
        }
        Format::Cloud => {
            let events: Vec<_> = events.iter().map(|event| CloudJson::of(app, event)).collect();
            let media_type = "application/cloudevents-batch+json; charset=utf-8";
            let mut response = typed(media_type, json(StatusCode::OK, &events));
            with_next(&mut response, next);
            response
        }
    }
}

/// Where a body has no place for where to go on.
fn with_next(response: &mut Response, next: Option<u64>) {
    if let Some(next) = next {
        response.headers_mut().insert("chancery-next", HeaderValue::from(next));
    }
}

fn typed(media_type: &'static str, mut response: Response) -> Response {
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

pub(super) fn take_filter(params: &mut Params) -> Result<Filter, Problem> {
    let mut types = Vec::new();
    while let Some(pattern) = params.parsed::<Pattern>("type")? {
        types.push(pattern);
        if types.len() > PATTERNS_MAX {
            let reason = format!("is there more than {PATTERNS_MAX} times");
            return Err(Problem::of_parameter("type", &reason));
        }
    }
    Ok(Filter { types, subject: params.text("subject").map(Arc::from) })
}

/// Takes `after`: a position, or the last that there is now.
pub(super) fn take_after(app: &App, params: &mut Params) -> Result<Option<Position>, Problem> {
    match params.parsed::<After>("after")? {
        Some(After::Last) => Ok(Some(app.events().last())),
        Some(After::Event(position)) => Ok(Some(position)),
        None => Ok(None),
    }
}

enum After {
    Event(Position),
    Last,
}

impl FromStr for After {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "last" => Ok(Self::Last),
            text => match text.parse() {
                Ok(position) => Ok(Self::Event(Position(position))),
                Err(error) => Err(format!("{error}; a position, or `last`")),
            },
        }
    }
}

/// One event, however it is called.
enum One {
    At(Position),
    WithId(Uuid),
}

impl FromStr for One {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let position = text.parse().map(|position| Self::At(Position(position)));
        let id = || Uuid::try_parse(text).map(Self::WithId);
        position.or_else(|_| id()).map_err(|_neither| {
            let detail = format!(
                "`{}` is neither the position of an event nor the id of one",
                text.escape_debug()
            );
            Problem::new(super::code::INVALID_REQUEST, detail)
        })
    }
}

/// RFC 3339, or milliseconds since 1970.
struct Millis(u64);

impl FromStr for Millis {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(ms) = text.parse() {
            return Ok(Self(ms));
        }
        let time: Timestamp = text.parse().map_err(|error| {
            format!("{error}; RFC 3339 as in 2026-01-31T12:00:00Z, or milliseconds since 1970")
        })?;
        Ok(Self(u64::try_from(time.as_millisecond()).unwrap_or(0)))
    }
}

struct InOrder(Order);

impl FromStr for InOrder {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "asc" => Ok(Self(Order::Ascending)),
            "desc" => Ok(Self(Order::Descending)),
            _ => Err("it is `asc` or `desc`"),
        }
    }
}
