//! Other programs: how they are called, shown and repeated.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context, Result, ensure};

/// A command line that runs in the root of the repository.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    program: OsString,
    /// What a person types: the program above may be a path.
    name: &'static str,
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
    directory: PathBuf,
}

impl Call {
    /// A call of a program on the path.
    pub(crate) fn new(directory: &Path, name: &'static str) -> Self {
        Self {
            program: name.into(),
            name,
            arguments: Vec::new(),
            variables: Vec::new(),
            directory: directory.to_owned(),
        }
    }

    /// The cargo that runs this.
    pub(crate) fn cargo(directory: &Path) -> Self {
        let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        Self { program, ..Self::new(directory, "cargo") }
    }

    /// Adds arguments, in one text with spaces between them.
    pub(crate) fn args(mut self, arguments: &str) -> Self {
        self.arguments.extend(arguments.split_whitespace().map(str::to_owned));
        self
    }

    /// Adds one argument as it is.
    pub(crate) fn arg(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Sets an environment variable.
    pub(crate) fn variable(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// What a person would type.
    pub(crate) fn shown(&self) -> String {
        let variables = self.variables.iter().map(|(name, value)| format!("{name}='{value}'"));
        let words = variables.chain([self.name.to_owned()]).chain(self.arguments.iter().cloned());
        words.collect::<Vec<_>>().join(" ")
    }

    /// Runs it with this process's own input and output.
    pub(crate) fn run(&self) -> Result<()> {
        let status = self.command().status();
        self.succeeded(status)
    }

    /// Runs it and gives its standard output.
    pub(crate) fn output(&self) -> Result<Vec<u8>> {
        let output = self.command().stderr(Stdio::inherit()).output();
        let output = output.with_context(|| format!("cannot run `{}`", self.name))?;
        self.succeeded(Ok(output.status))?;
        Ok(output.stdout)
    }

    /// Runs it, and gives each line of its standard output to `line` as it comes.
    pub(crate) fn lines(&self, mut line: impl FnMut(&str)) -> Result<()> {
        let child = self.command().stdout(Stdio::piped()).spawn();
        let mut child = child.with_context(|| format!("cannot run `{}`", self.name))?;
        let output = child.stdout.take().context("the output is piped")?;
        for text in BufReader::new(output).split(b'\n') {
            line(&String::from_utf8_lossy(&text?));
        }
        let status = child.wait();
        self.succeeded(status)
    }

    /// Whether the program is there and can be run.
    pub(crate) fn is_available(&self) -> bool {
        let mut command = self.command();
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.current_dir(&self.directory).stdin(Stdio::null());
        command
    }

    fn succeeded(&self, status: std::io::Result<ExitStatus>) -> Result<()> {
        let status = status.with_context(|| format!("cannot run `{}`", self.name))?;
        ensure!(status.success(), "`{}` ended with {status}", self.shown());
        Ok(())
    }
}
