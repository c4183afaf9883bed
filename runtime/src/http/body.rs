//! Request bodies: of the right type, within their limits, in bounded time.

use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http_body_util::BodyExt;
use tokio::sync::SemaphorePermit;

use super::Shared;
use super::code::{self, Code};
use super::problem::Problem;

/// What a body may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    pub(super) bytes_max: usize,
    pub(super) wait_max: Duration,
    /// What a body beyond `bytes_max` is called.
    pub(super) too_large: Code,
}

/// A body in memory, and its share of what all bodies may take.
#[derive(Debug)]
pub(super) struct Held<'a> {
    pub(super) bytes: Bytes,
    _share: SemaphorePermit<'a>,
}

impl Shared {
    pub(super) fn command_limit(&self) -> Limit {
        Limit {
            bytes_max: self.settings.command_bytes_max,
            wait_max: self.settings.body_wait_max,
            too_large: code::BODY_TOO_LARGE,
        }
    }

    pub(super) fn query_limit(&self) -> Limit {
        Limit { bytes_max: self.settings.query_input_bytes_max, ..self.command_limit() }
    }

    pub(super) fn upload_limit(&self) -> Limit {
        Limit {
            bytes_max: self.settings.upload_bytes_max,
            wait_max: self.settings.upload_wait_max,
            too_large: code::UPLOAD_TOO_LARGE,
        }
    }

    /// A JSON body as text; empty if there is none.
    pub(super) async fn json_body(
        &self,
        request: Request,
        limit: Limit,
    ) -> Result<Option<String>, Problem> {
        if request.body().is_end_stream() {
            return Ok(None);
        }
        check_json_type(request.headers())?;
        let held = self.body(request.into_body(), limit).await?;
        if held.bytes.is_empty() {
            return Ok(None);
        }
        match std::str::from_utf8(&held.bytes) {
            Ok(text) => Ok(Some(text.to_owned())),
            Err(error) => Err(Problem::not_json("it is not UTF-8", error.valid_up_to())),
        }
    }

    /// Reads a body. What its client says of its length is checked before any of
    /// it is read, and what comes while it is read: nothing is held beyond the
    /// limit, nor beyond what all bodies may take together.
    pub(super) async fn body(&self, body: Body, limit: Limit) -> Result<Held<'_>, Problem> {
        let announced = body.size_hint().lower();
        if usize::try_from(announced).map_or(true, |bytes| bytes > limit.bytes_max) {
            return Err(too_large(limit));
        }
        let reading = tokio::time::timeout(limit.wait_max, self.read(body, limit));
        reading.await.map_err(|_elapsed| {
            let detail = format!("the body did not arrive within {:?}", limit.wait_max);
            Problem::new(code::BODY_TIMEOUT, detail)
        })?
    }

    async fn read(&self, mut body: Body, limit: Limit) -> Result<Held<'_>, Problem> {
        let mut share = self.share_of_bodies(0)?;
        let mut bytes = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| {
                Problem::new(code::INVALID_REQUEST, format!("the body broke off: {error}"))
            })?;
            // Trailers mean nothing here.
            let Ok(data) = frame.into_data() else {
                continue;
            };
            if bytes.len() + data.len() > limit.bytes_max {
                return Err(too_large(limit));
            }
            share.merge(self.share_of_bodies(data.len())?);
            bytes.extend_from_slice(&data);
        }
        Ok(Held { bytes: bytes.freeze(), _share: share })
    }

    /// Taken as bytes come, so that a client has to send what it wants to block.
    fn share_of_bodies(&self, bytes: usize) -> Result<SemaphorePermit<'_>, Problem> {
        let share = u32::try_from(bytes).ok();
        let share = share.and_then(|bytes| self.bodies.try_acquire_many(bytes).ok());
        share.ok_or_else(|| Problem::from(crate::engine::Error::Busy { what: "request bodies" }))
    }
}

/// The media type of a body without its parameters, in lower case.
pub(super) fn media_type(headers: &HeaderMap) -> String {
    let text = headers.get(CONTENT_TYPE).and_then(|text| text.to_str().ok());
    let essence = text.unwrap_or_default().split(';').next();
    essence.unwrap_or_default().trim().to_ascii_lowercase()
}

/// A body that is not what this route takes. Requiring the type of JSON keeps
/// pages of other origins out: a browser asks first before it sends it.
pub(super) fn unsupported(headers: &HeaderMap, wanted: &str) -> Problem {
    let found = match media_type(headers).as_str() {
        "" => "a body without `Content-Type`".to_owned(),
        found => format!("`{}`", found.escape_debug()),
    };
    let detail = format!("{found} is not taken here; send {wanted}");
    Problem::new(code::UNSUPPORTED_MEDIA_TYPE, detail)
}

/// Refuses what is compressed: its limit would have to be on what it becomes.
pub(super) fn check_not_encoded(headers: &HeaderMap) -> Result<(), Problem> {
    match headers.get(CONTENT_ENCODING) {
        Some(encoding) if encoding != "identity" => {
            let detail = "a compressed body is not taken; send it without `Content-Encoding`";
            Err(Problem::new(code::UNSUPPORTED_MEDIA_TYPE, detail))
        }
        _ => Ok(()),
    }
}

/// Refuses what is not JSON, or does not say so.
pub(super) fn check_json_type(headers: &HeaderMap) -> Result<(), Problem> {
    check_not_encoded(headers)?;
    match media_type(headers).as_str() {
        "application/json" => Ok(()),
        _ => Err(unsupported(headers, "`application/json`")),
    }
}

fn too_large(limit: Limit) -> Problem {
    let detail = format!("the body has more than {} bytes, the limit", limit.bytes_max);
    Problem::new(limit.too_large, detail).with("bytes_max", limit.bytes_max)
}
