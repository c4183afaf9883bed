//! `chancery timers`: commands that are to be submitted later.

use clap::Args;
use http::Method;
use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::client::Client;
use super::output::Output;
use super::receipt::Receipt;
use super::{Error, json, shell};

/// Lists the commands that are to be submitted later, or shows or cancels one.
///
/// A timer is made by a handler, or by `chancery command --at`. When it has fired, its id
/// is that of the command it submitted: `chancery commands <ID>` shows the receipt.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  chancery timers
  chancery timers 01939d3c-1f5e-8cc2-a1a6-0d6f3cb9a3d1
  chancery timers 01939d3c-1f5e-8cc2-a1a6-0d6f3cb9a3d1 --cancel")]
pub(super) struct Timers {
    /// The timer that is shown.
    timer: Option<Uuid>,
    /// Takes the timer back, so that its command is not submitted.
    #[arg(long, requires = "timer")]
    cancel: bool,
    /// Only timers behind this place, as the end of a list gives it [default: from the
    /// first].
    #[arg(long, conflicts_with = "timer", value_name = "PLACE")]
    after: Option<String>,
    /// How many, 1 to 1000, in the order in which they fire.
    #[arg(long, conflicts_with = "timer", value_name = "N", default_value_t = 50)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
}

#[derive(Deserialize)]
struct Page {
    timers: Vec<Timer>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Timer {
    id: String,
    due: String,
    command: String,
    input: Box<RawValue>,
    metadata: Box<RawValue>,
    correlation_id: String,
    causation_id: String,
    since: u64,
    #[serde(default)]
    reaction: Option<String>,
}

impl Timers {
    pub(super) fn run(&self, client: &Client, output: &mut Output<'_>) -> Result<(), Error> {
        match self.timer {
            Some(timer) if self.cancel => cancel(timer, client, output),
            Some(timer) => show(timer, client, output),
            None => self.list(client, output),
        }
    }

    fn list(&self, client: &Client, output: &mut Output<'_>) -> Result<(), Error> {
        let request = client
            .request(Method::GET, &["timers"])
            .query("after", self.after.as_deref())
            .query("limit", Some(self.limit));
        let (page, answer) = client.read::<Page>(request)?;
        super::tell_sequence(&answer);
        if output.for_programs() {
            return Ok(output.document(&answer.body)?);
        }
        let rows: Vec<_> = page.timers.iter().map(Timer::row).collect();
        output.table(&["due", "command", "input", "id"], &rows)?;
        match page.next {
            Some(next) => Ok(output.line(&format!("more: --after {}", shell::word(&next)))?),
            None => Ok(()),
        }
    }
}

impl Timer {
    fn row(&self) -> Vec<String> {
        let input = json::compact(self.input.get());
        vec![self.due.clone(), self.command.clone(), input, self.id.clone()]
    }
}

fn show(timer: Uuid, client: &Client, output: &mut Output<'_>) -> Result<(), Error> {
    let request = client.request(Method::GET, &["timers", &timer.to_string()]);
    let (timer, answer) = client.read::<Timer>(request)?;
    super::tell_sequence(&answer);
    if output.for_programs() {
        return Ok(output.document(&answer.body)?);
    }
    Ok(output.fields(&[
        ("id", timer.id),
        ("due", timer.due),
        ("command", timer.command),
        ("input", json::compact(timer.input.get())),
        ("metadata", json::compact(timer.metadata.get())),
        ("correlation", timer.correlation_id),
        ("causation", timer.causation_id),
        ("since entry", timer.since.to_string()),
        ("reaction", timer.reaction.unwrap_or_default()),
    ])?)
}

fn cancel(timer: Uuid, client: &Client, output: &mut Output<'_>) -> Result<(), Error> {
    let request = client.request(Method::DELETE, &["timers", &timer.to_string()]);
    let (receipt, answer) = client.read::<Receipt>(request)?;
    if output.for_programs() {
        output.document(&answer.body)?;
    } else if receipt.succeeded() {
        output.headline(&format!("cancelled {timer}"))?;
        receipt.write(output)?;
    }
    receipt.refusal().map_or(Ok(()), Err)
}
