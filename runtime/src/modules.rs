//! The uploaded modules of one app: their bytes on disk, and compiled in memory.
//!
//! A module is a file named after the SHA-256 of its bytes, written and synced
//! before any entry of the log names it, and checked against its name whenever
//! it is read. Files are never changed or removed: every version stays for
//! rollback. Compiled modules are the host's, for as long as something uses them.

#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::disk::{self, Disk};
use crate::value::{Hash, Name};
use crate::wasm;

/// What a file is called while it is written.
const DRAFT: &str = "draft";

/// The modules of one app.
#[derive(Debug)]
pub struct Modules {
    disk: Arc<dyn Disk>,
    app: Name,
    directory: PathBuf,
    host: Arc<wasm::Host>,
    /// Numbers the drafts of this process.
    drafts: AtomicU64,
}

/// Why a module cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No such version was ever uploaded to this app.
    #[error("no module with hash {0} was uploaded to this app")]
    Unknown(Hash),
    /// The file is not what was uploaded.
    #[error(
        "{path} is damaged: its bytes do not have the hash in its name; restore it from a backup, or upload the module again"
    )]
    Damaged {
        /// The damaged file.
        path: PathBuf,
    },
    /// The module was accepted before and is not any more.
    #[error("module {hash} no longer loads in this version of the server: {reason}")]
    Refused {
        /// Which module.
        hash: Hash,
        /// Why.
        reason: wasm::Refused,
    },
    /// The disk failed.
    #[error("cannot {action} {path}")]
    Io {
        /// What was being done.
        action: &'static str,
        /// To which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Error {
    /// Whether it may pass by itself: a disk that does not answer, or a host that has
    /// no room now.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Io { .. } => true,
            Self::Refused { reason, .. } => reason.is_transient(),
            Self::Unknown(_) | Self::Damaged { .. } => false,
        }
    }
}

impl Modules {
    /// The modules of an app, kept in a directory that is created if it is not
    /// there. Removes what a crash left half written.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn open(
        disk: Arc<dyn Disk>,
        app: Name,
        directory: PathBuf,
        host: Arc<wasm::Host>,
    ) -> Result<Self, Error> {
        let created = disk::create_directories(&*disk, &directory);
        created.map_err(|source| io_error("create", &directory, source))?;
        // Also if it was there: whoever created it may not have come this far.
        let parent = disk::parent(&directory);
        disk.sync_directory(parent).map_err(|source| io_error("sync", parent, source))?;
        let names = disk.list(&directory).map_err(|source| io_error("list", &directory, source))?;
        for path in names {
            if path.extension().is_some_and(|extension| extension == DRAFT) {
                disk.remove(&path).map_err(|source| io_error("remove", &path, source))?;
            }
        }
        Ok(Self { disk, app, directory, host, drafts: AtomicU64::new(0) })
    }

    /// Whose modules these are.
    #[must_use]
    pub fn app(&self) -> &Name {
        &self.app
    }

    /// Checks and compiles an upload. Keeps nothing on disk.
    ///
    /// # Errors
    /// Why the upload is refused.
    pub fn check(&self, upload: &[u8]) -> Result<Arc<wasm::Module>, wasm::Refused> {
        self.host.load(upload)
    }

    /// Makes the bytes of a module durable, so that the log may name it.
    ///
    /// # Errors
    /// [`Error::Io`]; the module is then not kept, or kept whole.
    pub fn keep(&self, upload: &[u8]) -> Result<Hash, Error> {
        let hash = Hash::of(upload);
        // A file that is damaged is written anew.
        if self.bytes(hash).is_err() {
            self.write(hash, upload)?;
        }
        // Also if it was there: whoever put it there may not have come this far.
        let synced = self.disk.sync_directory(&self.directory);
        synced.map_err(|source| io_error("sync", &self.directory, source))?;
        Ok(hash)
    }

    /// A module that was kept, compiled.
    ///
    /// # Errors
    /// [`Error`].
    pub fn load(&self, hash: Hash) -> Result<Arc<wasm::Module>, Error> {
        let bytes = self.bytes(hash)?;
        self.host.load(&bytes).map_err(|reason| Error::Refused { hash, reason })
    }

    /// The bytes of a module that was kept.
    ///
    /// # Errors
    /// [`Error`].
    pub fn bytes(&self, hash: Hash) -> Result<Vec<u8>, Error> {
        let path = self.path(hash);
        let bytes = match disk::read(&*self.disk, &path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Error::Unknown(hash));
            }
            Err(source) => return Err(io_error("read", &path, source)),
        };
        if Hash::of(&bytes) != hash {
            return Err(Error::Damaged { path });
        }
        Ok(bytes)
    }

    /// Renamed into place when whole, from a draft that nobody else writes: a
    /// crash leaves a module or none.
    fn write(&self, hash: Hash, upload: &[u8]) -> Result<(), Error> {
        let draft = self.drafts.fetch_add(1, Ordering::Relaxed);
        let draft = self.directory.join(format!("{hash}.{draft}.{DRAFT}"));
        let path = self.path(hash);
        let written = disk::write_whole(&*self.disk, &path, &draft, upload);
        written.map_err(|source| io_error("write", &path, source))
    }

    fn path(&self, hash: Hash) -> PathBuf {
        self.directory.join(format!("{hash}.wasm"))
    }
}

fn io_error(action: &'static str, path: &Path, source: io::Error) -> Error {
    Error::Io { action, path: path.to_owned(), source }
}
