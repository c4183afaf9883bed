//! Executing what timers have to do with: the entries that schedule and cancel, and the
//! commands that a timer submitted.
//!
//! A timer that fires is a command whose id has a row in `$timers`. Its outcome takes
//! the row out, whatever the verdict, so it fires once; and a command whose row is gone
//! was cancelled, so a cancellation is exact. Nothing here asks for the time: when a
//! timer is submitted is the pump's business.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::execute::{Executed, failure};
use super::{Lane, Shared};
use crate::catalog::{Catalog, Deployed};
use crate::events::depth_of;
use crate::record::{Command, Entry, Schedule, Verdict};
use crate::state::State;
use crate::transaction::timers::timer;
use crate::transaction::{Chain, NewCommand, Transaction};
use crate::value::{Failure, History, Value};

impl Lane {
    /// How many commands may follow from one another at once.
    #[must_use]
    pub fn chain_depth_max(&self) -> u32 {
        self.0.settings.chain_depth_max
    }
}

impl Shared {
    /// Stages the timer of a client. Its command was checked when it was accepted, and
    /// is checked again when it is due.
    pub(super) fn execute_schedule(
        &self,
        base: State,
        entry: &Entry,
        schedule: &Schedule,
    ) -> Executed {
        let mut transaction = self.transaction(base, entry, Arc::new(BTreeSet::new()));
        let Schedule { at_ms, command } = schedule;
        let new = NewCommand {
            name: command.name.clone(),
            input: Arc::clone(&command.input),
            metadata: Arc::clone(&command.metadata),
        };
        match transaction.schedule(*at_ms, new) {
            Ok(id) => done(transaction, format!("{{\"timer\":\"{id}\",\"due_ms\":{at_ms}}}")),
            Err(refusal) => {
                Executed::rejected(None, failure(refusal.code(), refusal.to_string(), None))
            }
        }
    }

    /// Takes a timer back that has not fired.
    pub(super) fn execute_cancel(&self, base: State, entry: &Entry, id: Uuid) -> Executed {
        let mut transaction = self.transaction(base, entry, Arc::new(BTreeSet::new()));
        if transaction.cancel_timer(id) {
            return done(transaction, format!("{{\"cancelled\":\"{id}\"}}"));
        }
        let message = format!("timer {id} has fired or was cancelled before this was executed");
        Executed::rejected(None, failure("unknown-timer", message, None))
    }

    /// Takes the timer of a command out of what is left of it: also if it was rejected
    /// or failed, when nothing else of it is kept.
    pub(super) fn timer_fired(&self, base: State, entry: &Entry, executed: Executed) -> Executed {
        let command = entry.act.command();
        let fired = command.is_some_and(|command| command.scheduled_for_ms.is_some());
        if !fired || matches!(executed.verdict, Verdict::Succeeded(_)) {
            return executed;
        }
        let mut transaction = self.transaction(base, entry, Arc::new(BTreeSet::new()));
        transaction.cancel_timer(entry.id);
        let mut executed = executed;
        let tables = &mut executed.staged.changes.tables;
        tables.extend(transaction.finish().changes.tables);
        tables.sort_by(|one, other| one.table.cmp(&other.table));
        executed
    }

    /// What an entry passes on to the commands that follow from it.
    pub(super) fn chain(&self, entry: &Entry) -> Chain {
        let (history, depth_max) = (self.snapshots.history(), self.settings.chain_depth_max);
        chain_of_command(history, depth_max, entry)
    }
}

/// What an entry passes on to the commands that follow from it.
#[must_use]
pub fn chain_of_command(history: History, depth_max: u32, entry: &Entry) -> Chain {
    let own = || Arc::from(entry.id.to_string());
    let command = entry.act.command();
    let correlation_id = command.map_or_else(own, |command| Arc::clone(&command.correlation_id));
    Chain { history, correlation_id, depth: depth_of(entry), depth_max }
}

/// Whether a command is a timer's, and that was cancelled after it had been submitted.
pub(super) fn is_gone(base: &State, entry: &Entry, command: &Command) -> bool {
    command.scheduled_for_ms.is_some() && timer(base, entry.id).is_none()
}

/// What becomes of such a command.
pub(super) fn cancelled() -> Executed {
    let message = "the timer was cancelled after this was logged and before it was executed";
    Executed::rejected(None, failure("timer-cancelled", message.to_owned(), None))
}

/// Checks a timer's command against what is deployed by now.
pub(super) fn admit<'a>(catalog: &'a Catalog, command: &Command) -> Result<&'a Deployed, Failure> {
    let name = &command.name;
    let unknown = || {
        let why = format!("no module has command `{name}`, which a timer was to submit");
        failure("unknown-command", why, None)
    };
    let deployed = catalog.command(name.as_str()).ok_or_else(unknown)?;
    match deployed.check_command(name.as_str(), &command.input) {
        None => Err(unknown()),
        Some(Ok(())) => Ok(deployed),
        Some(Err(refused)) => {
            let module = &deployed.name;
            let why =
                format!("the input that a timer had does not fit module `{module}`: {refused}");
            Err(failure("invalid-input", why, None))
        }
    }
}

fn done(transaction: Transaction, result: String) -> Executed {
    Executed {
        module: None,
        verdict: Verdict::Succeeded(Value::Json(result.into())),
        staged: transaction.finish(),
        elapsed: Duration::ZERO,
    }
}
