//! `chancery trace`: what followed from what.

use clap::Args;
use http::Method;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::client::Client;
use super::output::Output;
use super::{Error, json};

/// Shows what followed from a command: its events, the commands that they led to, and
/// so on.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  chancery trace 01939d3c-1f5e-7cc2-a1a6-0d6f3cb9a3d1
  chancery trace checkout-4711 --json")]
pub(super) struct Trace {
    /// What the commands have in common: the id of the first of them, or the
    /// correlation id that its client gave it.
    #[arg(value_name = "CORRELATION-ID")]
    id: String,
}

#[derive(Deserialize)]
struct Tree {
    items: Vec<Item>,
    truncated: bool,
}

#[derive(Deserialize)]
struct Item {
    level: usize,
    #[serde(default)]
    command: Option<Command>,
    #[serde(default)]
    forgotten_command: Option<Command>,
    #[serde(default)]
    event: Option<Event>,
}

#[derive(Deserialize)]
struct Command {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    reaction: Option<String>,
    #[serde(default)]
    scheduled_for: Option<String>,
    #[serde(default)]
    schedules_for: Option<String>,
    #[serde(default)]
    status: Option<String>,
    accepted_at: String,
    sequence: u64,
    #[serde(default)]
    elapsed_us: u64,
    #[serde(default)]
    failure: Option<Failure>,
}

#[derive(Deserialize)]
struct Failure {
    code: String,
}

#[derive(Deserialize)]
struct Event {
    position: u64,
    #[serde(rename = "type")]
    event_type: String,
    #[serde(default)]
    subject: Option<String>,
    data: Box<RawValue>,
}

/// Levels beyond this are not indented further: a chain may be longer than a line.
const LEVELS_SHOWN: usize = 20;
/// How much of an event's data is shown.
const DATA_CHARS_MAX: usize = 60;

impl Trace {
    pub(super) fn run(&self, client: &Client, output: &mut Output<'_>) -> Result<(), Error> {
        let request = client.request(Method::GET, &["trace", &self.id]);
        let (tree, answer) = client.read::<Tree>(request)?;
        if output.for_programs() {
            return Ok(output.document(&answer.body)?);
        }
        for item in &tree.items {
            output.line(&item.line())?;
        }
        match tree.truncated {
            true => Ok(output.line("… and more, which a trace does not show")?),
            false => Ok(()),
        }
    }
}

impl Item {
    fn line(&self) -> String {
        let indent = "  ".repeat(self.level.min(LEVELS_SHOWN));
        let what = match (&self.command, &self.forgotten_command, &self.event) {
            (Some(command), ..) => command.line(),
            (_, Some(command), _) => {
                format!("#{} {} receipt not kept", command.sequence, command.accepted_at)
            }
            (.., Some(event)) => event.line(),
            // Of a newer server.
            _ => "?".to_owned(),
        };
        format!("{indent}{what}")
    }
}

impl Command {
    fn line(&self) -> String {
        let name = self.name.as_deref().unwrap_or("?");
        let status = self.status.as_deref().unwrap_or("?");
        let code = self.failure.as_ref().map(|failure| format!(" ({})", failure.code));
        let ms = self.elapsed_us as f64 / 1000.0;
        let (sequence, at) = (self.sequence, &self.accepted_at);
        // A reaction's commands are timers as well, that are due at once.
        let by = match (&self.reaction, &self.scheduled_for, &self.schedules_for) {
            (Some(reaction), ..) => format!(", by reaction {reaction}"),
            (None, Some(_), _) => ", by a timer".to_owned(),
            (None, None, Some(due)) => format!(", scheduled for {due}"),
            (None, None, None) => String::new(),
        };
        let code = code.unwrap_or_default();
        format!("#{sequence} {name}: {status}{code}{by}  {at}  {ms:.1} ms")
    }
}

impl Event {
    fn line(&self) -> String {
        let data = json::compact(self.data.get());
        let shown: String = data.chars().take(DATA_CHARS_MAX).collect();
        let more = if shown.len() < data.len() { "…" } else { "" };
        let subject = self.subject.as_deref().map(|subject| format!(" {subject}"));
        let (position, event_type) = (self.position, &self.event_type);
        format!("• {event_type}{}  @{position}  {shown}{more}", subject.unwrap_or_default())
    }
}
