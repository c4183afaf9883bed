//! `chancery command`: submits a command, so that a retry can never run it twice.
//!
//! The id is made here and printed before anything is sent: whatever happens after,
//! the same command line with that id finds out what became of it.

#[cfg(test)]
mod tests;

use std::io::stdin;
use std::time::Duration;

use clap::Args;
use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::client::{self, Answer, Client, Request};
use super::output::Output;
use super::receipt::{Event, Failure, Receipt, write_events, write_failure};
use super::{Context, Error, input, json, shell};
use crate::value::CommandId;

/// Submits a command and waits for its outcome.
///
/// The command gets an id (a UUID of version 7), which is printed before it is sent.
/// Should the answer be lost, send it again with --id: it takes effect once,
/// however often it is sent, and gets the same receipt.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  chancery command add-product product=lamp name=Lamp quantity=2
  chancery command import @films.json --no-wait
  chancery command transfer from=a to=b amount=5 --basis 41 --dry-run")]
pub(super) struct Command {
    /// The command's name.
    name: String,
    /// The input: one JSON document, @file, - for standard input, or key=value
    /// pairs, where a value is JSON if it can be and else a string [default: {}].
    #[arg(allow_negative_numbers = true)]
    input: Vec<String>,
    /// The id: a UUID of version 7, 6 or 1, made within the last 24 h (or what the
    /// server's --window says) [default: a new one].
    #[arg(long, value_name = "UUID")]
    id: Option<CommandId>,
    /// How long to wait for the outcome, in seconds, 0 to 60; after that the
    /// command is logged, and its outcome follows [default: 5].
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(0..=60))]
    wait: Option<u64>,
    /// Does not wait for the outcome: done when the command is logged.
    #[arg(long, conflicts_with = "wait")]
    no_wait: bool,
    /// Executes on the latest state and keeps nothing: shows the result, the events
    /// and the changes.
    #[arg(long, conflicts_with_all = ["wait", "no_wait"])]
    dry_run: bool,
    /// The sequence that was looked at when this command was decided upon: recorded,
    /// and shown to the handler [default: none].
    #[arg(long, value_name = "SEQUENCE")]
    basis: Option<u64>,
    /// When to submit it, such as 2030-01-31T12:00:00Z; `chancery timers` lists what
    /// waits [default: now].
    #[arg(long, value_name = "TIME", conflicts_with = "basis")]
    at: Option<String>,
}

#[derive(Serialize)]
struct Envelope<'a> {
    name: &'a str,
    input: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    basis: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<&'a str>,
}

#[derive(Deserialize)]
struct DryRun {
    on: u64,
    status: String,
    #[serde(default)]
    result: Option<Box<RawValue>>,
    #[serde(default)]
    failure: Option<Failure>,
    #[serde(default)]
    events: Vec<Event>,
    #[serde(default)]
    changes: Vec<Change>,
}

#[derive(Deserialize)]
struct Change {
    table: String,
    key: String,
    #[serde(default)]
    value: Option<Box<RawValue>>,
    #[serde(default)]
    value_base64: Option<String>,
    #[serde(default)]
    deleted: bool,
}

impl Command {
    pub(super) fn run(&self, context: &Context, output: &mut Output<'_>) -> Result<(), Error> {
        let input = input::document(&self.input, &mut stdin().lock())?;
        let id = self.id.map_or_else(Uuid::now_v7, CommandId::uuid);
        let people = !output.for_programs();
        if people && !self.dry_run {
            output.fields(&[("id", id.to_string())])?;
        }
        let answer = self.submit(&context.client, id, &input);
        let answer = answer.map_err(|error| self.with_again(error, id, context))?;
        match people {
            false => Ok(output.document(&answer.body)?),
            true if self.dry_run => write_dry_run(&context.client.parsed(&answer)?, output),
            true => {
                write_receipt(&answer, &context.client.parsed(&answer)?, &context.flags, output)
            }
        }
    }

    fn submit(&self, client: &Client, id: Uuid, input: &str) -> Result<Answer, Error> {
        let input: &RawValue = serde_json::from_str(input).map_err(unwritable)?;
        let at = self.at.as_deref();
        let envelope = Envelope { name: &self.name, input, basis: self.basis, at };
        let body = serde_json::to_vec(&envelope).map_err(unwritable)?;
        let request = client.request(Method::PUT, &["commands", &id.to_string()]);
        client.send(self.preferring(request).body("application/json", &body))
    }

    fn preferring<'a>(&self, request: Request<'a>) -> Request<'a> {
        match (self.dry_run, self.no_wait, self.wait) {
            (true, _, _) => request.header("prefer", "dry-run").changing_nothing(),
            (_, true, _) => request.header("prefer", "respond-async"),
            (_, _, Some(seconds)) => request
                .header("prefer", format!("wait={seconds}"))
                .patience(Duration::from_secs(seconds)),
            (_, _, None) => request,
        }
    }

    /// An error that leaves the command in doubt says how to find out.
    fn with_again(&self, error: Error, id: Uuid, context: &Context) -> Error {
        match error {
            Error::Problem(problem) => {
                Error::Problem(Box::new(problem.with_again(self.again(id, context))))
            }
            Error::Client(cause @ (client::Error::Lost { .. } | client::Error::Odd { .. }))
                if !self.dry_run =>
            {
                Error::Lost { cause, id, again: self.again(id, context) }
            }
            other => other,
        }
    }

    /// The command line that sends the same command again.
    fn again(&self, id: Uuid, context: &Context) -> String {
        let mut words = vec!["chancery".to_owned(), "command".to_owned(), self.name.clone()];
        words.extend(self.input.iter().cloned());
        words.extend(["--id".to_owned(), id.to_string()]);
        if let Some(basis) = self.basis {
            words.extend(["--basis".to_owned(), basis.to_string()]);
        }
        if let Some(at) = &self.at {
            words.extend(["--at".to_owned(), at.clone()]);
        }
        words.extend(context.flags.iter().cloned());
        shell::quoted(&words)
    }
}

/// The document has been checked; what cannot be sent is no fault of the server's.
fn unwritable(error: impl std::error::Error) -> Error {
    Error::Usage { message: format!("the input cannot be sent: {error}") }
}

fn write_receipt(
    answer: &Answer,
    receipt: &Receipt,
    flags: &[String],
    output: &mut Output<'_>,
) -> Result<(), Error> {
    receipt.write_rest(output)?;
    if answer.header("idempotent-replayed") == Some("true") {
        output.line("it had been submitted before; this is the receipt it got then")?;
    }
    if !receipt.is_settled() {
        let mut line = format!("chancery commands {} --wait 60", receipt.id);
        for flag in flags {
            line.extend([" ", flag]);
        }
        output.line(&format!("logged; `{line}` tells the outcome"))?;
    }
    Ok(())
}

fn write_dry_run(dry_run: &DryRun, output: &mut Output<'_>) -> Result<(), Error> {
    output.headline(&format!("tried on entry {}; nothing was kept", dry_run.on))?;
    output.fields(&[("status", dry_run.status.clone())])?;
    if let Some(failure) = &dry_run.failure {
        write_failure(failure, output)?;
    }
    let result = dry_run.result.as_ref().map(|json| json::compact(json.get()));
    output.fields(&[("result", result.unwrap_or_default())])?;
    write_events(&dry_run.events, output)?;
    if dry_run.changes.is_empty() {
        return Ok(());
    }
    let row = |change: &Change| vec![change.table.clone(), change.key.clone(), change.text()];
    let rows: Vec<_> = dry_run.changes.iter().map(row).collect();
    Ok(output.table(&["table", "key", "becomes"], &rows)?)
}

impl Change {
    fn text(&self) -> String {
        match (&self.value, &self.value_base64) {
            _ if self.deleted => "(deleted)".to_owned(),
            (Some(json), _) => json::compact(json.get()),
            (None, Some(text)) => format!("{text} (base64)"),
            (None, None) => "null".to_owned(),
        }
    }
}
