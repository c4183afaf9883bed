//! `chancery dead-letters`: events that reactions could not handle, or webhooks not deliver.

use clap::{Args, Subcommand};
use http::Method;
use serde::Deserialize;

use super::client::Client;
use super::output::Output;
use super::receipt::Receipt;
use super::{Error, shell};

/// Lists the events that reactions could not handle or webhooks not deliver, or does
/// something about one.
///
/// Those of a webhook are under `webhook:` and its name.
///
/// Events about the same subject wait behind a dead letter; others go on. One that is
/// dropped is never handled, and what waited behind it goes on.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "\
Examples:
  chancery dead-letters
  chancery dead-letters --reaction ship
  chancery dead-letters show ship 42
  chancery dead-letters retry ship 42     after the module was mended
  chancery dead-letters retry webhook:mails 42
  chancery dead-letters drop ship 42")]
pub(super) struct DeadLetters {
    /// Only those of this reaction [default: of all].
    #[arg(long, value_name = "REACTION")]
    reaction: Option<String>,
    /// Only those of this webhook [default: of all].
    #[arg(long, value_name = "WEBHOOK", conflicts_with = "reaction")]
    webhook: Option<String>,
    /// Only those behind this place, as the end of a list gives it [default: from the
    /// first].
    #[arg(long, value_name = "PLACE")]
    after: Option<String>,
    /// How many, 1 to 1000, by reaction or webhook, and event.
    #[arg(long, value_name = "N", default_value_t = 50)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Shows one.
    Show(Place),
    /// Has it tried again, as often as a new event would be.
    Retry(Place),
    /// Drops it: what would have followed from the event never does.
    Drop(Place),
}

#[derive(Debug, Args)]
struct Place {
    /// The reaction, or `webhook:` and the webhook.
    #[arg(value_name = "REACTION")]
    addressee: String,
    /// The event.
    position: u64,
}

#[derive(Deserialize)]
struct Page {
    dead_letters: Vec<Letter>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Letter {
    #[serde(default)]
    reaction: Option<String>,
    #[serde(default)]
    webhook: Option<String>,
    position: u64,
    state: String,
    #[serde(rename = "type")]
    event_type: String,
    #[serde(default)]
    subject: String,
    #[serde(default)]
    failure: Option<Failure>,
    attempts: u32,
    first_at: String,
    last_at: String,
}

#[derive(Deserialize)]
struct Failure {
    code: String,
    message: String,
}

impl DeadLetters {
    pub(super) fn run(&self, client: &Client, output: &mut Output<'_>) -> Result<(), Error> {
        match &self.what {
            None => self.list(client, output),
            Some(What::Show(place)) => place.show(client, output),
            Some(What::Retry(place)) => place.change(Method::POST, "retry", client, output),
            Some(What::Drop(place)) => place.change(Method::DELETE, "drop", client, output),
        }
    }

    fn list(&self, client: &Client, output: &mut Output<'_>) -> Result<(), Error> {
        let request = client
            .request(Method::GET, &["dead-letters"])
            .query("reaction", self.reaction.as_deref())
            .query("webhook", self.webhook.as_deref())
            .query("after", self.after.as_deref())
            .query("limit", Some(self.limit));
        let (page, answer) = client.read::<Page>(request)?;
        super::tell_sequence(&answer);
        if output.for_programs() {
            return Ok(output.document(&answer.body)?);
        }
        let rows: Vec<_> = page.dead_letters.iter().map(Letter::row).collect();
        output.table(&["of", "event", "type", "subject", "state", "why"], &rows)?;
        match page.next {
            Some(next) => Ok(output.line(&format!("more: --after {}", shell::word(&next)))?),
            None => Ok(()),
        }
    }
}

impl Place {
    fn show(&self, client: &Client, output: &mut Output<'_>) -> Result<(), Error> {
        let segments = ["dead-letters", &self.addressee, &self.position.to_string()];
        let (letter, answer) = client.read::<Letter>(client.request(Method::GET, &segments))?;
        super::tell_sequence(&answer);
        if output.for_programs() {
            return Ok(output.document(&answer.body)?);
        }
        Ok(output.fields(&[
            ("of", letter.addressee()),
            ("event", format!("{}, {} {}", letter.position, letter.event_type, letter.subject)),
            ("state", letter.state),
            ("failure", letter.failure.map(Failure::told).unwrap_or_default()),
            ("attempts", letter.attempts.to_string()),
            ("first", letter.first_at),
            ("last", letter.last_at),
        ])?)
    }

    fn change(
        &self,
        method: Method,
        what: &str,
        client: &Client,
        output: &mut Output<'_>,
    ) -> Result<(), Error> {
        let position = self.position.to_string();
        let mut segments = vec!["dead-letters", &self.addressee, &position];
        if method == Method::POST {
            segments.push(what);
        }
        let (receipt, answer) = client.read::<Receipt>(client.request(method, &segments))?;
        if output.for_programs() {
            output.document(&answer.body)?;
        } else if receipt.succeeded() {
            output.headline(&format!("{what}: {} {position}", self.addressee))?;
            receipt.write(output)?;
        }
        receipt.refusal().map_or(Ok(()), Err)
    }
}

impl Letter {
    /// Whose it is, as this command line takes it.
    fn addressee(&self) -> String {
        match (&self.reaction, &self.webhook) {
            (None, Some(webhook)) => format!("webhook:{webhook}"),
            (reaction, _) => reaction.clone().unwrap_or_default(),
        }
    }

    fn row(&self) -> Vec<String> {
        vec![
            self.addressee(),
            self.position.to_string(),
            self.event_type.clone(),
            self.subject.clone(),
            self.state.clone(),
            self.failure.as_ref().map(|failure| failure.code.clone()).unwrap_or_default(),
        ]
    }
}

impl Failure {
    fn told(self) -> String {
        format!("{} ({})", self.message, self.code)
    }
}
