//! Why a transaction refuses what a handler asks.
//!
//! All of these are faults of the handler: it traps, and whoever wrote it reads
//! the message. So a message says what was wrong, with which table or limit.

use super::event::SUBJECT_BYTES_MAX;
use super::json::JSON_DEPTH_MAX;
use crate::value::{EVENT_TYPE_BYTES_MAX, GUEST_INTEGER_MAX, Invalid, VALUE_BYTES_MAX};

/// The longest part of a name that a message repeats. Names come from handlers.
const QUOTED_CHARS_MAX: usize = 80;

/// What a transaction does not accept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// No module has declared the table, or this handler must not see it.
    #[error("there is no table `{table}`; a module must declare it in its manifest")]
    UnknownTable {
        /// What was asked for.
        table: String,
    },
    /// Another module owns the table, or a projection derives it.
    #[error(
        "table `{table}` is not for this handler to write: it belongs to another module, or to a \
         projection, which alone writes it"
    )]
    ForeignTable {
        /// The table.
        table: String,
    },
    /// A projection named a table that is not its own.
    #[error(
        "table `{table}` is not one of the projection's; it reads and writes only those that the \
         manifest lists in its `tables`"
    )]
    OutsideView {
        /// What was asked for.
        table: String,
    },
    /// The key is empty or too long.
    #[error(transparent)]
    Key(#[from] Invalid),
    /// The value is over its limit.
    #[error("the value has {bytes} bytes; at most {VALUE_BYTES_MAX} are allowed")]
    ValueTooLong {
        /// Its length.
        bytes: usize,
    },
    /// A JSON value or the data of an event is not JSON.
    #[error("the text is not JSON, at byte {offset}: {reason}")]
    InvalidJson {
        /// Where it stops being JSON, counted from 0.
        offset: usize,
        /// What the parser says.
        reason: String,
    },
    /// A JSON document is nested too deeply for common parsers.
    #[error("the JSON is nested more than {JSON_DEPTH_MAX} deep, at byte {offset}")]
    JsonTooDeep {
        /// The bracket that is one too many, counted from 0.
        offset: usize,
    },
    /// More keys written than allowed.
    #[error("at most {limit} rows may be written; split the work over several commands")]
    TooManyRows {
        /// The limit.
        limit: usize,
    },
    /// More bytes staged than allowed.
    #[error("at most {limit} bytes may be staged; split the work over several commands")]
    TooManyBytes {
        /// The limit.
        limit: usize,
    },
    /// More events emitted than allowed.
    #[error("a command may emit at most {limit} events; split the work over several")]
    TooManyEvents {
        /// The limit.
        limit: usize,
    },
    /// An event's type is not words separated by dots.
    #[error(
        "event type `{event_type}` must have 1 to {EVENT_TYPE_BYTES_MAX} bytes: words of letters, \
         digits, `-` and `_`, separated by dots"
    )]
    InvalidEventType {
        /// What was given.
        event_type: String,
    },
    /// An event's subject is too long.
    #[error("the event's subject has {bytes} bytes; at most {SUBJECT_BYTES_MAX} are allowed")]
    SubjectTooLong {
        /// Its length.
        bytes: usize,
    },
    /// A command to be submitted is none.
    #[error("the command to submit is invalid: {reason}")]
    InvalidCommand {
        /// Which part, and what is wrong with it.
        reason: String,
    },
    /// The time of a timer is beyond what numbers in handlers can say.
    #[error(
        "the timer's time, {at_ms}, is beyond {GUEST_INTEGER_MAX}; times are milliseconds since \
         1970"
    )]
    TimeTooLate {
        /// What was given.
        at_ms: u64,
    },
    /// More timers wait than may.
    #[error("{limit} timers are waiting, as many as an app may have; cancel some, or wait")]
    TooManyTimers {
        /// The limit.
        limit: u64,
    },
    /// Commands have followed from each other without an end.
    #[error(
        "{limit} commands have followed from one another, each at the heels of the one before, \
         and may not be more: something feeds itself; a timer at least a second ahead begins a \
         new chain"
    )]
    ChainTooDeep {
        /// The limit.
        limit: u32,
    },
}

impl Refusal {
    /// A word for programs, which later versions keep.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownTable { .. } => "unknown-table",
            Self::ForeignTable { .. } | Self::OutsideView { .. } => "foreign-table",
            Self::Key(_) => "invalid-key",
            Self::ValueTooLong { .. } => "value-too-long",
            Self::InvalidJson { .. } => "invalid-json",
            Self::JsonTooDeep { .. } => "json-too-deep",
            Self::TooManyRows { .. } => "too-many-rows",
            Self::TooManyBytes { .. } => "too-many-bytes",
            Self::TooManyEvents { .. } => "too-many-events",
            Self::InvalidEventType { .. } => "invalid-event-type",
            Self::SubjectTooLong { .. } => "subject-too-long",
            Self::InvalidCommand { .. } => "invalid-command",
            Self::TimeTooLate { .. } => "time-too-late",
            Self::TooManyTimers { .. } => "too-many-timers",
            Self::ChainTooDeep { .. } => "chain-too-deep",
        }
    }

    pub(super) fn unknown_table(table: &str) -> Self {
        Self::UnknownTable { table: quoted(table) }
    }

    pub(super) fn outside_view(table: &str) -> Self {
        Self::OutsideView { table: quoted(table) }
    }

    pub(super) fn invalid_event_type(event_type: &str) -> Self {
        Self::InvalidEventType { event_type: quoted(event_type) }
    }
}

/// The beginning of a text that a handler chose, which may be megabytes long.
fn quoted(text: &str) -> String {
    text.chars().take(QUOTED_CHARS_MAX).collect()
}
