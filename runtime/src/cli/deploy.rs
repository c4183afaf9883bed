//! `chancery deploy`: puts a module in place, or back to an earlier version.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use http::Method;
use serde::Deserialize;

use super::Error;
use super::client::{Answer, Client, Request};
use super::output::Output;
use super::project::{Module, Project};
use super::receipt::{Receipt, short};
use crate::value::{Hash, Name};

/// How long the server waits for an upload to arrive, before it looks at it.
const UPLOAD_MAX: Duration = Duration::from_secs(120);

/// Deploys a module, or shows what deploying it would change.
///
/// A project is built first, as `chancery build` does. Nothing is logged unless the
/// module passes every check. Queries and commands go on meanwhile; no request is lost.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  chancery deploy
  chancery deploy shop.ts --check
  chancery deploy target/wasm32-unknown-unknown/release/shop.wasm
  chancery deploy shop.wasm --app demo --name shop --check
  chancery deploy --name shop --hash 6ca13d52…

`chancery rollback` goes back to the version before.")]
pub(super) struct Deploy {
    /// A .js, .ts or .wasm file (a component, or a core module for
    /// wasm32-unknown-unknown), or a project's folder; what is uploaded may have 32 MiB,
    /// unless the server was told otherwise [default: the working directory].
    path: Option<PathBuf>,
    /// The module's name [default: that of the crate or package, or the file's without
    /// its extension; with - for each _].
    #[arg(long)]
    name: Option<Name>,
    /// Deploys a version that was deployed before, by its hash; `chancery modules
    /// show <name>` lists them.
    #[arg(long, value_name = "HASH", requires = "name", conflicts_with = "path")]
    hash: Option<Hash>,
    /// Only checks, and shows what would change.
    #[arg(long)]
    check: bool,
}

/// What the server says of a deployment.
#[derive(Deserialize)]
pub(super) struct Deployed {
    /// What it changes.
    pub(super) plan: Plan,
    /// Its entry, if it is one.
    pub(super) receipt: Option<Receipt>,
    /// Whether this put something in place.
    pub(super) deployed: bool,
}

/// What a deployment changes.
#[derive(Deserialize)]
pub(super) struct Plan {
    /// The module's name.
    pub(super) module: String,
    /// The version's hash.
    pub(super) hash: String,
    replaces: Option<String>,
    /// Whether that version is in place already.
    pub(super) unchanged: bool,
    commands: Delta,
    queries: Delta,
    tables: Tables,
    projections: Projections,
    reactions: Delta,
    #[serde(default)]
    on_deploy: Option<String>,
}

#[derive(Deserialize)]
struct Delta {
    added: Vec<String>,
    changed: Vec<String>,
    removed: Vec<String>,
}

#[derive(Deserialize)]
struct Tables {
    created: Vec<String>,
    adopted: Vec<String>,
    orphaned: Vec<String>,
    #[serde(default)]
    released: Vec<String>,
}

#[derive(Deserialize)]
struct Projections {
    added: Vec<String>,
    rebuilt: Vec<String>,
    removed: Vec<String>,
}

impl Deploy {
    pub(super) fn run(&self, client: &Client, output: &mut Output<'_>) -> Result<(), Error> {
        let (deployed, answer) = match (&self.name, self.hash) {
            (Some(name), Some(hash)) => kept(client, name.as_str(), &hash.to_string(), self.check)?,
            (name, _) => {
                let path = self.path.clone().unwrap_or_else(|| PathBuf::from("."));
                let module = Project::at(&path)?.build_one(name.as_ref())?;
                let name = name.clone().map_or_else(|| module.module_name(), Ok)?;
                upload(client, &name, &module, self.check)?
            }
        };
        if output.for_programs() {
            output.document(&answer.body)?;
        }
        if let Some(refusal) = deployed.receipt.as_ref().and_then(Receipt::refusal) {
            return Err(refusal);
        }
        if !output.for_programs() {
            output.headline(&self.headline(&deployed))?;
            deployed.plan.write(output)?;
        }
        Ok(())
    }

    fn headline(&self, deployed: &Deployed) -> String {
        let plan = &deployed.plan;
        let module = format!("{} {}", plan.module, short(&plan.hash));
        match &deployed.receipt {
            _ if plan.unchanged => format!("{module} is in place already; nothing to do"),
            _ if self.check => format!("{module} can be deployed; nothing was done"),
            Some(receipt) if deployed.deployed => {
                format!("deployed {module} as entry {}", receipt.sequence)
            }
            Some(receipt) => {
                format!("{module} is logged as entry {}; its turn has not come", receipt.sequence)
            }
            None => format!("{module} was not deployed"),
        }
    }
}

/// Deploys a module that was built here.
///
/// # Errors
/// As [`Client::read`].
pub(super) fn upload(
    client: &Client,
    name: &Name,
    module: &Module,
    check: bool,
) -> Result<(Deployed, Answer), Error> {
    let request = deployment(client, name.as_str(), check);
    let request = request.query("file", module.script_name());
    client.read(request.body(module.content_type(), &module.bytes).patience(UPLOAD_MAX))
}

/// Deploys a version that the server has kept.
///
/// # Errors
/// As [`Client::read`].
pub(super) fn kept(
    client: &Client,
    name: &str,
    hash: &str,
    check: bool,
) -> Result<(Deployed, Answer), Error> {
    let body = serde_json::json!({ "hash": hash }).to_string();
    client.read(deployment(client, name, check).body("application/json", body.as_bytes()))
}

fn deployment<'a>(client: &Client, name: &str, check: bool) -> Request<'a> {
    let request = client.request(Method::PUT, &["modules", name]);
    match check {
        true => request.query("check", Some("true")).changing_nothing(),
        false => request,
    }
}

impl Plan {
    /// Writes what it changes.
    ///
    /// # Errors
    /// What the stream says.
    pub(super) fn write(&self, output: &mut Output<'_>) -> std::io::Result<()> {
        output.fields(&self.fields())
    }

    fn fields(&self) -> [(&'static str, String); 7] {
        let replaces = self.replaces.as_deref().filter(|_| !self.unchanged);
        [
            ("replaces", replaces.map(short).unwrap_or_default().to_owned()),
            ("commands", self.commands.text()),
            ("queries", self.queries.text()),
            ("tables", self.tables.text()),
            ("projections", self.projections.text()),
            ("reactions", self.reactions.text()),
            ("runs", self.on_deploy.clone().unwrap_or_default()),
        ]
    }
}

impl Delta {
    fn text(&self) -> String {
        listed(&[("new", &self.added), ("changed", &self.changed), ("removed", &self.removed)])
    }
}

impl Tables {
    fn text(&self) -> String {
        listed(&[
            ("new", &self.created),
            ("adopted", &self.adopted),
            ("orphaned", &self.orphaned),
            ("orphaned once the next build serves", &self.released),
        ])
    }
}

impl Projections {
    fn text(&self) -> String {
        let kinds =
            [("new", &self.added), ("built anew", &self.rebuilt), ("removed", &self.removed)];
        listed(&kinds)
    }
}

fn listed(kinds: &[(&str, &Vec<String>)]) -> String {
    let some = kinds.iter().filter(|(_, names)| !names.is_empty());
    let texts: Vec<_> = some.map(|(kind, names)| format!("{kind}: {}", names.join(", "))).collect();
    texts.join("; ")
}
