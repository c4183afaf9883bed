//! The rows of reactions: how far each has come, and what it could not handle. What
//! webhooks could not deliver is among the latter.
//!
//! A deployment makes the row of a reaction that is new, so that it is as durable as the
//! deployment itself. From then on it moves with what the reaction came to, in one change
//! set. Rows of a reaction that no module declares any more stay: with the next module
//! that declares it, it goes on where it was.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::catalog::Deployed;
use crate::state::{Order, Range, State, ValueRef};
use crate::transaction::Transaction;
use crate::transaction::timers::create_tables;
use crate::value::{Key, Name, Position, Sequence, StoredEvent, Value};
use crate::wasm::Begin;

/// What tells the letters of webhooks from those of reactions.
const WEBHOOK: &str = "webhook:";

/// How far a reaction has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// The module that declared it last.
    pub module: Name,
    /// The last event that it has handled, or left behind as a dead letter.
    pub position: Position,
    /// The entry that deployed it first.
    pub since: Sequence,
}

/// Whom a letter was for. As text, it is how keys and addresses begin.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Addressee {
    /// A reaction: its name.
    Reaction(Name),
    /// A webhook: its name behind `webhook:`, which no name contains.
    Webhook(Name),
}

/// An event that a reaction could not handle, or has not handled because of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// How it is.
    pub state: LetterState,
    /// The event's id.
    pub event_id: Uuid,
    /// The event's type.
    pub event_type: Arc<str>,
    /// The event's subject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Arc<str>>,
    /// Why it could not be handled, for programs; empty while it waits.
    pub code: Arc<str>,
    /// The same for people.
    pub message: Arc<str>,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was tried first, or began to wait, in milliseconds since 1970.
    pub first_ms: u64,
    /// When it was tried last.
    pub last_ms: u64,
}

/// How a letter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LetterState {
    /// It is not tried again unless somebody asks.
    Dead,
    /// Somebody has asked that it is tried again.
    Retry,
    /// It comes after another about the same subject.
    Waiting,
}

#[derive(Serialize, Deserialize)]
struct CursorJson {
    module: String,
    position: u64,
    since: u64,
}

impl Addressee {
    /// Reads its text; none if it is none.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        match text.strip_prefix(WEBHOOK) {
            Some(name) => name.parse().ok().map(Self::Webhook),
            None => text.parse().ok().map(Self::Reaction),
        }
    }

    /// How people are told of it.
    #[must_use]
    pub fn told(&self) -> String {
        match self {
            Self::Reaction(name) => format!("reaction `{name}`"),
            Self::Webhook(name) => format!("webhook `{name}`"),
        }
    }
}

impl fmt::Display for Addressee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reaction(name) => write!(f, "{name}"),
            Self::Webhook(name) => write!(f, "{WEBHOOK}{name}"),
        }
    }
}

impl Cursor {
    /// The row as it is stored.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let Self { module, position, since } = self;
        to_value(&CursorJson { module: module.to_string(), position: position.0, since: since.0 })
    }

    fn of(value: ValueRef<'_>) -> Option<Self> {
        let json: CursorJson = parsed(value)?;
        let (position, since) = (Position(json.position), Sequence(json.since));
        Some(Self { module: json.module.parse().ok()?, position, since })
    }
}

impl Letter {
    /// A letter of an event that nobody has tried.
    #[must_use]
    pub fn of(event: &StoredEvent, state: LetterState, now_ms: u64) -> Self {
        Self {
            state,
            event_id: event.id,
            event_type: Arc::clone(&event.event_type),
            subject: event.subject.clone(),
            code: "".into(),
            message: "".into(),
            attempts: 0,
            first_ms: now_ms,
            last_ms: now_ms,
        }
    }

    /// The row as it is stored.
    #[must_use]
    pub fn to_value(&self) -> Value {
        to_value(self)
    }
}

impl LetterState {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dead => "dead",
            Self::Retry => "retry",
            Self::Waiting => "waiting",
        }
    }
}

/// Reaction to [`Cursor`].
#[must_use]
pub fn cursors() -> Name {
    Name::system("$reactions")
}

/// [`Addressee`] and position to [`Letter`].
#[must_use]
pub fn letters() -> Name {
    Name::system("$dead-letters")
}

/// The key of a reaction's cursor; none for what is no name.
#[must_use]
pub fn cursor_key(reaction: &Name) -> Option<Key> {
    Key::new(reaction.as_str()).ok()
}

/// The key of a letter; none for what is no name.
#[must_use]
pub fn letter_key(addressee: &impl fmt::Display, position: Position) -> Option<Key> {
    Key::new(&format!("{addressee}/{:020}", position.0)).ok()
}

/// Which letters are a reaction's, or a webhook's.
#[must_use]
pub fn letters_of(addressee: &(impl fmt::Display + ?Sized)) -> Range {
    Range::prefix(&format!("{addressee}/"))
}

/// How far a reaction has come, and the row that says so.
#[must_use]
pub fn cursor(state: &State, reaction: &str) -> Option<(Cursor, Value)> {
    let row = state.table(cursors().as_str())?.get(reaction)?;
    Some((Cursor::of(row)?, row.to_owned()))
}

/// All reactions that have a row, by name.
pub fn all_cursors(state: &State) -> impl Iterator<Item = (Name, Cursor)> + '_ {
    let table = state.table(cursors().as_str()).into_iter();
    let rows = table.flat_map(|table| table.scan(&Range::all(), Order::Ascending));
    rows.filter_map(|row| Some((row.key.parse().ok()?, Cursor::of(row.value)?)))
}

/// A letter, and the row that it is.
#[must_use]
pub fn letter(
    state: &State,
    addressee: &impl fmt::Display,
    position: Position,
) -> Option<(Letter, Value)> {
    let key = letter_key(addressee, position)?;
    let row = state.table(letters().as_str())?.get(key.as_str())?;
    Some((parsed(row)?, row.to_owned()))
}

/// Letters of a range of keys, each with its addressee and position, in order.
pub fn letters_in<'a>(
    state: &'a State,
    range: &Range,
) -> impl Iterator<Item = (&'a str, Addressee, Position, Letter)> + use<'a> {
    let range = range.clone();
    let table = state.table(letters().as_str()).into_iter();
    let rows = table.flat_map(move |table| table.scan(&range, Order::Ascending));
    rows.filter_map(|row| {
        let (addressee, position) = row.key.rsplit_once('/')?;
        let position = Position(position.parse().ok()?);
        Some((row.key, Addressee::of(addressee)?, position, parsed(row.value)?))
    })
}

/// Makes the rows of the reactions that are new with a module.
pub(super) fn stage_deploy(transaction: &mut Transaction, deployed: &Deployed) {
    let reactions = &deployed.manifest().reactions;
    if reactions.is_empty() {
        return;
    }
    // What is prepared beside the lane relies on them being there.
    create_tables(transaction);
    transaction.create_table(&cursors());
    transaction.create_table(&letters());
    for (name, reaction) in reactions {
        let before = cursor(transaction.base(), name.as_str()).map(|(cursor, _)| cursor);
        let (new, since) = (transaction.base().position(), transaction.sequence());
        let position = match reaction.from {
            Begin::Now => new,
            Begin::Start => Position(0),
        };
        let new = Cursor { module: deployed.name.clone(), position, since };
        let row = before.map_or(new, |before| Cursor { module: deployed.name.clone(), ..before });
        if let Some(key) = cursor_key(name) {
            transaction.put_system(&cursors(), key, row.to_value());
        }
    }
}

fn to_value(row: &impl Serialize) -> Value {
    // Names, numbers and texts serialise.
    Value::Json(serde_json::to_string(row).unwrap_or_default().into())
}

fn parsed<'a, T: Deserialize<'a>>(value: ValueRef<'a>) -> Option<T> {
    match value {
        ValueRef::Json(text) => serde_json::from_str(text).ok(),
        ValueRef::Bytes(_) => None,
    }
}
