//! The executor: one entry after another, each on the state the one before left.
//!
//! It runs ahead of the disk; what it produces is invisible until the round
//! that holds it is durable.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use uuid::Uuid;

use super::Shared;
use super::flight::Flight;
use super::inbox::{Pending, Phase};
use super::poison::{ATTEMPTS_MAX, Slot};
use crate::catalog::{Catalog, Deployed};
use crate::record::{Act, Command, Entry, Keys, Outcome, Verdict};
use crate::recovery::step_of;
use crate::state::{Range, State, Step};
use crate::transaction::{Context, Staged, Transaction};
use crate::value::{ChangeSet, Failure, Hash, Name, chain_of};
use crate::wasm::{self, CallError, CommandCall, Live};

/// The stack of a thread that runs handlers: the guest's own 2 MiB and room for
/// the host below it, or a guest's recursion would end the process.
pub(super) const STACK_BYTES: usize = 16 << 20;

/// For how long after an unclean start each command is logged before it runs,
/// so that one that kills the process is known by its entry.
const CAUTION: Duration = Duration::from_secs(60);

/// What only the executor has.
#[derive(Debug)]
pub(super) struct Executor {
    slot: Slot,
    attempts: HashMap<Uuid, u32>,
    cautious_until: Option<Duration>,
    generation: u64,
    /// One live instance for each module, of the version that ran last.
    live: HashMap<Name, (Hash, Live)>,
}

/// An entry with its outcome.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) entry: Arc<Entry>,
    pub(super) flight: Arc<Flight>,
    pub(super) outcome: Arc<Outcome>,
    pub(super) step: Step,
}

/// What executing gave, before it has a place in the state.
pub(super) struct Executed {
    pub(super) module: Option<(Name, Hash)>,
    pub(super) verdict: Verdict,
    pub(super) staged: Staged,
    pub(super) elapsed: Duration,
}

/// Why the lane cannot go on.
pub(super) struct Stop(pub(super) String);

impl Executor {
    pub(super) fn new(slot: Slot, attempts: HashMap<Uuid, u32>) -> Self {
        Self {
            slot,
            attempts,
            cautious_until: None,
            generation: 0,
            live: HashMap::new(),
        }
    }

    pub(super) fn be_cautious(&mut self, now: Duration) {
        self.cautious_until = Some(now + CAUTION);
    }

    /// Counts a death of the process against a command.
    pub(super) fn count(&mut self, id: Uuid) -> u32 {
        let count = self.attempts.entry(id).or_default();
        *count += 1;
        *count
    }

    pub(super) fn clear_slot(&mut self) {
        if let Err(error) = self.slot.idle() {
            tracing::warn!(%error, "cannot clear the slot of the running command");
        }
    }

    pub(super) fn mark_clean(&mut self) {
        if let Err(error) = self.slot.clean() {
            tracing::warn!(%error, "cannot mark the end as orderly");
        }
    }

    /// The live instance of a module; instances of other versions are dropped.
    fn live(&mut self, deployed: &Deployed) -> &mut Live {
        let fresh = || (deployed.hash(), deployed.module.instance());
        let slot = self.live.entry(deployed.name.clone()).or_insert_with(fresh);
        if slot.0 != deployed.hash() || slot.1.spent() {
            *slot = fresh();
        }
        &mut slot.1
    }
}

impl Shared {
    pub(super) fn run_executor(self: &Arc<Self>) {
        let mut executor = self.executor.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(pending) = self.next_pending(&mut executor) {
            if !self.wait_until_durable(&executor, &pending) {
                continue;
            }
            let Some((base, catalog)) = self.base(pending.generation) else {
                continue;
            };
            let executed = self.execute(&mut executor, base, &catalog, &pending);
            let finished = executed.and_then(|executed| self.finish(&pending, executed));
            if let Err(Stop(reason)) = finished {
                self.stop(reason);
            }
        }
    }

    /// The next entry; none if the thread should end.
    fn next_pending(&self, executor: &mut Executor) -> Option<Pending> {
        let mut inbox = self.inbox();
        loop {
            if executor.generation != inbox.generation {
                // Whatever the old instances remember never happened.
                executor.live.clear();
                executor.generation = inbox.generation;
            }
            if inbox.is_running()
                && let Some(pending) = inbox.pending.pop_front()
            {
                return Some(pending);
            }
            executor.clear_slot();
            if matches!(inbox.phase, Phase::Stopped(_)) {
                inbox.executor_runs = false;
                return None;
            }
            let waited = self.work.wait_timeout(inbox, self.settings.idle_after);
            let (guard, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            inbox = guard;
            if timeout.timed_out() && inbox.pending.is_empty() {
                inbox.executor_runs = false;
                return None;
            }
        }
    }

    /// After an unclean start a command runs only when it is on disk; false if
    /// its generation ended meanwhile.
    fn wait_until_durable(&self, executor: &Executor, pending: &Pending) -> bool {
        let cautious = executor
            .cautious_until
            .is_some_and(|until| self.clock.elapsed() < until);
        let mut inbox = self.inbox();
        while cautious && !pending.flight.is_logged() && inbox.generation == pending.generation {
            inbox = self
                .work
                .wait(inbox)
                .unwrap_or_else(PoisonError::into_inner);
        }
        inbox.generation == pending.generation
    }

    /// The state that the next entry is executed on, when there is room for its
    /// outcome; none if the generation ended.
    fn base(&self, generation: u64) -> Option<(State, Arc<Catalog>)> {
        loop {
            {
                let progress = self.progress();
                if progress.generation != generation {
                    return None;
                }
                if progress.finished_bytes < self.settings.unsynced_bytes_max {
                    return Some((progress.head.clone(), Arc::clone(&progress.catalog)));
                }
            }
            let inbox = self.inbox();
            let patience = Duration::from_millis(5);
            drop(
                self.work
                    .wait_timeout(inbox, patience)
                    .unwrap_or_else(PoisonError::into_inner),
            );
        }
    }

    fn execute(
        &self,
        executor: &mut Executor,
        base: State,
        catalog: &Catalog,
        pending: &Pending,
    ) -> Result<Executed, Stop> {
        let entry = &*pending.entry;
        let died = executor
            .attempts
            .get(&entry.id)
            .copied()
            .unwrap_or_default();
        if died >= ATTEMPTS_MAX {
            return Ok(Executed::poisoned(died));
        }
        match &entry.act {
            Act::Command(command) => {
                self.execute_command(executor, base, catalog, pending, command)
            }
            Act::Deploy(deploy) => {
                let run = |deployed: &Deployed, transaction, call: &CommandCall| {
                    executor
                        .slot
                        .running(entry.id)
                        .map_err(|error| Stop(error.to_string()))?;
                    Ok(deployed.module.instance().execute(transaction, call))
                };
                self.execute_deploy(base, catalog, entry, deploy, run)
            }
            Act::Remove { module } => self.execute_remove(base, catalog, entry, module),
            Act::DropTable { table } => self.execute_drop(base, catalog, entry, table),
        }
    }

    fn execute_command(
        &self,
        executor: &mut Executor,
        base: State,
        catalog: &Catalog,
        pending: &Pending,
        command: &Command,
    ) -> Result<Executed, Stop> {
        let entry = &*pending.entry;
        let deployed = match admit(catalog, command, pending.admitted) {
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
        // Before the handler runs: it may be the one that kills the process.
        executor
            .slot
            .running(entry.id)
            .map_err(|error| Stop(format!("cannot write down which command runs: {error}")))?;
        let transaction = self.transaction(base, entry, Arc::clone(&deployed.tables));
        let call = command_call(entry, command);
        let done = executor.live(deployed).execute(transaction, &call);
        Executed::of(module, done)
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
        };
        Transaction::new(base, context)
    }

    /// Applies what was staged to the head state. It becomes visible when its
    /// round is durable, together or not at all (I5).
    fn finish(&self, pending: &Pending, executed: Executed) -> Result<(), Stop> {
        let entry = &pending.entry;
        let redeployed = !matches!(entry.act, Act::Command(_));
        let outcome = Arc::new(executed.into_outcome(entry));
        let mut progress = self.progress();
        if progress.generation != pending.generation {
            return Ok(());
        }
        let step = step_of(&progress.head, entry.sequence, entry.time_ms, &outcome);
        let step = step.ok_or_else(|| Stop("internal error: events have a gap".to_owned()))?;
        assert_eq!(
            progress.head.sequence().next(),
            entry.sequence,
            "I4: out of order"
        );
        progress.unshared_bytes += progress.head.apply(step, &outcome.changes);
        if redeployed {
            let catalog = Catalog::of(&progress.head, &self.modules, &progress.catalog);
            let catalog = catalog.map_err(|error| Stop(chain_of(&error)))?;
            progress.catalog = Arc::new(catalog);
        }
        progress.finished_bytes += bytes_of(&outcome);
        let (entry, flight) = (Arc::clone(entry), Arc::clone(&pending.flight));
        progress.finished.push(Finished {
            entry,
            flight,
            outcome,
            step,
        });
        drop(progress);
        self.announce(pending.generation);
        Ok(())
    }

    fn announce(&self, generation: u64) {
        let mut inbox = self.inbox();
        if inbox.generation == generation {
            inbox.finished = true;
            inbox.unfinished = inbox.unfinished.saturating_sub(1);
        }
        self.fresh.notify_one();
    }
}

impl Executed {
    /// An outcome of something that staged nothing.
    pub(super) fn rejected(module: Option<(Name, Hash)>, failure: Failure) -> Self {
        let verdict = Verdict::Rejected(failure);
        Self {
            module,
            verdict,
            staged: Staged::default(),
            elapsed: Duration::ZERO,
        }
    }

    fn poisoned(died: u32) -> Self {
        let message =
            format!("the process died {died} times while this command ran, so it is not run again");
        let verdict = Verdict::Failed(failure("poisoned", message, None));
        Self {
            module: None,
            verdict,
            staged: Staged::default(),
            elapsed: Duration::ZERO,
        }
    }

    /// What a handler's call comes to.
    pub(super) fn of(module: Option<(Name, Hash)>, done: wasm::Executed) -> Result<Self, Stop> {
        let wasm::Executed {
            transaction,
            result,
            elapsed,
        } = done;
        let (verdict, staged) = match result {
            Ok(value) => (Verdict::Succeeded(value), transaction.finish()),
            Err(CallError::Rejected { failure, events }) => match transaction.discard(events) {
                Ok(events) => (
                    Verdict::Rejected(failure),
                    Staged {
                        events,
                        ..Staged::default()
                    },
                ),
                Err(refusal) => (Verdict::Failed(refused(&refusal)), Staged::default()),
            },
            Err(CallError::Failed(failure)) => (Verdict::Failed(failure), Staged::default()),
            Err(CallError::Host(reason)) => return Err(Stop(reason)),
        };
        Ok(Self {
            module,
            verdict,
            staged,
            elapsed,
        })
    }

    fn into_outcome(self, entry: &Entry) -> Outcome {
        let (module, module_hash) = self.module.unzip();
        let Staged { changes, events } = self.staged;
        let elapsed_us = u64::try_from(self.elapsed.as_micros()).unwrap_or(u64::MAX);
        let (sequence, verdict) = (entry.sequence, self.verdict);
        Outcome {
            sequence,
            module,
            module_hash,
            verdict,
            changes,
            events,
            elapsed_us,
        }
    }
}

/// Checks once more what was checked before the entry was sequenced, if the
/// module has changed since.
fn admit<'a>(
    catalog: &'a Catalog,
    command: &Command,
    admitted: Option<Hash>,
) -> Result<&'a Deployed, Failure> {
    let superseded = |why: String| failure("superseded", why, None);
    let name = &command.name;
    let Some(deployed) = catalog.command(name.as_str()) else {
        return Err(failure(
            "unknown-command",
            format!(
                "no module has command `{name}` any more; it was removed after this was logged"
            ),
            None,
        ));
    };
    if admitted != Some(deployed.hash())
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
        if base
            .table(table.as_str())
            .is_some_and(|table| table.changed_since(&range, basis))
        {
            let message = format!("{what} of table `{table}` has changed since {basis}");
            let details = serde_json::json!({ "table": table.as_str(), "basis": basis.0 });
            return Some(failure("stale", message, Some(details.to_string())));
        }
    }
    None
}

pub(super) fn failure(code: &str, message: String, details: Option<String>) -> Failure {
    let details = details.map(Into::into);
    Failure {
        code: code.into(),
        message: message.into(),
        details,
    }
}

fn refused(refusal: &crate::transaction::Refusal) -> Failure {
    failure(refusal.code(), refusal.to_string(), None)
}

/// What a handler is told of a command.
fn command_call(entry: &Entry, command: &Command) -> CommandCall {
    CommandCall {
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
                .execute(transaction, &command_call(entry, command));
            Executed::of(module, done).map_err(|Stop(reason)| reason)?
        }
    };
    Ok(executed.into_outcome(entry))
}

fn bytes_of(outcome: &Outcome) -> usize {
    const OVERHEAD_BYTES: usize = 256;
    changes_bytes(&outcome.changes)
        + outcome
            .events
            .iter()
            .map(|event| event.data.len() + OVERHEAD_BYTES)
            .sum::<usize>()
        + OVERHEAD_BYTES
}

fn changes_bytes(changes: &ChangeSet) -> usize {
    let rows = changes.tables.iter().flat_map(|table| &table.rows);
    rows.map(|(key, value)| key.as_str().len() + value.as_ref().map_or(0, |value| value.len()))
        .sum()
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
