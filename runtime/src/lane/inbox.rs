//! The sequencer: one short section in which an entry gets its place.
//!
//! Up to here an entry can be refused; after it nothing is refused any more,
//! and what can no longer run gets an outcome that says so.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use uuid::Uuid;

use super::advance::Prepared;
use super::flight::{Answer, Flight};
use super::submission::{Refusal, Submission, Ticket, bytes_of};
use super::{Health, Settings};
use crate::clock::Clock;
use crate::ids::{Floor, Ids, OutOfWindow, Seen, time_of};
use crate::log::Start;
use crate::record::{Act, Entry};
use crate::value::{Hash, Name, Sequence};
use crate::wasm;

/// An entry that waits to be executed.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) generation: u64,
    pub(super) entry: Arc<Entry>,
    pub(super) flight: Arc<Flight>,
    pub(super) admitted: Option<(Name, Hash)>,
    /// Held so that a module compiled at admission is there at execution.
    #[expect(dead_code, reason = "it is there to be held")]
    pub(super) keep: Option<Arc<wasm::Module>>,
    pub(super) prepared: Option<Prepared>,
}

/// An entry that is in no round yet.
#[derive(Debug)]
pub(super) struct Fresh {
    pub(super) entry: Arc<Entry>,
    pub(super) flight: Arc<Flight>,
}

/// What the next entry follows.
#[derive(Debug, Clone, Copy)]
pub(super) struct End {
    /// The last sequence.
    pub(super) last: Sequence,
    /// The last time that was given to an entry.
    pub(super) time_ms: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Phase {
    Running,
    Recovering(String),
    Stopped(String),
    Draining,
    /// Nothing runs any more; the process is about to end.
    Closed,
}

/// Everything the sequencer knows.
#[derive(Debug)]
pub(super) struct Inbox {
    pub(super) generation: u64,
    pub(super) phase: Phase,
    /// The last sequence given out.
    last: Sequence,
    /// The last time given to an entry; the next is never before it.
    time_ms: u64,
    pub(super) floor: Floor,
    pub(super) ids: Ids,
    flights: HashMap<Uuid, Arc<Flight>>,
    flying_bytes: usize,
    pub(super) pending: VecDeque<Pending>,
    pub(super) fresh: Vec<Fresh>,
    /// Entries that executor has not finished: pending, or running now.
    pub(super) unfinished: usize,
    /// Whether there may be outcomes that no round has taken.
    pub(super) finished: bool,
    /// Who waits for the log to be sealed.
    pub(super) seals: Vec<SyncSender<Start>>,
    pub(super) executor_runs: bool,
    pub(super) committer_runs: bool,
}

impl Inbox {
    /// An inbox behind a recovered log, with the entries that have no outcome.
    pub(super) fn recovered(
        generation: u64,
        end: End,
        ids: Ids,
        floor: Floor,
        unfinished: VecDeque<Entry>,
    ) -> Self {
        let mut inbox = Self {
            generation,
            phase: Phase::Running,
            last: end.last,
            time_ms: end.time_ms,
            floor,
            ids,
            flights: HashMap::new(),
            flying_bytes: 0,
            pending: VecDeque::new(),
            fresh: Vec::new(),
            unfinished: 0,
            finished: false,
            seals: Vec::new(),
            executor_runs: false,
            committer_runs: false,
        };
        for entry in unfinished {
            let entry = Arc::new(entry);
            let flight = inbox.fly(&entry, None, None, None);
            flight.set_logged();
        }
        inbox
    }

    pub(super) fn submit(
        &mut self,
        settings: &Settings,
        clock: &Clock,
        submission: Submission,
        known: Option<Seen>,
    ) -> Result<Ticket, Refusal> {
        if let Some(ticket) = self.retry(submission.id, submission.fingerprint, known)? {
            return Ok(ticket);
        }
        let id_time_ms = time_of(submission.id);
        let now_ms = clock.wall_ms().max(self.time_ms);
        self.floor.advance(clock);
        if submission.windowed {
            self.check_window(clock, id_time_ms)?;
        }
        self.check_basis(&submission.act)?;
        self.check_room(settings, bytes_of(&submission.act))?;
        let flight = self.sequence(submission, id_time_ms, now_ms);
        Ok(Ticket::Flying { flight, replayed: false })
    }

    /// What became of an id, of which the disk knows this; none if it has no place.
    pub(super) fn retry(
        &self,
        id: Uuid,
        fingerprint: Hash,
        known: Option<Seen>,
    ) -> Result<Option<Ticket>, Refusal> {
        self.check_phase()?;
        match self.ids.get(id, time_of(id)).or(known) {
            Some(seen) if seen.fingerprint != fingerprint => {
                Err(Refusal::Reused { sequence: seen.sequence })
            }
            seen => Ok(seen.map(|seen| self.ticket(id, seen))),
        }
    }

    /// What is known of an id, of which the disk knows this. While the log is read
    /// again nobody can tell of one that was sequenced whether it is in it.
    pub(super) fn find(&self, id: Uuid, known: Option<Seen>) -> Result<Option<Ticket>, Refusal> {
        let Some(seen) = self.ids.get(id, time_of(id)).or(known) else {
            return Ok(None);
        };
        match &self.phase {
            Phase::Recovering(reason) => Err(Refusal::Recovering { reason: reason.clone() }),
            _ => Ok(Some(self.ticket(id, seen))),
        }
    }

    /// Whether an id is known here, and its receipt is in the log.
    pub(super) fn has_settled(&self, id: Uuid) -> bool {
        self.ids.get(id, time_of(id)).is_some() && !self.flights.contains_key(&id)
    }

    /// Asks for the log to be sealed; what is returned is told when it is, and
    /// hangs up if it will not be.
    pub(super) fn ask_to_seal(&mut self) -> Result<Receiver<Start>, Refusal> {
        self.check_phase()?;
        let (tell, told) = sync_channel(1);
        self.seals.push(tell);
        Ok(told)
    }

    /// Takes entries that have been answered out of the inbox.
    pub(super) fn settled<'a>(&mut self, entries: impl IntoIterator<Item = &'a Entry>) {
        for entry in entries {
            if self.flights.remove(&entry.id).is_some() {
                self.flying_bytes = self.flying_bytes.saturating_sub(bytes_of(&entry.act));
            }
        }
    }

    /// Begins a new generation after a failed append: everything that is in
    /// flight is answered, and nothing is left of it.
    pub(super) fn abandon(&mut self, reason: &str) {
        self.generation += 1;
        if matches!(self.phase, Phase::Running | Phase::Recovering(_)) {
            self.phase = Phase::Recovering(reason.to_owned());
        }
        self.refuse_fresh(reason);
        for (_, flight) in std::mem::take(&mut self.flights) {
            flight.settle(Answer::Unknown(reason.to_owned()));
        }
        self.pending.clear();
        self.seals.clear();
        (self.unfinished, self.finished, self.flying_bytes) = (0, false, 0);
    }

    /// Goes on behind a log that was read again after an entry; `ids` are of those
    /// that came after it.
    pub(super) fn resume(
        &mut self,
        after: Sequence,
        end: End,
        newer: Ids,
        unfinished: VecDeque<Entry>,
    ) {
        let floor = self.floor.clone();
        let mut ids = std::mem::take(&mut self.ids);
        ids.replace_after(after, newer);
        let phase = match &self.phase {
            Phase::Recovering(_) => Phase::Running,
            other => other.clone(),
        };
        let mut next = Self::recovered(self.generation, end, ids, floor, unfinished);
        next.time_ms = next.time_ms.max(self.time_ms);
        next.phase = phase;
        next.executor_runs = self.executor_runs;
        next.committer_runs = self.committer_runs;
        *self = next;
    }

    /// Takes no more entries, and answers those in flight.
    pub(super) fn end(&mut self, phase: Phase) {
        let text = match &phase {
            Phase::Stopped(reason) => format!("the lane has stopped: {reason}"),
            _ => "the server is shutting down".to_owned(),
        };
        self.refuse_fresh(&text);
        for (_, flight) in std::mem::take(&mut self.flights) {
            flight.settle(match flight.is_logged() {
                true if phase == Phase::Closed => Answer::Logged,
                _ => Answer::Unknown(text.clone()),
            });
        }
        self.pending.clear();
        self.seals.clear();
        (self.unfinished, self.finished, self.flying_bytes) = (0, false, 0);
        self.generation += 1;
        self.phase = phase;
    }

    pub(super) fn last(&self) -> Sequence {
        self.last
    }

    pub(super) fn health(&self) -> Health {
        match &self.phase {
            Phase::Running => Health::Running,
            Phase::Recovering(reason) => Health::Recovering(reason.clone()),
            Phase::Stopped(reason) => Health::Stopped(reason.clone()),
            Phase::Draining | Phase::Closed => Health::Draining,
        }
    }

    pub(super) fn is_running(&self) -> bool {
        matches!(self.phase, Phase::Running | Phase::Draining)
    }

    /// Whether the threads of the lane should end.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Stopped(_) | Phase::Closed)
    }

    /// Whether nothing is sequenced that is not answered.
    pub(super) fn is_quiet(&self) -> bool {
        self.flights.is_empty() && self.fresh.is_empty()
    }

    fn sequence(&mut self, submission: Submission, id_time_ms: u64, now_ms: u64) -> Arc<Flight> {
        self.last = self.last.next();
        self.time_ms = now_ms;
        let Submission { id, fingerprint, act, admitted, keep, prepared, .. } = submission;
        let (sequence, time_ms, erased) = (self.last, now_ms, false);
        let entry = Arc::new(Entry { sequence, time_ms, id, fingerprint, act, erased });
        self.ids.insert(id, id_time_ms, Seen { sequence: self.last, fingerprint });
        let flight = self.fly(&entry, admitted, keep, prepared);
        self.fresh.push(Fresh { entry, flight: Arc::clone(&flight) });
        flight
    }

    fn fly(
        &mut self,
        entry: &Arc<Entry>,
        admitted: Option<(Name, Hash)>,
        keep: Option<Arc<wasm::Module>>,
        prepared: Option<Prepared>,
    ) -> Arc<Flight> {
        let flight = Arc::new(Flight::new(Arc::clone(entry)));
        self.flights.insert(entry.id, Arc::clone(&flight));
        self.flying_bytes += bytes_of(&entry.act);
        self.unfinished += 1;
        let (generation, entry) = (self.generation, Arc::clone(entry));
        let waiting = Arc::clone(&flight);
        let pending = Pending { generation, entry, flight, admitted, keep, prepared };
        self.pending.push_back(pending);
        waiting
    }

    /// Answers what is in no round, neither in one that failed nor in one before: it is
    /// certainly not logged, and never will be.
    fn refuse_fresh(&mut self, reason: &str) {
        for fresh in std::mem::take(&mut self.fresh) {
            self.flights.remove(&fresh.entry.id);
            fresh.flight.settle(Answer::NotLogged(reason.to_owned()));
        }
    }

    fn ticket(&self, id: Uuid, seen: Seen) -> Ticket {
        match self.flights.get(&id) {
            Some(flight) => Ticket::Flying { flight: Arc::clone(flight), replayed: true },
            None => Ticket::Settled(seen.sequence),
        }
    }

    pub(super) fn check_phase(&self) -> Result<(), Refusal> {
        match &self.phase {
            Phase::Running => Ok(()),
            Phase::Recovering(reason) => Err(Refusal::Recovering { reason: reason.clone() }),
            Phase::Stopped(reason) => Err(Refusal::Stopped { reason: reason.clone() }),
            Phase::Draining | Phase::Closed => Err(Refusal::Draining),
        }
    }

    fn check_window(&self, clock: &Clock, time_ms: u64) -> Result<(), Refusal> {
        self.floor.check(clock, time_ms, self.time_ms).map_err(|out| match out {
            OutOfWindow::Expired { floor_ms } => Refusal::Expired { time_ms, floor_ms },
            OutOfWindow::Ahead { now_ms } => Refusal::Ahead { time_ms, now_ms },
        })
    }

    fn check_basis(&self, act: &Act) -> Result<(), Refusal> {
        match act {
            Act::Command(command) => match command.basis {
                Some(basis) if basis > self.last => {
                    Err(Refusal::BasisAhead { basis, last: self.last })
                }
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    pub(super) fn check_room(&self, settings: &Settings, more: usize) -> Result<(), Refusal> {
        let (waiting, bytes) = (self.flights.len(), self.flying_bytes);
        let full = waiting >= settings.inbox_entries_max
            || bytes.saturating_add(more) > settings.inbox_bytes_max;
        if full { Err(Refusal::Full { waiting, bytes }) } else { Ok(()) }
    }
}
