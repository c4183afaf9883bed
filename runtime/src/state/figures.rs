//! What the state costs, in nanoseconds and bytes a row.
//!
//! Figures of an unoptimised build mean little, and filling a million rows takes
//! a while, so this runs in full only when asked:
//! `CHANCERY_FIGURES=1000000 cargo test --release -p chancery --lib state::figures -- --nocapture`.
//! Otherwise it runs over a few rows, so that it keeps working.

#![expect(clippy::disallowed_methods, reason = "measures time rather than telling it")]

use std::time::Instant;

use super::model::Random;
use super::{Order, Range, State, Step, Table};
use crate::value::{ChangeSet, Key, Lifecycle, Position, TableChanges, Value};

/// Runs something that does `count` things and prints what each took.
fn measure<T>(what: &str, count: usize, run: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = run();
    let each = start.elapsed().as_nanos() / count as u128;
    println!("{what:<44} {each:>6} ns");
    result
}

fn key(n: usize) -> Key {
    Key::new(&format!("account/{n:09}")).unwrap()
}

fn value(n: usize) -> Value {
    Value::Json(format!(r#"{{"balance":{n:010},"owner":"{:>45}"}}"#, "somebody").into())
}

fn put(state: &mut State, rows: Vec<(Key, Option<Value>)>) -> u64 {
    let sequence = state.sequence().next();
    let table = "accounts".parse().unwrap();
    let changes =
        ChangeSet { tables: vec![TableChanges { table, lifecycle: Lifecycle::Kept, rows }] };
    state.apply(Step { sequence, time_ms: 0, position: Position(0) }, &changes)
}

/// Bytes of memory in use by this process.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: usize = statm.split(' ').nth(1).and_then(|text| text.parse().ok()).unwrap_or(0);
    pages * 4096
}

fn rows(numbers: &[usize]) -> Vec<(Key, Option<Value>)> {
    numbers.iter().map(|&n| (key(n), Some(value(n)))).collect()
}

fn measure_reads(what: &str, table: &Table, random: &mut Random, count: usize) {
    let keys: Vec<_> = (0..100_000).map(|_| key(random.below(count))).collect();
    measure(&format!("get, random, {what}"), keys.len(), || {
        keys.iter().for_each(|key| assert!(table.get(key.as_str()).is_some()));
    });
    for order in [Order::Ascending, Order::Descending] {
        let rows = measure(&format!("scan, {order:?}, {what}"), count, || {
            table.scan(&Range::all(), order).map(|row| row.key.len()).sum::<usize>()
        });
        assert_eq!(rows, count * 17);
        measure(&format!("pages of 64 KiB, {order:?}, {what}"), count, || {
            let (mut rest, mut page) = (Range::all(), Vec::new());
            while let Some(last) = table.pack(&rest, order, 64 << 10, &mut page) {
                rest = rest.beyond(&last, order);
                page.clear();
            }
        });
    }
    let half = Range::between(None, Some(key(count / 2).as_str().to_owned()));
    measure(&format!("count of half the table, {what}"), 1, || table.count(&half));
}

#[test]
fn figures() {
    let count = std::env::var("CHANCERY_FIGURES").ok().and_then(|text| text.parse().ok());
    let count: usize = count.unwrap_or(2_000);
    let mut random = Random::from_env("figures");
    let before = resident();
    let mut state = State::empty();
    let sorted: Vec<_> = (0..count).collect();
    measure("put, in order, 1,000 at once", count, || {
        sorted.chunks(1_000).for_each(|numbers| {
            put(&mut state, rows(numbers));
        });
    });
    let table = state.table("accounts").unwrap();
    let (bytes, blocks) = (table.bytes(), table.blocks.len());
    println!("{count} rows, {bytes} bytes packed, {blocks} blocks");
    println!("memory: {} bytes", resident().saturating_sub(before));
    measure_reads("loaded in order", table, &mut random, count);

    let mut shuffled = sorted;
    (1..count).for_each(|index| shuffled.swap(index, random.below(index + 1)));
    let sample = shuffled.len().min(200_000);
    measure("put, random, one at a time, not shared", sample, || {
        shuffled.iter().take(sample).for_each(|&n| {
            put(&mut state, rows(&[n]));
        });
    });
    measure("put, random, one at a time, shared", sample, || {
        for &n in shuffled.iter().take(sample) {
            let _published = state.clone();
            put(&mut state, rows(&[n]));
        }
    });
    drop(state);

    let before = resident();
    let mut state = State::empty();
    measure("put, shuffled, one at a time, into an empty table", count, || {
        shuffled.iter().for_each(|&n| {
            put(&mut state, rows(&[n]));
        });
    });
    println!("memory: {} bytes (allocator reuses)", resident().saturating_sub(before));
    measure_reads("loaded shuffled", state.table("accounts").unwrap(), &mut random, count);
}
