//! The state against plain maps: whatever is done to both, they stay equal, the
//! blocks keep their invariants, and no clone ever changes.

mod chunks;

use std::collections::BTreeMap;

use super::block::{BLOCK_BYTES_MAX, Block};
use super::model::{Model, OwnedRow, Random, apply, contents, expected, owned};
use super::write::should_merge;
use super::{Order, Range, State, Step, Table, ValueRef, unpack};
use crate::value::{ChangeSet, Key, Lifecycle, Name, Position, Sequence, TableChanges, Value};

const TABLE: &str = "rows";

fn step(sequence: u64) -> Step {
    Step { sequence: Sequence(sequence), time_ms: sequence * 10, position: Position(sequence / 2) }
}

fn changes(lifecycle: Lifecycle, rows: Vec<(Key, Option<Value>)>) -> ChangeSet {
    ChangeSet { tables: vec![TableChanges { table: TABLE.parse().unwrap(), lifecycle, rows }] }
}

fn put(key: &str, value: &str) -> (Key, Option<Value>) {
    (Key::new(key).unwrap(), Some(Value::Json(value.into())))
}

fn delete(key: &str) -> (Key, Option<Value>) {
    (Key::new(key).unwrap(), None)
}

fn table(state: &State) -> &Table {
    state.table(TABLE).unwrap()
}

/// What `table.rs` promises about blocks.
fn check_blocks(table: &Table) {
    let blocks: Vec<_> = table.blocks.iter().collect();
    assert!(blocks[0].0.as_bytes().is_empty(), "the first bound is the empty text");
    for (index, (bound, block)) in blocks.iter().enumerate() {
        assert!(block.bytes() <= BLOCK_BYTES_MAX || block.len() == 1, "{block:?} is too large");
        let keys: Vec<_> = (0..block.len()).map(|index| block.key(index)).collect();
        assert!(keys.is_sorted_by(|a, b| a < b));
        assert!(keys.first().is_none_or(|key| bound.as_bytes() <= *key));
        let Some((next_bound, next)) = blocks.get(index + 1) else {
            continue;
        };
        assert!(keys.last().is_none_or(|key| *key < next_bound.as_bytes()));
        assert!(!should_merge(block, next), "{block:?} and {next:?} fit in one");
        assert!(next.len() > 0, "only a table without rows has an empty block");
    }
    let rows: usize = blocks.iter().map(|(_, block)| block.len()).sum();
    let bytes: usize = blocks.iter().map(|(_, block)| block.bytes()).sum();
    assert_eq!((table.rows(), table.bytes()), (rows as u64, bytes as u64));
    blocks.iter().for_each(|(_, block)| check_newest(block));
}

fn check_newest(block: &Block) {
    let changed = (0..block.len()).map(|index| block.row(index).unwrap().1);
    assert_eq!(block.newest, changed.max().unwrap_or_default());
}

/// Pages of a random size until the end.
fn read_pages(random: &mut Random, table: &Table, range: &Range, order: Order) -> Vec<OwnedRow> {
    let bytes_max = [1, 100, 3_000, 50_000, usize::MAX][random.below(5)];
    let (mut rows, mut rest) = (Vec::new(), range.clone());
    loop {
        let mut page = Vec::new();
        let Some(last) = table.pack(&rest, order, bytes_max, &mut page) else {
            assert!(page.is_empty());
            return rows;
        };
        let start = rows.len();
        rows.extend(unpack(&page).map(|(key, value)| (key.to_owned(), value.to_owned())));
        assert!(page.len() <= bytes_max || rows.len() == start + 1);
        assert_eq!(rows.last().map(|(key, _)| key), Some(&last));
        rest = rest.beyond(&last, order);
    }
}

fn check_reads(random: &mut Random, table: &Table, model: &Model) {
    for _ in 0..4 {
        let (range, order) = (random.range(), random.order());
        let expected = expected(model, &range, order);
        assert_eq!(table.count(&range), expected.len() as u64, "{range:?}");
        let scanned: Vec<_> = table.scan(&range, order).map(owned).collect();
        assert_eq!(scanned, expected, "{range:?} {order:?}");
        assert_eq!(read_pages(random, table, &range, order), expected, "{range:?} {order:?}");
        let key = random.key();
        let value = table.get(&key).map(ValueRef::to_owned);
        assert_eq!(value.as_ref(), model.get(&key).map(|(value, _)| value));
        assert_eq!(table.contains(&key), value.is_some());
    }
}

/// Compares the table with itself as of a clone: a range whose rows differ must
/// be said to have changed.
fn check_changed_since(random: &mut Random, table: &Table, model: &Model, old: (u64, &Model)) {
    let (sequence, old_model) = old;
    for _ in 0..4 {
        let range = random.range();
        let said = table.changed_since(&range, Sequence(sequence));
        let rows = |model: &Model| -> Vec<_> {
            let rows = model.iter().filter(|(key, _)| range.contains(key));
            rows.map(|(key, row)| (key.clone(), row.clone())).collect()
        };
        assert!(said || rows(model) == rows(old_model), "{range:?} changed since {sequence}");
        if let Some((_, changed)) = range.single().and_then(|key| model.get(key)) {
            assert_eq!(said, changed.0 > sequence, "a key that is there is answered exactly");
        }
    }
}

#[test]
fn equals_a_map_at_every_step() {
    let mut random = Random::from_env("equals_a_map_at_every_step");
    let (mut state, mut model) = (State::empty(), Model::new());
    let mut clones: BTreeMap<u64, (State, Model)> = BTreeMap::new();
    for sequence in 1..=600 {
        let rows = [1, 1, 3, 40, 600][random.below(5)];
        let changes = changes(Lifecycle::Kept, random.changes(rows));
        apply(&mut model, Sequence(sequence), &changes.tables[0].rows);
        state.apply(step(sequence), &changes);
        check_blocks(table(&state));
        check_reads(&mut random, table(&state), &model);
        if random.one_in(10) {
            clones.insert(sequence, (state.clone(), model.clone()));
        }
        if let Some((&at, (_, old))) = clones.iter().nth(random.below(clones.len() + 1)) {
            check_changed_since(&mut random, table(&state), &model, (at, old));
        }
        if random.one_in(3) {
            // Applying a change set again is applying it once.
            state.apply(step(sequence), &changes);
        }
        assert_eq!(contents(table(&state)), model);
    }
    for (sequence, (clone, model)) in &clones {
        assert_eq!(clone.sequence(), Sequence(*sequence));
        assert_eq!(&contents(table(clone)), model, "I6: a snapshot never changes");
        check_blocks(table(clone));
    }
}

#[test]
fn bulk_loads_keep_blocks_in_shape() {
    let mut random = Random::from_env("bulk_loads_keep_blocks_in_shape");
    let mut keys: Vec<_> = (0..20_000).map(|n| format!("key/{n:08}")).collect();
    for order in ["ascending", "descending", "shuffled"] {
        match order {
            "ascending" => keys.sort(),
            "descending" => keys.reverse(),
            _ => (1..keys.len()).for_each(|index| keys.swap(index, random.below(index + 1))),
        }
        for batch in [1, 1_000] {
            let mut state = State::empty();
            for (index, keys) in keys.chunks(batch).enumerate() {
                let mut rows: Vec<_> = keys.iter().map(|key| put(key, "\"value\"")).collect();
                rows.sort_by(|a, b| a.0.cmp(&b.0));
                state.apply(step(index as u64 + 1), &changes(Lifecycle::Kept, rows));
            }
            check_blocks(table(&state));
            let blocks = table(&state).blocks.len();
            let mean_bytes = table(&state).bytes() / blocks as u64;
            assert_eq!(table(&state).rows(), keys.len() as u64);
            assert!((1_400..=3_000).contains(&mean_bytes), "{order} {batch}: {mean_bytes}");
        }
    }
}

#[test]
fn deletions_are_remembered_when_nothing_is_left() {
    let mut state = State::empty();
    let rows: Vec<_> = (0..1_000).map(|n| put(&format!("{n:04}"), "1")).collect();
    let keys: Vec<_> = rows.iter().map(|(key, _)| (key.clone(), None)).collect();
    state.apply(step(1), &changes(Lifecycle::Created, rows));
    state.apply(step(2), &changes(Lifecycle::Kept, vec![delete("0500")]));
    assert!(table(&state).changed_since(&Range::key("0500"), Sequence(1)));
    assert!(!table(&state).changed_since(&Range::key("0500"), Sequence(2)));
    // A neighbour that is there is known exactly, in the same block or not.
    assert!(!table(&state).changed_since(&Range::key("0501"), Sequence(1)));
    assert!(!table(&state).changed_since(&Range::prefix("09"), Sequence(1)));
    state.apply(step(3), &changes(Lifecycle::Kept, keys));
    assert_eq!((table(&state).rows(), table(&state).bytes()), (0, 0));
    assert_eq!(table(&state).blocks.len(), 1);
    assert!(table(&state).changed_since(&Range::prefix("09"), Sequence(2)));
    assert!(!table(&state).changed_since(&Range::all(), Sequence(3)));
    // Removing what is absent is no deletion.
    state.apply(step(4), &changes(Lifecycle::Kept, vec![delete("0500")]));
    assert!(!table(&state).changed_since(&Range::all(), Sequence(3)));
}

#[test]
fn tables_come_and_go() {
    let mut state = State::empty();
    state.apply(step(1), &changes(Lifecycle::Created, Vec::new()));
    assert_eq!(table(&state).rows(), 0);
    assert!(table(&state).scan(&Range::all(), Order::Descending).next().is_none());
    state.apply(step(2), &changes(Lifecycle::Created, vec![put("a", "1")]));
    state.apply(step(3), &changes(Lifecycle::Created, Vec::new()));
    assert_eq!(table(&state).rows(), 1, "creating a table that is there keeps its rows");
    let before = state.clone();
    state.apply(step(4), &changes(Lifecycle::Dropped, Vec::new()));
    assert!(state.table(TABLE).is_none());
    assert_eq!(table(&before).rows(), 1, "I6");
    state.apply(step(5), &changes(Lifecycle::Created, vec![put("b", "2")]));
    assert!(table(&state).changed_since(&Range::key("a"), Sequence(4)));
    assert_eq!((state.sequence(), state.time_ms()), (Sequence(5), 50));
    assert_eq!(state.position(), Position(2));
    let names: Vec<&Name> = state.tables().map(|(name, _)| name).collect();
    assert_eq!(names, [&TABLE.parse::<Name>().unwrap()]);
}

#[test]
fn unshared_bytes_are_counted_only_while_a_clone_is_held() {
    let mut state = State::empty();
    let rows: Vec<_> = (0..1_000).map(|n| put(&format!("{n:04}"), "1")).collect();
    assert_eq!(state.apply(step(1), &changes(Lifecycle::Created, rows)), 0);
    let touch = |n: u64| changes(Lifecycle::Kept, vec![put("0500", &n.to_string())]);
    let held = state.clone();
    let first = state.apply(step(2), &touch(2));
    assert!((1_000..10_000).contains(&first), "one block and its path: {first}");
    assert_eq!(state.apply(step(3), &touch(3)), 0, "that block is no longer shared");
    drop(held);
    assert_eq!(state.apply(step(4), &touch(4)), 0);
}

#[test]
fn a_row_larger_than_a_block_has_a_block_of_its_own() {
    let mut state = State::empty();
    let large = format!("\"{}\"", "x".repeat(100_000));
    let values = ["1", &large, "1", &large, "1"];
    let rows = ["a", "b", "c", "d", "e"].iter().zip(values).map(|(key, value)| put(key, value));
    let rows = rows.collect();
    state.apply(step(1), &changes(Lifecycle::Created, rows));
    check_blocks(table(&state));
    assert_eq!(table(&state).blocks.len(), 5);
    let mut page = Vec::new();
    let last = table(&state).pack(&Range::all(), Order::Ascending, 1_000, &mut page);
    assert_eq!((last.as_deref(), page.len()), (Some("a"), 10));
    state.apply(step(2), &changes(Lifecycle::Kept, vec![delete("b"), delete("d")]));
    check_blocks(table(&state));
    assert_eq!(table(&state).blocks.len(), 1);
    // The block in which `b` was is gone; that it was deleted is not.
    assert!(table(&state).changed_since(&Range::key("b"), Sequence(1)));
    assert!(!table(&state).changed_since(&Range::key("a"), Sequence(1)));
}

#[test]
fn ranges_cover_what_they_say() {
    let covers = |range: Range, key: &str| range.contains(key);
    assert!(covers(Range::prefix("a"), "a") && covers(Range::prefix("a"), "a\u{10ffff}"));
    assert!(!covers(Range::prefix("a"), "b") && !covers(Range::prefix("a"), "`"));
    // The character after U+D7FF is U+E000: surrogates are not characters.
    assert_eq!(Range::prefix("x\u{d7ff}").upper.as_deref(), Some("x\u{e000}"));
    assert_eq!(Range::prefix("x\u{10ffff}").upper.as_deref(), Some("y"));
    assert_eq!(Range::prefix("\u{10ffff}").upper, None);
    assert_eq!(Range::prefix("").upper, None);
    assert_eq!(Range::key("a").single(), Some("a"));
    assert_eq!(Range::prefix("a").single(), None);
    assert!(Range::all().after("m").contains("m\0") && !Range::all().after("m").contains("m"));
    assert_eq!(Range::prefix("n").after("m"), Range::prefix("n"));
    assert_eq!(Range::prefix("l").before("m"), Range::prefix("l"));
    let reversed = Range::between(Some("b".into()), Some("a".into()));
    assert!(reversed.is_empty() && Range::between(None, Some(String::new())).is_empty());
}

#[test]
fn a_table_that_moves_takes_anothers_place_and_all_its_rows_have_changed() {
    let next = Name::clone(&TABLE.parse().unwrap()).next_table();
    let named =
        |table: &Name, lifecycle, rows| TableChanges { table: table.clone(), lifecycle, rows };
    let one = |table| ChangeSet { tables: vec![table] };
    let mut state = State::empty();
    state.apply(step(1), &changes(Lifecycle::Created, vec![put("a", "1"), put("z", "1")]));
    let rows = vec![put("a", "2"), put("b", "2"), put("c", "2")];
    state.apply(step(2), &one(named(&next, Lifecycle::Created, rows)));
    state.apply(step(3), &one(named(&next, Lifecycle::Kept, vec![delete("c")])));
    let before = state.clone();
    let moved = changes(Lifecycle::Moved { from: next.clone() }, vec![put("d", "4")]);
    let unshared = state.apply(step(4), &moved);
    assert!(unshared > 0);
    let expect = |state: &State, at: &[(&str, &str, u64)]| {
        assert!(state.table(next.as_str()).is_none());
        let json = |text: &str| Value::Json(text.into());
        let rows = at.iter().map(|(key, value, at)| ((*key).into(), (json(value), Sequence(*at))));
        assert_eq!(contents(table(state)), rows.collect::<Model>());
    };
    let rows = [("a", "2", 4), ("b", "2", 4), ("d", "4", 4)];
    expect(&state, &rows);
    for key in ["a", "b", "c", "d", "z", "never there"] {
        assert!(table(&state).changed_since(&Range::key(key), Sequence(3)), "{key}");
        assert!(!table(&state).changed_since(&Range::key(key), Sequence(4)), "{key}");
    }
    assert!(table(&state).changed_since(&Range::all(), Sequence(3)));
    // Once more at once changes nothing.
    let mut again = state.clone();
    again.apply(step(4), &moved);
    expect(&again, &rows);
    // What was there before is as it was (I6).
    assert_eq!(table(&before).get("z"), Some(ValueRef::Json("1")));
    // A copy in chunks says the same.
    let copy = chunks::copy(table(&state));
    assert_eq!(contents(&copy), contents(table(&state)));
    assert!(copy.changed_since(&Range::key("z"), Sequence(3)));
    assert!(!copy.changed_since(&Range::all(), Sequence(4)));
    // And it goes on from there.
    state.apply(step(5), &changes(Lifecycle::Kept, vec![delete("b"), put("e", "5")]));
    expect(&state, &[("a", "2", 4), ("d", "4", 4), ("e", "5", 5)]);
    check_blocks(table(&state));
}
