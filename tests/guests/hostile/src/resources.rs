//! Using up what the server has: time, memory, stack, handles and its log.

use std::hint::black_box;

use crate::json;
use chancery_sdk::bindings::chancery::app::log;
use chancery_sdk::bindings::chancery::app::store::{Cursor, Transaction};
use chancery_sdk::bindings::chancery::app::types::NewEvent;

const GIGABYTE: usize = 1 << 30;

/// For ever.
pub(crate) fn spin() -> ! {
    let mut round = 0_u64;
    loop {
        round = black_box(round.wrapping_add(1));
    }
}

/// Until memory or patience ends; the allocator traps when there is no more.
pub(crate) fn allocate() -> ! {
    let mut kept = Vec::new();
    loop {
        kept.push(vec![1_u8; 1 << 20]);
        black_box(&kept);
    }
}

/// Until the stack ends.
#[expect(unconditional_recursion, reason = "the point of it")]
pub(crate) fn recurse(depth: u64) -> u64 {
    black_box(recurse(black_box(depth + 1)) + 1)
}

/// A gigabyte, or half as often as it takes until there is room.
pub(crate) fn as_much_as_possible() -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut n_bytes = GIGABYTE;
    while bytes.try_reserve_exact(n_bytes).is_err() {
        n_bytes /= 2;
    }
    bytes.resize(n_bytes, 1);
    bytes
}

/// Keeps every cursor.
pub(crate) fn many_handles(open: impl Fn() -> Cursor) -> ! {
    let mut kept = Vec::new();
    loop {
        kept.push(open());
    }
}

/// Ten thousand lines, some of them long, and then all is well.
pub(crate) fn many_logs() -> Result<crate::Value, crate::Failure> {
    let long = "x".repeat(100_000);
    for number in 0..10_000_u32 {
        log::write(log::Level::Info, if number % 10 == 0 { &long } else { "a line" });
    }
    Ok(json("\"logged\""))
}

/// For ever.
pub(crate) fn many_events(transaction: &Transaction) -> ! {
    let data = format!("\"{}\"", "x".repeat(100));
    let event = NewEvent { event_type: "it.happened".to_owned(), subject: None, data };
    loop {
        transaction.emit(&event);
    }
}

/// For ever, 100 bytes each.
pub(crate) fn many_writes(transaction: &Transaction) -> ! {
    let value = json(&format!("\"{}\"", "x".repeat(98)));
    let mut number = 0_u64;
    loop {
        transaction.put(crate::TABLE, &format!("many-{number:012}"), &value);
        number += 1;
    }
}
