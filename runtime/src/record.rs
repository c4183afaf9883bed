//! The bytes of the log: what a round is made of, and how it is checked.
//!
//! This module turns entries, outcomes and attempts into one byte string a round
//! and back. It does no I/O and knows only [`value`](crate::value): where rounds
//! are kept is [`log`](crate::log)'s business, what they mean is the lane's.
//!
//! # Layout, format version 1
//!
//! A round is a header and then its records, with nothing between or after.
//! Integers are little-endian; UUIDs are their 16 bytes in network order.
//! `text` and `bytes` are a varint length and that many bytes (text is UTF-8);
//! an *optional* is one byte, 0 or 1, and its content if 1. A varint is LEB128 of
//! at most ten bytes, in its shortest form: a typical record has some twenty
//! lengths, nearly all below 128, so it saves a quarter of a small command's bytes.
//!
//! ## Round header, 92 bytes
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 4 | `CHR\n` |
//! | 4 | 2 | format version, 1 |
//! | 6 | 2 | zero |
//! | 8 | 8 | number of the round, from 1, without gaps |
//! | 16 | 16 | history |
//! | 32 | 32 | chain before: the chain after the previous round, zeros for round 1 |
//! | 64 | 8 | floor, ms: ids with an earlier time are refused |
//! | 72 | 8 | time of the round, ms |
//! | 80 | 8 | number of records |
//! | 88 | 4 | crc32c of bytes 0 to 87 |
//!
//! ## Record: frame, 56 bytes, then head, then body
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 4 | crc32c of bytes 4 to 55 and of the head |
//! | 4 | 1 | kind: 1 entry, 2 outcome, 3 attempt |
//! | 5 | 1 | flags: bit 0 *erased*, the others zero |
//! | 6 | 2 | zero |
//! | 8 | 8 | length of the head |
//! | 16 | 8 | length of the body, also after it was erased |
//! | 24 | 32 | SHA-256 of the body, also after it was erased |
//! | 56 | | head, then body; of an erased record only the head |
//!
//! The **head** is never erased, so it must never hold what a person could ask to
//! have erased; the **body** holds the rest. Heads of entries and outcomes begin with
//! the sequence, so that one can be found without reading the others.
//!
//! | head of an entry | body |
//! |---|---|
//! | sequence u64, time ms u64, id, fingerprint (32), act u8, then by act: | |
//! | 1 command: name text, optional basis u64, optional scheduled-for ms u64 | input text, optional caller text, correlation text, optional causation text, metadata text, varint count of *unchanged* |
//! | 2 deploy: module text, hash (32) | empty |
//! | 3 remove: module text | empty |
//! | 4 drop table: table text | empty |
//! | 5 erase: sequence u64 | empty |
//! | 6 advance: worker text, from position u64, to position u64 | empty |
//! | 7 projection: name text, what u8 (1 resume, 2 skip, 3 rebuild) | empty |
//! | 8 schedule: due ms u64, then as 1 | as 1 |
//! | 9 cancel: id of the timer | empty |
//!
//! An *unchanged* is a table text, then 1 and a key text, or 2 and a prefix text.
//!
//! | head of an outcome | body |
//! |---|---|
//! | sequence u64, elapsed µs u64, optional module text, optional module hash (32) | |
//! | verdict u8: 1 succeeded, 2 rejected, 3 failed; unless 1, failure code text | if 1, result value; else message text, optional details text |
//! | varint count of tables changed | for each: name text, lifecycle u8 (0 kept, 1 created, 2 dropped, 3 moved, then the name text of the table whose rows it takes), varint count of rows: key text, then 0 for a removed key or the value |
//! | varint count of events, for each: position u64, id, type text | for each: optional subject text, data text |
//!
//! The head of an attempt is an id and the count u32; its body is empty.
//!
//! A value is 1 and JSON text, or 2 and bytes.
//!
//! # What the checksums promise
//!
//! The **chain after a round** is the SHA-256 of header bytes 0 to 87 (which hold
//! the chain before) and, for each record in order, frame bytes 4 to 55 *with the
//! erased flag cleared* and the head. So it covers every header, head and *hash* of
//! a body, but no body and not whether one was erased: a body can be replaced by
//! its tombstone (body dropped, flag set, frame checksum made anew) and the chain
//! still holds, while nothing else can be altered without breaking it. Clearing the
//! flag again is refused too, because the body is missing.
//!
//! [`decode`] checks all of it: checksums of header, frames and heads, hashes of
//! bodies, and that nothing is left over. An unknown version, kind, flag or tag is
//! refused (I11). Of an erased record, [`decode`] and the `find` functions give what
//! its head says, placeholders for the rest, and that it was erased. Only records
//! with a body can be erased: an empty one that has the flag is refused.

pub(crate) mod bytes;
mod entry;
mod erase;
mod frame;
mod outcome;
mod parts;
mod round;
#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use uuid::Uuid;

use crate::value::{
    ChangeSet, Event, Failure, Hash, History, Key, Name, Position, Sequence, Value,
};

pub use self::erase::erase;
pub use self::frame::header;
pub use self::parts::Parts;
pub use self::round::{decode, encode, find_entry, find_outcome, peek};

/// The version of the layout that this server writes, and the only one it reads.
pub const FORMAT_VERSION: u16 = 1;
/// The chain before the first round of a history.
pub const CHAIN_START: Hash = Hash([0; 32]);

/// Something that changes what a snapshot can show, at its place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its place.
    pub sequence: Sequence,
    /// When it was accepted; never below the entry before it.
    pub time_ms: u64,
    /// The id by which a client can ask about it.
    pub id: Uuid,
    /// What "the same command" means; survives the erasure of the input.
    pub fingerprint: Hash,
    /// What is to be done.
    pub act: Act,
    /// Whether the body was erased. What was in it is then a placeholder: the input
    /// is `null`, the metadata `{}`, the correlation id the id's text, nothing the
    /// rest. Only reading gives such a value; it cannot be encoded.
    pub erased: bool,
}

/// What an entry does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Runs a handler.
    Command(Command),
    /// Puts a module, or another version of it, in place.
    Deploy(Deploy),
    /// Takes a module away; its tables become orphans.
    Remove {
        /// The module.
        module: Name,
    },
    /// Drops a table that no module owns.
    DropTable {
        /// The table.
        table: Name,
    },
    /// Erases the bodies of a command and of its outcome.
    Erase {
        /// The command's.
        sequence: Sequence,
    },
    /// Brings in what was prepared beside the lane on events that are durable.
    Advance {
        /// Who prepared it, such as `projection/order-summary`.
        worker: Arc<str>,
        /// The last event that it had come to before.
        from: Position,
        /// The last event that it has come to with this.
        to: Position,
    },
    /// Does something about a projection.
    Projection {
        /// The projection.
        name: Name,
        /// What.
        what: Steer,
    },
    /// Has a command submitted at a time.
    Schedule(Schedule),
    /// Takes back a timer that has not fired.
    Cancel {
        /// Its id, which would have been its command's.
        timer: Uuid,
    },
}

impl Act {
    /// The command that it runs, or has run later: what a person could ask to have
    /// erased.
    #[must_use]
    pub fn command(&self) -> Option<&Command> {
        match self {
            Self::Command(command) | Self::Schedule(Schedule { command, .. }) => Some(command),
            _ => None,
        }
    }

    /// The same act with a command that was made of its own; the act itself if it has none.
    #[must_use]
    pub fn map_command(&self, change: impl FnOnce(&Command) -> Command) -> Self {
        match self {
            Self::Command(command) => Self::Command(change(command)),
            Self::Schedule(Schedule { at_ms, command }) => {
                Self::Schedule(Schedule { at_ms: *at_ms, command: change(command) })
            }
            other => other.clone(),
        }
    }
}

/// What can be done about a projection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Steer {
    /// Tries the event again at which it is parked.
    Resume,
    /// Goes on behind that event.
    Skip,
    /// Builds its tables anew, from the first event.
    Rebuild,
}

/// A request to change state, as it was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Which command.
    pub name: Name,
    /// A JSON document.
    pub input: Arc<str>,
    /// The sequence its sender looked at.
    pub basis: Option<Sequence>,
    /// What must not have changed since the basis.
    pub unchanged: Vec<Unchanged>,
    /// When a timer was to submit it.
    pub scheduled_for_ms: Option<u64>,
    /// Who sent it, as far as is known.
    pub caller: Option<Arc<str>>,
    /// What it and all that follows from it have in common.
    pub correlation_id: Arc<str>,
    /// The event or command that led to it.
    pub causation_id: Option<Arc<str>>,
    /// A JSON object.
    pub metadata: Arc<str>,
}

/// A command that a client wants submitted later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// When, in milliseconds since 1970; a time in the past means at once.
    pub at_ms: u64,
    /// What is to be submitted.
    pub command: Command,
}

/// A module's new version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deploy {
    /// The module.
    pub module: Name,
    /// The hash of the uploaded bytes.
    pub hash: Hash,
}

/// Keys of one table that must be as they were at the basis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unchanged {
    /// The table.
    pub table: Name,
    /// Which of its keys.
    pub keys: Keys,
}

/// Some keys of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keys {
    /// One key.
    One(Key),
    /// Every key that begins so; all of them if it is empty.
    Prefix(String),
}

/// What executing an entry gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The entry's sequence.
    pub sequence: Sequence,
    /// The module that handled it, if one did.
    pub module: Option<Name>,
    /// The version of that module.
    pub module_hash: Option<Hash>,
    /// How it ended.
    pub verdict: Verdict,
    /// What it changed.
    pub changes: ChangeSet,
    /// What it emitted, in order of position.
    pub events: Vec<Event>,
    /// How long the handler ran.
    pub elapsed_us: u64,
    /// Whether the body was erased. What was in it is then a placeholder: the result
    /// or an event's data is `null`, a failure's message `erased`, and the changes are
    /// none, which is **not** what the entry changed. Only reading gives such a
    /// value; it cannot be encoded.
    pub erased: bool,
}

/// How an entry ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// With this result.
    Succeeded(Value),
    /// Its handler, or the server before it ran, said no.
    Rejected(Failure),
    /// Its handler trapped or met a limit.
    Failed(Failure),
}

/// How often the process died while it executed a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// The command's id.
    pub id: Uuid,
    /// How often, this time included.
    pub count: u32,
}

/// One record of a round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// Something to do.
    Entry(Entry),
    /// What came of it.
    Outcome(Outcome),
    /// A death of the process while doing it.
    Attempt(Attempt),
}

/// A record to be encoded, wherever its owner keeps it.
#[derive(Debug, Clone, Copy)]
pub enum RecordRef<'a> {
    /// Something to do.
    Entry(&'a Entry),
    /// What came of it.
    Outcome(&'a Outcome),
    /// A death of the process while doing it.
    Attempt(&'a Attempt),
}

impl<'a> From<&'a Record> for RecordRef<'a> {
    fn from(record: &'a Record) -> Self {
        match record {
            Record::Entry(entry) => Self::Entry(entry),
            Record::Outcome(outcome) => Self::Outcome(outcome),
            Record::Attempt(attempt) => Self::Attempt(attempt),
        }
    }
}

/// What a round says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoundHeader {
    /// Its place among the rounds of its history, from 1, without gaps.
    pub number: u64,
    /// The line of sequences it belongs to.
    pub history: History,
    /// The chain after the round before it; [`CHAIN_START`] for the first.
    pub chain_before: Hash,
    /// Ids with an earlier time are refused; never falls.
    pub floor_ms: u64,
    /// When it was written.
    pub time_ms: u64,
}

/// A round as bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// What is to be kept.
    pub bytes: Vec<u8>,
    /// The chain after it, which the next round's header repeats.
    pub chain: Hash,
}

/// A round read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Round {
    /// What it says about itself.
    pub header: RoundHeader,
    /// What it holds, in order.
    pub records: Vec<Record>,
    /// The chain after it.
    pub chain: Hash,
}

/// What the head of a record with a body tells, enough to choose what to erase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordHead {
    /// What it is.
    pub kind: RecordKind,
    /// Its entry's sequence.
    pub sequence: Sequence,
    /// The id, if it is an entry.
    pub id: Option<Uuid>,
}

/// A kind of record that has a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordKind {
    /// Something to do.
    Entry,
    /// What came of it.
    Outcome,
}

/// Why some bytes are not the round they were taken for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{what}", place(*.record, *.offset))]
pub struct Damage {
    /// Where in the round, in bytes from its beginning; 0 if it is about no byte.
    pub offset: usize,
    /// In which record, from 0; none if in the header or after the last record.
    pub record: Option<usize>,
    /// What is wrong there.
    pub what: String,
}

fn place(record: Option<usize>, offset: usize) -> String {
    match (record, offset) {
        (None, 0) => String::new(),
        (None, _) => format!("byte {offset}: "),
        (Some(index), 0) => format!("record {index}: "),
        (Some(index), _) => format!("record {index}, byte {offset}: "),
    }
}
