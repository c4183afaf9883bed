//! `chancery reactions`: what follows from events, and how far that has come.

use clap::Args;
use http::Method;
use serde::Deserialize;

use super::Error;
use super::client::Client;
use super::output::Output;
use super::receipt::Receipt;

/// Lists reactions, how far each has come, and what keeps those that stand still.
///
/// A reaction is code that turns an event into further commands. What it could not
/// handle is in `chancery dead-letters`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  chancery reactions
  chancery reactions --drop ship        the place of one that no module declares")]
pub(super) struct Reactions {
    /// Drops the place of a reaction that no module declares any more, with its dead
    /// letters: should it be declared again, it begins anew.
    #[arg(long, value_name = "REACTION")]
    drop: Option<String>,
}

#[derive(Deserialize)]
struct List {
    last: u64,
    reactions: Vec<Reaction>,
}

#[derive(Deserialize)]
struct Reaction {
    name: String,
    status: String,
    module: String,
    position: u64,
    dead: u64,
    waiting: u64,
    #[serde(default)]
    trouble: Option<Trouble>,
}

#[derive(Deserialize)]
struct Trouble {
    position: u64,
    reason: String,
}

impl Reactions {
    pub(super) fn run(&self, client: &Client, output: &mut Output<'_>) -> Result<(), Error> {
        match &self.drop {
            Some(reaction) => drop_reaction(reaction, client, output),
            None => list(client, output),
        }
    }
}

fn list(client: &Client, output: &mut Output<'_>) -> Result<(), Error> {
    let request = client.request(Method::GET, &["reactions"]);
    let (list, answer) = client.read::<List>(request)?;
    super::tell_sequence(&answer);
    if output.for_programs() {
        return Ok(output.document(&answer.body)?);
    }
    let rows: Vec<_> = list.reactions.iter().map(Reaction::row).collect();
    output.table(&["reaction", "status", "event", "dead", "waiting", "module"], &rows)?;
    for reaction in &list.reactions {
        if let Some(Trouble { position, reason }) = &reaction.trouble {
            output.line(&format!("{} is at event {position}: {reason}", reaction.name))?;
        }
    }
    Ok(output.line(&format!("the last event is {}", list.last))?)
}

fn drop_reaction(reaction: &str, client: &Client, output: &mut Output<'_>) -> Result<(), Error> {
    let request = client.request(Method::DELETE, &["reactions", reaction]);
    let (receipt, answer) = client.read::<Receipt>(request)?;
    if output.for_programs() {
        output.document(&answer.body)?;
    } else if receipt.succeeded() {
        output.headline(&format!("dropped {reaction}"))?;
        receipt.write(output)?;
    }
    receipt.refusal().map_or(Ok(()), Err)
}

impl Reaction {
    fn row(&self) -> Vec<String> {
        let Self { name, status, module, position, dead, waiting, .. } = self;
        let numbers = [position, dead, waiting].map(u64::to_string);
        let [position, dead, waiting] = numbers;
        vec![name.clone(), status.clone(), position, dead, waiting, module.clone()]
    }
}
