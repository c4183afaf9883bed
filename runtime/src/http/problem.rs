//! Problems as RFC 9457 has them: what every answer that is not what was asked
//! for looks like. It knows no error of the engine; `of_engine` does.

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, StatusCode};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

use super::answer::raw;
use super::code::{self, Code, Retry};
use crate::schema;
use crate::value::Failure;

/// When to come back, in seconds: most of what passes has passed by then.
pub(super) const RETRY_AFTER_S: HeaderValue = HeaderValue::from_static("1");

/// What has become of the command, or other entry, that the request was about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// This request logged nothing.
    NotLogged,
    /// It is durable, and will be executed.
    Logged,
    /// It was executed, and that is durable.
    Executed,
    /// Nobody knows; the same id tells.
    Unknown,
}

/// An answer that is not what was asked for. Boxed: it is the rare case of every
/// result here.
#[derive(Debug)]
pub(super) struct Problem(Box<Members>);

#[derive(Debug)]
struct Members {
    kind: Code,
    /// The kind's, or the handler's own.
    code: Cow<'static, str>,
    detail: String,
    outcome: Option<Outcome>,
    retry: Retry,
    extras: Vec<(&'static str, Box<RawValue>)>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// One place of a document that is not as it should be.
#[derive(Debug, Serialize)]
pub(super) struct Place<'a> {
    pub(super) pointer: &'a str,
    pub(super) detail: &'a str,
}

impl Problem {
    pub(super) fn new(kind: Code, detail: impl Into<String>) -> Self {
        Self(Box::new(Members {
            kind,
            code: Cow::Borrowed(kind.code),
            detail: detail.into(),
            outcome: None,
            retry: kind.retry,
            extras: Vec::new(),
            headers: Vec::new(),
        }))
    }

    /// What a handler said: the code is its own.
    pub(super) fn of_handler(kind: Code, failure: &Failure) -> Self {
        let mut problem = Self::new(kind, &*failure.message);
        problem.0.code = Cow::Owned(failure.code.as_ref().to_owned());
        match failure.details.as_deref() {
            Some(details) => problem.with("details", raw(details)),
            None => problem,
        }
    }

    /// An input, or a whole body, that is not what it should be.
    pub(super) fn of_input(refused: &schema::Refused) -> Self {
        match refused {
            schema::Refused::NotJson { reason, offset } => Self::not_json(reason, *offset),
            schema::Refused::Unfit(violations) => {
                let places = violations.iter().map(|violation| Place {
                    pointer: &violation.pointer,
                    detail: &violation.message,
                });
                let places: Vec<_> = places.collect();
                Self::new(code::INVALID_INPUT, refused.to_string()).with("errors", places)
            }
        }
    }

    /// A body or text that is not JSON.
    pub(super) fn not_json(reason: &str, offset: usize) -> Self {
        let detail = format!("{reason} at byte {offset}");
        Self::new(code::NOT_JSON, detail).with("offset", offset)
    }

    /// A parameter of the query string that cannot be read.
    pub(super) fn of_parameter(name: &str, reason: &str) -> Self {
        let detail = format!("parameter `{name}` {reason}");
        Self::new(code::INVALID_REQUEST, detail).with("parameter", name)
    }

    /// A member of a JSON body that is not as it should be.
    pub(super) fn of_member(pointer: &str, reason: &str) -> Self {
        let detail = format!("member `{pointer}`: {reason}");
        let places = [Place { pointer, detail: reason }];
        Self::new(code::INVALID_REQUEST, detail).with("errors", places)
    }

    /// Says what became of the command, unless something said so already.
    pub(super) fn outcome(mut self, outcome: Outcome) -> Self {
        self.0.outcome.get_or_insert(outcome);
        self
    }

    /// Says what became of the command, whatever was said before.
    pub(super) fn outcome_instead(mut self, outcome: Outcome) -> Self {
        self.0.outcome = Some(outcome);
        self
    }

    pub(super) fn retry(mut self, retry: Retry) -> Self {
        self.0.retry = retry;
        self
    }

    pub(super) fn detail(mut self, detail: &str) -> Self {
        detail.clone_into(&mut self.0.detail);
        self
    }

    /// A further member; none if it has no JSON, which nothing here lacks.
    pub(super) fn with(mut self, name: &'static str, value: impl Serialize) -> Self {
        if let Ok(value) = to_raw_value(&value) {
            self.0.extras.push((name, value));
        }
        self
    }

    pub(super) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    pub(super) fn allow(self, methods: HeaderValue) -> Self {
        self.header(ALLOW, methods)
    }

    /// The document by itself, in one line.
    pub(super) fn document(&self) -> String {
        serde_json::to_string(&self.0).unwrap_or_default()
    }

    pub(super) fn kind(&self) -> Code {
        self.0.kind
    }

    pub(super) fn retry_soon(self) -> Self {
        self.header(RETRY_AFTER, RETRY_AFTER_S)
    }

    pub(super) fn suggestion(self, suggestion: Option<String>) -> Self {
        match suggestion {
            Some(name) => self.with("suggestion", name),
            None => self,
        }
    }
}

impl Serialize for Members {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", &format_args!("/errors/{}", self.kind.code))?;
        map.serialize_entry("title", self.kind.title)?;
        map.serialize_entry("status", &self.kind.status.as_u16())?;
        map.serialize_entry("detail", &self.detail)?;
        map.serialize_entry("code", &self.code)?;
        if let Some(outcome) = self.outcome {
            map.serialize_entry("outcome", outcome.as_str())?;
        }
        map.serialize_entry("retry", self.retry.as_str())?;
        for (name, value) in &self.extras {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Self::NotLogged => "not-logged",
            Self::Logged => "logged",
            Self::Executed => "executed",
            Self::Unknown => "unknown",
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Ok(body) = serde_json::to_vec(&self.0) else {
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        };
        let mut response = (self.0.kind.status, body).into_response();
        let problem_json = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(CONTENT_TYPE, problem_json);
        response.headers_mut().extend(self.0.headers);
        response
    }
}

/// What the server itself could not do.
pub(super) fn internal(reason: &str) -> Problem {
    tracing::error!(reason, "internal problem");
    let detail = "the server could not do its part; its log says more";
    Problem::new(code::INTERNAL, detail)
}
