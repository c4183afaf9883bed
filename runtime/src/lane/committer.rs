//! The committer: puts entries and outcomes into rounds, makes a round durable,
//! publishes it, and answers those who wait.
//!
//! While one round is being synced the next one fills: group commit.

use std::sync::{Arc, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::executor::Finished;
use super::flight::Answer;
use super::inbox::{End, Fresh, Inbox, Phase};
use super::poison::Mark;
use super::{Progress, Shared};
use crate::catalog::Catalog;
use crate::log::{self, Log, Tail};
use crate::receipts::Receipt;
use crate::record::{self, Attempt, RecordRef, RoundHeader};
use crate::recovery::{self, Recovered};
use crate::snapshot::{Published, Snapshot};
use crate::value::{History, Sequence, chain_of};

/// The end of the log, and the log.
#[derive(Debug)]
pub(super) struct Committer {
    /// None after a failure, until the log has been opened again.
    log: Option<Box<dyn Log>>,
    history: History,
    tail: Tail,
}

/// What goes into one round.
struct Round {
    fresh: Vec<Fresh>,
    finished: Vec<Finished>,
    snapshot: Snapshot,
    unshared_bytes: u64,
    floor_ms: u64,
    time_ms: u64,
}

impl Committer {
    pub(super) fn new(log: Box<dyn Log>, history: History, tail: Tail) -> Self {
        Self { log: Some(log), history, tail }
    }

    /// Appends a round. When it returns, the round is durable.
    fn append<'a>(
        &mut self,
        floor_ms: u64,
        time_ms: u64,
        first: Sequence,
        records: impl IntoIterator<Item = RecordRef<'a>>,
    ) -> Result<u64, log::Error> {
        let header = RoundHeader {
            number: self.tail.number + 1,
            history: self.history,
            chain_before: self.tail.chain,
            floor_ms,
            time_ms,
        };
        let encoded = record::encode(&header, records);
        let log = self.log.as_mut().ok_or(log::Error::Closed)?;
        log.append(first, &encoded)?;
        self.tail = Tail { number: header.number, chain: encoded.chain };
        Ok(header.number)
    }
}

impl Shared {
    /// Starts the threads that have something to do.
    pub(super) fn start_if_needed(self: &Arc<Self>, inbox: &mut Inbox) {
        if !inbox.executor_runs && !inbox.pending.is_empty() {
            inbox.executor_runs = self.start("executor", Self::run_executor);
        }
        if !inbox.committer_runs {
            inbox.committer_runs = self.start("committer", Self::run_committer);
        }
    }

    fn start(self: &Arc<Self>, role: &str, body: fn(&Arc<Self>)) -> bool {
        let shared = Arc::clone(self);
        let name = format!("{}-{role}", self.app);
        let builder = thread::Builder::new().name(name).stack_size(super::executor::STACK_BYTES);
        let started = builder.spawn(move || shared.guard(body));
        if let Err(error) = &started {
            // The next submission tries again; entries wait until then.
            tracing::error!(app = %self.app, %error, "no thread for the {role}");
        }
        started.is_ok()
    }

    /// A panic is a fault of ours: what it left behind is not trusted.
    fn guard(self: &Arc<Self>, body: fn(&Arc<Self>)) {
        let run = std::panic::AssertUnwindSafe(|| body(self));
        if std::panic::catch_unwind(run).is_err() {
            self.stop("internal error: a thread of the lane panicked".to_owned());
        }
    }

    fn run_committer(self: &Arc<Self>) {
        let mut committer = self.committer.lock().unwrap_or_else(PoisonError::into_inner);
        while self.wait_for_round() {
            let Some(round) = self.take_round() else {
                continue;
            };
            let appended = append_round(&mut committer, &round);
            match appended {
                Ok(number) => self.conclude(number, round),
                Err(error) => self.begin_again(&mut committer, round, &error),
            }
        }
    }

    /// Waits until there is something to write; false if the thread should end.
    fn wait_for_round(&self) -> bool {
        let mut inbox = self.inbox();
        let mut idle = false;
        loop {
            let nothing = inbox.fresh.is_empty() && !inbox.finished;
            let stopped = inbox.is_over();
            if stopped || (idle && nothing && inbox.unfinished == 0) {
                inbox.committer_runs = false;
                return false;
            }
            if !nothing {
                break;
            }
            let waited = self.fresh.wait_timeout(inbox, self.settings.idle_after);
            let (guard, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            (inbox, idle) = (guard, timeout.timed_out());
        }
        self.linger(inbox);
        true
    }

    /// Gives the executor a moment to finish, so that a lone command costs one
    /// round rather than two.
    fn linger(&self, mut inbox: MutexGuard<'_, Inbox>) {
        let start = self.clock.elapsed();
        while inbox.unfinished > 0 {
            let spent = self.clock.elapsed().saturating_sub(start);
            let Some(left) = self.settings.linger.checked_sub(spent).filter(|left| !left.is_zero())
            else {
                return;
            };
            let waited = self.fresh.wait_timeout(inbox, left);
            inbox = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Outcomes first, then entries: the entry of an outcome is never missing.
    /// None if there is nothing: the announcement of an outcome may come after
    /// the round that took it.
    fn take_round(&self) -> Option<Round> {
        self.inbox().finished = false;
        let (finished, snapshot, unshared_bytes) = {
            let mut progress = self.progress();
            let Progress { head, catalog, .. } = &*progress;
            let snapshot = Snapshot { state: head.clone(), catalog: Arc::clone(catalog) };
            progress.finished_bytes = 0;
            let unshared_bytes = std::mem::take(&mut progress.unshared_bytes);
            (std::mem::take(&mut progress.finished), snapshot, unshared_bytes)
        };
        let mut inbox = self.inbox();
        inbox.floor.advance(&self.clock);
        let floor_ms = inbox.floor.ms();
        let fresh = std::mem::take(&mut inbox.fresh);
        // The executor may have waited for room.
        self.work.notify_all();
        if fresh.is_empty() && finished.is_empty() {
            return None;
        }
        let time_ms = self.clock.wall_ms();
        Some(Round { fresh, finished, snapshot, unshared_bytes, floor_ms, time_ms })
    }

    /// A durable round: noted, published, answered, in this order, so that
    /// whoever has a receipt can read what it says (I7).
    fn conclude(&self, number: u64, round: Round) {
        let entries = round.fresh.iter().map(|fresh| &*fresh.entry);
        let outcomes = round.finished.iter().map(|finished| &*finished.outcome);
        self.receipts.add(number, entries, outcomes);
        for fresh in &round.fresh {
            fresh.flight.set_logged();
        }
        if !round.finished.is_empty() {
            let steps = round.finished.iter();
            let steps = steps.map(|done| (done.step, Arc::clone(&done.outcome))).collect();
            let (snapshot, unshared_bytes) = (round.snapshot, round.unshared_bytes);
            self.snapshots.publish(Published { snapshot, steps, unshared_bytes });
        }
        {
            let mut inbox = self.inbox();
            inbox.settled(round.finished.iter().map(|finished| &*finished.entry));
            inbox.ids.forget_below(round.floor_ms);
            self.work.notify_all();
        }
        for finished in round.finished {
            let (entry, outcome) = (finished.entry, Some(finished.outcome));
            finished.flight.settle(Answer::Done(Receipt { entry, outcome }));
        }
        for fresh in round.fresh {
            fresh.flight.tell_logged();
        }
    }

    /// A round that failed: its outcome is unknown until the log is read again.
    fn begin_again(&self, committer: &mut Committer, round: Round, error: &log::Error) {
        let reason = chain_of(error);
        tracing::error!(app = %self.app, reason, "a round failed; opening the log again");
        committer.log = None;
        self.abandon(&reason);
        drop(round);
        loop {
            match recovery::recover(&*self.storage).map_err(|error| chain_of(&error)) {
                Ok(recovered) => match self.resume(committer, recovered) {
                    Ok(()) => return,
                    Err(reason) => return self.stop(reason),
                },
                Err(reason) => {
                    tracing::error!(app = %self.app, reason, "the log cannot be opened yet");
                    if self.wait_or_close() {
                        return;
                    }
                }
            }
        }
    }

    fn abandon(&self, reason: &str) {
        let generation = {
            let mut inbox = self.inbox();
            inbox.abandon(reason);
            inbox.generation
        };
        self.discard_progress(generation);
    }

    fn resume(&self, committer: &mut Committer, recovered: Recovered) -> Result<(), String> {
        let before = self.snapshots.current();
        let catalog = Catalog::of(&recovered.state, &self.modules, &before.catalog);
        let catalog = Arc::new(catalog.map_err(|error| chain_of(&error))?);
        let state = recovered.state;
        if state.sequence() < before.state.sequence() {
            // Published means durable: a log that has less was exchanged.
            let (has, had) = (state.sequence(), before.state.sequence());
            return Err(format!("the log ends at {has}, but {had} was published"));
        }
        self.receipts.reset(recovered.index, recovered.log.reader());
        let snapshot = Snapshot { state: state.clone(), catalog: Arc::clone(&catalog) };
        self.snapshots.publish(Published { snapshot, steps: Vec::new(), unshared_bytes: 0 });
        *committer = Committer::new(recovered.log, recovered.history, recovered.tail);
        let mut inbox = self.inbox();
        let last = self.receipts.last();
        inbox.floor.at_least(recovered.floor_ms);
        *self.progress() = Progress::at(inbox.generation, state, catalog);
        let end = End { last, time_ms: recovered.time_ms };
        inbox.resume(end, recovered.ids, recovered.unfinished);
        self.work.notify_all();
        tracing::info!(app = %self.app, sequence = %last, "the log has been recovered");
        Ok(())
    }

    /// Waits before the next try; true if the lane is being closed.
    fn wait_or_close(&self) -> bool {
        let inbox = self.inbox();
        let waited = self.fresh.wait_timeout(inbox, self.settings.reopen_after);
        let (mut inbox, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let closing = !matches!(inbox.phase, Phase::Recovering(_));
        inbox.committer_runs &= !closing;
        closing
    }

    /// Counts against the command that was running when the process died,
    /// durably, before anything else happens.
    pub(super) fn count_attempt(&self, mark: Mark) -> Result<(), log::Error> {
        let mut executor = self.executor.lock().unwrap_or_else(PoisonError::into_inner);
        if mark != Mark::Clean {
            executor.be_cautious(self.clock.elapsed());
        }
        if let Mark::Running(id) = mark {
            let count = executor.count(id);
            tracing::warn!(app = %self.app, %id, count, "the process died while this command ran");
            let attempt = Attempt { id, count };
            let (floor_ms, first) = {
                let inbox = self.inbox();
                (inbox.floor.ms(), inbox.last().next())
            };
            let mut committer = self.committer.lock().unwrap_or_else(PoisonError::into_inner);
            let time_ms = self.clock.wall_ms();
            committer.append(floor_ms, time_ms, first, [RecordRef::Attempt(&attempt)])?;
        }
        executor.clear_slot();
        Ok(())
    }

    pub(super) fn close(&self, within: Duration) {
        let start = self.clock.elapsed();
        let mut inbox = self.inbox();
        if inbox.phase == Phase::Running {
            inbox.phase = Phase::Draining;
        }
        while !inbox.is_quiet() && self.clock.elapsed().saturating_sub(start) < within {
            // Rounds do not announce their end to us; look again soon.
            self.fresh.notify_all();
            self.work.notify_all();
            let waited = self.work.wait_timeout(inbox, Duration::from_millis(5));
            inbox = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let quiet = inbox.is_quiet();
        drop(inbox);
        self.halt(Phase::Closed);
        self.let_go(quiet);
    }

    /// Waits for the threads to let go of the log, and marks the end as orderly
    /// if it was.
    fn let_go(&self, quiet: bool) {
        let mut executor = self.executor.lock().unwrap_or_else(PoisonError::into_inner);
        let mut committer = self.committer.lock().unwrap_or_else(PoisonError::into_inner);
        match committer.log.take().map(|log| log.close()) {
            Some(Err(error)) => {
                tracing::warn!(app = %self.app, %error, "the log was not closed in order")
            }
            Some(Ok(())) if quiet => executor.mark_clean(),
            _ => {}
        }
    }
}

fn append_round(committer: &mut Committer, round: &Round) -> Result<u64, log::Error> {
    let entries = round.fresh.iter().map(|fresh| RecordRef::Entry(&fresh.entry));
    let outcomes = round.finished.iter().map(|finished| RecordRef::Outcome(&finished.outcome));
    let first_fresh = round.fresh.first().map(|fresh| &fresh.entry);
    let first = first_fresh.or(round.finished.first().map(|finished| &finished.entry));
    let first = first.map_or(Sequence(1), |entry| entry.sequence);
    committer.append(round.floor_ms, round.time_ms, first, entries.chain(outcomes))
}
