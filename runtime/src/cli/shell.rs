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
    if text.chars().any(char::is_control) {
        return escaped(text);
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Keys made of several parts have tabs in them, which no terminal shows as such.
fn escaped(text: &str) -> String {
    let escape = |c: char| match c {
        '\'' => r"\'".to_owned(),
        '\\' => r"\\".to_owned(),
        '\t' => r"\t".to_owned(),
        '\n' => r"\n".to_owned(),
        '\r' => r"\r".to_owned(),
        c if c.is_control() => format!("\\u{:04x}", u32::from(c)),
        c => c.to_string(),
    };
    format!("$'{}'", text.chars().map(escape).collect::<String>())
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
        insta::assert_snapshot!(word("lamp\tit's\u{1b}\\"), @r"$'lamp\tit\'s\u001b\\'");
    }
}
