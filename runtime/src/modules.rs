//! The uploaded modules of one app: their bytes on disk, and compiled in memory.
//!
//! A module is a file named after the SHA-256 of its bytes, written and synced
//! before any entry of the log names it, and checked against its name whenever
//! it is read. Files are never changed or removed: every version stays for
//! rollback. Compiled modules live as long as something uses them.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::value::{Hash, Name};
use crate::wasm;

/// The modules of one app.
#[derive(Debug)]
pub struct Modules {
    app: Name,
    directory: PathBuf,
    host: Arc<wasm::Host>,
    /// Held weakly: the catalogs that use a module keep it.
    compiled: Mutex<HashMap<Hash, Weak<wasm::Module>>>,
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

impl Modules {
    /// The modules of an app, kept in a directory that is created if it is not
    /// there.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn open(app: Name, directory: PathBuf, host: Arc<wasm::Host>) -> Result<Self, Error> {
        fs::create_dir_all(&directory).map_err(|source| io_error("create", &directory, source))?;
        let parent = directory.parent().unwrap_or(&directory);
        let synced = File::open(parent).and_then(|parent| parent.sync_all());
        synced.map_err(|source| io_error("sync", parent, source))?;
        Ok(Self { app, directory, host, compiled: Mutex::default(), drafts: AtomicU64::new(0) })
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
        if let Some(module) = self.compiled(Hash::of(upload)) {
            return Ok(module);
        }
        let module = self.host.load(upload)?;
        self.remember(&module);
        Ok(module)
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
        let synced = File::open(&self.directory).and_then(|directory| directory.sync_all());
        synced.map_err(|source| io_error("sync", &self.directory, source))?;
        Ok(hash)
    }

    /// A module that was kept, compiled.
    ///
    /// # Errors
    /// [`Error`].
    pub fn load(&self, hash: Hash) -> Result<Arc<wasm::Module>, Error> {
        if let Some(module) = self.compiled(hash) {
            return Ok(module);
        }
        let bytes = self.bytes(hash)?;
        let module = self.host.load(&bytes).map_err(|reason| Error::Refused { hash, reason })?;
        self.remember(&module);
        Ok(module)
    }

    /// The bytes of a module that was kept.
    ///
    /// # Errors
    /// [`Error`].
    pub fn bytes(&self, hash: Hash) -> Result<Vec<u8>, Error> {
        let path = self.path(hash);
        let bytes = match fs::read(&path) {
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
        let draft = self.directory.join(format!("{hash}.{draft}.draft"));
        write_synced(&draft, upload).map_err(|source| io_error("write", &draft, source))?;
        fs::rename(&draft, self.path(hash)).map_err(|source| io_error("rename", &draft, source))
    }

    fn compiled(&self, hash: Hash) -> Option<Arc<wasm::Module>> {
        let compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        compiled.get(&hash).and_then(Weak::upgrade)
    }

    fn remember(&self, module: &Arc<wasm::Module>) {
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        compiled.retain(|_, module| module.strong_count() > 0);
        compiled.insert(module.hash(), Arc::downgrade(module));
    }

    fn path(&self, hash: Hash) -> PathBuf {
        self.directory.join(format!("{hash}.wasm"))
    }
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn io_error(action: &'static str, path: &Path, source: io::Error) -> Error {
    Error::Io { action, path: path.to_owned(), source }
}
