//! Why a checkpoint could not be written or read. Knows what files say of
//! themselves, and not what is to be done about it.

use std::io;
use std::path::{Path, PathBuf};

use super::Refused;
use crate::pages;
use crate::record::Damage;

/// Why a checkpoint could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file is not there.
    #[error("{path} is not there")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A crash cut it off while it was written, or it still is being written.
    #[error("{path}: it was not closed cleanly")]
    Unclean {
        /// The file.
        path: PathBuf,
    },
    /// A newer server wrote it.
    #[error(
        "{path}: format version {found} is unknown; use the version of the server that wrote it"
    )]
    UnknownFormat {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u16,
    },
    /// It is not what was written.
    #[error("{path}: {what}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The machine did not do what it was asked to.
    #[error("{path}: could not {operation}")]
    Failed {
        /// The file.
        path: PathBuf,
        /// What was tried.
        operation: &'static str,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// There are checkpoints, and none is whole.
    #[error("no checkpoint is whole: {}; restore one from a backup", list(refused))]
    NoneWhole {
        /// What was found.
        refused: Vec<Refused>,
    },
    /// Whoever sets the pace wanted no more of it.
    #[error("the checkpoint was given up before it was complete")]
    Stopped,
}

impl Error {
    /// Whether the file is to blame, rather than the machine or nobody.
    pub(super) fn is_refusal(&self) -> bool {
        match self {
            Self::Unclean { .. } | Self::UnknownFormat { .. } | Self::Damaged { .. } => true,
            Self::Missing { .. } | Self::Failed { .. } | Self::NoneWhole { .. } | Self::Stopped => {
                false
            }
        }
    }

    pub(super) fn damaged(path: &Path, what: impl Into<String>) -> Self {
        Self::Damaged { path: path.into(), what: what.into() }
    }

    pub(super) fn failed(path: &Path, operation: &'static str, source: io::Error) -> Self {
        Self::Failed { path: path.into(), operation, source: source.into() }
    }
}

impl From<pages::Error> for Error {
    fn from(error: pages::Error) -> Self {
        match error {
            pages::Error::Missing { path } => Self::Missing { path },
            pages::Error::Unclean { path } => Self::Unclean { path },
            pages::Error::Damaged { path, what } => Self::Damaged { path, what },
            pages::Error::Failed { path, operation, source } => {
                Self::Failed { path, operation, source }
            }
        }
    }
}

/// Why some bytes of a file were refused, before it is known which file.
#[derive(Debug)]
pub(super) enum Unreadable {
    UnknownFormat(u16),
    Damaged(String),
}

impl Unreadable {
    /// The error about this file, in which `place` was looked at.
    pub(super) fn at(self, path: &Path, place: &str) -> Error {
        match self {
            Self::UnknownFormat(found) => Error::UnknownFormat { path: path.into(), found },
            Self::Damaged(what) => Error::damaged(path, format!("{place}: {what}")),
        }
    }
}

impl From<Damage> for Unreadable {
    fn from(damage: Damage) -> Self {
        Self::Damaged(damage.to_string())
    }
}

fn list(refused: &[Refused]) -> String {
    let reasons: Vec<String> = refused.iter().map(|refused| refused.reason.to_string()).collect();
    reasons.join("; ")
}
