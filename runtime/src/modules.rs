//! The uploaded modules of one app: their bytes on disk, and compiled in memory.
//!
//! A module is a file named after the SHA-256 of its bytes, `.wasm` or, for a script,
//! `.js`, beside which the base that it was accepted with is kept; written and synced
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
use crate::value::{Hash, Name, chain_of};
use crate::wasm::script::{BASE_HASH, base_bytes};
use crate::wasm::{self, Script};

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

    /// What runs them.
    #[must_use]
    pub fn host(&self) -> &Arc<wasm::Host> {
        &self.host
    }

    /// Checks and compiles an upload. Keeps nothing on disk.
    ///
    /// # Errors
    /// Why the upload is refused.
    pub fn check(&self, upload: &[u8]) -> Result<Arc<wasm::Module>, wasm::Refused> {
        self.host.load_new(upload, |base| self.base(base))
    }

    /// Makes the bytes of a module durable, so that the log may name it.
    ///
    /// # Errors
    /// [`Error::Io`]; the module is then not kept, or kept whole.
    pub fn keep(&self, upload: &[u8]) -> Result<Hash, Error> {
        let hash = Hash::of(upload);
        if let Some(script) = Script::parse(upload)
            && script.base == *BASE_HASH
        {
            // Before the script: whoever finds that finds its base.
            self.write_unless_whole(script.base, base_bytes())?;
        }
        self.write_unless_whole(hash, upload)?;
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
        let loaded = self.host.load_kept(&bytes, |base| self.base(base));
        loaded.map_err(|reason| Error::Refused { hash, reason })
    }

    /// The bytes of a module that was kept.
    ///
    /// # Errors
    /// [`Error`].
    pub fn bytes(&self, hash: Hash) -> Result<Vec<u8>, Error> {
        for kind in KINDS {
            let path = self.path(hash, kind);
            match disk::read(&*self.disk, &path) {
                Ok(bytes) if Hash::of(&bytes) == hash => return Ok(bytes),
                Ok(_) => return Err(Error::Damaged { path }),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(io_error("read", &path, source)),
            }
        }
        Err(Error::Unknown(hash))
    }

    /// What a script runs in.
    fn base(&self, hash: Hash) -> Result<Vec<u8>, wasm::Refused> {
        self.bytes(hash).map_err(|error| no_base(hash, &error))
    }

    /// A file that is damaged is written anew.
    fn write_unless_whole(&self, hash: Hash, bytes: &[u8]) -> Result<(), Error> {
        match self.bytes(hash) {
            Ok(_) => Ok(()),
            Err(_) => self.write(hash, bytes),
        }
    }

    /// Renamed into place when whole, from a draft that nobody else writes: a
    /// crash leaves a module or none.
    fn write(&self, hash: Hash, upload: &[u8]) -> Result<(), Error> {
        let draft = self.drafts.fetch_add(1, Ordering::Relaxed);
        let draft = self.directory.join(format!("{hash}.{draft}.{DRAFT}"));
        let path = self.path(hash, kind_of(upload));
        let written = disk::write_whole(&*self.disk, &path, &draft, upload);
        written.map_err(|source| io_error("write", &path, source))
    }

    fn path(&self, hash: Hash, kind: &str) -> PathBuf {
        self.directory.join(format!("{hash}.{kind}"))
    }
}

/// Why a script's base cannot be had: what may pass by itself is the host's affair.
fn no_base(hash: Hash, error: &Error) -> wasm::Refused {
    if error.is_transient() {
        return wasm::Refused::Host(chain_of(error));
    }
    let problem = match error {
        Error::Damaged { path } => format!("whose file {} is damaged", path.display()),
        _ => "which is not among the modules".to_owned(),
    };
    wasm::Refused::NoBase { hash, problem }
}

/// What the file of a module may be called after its hash.
pub const KINDS: [&str; 2] = ["wasm", "js"];

/// Which of [`KINDS`] a module is.
fn kind_of(upload: &[u8]) -> &'static str {
    if Script::is_kept(upload) { "js" } else { "wasm" }
}

/// The hash in the name of a module's file; none if it is not one.
#[must_use]
pub fn hash_in(name: &str) -> Option<Hash> {
    let (hash, kind) = name.split_once('.')?;
    KINDS.contains(&kind).then(|| hash.parse().ok()).flatten()
}

fn io_error(action: &'static str, path: &Path, source: io::Error) -> Error {
    Error::Io { action, path: path.to_owned(), source }
}
