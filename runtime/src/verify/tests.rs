//! What two states differ in, and how that is told.

use super::compare::difference;
use crate::state::{State, Step};
use crate::value::{ChangeSet, Key, Lifecycle, Name, Position, Sequence, TableChanges, Value};

fn state(puts: &[(u64, &str, &str, &str)]) -> State {
    let mut state = State::empty();
    for (sequence, table, key, value) in puts {
        let step = Step { sequence: Sequence(*sequence), time_ms: 1, position: Position(0) };
        let table: Name = table.parse().unwrap();
        let value = (!value.is_empty()).then(|| Value::Json((*value).into()));
        let rows = vec![(Key::new(key).unwrap(), value)];
        let changes = TableChanges { table, lifecycle: Lifecycle::Kept, rows };
        state.apply(step, &ChangeSet { tables: vec![changes] });
    }
    state
}

#[test]
fn i9_a_difference_is_told_by_table_and_key() {
    let log = state(&[(1, "a", "k", "1"), (2, "a", "l", "2"), (3, "b", "k", "3")]);
    let told = |puts: &[(u64, &str, &str, &str)]| difference(&state(puts), &log);
    assert_eq!(told(&[(1, "a", "k", "1"), (2, "a", "l", "2"), (3, "b", "k", "3")]), None);
    let text = |puts: &[(u64, &str, &str, &str)]| told(puts).unwrap();
    insta::assert_snapshot!(
        text(&[(1, "a", "k", "1"), (2, "a", "l", "9"), (3, "b", "k", "3")]),
        @"table a: the value of key `l` is another than by the log"
    );
    insta::assert_snapshot!(
        text(&[(1, "a", "k", "1"), (3, "b", "k", "3")]),
        @"table a: key `l` is missing"
    );
    insta::assert_snapshot!(
        text(&[(1, "a", "k", "1"), (1, "a", "l", "2"), (3, "b", "k", "3")]),
        @"table a: key `l` was last put by entry 1, by the log by entry 2"
    );
    insta::assert_snapshot!(text(&[(1, "a", "k", "1"), (2, "a", "l", "2")]), @"table b is missing");
    insta::assert_snapshot!(
        text(&[(1, "a", "k", "1"), (2, "a", "l", "2"), (3, "a", "z", "3"), (3, "b", "k", "3")]),
        @"table a: by the log there is no key `z`"
    );
}
