//! What "the same command" means: a SHA-256 of the name and the input, with
//! white space removed, object keys sorted, and numbers and strings as written.
//!
//! Number text is kept because a parser may round what a handler would not:
//! `1.0` and `1` are different commands here, and so are `1e2` and `100`.

use sha2::{Digest, Sha256};

use crate::value::Hash;

/// The fingerprint of a command. The input must be well-formed JSON.
#[must_use]
pub fn of_command(name: &str, input: &str) -> Hash {
    let mut hash = Sha256::new();
    hash.update(name.as_bytes());
    hash.update([0]);
    hash.update(canonical(input).as_bytes());
    Hash(hash.finalize().into())
}

/// The fingerprint of a command that is to be submitted at a time, which makes another
/// of it.
#[must_use]
pub fn of_schedule(at_ms: u64, name: &str, input: &str) -> Hash {
    let command = of_command(name, input);
    Hash::of(format!("at {at_ms} {command}").as_bytes())
}

/// A well-formed JSON text with white space removed and object keys sorted.
fn canonical(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    write_value(&mut rest, &mut out);
    out
}

/// Copies the value at the start of `rest` and moves behind it.
fn write_value(rest: &mut &str, out: &mut String) {
    *rest = rest.trim_start();
    match rest.as_bytes().first() {
        Some(b'{') => write_object(rest, out),
        Some(b'[') => write_array(rest, out),
        Some(b'"') => out.push_str(take_string(rest)),
        _ => out.push_str(take_while(rest, |c| {
            !matches!(c, b',' | b']' | b'}') && !c.is_ascii_whitespace()
        })),
    }
}

fn write_array(rest: &mut &str, out: &mut String) {
    out.push('[');
    skip(rest);
    while !matches!(rest.as_bytes().first(), Some(b']') | None) {
        write_value(rest, out);
        separator(rest, out);
    }
    skip(rest);
    out.push(']');
}

fn write_object(rest: &mut &str, out: &mut String) {
    let mut members = Vec::new();
    skip(rest);
    while !matches!(rest.as_bytes().first(), Some(b'}') | None) {
        let key = take_string(rest);
        *rest = rest.trim_start();
        skip(rest);
        let mut value = String::new();
        write_value(rest, &mut value);
        members.push((key, value));
        separator(rest, &mut String::new());
    }
    skip(rest);
    // Stable: of two members with one key, parsers take the later.
    members.sort_by_key(|(key, _)| *key);
    out.push('{');
    for (index, (key, value)) in members.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        out.push_str(key);
        out.push(':');
        out.push_str(value);
    }
    out.push('}');
}

/// Steps over one byte of punctuation and the white space behind it.
fn skip(rest: &mut &str) {
    *rest = rest.get(1..).unwrap_or_default().trim_start();
}

fn separator(rest: &mut &str, out: &mut String) {
    *rest = rest.trim_start();
    if rest.starts_with(',') {
        skip(rest);
        out.push(',');
    }
}

/// The string at the start of `rest`, with its quotes.
fn take_string<'a>(rest: &mut &'a str) -> &'a str {
    let mut escaped = false;
    let mut opened = false;
    let end = rest.bytes().position(|c| {
        let closes = opened && !escaped && c == b'"';
        opened = true;
        escaped = !escaped && c == b'\\';
        closes
    });
    let (string, behind) = rest.split_at(end.map_or(rest.len(), |end| end + 1));
    *rest = behind;
    string
}

fn take_while<'a>(rest: &mut &'a str, belongs: impl Fn(u8) -> bool) -> &'a str {
    let end = rest.bytes().position(|c| !belongs(c)).unwrap_or(rest.len());
    let (taken, behind) = rest.split_at(end);
    *rest = behind;
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_and_the_order_of_keys_do_not_matter() {
        let one =
            canonical(" { \"b\" : [ 1 , 2.0, { } , [ ] ] ,\n\"a\\\"{\" : \"x , y\" , \"c\":null} ");
        assert_eq!(one, r#"{"a\"{":"x , y","b":[1,2.0,{},[]],"c":null}"#);
        assert_eq!(of_command("n", r#"{"a":1,"b":2}"#), of_command("n", "{ \"b\":2, \"a\" :1 }"));
    }

    #[test]
    fn a_time_makes_another_command() {
        let at = |at_ms| of_schedule(at_ms, "n", "{}");
        assert_eq!(at(1), of_schedule(1, "n", "{ }"));
        assert_ne!(at(1), at(2));
        assert_ne!(at(0), of_command("n", "{}"));
    }

    #[test]
    fn everything_else_does() {
        let base = of_command("n", r#"{"a":1}"#);
        for (name, input) in
            [("m", r#"{"a":1}"#), ("n", r#"{"a":1.0}"#), ("n", r#"{"a":"1"}"#), ("n", "[1]")]
        {
            assert_ne!(base, of_command(name, input), "{name} {input}");
        }
        assert_ne!(canonical("[1,2]"), canonical("[2,1]"));
        assert_eq!(canonical("[[1],[2,[]]]"), "[[1],[2,[]]]");
    }
}
