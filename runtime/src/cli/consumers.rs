//! `chancery consumers`: programs outside that read events in batches.

use std::time::Duration;

use clap::{Args, Subcommand};
use http::Method;
use serde::Deserialize;

use super::client::{Client, Request};
use super::events::Event;
use super::output::Output;
use super::{Error, shell};

/// Lists consumers and how far each has come, or does something for one.
///
/// A consumer is a name under which a program reads events in batches; the server keeps
/// its place. At least once: what was not acknowledged comes again, so whoever handles
/// events must bear to see one twice.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  chancery consumers
  chancery consumers put mails --type 'order.*' --after last
  chancery consumers fetch mails --limit 100 --wait 30
  chancery consumers ack mails 42
  chancery consumers remove mails")]
pub(super) struct Consumers {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Shows one.
    Show(Named),
    /// Makes one, or changes the one of that name: its filter, and its place if that is
    /// given.
    Put(Put),
    /// Reads the next events, which come again until they are acknowledged.
    Fetch(Fetch),
    /// Acknowledges all events up to a position.
    Ack(Ack),
    /// Removes one, and forgets its place.
    Remove(Named),
}

#[derive(Debug, Args)]
struct Named {
    /// The consumer.
    name: String,
}

#[derive(Debug, Args)]
struct Put {
    /// The consumer.
    name: String,
    /// Only events of types like this, such as order.placed, order.* for one more word
    /// or order.** for any; may be given more than once [default: all].
    #[arg(long = "type", value_name = "PATTERN")]
    types: Vec<String>,
    /// Only events about this subject [default: any].
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    subject: Option<String>,
    /// Goes on after this position, or after `last` with those to come [default: where it
    /// is; of a new one before the first event that is kept].
    #[arg(long, value_name = "POSITION")]
    after: Option<String>,
}

#[derive(Debug, Args)]
struct Fetch {
    /// The consumer.
    name: String,
    /// How many events, 1 to 1000.
    #[arg(long, value_name = "N", default_value_t = 50)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Waits for an event, up to so many seconds, 0 to 60 [default: 0].
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(0..=60))]
    wait: Option<u64>,
}

#[derive(Debug, Args)]
struct Ack {
    /// The consumer.
    name: String,
    /// The last event that was dealt with, as `fetch` gives it.
    position: u64,
}

#[derive(Deserialize)]
struct List {
    consumers: Vec<Consumer>,
}

#[derive(Deserialize)]
struct Consumer {
    name: String,
    position: u64,
    lag: u64,
    types: Vec<String>,
    #[serde(default)]
    subject: Option<String>,
    changed_at: String,
}

#[derive(Deserialize)]
struct Batch {
    events: Vec<Event>,
    acknowledge: u64,
    lag: u64,
}

impl Consumers {
    pub(super) fn run(&self, client: &Client, output: &mut Output<'_>) -> Result<(), Error> {
        match &self.what {
            None => list(client, output),
            Some(What::Show(named)) => {
                told(client.request(Method::GET, &["consumers", &named.name]), client, output)
            }
            Some(What::Put(put)) => told(put.request(client), client, output),
            Some(What::Fetch(fetch)) => fetch.run(client, output),
            Some(What::Ack(ack)) => told(ack.request(client), client, output),
            Some(What::Remove(named)) => remove(&named.name, client, output),
        }
    }
}

fn list(client: &Client, output: &mut Output<'_>) -> Result<(), Error> {
    let request = client.request(Method::GET, &["consumers"]);
    let (list, answer) = client.read::<List>(request)?;
    if output.for_programs() {
        return Ok(output.document(&answer.body)?);
    }
    let rows: Vec<_> = list.consumers.iter().map(Consumer::row).collect();
    Ok(output.table(&["consumer", "position", "lag", "changed", "events"], &rows)?)
}

/// Does what answers with a consumer, and shows it.
fn told(request: Request<'_>, client: &Client, output: &mut Output<'_>) -> Result<(), Error> {
    let (consumer, answer) = client.read::<Consumer>(request)?;
    if output.for_programs() {
        return Ok(output.document(&answer.body)?);
    }
    let events = consumer.events();
    output.headline(&format!("{} is at event {}", consumer.name, consumer.position))?;
    Ok(output.fields(&[
        ("lag", consumer.lag.to_string()),
        ("events", events),
        ("changed", consumer.changed_at),
    ])?)
}

fn remove(name: &str, client: &Client, output: &mut Output<'_>) -> Result<(), Error> {
    drop(client.send(client.request(Method::DELETE, &["consumers", name]))?);
    if output.for_programs() {
        let document = serde_json::json!({ "removed": name });
        return Ok(output.document(document.to_string().as_bytes())?);
    }
    Ok(output.headline(&format!("removed {name}"))?)
}

impl Put {
    fn request<'a>(&self, client: &Client) -> Request<'a> {
        let mut request = client.request(Method::PUT, &["consumers", &self.name]);
        for pattern in &self.types {
            request = request.query("type", Some(pattern));
        }
        request.query("subject", self.subject.as_deref()).query("after", self.after.as_deref())
    }
}

impl Ack {
    fn request<'a>(&self, client: &Client) -> Request<'a> {
        client
            .request(Method::POST, &["consumers", &self.name, "ack"])
            .query("position", Some(self.position))
    }
}

impl Fetch {
    fn run(&self, client: &Client, output: &mut Output<'_>) -> Result<(), Error> {
        let request = client
            .request(Method::POST, &["consumers", &self.name, "fetch"])
            .query("limit", Some(self.limit))
            .query("wait", self.wait)
            .changing_nothing()
            .patience(Duration::from_secs(self.wait.unwrap_or(0)));
        let (batch, answer) = client.read::<Batch>(request)?;
        if output.for_programs() {
            return Ok(output.document(&answer.body)?);
        }
        let rows: Vec<_> = batch.events.iter().map(Event::row).collect();
        output.table(&Event::HEADINGS, &rows)?;
        let Batch { acknowledge, lag, .. } = batch;
        let name = shell::word(&self.name);
        output.line(&format!("then: chancery consumers ack {name} {acknowledge}"))?;
        Ok(output.line(&format!("{lag} behind when they are acknowledged"))?)
    }
}

impl Consumer {
    fn row(&self) -> Vec<String> {
        let (position, lag) = (self.position.to_string(), self.lag.to_string());
        vec![self.name.clone(), position, lag, self.changed_at.clone(), self.events()]
    }

    /// Which events it is given.
    fn events(&self) -> String {
        let types = if self.types.is_empty() { "all".to_owned() } else { self.types.join(", ") };
        match &self.subject {
            None => types,
            Some(subject) => format!("{types} about {subject}"),
        }
    }
}
