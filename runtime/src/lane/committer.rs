//! The committer: puts entries and outcomes into rounds, makes a round durable,
//! publishes it, and answers those who wait.
//!
//! While one round is being synced the next one fills: group commit.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;
use std::time::Duration;

use super::executor::Finished;
use super::flight::Answer;
use super::inbox::{End, Fresh, Inbox, Phase};
use super::poison::Mark;
use super::{Progress, Shared};
use crate::catalog::{self, Catalog};
use crate::checkpoint::Checkpoint;
use crate::log::{self, Log, Start, Tail};
use crate::receipts::Receipt;
use crate::record::{self, Attempt, RecordRef, RoundHeader};
use crate::recovery::{self, Marks, Recovered};
use crate::snapshot::{Published, Snapshot};
use crate::value::{History, chain_of};

/// The end of the log, and the log.
#[derive(Debug)]
pub(super) struct Committer {
    /// None after a failure, until the log has been opened again.
    log: Option<Box<dyn Log>>,
    history: History,
    /// Where the log ends, and from where it could be read on.
    marks: Marks,
    /// Appends that failed since one succeeded.
    failures: u32,
}

/// What a round that was appended changes.
struct Appended {
    number: u64,
    anchor: Start,
    bytes: u64,
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
    /// Goes on behind the last round of a log.
    pub(super) fn new(log: Box<dyn Log>, history: History, marks: Marks) -> Self {
        Self { log: Some(log), history, marks, failures: 0 }
    }

    /// Appends a round. When it returns, the round is durable.
    fn append<'a>(
        &mut self,
        floor_ms: u64,
        time_ms: u64,
        records: impl IntoIterator<Item = RecordRef<'a>>,
    ) -> Result<Appended, log::Error> {
        let before = self.marks.last();
        let header = RoundHeader {
            number: before.tail.number + 1,
            history: self.history,
            chain_before: before.tail.chain,
            floor_ms,
            time_ms,
        };
        let mut mark = Start { history: self.history, floor_ms, ..before };
        let noted = records.into_iter().inspect(|record| match record {
            RecordRef::Entry(entry) => {
                (mark.entry, mark.time_ms) = (entry.sequence, entry.time_ms);
            }
            RecordRef::Outcome(outcome) => mark.outcome = outcome.sequence,
            RecordRef::Attempt(_) => {}
        });
        let encoded = record::encode(&header, noted);
        let log = self.log.as_mut().ok_or(log::Error::Closed)?;
        if mark.outcome > mark.entry {
            let what = format!("it has an outcome {} without its entry", mark.outcome);
            return Err(log::Error::NotNext { what });
        }
        if let Err(error) = log.append(before.entry.next(), &encoded) {
            self.failures += 1;
            return Err(error);
        }
        self.failures = 0;
        mark.tail = Tail { number: header.number, chain: encoded.chain };
        self.marks.push(mark);
        let bytes = encoded.bytes.len() as u64;
        Ok(Appended { number: header.number, anchor: self.marks.settled(), bytes })
    }

    /// Seals the log behind its last round.
    fn seal(&mut self) -> Result<Start, log::Error> {
        let log = self.log.as_mut().ok_or(log::Error::Closed)?;
        if let Err(error) = log.seal() {
            self.failures += 1;
            return Err(error);
        }
        Ok(self.marks.last())
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
            if let Some(round) = self.take_round() {
                match append_round(&mut committer, &round) {
                    Ok(appended) => self.conclude(&appended, round),
                    Err(error) => {
                        drop(round);
                        self.begin_again(&mut committer, &error);
                    }
                }
            }
            self.seal_if_asked(&mut committer);
        }
    }

    fn seal_if_asked(self: &Arc<Self>, committer: &mut Committer) {
        let asked = std::mem::take(&mut self.inbox().seals);
        if asked.is_empty() {
            return;
        }
        match committer.seal() {
            // Whoever asked may have stopped waiting.
            Ok(end) => asked.iter().for_each(|asked| asked.send(end).unwrap_or_default()),
            Err(error) => self.begin_again(committer, &error),
        }
    }

    /// Waits until there is something to write; false if the thread should end.
    fn wait_for_round(&self) -> bool {
        let mut inbox = self.inbox();
        let mut idle = false;
        loop {
            let nothing = inbox.fresh.is_empty() && !inbox.finished && inbox.seals.is_empty();
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
        let generation = {
            let mut inbox = self.inbox();
            inbox.finished = false;
            inbox.generation
        };
        let (finished, snapshot, unshared_bytes) = {
            let mut progress = self.progress();
            let Progress { head, catalog, .. } = &*progress;
            let snapshot = Snapshot { state: head.clone(), catalog: Arc::clone(catalog) };
            progress.finished_bytes = 0;
            let unshared_bytes = std::mem::take(&mut progress.unshared_bytes);
            (std::mem::take(&mut progress.finished), snapshot, unshared_bytes)
        };
        let mut inbox = self.inbox();
        if inbox.generation != generation {
            // It ended meanwhile: entries of these outcomes may be gone.
            return None;
        }
        inbox.floor.advance(&self.clock);
        let floor_ms = inbox.floor.recorded_ms();
        let fresh = std::mem::take(&mut inbox.fresh);
        // The executor may have waited for room.
        self.work.notify_all();
        if fresh.is_empty() && finished.is_empty() {
            return None;
        }
        let time_ms = self.clock.wall_ms();
        Some(Round { fresh, finished, snapshot, unshared_bytes, floor_ms, time_ms })
    }

    /// A durable round: published, noted, answered, in this order, so that
    /// whoever has a receipt sees its effects (I7).
    fn conclude(&self, appended: &Appended, round: Round) {
        if !round.finished.is_empty() {
            let steps = round.finished.iter();
            let steps = steps.map(|done| (done.step, Arc::clone(&done.outcome))).collect();
            let (snapshot, unshared_bytes) = (round.snapshot, round.unshared_bytes);
            self.snapshots.publish(Published { snapshot, steps, unshared_bytes });
        }
        let entries = round.fresh.iter().map(|fresh| &*fresh.entry);
        let outcomes = round.finished.iter().map(|finished| &*finished.outcome);
        self.receipts.add(appended.number, entries, outcomes);
        // Last: what the anchor leaves behind has to be known to the receipts, which
        // hand it to the index before a checkpoint relies on it.
        *self.anchor.lock().unwrap_or_else(PoisonError::into_inner) = appended.anchor;
        self.log_bytes.fetch_add(appended.bytes, Ordering::Relaxed);
        for fresh in &round.fresh {
            fresh.flight.set_logged();
        }
        {
            let mut inbox = self.inbox();
            inbox.settled(round.finished.iter().map(|finished| &*finished.entry));
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

    /// After a round that failed: its outcome is unknown until the log is read
    /// again. What was published is durable, so that is where reading begins.
    fn begin_again(self: &Arc<Self>, committer: &mut Committer, error: &log::Error) {
        let reason = chain_of(error);
        tracing::error!(app = %self.app, reason, "a round failed; opening the log again");
        // First of all: to let go of the log may take long.
        self.abandon(&reason);
        *self.upkeep.lock().unwrap_or_else(PoisonError::into_inner) = None;
        committer.log = None;
        if self.inbox().is_over() {
            // Closed or stopped meanwhile: nobody is to be served any more.
            return;
        }
        // A disk that reads well and writes badly would have us read for ever.
        if committer.failures > 1 && self.wait_or_close() {
            return;
        }
        loop {
            match self.read_again() {
                Ok(recovered) => match self.resume(committer, recovered) {
                    Ok(()) => return,
                    Err(error) if error.is_transient() => {
                        let reason = chain_of(&error);
                        tracing::error!(app = %self.app, reason, "a module cannot be read yet");
                        if self.wait_or_close() {
                            return;
                        }
                    }
                    Err(error) => return self.stop(chain_of(&error)),
                },
                // Published means durable: a log that has less was exchanged.
                Err(error @ recovery::Error::Short { .. }) => return self.stop(chain_of(&error)),
                Err(error) => {
                    let reason = chain_of(&error);
                    tracing::error!(app = %self.app, reason, "the log cannot be opened yet");
                    if self.wait_or_close() {
                        return;
                    }
                }
            }
        }
    }

    /// What comes after the published state in the log.
    fn read_again(&self) -> Result<Recovered, recovery::Error> {
        // The state may be later than the anchor; it is never earlier.
        let start = *self.anchor.lock().unwrap_or_else(PoisonError::into_inner);
        let state = self.snapshots.current().state.clone();
        let base = Checkpoint { start, state, attempts: Vec::new() };
        recovery::recover(&*self.storage, Some(base), &mut |_| ())
    }

    fn abandon(&self, reason: &str) {
        let generation = {
            let mut inbox = self.inbox();
            inbox.abandon(reason);
            inbox.generation
        };
        self.discard_progress(generation);
    }

    fn resume(
        self: &Arc<Self>,
        committer: &mut Committer,
        recovered: Recovered,
    ) -> Result<(), catalog::Error> {
        let before = self.snapshots.current();
        let catalog = Catalog::of(&recovered.state, &self.modules, &before.catalog)?;
        let catalog = Arc::new(catalog);
        let state = recovered.state;
        let snapshot = Snapshot { state: state.clone(), catalog: Arc::clone(&catalog) };
        self.snapshots.publish(Published { snapshot, steps: Vec::new(), unshared_bytes: 0 });
        let after = recovered.places.base();
        self.receipts.replace_after(recovered.places, recovered.log.reader());
        let last = self.receipts.last();
        let failures = committer.failures;
        *self.upkeep.lock().unwrap_or_else(PoisonError::into_inner) = Some(recovered.log.upkeep());
        *committer = Committer::new(recovered.log, recovered.history, recovered.marks);
        committer.failures = failures;
        let mut inbox = self.inbox();
        inbox.floor.at_least(recovered.floor_ms);
        *self.progress() = Progress::at(inbox.generation, state, catalog);
        let end = End { last, time_ms: recovered.time_ms };
        inbox.resume(after, end, recovered.ids, recovered.unfinished);
        // The executor may have ended while the disk was silent.
        self.start_if_needed(&mut inbox);
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
            let floor_ms = self.inbox().floor.recorded_ms();
            let mut committer = self.committer.lock().unwrap_or_else(PoisonError::into_inner);
            let time_ms = self.clock.wall_ms();
            let appended = committer.append(floor_ms, time_ms, [RecordRef::Attempt(&attempt)])?;
            *self.anchor.lock().unwrap_or_else(PoisonError::into_inner) = appended.anchor;
        }
        *self.attempts.lock().unwrap_or_else(PoisonError::into_inner) = executor.attempts();
        executor.clear_slot();
        Ok(())
    }

    pub(super) fn drain(&self) {
        let mut inbox = self.inbox();
        if inbox.phase == Phase::Running {
            inbox.phase = Phase::Draining;
        }
    }

    pub(super) fn close(&self, within: Duration) {
        let start = self.clock.elapsed();
        self.drain();
        let mut inbox = self.inbox();
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
        while !self.let_go(quiet) {
            if self.clock.elapsed().saturating_sub(start) >= within + LET_GO_MAX {
                tracing::warn!(app = %self.app, "a handler or the disk holds the lane; left as it is");
                return;
            }
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Closes the log if the threads have let go of it, and marks the end as
    /// orderly if it was; false if a thread has not let go yet.
    fn let_go(&self, quiet: bool) -> bool {
        let (Some(mut executor), Some(mut committer)) =
            (try_lock(&self.executor), try_lock(&self.committer))
        else {
            return false;
        };
        match committer.log.take().map(|log| log.close()) {
            Some(Err(error)) => {
                tracing::warn!(app = %self.app, %error, "the log was not closed in order")
            }
            Some(Ok(())) if quiet => executor.mark_clean(),
            _ => {}
        }
        true
    }
}

/// How much longer than for its entries closing waits for the threads.
const LET_GO_MAX: Duration = Duration::from_secs(6);

fn try_lock<T>(mutex: &Mutex<T>) -> Option<MutexGuard<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(guard),
        Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

fn append_round(committer: &mut Committer, round: &Round) -> Result<Appended, log::Error> {
    let entries = round.fresh.iter().map(|fresh| RecordRef::Entry(&fresh.entry));
    let outcomes = round.finished.iter().map(|finished| RecordRef::Outcome(&finished.outcome));
    committer.append(round.floor_ms, round.time_ms, entries.chain(outcomes))
}
