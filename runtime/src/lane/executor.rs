//! The executor: one entry after another, each on the state the one before left.
//!
//! It runs ahead of the disk; what it produces is invisible until the round
//! that holds it is durable.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use uuid::Uuid;

use super::Shared;
use super::execute::{Executed, Stop};
use super::flight::Flight;
use super::inbox::Pending;
use super::poison::{ATTEMPTS_MAX, Slot};
use crate::catalog::{self, Catalog, Deployed};
use crate::record::{Act, Attempt, Entry, Outcome, Verdict};
use crate::recovery::step_of;
use crate::state::{State, Step};
use crate::value::{ChangeSet, Failure, Hash, Name, chain_of};
use crate::wasm::Live;

/// The stack of a thread that runs handlers: the guest's own 2 MiB and room for
/// the host below it, or a guest's recursion would end the process.
pub(super) const STACK_BYTES: usize = 16 << 20;

/// For how long after an unclean start each command is logged before it runs,
/// so that one that kills the process is known by its entry.
const CAUTION: Duration = Duration::from_secs(60);

/// How often it is tried to write down which entry runs, or to read a module: about as
/// long as a disk that is looked after takes to come back. Then somebody has to act.
const DISK_TRIES_MAX: u32 = 30;

/// What only the executor has.
#[derive(Debug)]
pub(super) struct Executor {
    slot: Slot,
    attempts: HashMap<Uuid, u32>,
    cautious_until: Option<Duration>,
    generation: u64,
    /// One live instance for each module, of the version that ran last.
    pub(super) live: HashMap<Name, (Hash, Live)>,
}

/// An entry with its outcome.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) entry: Arc<Entry>,
    pub(super) flight: Arc<Flight>,
    pub(super) outcome: Arc<Outcome>,
    pub(super) step: Step,
}

impl Executor {
    pub(super) fn new(slot: Slot, attempts: HashMap<Uuid, u32>) -> Self {
        Self { slot, attempts, cautious_until: None, generation: 0, live: HashMap::new() }
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

    /// What is known of deaths.
    pub(super) fn attempts(&self) -> Vec<Attempt> {
        self.attempts.iter().map(|(&id, &count)| Attempt { id, count }).collect()
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
    pub(super) fn live(&mut self, deployed: &Deployed) -> &mut Live {
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
            if !self.wait_until_durable(&mut executor, &pending) {
                continue;
            }
            let Some((base, catalog)) = self.base(&mut executor, pending.generation) else {
                continue;
            };
            if !self.note_running(&mut executor, &pending) {
                continue;
            }
            let executed = self.execute(&mut executor, base, &catalog, &pending);
            let finished = executed.and_then(|executed| self.finish(&pending, executed));
            if !matches!(pending.entry.act, Act::Command(_) | Act::Erase { .. }) {
                // Modules may have gone; their instances go back to the pool.
                executor.live.clear();
            }
            if let Err(Stop(reason)) = finished {
                self.stop(reason);
            }
        }
    }

    /// The next entry; none if the thread should end.
    fn next_pending(&self, executor: &mut Executor) -> Option<Pending> {
        let mut is_clear = !executor.slot.is_set();
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
            if !std::mem::replace(&mut is_clear, true) {
                // Not while the sequencer waits: it is a write to a file.
                drop(inbox);
                executor.clear_slot();
                inbox = self.inbox();
                continue;
            }
            if inbox.is_over() {
                inbox.executor_runs = false;
                return None;
            }
            let waited = self.work.wait_timeout(inbox, self.settings.idle_after);
            let (guard, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            inbox = guard;
            if timeout.timed_out() && inbox.pending.is_empty() {
                inbox.executor_runs = false;
                executor.live.clear();
                return None;
            }
        }
    }

    /// After an unclean start a command runs only when it is on disk; false if
    /// its generation ended meanwhile.
    fn wait_until_durable(&self, executor: &mut Executor, pending: &Pending) -> bool {
        let cautious = executor.cautious_until.is_some_and(|until| self.clock.elapsed() < until);
        if cautious && !pending.flight.is_logged() {
            // The one before has ended: a death from here on is not its fault.
            executor.clear_slot();
        }
        let mut inbox = self.inbox();
        while cautious && !pending.flight.is_logged() && inbox.generation == pending.generation {
            inbox = self.work.wait(inbox).unwrap_or_else(PoisonError::into_inner);
        }
        inbox.generation == pending.generation
    }

    /// The state that the next entry is executed on, when there is room for its
    /// outcome; none if the generation ended.
    fn base(&self, executor: &mut Executor, generation: u64) -> Option<(State, Arc<Catalog>)> {
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
            // As above: none runs while this one waits.
            executor.clear_slot();
            let inbox = self.inbox();
            let patience = Duration::from_millis(5);
            drop(self.work.wait_timeout(inbox, patience).unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// Before anything runs, be it a handler or the compiler: this entry may be the
    /// one that kills the process. Waits while the disk does not take that; false if
    /// the generation ended meanwhile.
    fn note_running(&self, executor: &mut Executor, pending: &Pending) -> bool {
        let what = "write down which entry runs";
        let mut note = || executor.slot.running(pending.entry.id);
        match self.patiently(pending.generation, what, |_| true, &mut note) {
            Ok(Some(())) => true,
            Ok(None) => false,
            Err(error) => {
                self.stop(format!("cannot {what}: {error}"));
                false
            }
        }
    }

    /// Does something that the disk may refuse for a while: waits and tries again. None
    /// if the generation ended meanwhile.
    pub(super) fn patiently<T, E: std::error::Error>(
        &self,
        generation: u64,
        what: &str,
        is_transient: impl Fn(&E) -> bool,
        attempt: &mut dyn FnMut() -> Result<T, E>,
    ) -> Result<Option<T>, E> {
        let mut tries = 0;
        loop {
            let error = match attempt() {
                Ok(done) => return Ok(Some(done)),
                Err(error) => error,
            };
            tries += 1;
            if !is_transient(&error) || tries == DISK_TRIES_MAX {
                return Err(error);
            }
            let reason = chain_of(&error);
            tracing::error!(app = %self.app, reason, "cannot {what}; waiting");
            let waited = self.work.wait_timeout(self.inbox(), self.settings.reopen_after);
            let (inbox, _) = waited.unwrap_or_else(PoisonError::into_inner);
            if inbox.generation != generation {
                return Ok(None);
            }
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
        let died = executor.attempts.get(&entry.id).copied().unwrap_or_default();
        if died >= ATTEMPTS_MAX {
            return Ok(Executed::poisoned(died));
        }
        match &entry.act {
            Act::Command(command) => {
                self.execute_command(executor, base, catalog, pending, command)
            }
            Act::Deploy(deploy) => self.execute_deploy(base, catalog, pending, deploy),
            Act::Remove { module } => self.execute_remove(base, catalog, entry, module),
            Act::DropTable { table } => self.execute_drop(base, catalog, entry, table),
            Act::Erase { sequence } => self.execute_erase(base, entry, *sequence),
        }
    }

    /// Applies what was staged to the head state. It becomes visible when its
    /// round is durable, together or not at all (I5).
    fn finish(&self, pending: &Pending, executed: Executed) -> Result<(), Stop> {
        let entry = &pending.entry;
        let redeployed = !matches!(entry.act, Act::Command(_) | Act::Erase { .. });
        let outcome = Arc::new(executed.into_outcome(entry));
        if let Verdict::Failed(Failure { code, message, .. }) = &outcome.verdict {
            // The client is told; whoever runs the server wants to know as well.
            let (app, id) = (&self.app, entry.id);
            tracing::warn!(%app, %id, sequence = %entry.sequence, %code, %message, "failed");
        }
        let catalog = match redeployed {
            true => match self.catalog_after(pending, &outcome)? {
                Some(catalog) => Some(Arc::new(catalog)),
                None => return Ok(()),
            },
            false => None,
        };
        let mut progress = self.progress();
        if progress.generation != pending.generation {
            return Ok(());
        }
        let step = next_step(&progress.head, entry, &outcome)?;
        assert_eq!(progress.head.sequence().next(), entry.sequence, "I4: out of order");
        progress.unshared_bytes += progress.head.apply(step, &outcome.changes);
        if let Some(catalog) = catalog {
            progress.catalog = catalog;
        }
        progress.finished_bytes += bytes_of(&outcome);
        let (entry, flight) = (Arc::clone(entry), Arc::clone(&pending.flight));
        progress.finished.push(Finished { entry, flight, outcome, step });
        drop(progress);
        self.announce(pending.generation);
        Ok(())
    }

    /// What is deployed after an entry that changes that; none if its generation ended.
    fn catalog_after(&self, pending: &Pending, outcome: &Outcome) -> Result<Option<Catalog>, Stop> {
        let (mut state, before) = {
            let progress = self.progress();
            if progress.generation != pending.generation {
                return Ok(None);
            }
            (progress.head.clone(), Arc::clone(&progress.catalog))
        };
        let step = next_step(&state, &pending.entry, outcome)?;
        state.apply(step, &outcome.changes);
        let mut read = || Catalog::of(&state, &self.modules, &before);
        let is_transient = catalog::Error::is_transient;
        let catalog = self.patiently(pending.generation, "read a module", is_transient, &mut read);
        catalog.map_err(|error| Stop(chain_of(&error)))
    }

    fn announce(&self, generation: u64) {
        let mut inbox = self.inbox();
        if inbox.generation != generation {
            return;
        }
        let first = !std::mem::replace(&mut inbox.finished, true);
        inbox.unfinished = inbox.unfinished.saturating_sub(1);
        // The committer waits for something to write, or lingers for the last.
        let awaited = first || inbox.unfinished == 0;
        drop(inbox);
        if awaited {
            self.fresh.notify_one();
        }
    }
}

fn next_step(state: &State, entry: &Entry, outcome: &Outcome) -> Result<Step, Stop> {
    let step = step_of(state, entry.sequence, entry.time_ms, outcome);
    step.ok_or_else(|| Stop("internal error: events have a gap".to_owned()))
}

fn bytes_of(outcome: &Outcome) -> usize {
    const OVERHEAD_BYTES: usize = 256;
    let told = match &outcome.verdict {
        Verdict::Succeeded(value) => value.len(),
        Verdict::Rejected(failure) | Verdict::Failed(failure) => {
            failure.message.len() + failure.details.as_ref().map_or(0, |details| details.len())
        }
    };
    told + changes_bytes(&outcome.changes)
        + outcome.events.iter().map(|event| event.data.len() + OVERHEAD_BYTES).sum::<usize>()
        + OVERHEAD_BYTES
}

fn changes_bytes(changes: &ChangeSet) -> usize {
    let rows = changes.tables.iter().flat_map(|table| &table.rows);
    rows.map(|(key, value)| key.as_str().len() + value.as_ref().map_or(0, |value| value.len()))
        .sum()
}
