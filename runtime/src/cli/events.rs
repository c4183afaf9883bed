//! `chancery events`: reads events, and follows them.

mod follow;

use clap::Args;
use http::Method;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::client::{Client, Request};
use super::output::Output;
use super::{Error, json};

/// Lists events, shows one, or follows them as they come.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  chancery events --newest --limit 20
  chancery events --type 'order.*' --from 2026-01-31T12:00:00Z
  chancery events --subject order/42 --json
  chancery events --follow --after last
  chancery events 42")]
pub(super) struct Events {
    /// One event, by its position or its id.
    #[arg(conflicts_with_all = ["types", "subject", "after", "before", "from", "to", "limit"])]
    #[arg(conflicts_with_all = ["newest", "follow"])]
    #[arg(value_name = "POSITION|ID")]
    event: Option<String>,
    /// Only events of types like this, such as order.placed, order.* for one more word
    /// or order.** for any; may be given more than once [default: all].
    #[arg(long = "type", value_name = "PATTERN")]
    types: Vec<String>,
    /// Only events about this subject [default: any].
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    subject: Option<String>,
    /// Only events after this position, or `last` for those to come [default: from the
    /// first].
    #[arg(long, value_name = "POSITION")]
    after: Option<String>,
    /// Only events before this position [default: to the last].
    #[arg(long, value_name = "POSITION", conflicts_with = "follow")]
    before: Option<u64>,
    /// Only events at or after this time, RFC 3339 or ms since 1970 [default: from the
    /// first].
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Only events before this time [default: to the last].
    #[arg(long, value_name = "TIME", conflicts_with = "follow")]
    to: Option<String>,
    /// How many events, 1 to 1000 [default: 50].
    #[arg(long, value_name = "N", conflicts_with = "follow")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: Option<u32>,
    /// The newest first.
    #[arg(long, conflicts_with = "follow")]
    newest: bool,
    /// Goes on with what comes, until it is interrupted; connects again by itself. With
    /// --json, one event a line.
    #[arg(long, short)]
    follow: bool,
}

const LIMIT: u32 = 50;

#[derive(Deserialize)]
struct Page {
    events: Vec<Event>,
    next: Option<u64>,
}

#[derive(Deserialize)]
pub(super) struct Event {
    position: u64,
    #[serde(rename = "type")]
    event_type: String,
    #[serde(default)]
    subject: Option<String>,
    time: String,
    data: Box<RawValue>,
    sequence: u64,
    id: String,
    command_id: String,
    correlation_id: String,
    #[serde(default)]
    causation_id: Option<String>,
    #[serde(default)]
    module: Option<String>,
    #[serde(default)]
    erased: bool,
}

impl Events {
    pub(super) fn run(&self, client: &Client, output: &mut Output<'_>) -> Result<(), Error> {
        match &self.event {
            Some(event) => one(event, client, output),
            None if self.follow => follow::follow(self, client, output),
            None => self.page(client, output),
        }
    }

    /// What both a page and following take.
    fn wanted<'a>(&self, client: &Client) -> Request<'a> {
        let mut request = client.request(Method::GET, &["events"]);
        for pattern in &self.types {
            request = request.query("type", Some(pattern));
        }
        request
            .query("subject", self.subject.as_deref())
            .query("after", self.after.as_deref())
            .query("from_time", self.from.as_deref())
    }

    fn page(&self, client: &Client, output: &mut Output<'_>) -> Result<(), Error> {
        let request = self
            .wanted(client)
            .query("before", self.before)
            .query("to_time", self.to.as_deref())
            .query("order", self.newest.then_some("desc"))
            .query("limit", Some(self.limit.unwrap_or(LIMIT)));
        let (page, answer) = client.read::<Page>(request)?;
        if output.for_programs() {
            return Ok(output.document(&answer.body)?);
        }
        let rows: Vec<_> = page.events.iter().map(Event::row).collect();
        output.table(&Event::HEADINGS, &rows)?;
        let flag = if self.newest { "--before" } else { "--after" };
        match page.next {
            Some(next) => Ok(output.line(&format!("more: {flag} {next}"))?),
            None => Ok(()),
        }
    }
}

fn one(event: &str, client: &Client, output: &mut Output<'_>) -> Result<(), Error> {
    let request = client.request(Method::GET, &["events", event]);
    let (event, answer) = client.read::<Event>(request)?;
    if output.for_programs() {
        return Ok(output.document(&answer.body)?);
    }
    output.headline(&format!("{} {}", event.position, event.event_type))?;
    output.fields(&[
        ("subject", event.subject.clone().unwrap_or_default()),
        ("time", event.time.clone()),
        ("id", event.id.clone()),
        ("entry", event.sequence.to_string()),
        ("command", event.command_id.clone()),
        ("chain", event.correlation_id.clone()),
        ("cause", event.causation_id.clone().unwrap_or_default()),
        ("module", event.module.clone().unwrap_or_default()),
        ("erased", if event.erased { "yes".to_owned() } else { String::new() }),
    ])?;
    Ok(output.value(event.data.get())?)
}

impl Event {
    pub(super) const HEADINGS: [&'static str; 5] = ["position", "time", "type", "subject", "data"];

    pub(super) fn row(&self) -> Vec<String> {
        let data = match self.erased {
            true => "erased".to_owned(),
            false => json::compact(self.data.get()),
        };
        let subject = self.subject.clone().unwrap_or_default();
        vec![self.position.to_string(), self.time.clone(), self.event_type.clone(), subject, data]
    }
}
