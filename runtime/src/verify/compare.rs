//! In what two states differ.

use crate::state::{Order, Range, State, Table};

/// The first difference between what a checkpoint has and what the log gives.
pub(super) fn difference(checkpoint: &State, log: &State) -> Option<String> {
    let (here, there) = (checkpoint.position(), log.position());
    if here != there {
        return Some(format!("its last event is {here}, by the log it is {there}"));
    }
    if checkpoint.time_ms() != log.time_ms() {
        return Some("its last entry has another time than in the log".to_owned());
    }
    let (mut here, mut there) = (checkpoint.tables(), log.tables());
    loop {
        return match (here.next(), there.next()) {
            (None, None) => None,
            (Some((name, table)), Some((other, by_log))) if name == other => {
                match rows(table, by_log) {
                    None => continue,
                    Some(what) => Some(format!("table {name}: {what}")),
                }
            }
            (Some((name, _)), None) => Some(format!("by the log there is no table {name}")),
            (None, Some((name, _))) => Some(format!("table {name} is missing")),
            (Some((name, _)), Some((other, _))) if name < other => {
                Some(format!("by the log there is no table {name}"))
            }
            (Some(_), Some((name, _))) => Some(format!("table {name} is missing")),
        };
    }
}

fn rows(checkpoint: &Table, log: &Table) -> Option<String> {
    let all = Range::all();
    let mut there = log.scan(&all, Order::Ascending);
    for row in checkpoint.scan(&all, Order::Ascending) {
        let key = row.key;
        let Some(by_log) = there.next() else {
            return Some(format!("by the log there is no key `{key}`"));
        };
        if by_log.key != key {
            let missing = by_log.key < key;
            let (key, what) =
                if missing { (by_log.key, "is missing") } else { (key, "is not there by the log") };
            return Some(format!("key `{key}` {what}"));
        }
        if by_log.value != row.value {
            return Some(format!("the value of key `{key}` is another than by the log"));
        }
        if by_log.changed != row.changed {
            return Some(format!(
                "key `{key}` was last put by entry {}, by the log by entry {}",
                row.changed, by_log.changed
            ));
        }
    }
    there.next().map(|row| format!("key `{}` is missing", row.key))
}
