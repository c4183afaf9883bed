//! What a webhook has dealt with and is not on disk, beside its place.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::Changed;
use crate::lane::reactions::{Addressee, Letter, LetterState, letter, letter_key};
use crate::snapshot::Snapshot;
use crate::value::{Position, Value};

/// Events after which they are saved: as many as a step of a reaction has.
const EVENTS_MAX: usize = 64;
/// How long they are not saved, while more can be sent.
const AGE_MAX: Duration = Duration::from_millis(250);

/// It.
#[derive(Debug, Default)]
pub(super) struct Unsaved {
    events: usize,
    /// When the first of them was dealt with.
    since: Option<Duration>,
    letters: BTreeMap<Position, Change>,
    /// Whether what comes next depends on a letter.
    is_urgent: bool,
}

#[derive(Debug)]
struct Change {
    before: Option<Value>,
    after: Option<Letter>,
}

impl Unsaved {
    /// Notes that an event was dealt with.
    pub(super) fn note(&mut self, now: Duration) {
        self.events += 1;
        self.since.get_or_insert(now);
    }

    /// Notes what becomes of a letter.
    pub(super) fn letter(
        &mut self,
        position: Position,
        before: Option<Value>,
        after: Option<Letter>,
        now: Duration,
    ) {
        self.note(now);
        self.is_urgent |= after.as_ref().is_some_and(|letter| letter.state == LetterState::Dead);
        self.letters.insert(position, Change { before, after });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.events == 0
    }

    /// Whether there is something to be saved of a letter.
    pub(super) fn has(&self, position: Position) -> bool {
        self.letters.contains_key(&position)
    }

    /// Letters that are new, or have changed.
    pub(super) fn left_behind(&self) -> impl Iterator<Item = &Letter> {
        self.letters.values().filter_map(|change| change.after.as_ref())
    }

    /// How long it may stay so; none if there is nothing.
    pub(super) fn left(&self, now: Duration) -> Option<Duration> {
        let left = (self.since? + AGE_MAX).saturating_sub(now);
        Some(if self.is_urgent || self.events >= EVENTS_MAX { Duration::ZERO } else { left })
    }

    /// What becomes of letters, but for those that somebody else has changed.
    pub(super) fn changed(&self, snapshot: &Snapshot, addressee: &Addressee) -> Vec<Changed> {
        let changes = self.letters.iter().filter_map(|(position, change)| {
            let row = letter(&snapshot.state, addressee, *position).map(|(_, row)| row);
            let key = letter_key(addressee, *position)?;
            let after = change.after.as_ref().map(Letter::to_value);
            (row == change.before).then_some(Changed { key, before: row, after })
        });
        changes.collect()
    }
}
