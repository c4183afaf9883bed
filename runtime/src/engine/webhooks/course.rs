//! What one webhook sends next, and what becomes of that.
//!
//! Letters whose turn has come are sent before events; an event about a subject of which
//! a letter is left waits behind it, as for a reaction. What was delivered is kept here
//! for a moment, and goes to disk together.

mod unsaved;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use self::unsaved::Unsaved;
use super::super::reactions::letters::Letters;
use super::super::reactions::reactor::{DEAD_MAX, WAITING_MAX};
use super::standing::Standing;
use super::{Address, WebhookTrouble, moved};
use crate::engine::{App, Error};
use crate::events::{Filter, Limits, Webhook};
use crate::lane::reactions::{Addressee, Letter, LetterState, letter};
use crate::record::{Act, Verdict};
use crate::snapshot::Snapshot;
use crate::value::{Name, Position, StoredEvent, Value, chain_of};

/// Events that are not wanted after which the place is saved though nothing was sent: so
/// that the place is not left behind by what is kept.
const SAVED_AFTER_UNWANTED: u64 = 10_000;
/// What one webhook holds in memory of what it is to send.
const LIMITS: Limits = Limits { events: 64, bytes: 1 << 20, scanned: 4096 };
/// How long to wait when the lane, or the disk, takes nothing at the moment.
const BUSY_WAIT: Duration = Duration::from_secs(1);

/// What is to be done for a webhook.
#[derive(Debug)]
pub enum Next {
    /// To send this, and to say what [became of it](Course::sent).
    Send(Parcel),
    /// To wait until there is an event after this one, so much time has passed, or the
    /// bell rings.
    Wait {
        /// The event.
        beyond: Position,
        /// The time; none if it does not matter.
        at_most: Option<Duration>,
    },
    /// Nothing any more: there is no such webhook.
    Gone,
}

/// An event on its way.
#[derive(Debug, Clone)]
pub struct Parcel {
    /// The event.
    pub event: Arc<StoredEvent>,
    /// Where it goes.
    pub to: Arc<Address>,
    /// The webhook as it was when it was sent.
    webhook: Webhook,
    /// The row, if it was left behind before.
    letter: Option<Value>,
}

/// Why an attempt at a delivery failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// For programs.
    pub code: &'static str,
    /// For people.
    pub reason: String,
    /// How long the target wants to be left alone.
    pub retry_after: Option<Duration>,
}

/// One webhook of an app, on its way through the events.
#[derive(Debug)]
pub struct Course {
    app: Arc<App>,
    name: Name,
    addressee: Addressee,
    /// The row's position, on which what is not saved builds.
    base: Position,
    /// Where somebody said that it begins: the row's mark of it.
    placed: u64,
    filter: Arc<Filter>,
    letters: Letters,
    tried: BTreeMap<Position, Tried>,
    /// Events that were read and not dealt with.
    ahead: VecDeque<Arc<StoredEvent>>,
    /// The last event that was read, or is not wanted.
    read: Position,
    unsaved: Unsaved,
}

/// Attempts at an event that failed.
#[derive(Debug)]
struct Tried {
    attempts: u32,
    first_ms: u64,
    last_ms: u64,
    failed: Failed,
    /// By the clock that only goes on.
    again_at: Duration,
    again_ms: u64,
}

/// Why nothing is sent at the moment.
#[derive(Debug)]
struct Still {
    beyond: Position,
    at_most: Option<Duration>,
    trouble: Option<WebhookTrouble>,
}

impl Course {
    /// The way of a webhook, from where its row is.
    #[must_use]
    pub fn new(app: Arc<App>, name: Name) -> Self {
        Self {
            app,
            addressee: Addressee::Webhook(name.clone()),
            name,
            base: Position(0),
            placed: 0,
            filter: Arc::default(),
            letters: Letters::default(),
            tried: BTreeMap::new(),
            ahead: VecDeque::new(),
            read: Position(0),
            unsaved: Unsaved::default(),
        }
    }

    /// The app.
    #[must_use]
    pub fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// The webhook's name.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// What to do next. Reads from the disk, and writes what is due.
    pub async fn next(&mut self) -> Next {
        let (next, trouble) = match self.look().await {
            Ok(Next::Send(parcel)) => {
                let trouble = self.retrying(parcel.event.position);
                (Next::Send(parcel), trouble)
            }
            Ok(next) => (next, None),
            Err(Still { beyond, at_most, trouble }) => (Next::Wait { beyond, at_most }, trouble),
        };
        self.app.deliveries.note(&self.name, Standing { seen: self.seen(), trouble });
        next
    }

    /// Whether something on its way is still to be delivered: not if the webhook was
    /// removed or changed meanwhile.
    #[must_use]
    pub fn still_wants(&self, parcel: &Parcel) -> bool {
        let snapshot = self.app.snapshots().current();
        let found = Webhook::find(&snapshot.state, self.name.as_str());
        let Ok(Some((found, _))) = found else { return false };
        Webhook { time_ms: parcel.webhook.time_ms, ..found } == parcel.webhook
    }

    /// Takes note of what became of something that was sent.
    pub fn sent(&mut self, parcel: &Parcel, became: Result<(), Failed>) {
        let position = parcel.event.position;
        let (now, now_ms) = (self.app.clock.elapsed(), self.app.clock.wall_ms());
        let Err(failed) = became else {
            self.tried.remove(&position);
            match &parcel.letter {
                Some(row) => self.unsaved.letter(position, Some(row.clone()), None, now),
                None => self.pass(),
            }
            return;
        };
        let before = self.tried.get(&position);
        let attempts = before.map_or(0, |tried| tried.attempts) + 1;
        let first_ms = before.map_or(now_ms, |tried| tried.first_ms);
        let pause = self.app.webhooks.pause(attempts, failed.retry_after);
        let (webhook, reason) = (&self.name, &failed.reason);
        tracing::debug!(%webhook, %position, attempts, reason, "not delivered");
        let again_ms = now_ms + u64::try_from(pause.as_millis()).unwrap_or(0);
        let (last_ms, again_at) = (now_ms, now + pause);
        let tried = Tried { attempts, first_ms, last_ms, failed, again_at, again_ms };
        self.tried.insert(position, tried);
    }

    /// Writes down how far it has come.
    ///
    /// # Errors
    /// What the lane refused, or that somebody has put the webhook elsewhere. What is
    /// not written down is sent again some time.
    pub async fn save(&mut self) -> Result<(), Error> {
        if self.unsaved.is_empty() && self.seen() <= self.base {
            return Ok(());
        }
        let (from, to, placed) = (self.base, self.seen(), self.placed);
        let moved_elsewhere = || Error::Busy { what: "changes of one webhook" };
        let prepare = || {
            let snapshot = self.app.snapshots().current();
            let (found, row) = self.app.known_webhook(&snapshot, self.name.as_str())?;
            if (found.position, found.placed) != (from, placed) {
                return Err(moved_elsewhere());
            }
            let webhook = Webhook { position: to, ..found };
            let prepared = moved(
                &self.name,
                Some(row),
                &webhook,
                self.unsaved.changed(&snapshot, &self.addressee),
            )?;
            let worker = format!("webhook/{}", self.name).into();
            Ok((Act::Advance { worker, from, to }, prepared))
        };
        let receipt = self.app.enter_prepared(prepare).await?;
        match receipt.outcome.as_ref().map(|outcome| &outcome.verdict) {
            Some(Verdict::Succeeded(_)) => {
                (self.base, self.unsaved) = (to, Unsaved::default());
                Ok(())
            }
            _ => Err(moved_elsewhere()),
        }
    }

    /// What is to be done now, if anything.
    async fn look(&mut self) -> Result<Next, Still> {
        let snapshot = self.app.snapshots().current();
        let webhook = match Webhook::find(&snapshot.state, self.name.as_str()) {
            Ok(Some((webhook, _))) => webhook,
            Ok(None) => return Ok(Next::Gone),
            Err(error) => return Err(self.stands(error.to_string())),
        };
        self.follow(&webhook);
        if self.is_due() {
            let saved = self.save().await;
            return Err(saved.map_or_else(|error| self.is_busy(&error), |()| self.again()));
        }
        if webhook.is_paused {
            return Err(Still { trouble: None, ..self.stands(String::new()) });
        }
        let to = self.may_send(&webhook).map_err(|reason| self.stands(reason))?;
        if self.letters.refresh(&snapshot.state, &self.addressee) {
            let unsaved = self.unsaved.left_behind();
            unsaved.for_each(|letter| self.letters.add(letter.subject.as_ref(), letter.state));
        }
        let mut still = Still { beyond: self.read, at_most: None, trouble: None };
        if let Some((event, row)) = self.ready_letter(&snapshot, &mut still).await? {
            return Ok(Next::Send(Parcel { event, to, webhook, letter: Some(row) }));
        }
        match self.ready_event(&mut still).await? {
            Some(event) => Ok(Next::Send(Parcel { event, to, webhook, letter: None })),
            None => Err(Still { beyond: self.read, ..self.until_due(still) }),
        }
    }

    /// The first letter whose turn has come.
    async fn ready_letter(
        &mut self,
        snapshot: &Snapshot,
        still: &mut Still,
    ) -> Result<Option<(Arc<StoredEvent>, Value)>, Still> {
        let mut held = BTreeSet::new();
        for position in self.letters.ready().to_vec() {
            let found = letter(&snapshot.state, &self.addressee, position);
            let Some((letter, row)) = found else { continue };
            if self.unsaved.has(position) {
                continue;
            }
            if letter.subject.as_ref().is_some_and(|subject| held.contains(subject)) {
                continue;
            }
            let is_exhausted = self.is_exhausted(position);
            if !is_exhausted && !self.is_time(position, still) {
                held.extend(letter.subject);
                continue;
            }
            let event = self.app.read_event(position).await;
            let event = event.map_err(|error| self.is_busy(&error))?;
            if let Some(event) = event.filter(|_| !is_exhausted) {
                return Ok(Some((event, row)));
            }
            let dead = self.dead(position, letter);
            self.unsaved.letter(position, Some(row), Some(dead), self.app.clock.elapsed());
            return Err(self.again());
        }
        Ok(None)
    }

    /// The next event, if its time has come.
    async fn ready_event(&mut self, still: &mut Still) -> Result<Option<Arc<StoredEvent>>, Still> {
        if self.ahead.is_empty() && self.read < self.app.events().last() {
            self.read_on().await?;
        }
        let Some(event) = self.ahead.front().cloned() else {
            let is_more = self.read < self.app.events().last();
            return if is_more { Err(self.again()) } else { Ok(None) };
        };
        let position = event.position;
        let is_blocked = |subject: &Arc<str>| self.letters.blocks(subject);
        let (state, is_full) = if event.subject.as_ref().is_some_and(is_blocked) {
            (LetterState::Waiting, self.letters.waiting() >= WAITING_MAX)
        } else if self.is_exhausted(position) {
            (LetterState::Dead, self.letters.dead() >= DEAD_MAX)
        } else {
            return Ok(self.is_time(position, still).then_some(event));
        };
        if is_full {
            let why = "it has as many dead letters, or events behind them, as it may have; retry \
                       or drop some";
            return Err(self.stands(why.to_owned()));
        }
        let letter = Letter::of(&event, LetterState::Waiting, self.app.clock.wall_ms());
        let letter = match state {
            LetterState::Waiting => letter,
            _ => self.dead(position, letter),
        };
        self.letters.add(letter.subject.as_ref(), letter.state);
        self.pass();
        self.unsaved.letter(position, None, Some(letter), self.app.clock.elapsed());
        Err(self.again())
    }

    async fn read_on(&mut self) -> Result<(), Still> {
        let from = Position(self.read.0 + 1);
        let page = self.app.read_on(from, &self.filter, LIMITS).await;
        let page = page.map_err(|error| self.is_busy(&error))?;
        if from < self.app.events().first() {
            // Some were forgotten meanwhile: nothing is passed over without a word.
            return Err(self.again());
        }
        self.read = page.next.map_or(page.at, |next| Position(next.0.saturating_sub(1)));
        self.ahead.extend(page.events);
        Ok(())
    }

    /// Goes where the row is, if somebody has put it elsewhere, and takes its filter.
    fn follow(&mut self, webhook: &Webhook) {
        if (webhook.position, webhook.placed) != (self.base, self.placed) {
            (self.base, self.read) = (webhook.position, webhook.position);
            self.placed = webhook.placed;
            self.ahead.clear();
            self.tried.clear();
            self.unsaved = Unsaved::default();
            self.letters.forget();
        }
        if webhook.filter != *self.filter {
            self.read = self.seen();
            self.ahead.clear();
            self.filter = Arc::new(webhook.filter.clone());
        }
    }

    /// Where to send to; or why nothing can be sent before somebody changes something.
    fn may_send(&self, webhook: &Webhook) -> Result<Arc<Address>, String> {
        if webhook.history != self.app.snapshots().history() {
            return Err("the app was restored from a backup, and what is sent outside might have \
                        been sent before, by another; resume it if it is to be sent from here"
                .to_owned());
        }
        let (seen, first) = (self.seen(), self.app.events().first());
        if seen.0 + 1 < first.0 {
            return Err(format!(
                "events after {seen} are not kept any more; put it with `from` to go on at {first}"
            ));
        }
        let to = Address::parse(&webhook.url)?;
        self.app.webhooks.targets.check(&to).map_err(|error| error.to_string())?;
        Ok(Arc::new(to))
    }

    /// The last event that is dealt with, or not wanted.
    fn seen(&self) -> Position {
        self.ahead.front().map_or(self.read, |next| Position(next.position.0.saturating_sub(1)))
    }

    /// Has dealt with the next event.
    fn pass(&mut self) {
        self.ahead.pop_front();
        self.unsaved.note(self.app.clock.elapsed());
    }

    fn is_exhausted(&self, position: Position) -> bool {
        let tried = self.tried.get(&position);
        tried.is_some_and(|tried| tried.attempts > self.app.webhooks.retries)
    }

    /// Whether an event may be sent now; if not, `still` says when.
    fn is_time(&self, position: Position, still: &mut Still) -> bool {
        let now = self.app.clock.elapsed();
        let Some(tried) = self.tried.get(&position).filter(|tried| tried.again_at > now) else {
            return true;
        };
        let wait = tried.again_at.saturating_sub(now);
        still.at_most = Some(still.at_most.map_or(wait, |other| other.min(wait)));
        still.trouble = self.retrying(position);
        false
    }

    fn retrying(&self, position: Position) -> Option<WebhookTrouble> {
        let Tried { attempts, failed, again_ms, .. } = self.tried.get(&position)?;
        let (attempts, reason) = (Some(*attempts), failed.reason.clone());
        Some(WebhookTrouble { position, attempts, reason, again_ms: Some(*again_ms) })
    }

    /// A letter that is tried no more.
    fn dead(&mut self, position: Position, letter: Letter) -> Letter {
        let Some(tried) = self.tried.remove(&position) else {
            let (code, message) = ("event-gone".into(), "the event is not kept any more".into());
            return Letter { state: LetterState::Dead, code, message, ..letter };
        };
        let (webhook, Failed { code, reason, .. }) = (&self.name, tried.failed);
        tracing::warn!(%webhook, %position, code, reason, "a dead letter");
        // When it began to wait is not when it was tried.
        let is_first = letter.attempts == 0;
        Letter {
            state: LetterState::Dead,
            code: code.into(),
            message: reason.into(),
            attempts: letter.attempts + tried.attempts,
            first_ms: if is_first { tried.first_ms } else { letter.first_ms },
            last_ms: tried.last_ms,
            ..letter
        }
    }

    fn is_due(&self) -> bool {
        let (seen, first) = (self.seen(), self.app.events().first());
        let unwanted = seen.0.saturating_sub(self.base.0);
        self.unsaved.left(self.app.clock.elapsed()).is_some_and(|left| left.is_zero())
            || unwanted >= SAVED_AFTER_UNWANTED
            || (unwanted > 0 && self.base.0 + 1 < first.0)
    }

    /// Not longer than until something has to be saved.
    fn until_due(&self, still: Still) -> Still {
        let at_most = match (still.at_most, self.unsaved.left(self.app.clock.elapsed())) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        Still { at_most, ..still }
    }

    /// Until somebody changes something.
    fn stands(&self, reason: String) -> Still {
        let position = Position(self.seen().0 + 1);
        let trouble = WebhookTrouble { position, attempts: None, reason, again_ms: None };
        let beyond = Position(u64::MAX);
        self.until_due(Still { beyond, at_most: None, trouble: Some(trouble) })
    }

    /// For a moment, because the lane or the disk does not do its part.
    fn is_busy(&self, error: &Error) -> Still {
        let (webhook, reason) = (&self.name, chain_of(error));
        match error {
            Error::Events(_) => tracing::error!(%webhook, reason, "events cannot be read"),
            _ => tracing::debug!(%webhook, reason, "what was delivered cannot be written down"),
        }
        let reason = format!("{reason}; tried again in a moment");
        Still { at_most: Some(BUSY_WAIT), ..self.stands(reason) }
    }

    /// Not at all.
    fn again(&self) -> Still {
        Still { beyond: self.read, at_most: Some(Duration::ZERO), trouble: None }
    }
}

impl Drop for Course {
    fn drop(&mut self) {
        self.app.deliveries.forget(&self.name);
    }
}
