//! Commands that handlers want submitted: by a timer, or because of an event.

use std::sync::Arc;

use serde::de::IgnoredAny;

use super::json::check_json;
use super::refusal::Refusal;
use crate::value::{Name, VALUE_BYTES_MAX};

/// The input of such a command, in bytes: half of a value, since until it is
/// submitted it is kept in a row, with what else there is to know of it.
const INPUT_BYTES_MAX: usize = VALUE_BYTES_MAX / 2;
/// Its metadata, in bytes. Arbitrary: some facts to hand on.
const METADATA_BYTES_MAX: usize = 64 << 10;

/// A command to be submitted by the server on a handler's behalf. Whether a module
/// has it, and whether the input fits, is not known here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewCommand {
    /// Such as `ship-order`.
    pub name: Name,
    /// A JSON document.
    pub input: Arc<str>,
    /// Further facts to hand on: a JSON object.
    pub metadata: Arc<str>,
}

impl NewCommand {
    /// A command as a handler put it.
    ///
    /// # Errors
    /// [`Refusal::InvalidCommand`], with the part that is at fault.
    pub fn new(name: &str, input: Arc<str>, metadata: Arc<str>) -> Result<Self, Refusal> {
        let name: Name = name.parse().map_err(|invalid: crate::value::Invalid| {
            Refusal::InvalidCommand { reason: invalid.to_string() }
        })?;
        check(&name, "input", &input, INPUT_BYTES_MAX)?;
        check(&name, "metadata", &metadata, METADATA_BYTES_MAX)?;
        if !is_object(&metadata) {
            let reason = format!("the metadata of `{name}` must be a JSON object");
            return Err(Refusal::InvalidCommand { reason });
        }
        Ok(Self { name, input, metadata })
    }

    /// How many bytes it counts for.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.name.as_str().len() + self.input.len() + self.metadata.len()
    }
}

fn check(name: &Name, part: &str, text: &str, bytes_max: usize) -> Result<(), Refusal> {
    let invalid = |what: String| {
        Err(Refusal::InvalidCommand { reason: format!("the {part} of `{name}`: {what}") })
    };
    if text.len() > bytes_max {
        return invalid(format!("{} bytes; at most {bytes_max} are allowed", text.len()));
    }
    check_json(text).or_else(|refusal| invalid(refusal.to_string()))
}

/// Whether a text that is JSON is an object.
fn is_object(text: &str) -> bool {
    serde_json::from_str::<std::collections::HashMap<String, IgnoredAny>>(text).is_ok()
}
