//! `chancery query`: asks an app.

mod live;

use std::io::stdin;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use clap::Args;
use http::Method;
use serde::Serialize;
use serde_json::value::RawValue;

use super::client::{Answer, Client};
use super::output::Output;
use super::{Error, input};

/// Invokes a query and prints its result.
///
/// A query reads one immutable state and changes nothing. On a terminal, the
/// sequence of that state is told as well.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  chancery query stock-of product=lamp
  chancery query stock-of '{\"product\": \"lamp\"}' --at-least 12
  chancery query report @filter.json --json > report.json
  chancery query stock-of product=lamp --live
  chancery query --js \"[...table('stock').scan()].length\"
  chancery query --js @report.js '{\"above\": 10}'")]
pub(super) struct Query {
    /// The query's name.
    #[arg(required_unless_present = "js")]
    name: Option<String>,
    /// The input: one JSON document, @file, - for standard input, or key=value
    /// pairs, where a value is JSON if it can be and else a string [default: {}].
    #[arg(allow_negative_numbers = true)]
    input: Vec<String>,
    /// Asks by a script instead of a query that a module has: a JavaScript expression, or
    /// the body of a function, as text or @file. It sees `table(name)` and `input`, and may
    /// read every table of the app, but changes nothing.
    #[arg(long, value_name = "SCRIPT", conflicts_with = "live")]
    js: Option<String>,
    /// Waits until this sequence is visible, 5 s at most: what a receipt says is
    /// seen then [default: what is visible now].
    #[arg(long, value_name = "SEQUENCE")]
    at_least: Option<u64>,
    /// Reads the state as of exactly this sequence, if it is still held: by default
    /// for a minute [default: the latest].
    #[arg(long, value_name = "SEQUENCE")]
    as_of: Option<u64>,
    /// Goes on with what becomes of the result, until it is interrupted; connects again by
    /// itself. With --json, one result a line, with its sequence.
    #[arg(long, short, conflicts_with = "as_of")]
    live: bool,
    /// How many results a second, at most [default: what the server allows, 20 if not
    /// told otherwise].
    #[arg(long, value_name = "N", requires = "live")]
    max_rate: Option<u32>,
}

#[derive(Serialize)]
struct AdhocJson<'a> {
    script: &'a str,
    /// As it was typed.
    input: &'a RawValue,
}

impl Query {
    pub(super) fn run(&self, client: &Client, output: &mut Output<'_>) -> Result<(), Error> {
        if let Some(script) = &self.js {
            return self.adhoc(script, client, output);
        }
        let name = self.name.as_deref().unwrap_or_default();
        let input = input::document(&self.input, &mut stdin().lock())?;
        if self.live {
            return live::follow(self, name, &input, client, output);
        }
        let request = client
            .request(Method::POST, &["queries", name])
            .query("at_least", self.at_least)
            .query("as_of", self.as_of)
            .body("application/json", input.as_bytes())
            .changing_nothing();
        let answer = client.send(request)?;
        super::tell_sequence(&answer);
        write_value(&answer, output)
    }

    /// The first word after the script is no name of a query then, but of the input.
    fn adhoc(&self, script: &str, client: &Client, output: &mut Output<'_>) -> Result<(), Error> {
        let words: Vec<String> = self.name.iter().chain(&self.input).cloned().collect();
        let input = input::document(&words, &mut stdin().lock())?;
        let input: &RawValue = serde_json::from_str(&input).unwrap_or(RawValue::NULL);
        let script = &*input::text(script)?;
        let body = serde_json::to_string(&AdhocJson { script, input }).unwrap_or_default();
        let request = client
            .request(Method::POST, &["adhoc"])
            .query("at_least", self.at_least)
            .query("as_of", self.as_of)
            .body("application/json", body.as_bytes())
            .changing_nothing();
        let answer = client.send(request)?;
        super::tell_sequence(&answer);
        write_value(&answer, output)
    }
}

/// Writes a body that is a value: JSON, or bytes that only programs understand.
pub(super) fn write_value(answer: &Answer, output: &mut Output<'_>) -> Result<(), Error> {
    let content_type = answer.header("content-type").unwrap_or_default();
    let json = content_type.starts_with("application/json");
    let written = match (json, output.for_programs()) {
        (true, true) => output.document(&answer.body),
        (true, false) => output.value(&String::from_utf8_lossy(&answer.body)),
        (false, true) => {
            let document = serde_json::json!({ "result_base64": BASE64.encode(&answer.body) });
            output.document(document.to_string().as_bytes())
        }
        (false, false) if output.on_terminal() => {
            let length = answer.body.len();
            output.line(&format!("{length} bytes; redirect them to a file, or say --json"))
        }
        (false, false) => output.raw(&answer.body),
    };
    Ok(written?)
}
