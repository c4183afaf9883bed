//! Timers: commands that the server submits at a time.
//!
//! A timer is a row of the system table `$timers`, and a row of `$due` that puts it in
//! its place among the others. Both are staged like any other change, so that a timer
//! appears with the command that made it or not at all (I5), and is gone with the
//! outcome of the command that it submits: it fires once. Its id is the id of that
//! command.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use uuid::Uuid;

use super::read::View;
use super::refusal::Refusal;
use super::{NewCommand, Transaction};
use crate::state::{Order, Range, State, ValueRef};
use crate::value::{GUEST_INTEGER_MAX, History, Key, Name, Position, Sequence, Value, derived};

/// Timers of one app that have not fired, at most. Each is two rows in memory.
pub const TIMERS_MAX: u64 = 1_000_000;
/// How far ahead of its command a timer has to be for the chain to begin anew, in
/// milliseconds: a clock that ticks is no chain that feeds itself.
pub const CHAIN_BROKEN_MS: u64 = 1_000;
/// The member of a command's metadata that says how many others led to it.
const DEPTH: &str = "depth";
/// The member that names the reaction which asked for it.
const REACTION: &str = "reaction";
/// The members that only the server writes.
pub const WRITTEN: [&str; 2] = [DEPTH, REACTION];

/// What a timer's row holds beside input and metadata, roughly, in bytes.
const TIMER_OVERHEAD_BYTES: usize = 512;

/// What a command has in common with those that follow from it.
#[derive(Debug, Clone)]
pub struct Chain {
    /// The app's history, from which ids are derived.
    pub history: History,
    /// Shared by all that follows from one first command.
    pub correlation_id: Arc<str>,
    /// How many timers and reactions led to the command, one at the heels of another.
    pub depth: u32,
    /// How many there may be.
    pub depth_max: u32,
}

impl Default for Chain {
    /// The chain of nothing: for what schedules nothing.
    fn default() -> Self {
        let history = History(Uuid::nil());
        Self { history, correlation_id: "".into(), depth: 0, depth_max: 0 }
    }
}

/// Where a timer comes among those that are due at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Turn {
    /// The entry that it follows from.
    pub sequence: Sequence,
    /// The event that it follows from, if it is one's.
    pub position: Option<Position>,
    /// Which of several it is.
    pub index: u32,
}

/// A command that is to be submitted at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timer {
    /// Its id, and that of the command.
    pub id: Uuid,
    /// When it is due, in milliseconds since 1970.
    pub due_ms: u64,
    /// Its place among others of that time.
    pub turn: Turn,
    /// What is submitted; its metadata says how deep it is.
    pub command: NewCommand,
    /// What the command has in common with what led to it.
    pub correlation_id: Arc<str>,
    /// The command or event that led to it.
    pub causation_id: Arc<str>,
    /// The reaction that asked for it, if one did.
    pub reaction: Option<Name>,
}

/// A timer as it is stored.
#[derive(Serialize, Deserialize)]
struct Row<'a> {
    due_ms: u64,
    sequence: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<u64>,
    index: u32,
    #[serde(borrow)]
    command: Cow<'a, str>,
    #[serde(borrow)]
    input: &'a RawValue,
    #[serde(borrow)]
    metadata: &'a RawValue,
    #[serde(borrow)]
    correlation_id: Cow<'a, str>,
    #[serde(borrow)]
    causation_id: Cow<'a, str>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    reaction: Option<Cow<'a, str>>,
}

impl Transaction {
    /// Has a command submitted at a time, in milliseconds since 1970, and returns the
    /// timer's id, which will be the command's. A time in the past means at once.
    ///
    /// # Errors
    /// [`Refusal`], after which nothing has changed.
    pub fn schedule(&mut self, at_ms: u64, command: NewCommand) -> Result<Uuid, Refusal> {
        if at_ms > GUEST_INTEGER_MAX {
            return Err(Refusal::TimeTooLate { at_ms });
        }
        let time_ms = self.context.time_ms;
        let depth = match at_ms >= time_ms.saturating_add(CHAIN_BROKEN_MS) {
            true => 0,
            false => deeper(&self.context.chain)?,
        };
        let metadata = with_written(&command.metadata, depth, None)?;
        if timer_count(&self.base) + u64::from(self.timers) >= TIMERS_MAX {
            return Err(Refusal::TooManyTimers { limit: TIMERS_MAX });
        }
        let index = self.timers;
        let cause = self.context.command_id;
        let history = self.context.chain.history;
        let id = derived(history, time_ms, &format!("timer/{cause}"), index);
        let timer = Timer {
            id,
            due_ms: at_ms,
            turn: Turn { sequence: self.context.sequence, position: None, index },
            command: NewCommand { metadata, ..command },
            correlation_id: Arc::clone(&self.context.chain.correlation_id),
            causation_id: cause.to_string().into(),
            reaction: None,
        };
        self.ensure_room(2, timer.command.bytes() + TIMER_OVERHEAD_BYTES)?;
        self.timers += 1;
        self.put_timer(&timer);
        Ok(id)
    }

    /// Takes a timer back, or takes out one that has fired; false if there is none.
    pub fn cancel_timer(&mut self, id: Uuid) -> bool {
        let view = self.any_table(timers().as_str());
        let Some(timer) = view.and_then(|view| of_view(view, id)) else {
            return false;
        };
        for (table, key) in [(timers(), timer_key(id)), (due(), timer.due_key())] {
            // What was a key when it was put is one now.
            if let Ok(key) = Key::new(&key) {
                self.delete_system(&table, key);
            }
        }
        true
    }

    /// Stages a timer. For the server: nothing is checked.
    pub fn put_timer(&mut self, timer: &Timer) {
        let rows = [
            (timers(), timer_key(timer.id), timer.to_json()),
            (due(), timer.due_key(), format!("\"{}\"", timer.id)),
        ];
        for (table, key, row) in rows {
            // Digits, slashes and UUIDs are within every limit of a key.
            if let Ok(key) = Key::new(&key) {
                self.put_system(&table, key, Value::Json(row.into()));
            }
        }
    }
}

impl Timer {
    /// How many timers and reactions led to it, one at the heels of another.
    #[must_use]
    pub fn depth(&self) -> u32 {
        written(&self.command.metadata).depth
    }

    /// Its key in `$due`: in the order of these keys timers fire.
    #[must_use]
    pub fn due_key(&self) -> String {
        let Turn { sequence, position, index } = self.turn;
        let (due_ms, position) = (self.due_ms, position.unwrap_or_default().0);
        format!("{due_ms:016}/{:016}/{position:016}/{index:06}/{}", sequence.0, self.id)
    }

    fn to_json(&self) -> String {
        let row = Row {
            due_ms: self.due_ms,
            sequence: self.turn.sequence.0,
            position: self.turn.position.map(|position| position.0),
            index: self.turn.index,
            command: self.command.name.as_str().into(),
            input: raw(&self.command.input),
            metadata: raw(&self.command.metadata),
            correlation_id: (&*self.correlation_id).into(),
            causation_id: (&*self.causation_id).into(),
            reaction: self.reaction.as_ref().map(|name| name.as_str().into()),
        };
        serde_json::to_string(&row).unwrap_or_default()
    }

    fn of_json(id: Uuid, text: &str) -> Option<Self> {
        let row: Row<'_> = serde_json::from_str(text).ok()?;
        Some(Self {
            id,
            due_ms: row.due_ms,
            turn: Turn {
                sequence: Sequence(row.sequence),
                position: row.position.map(Position),
                index: row.index,
            },
            command: NewCommand {
                name: row.command.parse().ok()?,
                input: row.input.get().into(),
                metadata: row.metadata.get().into(),
            },
            correlation_id: row.correlation_id.as_ref().into(),
            causation_id: row.causation_id.as_ref().into(),
            reaction: row.reaction.and_then(|name| name.parse().ok()),
        })
    }
}

/// Makes the tables of timers: what stages timers beside the lane relies on them.
pub fn create_tables(transaction: &mut Transaction) {
    transaction.create_table(&timers());
    transaction.create_table(&due());
}

/// A timer that has not fired; none if there is none with that id.
#[must_use]
pub fn timer(state: &State, id: Uuid) -> Option<Timer> {
    of_view(View::of_table(state.table(timers().as_str())?), id)
}

/// How many timers have not fired.
#[must_use]
pub fn timer_count(state: &State) -> u64 {
    state.table(timers().as_str()).map_or(0, |table| table.rows())
}

/// The keys in `$due` and ids of timers that have not fired, in the order in which they
/// will, after a key.
pub fn timers_after<'a>(
    state: &'a State,
    after: Option<&str>,
) -> impl Iterator<Item = (&'a str, Uuid)> + use<'a> {
    let range = after.map_or_else(Range::all, |after| Range::all().after(after));
    let table = state.table(due().as_str());
    let rows = table.into_iter().flat_map(move |table| table.scan(&range, Order::Ascending));
    // The key ends with the id; what it stands for is for people.
    rows.filter_map(|row| Some((row.key, row.key.rsplit('/').next()?.parse().ok()?)))
}

/// When a timer is due, by its key in `$due`.
#[must_use]
pub fn due_ms_of(due_key: &str) -> Option<u64> {
    due_key.split('/').next()?.parse().ok()
}

/// What the server wrote into the metadata of a command that it submits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Written {
    /// How many timers and reactions led to the command, one at the heels of another.
    #[serde(default)]
    pub depth: u32,
    /// The reaction that asked for it, if one did.
    #[serde(default)]
    pub reaction: Option<Arc<str>>,
}

/// What the server wrote into metadata; nothing if it wrote nothing.
#[must_use]
pub fn written(metadata: &str) -> Written {
    // Most commands have none of it, and metadata is any JSON object of any size.
    match WRITTEN.iter().any(|member| metadata.contains(member)) {
        true => serde_json::from_str(metadata).unwrap_or_default(),
        false => Written::default(),
    }
}

/// The depth of what follows at once from a command of a chain.
///
/// # Errors
/// [`Refusal::ChainTooDeep`].
pub fn deeper(chain: &Chain) -> Result<u32, Refusal> {
    match chain.depth < chain.depth_max {
        true => Ok(chain.depth + 1),
        false => Err(Refusal::ChainTooDeep { limit: chain.depth_max }),
    }
}

/// Metadata that says how deep its command is and which reaction asked for it, whatever
/// it said before.
///
/// # Errors
/// [`Refusal::InvalidCommand`] if it is not a JSON object.
pub fn with_written(
    metadata: &str,
    depth: u32,
    reaction: Option<&Name>,
) -> Result<Arc<str>, Refusal> {
    let rewritten = rewrite(metadata, depth, reaction);
    rewritten.map_err(|error| Refusal::InvalidCommand { reason: format!("metadata: {error}") })
}

fn rewrite(metadata: &str, depth: u32, reaction: Option<&Name>) -> serde_json::Result<Arc<str>> {
    let mut members: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(metadata)?;
    for member in WRITTEN {
        members.remove(member);
    }
    let depth_json = to_raw_value(&depth)?;
    if depth > 0 {
        members.insert(DEPTH.into(), &depth_json);
    }
    let reaction = reaction.map(|name| to_raw_value(name.as_str())).transpose()?;
    if let Some(reaction) = &reaction {
        members.insert(REACTION.into(), reaction);
    }
    Ok(serde_json::to_string(&members)?.into())
}

fn of_view(view: View<'_>, id: Uuid) -> Option<Timer> {
    match view.get(&timer_key(id))? {
        ValueRef::Json(text) => Timer::of_json(id, text),
        ValueRef::Bytes(_) => None,
    }
}

/// Timer id to timer.
fn timers() -> Name {
    Name::system("$timers")
}

/// Due time and turn to timer id.
fn due() -> Name {
    Name::system("$due")
}

fn timer_key(id: Uuid) -> String {
    id.to_string()
}

/// JSON text that was checked.
fn raw(text: &str) -> &RawValue {
    serde_json::from_str(text).unwrap_or(RawValue::NULL)
}
