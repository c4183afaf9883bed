//! Bringing in what was prepared beside the lane.
//!
//! Handlers that would hold up commands run elsewhere, on what is published and
//! durable. What they come to enters the lane as an entry whose change set is there
//! already: it is staged as it is if the rows that it was made from are still as they
//! were, and otherwise nothing is. So cursor and effect are one change set, exactly
//! once through any crash, and whoever prepared it looks at the state again.

use std::time::Duration;

use super::execute::{Executed, failure};
use crate::record::Verdict;
use crate::state::{State, ValueRef};
use crate::transaction::Staged;
use crate::value::{ChangeSet, Key, Name, Value};

/// What one entry of [`Act::Advance`](crate::record::Act::Advance) changes. It is in
/// memory only: after a crash between the entry and its outcome it is prepared again.
/// The inbox does not count its bytes; whoever prepares has one on its way at a time,
/// of a few megabytes at most.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prepared {
    /// Rows that must be as they were: the cursor, above all.
    pub expected: Vec<Expected>,
    /// What changes, the cursor among it.
    pub changes: ChangeSet,
}

/// A row that something was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// Its table.
    pub table: Name,
    /// Its key.
    pub key: Key,
    /// Its value; none if there must be no such row.
    pub value: Option<Value>,
}

impl Prepared {
    /// The first row that is not as it was, if there is one.
    fn superseded(&self, base: &State) -> Option<&Expected> {
        self.expected.iter().find(|expected| {
            let table = base.table(expected.table.as_str());
            let found = table.and_then(|table| table.get(expected.key.as_str()));
            found != expected.value.as_ref().map(ValueRef::from)
        })
    }
}

/// Stages what was prepared, if nothing that it was made from has changed since.
pub(super) fn execute(base: &State, prepared: Option<&Prepared>) -> Executed {
    let Some(prepared) = prepared else {
        let why = "the server stopped before this was executed, and what it was to change is not \
                   known any more; whatever made it makes another, unless that was a request: \
                   send it again"
            .to_owned();
        return Executed::rejected(None, failure("superseded", why, None));
    };
    if let Some(Expected { table, key, .. }) = prepared.superseded(base) {
        let why = format!(
            "row `{key}` of table `{table}` changed after this was prepared; whatever made it \
             looks again, unless that was a request: send it again"
        );
        return Executed::rejected(None, failure("superseded", why, None));
    }
    Executed {
        module: None,
        verdict: Verdict::Succeeded(Value::Json("null".into())),
        staged: Staged { changes: prepared.changes.clone(), ..Staged::default() },
        elapsed: Duration::ZERO,
    }
}
