//! Postings that are not on disk yet, and the newest events.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::filter::{correlation_term, id_term, subject_term, type_terms};
use super::stored::stored;
use crate::archive::Archived;
use crate::index::postings::{Posting, Term};
use crate::record::{Entry, Outcome};
use crate::state::Order;
use crate::value::{Event, Position, Sequence, StoredEvent};

/// How many of the newest events are kept as they are read, for those who follow.
const NEWEST_MAX: usize = 1024;
/// And how many bytes of them.
const NEWEST_BYTES_MAX: usize = 1 << 20;

/// What is known of the entries after some entry.
#[derive(Debug, Default)]
pub struct Recent {
    /// The last entry that has an outcome; all before it have one (I4).
    done: Sequence,
    /// Entries that have none, with what they have in common with others.
    pending: VecDeque<(Sequence, Term)>,
    /// In order of their entries.
    log: VecDeque<(Sequence, Posting)>,
    /// The same by term, in order; but for ids.
    numbers: HashMap<Term, VecDeque<u64>>,
    /// Events by the terms of their ids, which none shares with another.
    ids: HashMap<Term, Position>,
    /// The first event of each entry that has some.
    starts: VecDeque<(Position, Sequence)>,
    newest: VecDeque<Arc<StoredEvent>>,
    newest_bytes: usize,
}

impl Recent {
    /// Of the entries after this one.
    #[must_use]
    pub fn after(done: Sequence) -> Self {
        Self { done, ..Self::default() }
    }

    /// Notes an entry.
    pub fn entry(&mut self, entry: &Entry) {
        // Found by its id as well, which most are their own correlation of.
        if let Some(command) = entry.act.command()
            && !entry.erased
            && *command.correlation_id != *entry.id.to_string()
        {
            self.pending.push_back((entry.sequence, correlation_term(&command.correlation_id)));
        }
    }

    /// Notes the outcome of the next entry; one that is known changes nothing.
    pub fn outcome(&mut self, outcome: &Outcome) {
        let sequence = outcome.sequence;
        let is_known = sequence <= self.done;
        while let Some((_, term)) = self.pending.pop_front_if(|(first, _)| *first <= sequence) {
            if !is_known {
                self.note(sequence, term, sequence.0);
            }
        }
        if is_known {
            return;
        }
        self.done = sequence;
        if let Some(first) = outcome.events.first() {
            self.start(first.position, sequence);
        }
        for Event { position, id, event_type, subject, .. } in &outcome.events {
            self.note_id(sequence, id_term(*id), *position);
            self.event(sequence, *position, event_type, subject.as_deref());
        }
    }

    /// Notes an event of an entry that was trimmed from the log.
    pub(super) fn archived(&mut self, event: &Archived) {
        if event.sequence > self.done {
            self.done = event.sequence;
            self.start(event.position, event.sequence);
        }
        let body = event.body.as_ref();
        let subject = body.and_then(|body| body.subject.as_deref());
        if let Some(body) =
            body.filter(|body| *body.correlation_id != *event.command_id.to_string())
        {
            let term = correlation_term(&body.correlation_id);
            self.note(event.sequence, term, event.sequence.0);
        }
        self.note_id(event.sequence, id_term(event.id), event.position);
        self.event(event.sequence, event.position, &event.event_type, subject);
    }

    /// Keeps events as they are read.
    pub(super) fn keep_newest(&mut self, entry: &Entry, outcome: &Outcome) {
        for event in stored(entry, outcome) {
            let next = self.newest.back().map(|last| Position(last.position.0 + 1));
            match next {
                Some(next) if event.position < next => continue,
                // After a log was opened again there may be a gap.
                Some(next) if event.position > next => self.forget_newest(0),
                _ => {}
            }
            self.newest_bytes += bytes_of(&event);
            self.newest.push_back(event);
            self.forget_newest(NEWEST_MAX);
        }
    }

    /// What comes after what is known here, from a log that was opened again.
    pub(super) fn go_on(&mut self, later: Self) {
        self.pending = later.pending;
        let done = self.done;
        for (sequence, posting) in later.log.into_iter().filter(|(sequence, _)| *sequence > done) {
            let (term, number) = posting.parts();
            match later.ids.get(&term) == Some(&Position(number)) {
                true => self.note_id(sequence, term, Position(number)),
                false => self.note(sequence, term, number),
            }
        }
        self.starts.extend(later.starts.into_iter().filter(|(_, sequence)| *sequence > done));
        self.done = self.done.max(later.done);
    }

    /// The last entry that has an outcome.
    pub(super) fn done(&self) -> Sequence {
        self.done
    }

    pub(super) fn len(&self) -> usize {
        self.log.len() + self.starts.len()
    }

    /// What has to be on disk of the entries after this one: of so many or a few more,
    /// because entries are whole. And the last of these.
    pub(super) fn rows(&self, after: Sequence, at_most: usize) -> (Sequence, Vec<Posting>) {
        let begin = self.log.partition_point(|(sequence, _)| *sequence <= after);
        let last = self.log.get(begin + at_most).map_or(self.done, |(sequence, _)| *sequence);
        let log = self.log.range(begin..).take_while(|(sequence, _)| *sequence <= last);
        let mut rows: Vec<_> = log.map(|(_, posting)| *posting).collect();
        let begin = self.starts.partition_point(|(_, sequence)| *sequence <= after);
        let starts = self.starts.range(begin..).take_while(|(_, sequence)| *sequence <= last);
        rows.extend(starts.map(|(position, sequence)| Posting::first_event(*position, *sequence)));
        (last, rows)
    }

    /// Forgets the postings of entries up to this one, so many at most; true if there
    /// are more.
    pub(super) fn forget_through(&mut self, sequence: Sequence, at_most: usize) -> bool {
        for _ in 0..at_most {
            let Some((_, posting)) = self.log.pop_front_if(|(of, _)| *of <= sequence) else {
                break;
            };
            let (term, number) = posting.parts();
            if self.ids.get(&term) == Some(&Position(number)) {
                self.ids.remove(&term);
            } else if let Some(numbers) = self.numbers.get_mut(&term) {
                numbers.pop_front_if(|first| *first <= number);
                if numbers.is_empty() {
                    self.numbers.remove(&term);
                }
            }
        }
        for _ in 0..at_most {
            if self.starts.pop_front_if(|(_, of)| *of <= sequence).is_none() {
                break;
            }
        }
        let first = self.log.front().map(|(of, _)| *of).into_iter();
        let first = first.chain(self.starts.front().map(|(_, of)| *of)).min();
        first.is_some_and(|first| first <= sequence)
    }

    /// Numbers that have a term, from one on or back, at most so many.
    pub(super) fn numbers(&self, term: Term, from: u64, order: Order, at_most: usize) -> Vec<u64> {
        let Some(numbers) = self.numbers.get(&term) else { return Vec::new() };
        match order {
            Order::Ascending => {
                let begin = numbers.partition_point(|number| *number < from);
                numbers.range(begin..).take(at_most).copied().collect()
            }
            Order::Descending => {
                let end = numbers.partition_point(|number| *number <= from);
                numbers.range(..end).rev().take(at_most).copied().collect()
            }
        }
    }

    /// The event whose id has a term.
    pub(super) fn with_id(&self, term: Term) -> Option<Position> {
        self.ids.get(&term).copied()
    }

    /// The entry of an event, if it is one of these.
    pub(super) fn entry_of(&self, position: Position) -> Option<Sequence> {
        let after = self.starts.partition_point(|(first, _)| *first <= position);
        self.starts.get(after.checked_sub(1)?).map(|(_, sequence)| *sequence)
    }

    /// The first event whose entry is known here.
    pub(super) fn first_event(&self) -> Option<Position> {
        self.starts.front().map(|(first, _)| *first)
    }

    /// Entries without an outcome that have a correlation in common.
    pub(super) fn pending(&self, term: Term) -> Vec<Sequence> {
        let found = self.pending.iter().filter(|(_, of)| *of == term);
        found.map(|(sequence, _)| *sequence).collect()
    }

    /// An event, if it is one of the newest.
    pub(super) fn newest(&self, position: Position) -> Option<Arc<StoredEvent>> {
        let first = self.newest.front()?.position;
        let at = usize::try_from(position.0.checked_sub(first.0)?).ok()?;
        self.newest.get(at).cloned()
    }

    fn start(&mut self, position: Position, sequence: Sequence) {
        self.starts.push_back((position, sequence));
    }

    fn event(
        &mut self,
        sequence: Sequence,
        position: Position,
        event_type: &str,
        subject: Option<&str>,
    ) {
        for term in type_terms(event_type).chain(subject.map(subject_term)) {
            self.note(sequence, term, position.0);
        }
    }

    fn note_id(&mut self, sequence: Sequence, term: Term, position: Position) {
        self.ids.insert(term, position);
        self.log.push_back((sequence, Posting::new(term, position.0)));
    }

    fn note(&mut self, sequence: Sequence, term: Term, number: u64) {
        let numbers = self.numbers.entry(term).or_default();
        if numbers.back().is_none_or(|last| *last < number) {
            numbers.push_back(number);
            self.log.push_back((sequence, Posting::new(term, number)));
        }
    }

    fn forget_newest(&mut self, n_left: usize) {
        while self.newest.len() > n_left || self.newest_bytes > NEWEST_BYTES_MAX {
            let Some(event) = self.newest.pop_front() else { break };
            self.newest_bytes = self.newest_bytes.saturating_sub(bytes_of(&event));
        }
    }
}

/// What an event takes, more or less.
pub(super) fn bytes_of(event: &StoredEvent) -> usize {
    size_of::<StoredEvent>() + event.data.len() + event.subject.as_deref().map_or(0, str::len)
}
