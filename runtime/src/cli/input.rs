//! What a person types after the name of a query or command, as one JSON document.
//!
//! Numbers keep their digits and members their order: the text is put together, not
//! parsed into numbers and written again, so that `amount=12345678901234567890.10`
//! arrives as it was typed.

use std::borrow::Cow;
use std::io::Read;

use serde_json::value::RawValue;

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// It cannot be read.
    #[error("cannot read the input from {from}")]
    Unreadable {
        /// A file, or standard input.
        from: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is not JSON.
    #[error("the input from {from} is not JSON: {reason}")]
    NotJson {
        /// The command line, a file, or standard input.
        from: String,
        /// What is wrong and where.
        reason: String,
    },
    /// An argument is neither JSON nor a pair.
    #[error(
        "`{argument}` is neither JSON nor key=value; give one JSON document, @file, - for \
         standard input, or pairs such as name=lamp count=2"
    )]
    NotAPair {
        /// The argument.
        argument: String,
    },
    /// A key is given twice.
    #[error("`{key}` is given twice")]
    Twice {
        /// Which key.
        key: String,
    },
}

/// The document that some arguments stand for; `{}` for none.
pub(super) fn document(arguments: &[String], stdin: &mut dyn Read) -> Result<String, Error> {
    match arguments {
        [] => Ok("{}".to_owned()),
        [one] if one == "-" => {
            let mut text = String::new();
            let from = "standard input";
            match stdin.read_to_string(&mut text) {
                Ok(_) => checked(&text, from),
                Err(source) => Err(Error::Unreadable { from: from.to_owned(), source }),
            }
        }
        [one] => match one.strip_prefix('@') {
            Some(path) => from_file(path),
            None => from_argument(one),
        },
        pairs => from_pairs(pairs),
    }
}

/// A text that is given itself, or as @file.
pub(super) fn text(argument: &str) -> Result<Cow<'_, str>, Error> {
    let Some(path) = argument.strip_prefix('@') else {
        return Ok(argument.into());
    };
    let read = std::fs::read_to_string(path);
    read.map(Cow::Owned).map_err(|source| Error::Unreadable { from: path.to_owned(), source })
}

fn from_file(path: &str) -> Result<String, Error> {
    match std::fs::read_to_string(path) {
        Ok(text) => checked(&text, path),
        Err(source) => Err(Error::Unreadable { from: path.to_owned(), source }),
    }
}

/// One argument is a document if it is JSON or plainly wants to be.
fn from_argument(argument: &str) -> Result<String, Error> {
    let is_json = serde_json::from_str::<&RawValue>(argument).is_ok();
    if is_json || argument.trim_start().starts_with(['{', '[', '"']) {
        return checked(argument, "the command line");
    }
    from_pairs(&[argument.to_owned()])
}

fn from_pairs(pairs: &[String]) -> Result<String, Error> {
    let mut members: Vec<(&str, String)> = Vec::new();
    for argument in pairs {
        let pair = argument.split_once('=').filter(|(key, _)| !key.is_empty());
        let not_a_pair = || Error::NotAPair { argument: argument.clone() };
        let (key, text) = pair.ok_or_else(not_a_pair)?;
        if members.iter().any(|(given, _)| *given == key) {
            return Err(Error::Twice { key: key.to_owned() });
        }
        members.push((key, value_of(text)));
    }
    let member = |(key, value): &(&str, String)| format!("{}:{value}", quoted(key));
    let members: Vec<String> = members.iter().map(member).collect();
    Ok(format!("{{{}}}", members.join(",")))
}

fn value_of(text: &str) -> String {
    match serde_json::from_str::<&RawValue>(text) {
        Ok(json) => json.get().to_owned(),
        Err(_) => quoted(text),
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn checked(text: &str, from: &str) -> Result<String, Error> {
    // Editors on some systems begin a file with this mark; JSON does not allow it.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match serde_json::from_str::<&RawValue>(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(Error::NotJson { from: from.to_owned(), reason: error.to_string() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(arguments: &[&str]) -> String {
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        match document(&arguments, &mut r#"{"from":"stdin"}"#.as_bytes()) {
            Ok(text) => text,
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn pairs_become_an_object_in_their_order() {
        insta::assert_snapshot!(of(&[]), @"{}");
        insta::assert_snapshot!(
            of(&["name=lamp", "count=2", "gift=true", "note=", "tags=[1, 2]", "zip=01234"]),
            @r#"{"name":"lamp","count":2,"gift":true,"note":"","tags":[1, 2],"zip":"01234"}"#
        );
        insta::assert_snapshot!(of(&["a=b=c"]), @r#"{"a":"b=c"}"#);
        insta::assert_snapshot!(of(&[r#"count="2""#]), @r#"{"count":"2"}"#);
        insta::assert_snapshot!(of(&[r#"a"b=line"#]), @r#"{"a\"b":"line"}"#);
    }

    #[test]
    fn digits_arrive_as_typed() {
        insta::assert_snapshot!(of(&["n=12345678901234567890.10"]), @r#"{"n":12345678901234567890.10}"#);
        insta::assert_snapshot!(of(&["1e400"]), @"1e400");
    }

    #[test]
    fn one_argument_may_be_a_document() {
        insta::assert_snapshot!(of(&[r#"{"a": 1.0}"#]), @r#"{"a": 1.0}"#);
        insta::assert_snapshot!(of(&["\"lamp\""]), @r#""lamp""#);
        insta::assert_snapshot!(of(&["null"]), @"null");
        insta::assert_snapshot!(of(&["-"]), @r#"{"from":"stdin"}"#);
    }

    #[test]
    fn what_is_no_input_is_said() {
        insta::assert_snapshot!(of(&["lamp"]), @"error: `lamp` is neither JSON nor key=value; give one JSON document, @file, - for standard input, or pairs such as name=lamp count=2");
        insta::assert_snapshot!(of(&["{\"a\": }"]), @"error: the input from the command line is not JSON: expected value at line 1 column 7");
        insta::assert_snapshot!(of(&["a=1", "a=2"]), @"error: `a` is given twice");
        insta::assert_snapshot!(of(&["=1"]), @"error: `=1` is neither JSON nor key=value; give one JSON document, @file, - for standard input, or pairs such as name=lamp count=2");
        insta::assert_snapshot!(of(&["{}", "a=1"]), @"error: `{}` is neither JSON nor key=value; give one JSON document, @file, - for standard input, or pairs such as name=lamp count=2");
        insta::assert_snapshot!(of(&["@/nowhere/x.json"]), @"error: cannot read the input from /nowhere/x.json");
    }
}
