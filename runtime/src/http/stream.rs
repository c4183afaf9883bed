//! Server-sent events, and what every stream of them has in common.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::Stream;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName};

use super::answer::CHANCERY_HISTORY;
use super::code;
use super::problem::Problem;
use crate::engine::App;
use crate::value::History;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Proxies that collect an answer before they pass it on would do so for ever.
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
/// How long nothing is sent. Half of what common proxies wait for.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The media types that a client names, in its order and in lower case.
pub(super) fn accepted(headers: &HeaderMap) -> impl Iterator<Item = String> {
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
    let types = accept.unwrap_or_default().split(',');
    types.map(|text| text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
}

/// The number in the id of what a client had last, which is `<history>/<number>`.
pub(super) fn last_id(
    app: &App,
    headers: &HeaderMap,
    numbers: &str,
) -> Result<Option<u64>, Problem> {
    let Some(field) = headers.get(LAST_EVENT_ID) else { return Ok(None) };
    let text = field.to_str().unwrap_or_default().trim();
    let parts = text.split_once('/').and_then(|(history, number)| {
        Some((uuid::Uuid::try_parse(history).ok()?, number.parse().ok()?))
    });
    let Some((history, number)) = parts else {
        let detail =
            format!("the header `Last-Event-ID` must be `<history>/<{numbers}>`, as it was sent");
        return Err(Problem::new(code::INVALID_REQUEST, detail));
    };
    let now = app.snapshots().history();
    if history != now.0 {
        let detail = format!(
            "the history of this app is {now}, not {history}: it was created or restored since, \
             and a {numbers} of the old history means nothing in it"
        );
        return Err(Problem::new(code::HISTORY_CHANGED, detail).with("history", now.0));
    }
    Ok(Some(number))
}

/// An answer that goes on for as long as there are messages and its client listens.
pub(super) fn response(
    history: History,
    messages: impl Stream<Item = Result<Bytes, Infallible>> + Send + 'static,
) -> Response {
    let headers = [
        (CONTENT_TYPE, "text/event-stream".to_owned()),
        (CACHE_CONTROL, "no-store".to_owned()),
        (X_ACCEL_BUFFERING, "no".to_owned()),
        (CHANCERY_HISTORY, history.to_string()),
    ];
    (headers, Body::from_stream(messages)).into_response()
}
