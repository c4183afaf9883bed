//! What the probe can read.

use chancery_sdk::{Rejection, Snapshot, Table};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{COUNTERS, ITEMS, busy};

type Result<T> = std::result::Result<T, Rejection>;

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Nothing {}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Get {
    pub(crate) key: String,
}

pub(crate) fn get(snapshot: &Snapshot, input: Get) -> Result<Option<Value>> {
    Ok(ITEMS.get(snapshot, &input.key))
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Each {
    pub(crate) keys: Vec<String>,
}

pub(crate) fn each(snapshot: &Snapshot, input: Each) -> Result<Vec<Option<Value>>> {
    Ok(ITEMS.get_many(snapshot, &input.keys))
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Of {
    pub(crate) table: String,
    pub(crate) key: String,
}

pub(crate) fn of(snapshot: &Snapshot, input: Of) -> Result<Option<Value>> {
    // As long as the instance, which has this one call.
    let table: Table<String, Value> = Table::new(input.table.leak());
    Ok(table.get(snapshot, &input.key))
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct List {
    pub(crate) prefix: String,
    /// How many at most; all if not given.
    pub(crate) limit: Option<u32>,
}

pub(crate) fn list(snapshot: &Snapshot, input: List) -> Result<Vec<(String, Value)>> {
    let limit = usize::try_from(input.limit.unwrap_or(u32::MAX)).unwrap_or(usize::MAX);
    Ok(ITEMS.scan(snapshot).prefix(&input.prefix).rows().take(limit).collect())
}

pub(crate) fn count(snapshot: &Snapshot, Nothing {}: Nothing) -> Result<u64> {
    Ok(ITEMS.count(snapshot))
}

pub(crate) fn sum(snapshot: &Snapshot, Nothing {}: Nothing) -> Result<i64> {
    Ok(COUNTERS.scan(snapshot).values().sum())
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Info {
    pub(crate) sequence: u64,
    pub(crate) time_ms: u64,
}

pub(crate) fn info(snapshot: &Snapshot, Nothing {}: Nothing) -> Result<Info> {
    Ok(Info { sequence: snapshot.sequence(), time_ms: snapshot.time_ms() })
}

pub(crate) fn now(snapshot: &Snapshot, Nothing {}: Nothing) -> Result<u64> {
    Ok(snapshot.request_time_ms())
}

#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Spin {
    pub(crate) iterations: u64,
}

pub(crate) fn spin(_: &Snapshot, input: Spin) -> Result<u64> {
    Ok(busy(input.iterations))
}

pub(crate) fn echo(snapshot: &Snapshot, input: Value) -> Result<Value> {
    let request = snapshot.request();
    Ok(json!({
        "name": request.name,
        "input": input,
        "caller": request.caller,
        "metadata": request.metadata,
    }))
}
