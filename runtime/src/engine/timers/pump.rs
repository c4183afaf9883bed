//! Submitting the commands of timers that are due.
//!
//! The pump looks at what is published and submits, in the order of due times, what is
//! due by the clock. It keeps nothing that matters: a timer's command has the timer's
//! id, so one that is submitted twice is one command, and after a crash whatever has
//! not been executed is still a row. What was missed while the server was down is due
//! at once.
//!
//! Now is the wall clock's, or the time of the last entry where that is later. So a
//! clock that is set back fires nothing twice and nothing early; what is due beyond the
//! last entry waits until the clock has caught up. One that jumps ahead fires what is
//! due by it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use uuid::Uuid;

use crate::engine::gates::Gates;
use crate::lane::{Flight, Lane, Refusal, Submission, Ticket, fingerprint};
use crate::record::{Act, Command};
use crate::snapshot::Snapshot;
use crate::state::State;
use crate::transaction::timers::{Timer, due_ms_of, timer, timer_count, timers_after};
use crate::worker::{Duty, Next, Turn};

/// Commands of timers that wait in the inbox at one time, at most: clients come in
/// between, however many timers are due.
const IN_FLIGHT_MAX: usize = 256;
/// How long to wait before something is submitted again that was refused.
const AGAIN_AFTER: Duration = Duration::from_millis(50);
/// How long to wait before a timer is tried again of whose id the disk cannot tell.
const UNREADABLE_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// For how long the clock is believed: it may jump meanwhile.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Submits the commands of an app's timers.
#[derive(Debug)]
pub struct Pump {
    lane: Lane,
    gates: Arc<Gates>,
    pumping: Mutex<Pumping>,
}

#[derive(Debug, Default)]
struct Pumping {
    in_flight: BTreeMap<Uuid, Arc<Flight>>,
    /// Rows that nothing can be made of, which is said once.
    given_up: BTreeSet<Uuid>,
}

impl Pump {
    pub(in crate::engine) fn new(lane: Lane, gates: Arc<Gates>) -> Self {
        Self { lane, gates, pumping: Mutex::default() }
    }

    /// Submits what is due by a wall clock, and says when to come again, unless
    /// something is published before; none if nothing is to be done until then.
    pub fn pump(&self, now_ms: u64) -> Option<Duration> {
        let mut pumping = self.pumping.lock().unwrap_or_else(PoisonError::into_inner);
        let Pumping { in_flight, given_up } = &mut *pumping;
        // In this order: what was answered as done is not in a state published since.
        in_flight.retain(|_, flight| flight.answer().is_none());
        let snapshot = self.lane.snapshots().current();
        let state = &snapshot.state;
        in_flight.retain(|id, _| timer(state, *id).is_some());
        let now_ms = now_ms.max(state.time_ms());
        let mut later = None;
        for (key, id) in timers_after(state, None) {
            let due_ms = due_ms_of(key).unwrap_or_default();
            if due_ms > now_ms {
                let wait = Duration::from_millis(due_ms - now_ms).min(LOOK_EVERY);
                return Some(later.map_or(wait, |later| wait.min(later)));
            }
            if in_flight.contains_key(&id) || given_up.contains(&id) {
                continue;
            }
            if in_flight.len() >= IN_FLIGHT_MAX {
                // Room is made by outcomes, and those are published.
                return later;
            }
            if self.gates.room.check().is_err() {
                return Some(AGAIN_AFTER);
            }
            match self.submit(state, id) {
                Ok(Ticket::Flying { flight, .. }) => drop(in_flight.insert(id, flight)),
                // Executed, and published by now.
                Ok(Ticket::Settled(sequence)) if sequence > state.sequence() => {
                    return Some(AGAIN_AFTER);
                }
                Ok(Ticket::Settled(sequence)) => {
                    tracing::error!(%id, %sequence, "internal error: a timer that has fired is still there; cancel it");
                    given_up.insert(id);
                }
                Err(Unfit::Now(refusal)) => {
                    tracing::debug!(%id, %refusal, "timers wait");
                    return Some(AGAIN_AFTER);
                }
                // The disk may be read again; others need not wait for it.
                Err(Unfit::Yet(reason)) => {
                    tracing::error!(%id, reason, "a timer that is due waits");
                    later = Some(UNREADABLE_AGAIN_AFTER);
                }
                Err(Unfit::Ever(reason)) => {
                    tracing::error!(%id, reason, "a timer that is due cannot be submitted");
                    given_up.insert(id);
                }
            }
        }
        later
    }

    fn submit(&self, state: &State, id: Uuid) -> Result<Ticket, Unfit> {
        let timer = timer(state, id);
        let timer = timer.ok_or_else(|| Unfit::Ever("its row cannot be read".to_owned()))?;
        self.lane.submit(submission(timer)).map_err(|refusal| match refusal {
            Refusal::Reused { .. } | Refusal::Trimmed { .. } => Unfit::Ever(refusal.to_string()),
            Refusal::Unreadable { reason } => Unfit::Yet(reason),
            refusal => Unfit::Now(refusal),
        })
    }
}

impl Duty for Arc<Pump> {
    fn name(&self) -> &'static str {
        "timers"
    }

    fn is_wanted(&self, snapshot: &Snapshot) -> bool {
        timer_count(&snapshot.state) > 0
    }

    fn attend(&mut self, turn: &Turn<'_>) -> Next {
        self.pump(turn.clock().wall_ms()).map_or(Next::Idle, Next::After)
    }
}

/// Why a timer's command got no place.
enum Unfit {
    /// Nor would any other.
    Now(Refusal),
    Yet(String),
    Ever(String),
}

fn submission(timer: Timer) -> Submission {
    let Timer { id, due_ms, command, correlation_id, causation_id, .. } = timer;
    let fingerprint = fingerprint::of_command(command.name.as_str(), &command.input);
    let act = Act::Command(Command {
        name: command.name,
        input: command.input,
        basis: None,
        unchanged: Vec::new(),
        scheduled_for_ms: Some(due_ms),
        caller: None,
        correlation_id,
        causation_id: Some(causation_id),
        metadata: command.metadata,
    });
    let (windowed, admitted, keep, prepared) = (false, None, None, None);
    Submission { id, windowed, fingerprint, act, admitted, keep, prepared }
}
