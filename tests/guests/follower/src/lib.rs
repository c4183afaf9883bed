//! What follows from events: projections and reactions that do as they should, and
//! one for each way in which they may not. README.md of this folder's parent says
//! which event makes which misbehave.

mod commands;
mod projections;
mod reactions;
#[cfg(test)]
mod tests;

use chancery_sdk::{Table, app};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use commands::{
    allow, allowed, cancel, chain, emit, emit_many, note, notes, refuse, schedule, trespass,
};
use projections::{count, err, intrude, loop_for_ever, overflow, see, trap};
use reactions::{
    again, become_unknown, give_up, misfit, never_return, note_it, note_late, panic_at,
    wait_for_leave,
};

app! {
    /// Follows events, well and badly.
    pub struct Follower;

    tables {
        /// Every event, by position.
        SEEN,
        /// How many events of each type.
        COUNTS,
        /// Those of the projections that fail. Each notes every event it survives.
        TRAPS, LOOPS, ERRS, INTRUDES, OVERFLOWS,
        /// What `note` was told.
        NOTES,
        /// Subjects that `wait-for-leave` need not wait for any more.
        ALLOWED,
    }
    events {
        /// Something was noted.
        "noted": Note,
        /// Has a schema, to be met or not.
        "checked": Checked,
    }
    queries { notes, allowed }
    commands { emit, emit_many, refuse, note, allow, chain, schedule, cancel, trespass }
    projections {
        seen version 1 tables [SEEN] { "**" => see }
        counts version 1 tables [COUNTS] { "**" => count }
        traps version 1 tables [TRAPS] { "**" => trap }
        loops version 1 tables [LOOPS] { "**" => loop_for_ever }
        errs version 1 tables [ERRS] { "**" => err }
        intrudes version 1 tables [INTRUDES] { "**" => intrude }
        overflows version 1 tables [OVERFLOWS] { "**" => overflow }
    }
    reactions {
        /// Notes what `work` is about, once for each of its `times`.
        works { "work" => note_it }
        /// As `works`, of all the work there ever was.
        works_from_start from start { "work" => note_late }
        panics { "react.trap" => panic_at }
        hangs { "react.loop" => never_return }
        asks_for_nothing_there { "react.unknown" => become_unknown }
        misfits { "react.misfit" => misfit }
        waits_for_leave { "react.wait" => wait_for_leave }
        gives_up { "react.permanent" => give_up }
        chains { "chain" => again }
    }
}

pub(crate) const SEEN: Table<u64, Seen> = Table::new("seen");
pub(crate) const COUNTS: Table<String, u64> = Table::new("counts");
pub(crate) const TRAPS: Table<u64, String> = Table::new("traps");
pub(crate) const LOOPS: Table<u64, String> = Table::new("loops");
pub(crate) const ERRS: Table<u64, String> = Table::new("errs");
pub(crate) const INTRUDES: Table<u64, String> = Table::new("intrudes");
pub(crate) const OVERFLOWS: Table<u64, String> = Table::new("overflows");
pub(crate) const NOTES: Table<String, Note> = Table::new("notes");
pub(crate) const ALLOWED: Table<String, bool> = Table::new("allowed");

/// An event, as a projection saw it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Seen {
    /// Its type.
    #[serde(rename = "type")]
    pub event_type: String,
    /// What it is about.
    pub subject: Option<String>,
    /// Its data.
    pub data: Json,
    /// The command's time, in milliseconds since 1970.
    pub time_ms: u64,
    /// The command's sequence.
    pub sequence: u64,
}

/// What `note` is told.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Note {
    /// Under which key; a note with the same one is refused.
    pub key: String,
    /// What is noted.
    pub text: String,
}

/// The data of `checked`.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Checked {
    /// From 1 to 10.
    #[schemars(range(min = 1, max = 10))]
    pub number: u8,
}
