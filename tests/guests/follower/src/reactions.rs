//! Reactions.
#![expect(clippy::panic, reason = "the point of one of them")]

use chancery_sdk::{Event, NewCommand, Rejection, Snapshot, reject};
use serde::Deserialize;
use serde_json::Value as Json;

use crate::{ALLOWED, Note};

type Commands = Result<Vec<NewCommand>, Rejection>;

/// The data of `work`.
#[derive(Debug, Deserialize)]
pub(crate) struct Work {
    /// How many notes follow; one if not given.
    #[serde(default = "one")]
    times: u32,
}

fn one() -> u32 {
    1
}

pub(crate) fn note_it(_: &Snapshot, work: Event<Work>) -> Commands {
    Ok(notes("works", &work))
}

pub(crate) fn note_late(_: &Snapshot, work: Event<Work>) -> Commands {
    Ok(notes("late", &work))
}

/// Notes whose keys no other event has.
fn notes(whose: &str, work: &Event<Work>) -> Vec<NewCommand> {
    let note = |number| Note {
        key: format!("{whose}-{:08}-{number}", work.position),
        text: work.subject.clone().unwrap_or_default(),
    };
    (0..work.data.times).map(|number| NewCommand::new("note", &note(number))).collect()
}

pub(crate) fn panic_at(_: &Snapshot, event: Event<Json>) -> Commands {
    panic!("on purpose, at {}", event.position)
}

pub(crate) fn never_return(_: &Snapshot, event: Event<Json>) -> Commands {
    loop {
        std::hint::black_box(&event);
    }
}

pub(crate) fn become_unknown(_: &Snapshot, _: Event<Json>) -> Commands {
    Ok(vec![NewCommand::new("no-such-command", &())])
}

pub(crate) fn misfit(_: &Snapshot, _: Event<Json>) -> Commands {
    Ok(vec![NewCommand::new("note", &7)])
}

/// Fails until `allow` was told of the event's subject.
pub(crate) fn wait_for_leave(snapshot: &Snapshot, event: Event<Json>) -> Commands {
    let subject = event.subject.unwrap_or_default();
    if !ALLOWED.contains(snapshot, &subject) {
        return Err(reject("not-allowed", format!("Nobody allowed `{subject}`.")));
    }
    let note = Note { key: format!("waited-{:08}", event.position), text: subject };
    Ok(vec![NewCommand::new("note", &note)])
}

pub(crate) fn give_up(_: &Snapshot, _: Event<Json>) -> Commands {
    Err(reject("hopeless", "There is no use in trying again.").permanent())
}

/// What follows leads to the same again, and says that nothing led to it.
pub(crate) fn again(_: &Snapshot, chain: Event<u64>) -> Commands {
    let next = NewCommand::new("chain", &(chain.data + 1));
    Ok(vec![NewCommand { metadata: r#"{"depth":0}"#.to_owned(), ..next }])
}
