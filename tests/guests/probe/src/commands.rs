//! What the probe can change.

use std::sync::atomic::{AtomicU64, Ordering};

use chancery_sdk::{NewCommand, NewEvent, Rejection, Transaction};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{COUNTERS, ITEMS, busy};

type Result<T> = std::result::Result<T, Rejection>;

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Put {
    pub(crate) key: String,
    pub(crate) value: Value,
}

pub(crate) fn put(tx: &mut Transaction, input: Put) -> Result<()> {
    ITEMS.put(tx, &input.key, &input.value);
    Ok(())
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Add {
    pub(crate) key: String,
    pub(crate) amount: i64,
}

pub(crate) fn add(tx: &mut Transaction, input: Add) -> Result<i64> {
    let sum = COUNTERS.get(tx, &input.key).unwrap_or(0) + input.amount;
    COUNTERS.put(tx, &input.key, &sum);
    Ok(sum)
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Append {
    pub(crate) key: String,
    pub(crate) text: String,
}

pub(crate) fn append(tx: &mut Transaction, input: Append) -> Result<String> {
    let before = ITEMS.get(tx, &input.key);
    let before = before.as_ref().and_then(Value::as_str).unwrap_or_default();
    let text = format!("{before}{}", input.text);
    ITEMS.put(tx, &input.key, &Value::from(text.as_str()));
    Ok(text)
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Fill {
    pub(crate) prefix: String,
    pub(crate) count: u32,
    /// How long each item's text is.
    pub(crate) bytes: u32,
}

pub(crate) fn fill(tx: &mut Transaction, input: Fill) -> Result<u32> {
    let text = "x".repeat(usize::try_from(input.bytes).unwrap_or(usize::MAX));
    let value = Value::from(text);
    for number in 0..input.count {
        ITEMS.put(tx, &format!("{}{number:08}", input.prefix), &value);
    }
    Ok(input.count)
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Delete {
    pub(crate) key: String,
}

/// Whether there was such an item.
pub(crate) fn delete(tx: &mut Transaction, input: Delete) -> Result<bool> {
    let was_there = ITEMS.contains(tx, &input.key);
    ITEMS.delete(tx, &input.key);
    Ok(was_there)
}

pub(crate) fn echo(tx: &mut Transaction, input: Value) -> Result<Value> {
    let command = tx.command();
    Ok(json!({
        "id": command.id,
        "name": command.name,
        "input": input,
        "sequence": command.sequence,
        "time_ms": command.time_ms,
        "scheduled_for_ms": command.scheduled_for_ms,
        "basis": command.basis,
        "caller": command.caller,
        "correlation_id": command.correlation_id,
        "causation_id": command.causation_id,
        "metadata": command.metadata,
    }))
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Reject {
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) details: Option<Value>,
    /// The type of an event to be recorded with the refusal.
    pub(crate) event: Option<String>,
}

pub(crate) fn reject(tx: &mut Transaction, input: Reject) -> Result<()> {
    ITEMS.put(tx, "rejected", &Value::from(true));
    let mut rejection = Rejection::new(input.code, input.message);
    if let Some(details) = input.details {
        rejection = rejection.with_details(&details);
    }
    if let Some(event_type) = input.event {
        rejection = rejection.with_event(NewEvent::new(event_type, &json!({})));
    }
    Err(rejection)
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Spin {
    pub(crate) iterations: u64,
}

pub(crate) fn spin(_: &mut Transaction, input: Spin) -> Result<u64> {
    Ok(busy(input.iterations))
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Emit {
    #[serde(rename = "type")]
    pub(crate) event_type: String,
    pub(crate) subject: Option<String>,
    pub(crate) data: Value,
}

pub(crate) fn emit(tx: &mut Transaction, input: Emit) -> Result<String> {
    let mut event = NewEvent::new(input.event_type, &input.data);
    event.subject = input.subject;
    Ok(tx.emit(&event))
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct NewIds {
    pub(crate) count: u32,
}

pub(crate) fn new_ids(tx: &mut Transaction, input: NewIds) -> Result<Vec<String>> {
    Ok((0..input.count).map(|_| tx.new_id()).collect())
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Calls {}

/// What no application should do: carry something from one call to the next.
pub(crate) fn calls(_: &mut Transaction, Calls {}: Calls) -> Result<u64> {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    Ok(CALLS.fetch_add(1, Ordering::Relaxed) + 1)
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Schedule {
    /// How far ahead of this command, in milliseconds; may be in the past.
    pub(crate) in_ms: i64,
    pub(crate) command: String,
    pub(crate) input: Value,
    /// Whether to reject after that.
    #[serde(default)]
    pub(crate) reject: bool,
}

/// The timer's id.
pub(crate) fn schedule(tx: &mut Transaction, input: Schedule) -> Result<String> {
    let at_ms = tx.time_ms().saturating_add_signed(input.in_ms);
    let id = tx.schedule(at_ms, &NewCommand::new(input.command, &input.input));
    match input.reject {
        false => Ok(id),
        true => Err(Rejection::new("changed-its-mind", "nothing is scheduled")),
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct CancelTimer {
    pub(crate) id: String,
}

/// Whether there was such a timer.
pub(crate) fn cancel_timer(tx: &mut Transaction, input: CancelTimer) -> Result<bool> {
    Ok(tx.cancel_timer(&input.id))
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Chain {
    /// How far ahead the next link is, in milliseconds.
    pub(crate) in_ms: u64,
}

/// Counts the links of a chain that never ends by itself, each of which says that it is
/// the first.
pub(crate) fn chain(tx: &mut Transaction, input: Chain) -> Result<i64> {
    let links = COUNTERS.get(tx, "links").unwrap_or(0) + 1;
    COUNTERS.put(tx, "links", &links);
    let next = NewCommand::new("chain", &json!({ "in_ms": input.in_ms }));
    let next = NewCommand { metadata: r#"{"depth":0}"#.to_owned(), ..next };
    tx.schedule(tx.time_ms() + input.in_ms, &next);
    Ok(links)
}
