//! Webhooks: events that are sent to addresses outside, at least once, in order for
//! each. Here is what they are, and in which order what is sent; who sends is above.
//!
//! How far a webhook has come is a row, which moves by entries, so it is as durable as
//! everything else. It moves some time after the deliveries, for many at once: what was
//! delivered since is delivered again after a crash.

mod address;
mod course;
mod standing;
mod targets;
#[cfg(test)]
mod tests;

use std::time::Duration;

use tokio::sync::watch;

pub use self::address::{Address, Host};
pub use self::course::{Course, Failed, Next, Parcel};
pub use self::standing::{WebhookInfo, WebhookList, WebhookTrouble};
pub use self::targets::{NotAllowed, Targets};

pub(super) use self::standing::Standings;

use super::reactions::change_set;
use super::{App, Error, Existed, suggest};
use crate::events::{Filter, Webhook};
use crate::lane::reactions::{Addressee, letters, letters_in, letters_of};
use crate::lane::{Expected, Prepared};
use crate::receipts::Receipt;
use crate::record::{Act, Verdict};
use crate::snapshot::Snapshot;
use crate::value::{ChangeSet, Key, Lifecycle, Name, Position, TableChanges, Value};

/// Webhooks of one app, at most: each may hold a connection.
const WEBHOOKS_MAX: usize = 100;
/// The longest pause before another attempt.
const PAUSE_MAX: Duration = Duration::from_secs(3600);

/// What webhooks may do.
#[derive(Debug, Clone)]
pub struct WebhookSettings {
    /// Where they may send.
    pub targets: Targets,
    /// How long a target may take, from looking up its name to its answer.
    pub timeout: Duration,
    /// How often an event is sent again before it becomes a dead letter.
    pub retries: u32,
    /// How long it is waited before the first of these attempts; twice as long before
    /// each further one, one hour at most.
    pub pause: Duration,
}

impl Default for WebhookSettings {
    /// Nowhere. Ten retries take 17 minutes: a target may be started again meanwhile.
    fn default() -> Self {
        let (timeout, pause) = (Duration::from_secs(10), Duration::from_secs(1));
        Self { targets: Targets::default(), timeout, retries: 10, pause }
    }
}

impl WebhookSettings {
    /// How long to wait after so many attempts have failed, if the target asks for
    /// `at_least`.
    fn pause(&self, attempts: u32, at_least: Option<Duration>) -> Duration {
        let times = 2_u32.saturating_pow(attempts.saturating_sub(1));
        let pause = self.pause.saturating_mul(times);
        pause.max(at_least.unwrap_or_default()).min(PAUSE_MAX)
    }
}

/// Rings when an operator has changed webhooks or their letters, or an app was opened.
#[derive(Debug)]
pub(super) struct Bell(watch::Sender<()>);

impl Bell {
    pub(super) fn new() -> Self {
        Self(watch::channel(()).0)
    }

    pub(super) fn ring(&self) {
        self.0.send_replace(());
    }

    pub(super) fn listen(&self) -> watch::Receiver<()> {
        self.0.subscribe()
    }
}

/// Where a webhook is to begin, or to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whence {
    /// With the next event.
    Now,
    /// With the first event that is kept.
    Start,
    /// After this one.
    After(Position),
}

/// What is to be changed of a webhook that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Nothing is sent until it is resumed.
    Pause,
    /// What was not sent meanwhile is sent.
    Resume,
}

impl App {
    /// Makes a webhook, or changes the one of that name: its address and filter, and
    /// where it is if `from` says so. A new one begins with the next event, unless `from`
    /// says otherwise.
    ///
    /// # Errors
    /// [`Error::WebhookUrl`], [`Error::TargetNotAllowed`], [`Error::EventAhead`],
    /// [`Error::EventsGone`], [`Error::TooManyWebhooks`], or what the lane refused.
    pub async fn put_webhook(
        &self,
        name: &Name,
        url: &str,
        filter: Filter,
        from: Option<Whence>,
    ) -> Result<(WebhookInfo, Existed), Error> {
        let to = Address::parse(url).map_err(Error::WebhookUrl)?;
        self.webhooks.targets.check(&to).map_err(Error::TargetNotAllowed)?;
        let position = match from {
            None => None,
            Some(Whence::Now) => Some(self.events().last()),
            Some(Whence::Start) => Some(Position(self.events().first().0.saturating_sub(1))),
            Some(Whence::After(position)) => {
                self.check_after(position)?;
                Some(position)
            }
        };
        let mut existed = Existed::No;
        let prepare = |found: Option<Webhook>| {
            existed = if found.is_some() { Existed::Yes } else { Existed::No };
            if found.is_none() && self.webhook_names().len() >= WEBHOOKS_MAX {
                return Err(Error::TooManyWebhooks { max: WEBHOOKS_MAX });
            }
            let before = found.as_ref().map(|found| found.position);
            let time_ms = self.clock.wall_ms();
            let placed = match &found {
                Some(found) if position.is_none() => found.placed,
                Some(found) => time_ms.max(found.placed + 1),
                None => time_ms,
            };
            Ok(Webhook {
                url: url.into(),
                filter: filter.clone(),
                position: position.or(before).unwrap_or(self.events().last()),
                is_paused: found.is_some_and(|found| found.is_paused),
                history: self.snapshots().history(),
                placed,
                time_ms,
            })
        };
        self.change_webhook(name, prepare).await?;
        if position.is_some() {
            // What was said of it was about another place.
            self.deliveries.forget(name);
        }
        Ok((self.webhook(name.as_str())?, existed))
    }

    /// Stops a webhook for a while, or has it go on.
    ///
    /// # Errors
    /// [`Error::UnknownWebhook`], or what the lane refused.
    pub async fn turn_webhook(&self, name: &Name, turn: Turn) -> Result<WebhookInfo, Error> {
        let (is_paused, history) = (turn == Turn::Pause, self.snapshots().history());
        let prepare = |found: Option<Webhook>| {
            let found = found.ok_or_else(|| self.unknown_webhook(name.as_str()))?;
            Ok(Webhook { is_paused, history, time_ms: self.clock.wall_ms(), ..found })
        };
        self.change_webhook(name, prepare).await?;
        self.webhook(name.as_str())
    }

    /// Removes a webhook, and its dead letters.
    ///
    /// # Errors
    /// [`Error::UnknownWebhook`], or what the lane refused.
    pub async fn remove_webhook(&self, name: &Name) -> Result<Receipt, Error> {
        let prepare = || {
            let snapshot = self.snapshots().current();
            let (webhook, row) = self.known_webhook(&snapshot, name.as_str())?;
            let key = Key::new(name.as_str())?;
            let of = Addressee::Webhook(name.clone());
            let left = letters_in(&snapshot.state, &letters_of(&of));
            let left = left.filter_map(|(key, ..)| Some((Key::new(key).ok()?, None)));
            let changes = change_set([
                (letters(), left.collect()),
                (Webhook::table(), vec![(key.clone(), None)]),
            ]);
            let expected = vec![Expected { table: Webhook::table(), key, value: Some(row) }];
            let (from, to) = (webhook.position, webhook.position);
            let worker = format!("webhook/{name}").into();
            Ok((Act::Advance { worker, from, to }, Prepared { expected, changes }))
        };
        let receipt = self.enter_prepared(prepare).await?;
        self.gates.webhooks.ring();
        Ok(receipt)
    }

    /// What webhooks may do.
    #[must_use]
    pub fn webhook_settings(&self) -> &WebhookSettings {
        &self.webhooks
    }

    /// The names of all webhooks.
    #[must_use]
    pub fn webhook_names(&self) -> Vec<Name> {
        Webhook::names(&self.snapshots().current().state).collect()
    }

    pub(super) fn known_webhook(
        &self,
        snapshot: &Snapshot,
        name: &str,
    ) -> Result<(Webhook, Value), Error> {
        let found = Webhook::find(&snapshot.state, name)?;
        found.ok_or_else(|| self.unknown_webhook(name))
    }

    /// Changes a webhook from what it is; again, if it was another by then.
    async fn change_webhook(
        &self,
        name: &Name,
        mut decide: impl FnMut(Option<Webhook>) -> Result<Webhook, Error>,
    ) -> Result<(), Error> {
        let prepare = || {
            let found = Webhook::find(&self.snapshots().current().state, name.as_str());
            // One that cannot be understood can be put anew.
            let (found, row) = match found {
                Ok(found) => found.unzip(),
                Err(_) => (None, self.row_of_webhook(name)),
            };
            let from = found.as_ref().map(|found| found.position);
            let webhook = decide(found)?;
            let to = webhook.position;
            let prepared = moved(name, row, &webhook, Vec::new())?;
            let worker = format!("webhook/{name}").into();
            Ok((Act::Advance { worker, from: from.unwrap_or(to), to }, prepared))
        };
        let receipt = self.enter_prepared(prepare).await?;
        self.gates.webhooks.ring();
        match receipt.outcome.as_ref().map(|outcome| &outcome.verdict) {
            Some(Verdict::Succeeded(_)) => Ok(()),
            _ => Err(Error::Busy { what: "changes of one webhook" }),
        }
    }

    fn row_of_webhook(&self, name: &Name) -> Option<Value> {
        let snapshot = self.snapshots().current();
        let row = snapshot.state.table(Webhook::table().as_str())?.get(name.as_str())?;
        Some(row.to_owned())
    }

    fn unknown_webhook(&self, name: &str) -> Error {
        let names = self.webhook_names();
        let suggestion = suggest(name, names.iter().map(Name::as_str));
        Error::UnknownWebhook { app: self.name().clone(), name: name.to_owned(), suggestion }
    }
}

/// A letter's key, what it was, and what it becomes.
struct Changed {
    key: Key,
    before: Option<Value>,
    after: Option<Value>,
}

/// The row of a webhook in place of what it was, and some of its letters.
fn moved(
    name: &Name,
    before: Option<Value>,
    after: &Webhook,
    changed: Vec<Changed>,
) -> Result<Prepared, Error> {
    let key = Key::new(name.as_str())?;
    let table = Webhook::table();
    let mut expected = vec![Expected { table: table.clone(), key: key.clone(), value: before }];
    let lifecycle = Lifecycle::Created;
    let own = TableChanges { table, lifecycle, rows: vec![(key, Some(after.row()))] };
    let mut rows = Vec::new();
    for Changed { key, before, after } in changed {
        expected.push(Expected { table: letters(), key: key.clone(), value: before });
        rows.push((key, after));
    }
    // In the order of their names.
    let left = TableChanges { table: letters(), lifecycle: Lifecycle::Created, rows };
    Ok(Prepared { expected, changes: ChangeSet { tables: vec![left, own] } })
}
