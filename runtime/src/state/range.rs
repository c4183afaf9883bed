//! Which keys a scan covers, and in which direction it goes.
//!
//! Every range is two bounds; prefixes and single keys are turned into bounds
//! here, so that nothing further down has to tell them apart.

use std::cmp::Ordering;
use std::ops::Bound;

/// Keys from `lower` up to, and without, `upper`. A lower bound at or above the
/// upper one covers nothing.
#[derive(Clone, PartialEq, Eq, Hash, Default, Debug)]
pub struct Range {
    /// The lowest key that belongs to the range; none means from the first.
    pub lower: Option<String>,
    /// The lowest key beyond the range; none means to the last.
    pub upper: Option<String>,
}

/// In which direction a scan goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// From the lowest key up.
    Ascending,
    /// From the highest key down.
    Descending,
}

impl Range {
    /// Every key.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// Keys that begin with this text; the empty text means every key.
    #[must_use]
    pub fn prefix(prefix: &str) -> Self {
        Self { lower: Some(prefix.to_owned()), upper: beyond_prefix(prefix) }
    }

    /// Keys between two bounds, the lower inclusive, the upper exclusive.
    #[must_use]
    pub fn between(lower: Option<String>, upper: Option<String>) -> Self {
        Self { lower, upper }
    }

    /// One key.
    #[must_use]
    pub fn key(key: &str) -> Self {
        Self { lower: Some(key.to_owned()), upper: Some(successor(key)) }
    }

    /// What is left of the range once a scan has given out `key`.
    #[must_use]
    pub fn beyond(self, key: &str, order: Order) -> Self {
        match order {
            Order::Ascending => self.after(key),
            Order::Descending => self.before(key),
        }
    }

    /// The part of the range above a key.
    #[must_use]
    pub fn after(mut self, key: &str) -> Self {
        let lower = successor(key);
        if self.lower.as_ref().is_none_or(|own| *own < lower) {
            self.lower = Some(lower);
        }
        self
    }

    /// The part of the range below a key.
    #[must_use]
    pub fn before(mut self, key: &str) -> Self {
        if self.upper.as_deref().is_none_or(|own| key < own) {
            self.upper = Some(key.to_owned());
        }
        self
    }

    /// The part of the range that a scan passes up to a key, with the key.
    #[must_use]
    pub fn through(self, key: &str, order: Order) -> Self {
        match order {
            Order::Ascending => self.before(&successor(key)),
            Order::Descending => self.from(key),
        }
    }

    /// The part of the range from a key on.
    fn from(mut self, key: &str) -> Self {
        if self.lower_text() < key {
            self.lower = Some(key.to_owned());
        }
        self
    }

    /// What every key of the range begins with, as far as the bounds tell: of a prefix,
    /// all of it.
    #[must_use]
    pub fn beginning(&self) -> &str {
        let lower = self.lower_text();
        let Some(upper) = self.upper.as_deref() else { return "" };
        let mut rest = (lower.chars(), upper.chars());
        let mut beginning = 0;
        while let (Some(own), Some(other)) = (rest.0.next(), rest.1.next()) {
            // The upper bound of a prefix is the prefix with its last character moved up.
            let is_last = || rest.1.as_str().is_empty() && (own..=char::MAX).nth(1) == Some(other);
            if own == other || is_last() {
                beginning += own.len_utf8();
            }
            if own != other {
                break;
            }
        }
        lower.get(..beginning).unwrap_or_default()
    }

    /// Both ranges as one, if there is nothing between them. Neither may be empty.
    #[must_use]
    pub fn joined(&self, other: &Self) -> Option<Self> {
        let reaches = |own: &Self, other: &Self| {
            own.upper.as_deref().is_none_or(|upper| other.lower_text() <= upper)
        };
        if !reaches(self, other) || !reaches(other, self) {
            return None;
        }
        let lower = std::cmp::min_by_key(self, other, |range| range.lower_text());
        let upper = match (&self.upper, &other.upper) {
            (Some(own), Some(other)) => Some(own.max(other).clone()),
            _ => None,
        };
        Some(Self { lower: lower.lower.clone(), upper })
    }

    /// Whether no key can be in the range.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.upper.as_ref().is_some_and(|upper| self.lower_text() >= upper.as_str())
    }

    /// Whether a key is in the range.
    #[must_use]
    pub fn contains(&self, key: &str) -> bool {
        self.lower_text() <= key && self.upper.as_deref().is_none_or(|upper| key < upper)
    }

    /// The key, if the range covers one key only.
    pub(crate) fn single(&self) -> Option<&str> {
        let (lower, upper) = (self.lower.as_deref()?, self.upper.as_deref()?);
        (upper.strip_suffix('\0')? == lower).then_some(lower)
    }

    /// The range as the standard library's collections take it. They panic at
    /// bounds in the wrong order, so ask [`is_empty`](Self::is_empty) first.
    pub(crate) fn bounds(&self) -> (Bound<&str>, Bound<&str>) {
        let lower = self.lower.as_deref().map_or(Bound::Unbounded, Bound::Included);
        let upper = self.upper.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        (lower, upper)
    }

    /// The lower bound, where the empty text, which is below every key, stands
    /// for none.
    pub(crate) fn lower_text(&self) -> &str {
        self.lower.as_deref().unwrap_or_default()
    }
}

impl Order {
    /// How two keys follow each other in this direction.
    pub(crate) fn compare(self, a: &[u8], b: &[u8]) -> Ordering {
        match self {
            Self::Ascending => a.cmp(b),
            Self::Descending => b.cmp(a),
        }
    }
}

/// The lowest text above `key`.
fn successor(key: &str) -> String {
    let mut text = String::with_capacity(key.len() + 1);
    text.push_str(key);
    text.push('\0');
    text
}

/// The lowest text above every text that begins with `prefix`. UTF-8 sorts as
/// code points do, so it is the prefix with its last character moved up by one.
fn beyond_prefix(prefix: &str) -> Option<String> {
    let mut rest = prefix.chars();
    while let Some(last) = rest.next_back() {
        // A range of characters steps over the surrogates.
        if let Some(next) = (last..=char::MAX).nth(1) {
            let mut upper = rest.as_str().to_owned();
            upper.push(next);
            return Some(upper);
        }
    }
    None
}
