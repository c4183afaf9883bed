//! Following events: server-sent events, for as long as the client listens.
//!
//! A follower is a position. Nothing is read for it before its client has taken what
//! was read last, so one that is slow costs a page of memory, and none can miss an
//! event unawares: if those it has not taken yet are not kept any more, its stream ends
//! with `$failed`. Names of the server's own begin with `$`, which no type of event does.

use std::convert::Infallible;
use std::fmt::Write;
use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;

use super::super::code::{self, Code};
use super::super::stream::{KEEP_ALIVE, response};
use super::shape::line;
use crate::engine::App;
use crate::events::{Filter, Limits, Page};
use crate::value::{History, Position, chain_of};

/// What one follower may hold in memory.
const LIMITS: Limits = Limits { events: 256, bytes: 256 << 10, scanned: 4096 };

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
        let page = self.app.read_on(self.next, &self.filter, LIMITS).await;
        // Afterwards: what it was read from may have been removed meanwhile.
        if let Err(gone) = self.app.check_after(self.before()) {
            let (code, detail) = (code::EVENTS_GONE, gone.to_string());
            return Err(Failed { code, detail, first: Some(self.app.events().first().0) });
        }
        page.map_err(|error| {
            let reason = chain_of(&error);
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
        let history = self.history;
        let chunks = stream::unfold(self, |mut follower| async {
            let chunk = follower.chunk().await?;
            Some((Ok::<_, Infallible>(Bytes::from(chunk)), follower))
        });
        response(history, chunks)
    }
}
