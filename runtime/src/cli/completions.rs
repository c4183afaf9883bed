//! `chancery completions`: what a shell needs to complete a command line.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::output::Output;
use super::{Cli, Error};

/// Prints the completions of a shell, from the definition that parses command lines.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  chancery completions bash > ~/.local/share/bash-completion/completions/chancery
  chancery completions zsh > ~/.zfunc/_chancery
  chancery completions fish > ~/.config/fish/completions/chancery.fish")]
pub(super) struct Completions {
    /// Which shell.
    shell: Shell,
}

impl Completions {
    pub(super) fn run(&self, output: &mut Output<'_>) -> Result<(), Error> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "chancery", &mut script);
        if output.for_programs() {
            let script = String::from_utf8_lossy(&script);
            let document = serde_json::json!({ "shell": self.shell.to_string(), "script": script });
            return Ok(output.document(document.to_string().as_bytes())?);
        }
        Ok(output.raw(&script)?)
    }
}
