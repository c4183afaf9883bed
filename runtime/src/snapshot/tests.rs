//! What happens between a query's state and its watch is not missed.

use std::sync::Arc;

use uuid::Uuid;

use super::*;
use crate::disk::Files;
use crate::record::Verdict;
use crate::state::State;
use crate::value::{ChangeSet, Key, Lifecycle, Position, TableChanges, Value};
use crate::wasm;

fn snapshots(roots_max: usize) -> (Snapshots, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let host = wasm::Host::new(wasm::Settings::default()).unwrap();
    let (app, path) = ("main".parse().unwrap(), directory.path().join("modules"));
    let modules = Modules::open(Arc::new(Files), app, path, host).unwrap();
    let first = Snapshot { state: State::empty(), catalog: Arc::default() };
    let (clock, _) = Clock::manual(0);
    let (history, budget) = (History(Uuid::nil()), Budget { roots_max, ..Budget::default() });
    let reaper = Reaper::start().unwrap();
    (Snapshots::new(history, first, Arc::new(modules), budget, clock, reaper), directory)
}

/// A round of entries that each write one key of a table.
fn round(snapshots: &Snapshots, written: &[(&str, &str)]) -> Published {
    let current = snapshots.current();
    let mut state = current.state.clone();
    let mut steps = Vec::new();
    for (table, key) in written {
        let table = match table.strip_prefix('$') {
            Some(_) => catalog::table_names::modules(),
            None => table.parse().unwrap(),
        };
        let sequence = state.sequence().next();
        let rows = vec![(Key::new(key).unwrap(), Some(Value::Json("1".into())))];
        let tables = vec![TableChanges { table, lifecycle: Lifecycle::Kept, rows }];
        let changes = ChangeSet { tables };
        let step = Step { sequence, time_ms: 1, position: Position(0) };
        // The tables are not there; only the sequence matters.
        state.apply(step, &ChangeSet::default());
        let outcome = Outcome {
            sequence,
            module: None,
            module_hash: None,
            verdict: Verdict::Succeeded(Value::Json("null".into())),
            changes,
            events: Vec::new(),
            elapsed_us: 0,
            erased: false,
        };
        steps.push((step, Arc::new(outcome)));
    }
    let snapshot = Snapshot { state, catalog: Arc::clone(&current.catalog) };
    Published { snapshot, steps, unshared_bytes: 0 }
}

fn publish(snapshots: &Snapshots, written: &[(&str, &str)]) {
    snapshots.publish(round(snapshots, written));
}

fn key(key: &str) -> Reads {
    let mut reads = Reads::default();
    reads.key("t", key);
    reads
}

#[test]
fn what_is_published_between_a_query_and_its_watch_is_not_missed() {
    let (snapshots, _directory) = snapshots(100);
    publish(&snapshots, &[("t", "a"), ("t", "b")]);
    publish(&snapshots, &[("t", "c"), ("t", "d")]);
    let is_touched =
        |since: u64, reads: Reads| snapshots.watch(Sequence(since), reads).is_touched();
    assert!(is_touched(0, key("a")) && is_touched(0, key("d")));
    // Also from within a round, which `as_of` can read.
    assert!(!is_touched(1, key("a")) && is_touched(1, key("b")) && is_touched(1, key("c")));
    assert!(!is_touched(3, key("c")) && is_touched(3, key("d")));
    assert!(!is_touched(0, key("e")), "nobody wrote that");
    assert!(!is_touched(4, key("d")), "nothing came after it");
    publish(&snapshots, &[("$modules", "m")]);
    assert!(is_touched(4, key("e")), "a deployment changes answers to everything");
    // And what comes later.
    let (a, b) = (snapshots.watch(Sequence(5), key("a")), snapshots.watch(Sequence(5), key("b")));
    publish(&snapshots, &[("t", "b")]);
    assert!(!a.is_touched() && b.is_touched());
    publish(&snapshots, &[("$modules", "m")]);
    assert!(a.is_touched());
}

#[test]
fn a_root_that_is_held_and_not_current_yet_tells_its_watch_later() {
    let (snapshots, _directory) = snapshots(100);
    let published = round(&snapshots, &[("t", "a")]);
    // As `publish` does, up to the moment before it is current.
    let snapshot = Arc::new(published.snapshot);
    let steps: Steps = published.steps.into();
    let root = Held {
        snapshot: Arc::clone(&snapshot),
        steps: Arc::clone(&steps),
        bytes: 0,
        published: Duration::ZERO,
    };
    snapshots.held.lock().unwrap().push_back(root);
    let watch = snapshots.watch(Sequence(0), key("a"));
    assert!(!watch.is_touched(), "it would ask the same state again");
    snapshots.current.store(snapshot);
    assert!(snapshots.watch(Sequence(0), key("a")).is_touched());
    snapshots.tell(Sequence(1), &steps);
    assert!(watch.is_touched());
}

#[test]
fn what_is_not_known_counts_as_changed() {
    let (snapshots, _directory) = snapshots(2);
    for _ in 0..4 {
        publish(&snapshots, &[("t", "a")]);
    }
    let is_touched = |since: u64| snapshots.watch(Sequence(since), key("b")).is_touched();
    assert!(is_touched(1), "what led to the oldest root is not held any more");
    assert!(!is_touched(3) && !is_touched(4));
    // A log that was opened again had one more, and nobody knows what it did.
    let watch = snapshots.watch(Sequence(4), key("b"));
    let mut recovered = round(&snapshots, &[("t", "c")]);
    recovered.steps.clear();
    snapshots.publish(recovered);
    assert!(watch.is_touched() && is_touched(4) && !is_touched(5));
}

#[test]
fn no_change_is_missed_while_states_are_published() {
    let (snapshots, _directory) = snapshots(100);
    const ROUNDS: u64 = 2_000;
    thread::scope(|scope| {
        let publisher = scope.spawn(|| {
            for _ in 0..ROUNDS {
                publish(&snapshots, &[("t", "a")]);
            }
        });
        // Each watch is told before long, or there is nothing left to be told of.
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut seen = snapshots.current().state.sequence();
        while seen < Sequence(ROUNDS) {
            let watch = snapshots.watch(seen, key("a"));
            runtime.block_on(watch.touched());
            let now = snapshots.current().state.sequence();
            assert!(now > seen, "it was told of something that was not there yet");
            seen = now;
        }
        publisher.join().unwrap();
    });
}
