//! What is done beside the lane of an app, because it would hold up commands: tables
//! are built from events, above all. Each thing to do is a [`Duty`], with a thread of
//! its own, so that none holds up another; the thread is there while there is something
//! to do and ends when there is not.
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
    /// What is done, in a word or two.
    fn name(&self) -> &'static str;

    /// Whether a state has something for it, now or later. Asked whenever something is
    /// published while no thread is there, by the lane: it reads next to nothing.
    fn is_wanted(&self, snapshot: &Snapshot) -> bool;

    /// Does some of what is due, and says when there is more. Looks at
    /// [`Turn::is_over`] between one call of a handler and the next.
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
pub struct Turn<'a>(&'a Post);

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
pub struct Worker(Arc<[Arc<Post>]>);

/// A duty, and the thread that attends to it.
#[derive(Debug)]
struct Post {
    app: Name,
    name: &'static str,
    lane: Lane,
    clock: Clock,
    /// Held for a few moves; never while the duty is attended to.
    state: Mutex<State>,
    bell: Condvar,
}

#[derive(Debug)]
struct State {
    /// Something was published that the duty has not looked at.
    rung: bool,
    stopping: bool,
    desk: Desk,
    thread: Option<JoinHandle<()>>,
}

/// Where a duty is.
#[derive(Debug)]
enum Desk {
    /// No thread is there.
    Free(Box<dyn Duty>),
    /// A thread is there, which has it or is about to take it.
    Taken(Option<Box<dyn Duty>>),
    /// The thread has panicked, and the duty is gone.
    Broken,
}

impl Worker {
    /// A worker that attends to these duties whenever the lane has published something.
    #[must_use]
    pub fn start(app: &Name, lane: &Lane, clock: &Clock, duties: Vec<Box<dyn Duty>>) -> Self {
        let posts = duties.into_iter().map(|duty| {
            let (name, desk) = (duty.name(), Desk::Free(duty));
            let state = State { rung: false, stopping: false, desk, thread: None };
            let (state, bell) = (Mutex::new(state), Condvar::new());
            let (app, lane, clock) = (app.clone(), lane.clone(), clock.clone());
            Arc::new(Post { app, name, lane, clock, state, bell })
        });
        let posts: Arc<[Arc<Post>]> = posts.collect();
        let weak: Weak<[Arc<Post>]> = Arc::downgrade(&posts);
        lane.when_published(move || {
            for post in weak.upgrade().iter().flat_map(|posts| posts.iter()) {
                post.ring();
            }
        });
        // What was left over when the app was closed.
        posts.iter().for_each(Post::ring);
        Self(posts)
    }

    /// What is not done any more because of a fault of the server's own, for people.
    #[must_use]
    pub fn faults(&self) -> Vec<String> {
        let broken = self.0.iter().filter(|post| matches!(post.state().desk, Desk::Broken));
        let said = broken.map(|post| {
            format!(
                "an internal error ended the {}: they stand still until the server is \
                 started again; please report what its log says",
                post.name
            )
        });
        said.collect()
    }

    /// Ends the threads, and waits for them: for one call of a handler each, at most.
    pub fn stop(&self) {
        let threads: Vec<_> = self.0.iter().map(|post| post.end()).collect();
        for (post, thread) in self.0.iter().zip(threads) {
            if thread.is_some_and(|thread| thread.join().is_err()) {
                tracing::error!(app = %post.app, "internal error: the worker panicked");
            }
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Post {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something was published.
    fn ring(self: &Arc<Self>) {
        let mut state = self.state();
        state.rung = true;
        let Desk::Free(duty) = &state.desk else {
            drop(state);
            return self.bell.notify_all();
        };
        let snapshot = self.lane.snapshots().current();
        if state.stopping || !duty.is_wanted(&snapshot) {
            return;
        }
        let post = Arc::clone(self);
        let builder = thread::Builder::new().name(format!("{}-{}", self.app, self.name));
        match builder.stack_size(STACK_BYTES).spawn(move || post.run()) {
            // One that ended by itself before is let go of.
            Ok(thread) => {
                state.thread = Some(thread);
                state.desk = match std::mem::replace(&mut state.desk, Desk::Broken) {
                    Desk::Free(duty) => Desk::Taken(Some(duty)),
                    other => other,
                };
            }
            Err(error) => {
                let name = self.name;
                tracing::error!(app = %self.app, name, %error, "no thread for the worker");
            }
        }
    }

    fn run(&self) {
        let duty = match &mut self.state().desk {
            Desk::Taken(duty) => duty.take(),
            Desk::Free(_) | Desk::Broken => None,
        };
        let Some(mut duty) = duty else { return };
        let attended = catch_unwind(AssertUnwindSafe(|| self.attend(&mut *duty)));
        match attended {
            // It is as if nobody was there: the next ring starts another.
            Ok(mut state) => state.desk = Desk::Free(duty),
            // What it left behind is not trusted.
            Err(_) => {
                let name = self.name;
                tracing::error!(app = %self.app, name, "internal error: the worker panicked");
                self.state().desk = Desk::Broken;
            }
        }
    }

    /// Attends to the duty until there is nothing to do for long.
    fn attend(&self, duty: &mut dyn Duty) -> MutexGuard<'_, State> {
        loop {
            self.state().rung = false;
            let (patience, is_idle) = match duty.attend(&Turn(self)) {
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

    fn end(&self) -> Option<JoinHandle<()>> {
        let mut state = self.state();
        state.stopping = true;
        self.bell.notify_all();
        state.thread.take()
    }
}
