//! Patterns of event types.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::Invalid;

/// The longest event type, and the longest pattern, in bytes.
pub const EVENT_TYPE_BYTES_MAX: usize = 128;

/// Which event types are meant: words separated by dots, of which `*` stands for any
/// one word and `**`, at the end, for any number of them, none included.
///
/// `order.placed` means that type only; `order.*` also `order.paid` but not
/// `order.item.added`, which `order.**` means too, and `order` itself; `**` is all.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pattern(Arc<str>);

impl Pattern {
    /// All types.
    #[must_use]
    pub fn all() -> Self {
        Self("**".into())
    }

    /// Whether a type is meant.
    #[must_use]
    pub fn matches(&self, event_type: &str) -> bool {
        let mut words = event_type.split('.');
        for wanted in self.0.split('.') {
            match (wanted, words.next()) {
                ("**", _) => return true,
                ("*", Some(_)) => {}
                (wanted, Some(word)) if wanted == word => {}
                _ => return false,
            }
        }
        words.next().is_none()
    }

    /// The pattern as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it means one type only, which is its text.
    #[must_use]
    pub fn is_one_type(&self) -> bool {
        !self.0.contains('*')
    }

    /// The words before the first wildcard, as text; empty if there are none. Every
    /// type that is meant begins with these words.
    #[must_use]
    pub fn fixed_words(&self) -> &str {
        let wild = self.0.split('.').take_while(|word| !word.starts_with('*'));
        let fixed: usize = wild.map(|word| word.len() + 1).sum();
        self.0.get(..fixed.saturating_sub(1)).unwrap_or_default()
    }
}

impl FromStr for Pattern {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = |reason: String| Err(Invalid { what: "event pattern", reason });
        if text.is_empty() || text.len() > EVENT_TYPE_BYTES_MAX {
            return invalid(format!(
                "must have 1 to {EVENT_TYPE_BYTES_MAX} bytes, not {}",
                text.len()
            ));
        }
        let mut words = text.split('.').peekable();
        while let Some(word) = words.next() {
            match word {
                "*" => {}
                "**" if words.peek().is_none() => {}
                "**" => return invalid(format!("`{text}` may have `**` at its end only")),
                word if is_word(word) => {}
                word => {
                    return invalid(format!(
                        "`{text}` has the word `{word}`; words of letters, digits, `-` and `_`, \
                         or `*`, are separated by dots, and the last may be `**`"
                    ));
                }
            }
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

/// Whether a text is a type of event: words separated by dots.
#[must_use]
pub fn is_event_type(text: &str) -> bool {
    text.len() <= EVENT_TYPE_BYTES_MAX && text.split('.').all(is_word)
}

fn is_word(word: &str) -> bool {
    let is_fit = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
    !word.is_empty() && word.bytes().all(is_fit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        text.parse().unwrap()
    }

    #[test]
    fn wildcards_stand_for_words() {
        let cases: [(&str, &[&str], &[&str]); 6] = [
            ("order.placed", &["order.placed"], &["order", "order.placed.twice", "order.paid"]),
            ("order.*", &["order.placed"], &["order", "order.item.added", "orders.placed"]),
            ("order.**", &["order", "order.placed", "order.item.added"], &["orders", "o.order"]),
            ("*.failed", &["order.failed"], &["failed", "order.item.failed"]),
            ("*.item.*", &["order.item.added"], &["order.item", "item.added"]),
            ("**", &["order", "order.item.added"], &[]),
        ];
        for (text, meant, not_meant) in cases {
            for event_type in meant {
                assert!(pattern(text).matches(event_type), "{text} {event_type}");
            }
            for event_type in not_meant {
                assert!(!pattern(text).matches(event_type), "{text} {event_type}");
            }
        }
    }

    #[test]
    fn what_comes_before_a_wildcard_is_fixed() {
        let cases = [
            ("order.item.*", "order.item"),
            ("order.placed", "order.placed"),
            ("*.a", ""),
            ("**", ""),
        ];
        for (text, fixed) in cases {
            assert_eq!(pattern(text).fixed_words(), fixed);
        }
    }

    #[test]
    fn what_does_not_parse_says_why() {
        for text in ["", ".", "order.", "order..placed", "a b", "**.placed", "order.pl*", "***"] {
            let refused = text.parse::<Pattern>().unwrap_err().to_string();
            assert!(refused.starts_with("event pattern "), "{refused}");
        }
        assert!("x".repeat(EVENT_TYPE_BYTES_MAX + 1).parse::<Pattern>().is_err());
    }
}
