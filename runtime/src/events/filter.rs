//! Which events are wanted, and by which terms they are found.

use std::sync::Arc;

use uuid::Uuid;

use crate::index::postings::Term;
use crate::value::{Pattern, StoredEvent};

/// Which events are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Those of a type that one of these means; of any type if there are none.
    pub types: Vec<Pattern>,
    /// Those about this subject; about any if none.
    pub subject: Option<Arc<str>>,
}

impl Filter {
    /// Whether an event is wanted.
    #[must_use]
    pub fn matches(&self, event: &StoredEvent) -> bool {
        let has_type = self.types.is_empty()
            || self.types.iter().any(|type_| type_.matches(&event.event_type));
        has_type
            && self.subject.as_ref().is_none_or(|wanted| event.subject.as_ref() == Some(wanted))
    }

    /// Terms of which every wanted event has one; none if all events have to be looked
    /// at.
    pub(super) fn terms(&self) -> Option<Vec<Term>> {
        if let Some(subject) = &self.subject {
            return Some(vec![subject_term(subject)]);
        }
        let terms = self.types.iter().map(pattern_term).collect::<Option<Vec<_>>>();
        let mut terms = terms.filter(|terms| !terms.is_empty())?;
        terms.sort_unstable();
        terms.dedup();
        Some(terms)
    }
}

fn pattern_term(pattern: &Pattern) -> Option<Term> {
    if pattern.is_one_type() {
        return Some(type_term(pattern.as_str()));
    }
    Some(pattern.fixed_words()).filter(|words| !words.is_empty()).map(words_term)
}

/// The terms of a type: itself, and each of its beginnings.
pub(super) fn type_terms(event_type: &str) -> impl Iterator<Item = Term> + '_ {
    let ends = event_type.match_indices('.').map(|(at, _)| at).chain([event_type.len()]);
    let words = ends.filter_map(|end| event_type.get(..end)).map(words_term);
    words.chain([type_term(event_type)])
}

fn type_term(event_type: &str) -> Term {
    Term::of(&format!("type:{event_type}"))
}

/// Of types that begin with these words, or are them.
fn words_term(words: &str) -> Term {
    Term::of(&format!("words:{words}"))
}

pub(super) fn subject_term(subject: &str) -> Term {
    Term::of(&format!("subject:{subject}"))
}

pub(super) fn id_term(id: Uuid) -> Term {
    Term::of(&format!("event:{id}"))
}

/// Of commands, by sequence.
pub(super) fn correlation_term(correlation_id: &str) -> Term {
    Term::of(&format!("correlation:{correlation_id}"))
}
