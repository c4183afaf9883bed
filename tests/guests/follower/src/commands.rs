//! Commands that state what they are told to, and keep what reactions ask them to.

use chancery_sdk::{NewCommand, NewEvent, Rejection, Snapshot, Transaction, reject};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::{ALLOWED, COUNTS, NOTES, Note};

/// States an event.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Emit {
    /// Its type; whatever it is, it is passed on.
    #[serde(rename = "type")]
    pub event_type: String,
    /// What it is about.
    pub subject: Option<String>,
    /// Its data; `null` if not given.
    #[serde(default)]
    pub data: Json,
    /// How many bytes of text take the place of the data.
    pub bytes: Option<u32>,
    /// A note to keep as well, under this key.
    pub note: Option<String>,
}

pub(crate) fn emit(tx: &mut Transaction, input: Emit) -> Result<String, Rejection> {
    if let Some(key) = &input.note {
        NOTES.put(tx, key, &Note { key: key.clone(), text: String::new() });
    }
    Ok(tx.emit(&event(input)))
}

/// Writes a table that a projection derives.
pub(crate) fn trespass(tx: &mut Transaction, (): ()) -> Result<(), Rejection> {
    COUNTS.put(tx, "trespassed", &1);
    Ok(())
}

/// Refuses, with an event.
pub(crate) fn refuse(_: &mut Transaction, input: Emit) -> Result<(), Rejection> {
    Err(reject("refused", "As asked.").with_event(event(input)))
}

fn event(input: Emit) -> NewEvent {
    let data = match input.bytes {
        Some(bytes) => Json::from("x".repeat(bytes as usize)),
        None => input.data,
    };
    let event = NewEvent::new(input.event_type, &data);
    match input.subject {
        Some(subject) => event.about(subject),
        None => event,
    }
}

/// States events of one type, with the numbers from 0 as their data.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct EmitMany {
    /// Their type.
    #[serde(rename = "type")]
    pub event_type: String,
    /// How many.
    pub count: u32,
}

pub(crate) fn emit_many(tx: &mut Transaction, input: EmitMany) -> Result<u32, Rejection> {
    for number in 0..input.count {
        tx.emit(&NewEvent::new(&input.event_type, &number));
    }
    Ok(input.count)
}

/// Keeps a note, under a key that has none.
pub(crate) fn note(tx: &mut Transaction, note: Note) -> Result<(), Rejection> {
    if NOTES.contains(tx, &note.key) {
        return Err(reject("noted-already", "There is such a note.")
            .with_details(&json!({ "key": note.key })));
    }
    NOTES.put(tx, &note.key, &note);
    tx.emit(&NewEvent::new("noted", &note));
    Ok(())
}

/// Lets `waits-for-leave` go on with a subject.
pub(crate) fn allow(tx: &mut Transaction, subject: String) -> Result<(), Rejection> {
    ALLOWED.put(tx, &subject, &true);
    Ok(())
}

/// States `chain`, from which the next one follows.
pub(crate) fn chain(tx: &mut Transaction, number: u64) -> Result<u64, Rejection> {
    tx.emit(&NewEvent::new("chain", &number));
    Ok(number)
}

/// Has a command submitted later.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Schedule {
    /// So many milliseconds after this one; negative for a time in the past.
    pub after_ms: i64,
    /// Which command.
    pub name: String,
    /// Its input.
    #[serde(default)]
    pub input: Json,
}

pub(crate) fn schedule(tx: &mut Transaction, input: Schedule) -> Result<String, Rejection> {
    let at_ms = tx.time_ms().saturating_add_signed(input.after_ms);
    Ok(tx.schedule(at_ms, &NewCommand::new(input.name, &input.input)))
}

pub(crate) fn cancel(tx: &mut Transaction, timer: String) -> Result<bool, Rejection> {
    Ok(tx.cancel_timer(&timer))
}

pub(crate) fn notes(snapshot: &Snapshot, (): ()) -> Result<Vec<Note>, Rejection> {
    Ok(NOTES.scan(snapshot).values().collect())
}

pub(crate) fn allowed(snapshot: &Snapshot, subject: String) -> Result<bool, Rejection> {
    Ok(ALLOWED.contains(snapshot, &subject))
}
