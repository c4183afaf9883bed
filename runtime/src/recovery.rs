//! From the log back to a state.
//!
//! Recovery applies recorded change sets in order and never runs a handler
//! whose outcome is on record (I9). It refuses what does not fit together: the
//! log checks its bytes and its chain, this module checks what they say.

use std::collections::{HashMap, VecDeque};

use uuid::Uuid;

use crate::ids::{Ids, Seen, time_of};
use crate::log::{self, Log, Storage, Tail};
use crate::receipts::Index;
use crate::record::{Damage, Entry, Outcome, Record, Round};
use crate::state::{State, Step};
use crate::value::{History, Position, Sequence};

/// What the log of an app says.
#[derive(Debug)]
pub struct Recovered {
    /// The log, ready for the next round.
    pub log: Box<dyn Log>,
    /// Whose sequences these are.
    pub history: History,
    /// The state after the last entry that has an outcome.
    pub state: State,
    /// Entries without an outcome, in order.
    pub unfinished: VecDeque<Entry>,
    /// The ids of all entries.
    pub ids: Ids,
    /// Where all entries are.
    pub index: Index,
    /// How often the process died while a command ran, by its id.
    pub attempts: HashMap<Uuid, u32>,
    /// The last round.
    pub tail: Tail,
    /// The floor that it recorded.
    pub floor_ms: u64,
    /// The last time that was given to an entry.
    pub time_ms: u64,
}

/// Why an app cannot be recovered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The log cannot be opened or read, or is damaged.
    #[error("cannot recover the log")]
    Log(#[from] log::Error),
}

/// Reads a log from its beginning.
///
/// # Errors
/// [`Error`]: nothing is served from a log that is not whole.
pub fn recover(storage: &dyn Storage) -> Result<Recovered, Error> {
    let mut replay = Replay::default();
    let mut said = 0;
    let opened = storage.open(&mut |round, progress| {
        if progress.segment > said {
            said = progress.segment;
            tracing::info!(segment = said, of = progress.segments, "reading the log");
        }
        replay.round(round)
    })?;
    Ok(Recovered {
        log: opened.log,
        history: opened.history,
        state: replay.state,
        unfinished: replay.unfinished,
        ids: replay.ids,
        index: replay.index,
        attempts: replay.attempts,
        tail: opened.tail,
        floor_ms: replay.floor_ms,
        time_ms: replay.time_ms,
    })
}

/// What has been read so far.
#[derive(Default)]
struct Replay {
    state: State,
    unfinished: VecDeque<Entry>,
    ids: Ids,
    index: Index,
    attempts: HashMap<Uuid, u32>,
    floor_ms: u64,
    time_ms: u64,
}

impl Replay {
    fn round(&mut self, round: Round) -> Result<(), Damage> {
        let number = round.header.number;
        self.floor_ms = round.header.floor_ms;
        self.ids.forget_below(self.floor_ms);
        for (index, record) in round.records.into_iter().enumerate() {
            let taken = match record {
                Record::Entry(entry) => self.entry(number, entry),
                Record::Outcome(outcome) => self.outcome(number, &outcome),
                Record::Attempt(attempt) => {
                    self.attempts.insert(attempt.id, attempt.count);
                    Ok(())
                }
            };
            taken.map_err(|what| Damage { offset: 0, record: Some(index), what })?;
        }
        Ok(())
    }

    fn entry(&mut self, round: u64, entry: Entry) -> Result<(), String> {
        let expected = self.index.last().next();
        if entry.sequence != expected {
            return Err(format!("entry {} where {expected} was expected", entry.sequence));
        }
        if entry.time_ms < self.time_ms {
            return Err(format!("the time of entry {} is before the one before", entry.sequence));
        }
        self.time_ms = entry.time_ms;
        let seen = Seen { sequence: entry.sequence, fingerprint: entry.fingerprint };
        self.ids.insert(entry.id, time_of(entry.id), seen);
        self.index.add_entry(entry.sequence, round);
        self.unfinished.push_back(entry);
        Ok(())
    }

    fn outcome(&mut self, round: u64, outcome: &Outcome) -> Result<(), String> {
        // Outcomes come in the order of their entries, so they are a prefix (I4).
        let entry = self.unfinished.pop_front();
        let entry = entry.filter(|entry| entry.sequence == outcome.sequence);
        let Some(entry) = entry else {
            return Err(format!("an outcome of entry {}, which is not next", outcome.sequence));
        };
        let step = step_of(&self.state, entry.sequence, entry.time_ms, outcome);
        let Some(step) = step else {
            return Err(format!("the events of entry {} have a gap", outcome.sequence));
        };
        self.state.apply(step, &outcome.changes);
        self.index.add_outcome(outcome, round);
        Ok(())
    }
}

/// The step that an outcome takes a state; none if its events do not follow.
#[must_use]
pub fn step_of(state: &State, sequence: Sequence, time_ms: u64, outcome: &Outcome) -> Option<Step> {
    let mut position = state.position();
    for event in &outcome.events {
        position = Position(position.0 + 1);
        if event.position != position {
            return None;
        }
    }
    Some(Step { sequence, time_ms, position })
}
