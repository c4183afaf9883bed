//! `chancery doctor`: looks for what is amiss on this machine, and says what mends it.
//!
//! It changes nothing. What a project here needs and does not find is wrong; what another
//! kind of project would need is only mentioned.

mod data;
mod machine;
mod tools;

use std::io::Write as _;
use std::path::PathBuf;

use anstyle::{AnsiColor, Style};
use clap::Args;
use serde_json::{Value as Json, json};

use super::Error;
use super::output::{FAINT, Output, STRONG};
use super::project::Project;
use crate::config::{Key, Layers, key};

const FINE: Style = AnsiColor::Green.on_default();
const NOTE: Style = AnsiColor::Yellow.on_default();
const WRONG: Style = AnsiColor::Red.on_default().bold();

/// Looks for what keeps Chancery from working here, and prints the one command that mends
/// each.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  chancery doctor
  chancery doctor shop --data /var/lib/chancery --listen 127.0.0.1:8080

Exit codes:
  0  nothing is wrong; what is only mentioned does not count
  5  something has to be mended")]
pub(super) struct Doctor {
    /// The project whose needs count [default: the working directory, if it is one].
    path: Option<PathBuf>,
    /// The data directory to look at [default: ./chancery-data].
    #[arg(long, value_name = "DIRECTORY")]
    data: Option<String>,
    /// The address that a server would listen on [default: 127.0.0.1:7070].
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
}

/// What was looked at, and what was found.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    /// What was looked at.
    what: &'static str,
    state: State,
    /// What is so, in a sentence.
    says: String,
    /// The one command that mends it; none if nothing has to be.
    mend: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Fine,
    /// Not as it could be, and nothing here needs it to be.
    Noted,
    Wrong,
}

impl Doctor {
    /// What the flags set.
    pub(super) fn given(&self) -> Vec<(Key, String)> {
        let flags = [(key::DATA, &self.data), (key::LISTEN, &self.listen)];
        flags.into_iter().filter_map(|(key, text)| Some((key, text.clone()?))).collect()
    }

    pub(super) fn run(&self, mut layers: Layers, output: &mut Output<'_>) -> Result<(), Error> {
        let configuration = layers.serve()?;
        let project = match &self.path {
            Some(path) => Some(Project::at(path)?),
            None => Project::at(&PathBuf::from(".")).ok(),
        };
        let mut findings = tools::look(project.as_ref());
        findings.push(machine::port(configuration.listen));
        findings.push(machine::open_files());
        findings.extend(data::look(&configuration.engine.data, &configuration.engine.backups));
        match output.for_programs() {
            true => output.document(document(&findings).to_string().as_bytes())?,
            false => findings.iter().try_for_each(|finding| finding.tell(output))?,
        }
        match findings.iter().filter(|finding| finding.state == State::Wrong).count() {
            0 => Ok(()),
            1 => Err(Error::Ailing { message: "one thing has to be mended".to_owned() }),
            n => Err(Error::Ailing { message: format!("{n} things have to be mended") }),
        }
    }
}

fn document(findings: &[Finding]) -> Json {
    let wrong = findings.iter().filter(|finding| finding.state == State::Wrong).count();
    let findings: Vec<Json> = findings.iter().map(Finding::document).collect();
    json!({ "wrong": wrong, "findings": findings })
}

impl Finding {
    fn fine(what: &'static str, says: impl Into<String>) -> Self {
        Self { what, state: State::Fine, says: says.into(), mend: None }
    }

    fn noted(what: &'static str, says: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { what, state: State::Noted, says: says.into(), mend: Some(mend.into()) }
    }

    fn wrong(what: &'static str, says: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { state: State::Wrong, ..Self::noted(what, says, mend) }
    }

    fn document(&self) -> Json {
        let state = match self.state {
            State::Fine => "fine",
            State::Noted => "noted",
            State::Wrong => "wrong",
        };
        json!({ "what": self.what, "state": state, "says": self.says, "mend": self.mend })
    }

    fn tell(&self, output: &mut Output<'_>) -> std::io::Result<()> {
        let (style, word) = match self.state {
            State::Fine => (FINE, "fine"),
            State::Noted => (NOTE, "note"),
            State::Wrong => (WRONG, "wrong"),
        };
        let says = super::output::clean(&self.says);
        let mut text = Vec::new();
        writeln!(text, "{style}{word:<5}{style:#}  {FAINT}{:<8}{FAINT:#}  {says}", self.what)?;
        if let Some(mend) = &self.mend {
            let mend = super::output::clean(mend);
            writeln!(text, "{:>19}{STRONG}{mend}{STRONG:#}", "")?;
        }
        output.raw(&text)
    }
}
