//! Patterns of event types, as the server matches them.

/// Whether a pattern means a type: words separated by dots, of which `*` stands for
/// any one word and `**`, at the end, for any number of them, none included.
pub(crate) fn matches(pattern: &str, event_type: &str) -> bool {
    let mut words = event_type.split('.');
    for wanted in pattern.split('.') {
        match (wanted, words.next()) {
            ("**", _) => return true,
            ("*", Some(_)) => {}
            (wanted, Some(word)) if wanted == word => {}
            _ => return false,
        }
    }
    words.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn wildcards_stand_for_words() {
        for (pattern, event_type, is_meant) in [
            ("order.placed", "order.placed", true),
            ("order.placed", "order.placed.twice", false),
            ("order.*", "order.placed", true),
            ("order.*", "order", false),
            ("order.**", "order", true),
            ("order.**", "order.item.added", true),
            ("order.**", "orders", false),
            ("*.failed", "payment.failed", true),
            ("*.failed", "failed", false),
            ("**", "anything.at.all", true),
        ] {
            assert_eq!(matches(pattern, event_type), is_meant, "{pattern} {event_type}");
        }
    }
}
