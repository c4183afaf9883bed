//! What answers are made of: JSON, stored values as they are, and the header
//! fields that several resources share.

use std::fmt;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use jiff::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::problem::internal;
use crate::engine::App;
use crate::value::{History, Sequence, Value};

pub(super) const CHANCERY_HISTORY: HeaderName = HeaderName::from_static("chancery-history");
pub(super) const CHANCERY_SEQUENCE: HeaderName = HeaderName::from_static("chancery-sequence");
pub(super) const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
pub(super) const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
pub(super) const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// An answer of the server's own making.
pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(body) => {
            let json = HeaderValue::from_static("application/json");
            (status, [(CONTENT_TYPE, json)], body).into_response()
        }
        Err(error) => internal(&error.to_string()).into_response(),
    }
}

/// A value as the whole body, without a copy.
pub(super) fn value(value: Value) -> Response {
    let media_type = match &value {
        Value::Json(_) => "application/json",
        Value::Bytes(_) => "application/octet-stream",
    };
    let media_type = HeaderValue::from_static(media_type);
    let body = Bytes::from_owner(Shared(value));
    ([(CONTENT_TYPE, media_type)], body).into_response()
}

struct Shared(Value);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// Says of which state an answer is.
pub(super) fn stamp(response: &mut Response, history: History, sequence: Sequence) {
    let headers = response.headers_mut();
    headers.insert(CHANCERY_SEQUENCE, HeaderValue::from(sequence.0));
    insert_text(headers, CHANCERY_HISTORY, &history);
}

/// An answer read from a state of an app.
pub(super) fn read_from(app: &App, sequence: Sequence, mut response: Response) -> Response {
    stamp(&mut response, app.snapshots().history(), sequence);
    response
}

/// A field of text that this server made. None is set if it were no field value,
/// which names, numbers and UUIDs always are.
pub(super) fn insert_text(headers: &mut HeaderMap, name: HeaderName, text: &dyn fmt::Display) {
    if let Ok(value) = HeaderValue::try_from(text.to_string()) {
        headers.insert(name, value);
    }
}

/// One entry of `Server-Timing`, which counts in milliseconds.
pub(super) fn timing(name: &str, duration: Duration) -> String {
    format!("{name};dur={:.3}", duration.as_secs_f64() * 1000.0)
}

/// JSON text that was checked when it was stored. Scanned again, not parsed:
/// what is no JSON after all must not break the document around it.
pub(super) fn raw(text: &str) -> &RawValue {
    serde_json::from_str(text).unwrap_or(RawValue::NULL)
}

/// Milliseconds since 1970, shown as RFC 3339 in UTC.
#[derive(Debug, Clone, Copy)]
pub(super) struct Time(pub(super) u64);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = i64::try_from(self.0).unwrap_or(i64::MAX);
        // Beyond the year 9999 only a broken clock would be.
        let time = Timestamp::from_millisecond(ms).unwrap_or(Timestamp::MAX);
        write!(f, "{time:.3}")
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
