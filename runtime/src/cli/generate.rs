//! `chancery generate`: code for programs that talk to an app, made of what the app says
//! of itself.

mod schema;
#[cfg(test)]
mod tests;
mod types;
mod typescript;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use http::Method;
use serde::Deserialize;
use serde_json::Value as Json;

use super::Error;
use super::client::Client;
use super::output::Output;

/// Writes code for programs that talk to an app.
#[derive(Debug, Args)]
pub(super) struct Generate {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Writes TypeScript types of an app's commands, queries and events, for the npm package
    /// chancery-client.
    ///
    /// They are made of the JSON Schemas in the manifests of the modules that are deployed. The
    /// same modules give the same text, so that it can be committed and compared.
    #[command(after_help = "\
Examples:
  chancery generate ts --out src/shop.ts
  chancery generate ts --app demo > demo.ts

Then:
  import { connect } from \"chancery-client\";
  import type { App } from \"./shop.js\";
  const app = connect<App>(\"http://127.0.0.1:7070\");")]
    Ts {
        /// The file to write [default: standard output].
        #[arg(long, short, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

#[derive(Deserialize)]
struct List {
    modules: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    name: String,
}

/// A module that is deployed.
#[derive(Debug, Deserialize)]
struct Module {
    name: String,
    hash: String,
    manifest: Manifest,
}

/// What of a manifest programs outside see.
#[derive(Debug, Deserialize)]
struct Manifest {
    commands: BTreeMap<String, Handler>,
    queries: BTreeMap<String, Handler>,
    events: BTreeMap<String, EventType>,
}

/// A command or query.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Handler {
    description: String,
    input: Option<Json>,
    output: Option<Json>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct EventType {
    description: String,
    schema: Option<Json>,
}

impl Generate {
    pub(super) fn run(&self, client: &Client, output: &mut Output<'_>) -> Result<(), Error> {
        let What::Ts { out } = &self.what;
        let text = typescript::module(client.app().as_str(), &modules(client)?);
        match out {
            Some(path) => write(path, &text, output),
            None if output.for_programs() => {
                let document = serde_json::json!({ "typescript": text });
                Ok(output.document(document.to_string().as_bytes())?)
            }
            None => Ok(output.raw(text.as_bytes())?),
        }
    }
}

/// All modules, in the order of their names.
fn modules(client: &Client) -> Result<Vec<Module>, Error> {
    let (list, _) = client.read::<List>(client.request(Method::GET, &["modules"]))?;
    let show = |listed: &Listed| {
        let request = client.request(Method::GET, &["modules", &listed.name]);
        Ok(client.read::<Module>(request)?.0)
    };
    let mut modules: Vec<Module> = list.modules.iter().map(show).collect::<Result<_, Error>>()?;
    modules.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(modules)
}

/// Leaves a file alone that has the text already: whoever watches it would build again.
fn write(path: &Path, text: &str, output: &mut Output<'_>) -> Result<(), Error> {
    let changed = fs::read(path).ok().as_deref() != Some(text.as_bytes());
    if changed {
        fs::write(path, text)
            .map_err(|source| Error::Unwritable { path: path.to_owned(), source })?;
    }
    if output.for_programs() {
        let document = serde_json::json!({ "file": path, "changed": changed });
        return Ok(output.document(document.to_string().as_bytes())?);
    }
    let path = path.display();
    Ok(match changed {
        true => output.line(&format!("wrote {path}")),
        false => output.line(&format!("{path} has it already")),
    }?)
}
