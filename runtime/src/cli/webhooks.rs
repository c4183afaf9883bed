//! `chancery webhooks`: addresses outside that events are sent to.

use clap::{Args, Subcommand};
use http::Method;
use serde::{Deserialize, Serialize};

use super::Error;
use super::client::Client;
use super::output::Output;
use super::receipt::Receipt;

/// Lists the addresses that events are sent to and how far that has come, or changes one.
///
/// Each event is sent at least once, in order for each webhook, with its id as
/// Idempotency-Key. What a target does not take is sent again, less and less often; then
/// it is in `chancery dead-letters`. The server sends only where its setting
/// webhook-targets allows it.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "\
Examples:
  chancery webhooks
  chancery webhooks put mails http://mails.internal:8080/events --type 'order.*'
  chancery webhooks show mails
  chancery webhooks pause mails           and resume, later
  chancery webhooks remove mails")]
pub(super) struct Webhooks {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Makes a webhook, or changes the one of that name.
    Put(Put),
    /// Shows one.
    Show(Named),
    /// Sends nothing more until it is resumed.
    Pause(Named),
    /// Sends what came meanwhile, and what comes.
    Resume(Named),
    /// Removes it, and its dead letters.
    Remove(Named),
}

#[derive(Debug, Args)]
struct Put {
    /// Its name: 1 to 64 lower-case letters, digits and `-`, a letter first.
    webhook: String,
    /// Where events are sent: http:// and what the server allows.
    url: String,
    /// Only events of these types, as in `order.*`; may be repeated [default: of all].
    #[arg(long = "type", value_name = "PATTERN")]
    types: Vec<String>,
    /// Only events about this [default: about anything].
    #[arg(long)]
    subject: Option<String>,
    /// Where it begins, or goes on: `now`, `start`, or after the event at a position
    /// [default: now if it is new, else where it is].
    #[arg(long, value_name = "WHERE")]
    from: Option<String>,
}

#[derive(Serialize)]
struct Body<'a> {
    url: &'a str,
    types: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<u64>,
}

#[derive(Debug, Args)]
struct Named {
    /// The webhook.
    webhook: String,
}

#[derive(Deserialize)]
struct List {
    webhooks: Vec<Webhook>,
}

#[derive(Deserialize)]
struct Webhook {
    name: String,
    url: String,
    types: Vec<String>,
    #[serde(default)]
    subject: Option<String>,
    status: String,
    position: u64,
    lag: u64,
    dead: u64,
    waiting: u64,
    #[serde(default)]
    trouble: Option<Trouble>,
    changed_at: String,
}

#[derive(Deserialize)]
struct Trouble {
    position: u64,
    reason: String,
    #[serde(default)]
    attempts: Option<u64>,
    #[serde(default)]
    next_attempt_at: Option<String>,
}

impl Webhooks {
    pub(super) fn run(&self, client: &Client, output: &mut Output<'_>) -> Result<(), Error> {
        match &self.what {
            None => list(client, output),
            Some(What::Put(put)) => put.run(client, output),
            Some(What::Show(named)) => named.show(client, output),
            Some(What::Pause(named)) => named.turn("pause", client, output),
            Some(What::Resume(named)) => named.turn("resume", client, output),
            Some(What::Remove(named)) => named.remove(client, output),
        }
    }
}

fn list(client: &Client, output: &mut Output<'_>) -> Result<(), Error> {
    let (list, answer) = client.read::<List>(client.request(Method::GET, &["webhooks"]))?;
    super::tell_sequence(&answer);
    if output.for_programs() {
        return Ok(output.document(&answer.body)?);
    }
    let rows: Vec<_> = list.webhooks.iter().map(Webhook::row).collect();
    output.table(&["webhook", "status", "event", "lag", "dead", "waiting", "url"], &rows)?;
    for webhook in &list.webhooks {
        if let Some(trouble) = &webhook.trouble {
            output.line(&format!("{} is at {}", webhook.name, trouble.told()))?;
        }
    }
    Ok(())
}

impl Put {
    fn run(&self, client: &Client, output: &mut Output<'_>) -> Result<(), Error> {
        // What is no number the server looks at.
        let from = self.from.as_deref();
        let after = from.and_then(|from| from.parse::<u64>().ok());
        let body = Body {
            url: &self.url,
            types: &self.types,
            subject: self.subject.as_deref(),
            from: from.filter(|_| after.is_none()),
            after,
        };
        let body = serde_json::to_vec(&body).unwrap_or_default();
        let request = client.request(Method::PUT, &["webhooks", &self.webhook]);
        let request = request.body("application/json", &body);
        let (webhook, answer) = client.read::<Webhook>(request)?;
        match output.for_programs() {
            true => Ok(output.document(&answer.body)?),
            false => webhook.tell(output),
        }
    }
}

impl Named {
    fn show(&self, client: &Client, output: &mut Output<'_>) -> Result<(), Error> {
        let request = client.request(Method::GET, &["webhooks", &self.webhook]);
        let (webhook, answer) = client.read::<Webhook>(request)?;
        match output.for_programs() {
            true => Ok(output.document(&answer.body)?),
            false => webhook.tell(output),
        }
    }

    fn turn(&self, what: &str, client: &Client, output: &mut Output<'_>) -> Result<(), Error> {
        let request = client.request(Method::POST, &["webhooks", &self.webhook, what]);
        let (webhook, answer) = client.read::<Webhook>(request)?;
        match output.for_programs() {
            true => Ok(output.document(&answer.body)?),
            false => webhook.tell(output),
        }
    }

    fn remove(&self, client: &Client, output: &mut Output<'_>) -> Result<(), Error> {
        let request = client.request(Method::DELETE, &["webhooks", &self.webhook]);
        let (receipt, answer) = client.read::<Receipt>(request)?;
        if output.for_programs() {
            output.document(&answer.body)?;
        } else if receipt.succeeded() {
            output.headline(&format!("removed {}", self.webhook))?;
            receipt.write(output)?;
        }
        receipt.refusal().map_or(Ok(()), Err)
    }
}

impl Webhook {
    fn row(&self) -> Vec<String> {
        let Self { name, status, position, lag, dead, waiting, url, .. } = self;
        let [position, lag, dead, waiting] = [position, lag, dead, waiting].map(u64::to_string);
        vec![name.clone(), status.clone(), position, lag, dead, waiting, url.clone()]
    }

    fn tell(self, output: &mut Output<'_>) -> Result<(), Error> {
        Ok(output.fields(&[
            ("webhook", self.name),
            ("url", self.url),
            ("types", self.types.join(", ")),
            ("subject", self.subject.unwrap_or_default()),
            ("status", self.status),
            ("event", format!("{}, {} behind", self.position, self.lag)),
            ("dead", format!("{}, {} wait behind them", self.dead, self.waiting)),
            ("is at", self.trouble.as_ref().map(Trouble::told).unwrap_or_default()),
            ("changed", self.changed_at),
        ])?)
    }
}

impl Trouble {
    fn told(&self) -> String {
        let Self { position, reason, .. } = self;
        match (&self.attempts, &self.next_attempt_at) {
            (Some(attempts), Some(next)) => {
                format!("event {position}: {reason} (attempt {attempts}, the next at {next})")
            }
            _ => format!("event {position}: {reason}"),
        }
    }
}
