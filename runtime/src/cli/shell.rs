//! Command lines that can be pasted into a shell.

/// Words as a POSIX shell reads them.
pub(super) fn quoted(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|text| word(text)).collect();
    words.join(" ")
}

/// One word, in quotes if it needs them.
pub(super) fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:@,+%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_a_shell() {
        insta::assert_snapshot!(
            quoted(&["a=1".into(), String::new(), r#"{"a": "it's"}"#.into(), "$HOME".into()]),
            @r#"a=1 '' '{"a": "it'\''s"}' '$HOME'"#
        );
    }
}
