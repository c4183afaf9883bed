//! What is done beside the lane of an app, because it would hold up commands: tables
//! are built from events, above all. One thread for each app, which is there while
//! there is something to do and ends when there is not; each thing to do is a
//! [`Duty`], and they take turns.
//!
//! A duty looks at what is published and durable, and brings what it comes to into the
//! lane as an entry ([`Prepared`](crate::lane::Prepared)). It keeps nothing that a
//! crash could take away.

mod projections;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

pub use self::projections::Projections;

use crate::clock::Clock;
use crate::lane::{Answer, Flight, Lane};
use crate::snapshot::Snapshot;
use crate::value::Name;

/// The stack of the thread, which runs handlers: as much as the lane's.
const STACK_BYTES: usize = 16 << 20;
/// How long the thread is kept when there is nothing to do.
const IDLE_AFTER: Duration = Duration::from_secs(10);
/// How long to wait at most for a ring that may have been missed: a lane that stops
/// does not ring.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Something that is done beside the lane.
pub trait Duty: fmt::Debug + Send {
    /// Whether a state has something for it, now or later. Asked whenever something is
    /// published while no thread is there, by the lane: it reads next to nothing.
    fn is_wanted(&self, snapshot: &Snapshot) -> bool;

    /// Does some of what is due, and says when there is more.
    fn attend(&mut self, turn: &Turn<'_>) -> Next;
}

/// When a duty has something to do again, if nothing is published before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Now.
    Again,
    /// After some time.
    After(Duration),
    /// Not before something is published.
    Idle,
}

impl Next {
    /// The sooner of two.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Again, _) | (_, Self::Again) => Self::Again,
            (Self::After(one), Self::After(other)) => Self::After(one.min(other)),
            (Self::Idle, next) | (next, Self::Idle) => next,
        }
    }
}

/// A duty's turn.
#[derive(Debug)]
pub struct Turn<'a>(&'a Shared);

impl Turn<'_> {
    /// The lane.
    #[must_use]
    pub fn lane(&self) -> &Lane {
        &self.0.lane
    }

    /// The time.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Whether the turn is to end soon, because the app is being closed.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.0.state().stopping
    }

    /// Waits for the answer of an entry; none if the app is closed before.
    #[must_use]
    pub fn wait<'f>(&self, flight: &'f Flight) -> Option<&'f Answer> {
        let mut state = self.0.state();
        loop {
            // The lane rings after it has answered.
            if let Some(answer) = flight.answer() {
                return Some(answer);
            }
            if state.stopping {
                return None;
            }
            let waited = self.0.bell.wait_timeout(state, LOOK_AGAIN_AFTER);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// The worker of an app. Ends with it.
#[derive(Debug)]
pub struct Worker(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    app: Name,
    lane: Lane,
    clock: Clock,
    /// Held for a few moves; never while a duty is attended to.
    state: Mutex<State>,
    bell: Condvar,
}

#[derive(Debug)]
struct State {
    /// Something was published that no duty has looked at.
    rung: bool,
    stopping: bool,
    /// While no thread has them.
    duties: Vec<Box<dyn Duty>>,
    /// Whether a thread is there, or has panicked.
    running: bool,
    thread: Option<JoinHandle<()>>,
}

impl Worker {
    /// A worker that attends to these duties, in turn, whenever the lane has published
    /// something.
    #[must_use]
    pub fn start(app: Name, lane: Lane, clock: Clock, duties: Vec<Box<dyn Duty>>) -> Self {
        let (rung, stopping, running, thread) = (false, false, false, None);
        let state = State { rung, stopping, duties, running, thread };
        let (state, bell) = (Mutex::new(state), Condvar::new());
        let shared = Arc::new(Shared { app, lane, clock, state, bell });
        let weak: Weak<Shared> = Arc::downgrade(&shared);
        shared.lane.when_published(move || {
            if let Some(shared) = weak.upgrade() {
                shared.ring();
            }
        });
        // What was left over when the app was closed.
        shared.ring();
        Self(shared)
    }

    /// Ends the thread, and waits for it: for one call of a handler at most.
    pub fn stop(&self) {
        let thread = {
            let mut state = self.0.state();
            state.stopping = true;
            state.thread.take()
        };
        self.0.bell.notify_all();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::error!(app = %self.0.app, "internal error: the worker panicked");
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something was published.
    fn ring(self: &Arc<Self>) {
        let mut state = self.state();
        state.rung = true;
        if state.running {
            drop(state);
            return self.bell.notify_all();
        }
        let snapshot = self.lane.snapshots().current();
        if state.stopping || !state.duties.iter().any(|duty| duty.is_wanted(&snapshot)) {
            return;
        }
        let shared = Arc::clone(self);
        let builder = thread::Builder::new().name(format!("{}-worker", self.app));
        match builder.stack_size(STACK_BYTES).spawn(move || shared.run()) {
            // One that ended by itself before is let go of.
            Ok(thread) => (state.running, state.thread) = (true, Some(thread)),
            Err(error) => tracing::error!(app = %self.app, %error, "no thread for the worker"),
        }
    }

    fn run(&self) {
        let mut duties = std::mem::take(&mut self.state().duties);
        let attended = catch_unwind(AssertUnwindSafe(|| self.attend(&mut duties)));
        match attended {
            // It is as if nobody was there: the next ring starts another.
            Ok(mut state) => (state.duties, state.running) = (duties, false),
            // A fault of ours: what it left behind is not trusted.
            Err(_) => tracing::error!(app = %self.app, "internal error: the worker panicked"),
        }
    }

    /// Attends to all duties until there is nothing to do for long.
    fn attend(&self, duties: &mut [Box<dyn Duty>]) -> MutexGuard<'_, State> {
        loop {
            self.state().rung = false;
            let turn = Turn(self);
            let next = duties.iter_mut().map(|duty| duty.attend(&turn));
            let next = next.fold(Next::Idle, Next::or);
            let (patience, is_idle) = match next {
                Next::Again => (Duration::ZERO, false),
                Next::After(time) => (time, false),
                Next::Idle => (IDLE_AFTER, true),
            };
            let state = self.state();
            let waited = self
                .bell
                .wait_timeout_while(state, patience, |state| !state.rung && !state.stopping);
            let (state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            if state.stopping || (is_idle && timeout.timed_out()) {
                return state;
            }
        }
    }
}
