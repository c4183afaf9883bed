//! Checkpoints on real files: whatever is written, lost, damaged or cut off, what is
//! loaded is one of the states that were written, and the newest there is.

mod crash;
mod golden;
mod rot;

use std::path::Path;

use tempfile::TempDir;
use uuid::Uuid;

use super::*;
use crate::disk::Files;
use crate::log::Tail;
use crate::record::samples::HISTORY;
use crate::state::model::{Random, contents};
use crate::state::{Range, Step};
use crate::value::{
    ChangeSet, Hash, History, Key, Lifecycle, Position, Sequence, TableChanges, Value,
};

/// Tables that random changes are about.
const TABLES: [&str; 3] = ["accounts", "movies", "empty"];

/// An app that goes on.
#[derive(Clone)]
struct App {
    state: State,
    history: History,
}

impl App {
    fn new() -> Self {
        Self { state: State::empty(), history: HISTORY }
    }

    fn apply(&mut self, tables: Vec<TableChanges>) {
        let sequence = self.state.sequence().next();
        let step = Step { sequence, time_ms: sequence.0 * 10, position: Position(sequence.0 / 2) };
        self.state.apply(step, &ChangeSet { tables });
    }

    fn put(&mut self, table: &str, rows: impl IntoIterator<Item = (String, Option<Value>)>) {
        let rows = rows.into_iter().map(|(key, value)| (Key::new(&key).unwrap(), value));
        self.apply(vec![changes(table, Lifecycle::Kept, rows.collect())]);
    }

    /// Some entries: rows put and deleted, tables dropped, created again, moved.
    fn go_on(&mut self, random: &mut Random) {
        for _ in 0..=random.below(4) {
            let at = random.below(2);
            let table = TABLES[at];
            let rows = [0, 1, 5, 300][random.below(4)];
            let lifecycle = match random.below(20) {
                0 => Lifecycle::Dropped,
                1 => Lifecycle::Created,
                2 => Lifecycle::Moved { from: TABLES[1 - at].parse().unwrap() },
                _ => Lifecycle::Kept,
            };
            let rows =
                if lifecycle == Lifecycle::Dropped { Vec::new() } else { random.changes(rows) };
            self.apply(vec![changes(table, lifecycle, rows)]);
        }
    }

    fn checkpoint(&self) -> Checkpoint {
        let number = self.state.sequence().0 * 2;
        let attempts = (0..number % 3).map(|n| Attempt {
            id: Uuid::from_u128(u128::from(number + n)),
            count: u32::try_from(n).unwrap() + 1,
        });
        let start = Start {
            history: self.history,
            tail: Tail { number, chain: Hash::of(&number.to_le_bytes()) },
            floor_ms: number * 3,
            time_ms: self.state.time_ms(),
            entry: Sequence(self.state.sequence().0 + 2),
            outcome: Sequence(self.state.sequence().0.saturating_sub(1)),
        };
        Checkpoint { start, state: self.state.clone(), attempts: attempts.collect() }
    }
}

fn changes(table: &str, lifecycle: Lifecycle, rows: Vec<(Key, Option<Value>)>) -> TableChanges {
    TableChanges { table: table.parse().unwrap(), lifecycle, rows }
}

fn value(n: usize) -> Option<Value> {
    Some(Value::Json(format!("{{\"n\":{n:>80}}}").into()))
}

fn numbered(numbers: impl IntoIterator<Item = usize>) -> Vec<(String, Option<Value>)> {
    numbers.into_iter().map(|n| (format!("{n:08}"), value(n))).collect()
}

fn checkpoints(directory: &Path) -> Checkpoints {
    Checkpoints::new(Arc::new(Files), directory.to_owned())
}

fn load(directory: &Path) -> Result<Loaded, Error> {
    checkpoints(directory).load(&mut |done, of| assert!(done <= of))
}

fn is_same(a: &Checkpoint, b: &Checkpoint) -> bool {
    let tables = |checkpoint: &Checkpoint| -> Vec<_> {
        let tables = checkpoint.state.tables();
        let tables = tables
            .map(|(name, table)| (name.clone(), table.rows(), table.bytes(), contents(table)));
        tables.collect()
    };
    a.start == b.start
        && a.attempts == b.attempts
        && a.state.step() == b.state.step()
        && tables(a) == tables(b)
}

/// Two generations, A the older, and the checkpoints in them.
fn two() -> (TempDir, App, [Checkpoint; 2]) {
    let directory = tempfile::tempdir().unwrap();
    let mut app = App::new();
    app.apply(vec![changes("empty", Lifecycle::Created, Vec::new())]);
    app.put("accounts", numbered(0..1_000));
    app.put("movies", numbered(0..10));
    let mut checkpoints = checkpoints(directory.path());
    let older = app.checkpoint();
    assert_eq!(checkpoints.write(&older, &mut AtOnce).unwrap().generation, Generation::A);
    app.put("accounts", numbered([7, 70, 700]));
    let newer = app.checkpoint();
    assert_eq!(checkpoints.write(&newer, &mut AtOnce).unwrap().generation, Generation::B);
    (directory, app, [older, newer])
}

#[test]
fn what_is_written_is_loaded_and_only_what_changed_is_written() {
    let mut random = Random::from_env("what_is_written_is_loaded");
    let directory = tempfile::tempdir().unwrap();
    let mut checkpoints = checkpoints(directory.path());
    let mut app = App::new();
    app.apply(vec![changes("empty", Lifecycle::Created, Vec::new())]);
    let mut before: Option<Checkpoint> = None;
    for round in 0..60 {
        let checkpoint = app.checkpoint();
        let written = checkpoints.write(&checkpoint, &mut AtOnce).unwrap();
        assert_eq!(written.generation, Generation::BOTH[round % 2]);
        let loaded = load(directory.path()).unwrap();
        assert!(is_same(loaded.checkpoint.as_ref().unwrap(), &checkpoint), "round {round}");
        assert_eq!(loaded.generation, Some(written.generation));
        assert_eq!(loaded.other, before.as_ref().map(|before| before.start));
        assert!(loaded.refused.is_empty());
        assert_eq!(checkpoints.trim_floor(), before.map(|before| before.start));
        for generation in Generation::BOTH.into_iter().take(round + 1) {
            checkpoints.verify(generation, &mut |_, _| {}).unwrap();
        }
        if random.one_in(3) {
            // As after a restart: the state is another one with the same contents.
            app.state = loaded.checkpoint.unwrap().state;
        }
        before = Some(checkpoint);
        app.go_on(&mut random);
    }
}

#[test]
fn a_loaded_state_misses_no_change() {
    let mut random = Random::from_env("a_loaded_state_misses_no_change");
    let directory = tempfile::tempdir().unwrap();
    let mut checkpoints = checkpoints(directory.path());
    let mut app = App::new();
    let mut olds: Vec<State> = Vec::new();
    for _ in 0..60 {
        app.go_on(&mut random);
        checkpoints.write(&app.checkpoint(), &mut AtOnce).unwrap();
        let loaded = load(directory.path()).unwrap().checkpoint.unwrap().state;
        for _ in 0..20.min(olds.len() * 20) {
            let (old, range) = (&olds[random.below(olds.len())], random.range());
            for name in TABLES {
                let Some(table) = loaded.table(name) else { continue };
                let rows = |state: &State| -> Vec<_> {
                    let rows = state.table(name).map(contents).unwrap_or_default().into_iter();
                    rows.filter(|(key, _)| range.contains(key)).collect()
                };
                let said = table.changed_since(&range, old.sequence());
                assert!(said || rows(old) == rows(&loaded), "{name} {range:?}");
            }
        }
        olds.push(app.state.clone());
        if random.one_in(4) {
            app.state = loaded;
        }
    }
}

#[test]
fn a_small_change_costs_few_chunks() {
    let directory = tempfile::tempdir().unwrap();
    let mut checkpoints = checkpoints(directory.path());
    let mut app = App::new();
    app.put("accounts", numbered(0..20_000));
    app.put("movies", numbered(0..5_000));
    let first = checkpoints.write(&app.checkpoint(), &mut AtOnce).unwrap();
    assert!((75..100).contains(&first.chunks_written), "{first:?}");
    assert_eq!((first.chunks_kept, first.bytes_written), (0, first.bytes_verified));
    checkpoints.write(&app.checkpoint(), &mut AtOnce).unwrap();

    app.put("accounts", numbered([1, 10_000]));
    let second = checkpoints.write(&app.checkpoint(), &mut AtOnce).unwrap();
    assert_eq!((second.generation, second.chunks_written), (Generation::A, 2));
    assert_eq!(second.chunks_kept, first.chunks_written - 2);
    // The other one has these changes still before it.
    let third = checkpoints.write(&app.checkpoint(), &mut AtOnce).unwrap();
    assert_eq!((third.generation, third.chunks_written), (Generation::B, 2));
    let fourth = checkpoints.write(&app.checkpoint(), &mut AtOnce).unwrap();
    assert_eq!((fourth.generation, fourth.chunks_written), (Generation::A, 0));

    // Nearly everything of a stretch is deleted: no small chunks stay behind.
    app.put("accounts", (2_000..8_000).map(|n| (format!("{n:08}"), None)));
    let fifth = checkpoints.write(&app.checkpoint(), &mut AtOnce).unwrap();
    assert!(fifth.chunks_written <= 3, "{fifth:?}");
    assert!(fifth.chunks_kept < first.chunks_written - 18, "{fifth:?}");
    // More than half of it changed: a new file.
    app.put("accounts", numbered(0..20_000));
    let sixth = checkpoints.write(&app.checkpoint(), &mut AtOnce).unwrap();
    assert_eq!(sixth.chunks_kept, 0);
    assert!(is_same(&load(directory.path()).unwrap().checkpoint.unwrap(), &app.checkpoint()));
}

#[test]
fn tables_come_and_go_and_large_rows_too() {
    let directory = tempfile::tempdir().unwrap();
    let mut checkpoints = checkpoints(directory.path());
    let mut check = |app: &App| {
        for _ in Generation::BOTH {
            checkpoints.write(&app.checkpoint(), &mut AtOnce).unwrap();
            let loaded = load(directory.path()).unwrap().checkpoint.unwrap();
            assert!(is_same(&loaded, &app.checkpoint()));
        }
    };
    let mut app = App::new();
    check(&app);
    app.put("movies", numbered(0..2_000));
    check(&app);
    app.apply(vec![changes("movies", Lifecycle::Dropped, Vec::new())]);
    app.put("accounts", numbered(0..2_000));
    check(&app);
    app.put("movies", numbered(500..1_000));
    check(&app);
    // Between two checkpoints dropped and created with the same rows.
    app.apply(vec![changes("movies", Lifecycle::Dropped, Vec::new())]);
    app.put("movies", numbered(500..1_000));
    check(&app);
    let large = |byte: u8| Some(Value::Bytes(vec![byte; 1 << 20].into()));
    app.put("movies", (0..4).map(|n| (format!("{:08}", 600 + usize::from(n) * 100), large(n))));
    check(&app);
    app.put("movies", numbered([700]));
    check(&app);
    app.put("movies", (0..1_000).map(|n| (format!("{n:08}"), None)));
    assert_eq!(app.state.table("movies").unwrap().rows(), 0);
    check(&app);
    let name = crate::value::Name::system("$catalog");
    let rows = vec![(Key::new("a").unwrap(), value(1))];
    app.apply(vec![TableChanges { table: name, lifecycle: Lifecycle::Created, rows }]);
    check(&app);
}

#[test]
fn another_line_is_not_built_upon() {
    let (directory, app, [_, newer]) = two();
    let mut checkpoints = checkpoints(directory.path());
    // A restore: the rounds go on, the history is another.
    let mut restored = app.clone();
    restored.history = History(Uuid::from_u128(0xBEEF));
    for generation in Generation::BOTH {
        let written = checkpoints.write(&restored.checkpoint(), &mut AtOnce).unwrap();
        assert_eq!((written.generation, written.chunks_kept), (generation, 0));
    }
    // An older state, as of a log that was cut short: both are beyond it.
    let (directory, ..) = two();
    let mut checkpoints = self::checkpoints(directory.path());
    let mut short = App::new();
    short.put("accounts", numbered(0..10));
    let written = checkpoints.write(&short.checkpoint(), &mut AtOnce).unwrap();
    assert_eq!(written.chunks_kept, 0);
    // The same round number, and another round.
    let (directory, ..) = two();
    let mut checkpoints = self::checkpoints(directory.path());
    let mut forked = newer;
    forked.start.tail.chain = Hash::of(b"fork");
    let written = checkpoints.write(&forked, &mut AtOnce).unwrap();
    assert_eq!((written.generation, written.chunks_kept), (Generation::B, 0));
}

#[test]
fn the_log_is_trimmed_only_below_two_that_were_read() {
    let (directory, _, [older, newer]) = two();
    let checkpoints = checkpoints(directory.path());
    assert_eq!(checkpoints.trim_floor(), None);
    assert_eq!(checkpoints.load(&mut |_, _| {}).unwrap().other, Some(older.start));
    assert_eq!(checkpoints.trim_floor(), None, "one was loaded, of the other only the root");
    let verified = checkpoints.verify(Generation::A, &mut |_, _| {}).unwrap();
    assert_eq!((verified.start, verified.rows), (older.start, 1_010));
    assert_eq!(checkpoints.trim_floor(), Some(older.start));
    assert!(newer.start.tail.number > older.start.tail.number);
    std::fs::write(checkpoints.path(Generation::B), b"something else").unwrap();
    checkpoints.verify(Generation::B, &mut |_, _| {}).unwrap_err();
    assert_eq!(checkpoints.trim_floor(), None);
}

#[test]
fn nobody_there_is_no_error() {
    let directory = tempfile::tempdir().unwrap();
    let loaded = load(directory.path()).unwrap();
    assert!(loaded.checkpoint.is_none() && loaded.refused.is_empty());
    let missing = checkpoints(directory.path()).verify(Generation::A, &mut |_, _| {}).unwrap_err();
    assert!(matches!(missing, Error::Missing { .. }), "{missing}");
}

#[test]
fn changes_are_found_by_range() {
    // What `plan.rs` relies on: a chunk of which nothing changed is not cut anew.
    let mut app = App::new();
    app.put("accounts", numbered(0..1_000));
    let since = app.state.sequence();
    app.put("accounts", numbered([500]));
    let table = app.state.table("accounts").unwrap();
    let range = |lower: &str, upper: &str| Range::between(Some(lower.into()), Some(upper.into()));
    assert!(table.changed_since(&range("00000400", "00000501"), since));
    assert!(!table.changed_since(&range("00000501", "00000900"), since));
}
