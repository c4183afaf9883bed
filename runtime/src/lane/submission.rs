//! What is asked of the sequencer, and what it answers: a place, or why there is none.

use std::sync::Arc;

use uuid::Uuid;

use super::advance::Prepared;
use super::flight::Flight;
use crate::record::{Act, Keys};
use crate::value::{Hash, Name, Sequence};
use crate::wasm;

/// What an entry costs beside its input, roughly, in bytes.
const ENTRY_OVERHEAD_BYTES: usize = 512;

/// What one key or prefix that must be unchanged costs beside its text.
const UNCHANGED_OVERHEAD_BYTES: usize = 96;

/// An entry that wants a place.
#[derive(Debug, Clone)]
pub struct Submission {
    /// Its id.
    pub id: Uuid,
    /// Whether the id has to be in the window; ids that the server makes are.
    pub windowed: bool,
    /// What "the same" means for it.
    pub fingerprint: Hash,
    /// What it does.
    pub act: Act,
    /// The module, and its version, against whose schema it was checked.
    pub admitted: Option<(Name, Hash)>,
    /// A module to be kept in memory until the entry is executed.
    pub keep: Option<Arc<wasm::Module>>,
    /// What an [`Act::Advance`] changes.
    pub prepared: Option<Prepared>,
}

/// The place an entry has.
#[derive(Debug, Clone)]
pub enum Ticket {
    /// It is on its way.
    Flying {
        /// The way.
        flight: Arc<Flight>,
        /// Whether it had its place before.
        replayed: bool,
    },
    /// It was answered before; its receipt is in the log.
    Settled(Sequence),
}

/// Why an entry gets no place. Nothing was logged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The id belongs to something else.
    #[error(
        "the id was given to another command, entry {sequence}; make a new id for a new command"
    )]
    Reused {
        /// To which entry.
        sequence: Sequence,
    },
    /// The time in the id is before the floor.
    #[error(
        "the time in the id, {time_ms}, is before {floor_ms}, the earliest the server remembers; \
         a command this old could have been executed already: look at the state, then submit it \
         anew with a new id"
    )]
    Expired {
        /// The time in the id, in milliseconds since 1970.
        time_ms: u64,
        /// The earliest that is accepted.
        floor_ms: u64,
    },
    /// The time in the id is too far ahead.
    #[error(
        "the time in the id, {time_ms}, is more than 5 minutes ahead of the server's, {now_ms}; \
         set the clock of the client"
    )]
    Ahead {
        /// The time in the id, in milliseconds since 1970.
        time_ms: u64,
        /// The server's time.
        now_ms: u64,
    },
    /// The basis has not happened yet.
    #[error("the basis {basis} is beyond the last sequence, {last}")]
    BasisAhead {
        /// What the command says it looked at.
        basis: Sequence,
        /// The last sequence.
        last: Sequence,
    },
    /// Too much is waiting.
    #[error(
        "the inbox is full: {waiting} entries of {bytes} bytes are waiting; try again in a moment"
    )]
    Full {
        /// Entries that are not answered yet.
        waiting: usize,
        /// Their bytes.
        bytes: usize,
    },
    /// Whether the id was seen before cannot be told.
    #[error("what is on disk of this id cannot be read; the server's log says more")]
    Unreadable {
        /// What failed.
        reason: String,
    },
    /// It was executed, so long ago that nothing else is known of it any more.
    #[error(
        "the id was given to entry {sequence}, which was executed; its receipt is not kept any \
         more, the oldest that is kept is of entry {first}"
    )]
    Trimmed {
        /// The entry.
        sequence: Sequence,
        /// The first entry that has a receipt.
        first: Sequence,
    },
    /// The log failed and is being opened again.
    #[error("the log is being recovered ({reason}); try again in a moment")]
    Recovering {
        /// What failed.
        reason: String,
    },
    /// The lane has stopped until somebody acts.
    #[error("the app takes no commands: {reason}; the server's log says more")]
    Stopped {
        /// Why.
        reason: String,
    },
    /// The server is about to end.
    #[error("the server is shutting down; try again when it is back")]
    Draining,
}

/// What an entry takes of the inbox's room, roughly, in bytes.
pub(super) fn bytes_of(act: &Act) -> usize {
    let Some(command) = act.command() else {
        return ENTRY_OVERHEAD_BYTES;
    };
    let optional = |text: &Option<Arc<str>>| text.as_ref().map_or(0, |text| text.len());
    let unchanged = command.unchanged.iter().map(|unchanged| match &unchanged.keys {
        Keys::One(key) => key.as_str().len() + UNCHANGED_OVERHEAD_BYTES,
        Keys::Prefix(prefix) => prefix.len() + UNCHANGED_OVERHEAD_BYTES,
    });
    ENTRY_OVERHEAD_BYTES
        + command.input.len()
        + command.metadata.len()
        + command.correlation_id.len()
        + optional(&command.caller)
        + optional(&command.causation_id)
        + unchanged.sum::<usize>()
}
