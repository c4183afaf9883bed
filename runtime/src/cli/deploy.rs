//! `chancery deploy`: puts a module in place, or back to an earlier version.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use http::Method;
use serde::Deserialize;

use super::Error;
use super::client::{Client, Request};
use super::output::Output;
use super::receipt::{Receipt, short};
use crate::value::{Hash, Name};

/// How long the server waits for an upload to arrive, before it looks at it.
const UPLOAD_MAX: Duration = Duration::from_secs(120);

/// Deploys a module, or shows what deploying it would change.
///
/// Nothing is logged unless the module passes every check. Queries and commands go
/// on meanwhile; no request is lost.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  chancery deploy target/wasm32-unknown-unknown/release/shop.wasm
  chancery deploy shop.wasm --app demo --name shop --check
  chancery deploy --name shop --hash 6ca13d52…")]
pub(super) struct Deploy {
    /// A component, or a core module for wasm32-unknown-unknown; 32 MiB at most,
    /// unless the server was told otherwise.
    #[arg(required_unless_present = "hash")]
    file: Option<PathBuf>,
    /// The module's name [default: the file's, without its extension and with - for
    /// each _].
    #[arg(long)]
    name: Option<Name>,
    /// Deploys a version that was deployed before, by its hash; `chancery modules
    /// show <name>` lists them.
    #[arg(long, value_name = "HASH", requires = "name", conflicts_with = "file")]
    hash: Option<Hash>,
    /// Only checks, and shows what would change.
    #[arg(long)]
    check: bool,
}

#[derive(Deserialize)]
struct Deployed {
    plan: Plan,
    receipt: Option<Receipt>,
    deployed: bool,
}

#[derive(Deserialize)]
struct Plan {
    module: String,
    hash: String,
    replaces: Option<String>,
    unchanged: bool,
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
        let name = self.module_name()?;
        let (content_type, body) = self.upload()?;
        let request = client
            .request(Method::PUT, &["modules", name.as_str()])
            .query("check", self.check.then_some("true"))
            .body(content_type, &body)
            .patience(UPLOAD_MAX);
        let request = if self.check { request.changing_nothing() } else { request };
        self.report(client, request, output)
    }

    fn report(
        &self,
        client: &Client,
        request: Request<'_>,
        output: &mut Output<'_>,
    ) -> Result<(), Error> {
        let (deployed, answer) = client.read::<Deployed>(request)?;
        if output.for_programs() {
            output.document(&answer.body)?;
        }
        if let Some(refusal) = deployed.receipt.as_ref().and_then(Receipt::refusal) {
            return Err(refusal);
        }
        if !output.for_programs() {
            output.headline(&self.headline(&deployed))?;
            output.fields(&deployed.plan.fields())?;
        }
        Ok(())
    }

    fn module_name(&self) -> Result<Name, Error> {
        match (&self.name, &self.file) {
            (Some(name), _) => Ok(name.clone()),
            (None, Some(file)) => name_of(file),
            (None, None) => Err(Error::Usage { message: "--name is missing".to_owned() }),
        }
    }

    fn upload(&self) -> Result<(&'static str, Vec<u8>), Error> {
        if let Some(hash) = self.hash {
            let body = serde_json::json!({ "hash": hash.to_string() });
            return Ok(("application/json", body.to_string().into_bytes()));
        }
        let file = self.file.as_deref().unwrap_or(Path::new(""));
        let bytes =
            std::fs::read(file).map_err(|source| Error::File { path: file.to_owned(), source })?;
        let script = file.extension().is_some_and(|extension| extension == "js");
        Ok((if script { "text/javascript" } else { "application/wasm" }, bytes))
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

impl Plan {
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

/// The name that a file suggests: compilers write `_` where names have `-`.
fn name_of(file: &Path) -> Result<Name, Error> {
    let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    stem.replace('_', "-").parse().map_err(|invalid| Error::Usage {
        message: format!("the file's name makes no name for the module: {invalid}; say --name"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_names_its_module() {
        let named = |file: &str| match name_of(Path::new(file)) {
            Ok(name) => name.to_string(),
            Err(error) => error.to_string(),
        };
        insta::assert_snapshot!(named("target/x/my_shop.wasm"), @"my-shop");
        insta::assert_snapshot!(named("Shop.wasm"), @"the file's name makes no name for the module: name `Shop` must begin with a lower-case letter; say --name");
    }
}
