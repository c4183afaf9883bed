//! Following events: server-sent events, for as long as the client listens.
//!
//! A follower is a position. Nothing is read for it before its client has taken what
//! was read last, so one that is slow costs a page of memory, and none can miss an
//! event unawares: if those it has not taken yet are not kept any more, its stream ends
//! with `$failed`. Names of the server's own begin with `$`, which no type of event does.

use std::convert::Infallible;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName};
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::spawn_blocking;

use super::super::answer::CHANCERY_HISTORY;
use super::super::code::{self, Code};
use super::super::problem::Problem;
use super::shape::line;
use crate::engine::App;
use crate::events::{Filter, Limits, Page};
use crate::state::Order;
use crate::value::{History, Position, chain_of};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Proxies that collect an answer before they pass it on would do so for ever.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
/// Half of what common proxies wait for.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// What one follower may hold in memory.
const LIMITS: Limits = Limits { events: 256, bytes: 256 << 10, scanned: 4096 };

/// The event that a client had last, as `<history>/<position>`.
pub(super) fn last_event(app: &App, headers: &HeaderMap) -> Result<Option<Position>, Problem> {
    let Some(field) = headers.get(LAST_EVENT_ID) else { return Ok(None) };
    let text = field.to_str().unwrap_or_default().trim();
    let parts = text.split_once('/').and_then(|(history, position)| {
        Some((uuid::Uuid::try_parse(history).ok()?, position.parse().ok()?))
    });
    let Some((history, position)) = parts else {
        let detail = "the header `Last-Event-ID` must be `<history>/<position>`, as it was sent";
        return Err(Problem::new(code::INVALID_REQUEST, detail));
    };
    let now = app.snapshots().history();
    if history != now.0 {
        let detail = format!(
            "the history of this app is {now}, not {history}: it was created or restored since, \
             and positions of the old history mean nothing in it"
        );
        return Err(Problem::new(code::HISTORY_CHANGED, detail).with("history", now.0));
    }
    Ok(Some(Position(position)))
}

/// Somebody who follows.
pub(super) struct Follower {
    app: Arc<App>,
    history: History,
    next: Position,
    filter: Arc<Filter>,
    /// Whether it was told that it has all there was.
    is_told: bool,
    /// After a failure there is nothing more to say.
    is_over: bool,
    /// Given back when the client goes.
    _place: OwnedSemaphorePermit,
}

/// Why there is nothing more to come.
struct Failed {
    code: Code,
    detail: String,
    /// The first event that is kept, if it is not the one that was to come.
    first: Option<u64>,
}

impl Follower {
    pub(super) fn new(
        app: Arc<App>,
        next: Position,
        filter: Filter,
        place: OwnedSemaphorePermit,
    ) -> Self {
        let (history, filter) = (app.snapshots().history(), Arc::new(filter));
        Self { app, history, next, filter, is_told: false, is_over: false, _place: place }
    }

    /// What is to be sent next; none at the end.
    async fn chunk(&mut self) -> Option<String> {
        loop {
            let events = self.app.events();
            if self.is_over || events.is_over() {
                return None;
            }
            if self.next <= events.last() {
                match self.page().await {
                    Ok(page) => {
                        self.next = page.next.unwrap_or(Position(page.at.0 + 1));
                        if !page.events.is_empty() {
                            return Some(self.frames(&page));
                        }
                    }
                    Err(Failed { code, detail, first }) => {
                        self.is_over = true;
                        let data = json!({ "code": code.code, "detail": detail, "first": first });
                        return Some(format!("event: $failed\ndata: {data}\n\n"));
                    }
                }
            } else if !self.is_told {
                self.is_told = true;
                let (id, position) = (self.id(self.before()), self.before());
                return Some(format!(
                    "id: {id}\nevent: $caught-up\ndata: {{\"position\":{position}}}\n\n"
                ));
            } else {
                let more = events.wait_beyond(self.before());
                if tokio::time::timeout(KEEP_ALIVE, more).await.is_err() {
                    // Of what was not wanted it need not be told again.
                    return Some(format!(": still here\nid: {}\n\n", self.id(self.before())));
                }
            }
        }
    }

    async fn page(&self) -> Result<Page, Failed> {
        if let Some(page) = self.app.events().newest(self.next, &self.filter, LIMITS) {
            return Ok(page);
        }
        let (app, filter, next) = (Arc::clone(&self.app), Arc::clone(&self.filter), self.next);
        let read = move || app.events().page(next, Order::Ascending, &filter, LIMITS);
        let page = match spawn_blocking(read).await {
            Ok(page) => page.map_err(|error| chain_of(&error)),
            Err(error) => Err(error.to_string()),
        };
        // Afterwards: what it was read from may have been removed meanwhile.
        if let Err(gone) = self.app.check_after(self.before()) {
            let (code, detail) = (code::EVENTS_GONE, gone.to_string());
            return Err(Failed { code, detail, first: Some(self.app.events().first().0) });
        }
        page.map_err(|reason| {
            tracing::error!(app = %self.app.name(), reason, "events cannot be read");
            let detail = "events cannot be read; the server's log says more".to_owned();
            Failed { code: code::INTERNAL, detail, first: None }
        })
    }

    fn frames(&self, page: &Page) -> String {
        let mut frames = String::new();
        for event in &page.events {
            let (id, name) = (self.id(event.position), &event.event_type);
            // Writing to a string does not fail.
            write!(frames, "id: {id}\nevent: {name}\ndata: {}\n\n", line(event))
                .unwrap_or_default();
        }
        frames
    }

    fn id(&self, position: Position) -> String {
        format!("{}/{position}", self.history)
    }

    fn before(&self) -> Position {
        Position(self.next.0.saturating_sub(1))
    }
}

impl IntoResponse for Follower {
    fn into_response(self) -> Response {
        let history = self.history.to_string();
        let chunks = stream::unfold(self, |mut follower| async {
            let chunk = follower.chunk().await?;
            Some((Ok::<_, Infallible>(Bytes::from(chunk)), follower))
        });
        let headers = [
            (CONTENT_TYPE, "text/event-stream".to_owned()),
            (CACHE_CONTROL, "no-store".to_owned()),
            (X_ACCEL_BUFFERING, "no".to_owned()),
            (CHANCERY_HISTORY, history),
        ];
        (headers, Body::from_stream(chunks)).into_response()
    }
}
