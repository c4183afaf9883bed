//! What a reaction or a webhook has left behind, as far as it decides what comes next.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use crate::lane::reactions::{LetterState, letters, letters_in, letters_of};
use crate::state::State;
use crate::value::{Position, Sequence};

/// The letters of one of them.
#[derive(Debug, Default)]
pub(in crate::engine) struct Letters {
    /// The state they were read from; none before.
    as_of: Option<Sequence>,
    subjects: BTreeSet<Arc<str>>,
    ready: Vec<Position>,
    waiting: usize,
    dead: usize,
}

impl Letters {
    /// Reads them again if they have changed, and says whether they have.
    pub(in crate::engine) fn refresh(
        &mut self,
        state: &State,
        addressee: &impl fmt::Display,
    ) -> bool {
        let range = letters_of(addressee);
        let table = state.table(letters().as_str());
        let is_known = |as_of| table.is_none_or(|table| !table.changed_since(&range, as_of));
        if self.as_of.is_some_and(is_known) {
            return false;
        }
        *self = Self { as_of: Some(state.sequence()), ..Self::default() };
        let mut dead = BTreeSet::new();
        for (_, _, position, letter) in letters_in(state, &range) {
            let subject = letter.subject;
            let is_free = subject.as_ref().is_none_or(|subject| !dead.contains(subject));
            match letter.state {
                LetterState::Dead => {
                    self.dead += 1;
                    dead.extend(subject.clone());
                }
                LetterState::Retry => self.dead += 1,
                LetterState::Waiting => self.waiting += 1,
            }
            if is_free && letter.state != LetterState::Dead {
                self.ready.push(position);
            }
            self.subjects.extend(subject);
        }
        true
    }

    /// Has them read again.
    pub(in crate::engine) fn forget(&mut self) {
        self.as_of = None;
    }

    /// Notes one that is about to be.
    pub(in crate::engine) fn add(&mut self, subject: Option<&Arc<str>>, state: LetterState) {
        if let Some(subject) = subject {
            self.subjects.insert(Arc::clone(subject));
        }
        match state {
            LetterState::Waiting => self.waiting += 1,
            LetterState::Dead | LetterState::Retry => self.dead += 1,
        }
    }

    /// Whether events about a subject have to wait.
    pub(in crate::engine) fn blocks(&self, subject: &str) -> bool {
        self.subjects.contains(subject)
    }

    /// Those that are to be tried, in order: each as soon as the one before it about the
    /// same subject is handled.
    pub(in crate::engine) fn ready(&self) -> &[Position] {
        &self.ready
    }

    /// How many wait behind others.
    pub(in crate::engine) fn waiting(&self) -> usize {
        self.waiting
    }

    /// How many could not be handled.
    pub(in crate::engine) fn dead(&self) -> usize {
        self.dead
    }
}
