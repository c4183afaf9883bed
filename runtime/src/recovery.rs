//! From a checkpoint and the log back to a state.
//!
//! Recovery applies recorded change sets in order and never runs a handler
//! whose outcome is on record (I9). It refuses what does not fit together: the
//! log checks its bytes and its chain, this module checks what they say.

mod reindex;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};

use uuid::Uuid;

use crate::checkpoint::Checkpoint;
use crate::ids::{Ids, Seen, time_of};
use crate::index;
use crate::log::{self, Log, Progress, Start, Storage, Tail};
use crate::receipts::Places;
use crate::record::{Damage, Entry, Outcome, Record, Round};
use crate::state::{State, Step};
use crate::value::{History, Position, Sequence};

pub use self::reindex::{Take, reconcile, rows_of};

/// What checkpoint and log of an app say.
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
    /// The ids of entries after the base.
    pub ids: Ids,
    /// Where entries after the base are.
    pub places: Places,
    /// How often the process died while a command ran, by its id.
    pub attempts: HashMap<Uuid, u32>,
    /// The last round.
    pub tail: Tail,
    /// The floor that it recorded.
    pub floor_ms: u64,
    /// The last time that was given to an entry.
    pub time_ms: u64,
    /// From where the log can be read on.
    pub marks: Marks,
    /// Bytes of the rounds that were read.
    pub bytes: u64,
}

/// Why an app cannot be recovered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The log cannot be opened or read, or is damaged.
    #[error("cannot recover the log")]
    Log(#[from] log::Error),
    /// The index cannot be read or completed.
    #[error("cannot complete the index")]
    Index(#[from] index::Error),
    /// There is a state of more than the log has.
    #[error(
        "the state includes entry {state}, but the log has no outcome after that of entry {last}: \
         the log is an older copy, or its end is missing; put the log's newest files back, or \
         restore the app from a backup"
    )]
    Short {
        /// The last entry in the state.
        state: Sequence,
        /// The last entry with an outcome in the log.
        last: Sequence,
    },
    /// There is an index of more than the log has.
    #[error(
        "the index knows entry {indexed}, but the log ends with entry {last}: the log is an older \
         copy, or its end is missing; put the log's newest files back, or restore the app from a \
         backup"
    )]
    Behind {
        /// The last entry in the index.
        indexed: Sequence,
        /// The last entry in the log.
        last: Sequence,
    },
}

/// Told how much of the log has been read, in percent.
pub type Told<'a> = dyn FnMut(u8) + 'a;

/// Reads a log from its beginning, or from where a checkpoint ends.
///
/// # Errors
/// [`Error`]: nothing is served from a log that is not whole.
pub fn recover(
    storage: &dyn Storage,
    base: Option<Checkpoint>,
    told: &mut Told<'_>,
) -> Result<Recovered, Error> {
    let start = base.as_ref().map(|base| base.start);
    let mut replay = Replay::from(base);
    let before = start.map_or(0, |start| start.tail.number);
    let opened = storage.open(start.as_ref(), &mut |round, progress| {
        told(percent(before, round.header.number, progress));
        replay.round(round)
    })?;
    if replay.outcome < replay.state.sequence() {
        let (state, last) = (replay.state.sequence(), replay.outcome);
        return Err(Error::Short { state, last });
    }
    let marks = replay.marks.unwrap_or_else(|| Marks::new(Start::of(opened.history)));
    Ok(Recovered {
        log: opened.log,
        history: opened.history,
        state: replay.state,
        unfinished: replay.unfinished,
        ids: replay.ids,
        places: replay.places,
        attempts: replay.attempts,
        tail: opened.tail,
        floor_ms: replay.floor_ms,
        time_ms: replay.time_ms,
        marks,
        bytes: replay.bytes,
    })
}

/// Files have as many rounds as they have; each counts alike until it is open.
fn percent(before: u64, number: u64, progress: Progress) -> u8 {
    let Progress { segment, segments, last_round } = progress;
    let of_file = (number.saturating_sub(before) as f64
        / last_round.saturating_sub(before).max(1) as f64)
        .clamp(0.0, 1.0);
    let files = segments.max(1) as f64;
    let done = (segment.saturating_sub(1) as f64 + of_file) / files * 100.0;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 100")]
    {
        done.clamp(0.0, 100.0) as u8
    }
}

/// Boundaries between rounds from which the log could be read on.
#[derive(Debug, Clone)]
pub struct Marks {
    settled: Start,
    /// Boundaries after it up to which some entry has no outcome; the last round's
    /// is the last.
    later: VecDeque<Start>,
}

impl Marks {
    /// With nothing after this boundary.
    #[must_use]
    pub fn new(start: Start) -> Self {
        Self { settled: start, later: VecDeque::new() }
    }

    /// Adds the boundary after the next round.
    pub fn push(&mut self, mark: Start) {
        self.later.push_back(mark);
        while let Some(next) = self.later.front().filter(|next| next.entry <= mark.outcome) {
            self.settled = *next;
            self.later.pop_front();
        }
    }

    /// The latest boundary up to which every entry has an outcome.
    #[must_use]
    pub fn settled(&self) -> Start {
        self.settled
    }

    /// The last boundary.
    #[must_use]
    pub fn last(&self) -> Start {
        self.later.back().copied().unwrap_or(self.settled)
    }
}

/// What has been read so far.
struct Replay {
    state: State,
    unfinished: VecDeque<Entry>,
    ids: Ids,
    places: Places,
    attempts: HashMap<Uuid, u32>,
    floor_ms: u64,
    time_ms: u64,
    /// The last entry that was read, and the last outcome.
    entry: Sequence,
    outcome: Sequence,
    marks: Option<Marks>,
    bytes: u64,
}

impl Replay {
    fn from(base: Option<Checkpoint>) -> Self {
        let Some(Checkpoint { start, state, attempts }) = base else {
            return Self {
                state: State::empty(),
                unfinished: VecDeque::new(),
                ids: Ids::default(),
                places: Places::after(Sequence(0)),
                attempts: HashMap::new(),
                floor_ms: 0,
                time_ms: 0,
                entry: Sequence(0),
                outcome: Sequence(0),
                marks: None,
                bytes: 0,
            };
        };
        Self {
            state,
            unfinished: VecDeque::new(),
            ids: Ids::default(),
            places: Places::after(start.entry),
            attempts: attempts.into_iter().map(|attempt| (attempt.id, attempt.count)).collect(),
            floor_ms: start.floor_ms,
            time_ms: start.time_ms,
            entry: start.entry,
            outcome: start.outcome,
            marks: Some(Marks::new(start)),
            bytes: 0,
        }
    }

    fn round(&mut self, round: Round) -> Result<(), Damage> {
        let header = round.header;
        self.floor_ms = header.floor_ms;
        for (index, record) in round.records.into_iter().enumerate() {
            let taken = match record {
                Record::Entry(entry) => self.entry(header.number, entry),
                Record::Outcome(outcome) => self.outcome(header.number, &outcome),
                Record::Attempt(attempt) => {
                    self.attempts.insert(attempt.id, attempt.count);
                    Ok(())
                }
            };
            taken.map_err(|what| Damage { offset: 0, record: Some(index), what })?;
        }
        let mark = Start {
            history: header.history,
            tail: Tail { number: header.number, chain: round.chain },
            floor_ms: self.floor_ms,
            time_ms: self.time_ms,
            entry: self.entry,
            outcome: self.outcome,
        };
        self.marks.get_or_insert_with(|| Marks::new(Start::of(header.history))).push(mark);
        Ok(())
    }

    fn entry(&mut self, round: u64, entry: Entry) -> Result<(), String> {
        let expected = self.entry.next();
        if entry.sequence != expected {
            return Err(format!("entry {} where {expected} was expected", entry.sequence));
        }
        if entry.time_ms < self.time_ms {
            return Err(format!("the time of entry {} is before the one before", entry.sequence));
        }
        (self.entry, self.time_ms) = (entry.sequence, entry.time_ms);
        let seen = Seen { sequence: entry.sequence, fingerprint: entry.fingerprint };
        self.ids.insert(entry.id, time_of(entry.id), seen);
        self.places.add_entry(entry.sequence, entry.id, round);
        // What the checkpoint has executed already waits for nothing.
        if entry.sequence > self.state.sequence() {
            self.unfinished.push_back(entry);
        }
        Ok(())
    }

    fn outcome(&mut self, round: u64, outcome: &Outcome) -> Result<(), String> {
        self.outcome = outcome.sequence;
        self.places.add_outcome(outcome, round);
        if outcome.sequence <= self.state.sequence() {
            return Ok(());
        }
        // Outcomes come in the order of their entries, so they are a prefix (I4).
        let entry = self.unfinished.pop_front();
        let entry = entry.filter(|entry| entry.sequence == outcome.sequence);
        let Some(entry) = entry else {
            return Err(format!("an outcome of entry {}, which is not next", outcome.sequence));
        };
        if outcome.erased {
            return Err(format!(
                "the outcome of entry {} was erased, and no checkpoint has its changes",
                outcome.sequence
            ));
        }
        let step = step_of(&self.state, entry.sequence, entry.time_ms, outcome);
        let Some(step) = step else {
            return Err(format!("the events of entry {} have a gap", outcome.sequence));
        };
        self.state.apply(step, &outcome.changes);
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
