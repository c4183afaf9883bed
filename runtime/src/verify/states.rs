//! The state as the log makes it, compared with each checkpoint as the log comes to
//! where that was made.
//!
//! The state is made from nothing if the log has its first round and all that it
//! needs, else from the older checkpoint. One that agrees at its own place agrees for
//! ever after: the same changes are applied to both.

use std::collections::VecDeque;
use std::path::Path;

use uuid::Uuid;

use super::checkpoints::{Starts, Whole};
use super::compare::difference;
use super::index::Compared;
use super::{Desk, Effect, Error, Finding};
use crate::checkpoint;
use crate::index::{Place, Status};
use crate::log::Tail;
use crate::record::{Entry, Outcome, Record, Round};
use crate::recovery::step_of;
use crate::state::State;
use crate::value::{History, Position, Sequence};

const OTHER: &str = "if the other checkpoint agrees with the log, remove this file while the \
                     server is stopped; else restore the app from a backup";
const NEWER: &str = "put the newest files of the log back, or restore the app from a backup";

/// An entry that waits for its outcome.
struct Open {
    sequence: Sequence,
    time_ms: u64,
    id: Uuid,
    round: u64,
}

pub(super) struct States {
    starts: Starts,
    /// Those that the log has not come to, the first to come last.
    ahead: Vec<Whole>,
    /// None while it is not known.
    state: Option<State>,
    /// Whether it is what the log makes from nothing.
    from_nothing: bool,
    open: VecDeque<Open>,
    entry: Sequence,
    outcome: Sequence,
    /// The first event that the log has.
    first_event: Option<Position>,
    /// Boundaries that a checkpoint names and that have to be there.
    tails: Vec<(usize, Tail)>,
    has_begun: bool,
}

impl States {
    pub(super) fn new(mut starts: Starts) -> Self {
        let mut ahead = std::mem::take(&mut starts.whole);
        ahead.sort_by_key(|whole| std::cmp::Reverse(whole.sequence));
        Self {
            starts,
            tails: ahead.iter().map(|whole| whole.start.tail).enumerate().collect(),
            ahead,
            state: None,
            from_nothing: false,
            open: VecDeque::new(),
            entry: Sequence(0),
            outcome: Sequence(0),
            first_event: None,
            has_begun: false,
        }
    }

    pub(super) fn last_entry(&self) -> Sequence {
        self.entry
    }

    pub(super) fn last_outcome(&self) -> Sequence {
        self.outcome
    }

    pub(super) fn first_event(&self) -> Option<Position> {
        self.first_event
    }

    /// What was read no longer leads to what comes.
    pub(super) fn lose(&mut self) {
        self.state = None;
        self.from_nothing = false;
        self.open.clear();
    }

    pub(super) fn begin(
        &mut self,
        before: Tail,
        _history: History,
        follows: bool,
        desk: &mut Desk<'_>,
    ) -> Result<(), Error> {
        if !follows {
            self.lose();
        }
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        if is_first && before == Tail::START {
            self.state = Some(State::empty());
            self.from_nothing = true;
        }
        if is_first {
            self.too_old(before, desk);
        }
        self.boundary(before, desk);
        self.reach(Sequence(0), desk)
    }

    /// A round, whose first and last entry are returned.
    pub(super) fn round(
        &mut self,
        path: &Path,
        round: &Round,
        index: &mut Compared,
        desk: &mut Desk<'_>,
    ) -> Result<Option<(u64, u64)>, Error> {
        let mut entries = None;
        for record in &round.records {
            match record {
                Record::Entry(entry) => {
                    let number = entry.sequence.0;
                    entries = Some((entries.map_or(number, |(first, _)| first), number));
                    self.entry(entry, round.header.number);
                }
                Record::Outcome(outcome) => {
                    self.outcome(path, round.header.number, outcome, index, desk)?;
                }
                Record::Attempt(_) => {}
            }
        }
        self.boundary(Tail { number: round.header.number, chain: round.chain }, desk);
        Ok(entries)
    }

    fn entry(&mut self, entry: &Entry, round: u64) {
        self.entry = entry.sequence;
        let Entry { sequence, time_ms, id, .. } = *entry;
        self.open.push_back(Open { sequence, time_ms, id, round });
    }

    fn outcome(
        &mut self,
        path: &Path,
        round: u64,
        outcome: &Outcome,
        index: &mut Compared,
        desk: &mut Desk<'_>,
    ) -> Result<(), Error> {
        let sequence = outcome.sequence;
        self.reach(Sequence(sequence.0.saturating_sub(1)), desk)?;
        self.outcome = sequence;
        self.first_event = self.first_event.or(outcome.events.first().map(|event| event.position));
        while self.open.front().is_some_and(|open| open.sequence < sequence) {
            self.open.pop_front();
        }
        let open = self.open.pop_front_if(|open| open.sequence == sequence);
        // Its entry may be in a part of the log that was trimmed, or is damaged.
        let Some(open) = open else {
            self.state = None;
            return self.reach(sequence, desk);
        };
        let status = Status::of(outcome);
        let place = Place { entry_round: open.round, outcome_round: round, status };
        index.entry(sequence, open.id, place, desk)?;
        let Some(state) = &mut self.state else { return self.reach(sequence, desk) };
        // A checkpoint that is already further.
        if state.sequence() >= sequence {
            return self.reach(sequence, desk);
        }
        match step_of(state, sequence, open.time_ms, outcome) {
            // Its changes are gone, and only a checkpoint has them.
            _ if outcome.erased => self.lose_state(),
            Some(step) => {
                state.apply(step, &outcome.changes);
            }
            None => {
                let what = format!("the events of entry {sequence} have a gap");
                let remedy = "restore the app from a backup".to_owned();
                let (file, place) = (path.into(), Some(format!("round {round}")));
                desk.found(Finding { file, place, what, remedy, effect: Effect::Refuses });
                self.lose_state();
            }
        }
        self.reach(sequence, desk)
    }

    fn lose_state(&mut self) {
        self.state = None;
        self.from_nothing = false;
    }

    /// Compares the checkpoints of states up to this one.
    fn reach(&mut self, sequence: Sequence, desk: &mut Desk<'_>) -> Result<(), Error> {
        while let Some(whole) = self.ahead.pop_if(|whole| whole.sequence <= sequence) {
            let loaded = match self.starts.load(whole.generation) {
                Ok(checkpoint) => checkpoint.state,
                Err(error @ checkpoint::Error::Failed { .. }) => return Err(error.into()),
                // It was whole a moment ago.
                Err(error) => {
                    self.disagrees(&whole, error.to_string(), Effect::GoesOn, desk);
                    continue;
                }
            };
            let bytes = loaded.tables().map(|(_, table)| table.bytes()).sum();
            desk.read(bytes);
            match self.state.as_ref().filter(|state| state.sequence() == whole.sequence) {
                None => {
                    self.from_nothing = false;
                    self.state = Some(loaded);
                }
                Some(state) => match difference(&loaded, state) {
                    Some(what) => self.disagrees(&whole, what, Effect::Unnoticed, desk),
                    None => {
                        let with = match self.from_nothing {
                            true => "the whole log",
                            false => "the other checkpoint and the log",
                        };
                        desk.checked(&whole.path, format!("agrees with {with}"), None);
                    }
                },
            }
        }
        Ok(())
    }

    fn disagrees(&self, whole: &Whole, what: String, effect: Effect, desk: &mut Desk<'_>) {
        let (file, remedy) = (whole.path.clone(), OTHER.to_owned());
        desk.found(Finding { file, place: None, what, remedy, effect });
    }

    /// The log has to have what comes after each checkpoint.
    fn too_old(&mut self, before: Tail, desk: &mut Desk<'_>) {
        let used = self.ahead.iter().map(|whole| whole.start.tail.number).max();
        for whole in self.ahead.iter().filter(|whole| whole.start.tail.number < before.number) {
            let what = format!(
                "it reaches round {}, but the log begins with round {}",
                whole.start.tail.number,
                before.number + 1
            );
            let is_used = used == Some(whole.start.tail.number);
            let effect = if is_used { Effect::Refuses } else { Effect::GoesOn };
            let remedy = match is_used {
                true => "put the missing files of the log back, or restore the app from a backup",
                false => "nothing: a start uses the other one and writes this anew",
            };
            let (file, remedy) = (whole.path.clone(), remedy.to_owned());
            desk.found(Finding { file, place: None, what, remedy, effect });
        }
        self.ahead.retain(|whole| whole.start.tail.number >= before.number);
        self.tails.retain(|(_, tail)| tail.number >= before.number);
    }

    /// A checkpoint that starts here has to start behind this very round.
    fn boundary(&mut self, here: Tail, desk: &mut Desk<'_>) {
        let at = |tail: &Tail| tail.number == here.number;
        for (_, tail) in self.tails.extract_if(.., |(_, tail)| at(tail)) {
            if tail.chain == here.chain {
                continue;
            }
            for whole in self.ahead.iter().filter(|whole| at(&whole.start.tail)) {
                let what = format!(
                    "it was made after another round {} than the one in the log",
                    here.number
                );
                let remedy = "put the files of one app in this directory".to_owned();
                let (file, effect) = (whole.path.clone(), Effect::Refuses);
                desk.found(Finding { file, place: None, what, remedy, effect });
            }
        }
    }

    /// The state that all of it leads to.
    pub(super) fn end(
        mut self,
        is_whole: bool,
        desk: &mut Desk<'_>,
    ) -> Result<Option<State>, Error> {
        let last = self.outcome;
        self.reach(last, desk)?;
        for whole in std::mem::take(&mut self.ahead).into_iter().filter(|_| is_whole) {
            let what = format!(
                "it includes entry {}, but the log has no outcome after that of entry {last}: the \
                 log is an older copy, or its end is missing",
                whole.sequence
            );
            let (file, remedy) = (whole.path, NEWER.to_owned());
            desk.found(Finding { file, place: None, what, remedy, effect: Effect::Refuses });
        }
        Ok(self.state)
    }
}
