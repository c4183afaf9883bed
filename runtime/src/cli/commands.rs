//! `chancery commands`: what became of commands.

use std::time::Duration;

use clap::Args;
use http::Method;
use serde::Deserialize;
use uuid::Uuid;

use super::Error;
use super::client::Client;
use super::output::Output;
use super::receipt::Receipt;

/// Shows the receipt of a command, or lists the latest entries.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  chancery commands --status failed
  chancery commands 01939d3c-1f5e-7cc2-a1a6-0d6f3cb9a3d1 --wait 60")]
pub(super) struct Commands {
    /// The id of one command, or of a timer that has fired.
    id: Option<Uuid>,
    /// Waits for the outcome of the one command, in seconds, 0 to 60 [default: 0].
    #[arg(long, requires = "id", value_name = "SECONDS")]
    #[arg(value_parser = clap::value_parser!(u64).range(0..=60))]
    wait: Option<u64>,
    /// Only those that are accepted, succeeded, rejected or failed [default: all].
    #[arg(long, conflicts_with = "id")]
    #[arg(value_parser = ["accepted", "succeeded", "rejected", "failed"])]
    status: Option<String>,
    /// How many, 1 to 1000, the newest first.
    #[arg(long, conflicts_with = "id", value_name = "N", default_value_t = 20)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Only entries before this sequence [default: the latest].
    #[arg(long, conflicts_with = "id", value_name = "SEQUENCE")]
    before: Option<u64>,
}

#[derive(Deserialize)]
struct Page {
    commands: Vec<Receipt>,
    next: Option<u64>,
}

impl Commands {
    pub(super) fn run(&self, client: &Client, output: &mut Output<'_>) -> Result<(), Error> {
        match self.id {
            Some(id) => self.one(id, client, output),
            None => self.page(client, output),
        }
    }

    fn one(&self, id: Uuid, client: &Client, output: &mut Output<'_>) -> Result<(), Error> {
        let request = client
            .request(Method::GET, &["commands", &id.to_string()])
            .query("wait", self.wait)
            .patience(Duration::from_secs(self.wait.unwrap_or(0)));
        let (receipt, answer) = client.read::<Receipt>(request)?;
        match output.for_programs() {
            true => Ok(output.document(&answer.body)?),
            false => Ok(receipt.write(output)?),
        }
    }

    fn page(&self, client: &Client, output: &mut Output<'_>) -> Result<(), Error> {
        let request = client
            .request(Method::GET, &["commands"])
            .query("status", self.status.as_deref())
            .query("limit", Some(self.limit))
            .query("before", self.before);
        let (page, answer) = client.read::<Page>(request)?;
        if output.for_programs() {
            return Ok(output.document(&answer.body)?);
        }
        let rows: Vec<_> = page.commands.iter().map(Receipt::row).collect();
        output.table(&Receipt::HEADINGS, &rows)?;
        match page.next {
            Some(next) => Ok(output.line(&format!("older ones: --before {next}"))?),
            None => Ok(()),
        }
    }
}
