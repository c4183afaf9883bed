//! W3C Trace Context: which trace a request belongs to, and the metadata that
//! carries it to handlers.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use http::HeaderMap;
use serde_json::value::{RawValue, to_raw_value};

const TRACEPARENT: &str = "traceparent";
/// Length of a field of version 00: `00-`, 32 digits, `-`, 16 digits, `-`, 2 digits.
const VERSION_00_BYTES: usize = 55;

/// The field `traceparent`, if it is valid.
pub(super) fn traceparent(headers: &HeaderMap) -> Option<&str> {
    let text = headers.get(TRACEPARENT)?.to_str().ok()?;
    is_valid(text).then_some(text)
}

/// A client's metadata with the trace in it. What a client gives itself under
/// that name stays. None if the text is not a JSON object.
pub(super) fn metadata(text: &str, traceparent: Option<&str>) -> Option<Arc<str>> {
    let mut members: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(text).ok()?;
    let Some(traceparent) = traceparent else {
        return Some(text.into());
    };
    let traceparent = to_raw_value(traceparent).ok()?;
    members.entry(Cow::Borrowed(TRACEPARENT)).or_insert(&traceparent);
    serde_json::to_string(&members).ok().map(Arc::from)
}

fn is_valid(text: &str) -> bool {
    let mut fields = text.split('-');
    let mut field = |digits: usize| {
        let field = fields.next().unwrap_or_default();
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (field.len() == digits && field.bytes().all(is_hex)).then_some(field)
    };
    let (Some(version), Some(trace), Some(parent), Some(_flags)) =
        (field(2), field(32), field(16), field(2))
    else {
        return false;
    };
    let is_zero = |field: &str| field.bytes().all(|byte| byte == b'0');
    // Later versions may have more fields; this one has not.
    let ends = version != "00" || text.len() == VERSION_00_BYTES;
    version != "ff" && ends && !is_zero(trace) && !is_zero(parent)
}
