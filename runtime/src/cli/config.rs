//! `chancery config`: why a setting is what it is.

use clap::{Args, Subcommand};

use super::Error;
use super::output::Output;
use crate::config::{Layers, Shown};

/// Shows what is set, and where each value came from.
#[derive(Debug, Args)]
pub(super) struct Config {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Lists every setting with its value and source: a flag, a variable of the
    /// environment, a line of the file, or the default.
    Show,
}

impl Config {
    pub(super) fn run(&self, mut layers: Layers, output: &mut Output<'_>) -> Result<(), Error> {
        let Action::Show = self.action;
        layers.client()?;
        layers.serve()?;
        let mut shown: Vec<&Shown> = Vec::new();
        // More than one command asks for the app; it is one setting.
        for setting in layers.shown() {
            if !shown.iter().any(|one| one.key == setting.key) {
                shown.push(setting);
            }
        }
        if output.for_programs() {
            let settings: Vec<_> = shown.into_iter().map(document).collect();
            let document = serde_json::json!({ "settings": settings });
            return Ok(output.document(document.to_string().as_bytes())?);
        }
        let row =
            |one: &&Shown| vec![one.key.to_string(), one.value.clone(), one.source.to_string()];
        let rows: Vec<_> = shown.iter().map(row).collect();
        Ok(output.table(&["setting", "value", "from"], &rows)?)
    }
}

fn document(shown: &Shown) -> serde_json::Value {
    serde_json::json!({
        "key": shown.key.to_string(),
        "value": shown.value,
        "source": shown.source.to_string(),
    })
}
