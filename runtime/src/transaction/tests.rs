//! Transactions against plain maps: what is staged reads as if it were there,
//! leaves as one change set, and stays within limits.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use uuid::Uuid;

use super::json::JSON_DEPTH_MAX;
use super::{
    Chain, Context, Cursor, Limits, NewCommand, NewEvent, PAGE_ROWS_MAX, Read, Refusal,
    Transaction, check_json,
};
use crate::state::model::{Model, OwnedRow, Random, apply, contents, expected, owned};
use crate::state::{Order, Range, State, Step, ValueRef, unpack};
use crate::value::{ChangeSet, Key, Lifecycle, Name, Position, Sequence, TableChanges, Value};

const COMMAND: Uuid = Uuid::from_u128(0x0195_f000_0000_7000_8000_0000_0000_0001);

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn json(text: &str) -> Value {
    Value::Json(text.into())
}

fn context(sequence: u64, limits: Limits) -> Context {
    let writable = Arc::new(BTreeSet::from([name("rows")]));
    let (sequence, chain) = (Sequence(sequence), Chain::default());
    Context { sequence, time_ms: 7, command_id: COMMAND, writable, limits, chain }
}

/// A state with the tables `rows`, `foreign` and `$system`.
fn base(rows: Vec<(Key, Option<Value>)>) -> State {
    let mut state = State::empty();
    let system = (Name::system("$system"), vec![(Key::new("k").unwrap(), Some(json("1")))]);
    let tables = [system, (name("foreign"), Vec::new()), (name("rows"), rows)];
    let tables =
        tables.map(|(table, rows)| TableChanges { table, lifecycle: Lifecycle::Created, rows });
    let step = Step { sequence: Sequence(1), time_ms: 1, position: Position(41) };
    state.apply(step, &ChangeSet { tables: tables.into() });
    state
}

fn transaction() -> Transaction {
    Transaction::new(base(Vec::new()), context(2, Limits::default()))
}

fn event(event_type: &str, data: &str) -> NewEvent {
    NewEvent { event_type: event_type.into(), subject: None, data: data.into() }
}

/// A cursor's rows, each page in one of the three forms.
fn read_pages(random: &mut Random, read: &impl Read, range: &Range, order: Order) -> Vec<OwnedRow> {
    let mut cursor = Cursor::new(read, "rows", range.clone(), order).unwrap();
    let mut rows = Vec::new();
    loop {
        let bytes_max = [1, 200, 5_000, usize::MAX][random.below(4)];
        let page = match random.below(3) {
            0 => cursor.next_rows(read, [0, 1, 7, usize::MAX][random.below(4)], bytes_max, owned),
            1 => cursor.next_packed(read, bytes_max).map(|page| {
                unpack(&page).map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
            }),
            _ => cursor.next_json(read, bytes_max).map(|page| parse_json(&page)),
        }
        .unwrap();
        if page.is_empty() {
            return rows;
        }
        rows.extend(page);
    }
}

fn parse_json(page: &str) -> Vec<OwnedRow> {
    use base64::Engine as _;
    let rows: Vec<(String, &serde_json::value::RawValue)> = serde_json::from_str(page).unwrap();
    let value = |text: &str| match text.strip_prefix(r#"{"$bytes":""#) {
        Some(rest) => {
            let encoded = rest.strip_suffix("\"}").unwrap();
            let bytes = base64::engine::general_purpose::STANDARD.decode(encoded).unwrap();
            Value::Bytes(bytes.into())
        }
        None => json(text),
    };
    rows.into_iter().map(|(key, text)| (key, value(text.get()))).collect()
}

fn check_reads(random: &mut Random, transaction: &Transaction, model: &Model) {
    let (range, order) = (random.range(), random.order());
    let expected = expected(model, &range, order);
    assert_eq!(transaction.count("rows", &range), Ok(expected.len() as u64), "{range:?}");
    let view = transaction.table("rows").unwrap();
    assert_eq!(view.scan(&range, order).map(owned).collect::<Vec<_>>(), expected, "{range:?}");
    assert_eq!(read_pages(random, transaction, &range, order), expected, "{range:?} {order:?}");
    let keys = [random.key(), random.key()];
    let values = transaction.get_many("rows", &keys).unwrap();
    let values: Vec<_> = values.into_iter().map(|value| value.map(ValueRef::to_owned)).collect();
    let expected: Vec<_> =
        keys.iter().map(|key| model.get(key).map(|(value, _)| value.clone())).collect();
    assert_eq!(values, expected);
}

#[test]
fn staged_reads_equal_a_map() {
    let mut random = Random::from_env("staged_reads_equal_a_map");
    let rows = random.changes(1_500);
    let (mut state, mut model) = (base(rows.clone()), Model::new());
    apply(&mut model, Sequence(1), &rows);
    for sequence in 2..60 {
        let before = model.clone();
        let mut transaction = Transaction::new(state.clone(), context(sequence, Limits::default()));
        let mut written = BTreeMap::new();
        for _ in 0..[0, 1, 5, 300][random.below(4)] {
            let (key, value) = random.changes(1).remove(0);
            match &value {
                Some(value) => transaction.put("rows", key.as_str(), value.clone()).unwrap(),
                None => transaction.delete("rows", key.as_str()).unwrap(),
            }
            let change = (key.clone(), value.clone());
            apply(&mut model, Sequence(sequence), &[change]);
            written.insert(key, value);
            if random.one_in(10) {
                check_reads(&mut random, &transaction, &model);
            }
        }
        (0..5).for_each(|_| check_reads(&mut random, &transaction, &model));
        assert_eq!(contents(transaction.base().table("rows").unwrap()), before, "I6");
        if random.one_in(4) {
            // I5: nothing of a discarded transaction is left.
            assert_eq!(transaction.discard(Vec::new()), Ok(Vec::new()));
            assert_eq!(contents(state.table("rows").unwrap()), before);
            model = before;
            continue;
        }
        // Deleting what the base does not have is no change.
        written.retain(|key, value| value.is_some() || before.contains_key(key.as_str()));
        let changes = transaction.finish().changes;
        let rows: Vec<_> = changes.tables.iter().flat_map(|table| table.rows.clone()).collect();
        assert_eq!(rows, written.into_iter().collect::<Vec<_>>());
        let step = Step { sequence: Sequence(sequence), time_ms: 2, position: Position(41) };
        state.apply(step, &changes);
        assert_eq!(contents(state.table("rows").unwrap()), model);
        (0..5).for_each(|_| {
            let (range, order) = (random.range(), random.order());
            let pages = read_pages(&mut random, &state, &range, order);
            assert_eq!(pages, expected(&model, &range, order));
        });
    }
}

#[test]
fn a_page_shows_what_was_written_before_it_was_asked_for() {
    let mut transaction = transaction();
    for key in ["b", "d"] {
        transaction.put("rows", key, json("1")).unwrap();
    }
    let mut cursor = Cursor::new(&transaction, "rows", Range::all(), Order::Ascending).unwrap();
    assert_eq!(cursor.next_json(&transaction, 1).unwrap(), r#"[["b",1]]"#);
    transaction.put("rows", "a", json("2")).unwrap();
    transaction.put("rows", "c\"", Value::Bytes([1, 2].into())).unwrap();
    transaction.delete("rows", "d").unwrap();
    let page = cursor.next_json(&transaction, 1_000).unwrap();
    assert_eq!(page, r#"[["c\"",{"$bytes":"AQI="}]]"#);
    assert_eq!(cursor.next_json(&transaction, 1_000).unwrap(), "[]");
    assert!(cursor.next_packed(&transaction, 1_000).unwrap().is_empty());
}

#[test]
fn pages_have_a_largest_size() {
    let mut transaction = transaction();
    for n in 0..=PAGE_ROWS_MAX {
        transaction.put("rows", &format!("{n:05}"), json("1")).unwrap();
    }
    let mut cursor = Cursor::new(&transaction, "rows", Range::all(), Order::Descending).unwrap();
    let page = cursor.next_rows(&transaction, usize::MAX, usize::MAX, |_| ()).unwrap();
    assert_eq!(page.len(), PAGE_ROWS_MAX, "I12");
}

#[test]
fn refuses_what_handlers_may_not_do() {
    let mut transaction = transaction();
    let code = |result: Result<(), Refusal>| result.unwrap_err().code();
    let long = "k".repeat(1_025);
    let large = Value::Bytes(vec![0; (1 << 20) + 1].into());
    assert_eq!(code(transaction.put("absent", "k", json("1"))), "unknown-table");
    assert_eq!(code(transaction.put("$system", "k", json("1"))), "unknown-table");
    assert_eq!(transaction.get("$system", "k").unwrap_err().code(), "unknown-table");
    assert_eq!(transaction.base().get("$system", "k").unwrap_err().code(), "unknown-table");
    assert!(Cursor::new(&transaction, "absent", Range::all(), Order::Ascending).is_err());
    assert_eq!(code(transaction.put("foreign", "k", json("1"))), "foreign-table");
    assert_eq!(code(transaction.delete("foreign", "k")), "foreign-table");
    assert_eq!(transaction.get("foreign", "k"), Ok(None));
    assert_eq!(code(transaction.put("rows", "", json("1"))), "invalid-key");
    assert_eq!(code(transaction.put("rows", &long, json("1"))), "invalid-key");
    assert_eq!(code(transaction.put("rows", "k", large)), "value-too-long");
    assert_eq!(code(transaction.put("rows", "k", json("{"))), "invalid-json");
    let emit = |transaction: &mut Transaction, event| transaction.emit(event).unwrap_err().code();
    for event_type in ["", ".", "a..b", "a b", "é", &"a".repeat(129)] {
        assert_eq!(emit(&mut transaction, event(event_type, "1")), "invalid-event-type");
    }
    assert_eq!(emit(&mut transaction, event("order.placed", "")), "invalid-json");
    let subject = Some("s".repeat(1_025).into());
    let long_subject = NewEvent { subject, ..event("order.placed", "1") };
    assert_eq!(emit(&mut transaction, long_subject), "subject-too-long");
    assert_eq!(transaction.finish(), super::Staged::default());
}

#[test]
fn a_view_sees_no_table_but_its_own() {
    let view = Transaction::for_view(base(Vec::new()), context(2, Limits::default()));
    assert_eq!(view.get("rows", "k"), Ok(None));
    for table in ["foreign", "$system", "nowhere"] {
        assert_eq!(view.get(table, "k").unwrap_err().code(), "foreign-table");
    }
}

#[test]
fn a_command_to_submit_is_checked() {
    let refused = |name: &str, input: &str, metadata: &str| {
        let refused = NewCommand::new(name, input.into(), metadata.into()).unwrap_err();
        assert_eq!(refused.code(), "invalid-command");
        refused.to_string()
    };
    assert!(NewCommand::new("ship", "null".into(), r#"{"a":1}"#.into()).is_ok());
    assert!(refused("Ship it", "null", "{}").contains("`Ship it`"));
    assert!(refused("ship", "{", "{}").contains("the input of `ship`: the text is not JSON"));
    assert!(refused("ship", "1", "[]").contains("metadata of `ship` must be a JSON object"));
    assert!(refused("ship", &"1".repeat(1 << 20), "{}").contains("1048576 bytes"));
}

#[test]
fn json_is_checked_to_the_byte() {
    let offset = |text: &str| match check_json(text) {
        Err(Refusal::InvalidJson { offset, .. } | Refusal::JsonTooDeep { offset }) => Some(offset),
        _ => None,
    };
    for text in ["1", " {\"a\":[1e999,\"\\u00e9\"]} ", "\"[[\\\"[\"", "null", "1e400"] {
        assert_eq!(offset(text), None, "{text}");
    }
    let cases = [("", 0), ("{", 1), ("[1,]", 3), ("[1]x", 3), ("[\n1,\n x]", 6), ("01", 1)];
    for (text, expected) in cases {
        assert_eq!(offset(text), Some(expected), "{text:?}");
    }
    let nested = |depth| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(offset(&nested(JSON_DEPTH_MAX)), None);
    assert!(serde_json::from_str::<serde_json::Value>(&nested(JSON_DEPTH_MAX)).is_ok());
    assert_eq!(offset(&nested(JSON_DEPTH_MAX + 1)), Some(JSON_DEPTH_MAX));
    // Far deeper than a parser with recursion would survive.
    assert_eq!(offset(&nested(400_000)), Some(JSON_DEPTH_MAX));
}

#[test]
fn stays_within_limits() {
    let limits = Limits { rows_max: 2, bytes_max: 20, events_max: 1 };
    let key = |text| Key::new(text).unwrap();
    let rows = vec![(key("old"), Some(json("1"))), (key("older"), Some(json("1")))];
    let mut transaction = Transaction::new(base(rows), context(2, limits));
    let code = |result: Result<(), Refusal>| result.unwrap_err().code();
    transaction.put("rows", "a", json("\"0123456789\"")).unwrap();
    assert_eq!(code(transaction.put("rows", "b", json("1234567"))), "too-many-bytes", "I12");
    // What replaces a staged row needs only the room that it adds.
    transaction.put("rows", "a", json("\"01234567890123456\"")).unwrap();
    assert_eq!(
        code(transaction.put("rows", "a", json("\"012345678901234567\""))),
        "too-many-bytes"
    );
    transaction.put("rows", "a", json("1")).unwrap();
    transaction.delete("rows", "old").unwrap();
    assert_eq!(code(transaction.put("rows", "b", json("1"))), "too-many-rows");
    assert_eq!(code(transaction.delete("rows", "older")), "too-many-rows");
    transaction.delete("rows", "absent").unwrap();
    // A row that came and went leaves room again.
    transaction.delete("rows", "a").unwrap();
    transaction.put("rows", "b", json("1")).unwrap();
    transaction.emit(event("e", "1")).unwrap();
    assert_eq!(transaction.emit(event("e", "1")).unwrap_err().code(), "too-many-events");
    let staged = transaction.finish();
    assert_eq!((staged.changes.rows(), staged.events.len()), (2, 1));
}

#[test]
fn ids_are_the_same_at_every_execution() {
    let execute = || {
        let mut transaction = transaction();
        let ids = [transaction.new_id(), transaction.new_id()];
        let events = [event("a.b", "1"), event("c", "{}")].map(|event| transaction.emit(event));
        (ids, events, transaction.finish())
    };
    let (ids, events, staged) = execute();
    assert_eq!((ids, events.clone(), staged.clone()), execute());
    assert_eq!(ids, [0, 1].map(|n| Uuid::new_v5(&COMMAND, format!("id/{n}").as_bytes())));
    assert_eq!(events[1], Ok(Uuid::new_v5(&COMMAND, b"event/1")));
    let positions: Vec<_> = staged.events.iter().map(|event| event.position).collect();
    assert_eq!(positions, [Position(42), Position(43)], "I4");
    assert_eq!(staged.events[1].id, events[1].clone().unwrap());
}

#[test]
fn a_rejection_keeps_only_its_own_events() {
    let mut rejected = transaction();
    rejected.put("rows", "k", json("1")).unwrap();
    rejected.emit(event("order.placed", "1")).unwrap();
    let events = rejected.discard(vec![event("order.refused", "2")]).unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!((&*events[0].event_type, events[0].position), ("order.refused", Position(42)));
    let invalid = transaction().discard(vec![event("", "2")]);
    assert_eq!(invalid.unwrap_err().code(), "invalid-event-type");
}

#[test]
fn tables_come_and_go_within_a_transaction() {
    let rows = vec![(Key::new("a").unwrap(), Some(json("1")))];
    let state = base(rows);
    let start = || Transaction::new(state.clone(), context(2, Limits::default()));
    let lifecycles = |transaction: Transaction| -> Vec<_> {
        let tables = transaction.finish().changes.tables.into_iter();
        tables.map(|table| (table.table.to_string(), table.lifecycle, table.rows.len())).collect()
    };
    let (rows, new) = (name("rows"), name("new"));

    let mut created = start();
    created.create_table(&new);
    created.create_table(&rows);
    assert_eq!(created.count("new", &Range::all()), Ok(0));
    assert_eq!(lifecycles(created), [("new".into(), Lifecycle::Created, 0)]);

    let mut dropped = start();
    dropped.put("rows", "b", json("2")).unwrap();
    dropped.drop_table(&rows);
    assert_eq!(dropped.put("rows", "b", json("2")).unwrap_err().code(), "unknown-table");
    assert_eq!(lifecycles(dropped), [("rows".into(), Lifecycle::Dropped, 0)]);

    let mut anew = start();
    anew.drop_table(&rows);
    anew.create_table(&rows);
    assert_eq!(anew.get("rows", "a"), Ok(None));
    anew.put("rows", "b", json("2")).unwrap();
    assert_eq!(lifecycles(anew), [("rows".into(), Lifecycle::Kept, 2)]);

    let mut passing = start();
    passing.create_table(&new);
    passing.drop_table(&new);
    assert_eq!(lifecycles(passing), []);
}

#[test]
fn the_server_writes_any_table() {
    let mut command = transaction();
    let (system, timers) = (Name::system("$system"), Name::system("$timers"));
    command.put("rows", "r", json("1")).unwrap();
    command.delete_system(&system, Key::new("k").unwrap());
    command.put_system(&timers, Key::new("t").unwrap(), json("2"));
    assert_eq!(command.any_table("$timers").unwrap().get("t"), Some(ValueRef::Json("2")));
    assert_eq!(command.get("$timers", "t").unwrap_err().code(), "unknown-table");
    let mut projection = Transaction::for_view(base(Vec::new()), context(2, Limits::default()));
    projection.put_system(&name("foreign"), Key::new("p").unwrap(), json("3"));
    command.absorb(projection);
    let tables = command.finish().changes.tables;
    let names: Vec<_> = tables.iter().map(|table| table.table.as_str()).collect();
    assert_eq!(names, ["$system", "$timers", "foreign", "rows"], "in the order of names");
}
