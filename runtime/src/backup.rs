//! Copies of an app: made while it runs, checked, and put back.
//!
//! A backup is a directory with the files that an app consists of, as of the end of
//! one round: sealed segments of its log, one checkpoint that is not ahead of them,
//! its modules and its archive; and `backup.json`, which names each file with its
//! length and its SHA-256. What can be derived, the index, is not in it. It gets its
//! name when it is complete and synced, so there is none that is half of one.
//!
//! What is restored is a new app with a history of its own: what was acknowledged
//! after the backup is not in it, so old sequences must not be taken for new ones.
//! Ids keep their receipts.
//!
//! This module copies and checks. Who holds off trimming and erasing meanwhile, and
//! when a backup is made, is the [`engine`](crate::engine)'s business.

mod check;
mod manifest;
mod restore;
#[cfg(test)]
mod tests;
mod write;

use std::io;
use std::path::{Path, PathBuf};

use crate::{checkpoint, log, verify};

pub use self::check::{check, is_backup};
pub use self::manifest::{FileOf, MANIFEST, Manifest};
pub use self::restore::{Restored, restore};
pub use self::write::{Copied, Source, Writer};

/// Why there is no backup, or none that could be restored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A backup or an app of this name is there.
    #[error("{path} is there already; choose another name")]
    Exists {
        /// Where it is.
        path: PathBuf,
    },
    /// The directory is no backup.
    #[error("{path} is no backup: it has no `backup.json`")]
    NoBackup {
        /// The directory.
        path: PathBuf,
    },
    /// The list of files is not one.
    #[error("{path}: {what}")]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A newer server made it.
    #[error(
        "{path}: format version {found} is unknown; use the version of the server that made it"
    )]
    UnknownFormat {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u64,
    },
    /// A file is not what was written.
    #[error("{path}: {what}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// What was restored is not whole.
    #[error("{what}; nothing was restored")]
    NotWhole {
        /// The first finding.
        what: String,
    },
    /// The log cannot be copied, or be gone on with.
    #[error("cannot use the log")]
    Log(#[from] log::Error),
    /// The checkpoint cannot be written.
    #[error("cannot write the checkpoint")]
    Checkpoint(#[from] checkpoint::Error),
    /// What was restored cannot be checked.
    #[error("cannot check what was restored")]
    Verify(#[from] verify::Error),
    /// Whoever watches wanted no more of it.
    #[error("the backup was given up before it was complete")]
    Stopped,
    /// The disk refused.
    #[error("cannot {action} {path}")]
    Io {
        /// What was being done.
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Where something is written until it is complete. Names of apps and backups do not
/// begin with a dot.
fn draft_of(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}"))
}

fn failed<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Error + use<'a> {
    move |source| Error::Io { action, path: path.into(), source }
}
