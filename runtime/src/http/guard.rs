//! What every request passes: its path must be readable, and whatever happens
//! behind here it gets an answer.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use http::{Method, Uri};

use super::Shared;
use super::code;
use super::problem::{Problem, internal};

/// Checks path and query, and turns a panic into an answer: a bug in one handler
/// must not take a connection with others' requests on it down.
pub(super) async fn guard(
    State(shared): State<Arc<Shared>>,
    request: Request,
    next: Next,
) -> Response {
    if let Err(problem) = check_uri(request.uri(), shared.settings.uri_bytes_max) {
        return problem.into_response();
    }
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let answered = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    let response = answered.unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<&str>().copied();
        let words = words.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        internal(words.unwrap_or("a handler panicked")).into_response()
    });
    tracing::debug!(%method, path, status = response.status().as_u16(), "request");
    response
}

pub(super) async fn unknown_route(uri: Uri) -> Problem {
    let detail = format!("there is nothing at `{}`", uri.path());
    Problem::new(code::UNKNOWN_ROUTE, detail)
}

/// The router adds the `Allow` field.
pub(super) async fn method_not_allowed(method: Method, uri: Uri) -> Problem {
    let detail = format!("`{}` does not take the method {method}", uri.path());
    Problem::new(code::METHOD_NOT_ALLOWED, detail)
}

fn check_uri(uri: &Uri, bytes_max: usize) -> Result<(), Problem> {
    let query = uri.query().unwrap_or_default();
    let bytes = uri.path().len() + query.len();
    if bytes > bytes_max {
        let detail = format!("path and query have {bytes} bytes; the limit is {bytes_max}");
        return Err(Problem::new(code::URI_TOO_LONG, detail));
    }
    for (what, text) in [("path", uri.path()), ("query string", query)] {
        if let Err(reason) = check_percent_encoding(text) {
            let detail = format!("the {what} {reason}");
            return Err(Problem::new(code::INVALID_REQUEST, detail));
        }
    }
    Ok(())
}

/// Routers and decoders of forms take what they can; a key that was mangled on
/// its way must not be taken for another.
fn check_percent_encoding(text: &str) -> Result<(), &'static str> {
    let mut decoded = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let (Some(high), Some(low)) = (digit(bytes.next()), digit(bytes.next())) else {
            return Err("has a `%` without two hexadecimal digits behind it");
        };
        decoded.extend(u8::try_from(high * 16 + low));
    }
    match std::str::from_utf8(&decoded) {
        Ok(_) => Ok(()),
        Err(_) => Err("is not UTF-8 when it is decoded"),
    }
}
