//! Breaking what the contract says of handles, keys, values and tables.

use std::cell::RefCell;

use crate::{TABLE, failure, json};
use chancery_sdk::bindings::chancery::app::store::{Cursor, Snapshot, Transaction};
use chancery_sdk::bindings::chancery::app::types::{Failure, NewEvent, Order, Range, Value};

/// Ten times the limit of a key.
const HUGE_KEY_BYTES: usize = 10 * 1_024;

/// Just over the limit of a value.
const HUGE_VALUE_BYTES: usize = 1_024 * 1_024 + 1;

thread_local! {
    static SNAPSHOT: RefCell<Option<Snapshot>> = const { RefCell::new(None) };
    static TRANSACTION: RefCell<Option<Transaction>> = const { RefCell::new(None) };
    static CURSOR: RefCell<Option<Cursor>> = const { RefCell::new(None) };
}

#[expect(clippy::panic, reason = "the point of it")]
pub(crate) fn trap() -> ! {
    panic!("on purpose")
}

pub(crate) fn read_huge_key(snapshot: &Snapshot) -> Result<Value, Failure> {
    let found = snapshot.get(TABLE, &huge_key());
    Ok(json(if found.is_some() { "true" } else { "false" }))
}

pub(crate) fn read_undeclared(snapshot: &Snapshot) -> Result<Value, Failure> {
    let found = snapshot.get("undeclared", "key");
    Ok(json(if found.is_some() { "true" } else { "false" }))
}

pub(crate) fn write_huge_key(transaction: &Transaction) -> Result<Value, Failure> {
    transaction.put(TABLE, &huge_key(), &json("1"));
    Ok(json("null"))
}

pub(crate) fn write_huge_value(transaction: &Transaction) -> Result<Value, Failure> {
    transaction.put(TABLE, "huge", &Value::Bytes(vec![1; HUGE_VALUE_BYTES]));
    Ok(json("null"))
}

pub(crate) fn write_undeclared(transaction: &Transaction) -> Result<Value, Failure> {
    transaction.put("undeclared", "key", &json("1"));
    Ok(json("null"))
}

/// The table of the example `shop`, if it is deployed beside.
pub(crate) fn write_foreign(transaction: &Transaction) -> Result<Value, Failure> {
    transaction.put("stock", "lamp", &json("1"));
    Ok(json("null"))
}

pub(crate) fn write_invalid_json(transaction: &Transaction) -> Result<Value, Failure> {
    transaction.put(TABLE, "key", &json("{oops"));
    Ok(json("null"))
}

pub(crate) fn write_then_trap(transaction: &Transaction) -> Result<Value, Failure> {
    transaction.put(TABLE, "trapped", &json("1"));
    trap()
}

pub(crate) fn emit_bad_type(transaction: &Transaction) -> Result<Value, Failure> {
    let event_type = "Not an event type!".to_owned();
    transaction.emit(&NewEvent { event_type, subject: None, data: "{}".to_owned() });
    Ok(json("null"))
}

pub(crate) fn cursor_of_snapshot(snapshot: &Snapshot) -> Cursor {
    snapshot.scan(TABLE, &Range::All, Order::Ascending)
}

pub(crate) fn cursor_of_transaction(transaction: &Transaction) -> Cursor {
    transaction.scan(TABLE, &Range::All, Order::Ascending)
}

pub(crate) fn stash_snapshot(snapshot: Snapshot) -> Result<Value, Failure> {
    SNAPSHOT.set(Some(snapshot));
    Ok(json("\"stashed\""))
}

pub(crate) fn stash_transaction(transaction: Transaction) -> Result<Value, Failure> {
    TRANSACTION.set(Some(transaction));
    Ok(json("\"stashed\""))
}

pub(crate) fn stash_cursor(cursor: Cursor) -> Result<Value, Failure> {
    CURSOR.set(Some(cursor));
    Ok(json("\"stashed\""))
}

/// Traps in the instance that stashed one; a fresh instance has nothing stashed.
pub(crate) fn use_snapshot() -> Result<Value, Failure> {
    let snapshot = SNAPSHOT.take().ok_or_else(nothing_stashed)?;
    Ok(json(&snapshot.sequence().to_string()))
}

/// As [`use_snapshot`].
pub(crate) fn use_transaction() -> Result<Value, Failure> {
    let transaction = TRANSACTION.take().ok_or_else(nothing_stashed)?;
    transaction.put(TABLE, "stashed", &json("1"));
    Ok(json("null"))
}

/// As [`use_snapshot`].
pub(crate) fn use_cursor() -> Result<Value, Failure> {
    let cursor = CURSOR.take().ok_or_else(nothing_stashed)?;
    Ok(json(&cursor.next(1).len().to_string()))
}

fn nothing_stashed() -> Failure {
    failure("nothing-stashed", None)
}

fn huge_key() -> String {
    "k".repeat(HUGE_KEY_BYTES)
}
