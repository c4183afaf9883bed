//! Having reactions react: each in the order of events, some at a time.
//!
//! What a reaction came to enters the lane as one entry: the commands as timers that
//! are due at once, and how far it has come ([`reactions`](crate::lane::reactions)). So
//! each event is handled with effect exactly once, through any crash, and whatever is
//! kept here may be lost: which attempts failed, and when the next is due.
//!
//! An event that fails is tried again, and those behind it wait. Then it is left behind
//! as a dead letter; events about the same subject wait behind that, others go on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use uuid::Uuid;

use super::letters::Letters;
use super::step::{Failed, Step};
use super::{ReactionSettings, Trouble};
use crate::catalog::Deployed;
use crate::clock::Clock;
use crate::engine::gates::Gates;
use crate::events::{self, Filter, Limits};
use crate::lane::reactions::{Cursor, Letter, LetterState, cursor, letter};
use crate::lane::{Flight, Lane, Submission, Ticket};
use crate::record::Act;
use crate::snapshot::Snapshot;
use crate::state::Order;
use crate::transaction::timers::{TIMERS_MAX, timer_count};
use crate::value::{Hash, Name, Position, StoredEvent, Value, chain_of};
use crate::worker::{Duty, Next, Turn};

/// Events of one step. Each step is an entry.
const STEP_EVENTS: usize = 64;
/// Events that are looked at for one step.
const STEP_SCANNED: usize = 10_000;
/// For how long handlers run for one step, but for the one that is at it: other
/// reactions have their turn as well.
const STEP_TIME: Duration = Duration::from_millis(100);
/// How long to wait when the lane, or the disk, takes nothing at the moment.
const BUSY_WAIT: Duration = Duration::from_millis(50);
/// How long to wait when the app has as many timers as it may have.
const FULL_WAIT: Duration = Duration::from_secs(1);
/// Letters of one reaction that wait behind others; beyond it the reaction stops.
pub(in crate::engine) const WAITING_MAX: usize = 1_000;
/// Dead letters of one reaction; beyond it the reaction stops.
pub(in crate::engine) const DEAD_MAX: usize = 10_000;

/// Whether a letter is one no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Handled {
    Yes,
    No,
}

/// Calls the reactions of an app.
#[derive(Debug)]
pub struct Reactor {
    lane: Lane,
    clock: Clock,
    gates: Arc<Gates>,
    settings: ReactionSettings,
    /// Held while reactions run: one at a time.
    courses: Mutex<BTreeMap<Name, Course>>,
    /// Held for a moment.
    troubles: Mutex<BTreeMap<Name, Trouble>>,
}

/// What is known of a reaction that can be found out again.
#[derive(Debug, Default)]
struct Course {
    /// The version that what follows is about.
    hash: Option<Hash>,
    /// The last event of which it is known that nothing is to be done with it.
    seen: Position,
    flight: Option<Arc<Flight>>,
    letters: Letters,
    tried: BTreeMap<Position, Tried>,
    /// What keeps it from going on.
    trouble: Option<Trouble>,
}

/// Attempts at an event that failed.
#[derive(Debug)]
struct Tried {
    attempts: u32,
    first_ms: u64,
    /// By the clock that only goes on.
    again_at: Duration,
}

impl Reactor {
    pub(in crate::engine) fn new(
        lane: Lane,
        clock: Clock,
        gates: Arc<Gates>,
        settings: ReactionSettings,
    ) -> Self {
        let (courses, troubles) = (Mutex::default(), Mutex::default());
        Self { lane, clock, gates, settings, courses, troubles }
    }

    /// Handles some events of each reaction, and says when to come again. Runs handlers,
    /// until it is over: the calling thread has to have a stack of 4 MiB or more.
    pub fn react(&self, is_over: &dyn Fn() -> bool) -> Next {
        let mut courses = self.courses.lock().unwrap_or_else(PoisonError::into_inner);
        let catalog = Arc::clone(&self.lane.snapshots().current().catalog);
        courses.retain(|name, _| catalog.reaction(name.as_str()).is_some());
        self.troubles().retain(|name, _| catalog.reaction(name.as_str()).is_some());
        let mut next = Next::Idle;
        for (name, _) in catalog.reactions() {
            if is_over() {
                break;
            }
            let course = courses.entry(name.clone()).or_default();
            next = next.or(self.step(name, course, is_over));
            match course.trouble.clone() {
                Some(trouble) => drop(self.troubles().insert(name.clone(), trouble)),
                None => drop(self.troubles().remove(name)),
            }
        }
        next
    }

    /// What keeps a reaction from going on.
    pub(super) fn trouble(&self, reaction: &Name) -> Option<Trouble> {
        self.troubles().get(reaction).cloned()
    }

    fn troubles(&self) -> MutexGuard<'_, BTreeMap<Name, Trouble>> {
        self.troubles.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn step(&self, name: &Name, course: &mut Course, is_over: &dyn Fn() -> bool) -> Next {
        if course.flight.as_ref().is_some_and(|flight| flight.answer().is_none()) {
            return Next::Idle;
        }
        course.flight = None;
        // After the answer: what was answered is in it.
        let snapshot = self.lane.snapshots().current();
        let deployed = snapshot.catalog.reaction(name.as_str());
        let found = cursor(&snapshot.state, name.as_str());
        let (Some(deployed), Some((cursor, row))) = (deployed, found) else {
            return Next::Idle;
        };
        if course.hash != Some(deployed.hash()) {
            // Another version may be on other events.
            *course = Course { hash: Some(deployed.hash()), ..Course::default() };
        }
        course.letters.refresh(&snapshot.state, name);
        course.trouble = None;
        // Before handlers run: what they come to would not be taken.
        if self.lane.has_room().is_err() || self.gates.room.check().is_err() {
            return Next::After(BUSY_WAIT);
        }
        if timer_count(&snapshot.state) >= TIMERS_MAX {
            let why = format!("the app has {TIMERS_MAX} timers, as many as it may have");
            course.trouble = Some(Trouble::standing(Position(cursor.position.0 + 1), why));
            return Next::After(FULL_WAIT);
        }
        let until = self.clock.elapsed() + STEP_TIME;
        let is_over = || is_over() || self.clock.elapsed() >= until;
        let (snapshot, cursor, row) = (&snapshot, &cursor, &row);
        let at = At { name, snapshot, deployed, cursor, row, is_over: &is_over };
        match self.letters(&at, course) {
            Next::Again => Next::Again,
            later => later.or(self.events(&at, course)),
        }
    }

    /// Handles the events behind the cursor.
    fn events(&self, at: &At<'_>, course: &mut Course) -> Next {
        let Some(reaction) = at.deployed.manifest().reactions.get(at.name) else {
            return Next::Idle;
        };
        let from = Position(at.cursor.position.max(course.seen).0 + 1);
        let filter = Filter { types: reaction.on.clone(), subject: None };
        let limits = Limits { scanned: STEP_SCANNED, ..Limits::of(STEP_EVENTS) };
        // No further than the state in which they are handled: what it says of an event
        // has to be there.
        let end = at.snapshot.state.position();
        if from > end {
            return Next::Idle;
        }
        let page = match self.lane.events().page(from, Order::Ascending, &filter, limits) {
            Ok(page) => page,
            Err(error) => return self.unreadable(at.name, &error),
        };
        let mut step = Step::new(&self.lane, at.snapshot, at.cursor.since);
        let visible = page.events.partition_point(|event| event.position <= end);
        let mut next = match page.next {
            Some(_) if visible == page.events.len() => Next::Again,
            // What is not visible yet will be published.
            _ => Next::Idle,
        };
        for event in page.events.iter().take(visible) {
            // One is handled in any case: a step goes on.
            let is_late = step.to > Position(0) && (at.is_over)();
            if step.is_full() || is_late {
                next = Next::Again;
                break;
            }
            if let Err(later) = self.event(at, course, &mut step, event) {
                next = later;
                break;
            }
            step.to = event.position;
        }
        if step.to > Position(0) {
            let to = step.to;
            step.advance(at.name, at.cursor, at.row, to);
            return self.submit(at.name, course, step, at.cursor.position, to);
        }
        if page.events.is_empty() {
            let seen = page.next.map_or(page.at, |next| Position(next.0.saturating_sub(1)));
            course.seen = seen.min(end);
        }
        next
    }

    /// Adds what comes of one event; or when to try again, with nothing added.
    fn event(
        &self,
        at: &At<'_>,
        course: &mut Course,
        step: &mut Step<'_>,
        event: &StoredEventRef,
    ) -> Result<(), Next> {
        let subject = event.subject.as_ref();
        if subject.is_some_and(|subject| course.letters.blocks(subject)) {
            if course.letters.waiting() >= WAITING_MAX {
                return Err(course.parked(event, "too many events wait behind dead letters"));
            }
            let now_ms = self.clock.wall_ms();
            step.wait(at.name, event, now_ms);
            course.letters.add(event.subject.as_ref(), LetterState::Waiting);
            return Ok(());
        }
        let Err(failed) = self.attempt(at, course, step, event)? else {
            course.tried.remove(&event.position);
            return Ok(());
        };
        if course.letters.dead() >= DEAD_MAX {
            return Err(course.parked(event, "it has too many dead letters"));
        }
        self.bury(at, course, step, event, &failed, 0);
        Ok(())
    }

    /// Handles letters whose turn has come.
    fn letters(&self, at: &At<'_>, course: &mut Course) -> Next {
        let mut step = Step::new(&self.lane, at.snapshot, at.cursor.since);
        let (mut next, mut held, mut span) = (Next::Idle, BTreeSet::new(), None);
        let mut is_first = true;
        for position in course.letters.ready().iter().copied().take(STEP_EVENTS).collect::<Vec<_>>()
        {
            let Some((letter, row)) = letter(&at.snapshot.state, at.name, position) else {
                continue;
            };
            let subject = letter.subject.clone();
            if subject.as_ref().is_some_and(|subject| held.contains(subject)) {
                continue;
            }
            // One is handled in any case, whatever comes of it.
            if step.is_full() || (!is_first && (at.is_over)()) {
                next = next.or(Next::After(Duration::ZERO));
                break;
            }
            is_first = false;
            match self.letter(at, course, &mut step, position, &letter, &row) {
                Ok(Handled::Yes) => {}
                Ok(Handled::No) => held.extend(subject),
                Err(later) => {
                    next = next.or(later);
                    held.extend(subject);
                    continue;
                }
            }
            span = Some((span.map_or(position, |(from, _)| from), position));
        }
        match span {
            Some((from, to)) => self.submit(at.name, course, step, from, to),
            None => next,
        }
    }

    /// Adds what comes of one letter; or when to try again, with nothing added.
    fn letter(
        &self,
        at: &At<'_>,
        course: &mut Course,
        step: &mut Step<'_>,
        position: Position,
        letter: &Letter,
        row: &Value,
    ) -> Result<Handled, Next> {
        let event = self.lane.events().event(position);
        let Some(event) = event.map_err(|error| self.unreadable(at.name, &error))? else {
            step.gone(at.name, position, letter, row);
            return Ok(Handled::No);
        };
        match self.attempt(at, course, step, &event)? {
            Ok(()) => {
                course.tried.remove(&position);
                step.handled(at.name, position, row);
                Ok(Handled::Yes)
            }
            Err(failed) => {
                self.bury(at, course, step, &event, &failed, letter.attempts);
                step.expect_letter(at.name, position, row);
                Ok(Handled::No)
            }
        }
    }

    /// Has the reaction handle an event: what it came to is in the step, or why it is
    /// not to be tried again. The error is when to try again.
    fn attempt(
        &self,
        at: &At<'_>,
        course: &mut Course,
        step: &mut Step<'_>,
        event: &StoredEventRef,
    ) -> Result<Result<(), Failed>, Next> {
        let now = self.clock.elapsed();
        let before = course.tried.get(&event.position);
        if let Some(tried) = before.filter(|tried| tried.again_at > now) {
            let wait = tried.again_at.saturating_sub(now);
            let attempts = tried.attempts;
            course.trouble = Some(Trouble::retrying(event.position, attempts));
            return Err(Next::After(wait));
        }
        match step.react(at.name, at.deployed, event) {
            Ok(()) => Ok(Ok(())),
            Err(Failed::Host(reason)) => {
                tracing::warn!(reaction = %at.name, reason, "cannot react; trying again");
                Err(Next::After(BUSY_WAIT))
            }
            Err(failed) => {
                let attempts = before.map_or(0, |tried| tried.attempts) + 1;
                let first_ms = before.map_or_else(|| self.clock.wall_ms(), |tried| tried.first_ms);
                let wait = self.settings.pause(attempts);
                let tried = Tried { attempts, first_ms, again_at: now + wait };
                course.tried.insert(event.position, tried);
                if failed.is_permanent() || attempts > self.settings.retries {
                    return Ok(Err(failed));
                }
                course.trouble = Some(Trouble::retrying(event.position, attempts));
                Err(Next::After(wait))
            }
        }
    }

    /// Leaves an event behind as a dead letter.
    fn bury(
        &self,
        at: &At<'_>,
        course: &mut Course,
        step: &mut Step<'_>,
        event: &StoredEventRef,
        failed: &Failed,
        attempts_before: u32,
    ) {
        let now_ms = self.clock.wall_ms();
        let tried = course.tried.remove(&event.position);
        let first_ms = tried.as_ref().map_or(now_ms, |tried| tried.first_ms);
        let attempts = attempts_before + tried.map_or(1, |tried| tried.attempts);
        let (reaction, position) = (at.name, event.position);
        let (code, message) = failed.said();
        tracing::warn!(%reaction, %position, %code, %message, "a dead letter");
        step.bury(at.name, event, failed, attempts, first_ms, now_ms);
        course.letters.add(event.subject.as_ref(), LetterState::Dead);
    }

    fn submit(
        &self,
        name: &Name,
        course: &mut Course,
        step: Step<'_>,
        from: Position,
        to: Position,
    ) -> Next {
        let id = Uuid::now_v7();
        let submitted = self.lane.submit(Submission {
            id,
            windowed: false,
            fingerprint: Hash::of(id.as_bytes()),
            act: Act::Advance { worker: format!("reaction/{name}").into(), from, to },
            admitted: None,
            keep: None,
            prepared: Some(step.finish()),
        });
        // What was noted of letters is so only when the entry is executed.
        course.letters.forget();
        match submitted {
            Ok(Ticket::Flying { flight, .. }) => {
                course.flight = Some(flight);
                Next::Again
            }
            Ok(Ticket::Settled(_)) | Err(_) => Next::After(BUSY_WAIT),
        }
    }

    fn unreadable(&self, name: &Name, error: &events::Error) -> Next {
        let error = chain_of(error);
        tracing::error!(reaction = %name, error, "events cannot be read; trying again");
        Next::After(Duration::from_secs(1))
    }
}

impl Duty for Arc<Reactor> {
    fn name(&self) -> &'static str {
        "reactions"
    }

    fn is_wanted(&self, snapshot: &Snapshot) -> bool {
        snapshot.catalog.reactions().next().is_some()
    }

    fn attend(&mut self, turn: &Turn<'_>) -> Next {
        self.react(&|| turn.is_over())
    }
}

/// Where a reaction is.
struct At<'a> {
    name: &'a Name,
    snapshot: &'a Snapshot,
    deployed: &'a Deployed,
    cursor: &'a Cursor,
    row: &'a Value,
    /// Whether the step is to end.
    is_over: &'a dyn Fn() -> bool,
}

type StoredEventRef = Arc<StoredEvent>;

impl Course {
    /// Stands still before an event, until something changes.
    fn parked(&mut self, event: &StoredEvent, why: &str) -> Next {
        let why = format!("{why}; retry or drop some");
        self.trouble = Some(Trouble::standing(event.position, why));
        Next::Idle
    }
}
