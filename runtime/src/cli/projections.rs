//! `chancery projections`: tables that are derived from events.

use clap::{Args, Subcommand};
use http::Method;
use serde::Deserialize;

use super::Error;
use super::client::Client;
use super::output::Output;
use super::receipt::Receipt;

/// Lists projections and how far they are, or does something about one.
///
/// A projection that cannot take an event is parked there: its tables stay as they
/// are, and commands go on.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "\
Examples:
  chancery projections
  chancery projections order-summary
  chancery projections resume order-summary     after the module was mended
  chancery projections skip order-summary       leaves the event out
  chancery projections rebuild order-summary    from the first event, while it serves")]
pub(super) struct Projections {
    /// The projection that is shown [default: all].
    name: Option<String>,
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Tries the event again at which it is parked.
    Resume(Named),
    /// Goes on behind that event. If both builds are parked, the new one does.
    Skip(Named),
    /// Builds its tables anew, from the first event, while the old ones serve. Refused if
    /// events that the old ones have seen are not kept any more.
    Rebuild(Named),
}

#[derive(Debug, Args)]
struct Named {
    /// The projection.
    name: String,
}

#[derive(Deserialize)]
struct List {
    projections: Vec<Projection>,
}

#[derive(Deserialize)]
struct Projection {
    name: String,
    module: String,
    status: String,
    position: u64,
    lag: u64,
    tables: Vec<String>,
    live: Option<Build>,
    next: Option<Build>,
}

#[derive(Deserialize)]
struct Build {
    version: u32,
    from: u64,
    position: u64,
    lag: u64,
    error: Option<Parked>,
}

#[derive(Deserialize)]
struct Parked {
    position: u64,
    code: String,
    message: String,
}

impl Projections {
    pub(super) fn run(&self, client: &Client, output: &mut Output<'_>) -> Result<(), Error> {
        match (&self.what, &self.name) {
            (Some(What::Resume(named)), _) => steer(&named.name, "resume", client, output),
            (Some(What::Skip(named)), _) => steer(&named.name, "skip", client, output),
            (Some(What::Rebuild(named)), _) => steer(&named.name, "rebuild", client, output),
            (None, Some(name)) => show(name, client, output),
            (None, None) => list(client, output),
        }
    }
}

fn list(client: &Client, output: &mut Output<'_>) -> Result<(), Error> {
    let request = client.request(Method::GET, &["projections"]);
    let (list, answer) = client.read::<List>(request)?;
    super::tell_sequence(&answer);
    if output.for_programs() {
        return Ok(output.document(&answer.body)?);
    }
    let rows: Vec<_> = list.projections.iter().map(Projection::row).collect();
    Ok(output.table(&["projection", "status", "position", "lag", "module"], &rows)?)
}

fn show(name: &str, client: &Client, output: &mut Output<'_>) -> Result<(), Error> {
    let request = client.request(Method::GET, &["projections", name]);
    let (projection, answer) = client.read::<Projection>(request)?;
    super::tell_sequence(&answer);
    if output.for_programs() {
        return Ok(output.document(&answer.body)?);
    }
    output.headline(&format!("{} is {}", projection.name, projection.status))?;
    let tables = projection.tables.join(", ");
    let mut fields = vec![("module", projection.module.clone()), ("tables", tables)];
    for (word, build) in [("live", &projection.live), ("next", &projection.next)] {
        let Some(build) = build else { continue };
        fields.push((word, build.told()));
        if let Some(Parked { position, code, message }) = &build.error {
            fields.push(("parked", format!("at event {position}, {code}: {message}")));
        }
    }
    Ok(output.fields(&fields)?)
}

impl Projection {
    fn row(&self) -> Vec<String> {
        let (position, lag) = (self.position.to_string(), self.lag.to_string());
        vec![self.name.clone(), self.status.clone(), position, lag, self.module.clone()]
    }
}

impl Build {
    fn told(&self) -> String {
        let Self { version, from, position, lag, .. } = self;
        let from = if *from > 1 { format!("from event {from} ") } else { String::new() };
        format!("version {version}, {from}up to event {position}, {lag} behind")
    }
}

fn steer(name: &str, what: &str, client: &Client, output: &mut Output<'_>) -> Result<(), Error> {
    let request = client.request(Method::POST, &["projections", name, what]);
    let (receipt, answer) = client.read::<Receipt>(request)?;
    if output.for_programs() {
        output.document(&answer.body)?;
    } else if receipt.succeeded() {
        output.headline(&format!("{what}: {name}"))?;
        receipt.write(output)?;
    }
    receipt.refusal().map_or(Ok(()), Err)
}
