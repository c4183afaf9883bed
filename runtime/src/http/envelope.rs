//! The JSON around a command's input, read into what the engine takes.
//!
//! Two steps: first which members there are, each still as text, so that a
//! refusal names the member; then each on its own.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Error as _, IgnoredAny};
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::Settings;
use super::code;
use super::problem::Problem;
use super::trace;
use crate::engine::CommandRequest;
use crate::record::{Keys, Unchanged};
use crate::schema;
use crate::transaction::timers::WRITTEN;
use crate::value::{CommandId, GUEST_INTEGER_MAX, Key, Name, Sequence};

/// The input of a command or query whose client sends none.
pub(super) const NO_INPUT: &str = "{}";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<'a> {
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
    #[serde(borrow)]
    basis: Option<&'a RawValue>,
    #[serde(borrow)]
    unchanged: Option<&'a RawValue>,
    #[serde(borrow)]
    correlation_id: Option<&'a RawValue>,
    #[serde(borrow)]
    causation_id: Option<&'a RawValue>,
    #[serde(borrow)]
    metadata: Option<&'a RawValue>,
    #[serde(borrow)]
    at: Option<&'a RawValue>,
}

/// What the body of `PUT /commands/{id}` asks for.
#[derive(Debug)]
pub(super) struct Enveloped {
    pub(super) command: CommandRequest,
    /// When it is to be submitted, in milliseconds since 1970; now if it does not say.
    pub(super) at_ms: Option<u64>,
}

/// A time as clients write it.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum At {
    Ms(u64),
    Text(String),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct UnchangedJson {
    table: String,
    key: Option<String>,
    prefix: Option<String>,
}

/// Reads the body of `PUT /commands/{id}`.
pub(super) fn parse(
    settings: &Settings,
    id: CommandId,
    text: &str,
    traceparent: Option<&str>,
) -> Result<Enveloped, Problem> {
    let envelope: Envelope<'_> = object(text).map_err(|e| unreadable(text, &e))?;
    let name: Option<String> = member("/name", envelope.name)?;
    let unchanged: Option<Vec<Box<RawValue>>> = member("/unchanged", envelope.unchanged)?;
    let unchanged = unchanged.unwrap_or_default();
    if unchanged.len() > settings.unchanged_max {
        let reason = format!("has more than {} conditions", settings.unchanged_max);
        return Err(Problem::of_member("/unchanged", &reason));
    }
    let unchanged = unchanged.into_iter().enumerate().map(condition);
    let unchanged: Vec<_> = unchanged.collect::<Result<_, _>>()?;
    let basis = member("/basis", envelope.basis)?.map(Sequence);
    if basis.is_none() && !unchanged.is_empty() {
        // Without it the conditions would say nothing, and be taken to hold.
        return Err(Problem::of_member("/basis", "is missing: `unchanged` since when?"));
    }
    let at_ms = at(envelope.at)?;
    if at_ms.is_some() && basis.is_some() {
        let reason = "has no meaning beside `at`: the command runs on a later state";
        return Err(Problem::of_member("/basis", reason));
    }
    let command = CommandRequest {
        id,
        name: name.ok_or_else(|| Problem::of_member("/name", "is missing"))?,
        input: envelope.input.map_or(NO_INPUT, RawValue::get).into(),
        basis,
        unchanged,
        caller: None,
        correlation_id: related(settings, "/correlation_id", envelope.correlation_id)?,
        causation_id: related(settings, "/causation_id", envelope.causation_id)?,
        metadata: metadata(envelope.metadata, traceparent)?,
    };
    Ok(Enveloped { command, at_ms })
}

/// When a command is to be submitted: RFC 3339, or milliseconds since 1970.
fn at(given: Option<&RawValue>) -> Result<Option<u64>, Problem> {
    let invalid = |reason: &str| Problem::of_member("/at", reason);
    let wanted = "must be a time of RFC 3339, such as `2030-01-31T12:00:00Z`, or a number of \
                  milliseconds since 1970";
    let Some(given) = given.filter(|given| given.get() != "null") else {
        return Ok(None);
    };
    let at_ms = match serde_json::from_str(given.get()).map_err(|_other| invalid(wanted))? {
        At::Ms(at_ms) => at_ms,
        At::Text(text) => {
            let at: Timestamp = text.parse().map_err(|_other| invalid(wanted))?;
            // Before 1970 is in the past as well.
            u64::try_from(at.as_millisecond()).unwrap_or(0)
        }
    };
    match at_ms > GUEST_INTEGER_MAX {
        true => Err(invalid("is too late; times are milliseconds since 1970, below 2^53")),
        false => Ok(Some(at_ms)),
    }
}

/// Metadata for a request whose client gives none.
pub(super) fn bare_metadata(traceparent: Option<&str>) -> Arc<str> {
    trace::metadata("{}", traceparent).unwrap_or_else(|| "{}".into())
}

fn metadata(given: Option<&RawValue>, traceparent: Option<&str>) -> Result<Arc<str>, Problem> {
    let Some(given) = given else {
        return Ok(bare_metadata(traceparent));
    };
    if schema::check_json(given.get()).is_err() {
        return Err(Problem::of_member("/metadata", "is nested too deeply"));
    }
    if let Some(member) = written_member(given.get()) {
        let reason = "is the server's to set: it says what led to a command";
        return Err(Problem::of_member(&format!("/metadata/{member}"), reason));
    }
    let metadata = trace::metadata(given.get(), traceparent);
    metadata.ok_or_else(|| Problem::of_member("/metadata", "must be a JSON object"))
}

/// A member of metadata that only the server writes.
fn written_member(metadata: &str) -> Option<&'static str> {
    let members: BTreeMap<Cow<'_, str>, IgnoredAny> = serde_json::from_str(metadata).ok()?;
    WRITTEN.into_iter().find(|member| members.contains_key(*member))
}

/// An id of another command or event: any text, within reason.
fn related(
    settings: &Settings,
    pointer: &str,
    given: Option<&RawValue>,
) -> Result<Option<Arc<str>>, Problem> {
    let Some(text) = member::<String>(pointer, given)? else {
        return Ok(None);
    };
    let bytes_max = settings.correlation_bytes_max;
    if text.is_empty() || text.len() > bytes_max {
        let reason = format!("must have 1 to {bytes_max} bytes, not {}", text.len());
        return Err(Problem::of_member(pointer, &reason));
    }
    Ok(Some(text.into()))
}

fn condition((index, text): (usize, Box<RawValue>)) -> Result<Unchanged, Problem> {
    let pointer = format!("/unchanged/{index}");
    let invalid = |reason: String| Problem::of_member(&pointer, &reason);
    let json: UnchangedJson = object(text.get()).map_err(|e| invalid(words(&e)))?;
    let table: Name =
        json.table.parse().map_err(|e| invalid(format!("has an invalid table: {e}")))?;
    let keys = match (json.key, json.prefix) {
        (Some(key), None) => {
            Keys::One(Key::new(&key).map_err(|e| invalid(format!("has an invalid key: {e}")))?)
        }
        (None, Some(prefix)) => Keys::Prefix(prefix),
        _ => return Err(invalid("must have one of `key` and `prefix`".to_owned())),
    };
    Ok(Unchanged { table, keys })
}

/// A member of a type of its own; `null` is as good as none.
pub(super) fn member<T: DeserializeOwned>(
    pointer: &str,
    text: Option<&RawValue>,
) -> Result<Option<T>, Problem> {
    let Some(text) = text else {
        return Ok(None);
    };
    serde_json::from_str(text.get()).map_err(|error| Problem::of_member(pointer, &words(&error)))
}

/// A JSON object as a type; left alone, serde takes an array of the members too.
pub(super) fn object<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, serde_json::Error> {
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(text);
    }
    serde_json::from_str::<IgnoredAny>(text)?;
    Err(serde_json::Error::custom("it must be a JSON object"))
}

/// A body that has no members to look at.
pub(super) fn unreadable(text: &str, error: &serde_json::Error) -> Problem {
    match error.classify() {
        Category::Data => {
            let detail = format!("the body is not what is taken here: {}", words(error));
            Problem::new(code::INVALID_REQUEST, detail)
        }
        Category::Syntax | Category::Eof | Category::Io => {
            Problem::of_input(&schema::not_json(text, error))
        }
    }
}

/// The words of an error without the line and column, which count in a text that
/// the client does not see.
fn words(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or_default().to_owned()
}
