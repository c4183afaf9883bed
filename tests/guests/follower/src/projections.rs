//! Projections. Those that fail do so after they have written, so that a test sees
//! whether that was dropped.
#![expect(clippy::panic, reason = "the point of one of them")]

use chancery_sdk::{Event, Rejection, Table, View, reject};
use serde_json::Value as Json;

use crate::{COUNTS, ERRS, INTRUDES, LOOPS, OVERFLOWS, SEEN, Seen, TRAPS};

/// Rows of this size fill a value to its limit and beyond.
const TOO_LARGE_BYTES: usize = (1 << 20) + 1;

pub(crate) fn see(view: &mut View, event: Event<Json>) -> Result<(), Rejection> {
    let Event { position, event_type, subject, data, time_ms, sequence, .. } = event;
    SEEN.put(view, &position, &Seen { event_type, subject, data, time_ms, sequence });
    Ok(())
}

pub(crate) fn count(view: &mut View, event: Event<Json>) -> Result<(), Rejection> {
    let count = COUNTS.get(view, &event.event_type).unwrap_or(0) + 1;
    COUNTS.put(view, &event.event_type, &count);
    Ok(())
}

pub(crate) fn trap(view: &mut View, event: Event<Json>) -> Result<(), Rejection> {
    note(TRAPS, view, &event);
    if event.event_type == "project.trap" {
        panic!("on purpose");
    }
    Ok(())
}

pub(crate) fn loop_for_ever(view: &mut View, event: Event<Json>) -> Result<(), Rejection> {
    note(LOOPS, view, &event);
    if event.event_type == "project.loop" {
        loop {
            std::hint::black_box(&event);
        }
    }
    Ok(())
}

pub(crate) fn err(view: &mut View, event: Event<Json>) -> Result<(), Rejection> {
    note(ERRS, view, &event);
    match event.event_type.as_str() {
        "project.err" => Err(reject("on-purpose", "It was asked for.")),
        _ => Ok(()),
    }
}

/// Writes the table of another projection of the same module.
pub(crate) fn intrude(view: &mut View, event: Event<Json>) -> Result<(), Rejection> {
    note(INTRUDES, view, &event);
    if event.event_type == "project.intrude" {
        COUNTS.put(view, "intruded", &1);
    }
    Ok(())
}

pub(crate) fn overflow(view: &mut View, event: Event<Json>) -> Result<(), Rejection> {
    note(OVERFLOWS, view, &event);
    if event.event_type == "project.overflow" {
        OVERFLOWS.put(view, &event.position, &"x".repeat(TOO_LARGE_BYTES));
    }
    Ok(())
}

fn note(table: Table<u64, String>, view: &mut View, event: &Event<Json>) {
    table.put(view, &event.position, &event.event_type);
}
