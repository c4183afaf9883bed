//! One app's lane: entries are sequenced, executed one after another, made
//! durable in rounds, published, and answered.
//!
//! ```text
//!  submit ─► sequencer ─► executor ─► committer ─► publish ─► answer
//!            one short    runs ahead  one round =  only what
//!            section      of the disk one append   is durable
//! ```
//!
//! Two locks. The *inbox* belongs to the sequencer: what has been sequenced and
//! what waits. *Progress* belongs to executor and committer: the head state and
//! the outcomes that are not durable yet. Whoever needs both takes the outcomes
//! first, so that no outcome is written before its entry.
//!
//! After a failed append nobody knows what is durable. The lane then raises its
//! *generation*: everything in memory that the failed round may have made wrong
//! is discarded, the log is opened and read again, and nothing of the old
//! generation can reach the new one.
//!
//! An idle lane has no threads: executor and committer start when there is
//! something to do and end after a while without.

pub mod advance;
mod committer;
mod deploy;
pub mod erase;
mod error;
mod execute;
mod executor;
pub mod fingerprint;
mod flight;
mod inbox;
mod keeping;
mod known;
mod opening;
mod poison;
mod projections;
pub mod reactions;
mod submission;
mod timers;
mod told;

use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use advance::{Expected, Prepared};
pub use error::Error;
pub use execute::try_command;
pub use flight::{Answer, Flight};
pub use submission::{Refusal, Submission, Ticket};
pub use timers::chain_of_command;

use crate::catalog::Catalog;
use crate::checkpoint::Checkpoint;
use crate::clock::Clock;
use crate::disk::Disk;
use crate::events::Events;
use crate::ids::Floor;
use crate::index::Index;
use crate::log::{Start, Storage, Upkeep};
use crate::modules::Modules;
use crate::receipts::{self, Receipt, Receipts};
use crate::record::Attempt;
use crate::recovery::{self, Recovered};
use crate::snapshot::{Budget, Reaper, Snapshot, Snapshots};
use crate::transaction;
use crate::value::{Name, Sequence};
use committer::Committer;
use executor::{Executor, Progress};
use inbox::{End, Inbox, Phase};
use opening::{Kept, first_floor, open_events, open_index};
use poison::Slot;
use told::Told;

/// What a lane may use, and how long things take.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Entries that are sequenced and not yet answered, at most.
    pub inbox_entries_max: usize,
    /// Bytes of those entries, at most.
    pub inbox_bytes_max: usize,
    /// Bytes of outcomes that wait for the disk, at most; the executor waits
    /// beyond it.
    pub unsynced_bytes_max: usize,
    /// How long ids are remembered.
    pub window: Duration,
    /// Whether the operator vouches for the clock at this start.
    pub clock_confirmed: bool,
    /// How long the committer waits for the outcome of a command that is being
    /// executed, so that both are written in one round.
    pub linger: Duration,
    /// After how long without work the threads of a lane end.
    pub idle_after: Duration,
    /// How long to wait before a log that failed is opened again.
    pub reopen_after: Duration,
    /// What one command may stage.
    pub transaction: transaction::Limits,
    /// How long the events of one command are folded into projections in the lane, where
    /// commands wait; one more event may be begun within it. What is left then is folded
    /// beside the lane, and the tables say that they are behind.
    pub fold_time_max: Duration,
    /// How many bytes of rows that may come to, for all projections together: they are in
    /// the command's outcome, in one record. At most one event's more.
    pub fold_bytes_max: usize,
    /// How many commands may follow from one another, each at the heels of the one
    /// before: beyond it something feeds itself.
    pub chain_depth_max: u32,
    /// How many past roots are held.
    pub held: Budget,
    /// Replaces the live instance before this share of commands, at random:
    /// 0 never, 1 always. For tests, which must not notice.
    pub replace_instance_share: f64,
}

impl Default for Settings {
    /// 4,096 entries or 64 MiB in the inbox, 64 MiB unsynced, a window of 24 h; a second
    /// and 64 MiB for the projections of a command.
    /// The linger is a fraction of what a sync takes on a good disk.
    fn default() -> Self {
        Self {
            inbox_entries_max: 4096,
            inbox_bytes_max: 64 << 20,
            unsynced_bytes_max: 64 << 20,
            window: Duration::from_secs(24 * 60 * 60),
            clock_confirmed: false,
            linger: Duration::from_micros(100),
            idle_after: Duration::from_secs(10),
            reopen_after: Duration::from_secs(1),
            transaction: transaction::Limits::default(),
            // Nobody waits longer than for a slow command, whose deadline is five.
            fold_time_max: Duration::from_secs(1),
            // As much as may wait for the disk.
            fold_bytes_max: 64 << 20,
            // No process that people have thought of takes as many steps at once.
            chain_depth_max: 64,
            held: Budget::default(),
            replace_instance_share: 0.0,
        }
    }
}

/// What a lane works with.
#[derive(Debug)]
pub struct Parts {
    /// The app's name, for log lines.
    pub app: Name,
    /// What its files are on.
    pub disk: Arc<dyn Disk>,
    /// Where its log is.
    pub storage: Box<dyn Storage>,
    /// Where to begin reading it; at its first round if there is none.
    pub base: Option<Checkpoint>,
    /// Where its index is; without one, everything stays in memory.
    pub index: Option<PathBuf>,
    /// Where the events of what was trimmed are; without, nothing may be trimmed.
    pub archive: Option<PathBuf>,
    /// Where its events are indexed; without, that stays in memory as well.
    pub postings: Option<PathBuf>,
    /// Its uploaded modules.
    pub modules: Arc<Modules>,
    /// The file that tells which command killed the process.
    pub slot: PathBuf,
    /// The time.
    pub clock: Clock,
    /// Where expensive things are dropped.
    pub reaper: Reaper,
}

/// A handle to one app's lane.
#[derive(Debug, Clone)]
pub struct Lane(Arc<Shared>);

/// How a lane is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// It takes commands.
    Running,
    /// The log failed and is being opened again.
    Recovering(String),
    /// It cannot go on until somebody acts.
    Stopped(String),
    /// It is being closed.
    Draining,
}

/// Rows of the index that are written at once: some megabytes.
const SETTLED_AT_ONCE: usize = 1 << 16;
/// Ids that leave memory while the sequencer waits: some tens of microseconds.
const FORGOTTEN_AT_ONCE: usize = 500;

/// What the threads of a lane and its handles share.
#[derive(Debug)]
struct Shared {
    app: Name,
    settings: Settings,
    clock: Clock,
    storage: Box<dyn Storage>,
    modules: Arc<Modules>,
    snapshots: Arc<Snapshots>,
    receipts: Arc<Receipts>,
    events: Arc<Events>,
    /// What is known of entries that are no longer in memory.
    index: Arc<Index>,
    /// From where the log would have to be read to follow the published state.
    anchor: Mutex<Start>,
    /// Bytes of the rounds after the base, those that were read at the start included.
    log_bytes: AtomicU64,
    /// None while the log is being opened again.
    upkeep: Mutex<Option<Arc<dyn Upkeep>>>,
    /// What was known of deaths when the lane was opened, that of this start included.
    attempts: Mutex<Vec<Attempt>>,
    /// Held for a few moves of pointers, by async tasks as well; never across
    /// execution, I/O or an await.
    inbox: Mutex<Inbox>,
    /// Tells the executor of new work, and that a round has ended.
    work: Condvar,
    /// Tells the committer of new entries or outcomes.
    fresh: Condvar,
    /// Held by executor and committer while changes are applied or taken.
    progress: Mutex<Progress>,
    executor: Mutex<Executor>,
    committer: Mutex<Committer>,
    told: Told,
}

impl Lane {
    /// Recovers an app and gets its lane ready. Entries without an outcome are
    /// executed at once.
    ///
    /// # Errors
    /// [`Error`]: the app is not served then.
    pub fn open(
        settings: Settings,
        mut parts: Parts,
        told: &mut recovery::Told<'_>,
    ) -> Result<Self, Error> {
        let app = parts.app.clone();
        let (slot, mark) = Slot::open(&*parts.disk, &parts.slot)
            .map_err(|source| slot_error(&app, &parts.slot, source))?;
        let base = parts.base.take();
        let start = base.as_ref().map(|base| base.start);
        let failed = |source| Error::Recovery { app: app.clone(), source };
        let mut recovered = recovery::recover(&*parts.storage, base, told).map_err(failed)?;
        let index = open_index(&parts, &recovered)?;
        recovery::reconcile(&mut recovered, &index, start.as_ref()).map_err(failed)?;
        let (archive, postings) = open_events(&parts, &mut recovered, start.as_ref())?;
        let catalog = Catalog::of(&recovered.state, &parts.modules, &Catalog::default());
        let catalog = catalog.map_err(|source| Error::Catalog { app: app.clone(), source })?;
        let floor = first_floor(&settings, &parts.clock, &recovered);
        let kept = Kept { index, archive, postings };
        let shared = assemble(settings, parts, recovered, kept, Arc::new(catalog), floor, slot);
        let lane = Self(Arc::new(shared));
        lane.0.count_attempt(mark).map_err(|source| Error::Log { app, source })?;
        lane.0.start_if_needed(&mut lane.0.inbox());
        Ok(lane)
    }

    /// Gives an entry its place, or finds that it has one already.
    ///
    /// # Errors
    /// [`Refusal`]: nothing was logged.
    pub fn submit(&self, submission: Submission) -> Result<Ticket, Refusal> {
        let (known, mut inbox) = self.look_up(submission.id)?;
        let ticket = inbox.submit(&self.0.settings, &self.0.clock, submission, known)?;
        if let Ticket::Flying { replayed, .. } = &ticket {
            self.0.start_if_needed(&mut inbox);
            // Either thread waits only while it has nothing; the first to give it
            // something wakes it. Each call is a call of the system.
            let (first_pending, first_fresh) = (inbox.pending.len() == 1, inbox.fresh.len() == 1);
            let replayed = *replayed;
            drop(inbox);
            if first_pending && !replayed {
                self.0.work.notify_one();
            }
            if first_fresh && !replayed {
                self.0.fresh.notify_one();
            }
        }
        Ok(ticket)
    }

    /// Whether it takes entries, as far as its log is concerned.
    ///
    /// # Errors
    /// [`Refusal::Recovering`], [`Refusal::Stopped`] or [`Refusal::Draining`].
    pub fn takes_entries(&self) -> Result<(), Refusal> {
        self.0.inbox().check_phase()
    }

    /// Whether it would take an entry now.
    ///
    /// # Errors
    /// As [`Lane::takes_entries`], and [`Refusal::Full`].
    pub fn has_room(&self) -> Result<(), Refusal> {
        let inbox = self.0.inbox();
        inbox.check_phase()?;
        inbox.check_room(&self.0.settings, 0)
    }

    /// Takes nothing new from now on; what is sequenced goes on.
    pub fn drain(&self) {
        self.0.drain();
    }

    /// Closes the lane: refuses what is new, finishes and answers what is
    /// sequenced, and marks the end as orderly. Blocks for as long as `within`.
    /// What cannot be finished by then is finished at the next start.
    pub fn close(&self, within: Duration) {
        self.0.close(within);
    }

    /// The published states.
    #[must_use]
    pub fn snapshots(&self) -> &Arc<Snapshots> {
        &self.0.snapshots
    }

    /// The app's modules.
    #[must_use]
    pub fn modules(&self) -> &Arc<Modules> {
        &self.0.modules
    }

    /// The last sequence that was given out, durable or not.
    #[must_use]
    pub fn last_sequence(&self) -> Sequence {
        self.0.inbox().last()
    }

    /// How the lane is doing.
    #[must_use]
    pub fn health(&self) -> Health {
        self.0.inbox().health()
    }

    /// What one command may stage.
    #[must_use]
    pub fn transaction_limits(&self) -> transaction::Limits {
        self.0.settings.transaction
    }

    /// The receipt of an entry; none if it is not durable. What was erased is not in
    /// it, from the moment the erasure is visible.
    ///
    /// # Errors
    /// [`receipts::Error`] if the log cannot be read.
    pub fn receipt(&self, sequence: Sequence) -> Result<Option<Receipt>, receipts::Error> {
        let receipt = self.0.receipts.read(sequence)?;
        let state = &self.0.snapshots.current().state;
        Ok(receipt.map(|receipt| match erase::erased_by(state, sequence) {
            Some(_) => erase::masked(receipt),
            None => receipt,
        }))
    }

    /// The receipts themselves, for pages of them.
    #[must_use]
    pub fn receipts(&self) -> &Receipts {
        &self.0.receipts
    }

    /// The events.
    #[must_use]
    pub fn events(&self) -> &Arc<Events> {
        &self.0.events
    }
}

impl Shared {
    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops the lane for good: what the host cannot do is never recorded as
    /// what a handler did. What has no durable outcome is executed at the next
    /// start.
    fn stop(&self, reason: String) {
        tracing::error!(app = %self.app, reason, "the lane has stopped");
        self.halt(Phase::Stopped(reason));
    }

    fn halt(&self, phase: Phase) {
        let generation = {
            let mut inbox = self.inbox();
            inbox.end(phase);
            inbox.generation
        };
        self.discard_progress(generation);
        self.fresh.notify_all();
        self.told.tell();
    }

    /// Makes sure that nothing of an old generation is taken for something of
    /// the new one: an executor that is running finds out when it comes back.
    fn discard_progress(&self, generation: u64) {
        let mut progress = self.progress();
        progress.generation = generation;
        progress.finished.clear();
        (progress.finished_bytes, progress.unshared_bytes) = (0, 0);
        drop(progress);
        self.work.notify_all();
    }
}

fn assemble(
    settings: Settings,
    parts: Parts,
    recovered: Recovered,
    kept: Kept,
    catalog: Arc<Catalog>,
    floor: Floor,
    slot: Slot,
) -> Shared {
    let first = Snapshot { state: recovered.state.clone(), catalog: Arc::clone(&catalog) };
    let snapshots = Arc::new(Snapshots::new(
        recovered.history,
        first,
        Arc::clone(&parts.modules),
        settings.held,
        parts.clock.clone(),
        parts.reaper,
    ));
    let Kept { index, archive, postings } = kept;
    let upkeep = recovered.log.upkeep();
    let receipts = Receipts::new(recovered.places, Arc::clone(&index), recovered.log.reader());
    if let Some(oldest) = upkeep.segments().first() {
        receipts.keep_from(oldest.first_sequence);
    }
    let receipts = Arc::new(receipts);
    let recent = recovered.recent;
    let events =
        Events::new(Arc::clone(&receipts), Arc::clone(&snapshots), archive, postings, recent);
    let end = End { last: receipts.last(), time_ms: recovered.time_ms };
    let inbox = Inbox::recovered(0, end, recovered.ids, floor, recovered.unfinished);
    let progress = Progress::at(0, recovered.state, catalog);
    let anchor = recovered.marks.settled();
    let committer = Committer::new(recovered.log, recovered.history, recovered.marks);
    let executor = Executor::new(slot, recovered.attempts);
    Shared {
        app: parts.app,
        settings,
        clock: parts.clock,
        storage: parts.storage,
        modules: parts.modules,
        snapshots,
        receipts,
        events: Arc::new(events),
        index,
        anchor: Mutex::new(anchor),
        log_bytes: AtomicU64::new(recovered.bytes),
        upkeep: Mutex::new(Some(upkeep)),
        attempts: Mutex::default(),
        inbox: Mutex::new(inbox),
        work: Condvar::new(),
        fresh: Condvar::new(),
        progress: Mutex::new(progress),
        executor: Mutex::new(executor),
        committer: Mutex::new(committer),
        told: Told::default(),
    }
}

fn slot_error(app: &Name, path: &std::path::Path, source: std::io::Error) -> Error {
    Error::Slot { app: app.clone(), path: path.to_owned(), source }
}
