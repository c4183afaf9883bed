//! `chancery man`: manual pages, one for each subcommand.

use std::path::{Path, PathBuf};

use clap::{Args, CommandFactory};

use super::output::Output;
use super::{Cli, Error};

/// Writes manual pages, from the definition that parses command lines.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  chancery man | man -l -
  chancery man --out ~/.local/share/man/man1")]
pub(super) struct Man {
    /// Writes all pages into this directory, which is created if it is not there
    /// [default: the first page goes to standard output].
    #[arg(long, value_name = "DIRECTORY")]
    out: Option<PathBuf>,
}

impl Man {
    pub(super) fn run(&self, output: &mut Output<'_>) -> Result<(), Error> {
        let mut cli = Cli::command().disable_help_flag(true);
        cli.build();
        match &self.out {
            Some(directory) => all(cli, directory, output),
            None => Ok(output.raw(&page(cli)?)?),
        }
    }
}

fn all(cli: clap::Command, directory: &Path, output: &mut Output<'_>) -> Result<(), Error> {
    std::fs::create_dir_all(directory).map_err(|error| Error::unwritable(directory, error))?;
    let mut files = Vec::new();
    let mut waiting = vec![cli];
    while let Some(command) = waiting.pop() {
        let subcommands = command.get_subcommands().filter(|it| !it.is_hide_set());
        waiting.extend(subcommands.cloned());
        // `chancery-apps-create`, as git does.
        let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
        let path = directory.join(format!("{name}.1"));
        std::fs::write(&path, page(command)?).map_err(|error| Error::unwritable(&path, error))?;
        files.push(path.display().to_string());
    }
    files.sort();
    if output.for_programs() {
        let document = serde_json::json!({ "files": files });
        return Ok(output.document(document.to_string().as_bytes())?);
    }
    let number = files.len();
    Ok(output.line(&format!("{number} pages in {}", directory.display()))?)
}

fn page(command: clap::Command) -> Result<Vec<u8>, Error> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    Ok(page)
}
