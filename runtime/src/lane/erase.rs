//! Erasing what a command said and did: the entry that asks for it, what is seen of it
//! from then on, and what still has to be done to the files.
//!
//! The erasure is a row of the system table `$erased`, so it is durable, visible and in
//! its place in the order of things as any change is. From then on nobody is shown what
//! was erased; the bytes themselves go when no checkpoint needs them any more, which is
//! the keeper's business. What the command changed in tables stays: that is the
//! handler's to undo.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Shared;
use super::execute::{Executed, Stop, failure};
use crate::receipts::erased::{key, table};
use crate::receipts::{self, Receipt};
use crate::record::{Command, Entry, Outcome, Verdict};
use crate::state::{Order, Range, State, ValueRef};
use crate::value::{ChangeSet, Event, Failure, Key, Sequence, Value, chain_of};

/// What is known of an erasure, in its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Row {
    /// The entry that asked for it.
    by: u64,
    time_ms: u64,
}

/// The entry that had an entry erased; none if nobody had.
#[must_use]
pub fn erased_by(state: &State, sequence: Sequence) -> Option<Sequence> {
    let row = state.table(table().as_str())?.get(&key(sequence))?;
    match row {
        // Whatever else stood there: it was erased.
        ValueRef::Json(text) => {
            let row: Option<Row> = serde_json::from_str(text).ok();
            Some(Sequence(row.map_or(0, |row| row.by)))
        }
        ValueRef::Bytes(_) => Some(Sequence(0)),
    }
}

/// How many entries were erased.
#[must_use]
pub fn erased_count(state: &State) -> u64 {
    state.table(table().as_str()).map_or(0, |table| table.rows())
}

/// All entries that were erased.
#[must_use]
pub fn erased(state: &State) -> BTreeSet<Sequence> {
    let Some(table) = state.table(table().as_str()) else { return BTreeSet::new() };
    let rows = table.scan(&Range::prefix(""), Order::Ascending);
    rows.filter_map(|row| row.key.parse().ok().map(Sequence)).collect()
}

/// A receipt as it is once the bodies are gone.
#[must_use]
pub fn masked(receipt: Receipt) -> Receipt {
    let entry = match receipt.entry.erased {
        true => receipt.entry,
        false => Arc::new(masked_entry(&receipt.entry)),
    };
    let outcome = receipt.outcome.map(|outcome| match outcome.erased {
        true => outcome,
        false => Arc::new(masked_outcome(&outcome)),
    });
    Receipt { entry, outcome }
}

fn masked_entry(entry: &Entry) -> Entry {
    let act = entry.act.map_command(|command| Command {
        name: command.name.clone(),
        input: "null".into(),
        basis: command.basis,
        unchanged: Vec::new(),
        scheduled_for_ms: command.scheduled_for_ms,
        caller: None,
        correlation_id: entry.id.to_string().into(),
        causation_id: None,
        metadata: "{}".into(),
    });
    Entry { act, erased: true, ..*entry }
}

fn masked_outcome(outcome: &Outcome) -> Outcome {
    let masked =
        |failure: &Failure| Failure { message: "erased".into(), details: None, ..failure.clone() };
    let nothing: Arc<str> = "null".into();
    let event = |event: &Event| Event {
        position: event.position,
        id: event.id,
        event_type: Arc::clone(&event.event_type),
        subject: None,
        data: Arc::clone(&nothing),
    };
    Outcome {
        sequence: outcome.sequence,
        module: outcome.module.clone(),
        module_hash: outcome.module_hash,
        verdict: match &outcome.verdict {
            Verdict::Succeeded(_) => Verdict::Succeeded(Value::Json(Arc::clone(&nothing))),
            Verdict::Rejected(failure) => Verdict::Rejected(masked(failure)),
            Verdict::Failed(failure) => Verdict::Failed(masked(failure)),
        },
        changes: ChangeSet::default(),
        events: outcome.events.iter().map(event).collect(),
        elapsed_us: outcome.elapsed_us,
        erased: true,
    }
}

impl Shared {
    /// Notes that an entry is erased. Entries are executed in order, so one before
    /// this has been (I4). Erasing again changes nothing.
    pub(super) fn execute_erase(
        &self,
        base: State,
        entry: &Entry,
        sequence: Sequence,
    ) -> Result<Executed, Stop> {
        if sequence.0 == 0 || sequence >= entry.sequence {
            let message = format!("entry {sequence} has not been executed");
            return Ok(Executed::rejected(None, failure("not-erasable", message, None)));
        }
        match self.receipts.read(sequence) {
            Ok(Some(receipt)) if receipt.entry.act.command().is_none() => {
                let message = format!("entry {sequence} is not a command");
                return Ok(Executed::rejected(None, failure("not-erasable", message, None)));
            }
            // Of what was trimmed there may be events left.
            Ok(_) | Err(receipts::Error::Trimmed { .. }) => {}
            Err(error) => {
                let error = chain_of(&error);
                tracing::warn!(app = %self.app, %sequence, error, "erased without being read");
            }
        }
        let is_new = erased_by(&base, sequence).is_none();
        let mut transaction = self.transaction(base, entry, Arc::new(BTreeSet::new()));
        if is_new {
            let row = Row { by: entry.sequence.0, time_ms: entry.time_ms };
            let row = serde_json::to_string(&row).map_err(|error| Stop(error.to_string()))?;
            let key = Key::new(&key(sequence)).map_err(|error| Stop(error.to_string()))?;
            transaction.put_system(&table(), key, Value::Json(row.into()));
        }
        Ok(Executed {
            module: None,
            verdict: Verdict::Succeeded(Value::Json(format!("{{\"erased\":{sequence}}}").into())),
            staged: transaction.finish(),
            elapsed: Duration::ZERO,
        })
    }
}
