//! The tail of a lane's events, and how change sets come together.

use uuid::Uuid;

use super::*;
use crate::value::Sequence;

fn event(position: u64, bytes: usize) -> Arc<StoredEvent> {
    Arc::new(StoredEvent {
        position: Position(position),
        id: Uuid::from_u128(position.into()),
        event_type: "item.added".into(),
        subject: None,
        data: "1".repeat(bytes).into(),
        sequence: Sequence(position),
        time_ms: position,
        command_id: Uuid::from_u128(1),
        correlation_id: "1".into(),
        causation_id: None,
        module: None,
        module_hash: None,
        depth: 0,
        erased: false,
    })
}

fn between(tail: &Tail, after: u64, upto: u64) -> Option<Vec<u64>> {
    let events = tail.between(Position(after), Position(upto))?;
    Some(events.map(|event| event.position.0).collect())
}

#[test]
fn a_tail_has_all_events_between_two_or_none() {
    let mut tail = Tail::default();
    assert_eq!(between(&tail, 5, 5), Some(Vec::new()));
    assert_eq!(between(&tail, 4, 5), None);
    tail.push(vec![event(5, 1), event(6, 1)]);
    tail.push(vec![event(7, 1)]);
    assert_eq!(between(&tail, 4, 7), Some(vec![5, 6, 7]));
    assert_eq!(between(&tail, 6, 7), Some(vec![7]));
    assert_eq!(between(&tail, 7, 7), Some(Vec::new()));
    assert_eq!(between(&tail, 3, 7), None);
    assert_eq!(between(&tail, 6, 8), None);
    tail.clear();
    assert_eq!(between(&tail, 6, 7), None);
}

#[test]
fn i12_a_tail_is_bounded_by_number_and_bytes() {
    let mut tail = Tail::default();
    let n = TAIL_EVENTS_MAX as u64;
    (1..=n + 10).for_each(|position| tail.push(vec![event(position, 1)]));
    assert_eq!(between(&tail, 10, n + 10).map(|events| events.len()), Some(TAIL_EVENTS_MAX));
    assert_eq!(between(&tail, 9, n + 10), None);
    let mut tail = Tail::default();
    (1..=10).for_each(|position| tail.push(vec![event(position, 1 << 20)]));
    assert_eq!(between(&tail, 3, 10), Some((4..=10).collect()));
    assert_eq!(between(&tail, 2, 10), None);
}

fn changes(table: &str, lifecycle: Lifecycle, rows: &[(&str, Option<&str>)]) -> TableChanges {
    let rows = rows
        .iter()
        .map(|(key, value)| (Key::new(key).unwrap(), value.map(|value| Value::Json(value.into()))));
    TableChanges { table: table.parse().unwrap(), lifecycle, rows: rows.collect() }
}

#[test]
fn change_sets_come_together_table_by_table_and_key_by_key() {
    let mut all = ChangeSet::default();
    let created = Lifecycle::Created;
    all.add(changes("b", created.clone(), &[("k", Some("1")), ("m", Some("1"))]));
    let more = [
        changes("b", Lifecycle::Kept, &[("a", Some("2")), ("m", None)]),
        changes("a", Lifecycle::Kept, &[("z", None)]),
    ];
    more.into_iter().for_each(|more| all.join(ChangeSet { tables: vec![more] }));
    let expected = [
        changes("a", Lifecycle::Kept, &[("z", None)]),
        changes("b", created, &[("a", Some("2")), ("k", Some("1")), ("m", None)]),
    ];
    assert_eq!(all.tables, expected);
}
