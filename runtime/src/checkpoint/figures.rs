//! What checkpoints cost.
//!
//! In full only when asked:
//! `CHANCERY_FIGURES=1000000 cargo test --release -p chancery --lib checkpoint::figures -- --nocapture`.
//! Otherwise it runs over a few rows, so that it keeps working.

use std::sync::Arc;

use super::{AtOnce, Checkpoint, Checkpoints, Generation};
use crate::clock::Clock;
use crate::disk::Files;
use crate::log::Start;
use crate::record::samples::HISTORY;
use crate::state::model::Random;
use crate::state::{State, Step};
use crate::value::{ChangeSet, Key, Lifecycle, Position, TableChanges, Value};

fn put(state: &mut State, numbers: &[usize]) {
    let rows = numbers.iter().map(|n| {
        let value = format!(r#"{{"balance":{n:010},"owner":"{:>41}"}}"#, "somebody");
        (Key::new(&format!("account/{n:09}")).unwrap(), Some(Value::Json(value.into())))
    });
    let rows = rows.collect();
    let (table, lifecycle) = ("accounts".parse().unwrap(), Lifecycle::Kept);
    let step = Step { sequence: state.sequence().next(), time_ms: 0, position: Position(0) };
    state.apply(step, &ChangeSet { tables: vec![TableChanges { table, lifecycle, rows }] });
}

fn checkpoint(state: &State) -> Checkpoint {
    let mut start = Start::of(HISTORY);
    start.tail.number = state.sequence().0;
    Checkpoint { start, state: state.clone(), attempts: Vec::new() }
}

/// Bytes of memory that this process had at most.
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.unwrap_or_default().trim().to_owned()
}

#[test]
fn figures() {
    let count = std::env::var("CHANCERY_FIGURES").ok().and_then(|text| text.parse().ok());
    let count: usize = count.unwrap_or(2_000);
    let clock = Clock::system();
    let measure = |what: &str, run: &mut dyn FnMut() -> String| {
        let start = clock.elapsed();
        let result = run();
        let ms = (clock.elapsed() - start).as_millis();
        println!("{what:<36} {ms:>6} ms  {result}  peak {}", peak());
    };
    let mut random = Random::from_env("figures");
    let directory = tempfile::tempdir().unwrap();
    let mut checkpoints = Checkpoints::new(Arc::new(Files), directory.path().into());
    let mut state = State::empty();
    let numbers: Vec<_> = (0..count).collect();
    measure("fill", &mut || {
        numbers.chunks(1_000).for_each(|numbers| put(&mut state, numbers));
        let table = state.table("accounts").unwrap();
        format!("{} rows, {} bytes", table.rows(), table.bytes())
    });
    let mut write = |what: &str, state: &State| {
        measure(what, &mut || {
            let written = checkpoints.write(&checkpoint(state), &mut AtOnce).unwrap();
            let file = std::fs::metadata(checkpoints.path(written.generation)).unwrap().len();
            format!("{written:?}, file {file} bytes")
        });
    };
    write("write, everything", &state);
    write("write, everything", &state);
    for _ in 0..3 {
        (0..1_000).for_each(|_| put(&mut state, &[random.below(count)]));
        write("write, 1,000 random changes", &state);
    }
    (0..100).for_each(|_| put(&mut state, &[random.below(count)]));
    write("write, 100 random changes more", &state);
    write("write, the same again", &state);
    write("write, nothing changed", &state);
    measure("verify", &mut || {
        format!("{:?}", checkpoints.verify(Generation::A, &mut |_, _| {}).unwrap())
    });
    drop(state);
    measure("load", &mut || {
        let loaded = checkpoints.load(&mut |_, _| {}).unwrap().checkpoint.unwrap();
        format!("{} rows", loaded.state.table("accounts").unwrap().rows())
    });
}
