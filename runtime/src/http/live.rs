//! Live queries as server-sent events: each result when something it was made of has
//! changed, for as long as the client listens.
//!
//! A message is a whole answer, so none has to be kept for a client that is slow or comes
//! again: it gets the present one.

use std::convert::Infallible;
use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use base64::display::Base64Display;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures_util::stream;
use http::HeaderMap;
use tokio::time::timeout;

use super::params::Params;
use super::problem::Problem;
use super::stream::{KEEP_ALIVE, accepted, last_id, response};
use crate::engine::{App, At, Error, Live, LiveRequest, Update};
use crate::value::{History, Value};

/// How a question is to be answered.
#[derive(Debug, Clone, Copy)]
pub(super) enum Manner {
    /// Once.
    Once,
    /// Whenever the answer may have changed, so often in a second at most.
    Live { rate_max: u32 },
}

impl Manner {
    /// What the client says it accepts decides; `max_rate` is for live queries only.
    pub(super) fn take(
        app: &App,
        at: At,
        params: &mut Params,
        headers: &HeaderMap,
    ) -> Result<Self, Problem> {
        let known = accepted(headers).find_map(|media_type| match media_type.as_str() {
            "text/event-stream" => Some(true),
            "application/json" | "application/octet-stream" | "*/*" => Some(false),
            _ => None,
        });
        if known != Some(true) {
            return Ok(Self::Once);
        }
        if at.as_of.is_some() {
            let reason = "names one state, which never changes; leave it out, or do not accept \
                          `text/event-stream`";
            return Err(Problem::of_parameter("as_of", reason));
        }
        last_id(app, headers, "sequence")?;
        let most = app.live_rate_max().into();
        let rate_max = params.number("max_rate", 1..=most, most)?;
        Ok(Self::Live { rate_max: u32::try_from(rate_max).unwrap_or(u32::MAX) })
    }
}

/// Answers for as long as the client listens.
pub(super) async fn follow(app: &Arc<App>, request: LiveRequest) -> Result<Response, Problem> {
    let live = app.live(request).await?;
    let history = app.snapshots().history();
    Ok(Messages { live, history, is_over: false }.into_response())
}

struct Messages {
    live: Live,
    history: History,
    is_over: bool,
}

impl Messages {
    /// What is to be sent next; none at the end.
    async fn next(&mut self) -> Option<String> {
        if self.is_over {
            return None;
        }
        match timeout(KEEP_ALIVE, self.live.next()).await {
            Ok(update) => Some(self.message(update?)),
            Err(_elapsed) => Some(": still here\n\n".to_owned()),
        }
    }

    fn message(&mut self, Update { sequence, answer }: Update) -> String {
        let (name, data) = match answer {
            Ok(value) => ("result", json(&value)),
            Err(error) => {
                let name = match &error {
                    Error::QueryRejected { .. } => "rejected",
                    Error::UnknownQuery { .. } => "gone",
                    _ => "failed",
                };
                self.is_over = name == "gone";
                (name, Problem::from(error).document())
            }
        };
        format!("id: {}/{sequence}\nevent: {name}\ndata: {data}\n\n", self.history)
    }
}

impl IntoResponse for Messages {
    fn into_response(self) -> Response {
        let history = self.history;
        let messages = stream::unfold(self, |mut messages| async {
            let message = messages.next().await?;
            Some((Ok::<_, Infallible>(Bytes::from(message)), messages))
        });
        response(history, messages)
    }
}

/// A result in one line. The only line breaks that JSON can have are between its tokens.
fn json(value: &Value) -> String {
    match value {
        Value::Json(text) => text.replace(['\n', '\r'], " "),
        Value::Bytes(bytes) => {
            format!(r#"{{"$bytes":"{}"}}"#, Base64Display::new(bytes, &BASE64_STANDARD))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_one_line() {
        let json = |text: &str| json(&Value::Json(text.into()));
        assert_eq!(json("{\r\n  \"a\": \"\\n\"\n}"), "{    \"a\": \"\\n\" }");
        assert_eq!(super::json(&Value::Bytes([1, 2, 3].into())), r#"{"$bytes":"AQID"}"#);
    }
}
