//! Problems as RFC 9457 has them: the one place that words what went wrong.
//!
//! What the engine refuses becomes a problem in one `match`. Texts of disks and
//! of the host go to the log; clients get the kind of problem and what to do.

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, StatusCode};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

use super::answer::raw;
use super::code::{self, Code, Retry};
use crate::catalog::Conflict;
use crate::engine::Error;
use crate::lane::Refusal;
use crate::snapshot::Unavailable;
use crate::value::{Failure, chain_of};
use crate::{modules, schema, wasm};

/// When to come back, in seconds: most of what passes has passed by then.
const RETRY_AFTER_S: HeaderValue = HeaderValue::from_static("1");

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
        let detail = format!("`{}` {reason}", pointer.trim_start_matches('/'));
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

    pub(super) fn kind(&self) -> Code {
        self.0.kind
    }

    fn retry_soon(self) -> Self {
        self.header(RETRY_AFTER, RETRY_AFTER_S)
    }

    fn suggestion(self, suggestion: Option<String>) -> Self {
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

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let detail = error.to_string();
        match error {
            Error::UnknownApp { suggestion, .. } => {
                Self::new(code::UNKNOWN_APP, detail).suggestion(suggestion)
            }
            Error::UnknownQuery { suggestion, .. } => {
                Self::new(code::UNKNOWN_QUERY, detail).suggestion(suggestion)
            }
            Error::UnknownCommand { suggestion, .. } => {
                Self::new(code::UNKNOWN_COMMAND, detail).suggestion(suggestion)
            }
            Error::UnknownModule { suggestion, .. } => {
                Self::new(code::UNKNOWN_MODULE, detail).suggestion(suggestion)
            }
            Error::UnknownTable { suggestion, .. } => {
                Self::new(code::UNKNOWN_TABLE, detail).suggestion(suggestion)
            }
            Error::UnknownKey { .. } => Self::new(code::UNKNOWN_KEY, detail),
            Error::UnknownReceipt { .. } => {
                Self::new(code::UNKNOWN_RECEIPT, detail).outcome(Outcome::Unknown)
            }
            // Ids and keys are checked before the engine sees them.
            Error::Invalid(_) => Self::new(code::INVALID_NAME, detail),
            Error::Input(refused) => Self::of_input(&refused),
            Error::Ahead { last, .. } => {
                Self::new(code::SEQUENCE_AHEAD, detail).with("last", last.0)
            }
            Error::Unavailable(Unavailable::Gone { oldest, .. }) => {
                Self::new(code::SEQUENCE_GONE, detail).with("oldest", oldest.0)
            }
            Error::Unavailable(Unavailable::NotYet { latest, .. })
            | Error::NotVisible { latest, .. } => {
                Self::new(code::NOT_VISIBLE, detail).with("latest", latest.0).retry_soon()
            }
            Error::Upload(refused) => of_upload(&refused),
            Error::Conflicts(conflicts) => of_conflicts(&conflicts, detail),
            Error::TooManyApps { .. } => Self::new(code::TOO_MANY_APPS, detail),
            Error::QueryRejected { failure, .. } => {
                Self::of_handler(code::QUERY_REJECTED, &failure)
            }
            Error::QueryFailed { failure, .. } => Self::of_handler(code::QUERY_FAILED, &failure),
            Error::Refused(refusal) => of_refusal(&refusal),
            Error::Busy { .. } => Self::new(code::BUSY, detail).retry_soon(),
            Error::OutcomeUnknown { reason } => of_lost(code::OUTCOME_UNKNOWN, &reason),
            Error::NotLogged { reason } => of_lost(code::NOT_LOGGED, &reason),
            Error::Modules(modules::Error::Unknown(hash)) => {
                Self::new(code::UNKNOWN_VERSION, modules::Error::Unknown(hash).to_string())
            }
            Error::Modules(modules::Error::Refused { reason, .. }) => of_upload(&reason),
            Error::Lane(_)
            | Error::Log(_)
            | Error::Modules(_)
            | Error::Receipt(_)
            | Error::Catalog(_)
            | Error::Io { .. } => of_disk(&error),
            Error::InUse { .. } | Error::Host(_) => internal(&detail),
        }
    }
}

/// What the server itself could not do.
pub(super) fn internal(reason: &str) -> Problem {
    tracing::error!(reason, "internal problem");
    let detail = "the server could not do its part; its log says more";
    Problem::new(code::INTERNAL, detail)
}

fn of_disk(error: &Error) -> Problem {
    tracing::error!(error = chain_of(error), "storage problem");
    let what = match error {
        // Its text has a path in it.
        Error::Io { .. } => "the server cannot use its disk".to_owned(),
        error => error.to_string(),
    };
    Problem::new(code::STORAGE, format!("{what}; the server's log says more"))
}

fn of_conflicts(conflicts: &[Conflict], detail: String) -> Problem {
    let conflicts: Vec<_> = conflicts.iter().map(ToString::to_string).collect();
    Problem::new(code::MODULE_CONFLICT, detail).with("conflicts", conflicts)
}

fn of_upload(refused: &wasm::Refused) -> Problem {
    let kind = match refused {
        wasm::Refused::TooLarge { .. } => code::UPLOAD_TOO_LARGE,
        wasm::Refused::NotWasm { .. } => code::NOT_WASM,
        wasm::Refused::InvalidWasm { .. } => code::INVALID_WASM,
        wasm::Refused::NoContract(_) => code::NO_CONTRACT,
        wasm::Refused::ComponentizeFailed(_) => code::COMPONENTIZE_FAILED,
        wasm::Refused::WrongContract(_) => code::WRONG_CONTRACT,
        wasm::Refused::ForeignImports { .. } => code::FOREIGN_IMPORTS,
        wasm::Refused::NoManifest => code::NO_MANIFEST,
        wasm::Refused::TooComplex { .. } => code::TOO_COMPLEX,
        wasm::Refused::CompileFailed(_) => code::COMPILE_FAILED,
        wasm::Refused::DescribeFailed(_) => code::DESCRIBE_FAILED,
        wasm::Refused::InvalidManifest { .. } => code::INVALID_MANIFEST,
        wasm::Refused::NotSupported(_) => code::NOT_SUPPORTED,
        wasm::Refused::Host(reason) => {
            tracing::error!(reason, "an upload could not be checked");
            let detail = "the server could not check the module now; its log says more";
            return Problem::new(code::HOST, detail).retry_soon();
        }
    };
    debug_assert_eq!(kind.code, refused.code());
    Problem::new(kind, refused.to_string())
}

fn of_refusal(refusal: &Refusal) -> Problem {
    let detail = refusal.to_string();
    let problem = match refusal {
        Refusal::Reused { sequence } => {
            Problem::new(code::ID_REUSED, detail).with("sequence", sequence.0)
        }
        Refusal::Expired { .. } => Problem::new(code::ID_EXPIRED, detail),
        Refusal::Ahead { .. } => Problem::new(code::ID_AHEAD, detail),
        Refusal::BasisAhead { last, .. } => {
            Problem::new(code::BASIS_AHEAD, detail).with("last", last.0)
        }
        Refusal::Full { .. } => Problem::new(code::INBOX_FULL, detail).retry_soon(),
        // The lane has logged the reasons of these two.
        Refusal::Recovering { .. } => {
            let detail = "the log failed and is being recovered; try again in a moment";
            Problem::new(code::RECOVERING, detail).retry_soon()
        }
        Refusal::Stopped { .. } => {
            let detail = "the app takes no commands until the cause is mended; the server's log \
                          says more";
            Problem::new(code::LANE_STOPPED, detail)
        }
        Refusal::Draining => Problem::new(code::SHUTTING_DOWN, detail).retry_soon(),
    };
    problem.outcome(Outcome::NotLogged)
}

/// What became of a command whose log failed.
fn of_lost(kind: Code, reason: &str) -> Problem {
    tracing::warn!(reason, code = kind.code, "a command was not answered");
    let (detail, outcome) = match kind == code::NOT_LOGGED {
        true => ("the log failed before the command was logged", Outcome::NotLogged),
        false => ("the log failed while the command was being logged", Outcome::Unknown),
    };
    let detail = format!("{detail}; send it again with the same id");
    Problem::new(kind, detail).outcome(outcome).retry_soon()
}
