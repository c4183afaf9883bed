//! `chancery apps`: what is on the server.

use clap::{Args, Subcommand};
use http::Method;
use serde::Deserialize;

use super::Error;
use super::client::{Client, Request};
use super::output::Output;
use crate::value::Name;

/// Lists apps, or creates one.
///
/// An app is an isolated state with its own log, commands and modules.
#[derive(Debug, Args)]
pub(super) struct Apps {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Creates an app; does nothing if it is there.
    Create {
        /// Its name: 1 to 64 lower-case letters, digits and `-`, a letter first.
        name: Name,
    },
}

#[derive(Deserialize)]
struct List {
    apps: Vec<App>,
}

#[derive(Deserialize)]
struct App {
    name: String,
    history: String,
    sequence: u64,
    modules: Vec<String>,
}

impl Apps {
    pub(super) fn run(&self, client: &Client, output: &mut Output<'_>) -> Result<(), Error> {
        match &self.action {
            None => list(client, output),
            Some(Action::Create { name }) => create(name, client, output),
        }
    }
}

fn list(client: &Client, output: &mut Output<'_>) -> Result<(), Error> {
    let (list, answer) = client.read::<List>(Request::new(Method::GET, &["v1", "apps"]))?;
    if output.for_programs() {
        return Ok(output.document(&answer.body)?);
    }
    let row = |app: &App| {
        vec![
            app.name.clone(),
            app.sequence.to_string(),
            app.modules.join(", "),
            app.history.clone(),
        ]
    };
    let rows: Vec<_> = list.apps.iter().map(row).collect();
    Ok(output.table(&["app", "entries", "modules", "history"], &rows)?)
}

fn create(name: &Name, client: &Client, output: &mut Output<'_>) -> Result<(), Error> {
    let request = Request::new(Method::PUT, &["v1", "apps", name.as_str()]);
    let (app, answer) = client.read::<App>(request)?;
    if output.for_programs() {
        return Ok(output.document(&answer.body)?);
    }
    output.headline(match answer.status {
        201 => "created",
        _ => "it was there already; nothing was done",
    })?;
    Ok(output.fields(&[("app", app.name), ("history", app.history)])?)
}
