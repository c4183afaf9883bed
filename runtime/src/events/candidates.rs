//! Which positions have to be looked at for a page.

use std::collections::VecDeque;
use std::ops::RangeInclusive;

use super::{Error, Events};
use crate::index::postings::Term;
use crate::state::Order;
use crate::value::Position;

/// Numbers of a term that are looked up at once.
const AT_ONCE: usize = 256;

/// Positions in order: all, or those that have one of some terms.
pub(super) struct Candidates<'a> {
    events: &'a Events,
    order: Order,
    /// The next that may be one; none beyond the ends.
    next: Option<Position>,
    first: Position,
    last: Position,
    streams: Option<Vec<Stream>>,
    /// Of events before this one it is not known which terms they have.
    indexed_from: Position,
}

struct Stream {
    term: Term,
    found: VecDeque<u64>,
    /// Nothing comes after those.
    is_over: bool,
}

impl<'a> Candidates<'a> {
    pub(super) fn new(
        events: &'a Events,
        range: RangeInclusive<Position>,
        order: Order,
        terms: Option<Vec<Term>>,
    ) -> Result<Self, Error> {
        let (first, last) = (events.first().max(*range.start()), *range.end());
        let next = match order {
            Order::Ascending => first,
            Order::Descending => last,
        };
        let indexed_from = match terms.is_some() {
            true => events.indexed_from()?,
            false => Position(u64::MAX),
        };
        let stream = |term| Stream { term, found: VecDeque::new(), is_over: false };
        let streams = terms.map(|terms| terms.into_iter().map(stream).collect());
        let mut candidates =
            Self { events, order, next: Some(next), first, last, streams, indexed_from };
        candidates.bound();
        Ok(candidates)
    }

    pub(super) fn next(&mut self) -> Result<Option<Position>, Error> {
        let Some(mut next) = self.next else { return Ok(None) };
        if let Some(streams) = &mut self.streams
            && next >= self.indexed_from
        {
            let mut nearest = None;
            for stream in streams {
                let found = stream.peek(self.events, next, self.order)?;
                nearest = match (nearest, found, self.order) {
                    (Some(one), Some(other), Order::Ascending) => Some(Position::min(one, other)),
                    (Some(one), Some(other), Order::Descending) => Some(Position::max(one, other)),
                    (one, other, _) => one.or(other),
                };
            }
            let beyond = match self.order {
                Order::Ascending => Position(u64::MAX),
                Order::Descending => Position(self.indexed_from.0.saturating_sub(1)),
            };
            self.next = Some(nearest.unwrap_or(beyond));
            self.bound();
            match self.next {
                Some(found) => next = found,
                None => return Ok(None),
            }
        }
        self.next = match self.order {
            Order::Ascending => Some(Position(next.0 + 1)),
            Order::Descending => next.0.checked_sub(1).map(Position),
        };
        self.bound();
        Ok(Some(next))
    }

    fn bound(&mut self) {
        let (first, last) = (self.first, self.last);
        self.next = self.next.filter(|next| *next >= first && *next <= last);
    }
}

impl Stream {
    /// The next position with the term, from this one on or back.
    fn peek(
        &mut self,
        events: &Events,
        from: Position,
        order: Order,
    ) -> Result<Option<Position>, Error> {
        let is_past = |number: &mut u64| match order {
            Order::Ascending => *number < from.0,
            Order::Descending => *number > from.0,
        };
        while self.found.pop_front_if(is_past).is_some() {}
        if self.found.is_empty() && !self.is_over {
            // Memory first: what leaves it is on disk by then.
            let mut found = events.recent().numbers(self.term, from.0, order, AT_ONCE);
            found.extend(events.postings.numbers(self.term, from.0, order, AT_ONCE)?);
            found.sort_unstable();
            found.dedup();
            if order == Order::Descending {
                found.reverse();
            }
            self.is_over = found.len() < AT_ONCE;
            found.truncate(AT_ONCE);
            self.found = found.into();
        }
        Ok(self.found.front().copied().map(Position))
    }
}
