//! Reads and watchers against plain lists: whom a change concerns, and that nobody else
//! is told.

use std::sync::Arc;

use super::{READS_BYTES_MAX, READS_MAX, Reads, Watch, Watchers};
use crate::state::model::Random;
use crate::state::{Order, Range, State, Step};
use crate::transaction::{Cursor, Read};
use crate::value::{ChangeSet, Key, Lifecycle, Name, Position, Sequence, TableChanges, Value};

const TABLES: [&str; 3] = ["a", "b", "c"];

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn key(n: usize) -> String {
    format!("k{n:02}")
}

fn rows(keys: &[String]) -> Vec<(Key, Option<Value>)> {
    let row = |key: &String| (Key::new(key).unwrap(), Some(Value::Json("1".into())));
    keys.iter().map(row).collect()
}

fn changes(table: &str, lifecycle: Lifecycle, keys: &[String]) -> ChangeSet {
    let (table, rows) = (name(table), rows(keys));
    ChangeSet { tables: vec![TableChanges { table, lifecycle, rows }] }
}

fn written(table: &str, key: &str) -> ChangeSet {
    changes(table, Lifecycle::Kept, &[key.to_owned()])
}

fn range(random: &mut Random) -> Range {
    let bound = |random: &mut Random| (!random.one_in(4)).then(|| key(random.below(40)));
    match random.below(4) {
        0 => Range::prefix(&format!("k{}", random.below(4))),
        1 => Range::key(&key(random.below(40))),
        _ => Range::between(bound(random), bound(random)),
    }
}

/// What was read, as it was said.
#[derive(Debug)]
enum Said {
    Table(&'static str),
    Key(&'static str, String),
    Range(&'static str, Range),
}

impl Said {
    fn any(random: &mut Random) -> Self {
        let table = TABLES[random.below(3)];
        match random.below(8) {
            0 => Self::Table(table),
            1..5 => Self::Key(table, key(random.below(40))),
            _ => Self::Range(table, range(random)),
        }
    }

    fn note(&self, reads: &mut Reads) {
        match self {
            Self::Table(table) => reads.table(table),
            Self::Key(table, key) => reads.key(table, key),
            Self::Range(table, range) => reads.range(table, range.clone()),
        }
    }

    fn is_touched_by(&self, changes: &ChangeSet) -> bool {
        let (Self::Table(own) | Self::Key(own, _) | Self::Range(own, _)) = self;
        changes.tables.iter().any(|table| {
            let is_taken =
                matches!(&table.lifecycle, Lifecycle::Moved { from } if from.as_str() == *own);
            let mut keys = table.rows.iter().map(|(key, _)| key.as_str());
            let is_read = match self {
                Self::Table(_) => false,
                Self::Key(_, own) => keys.any(|key| key == own),
                Self::Range(_, range) => keys.any(|key| range.contains(key)),
            };
            let is_own = table.table.as_str() == *own;
            is_taken || is_own && (table.lifecycle != Lifecycle::Kept || is_read)
        })
    }
}

fn any_changes(random: &mut Random) -> ChangeSet {
    let mut tables = Vec::new();
    for table in TABLES {
        if random.one_in(2) {
            continue;
        }
        let mut keys: Vec<_> = (0..random.below(4)).map(|_| key(random.below(40))).collect();
        keys.sort();
        keys.dedup();
        let lifecycle = match random.below(12) {
            0 => Lifecycle::Created,
            1 => Lifecycle::Dropped,
            2 => Lifecycle::Moved { from: name(TABLES[random.below(3)]) },
            _ => Lifecycle::Kept,
        };
        tables.push(TableChanges { table: name(table), lifecycle, rows: rows(&keys) });
    }
    ChangeSet { tables }
}

#[test]
fn exactly_those_who_read_what_changes_are_told() {
    let mut random = Random::from_env("exactly_those_who_read_what_changes_are_told");
    let watchers = Arc::new(Watchers::default());
    let mut watching: Vec<(Vec<Said>, bool, Watch)> = Vec::new();
    let mut told = [0; 2];
    for _ in 0..2_000 {
        while watching.len() < 20 {
            let said: Vec<_> = (0..random.below(6)).map(|_| Said::any(&mut random)).collect();
            let mut reads = Reads::default();
            said.iter().for_each(|said| said.note(&mut reads));
            let every = random.one_in(20);
            if every {
                reads.sequence();
            }
            watching.push((said, every, watchers.watch(Sequence(4), reads)));
        }
        let changes = any_changes(&mut random);
        watchers.touched(Sequence(5), &changes);
        for (said, every, watch) in &watching {
            let wanted = *every || said.iter().any(|said| said.is_touched_by(&changes));
            assert_eq!(watch.is_touched(), wanted, "{said:?} {changes:?}");
            assert_eq!(watch.reads().are_touched_by(&changes), wanted, "{said:?} {changes:?}");
            told[usize::from(wanted)] += 1;
        }
        watching.retain(|(_, _, watch)| !watch.is_touched());
        if random.one_in(10) {
            watching.swap_remove(0);
        }
    }
    assert!(told.iter().all(|&n| n > 1_000), "{told:?}");
    watching.clear();
    assert!(watchers.is_empty(), "nothing is kept of those who went");
}

/// A page of a cursor in one of its forms, and how large it may be.
#[derive(Debug, Clone, Copy)]
struct Page(usize, usize);

impl Page {
    fn read(self, cursor: &mut Cursor, state: &State) -> Vec<u8> {
        let row = |row: crate::state::RowRef<'_>| format!("{} {:?};", row.key, row.value);
        match self.0 {
            0 => cursor.next_rows(state, self.1, 1 << 20, row).unwrap().concat().into_bytes(),
            1 => cursor.next_rows(state, 1_000, self.1, row).unwrap().concat().into_bytes(),
            2 => cursor.next_packed(state, self.1).unwrap(),
            _ => cursor.next_json(state, self.1).unwrap().into_bytes(),
        }
    }
}

fn change(state: &mut State, random: &mut Random, n: usize) -> ChangeSet {
    let mut keys: Vec<_> = (0..n).map(|_| key(random.below(60))).collect();
    keys.sort();
    keys.dedup();
    let value = |random: &mut Random| Value::Json("1".repeat(1 + random.below(30)).into());
    let row = |key: String| (Key::new(&key).unwrap(), (!random.one_in(3)).then(|| value(random)));
    let rows = keys.into_iter().map(row).collect();
    let sequence = state.sequence().next();
    let lifecycle = if sequence.0 == 1 { Lifecycle::Created } else { Lifecycle::Kept };
    let changes = ChangeSet { tables: vec![TableChanges { table: name("a"), lifecycle, rows }] };
    state.apply(Step { sequence, time_ms: 1, position: Position(0) }, &changes);
    changes
}

#[test]
fn pages_that_no_change_touches_read_the_same_again() {
    let mut random = Random::from_env("pages_that_no_change_touches_read_the_same_again");
    let mut state = State::empty();
    change(&mut state, &mut random, 40);
    let mut unlike = 0;
    for _ in 0..5_000 {
        let range = range(&mut random);
        let order = [Order::Ascending, Order::Descending][random.below(2)];
        let pages: Vec<_> = (0..1 + random.below(5))
            .map(|_| match random.below(4) {
                0 => Page(0, 1 + random.below(10)),
                form => Page(form, 1 + random.below(200)),
            })
            .collect();
        let mut reads = Reads::default();
        let mut cursor = Cursor::new(&state, "a", range.clone(), order).unwrap();
        let read = |page: &Page| {
            let before = cursor.remaining().clone();
            let read = page.read(&mut cursor, &state);
            let (table, range) = cursor.read_of(&state, before).unwrap();
            reads.range(table, range);
            read
        };
        let first: Vec<_> = pages.iter().map(read).collect();
        let n = 1 + random.below(3);
        let changes = change(&mut state, &mut random, n);
        let mut cursor = Cursor::new(&state, "a", range.clone(), order).unwrap();
        let second: Vec<_> = pages.iter().map(|page| page.read(&mut cursor, &state)).collect();
        let is_touched = reads.are_touched_by(&changes);
        assert!(is_touched || first == second, "{range:?} {order:?} {pages:?} {changes:?}");
        unlike += usize::from(first != second);
        assert!(reads.tables.values().all(|own| own.ranges.len() <= 2), "pages are joined");
    }
    assert!(unlike > 500, "{unlike}");
}

#[test]
fn every_key_of_a_range_has_its_beginning() {
    let between = |lower: &str, upper: &str| Range::between(Some(lower.into()), Some(upper.into()));
    for (range, beginning) in [
        (Range::all(), ""),
        (Range::prefix("order/42/"), "order/42/"),
        (Range::prefix("order/42/").after("order/42/7"), "order/42/"),
        (Range::prefix("order/42/").before("order/42/7"), "order/42/"),
        (Range::prefix("\u{d7ff}"), "\u{d7ff}"),
        (Range::prefix("a\u{10ffff}"), "a"),
        (between("a1", "a3"), "a"),
        (between("a1", "a2x"), "a"),
        (between("a", "a\0"), "a"),
        (between("a", "b"), "a"),
        (Range::between(Some("a".into()), None), ""),
        (Range::between(None, Some("a".into())), ""),
    ] {
        assert_eq!(range.beginning(), beginning, "{range:?}");
    }
    let mut random = Random::from_env("every_key_of_a_range_has_its_beginning");
    for _ in 0..20_000 {
        let (a, b, key) = (random.key(), random.key(), random.key());
        let range = match random.below(3) {
            0 => Range::prefix(&a),
            1 => Range::prefix(&a).through(&b, Order::Ascending),
            _ => between(&a, &b),
        };
        assert!(!range.contains(&key) || key.starts_with(range.beginning()), "{range:?} {key:?}");
    }
}

#[test]
fn a_table_that_was_looked_for_and_is_not_there_is_watched() {
    assert!(State::empty().get("later", "k").is_err());
    let watchers = Arc::new(Watchers::default());
    let mut reads = Reads::default();
    reads.key("later", "k");
    // Handlers do not see these, and no table is ever called the second.
    reads.key("$modules", "k");
    reads.key("No Name", "k");
    assert_eq!(reads.tables.len(), 1);
    let watch = watchers.watch(Sequence(4), reads);
    watchers.touched(Sequence(5), &changes("other", Lifecycle::Created, &[]));
    assert!(!watch.is_touched());
    watchers.touched(Sequence(5), &changes("later", Lifecycle::Created, &[]));
    assert!(watch.is_touched());
}

#[test]
fn what_exceeds_the_room_is_watched_as_a_whole_table() {
    let mut reads = Reads::default();
    reads.key("b", "mine");
    for n in 0..READS_MAX {
        reads.key("a", &n.to_string());
    }
    assert!(reads.tables["a"].is_whole && !reads.tables["b"].is_whole);
    assert!(reads.are_touched_by(&written("a", "never read")));
    assert!(!reads.are_touched_by(&written("b", "never read")));
    assert!(reads.are_touched_by(&written("b", "mine")));
    // What the one table gave up is room for others.
    for n in 0..READS_MAX - 1 {
        reads.key("c", &n.to_string());
    }
    assert!(!reads.tables["c"].is_whole);
    let mut reads = Reads::default();
    for n in 0..READS_BYTES_MAX / 1_000 {
        reads.range("a", Range::between(Some(format!("{n:0500}a")), Some(format!("{n:0500}b"))));
    }
    assert!(reads.tables["a"].is_whole, "long bounds take room too");
    let mut reads = Reads::default();
    reads.range("a", Range::prefix(""));
    assert!(reads.tables["a"].is_whole);
}

#[test]
fn whoever_is_told_wakes_and_at_the_end_all_are_told() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let watchers = Arc::new(Watchers::default());
    let watch = |key: &str| {
        let mut reads = Reads::default();
        reads.key("a", key);
        watchers.watch(Sequence(4), reads)
    };
    runtime.block_on(async {
        let (one, other) = (watch("one"), watch("other"));
        let told = async {
            one.touched().await;
            // It stays told.
            one.touched().await;
        };
        let tell = async { watchers.touched(Sequence(5), &written("a", "one")) };
        tokio::join!(told, tell);
        assert!(!other.is_touched());
        watchers.touched(Sequence(4), &written("a", "other"));
        assert!(!other.is_touched(), "it was read with that in it");
        watchers.touch_all(Sequence(5));
        other.touched().await;
        let last = watch("last");
        assert!(!watchers.is_over());
        watchers.let_go();
        last.touched().await;
        watch("too late").touched().await;
        assert!(watchers.is_over());
    });
}
