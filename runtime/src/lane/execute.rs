//! Executing one command: from an entry and a state to what its handler staged.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use uuid::Uuid;

use super::Shared;
use super::executor::Executor;
use super::inbox::Pending;
use super::timers;
use crate::catalog::{Catalog, Deployed};
use crate::record::{Command, Entry, Keys, Outcome, Verdict};
use crate::state::{Range, State};
use crate::transaction::{Context, NewEvent, Staged, Transaction};
use crate::value::{Failure, Hash, Name};
use crate::wasm::{self, CallError, CommandCall};

/// How often a command is tried when the host has no instance for it, and how
/// long to wait between: a second or so in all, which outlasts any query.
const HOST_TRIES_MAX: u32 = 100;
const HOST_WAIT: Duration = Duration::from_millis(20);

/// What executing gave, before it has a place in the state.
pub(super) struct Executed {
    pub(super) module: Option<(Name, Hash)>,
    pub(super) verdict: Verdict,
    pub(super) staged: Staged,
    pub(super) elapsed: Duration,
}

/// Why the lane cannot go on.
pub(super) struct Stop(pub(super) String);

impl Shared {
    pub(super) fn execute_command(
        &self,
        executor: &mut Executor,
        base: State,
        catalog: &Catalog,
        pending: &Pending,
        command: &Command,
    ) -> Result<Executed, Stop> {
        let entry = &*pending.entry;
        let deployed = match admit(catalog, command, pending.admitted.as_ref()) {
            Ok(deployed) => deployed,
            Err(failure) => return Ok(Executed::rejected(None, failure)),
        };
        let module = Some((deployed.name.clone(), deployed.hash()));
        if let Some(failure) = stale(&base, command) {
            return Ok(Executed::rejected(module, failure));
        }
        if rand_share(self.settings.replace_instance_share) {
            executor.live.remove(&deployed.name);
        }
        let mut transaction = self.transaction(base, entry, Arc::clone(&deployed.writable));
        if command.scheduled_for_ms.is_some() {
            // Gone before the handler looks: it cannot take itself back.
            transaction.cancel_timer(entry.id);
        }
        let call = command_call(deployed, entry, command);
        let mut tries = 0;
        loop {
            let done = executor.live.of(deployed).execute(transaction, &call);
            // The pool may be full for a moment. The transaction is as it was.
            let full = matches!(done.result, Err(CallError::Host(_)));
            if !full || tries == HOST_TRIES_MAX {
                return Executed::of(deployed, done);
            }
            tries += 1;
            transaction = done.transaction;
            executor.live.clear();
            std::thread::sleep(HOST_WAIT);
        }
    }

    pub(super) fn transaction(
        &self,
        base: State,
        entry: &Entry,
        writable: Arc<BTreeSet<Name>>,
    ) -> Transaction {
        let context = Context {
            sequence: entry.sequence,
            time_ms: entry.time_ms,
            command_id: entry.id,
            writable,
            limits: self.settings.transaction,
            chain: self.chain(entry),
        };
        Transaction::new(base, context)
    }
}

impl Executed {
    /// An outcome of something that staged nothing.
    pub(super) fn rejected(module: Option<(Name, Hash)>, failure: Failure) -> Self {
        let verdict = Verdict::Rejected(failure);
        Self { module, verdict, staged: Staged::default(), elapsed: Duration::ZERO }
    }

    pub(super) fn poisoned(died: u32) -> Self {
        let message =
            format!("the process died {died} times while this command ran, so it is not run again");
        let verdict = Verdict::Failed(failure("poisoned", message, None));
        Self { module: None, verdict, staged: Staged::default(), elapsed: Duration::ZERO }
    }

    /// What a call of a module's handler comes to.
    pub(super) fn of(deployed: &Deployed, done: wasm::Executed) -> Result<Self, Stop> {
        let wasm::Executed { transaction, result, elapsed } = done;
        let kept = match result {
            Ok(value) => check_events(deployed, transaction.events())
                .map(|()| (Verdict::Succeeded(value), transaction.finish())),
            Err(CallError::Rejected { failure, events }) => check_events(deployed, &events)
                .and_then(|()| transaction.discard(events).map_err(|refusal| refused(&refusal)))
                .map(|events| (Verdict::Rejected(failure), Staged { events, ..Staged::default() })),
            Err(CallError::Failed(failure)) => Err(failure),
            Err(CallError::Host(reason)) => return Err(Stop(reason)),
        };
        let (verdict, staged) =
            kept.unwrap_or_else(|failure| (Verdict::Failed(failure), Staged::default()));
        Ok(Self {
            module: Some((deployed.name.clone(), deployed.hash())),
            verdict,
            staged,
            elapsed,
        })
    }

    pub(super) fn into_outcome(self, entry: &Entry) -> Outcome {
        let (module, module_hash) = self.module.unzip();
        let Staged { changes, events } = self.staged;
        let elapsed_us = u64::try_from(self.elapsed.as_micros()).unwrap_or(u64::MAX);
        let (sequence, verdict) = (entry.sequence, self.verdict);
        let erased = false;
        Outcome { sequence, module, module_hash, verdict, changes, events, elapsed_us, erased }
    }
}

/// Checks once more what was checked before the entry was sequenced, if the
/// module has changed since.
fn admit<'a>(
    catalog: &'a Catalog,
    command: &Command,
    admitted: Option<&(Name, Hash)>,
) -> Result<&'a Deployed, Failure> {
    let superseded = |why: String| failure("superseded", why, None);
    let name = &command.name;
    if command.scheduled_for_ms.is_some() {
        return timers::admit(catalog, command);
    }
    let Some(deployed) = catalog.command(name.as_str()) else {
        if let Some((module, _)) = admitted
            && catalog.module(module.as_str()).is_some()
        {
            let why = format!("module `{module}` was deployed after this was logged, without it");
            return Err(superseded(why));
        }
        return Err(failure(
            "unknown-command",
            format!(
                "no module has command `{name}` any more; it was removed after this was logged"
            ),
            None,
        ));
    };
    if admitted.map(|(_, hash)| *hash) != Some(deployed.hash())
        && let Some(Err(refused)) = deployed.check_command(name.as_str(), &command.input)
    {
        let module = &deployed.name;
        let why = format!("module `{module}` was deployed after this was logged: {refused}");
        return Err(superseded(why));
    }
    Ok(deployed)
}

/// Whether something has changed that the sender counted on.
fn stale(base: &State, command: &Command) -> Option<Failure> {
    let basis = command.basis?;
    for unchanged in &command.unchanged {
        let (range, what) = match &unchanged.keys {
            Keys::One(key) => (Range::key(key.as_str()), format!("key `{key}`")),
            Keys::Prefix(prefix) => (Range::prefix(prefix), format!("a key under `{prefix}`")),
        };
        let table = &unchanged.table;
        if base.table(table.as_str()).is_none_or(|table| table.changed_since(&range, basis)) {
            let message = format!("{what} of table `{table}` has changed since {basis}");
            let details = serde_json::json!({ "table": table.as_str(), "basis": basis.0 });
            return Some(failure("stale", message, Some(details.to_string())));
        }
    }
    None
}

pub(super) fn failure(code: &str, message: String, details: Option<String>) -> Failure {
    let details = details.map(Into::into);
    Failure { code: code.into(), message: message.into(), details }
}

fn refused(refusal: &crate::transaction::Refusal) -> Failure {
    failure(refusal.code(), refusal.to_string(), None)
}

/// Whether the events of a command fit the schemas that its module declares.
fn check_events(deployed: &Deployed, events: &[NewEvent]) -> Result<(), Failure> {
    for (index, event) in events.iter().enumerate() {
        let event_type = &event.event_type;
        let Some(Err(refused)) = deployed.check_event(event_type, &event.data) else { continue };
        let message = format!(
            "event {index} of type `{event_type}` does not fit its schema: {}",
            refused.reasons()
        );
        let places = refused.violations().iter();
        let places = places.map(|it| json!({ "pointer": it.pointer, "detail": it.message }));
        let places: Vec<_> = places.collect();
        let details = json!({ "event": index, "type": event_type, "errors": places });
        return Err(failure("invalid-event", message, Some(details.to_string())));
    }
    Ok(())
}

/// What a handler is told of a command.
fn command_call(deployed: &Deployed, entry: &Entry, command: &Command) -> CommandCall {
    CommandCall {
        module: Arc::clone(&deployed.label),
        id: entry.id,
        name: command.name.clone(),
        input: Arc::clone(&command.input),
        sequence: entry.sequence,
        time_ms: entry.time_ms,
        scheduled_for_ms: command.scheduled_for_ms,
        basis: command.basis,
        caller: command.caller.clone(),
        correlation_id: Arc::clone(&command.correlation_id),
        causation_id: command.causation_id.clone(),
        metadata: Arc::clone(&command.metadata),
    }
}

/// What a command would come to on a state, in a fresh instance. Nothing is
/// kept.
///
/// # Errors
/// What the host could not do.
pub fn try_command(
    deployed: &Deployed,
    entry: &Entry,
    command: &Command,
    transaction: Transaction,
) -> Result<Outcome, String> {
    let module = Some((deployed.name.clone(), deployed.hash()));
    let executed = match stale(transaction.base(), command) {
        Some(failure) => Executed::rejected(module, failure),
        None => {
            let done = deployed
                .module
                .instance()
                .execute(transaction, &command_call(deployed, entry, command));
            Executed::of(deployed, done).map_err(|Stop(reason)| reason)?
        }
    };
    Ok(executed.into_outcome(entry))
}

/// Whether a draw falls within a share; random ids are random enough.
fn rand_share(share: f64) -> bool {
    if share <= 0.0 {
        return false;
    }
    let draw = Uuid::now_v7().as_u64_pair().1 & 0xffff_ffff;
    #[expect(clippy::cast_precision_loss, reason = "32 bits fit a double")]
    let draw = draw as f64 / f64::from(u32::MAX);
    draw < share
}
