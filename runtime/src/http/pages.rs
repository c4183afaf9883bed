//! `/errors/{code}`: what a problem's `type` leads to, which is the paragraph on
//! it in `docs/errors.md`.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header::CONTENT_TYPE};

use super::at::Segments;
use super::code::{self, Code};
use super::problem::Problem;

/// The page for people, which a test compares with the codes.
pub(super) const ERRORS: &str = include_str!("../../../docs/errors.md");

pub(super) async fn show(Segments(name): Segments<String>) -> Result<Response, Problem> {
    let Some(found) = code::find(&name) else {
        let detail = format!("there is no code `{name}` of the server's own");
        return Err(Problem::new(code::UNKNOWN_ROUTE, detail));
    };
    let markdown = HeaderValue::from_static("text/markdown; charset=utf-8");
    let text = section(*found).unwrap_or(found.advice);
    Ok(([(CONTENT_TYPE, markdown)], text).into_response())
}

/// The heading of a code and what is below it.
pub(super) fn section(code: Code) -> Option<&'static str> {
    let from = ERRORS.find(&format!("\n### `{}`\n", code.code))?;
    let section = ERRORS.get(from + 1..)?;
    let end = section.find("\n#").unwrap_or(section.len());
    section.get(..end).map(str::trim_end)
}
