//! `chancery modules`: what is deployed in an app.

use clap::{Args, Subcommand};
use http::Method;
use serde::Deserialize;

use super::Error;
use super::client::Client;
use super::output::Output;
use super::receipt::{Receipt, short};
use crate::value::Name;

/// Lists the modules of an app, shows one, or removes one.
#[derive(Debug, Args)]
pub(super) struct Modules {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Shows what a module offers, and its versions.
    Show {
        /// The module's name.
        name: Name,
    },
    /// Removes a module. Its tables stay, readable, until they are dropped or
    /// another module takes them over; its versions are kept.
    Remove {
        /// The module's name.
        name: Name,
    },
}

#[derive(Deserialize)]
struct List {
    modules: Vec<Module>,
}

#[derive(Deserialize)]
struct Module {
    name: String,
    hash: String,
    deployed_at: String,
    sequence: u64,
    #[serde(default)]
    description: Option<String>,
    commands: Vec<String>,
    queries: Vec<String>,
    tables: Vec<String>,
    projections: Vec<String>,
    reactions: Vec<String>,
    #[serde(default)]
    versions: Vec<Version>,
}

#[derive(Deserialize)]
struct Version {
    hash: String,
    sequence: u64,
    time: String,
}

impl Modules {
    pub(super) fn run(&self, client: &Client, output: &mut Output<'_>) -> Result<(), Error> {
        match &self.action {
            None => list(client, output),
            Some(Action::Show { name }) => show(name, client, output),
            Some(Action::Remove { name }) => remove(name, client, output),
        }
    }
}

fn list(client: &Client, output: &mut Output<'_>) -> Result<(), Error> {
    let (list, answer) = client.read::<List>(client.request(Method::GET, &["modules"]))?;
    if output.for_programs() {
        return Ok(output.document(&answer.body)?);
    }
    let row = |module: &Module| {
        vec![
            module.name.clone(),
            short(&module.hash).to_owned(),
            module.sequence.to_string(),
            module.commands.join(", "),
            module.queries.join(", "),
        ]
    };
    let rows: Vec<_> = list.modules.iter().map(row).collect();
    Ok(output.table(&["module", "version", "entry", "commands", "queries"], &rows)?)
}

fn show(name: &Name, client: &Client, output: &mut Output<'_>) -> Result<(), Error> {
    let request = client.request(Method::GET, &["modules", name.as_str()]);
    let (module, answer) = client.read::<Module>(request)?;
    if output.for_programs() {
        return Ok(output.document(&answer.body)?);
    }
    output.fields(&[
        ("module", module.name),
        ("about", module.description.unwrap_or_default()),
        ("version", module.hash),
        ("deployed", format!("{}, entry {}", module.deployed_at, module.sequence)),
        ("commands", module.commands.join(", ")),
        ("queries", module.queries.join(", ")),
        ("tables", module.tables.join(", ")),
        ("projections", module.projections.join(", ")),
        ("reactions", module.reactions.join(", ")),
    ])?;
    if module.versions.is_empty() {
        return Ok(());
    }
    output.line("")?;
    let row = |version: &Version| {
        vec![version.sequence.to_string(), version.time.clone(), version.hash.clone()]
    };
    let rows: Vec<_> = module.versions.iter().map(row).collect();
    Ok(output.table(&["entry", "deployed", "version"], &rows)?)
}

fn remove(name: &Name, client: &Client, output: &mut Output<'_>) -> Result<(), Error> {
    let request = client.request(Method::DELETE, &["modules", name.as_str()]);
    let (receipt, answer) = client.read::<Receipt>(request)?;
    if output.for_programs() {
        output.document(&answer.body)?;
    } else if receipt.succeeded() {
        output.headline(&format!("removed {name}"))?;
        receipt.write(output)?;
    }
    receipt.refusal().map_or(Ok(()), Err)
}
