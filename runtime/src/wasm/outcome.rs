//! What a call came to: results checked, and errors told apart by who must act.

use std::sync::Arc;

use tracing::debug;
use wasmtime::{OutOfMemory, PoolConcurrencyLimitError, Trap};

use super::contract::types;
use super::engine::WASM_STACK_BYTES;
use super::fault::Fault;
use super::guest::Guest;
use super::guest_log::Callee;
use crate::transaction::{NewCommand, NewEvent, Refusal, check_json};
use crate::value::{Failure, Value};

/// The code of a rejection, in bytes.
const CODE_BYTES_MAX: usize = 64;
/// Commands that a reaction wants submitted because of one event. Arbitrary; each
/// is a row until it is submitted, and they are staged together.
const NEW_COMMANDS_MAX: usize = 1_000;

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The handler refused, as it may.
    #[error("{}: {}", .failure.code, .failure.message)]
    Rejected {
        /// Its reason, checked: the code is kebab-case, the details are JSON.
        failure: Failure,
        /// The events a command wants recorded with its refusal. Not checked:
        /// [`Transaction::discard`](crate::transaction::Transaction::discard)
        /// does that, and [`CallError::invalid_event`] is what to make of it.
        events: Vec<NewEvent>,
    },
    /// The handler did what it may not: it trapped, or met a limit.
    #[error("{}", .0.message)]
    Failed(Failure),
    /// The host could not do its part. Says nothing of the handler and is never
    /// recorded as an outcome.
    #[error("{0}")]
    Host(String),
}

impl CallError {
    /// Whether trying again is of no use, as a reaction says by a member
    /// `"permanent": true` in the details of its failure.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        let Self::Rejected { failure, .. } = self else {
            return false;
        };
        let details = failure.details.as_deref().unwrap_or("null");
        let details: serde_json::Value = serde_json::from_str(details).unwrap_or_default();
        details.get("permanent") == Some(&true.into())
    }

    /// The failure of a command whose rejection carries an event that cannot be
    /// recorded.
    #[must_use]
    pub fn invalid_event(command: &str, refusal: &Refusal) -> Self {
        let message = format!("command `{command}` refused with an invalid event: {refusal}");
        failed("invalid-failure", message)
    }
}

/// The result of a handler that returned.
pub(super) fn of_return(
    guest: &Guest,
    returned: Result<types::Value, types::Failure>,
) -> Result<Value, CallError> {
    let callee = guest.log.callee();
    match returned {
        Ok(value) => result(guest, callee, value.into()),
        Err(failure) => Err(rejection(guest, callee, failure)),
    }
}

fn result(guest: &Guest, callee: &Callee, value: Value) -> Result<Value, CallError> {
    check_output(guest, callee, value.len())?;
    if let Value::Json(text) = &value {
        check_json(text).map_err(|refusal| {
            failed(refusal.code(), format!("{callee} returned an invalid result: {refusal}"))
        })?;
    }
    Ok(value)
}

/// The commands of a reaction that returned.
pub(super) fn of_reaction(
    guest: &Guest,
    returned: Result<Vec<types::NewCommand>, types::Failure>,
) -> Result<Vec<NewCommand>, CallError> {
    let callee = guest.log.callee();
    let commands = returned.map_err(|failure| rejection(guest, callee, failure))?;
    if commands.len() > NEW_COMMANDS_MAX {
        let n_commands = commands.len();
        let message =
            format!("{callee} returned {n_commands} commands; the limit is {NEW_COMMANDS_MAX}");
        return Err(failed("too-many-commands", message));
    }
    let bytes = |command: &types::NewCommand| {
        command.name.len() + command.input.len() + command.metadata.len()
    };
    check_output(guest, callee, commands.iter().map(bytes).sum())?;
    let checked = commands.into_iter().map(|command| {
        NewCommand::new(&command.name, command.input, command.metadata)
            .map_err(|refusal| failed(refusal.code(), format!("{callee} failed: {refusal}")))
    });
    checked.collect()
}

fn rejection(guest: &Guest, callee: &Callee, failure: types::Failure) -> CallError {
    if let Err(error) = check_output(guest, callee, failure_bytes(&failure)) {
        return error;
    }
    let invalid = |what: String| failed("invalid-failure", format!("{callee} refused with {what}"));
    if !is_code(&failure.code) {
        let code: String = failure.code.chars().take(CODE_BYTES_MAX).collect();
        return invalid(format!(
            "the code {code:?}; a code is 1 to {CODE_BYTES_MAX} bytes in kebab-case"
        ));
    }
    if let Some(Err(refusal)) = failure.details.as_deref().map(check_json) {
        return invalid(format!("invalid details: {refusal}"));
    }
    CallError::Rejected {
        events: failure.events.into_iter().map(NewEvent::from).collect(),
        failure: Failure { code: failure.code, message: failure.message, details: failure.details },
    }
}

fn check_output(guest: &Guest, callee: &Callee, bytes: usize) -> Result<(), CallError> {
    let bytes_max = guest.budget.output_bytes_max;
    if bytes > bytes_max {
        let message = format!("{callee} returned {bytes} bytes; the limit is {bytes_max}");
        return Err(failed("output-too-large", message));
    }
    Ok(())
}

fn failure_bytes(failure: &types::Failure) -> usize {
    let optional = |text: &Option<Arc<str>>| text.as_ref().map_or(0, |text| text.len());
    let event_bytes = |event: &types::NewEvent| {
        event.event_type.len() + optional(&event.subject) + event.data.len()
    };
    let events: usize = failure.events.iter().map(event_bytes).sum();
    failure.code.len() + failure.message.len() + optional(&failure.details) + events
}

/// Whether a text is words of lower-case letters and digits with hyphens between.
fn is_code(text: &str) -> bool {
    let is_word = |word: &str| {
        !word.is_empty() && word.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
    };
    text.len() <= CODE_BYTES_MAX && text.split('-').all(is_word)
}

/// What to make of a call that did not return, or of an instance that did not
/// come to be.
pub(super) fn of_error(guest: &Guest, error: &wasmtime::Error) -> CallError {
    let callee = guest.log.callee();
    debug!(module = %callee.module, name = %callee.name, id = %callee.id, "{error:?}");
    if let Some(fault) = error.downcast_ref::<Fault>() {
        return match fault.code() {
            Some(code) => failed(code, format!("{callee} was stopped: {fault}")),
            None => CallError::Host(fault.to_string()),
        };
    }
    if let Some(trap) = error.downcast_ref::<Trap>() {
        return of_trap(guest, callee, *trap);
    }
    if error.is::<PoolConcurrencyLimitError>() {
        return CallError::Host(format!("no instance is free for {callee}: {error}"));
    }
    if error.is::<OutOfMemory>() || error.is::<std::io::Error>() {
        return CallError::Host(format!("no memory for {callee}: {error}"));
    }
    of_text(guest, callee, &error.root_cause().to_string())
}

fn of_trap(guest: &Guest, callee: &Callee, trap: Trap) -> CallError {
    match trap {
        Trap::Interrupt => {
            let deadline = guest.budget.deadline;
            failed("deadline", format!("{callee} was stopped: it ran longer than {deadline:?}"))
        }
        Trap::StackOverflow => failed(
            "stack-overflow",
            format!("{callee} was stopped: its stack needs more than {WASM_STACK_BYTES} bytes"),
        ),
        // How a panic ends, and what JavaScript throws: its last words say what it was.
        Trap::UnreachableCodeReached => match guest.log.last_error() {
            Some(words) => failed("trapped", format!("{callee} trapped: {words}")),
            None => trapped(guest, callee, &trap.to_string()),
        },
        _ => trapped(guest, callee, &trap.to_string()),
    }
}

/// Two limits of wasmtime's own have no type to be told by; a test of each holds
/// these words in place.
fn of_text(guest: &Guest, callee: &Callee, text: &str) -> CallError {
    if text.contains("fuel allocated for hostcalls") {
        let bytes_max = guest.budget.transfer_bytes_max();
        let message = format!(
            "{callee} was stopped: it passed more than {bytes_max} bytes to the server at once"
        );
        return failed("output-too-large", message);
    }
    if text.contains("handle limit exceeded") {
        let message = format!("{callee} was stopped: it holds more handles than it may");
        return failed("handle-limit", message);
    }
    trapped(guest, callee, text)
}

fn trapped(guest: &Guest, callee: &Callee, reason: &str) -> CallError {
    let message = match guest.log.last_error() {
        Some(words) => format!("{callee} trapped: {words} ({reason})"),
        None => format!("{callee} trapped: {reason}"),
    };
    failed("trapped", message)
}

fn failed(code: &str, message: String) -> CallError {
    CallError::Failed(Failure { code: code.into(), message: message.into(), details: None })
}
