//! Why a command line did not do what was asked: for people, for programs, and as
//! an exit code.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anstyle::{AnsiColor, Style};

use super::output::{STRONG, clean};
use super::problem::Problem;
use super::{client, input, project};
use crate::config;
use crate::value::chain_of;

const ERROR: Style = AnsiColor::Red.on_default().bold();

/// How a run ends. The numbers are a promise to scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// The application said no: rejected or failed.
    Refused = 1,
    /// The command line or the configuration cannot be understood.
    Usage = 2,
    /// The server said no, or nothing that can be understood.
    Server = 3,
    /// The server was not reached, or nobody knows what became of the request.
    Unknown = 4,
    /// This machine could not do its part: a file, a disk, an address in use.
    Machine = 5,
}

/// Why a run ends otherwise than done.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// What is set cannot be.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// The input cannot be made out.
    #[error(transparent)]
    Input(#[from] input::Error),
    /// Arguments that do not go together.
    #[error("{message}")]
    Usage {
        /// What is wrong.
        message: String,
    },
    /// A file that was named cannot be read.
    #[error("cannot read {path}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file or directory cannot be written.
    #[error("cannot write {path}")]
    Unwritable {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is no module to deploy.
    #[error(transparent)]
    Project(#[from] project::Error),
    /// What a project promises of itself is not so; it was told.
    #[error("{message}")]
    Tests {
        /// How many.
        message: String,
    },
    /// Something on this machine has to be mended; it was told.
    #[error("{message}")]
    Ailing {
        /// How many things.
        message: String,
    },
    /// The server, or an application on it, said no.
    #[error("{}", .0.message())]
    Problem(Box<Problem>),
    /// An entry was made, and its outcome is not what was wanted.
    #[error("{message}")]
    Entry {
        /// What its handler said.
        message: String,
        /// For programs.
        code: String,
        /// Its place.
        sequence: u64,
    },
    /// No answer, or none that can be understood.
    #[error(transparent)]
    Client(#[from] client::Error),
    /// No answer to a command; the same id tells what became of it.
    #[error("{cause}")]
    Lost {
        /// What happened.
        cause: client::Error,
        /// The command's id.
        id: uuid::Uuid,
        /// The command line that tries again.
        again: String,
    },
    /// The server cannot start, or has stopped.
    #[error("{message}")]
    Serve {
        /// Why, with all causes.
        message: String,
    },
    /// Files are damaged, and were told.
    #[error("{message}")]
    Damaged {
        /// How many.
        message: String,
    },
    /// Files could not be checked, which says nothing about them.
    #[error("{message}")]
    Unchecked {
        /// Why, with all causes.
        message: String,
    },
    /// Nothing was restored.
    #[error("{message}")]
    Restore {
        /// Why, with all causes.
        message: String,
    },
    /// Standard output cannot be written.
    #[error("cannot write to standard output")]
    Output(#[from] io::Error),
}

impl Error {
    /// A file or directory that cannot be written.
    pub(super) fn unwritable(path: &Path, source: io::Error) -> Self {
        Self::Unwritable { path: path.to_owned(), source }
    }

    /// The exit code.
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Config(_) | Self::Input(_) | Self::Usage { .. } | Self::File { .. } => {
                Exit::Usage
            }
            Self::Unchecked { .. } => Exit::Usage,
            Self::Project(error) => error.exit(),
            Self::Entry { .. } | Self::Damaged { .. } | Self::Tests { .. } => Exit::Refused,
            Self::Problem(problem) if problem.by_application() => Exit::Refused,
            Self::Problem(problem) if problem.is_unknown() => Exit::Unknown,
            Self::Problem(_) | Self::Client(client::Error::Odd { .. }) => Exit::Server,
            Self::Client(_) | Self::Lost { .. } => Exit::Unknown,
            // Whoever reads has seen enough, as `head` does.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
            Self::Serve { .. }
            | Self::Restore { .. }
            | Self::Unwritable { .. }
            | Self::Ailing { .. }
            | Self::Output(_) => Exit::Machine,
        }
    }

    /// Writes what happened and what to do, for people. Nothing for a closed pipe.
    pub(super) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.exit() == Exit::Done {
            return Ok(());
        }
        let message = clean(&chain_of(self));
        let code = self.code();
        writeln!(out, "{ERROR}error:{ERROR:#} {STRONG}{message}{STRONG:#}   ({code})")?;
        match self {
            Self::Problem(problem) => problem.write_rest(out),
            Self::Entry { sequence, .. } => {
                writeln!(out, "  nothing changed; entry {sequence} records it")
            }
            Self::Client(error) => error.write_rest(out),
            Self::Project(error) => error.write_rest(out),
            Self::Lost { again, .. } => {
                writeln!(out, "  whether the command was logged is not known")?;
                writeln!(out, "  send it again with the same id; it cannot take effect twice:")?;
                writeln!(out, "    {}", clean(again))
            }
            _ => Ok(()),
        }
    }

    /// The same for programs; none if they have had a document.
    pub(super) fn document(&self) -> Option<Vec<u8>> {
        match self {
            Self::Problem(problem) => Some(problem.document().to_owned()),
            Self::Entry { .. } | Self::Damaged { .. } | Self::Output(_) => None,
            Self::Tests { .. } | Self::Ailing { .. } => None,
            Self::Project(error) => Some(self.own_document(error.members())),
            Self::Lost { id, again, .. } => Some(self.own_document(serde_json::json!({
                "outcome": "unknown",
                "retry": "same-id",
                "id": id,
                "again": again,
            }))),
            _ => Some(self.own_document(serde_json::json!({}))),
        }
    }

    /// A problem made here has the members that those of the server have.
    fn own_document(&self, mut members: serde_json::Value) -> Vec<u8> {
        if let Some(members) = members.as_object_mut() {
            members.insert("code".to_owned(), self.code().into());
            members.insert("detail".to_owned(), chain_of(self).into());
        }
        members.to_string().into_bytes()
    }

    fn code(&self) -> String {
        match self {
            Self::Config(_) => "configuration".to_owned(),
            Self::Input(_) => "input".to_owned(),
            Self::Usage { .. } => "usage".to_owned(),
            Self::File { .. } | Self::Unwritable { .. } => "file".to_owned(),
            Self::Project(error) => error.code().to_owned(),
            Self::Tests { .. } => "tests-failed".to_owned(),
            Self::Ailing { .. } => "ailing".to_owned(),
            Self::Problem(problem) => problem.code(),
            Self::Entry { code, .. } => clean(code),
            Self::Client(error) => error.code().to_owned(),
            Self::Lost { cause, .. } => cause.code().to_owned(),
            Self::Serve { .. } => "serve".to_owned(),
            Self::Damaged { .. } => "damaged".to_owned(),
            Self::Unchecked { .. } => "not-checked".to_owned(),
            Self::Restore { .. } => "restore".to_owned(),
            Self::Output(_) => "output".to_owned(),
        }
    }
}
