//! Why there is no module, and the one command that helps where there is one.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::cli::Exit;
use crate::cli::output::{STRONG, clean};

/// Why there is no module.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum Error {
    /// Nothing there is a project.
    #[error("{path}: {reason}")]
    NoProject {
        /// Where.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A file that is needed cannot be read.
    #[error("cannot read {path}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file that is made for the project cannot be written.
    #[error("cannot write {path}")]
    Unwritable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A program that is needed is not there.
    #[error("{what}")]
    Missing {
        /// What is missing, and what needs it.
        what: String,
        /// The command that mends it.
        mend: String,
    },
    /// The project is not in order, as its own tool says.
    #[error("{tool} cannot build {path}")]
    Broken {
        /// Which tool.
        tool: &'static str,
        /// What was to be built.
        path: PathBuf,
        /// What it said; empty if people have seen it already.
        said: String,
    },
    /// The server would not take it.
    #[error("{path} is no module: {reason}")]
    Refused {
        /// Which file.
        path: PathBuf,
        /// The words of the server.
        reason: String,
    },
}

impl Error {
    pub(super) fn nothing(path: &Path, reason: &str) -> Self {
        Self::NoProject { path: path.to_owned(), reason: reason.to_owned() }
    }

    pub(super) fn several(path: &Path, names: &[String]) -> Self {
        let names = names.join(", ");
        Self::nothing(path, &format!("it has several modules; say which with --name: {names}"))
    }

    /// The exit code.
    pub(in crate::cli) fn exit(&self) -> Exit {
        match self {
            Self::NoProject { .. } | Self::Unreadable { .. } => Exit::Usage,
            Self::Missing { .. } | Self::Unwritable { .. } => Exit::Machine,
            Self::Broken { .. } | Self::Refused { .. } => Exit::Refused,
        }
    }

    /// A word for programs.
    pub(in crate::cli) fn code(&self) -> &'static str {
        match self {
            Self::NoProject { .. } => "no-project",
            Self::Unreadable { .. } | Self::Unwritable { .. } => "file",
            Self::Missing { .. } => "missing-tool",
            Self::Broken { .. } => "not-built",
            Self::Refused { .. } => "no-module",
        }
    }

    /// What programs are told beside the code and the message.
    pub(in crate::cli) fn members(&self) -> serde_json::Value {
        match self {
            Self::Missing { mend, .. } => serde_json::json!({ "mend": mend }),
            Self::Broken { said, .. } => serde_json::json!({ "said": said }),
            _ => serde_json::json!({}),
        }
    }

    /// Writes what to do.
    pub(in crate::cli) fn write_rest(&self, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Missing { mend, .. } => {
                writeln!(out, "  this mends it:\n    {STRONG}{}{STRONG:#}", clean(mend))
            }
            Self::Broken { said, .. } => {
                for line in said.trim_matches('\n').lines() {
                    writeln!(out, "  {}", clean(line))?;
                }
                writeln!(out, "  nothing was deployed")
            }
            _ => Ok(()),
        }
    }
}
