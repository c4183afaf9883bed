//! One redb file on a [`Disk`]: how it is created, opened, read, written, closed.
//!
//! redb keeps ordered tables in pages, and survives crashes. What of it is used,
//! and how, is decided here once: every commit is durable and in two phases, only
//! a file that was not closed cleanly is repaired, and damage is an error that
//! names the file. redb can panic on a damaged file, and does not verify pages on
//! ordinary reads: whoever keeps something here puts a checksum on it.
//!
//! What tables a file has is its owner's business: the log, the checkpoints.

mod backend;
mod quiet;
#[cfg(test)]
mod tests;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use redb::{Builder, Database, Durability, ReadTransaction, ReadableDatabase, WriteTransaction};

use self::backend::{Backend, Failure, Overlay};
use crate::disk::{Disk, How, write_in_place};

/// Why a file refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file is not there.
    #[error("{path} is not there")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// Somebody did not close it: it has to be repaired before it can be read.
    #[error("{path}: it was not closed cleanly")]
    Unclean {
        /// The file.
        path: PathBuf,
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
}

/// An open file.
pub struct Pages {
    path: PathBuf,
    /// None only while this is dropped.
    database: Option<Database>,
    /// What the file did not do.
    failure: Failure,
}

/// A file that was opened without being touched.
#[derive(Debug)]
pub struct Aside {
    /// The file, to be read.
    pub pages: Pages,
    /// Whether it was closed cleanly; if not, the file itself still needs its repair.
    pub was_clean: bool,
}

impl Pages {
    /// Creates a file, in place of one that is there. Its name is not durable
    /// before its directory is synced.
    ///
    /// # Errors
    /// [`Error::Failed`].
    pub fn create(disk: &dyn Disk, path: &Path, cache_bytes: usize) -> Result<Self, Error> {
        let failure = Failure::default();
        let file = disk.open(path, How::Create).map_err(|error| failed(path, "create", error))?;
        let database = guarded(path, "create", || {
            let backend = Backend::new(file, failure.clone());
            Ok(Builder::new().set_cache_size(cache_bytes).create_with_backend(backend)?)
        })?;
        Ok(Self { path: path.into(), database: Some(database), failure })
    }

    /// Opens a file to write to it. If it was not closed cleanly, it is repaired
    /// first, which reads all of it three times; and before that written over
    /// itself and synced, so that what reading it shows is what the disk has.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::Damaged`], [`Error::Failed`].
    pub fn open(disk: &dyn Disk, path: &Path, cache_bytes: usize) -> Result<Self, Error> {
        match Self::open_clean(disk, path, cache_bytes) {
            Ok(_) => {}
            Err(Error::Unclean { .. }) => {
                let written = write_in_place(disk, path);
                written.map_err(|error| failed(path, "write again", error))?;
            }
            Err(error) => return Err(error),
        }
        let failure = Failure::default();
        let file = disk.open(path, How::Write).map_err(|error| failed(path, "open", error))?;
        let place = path.display().to_string();
        let database = guarded(path, "open", || {
            let mut builder = Builder::new();
            builder.set_cache_size(cache_bytes).set_repair_callback(move |repair| {
                let percent = (repair.progress() * 100.0).round();
                tracing::info!(file = place, percent, "repairing after an unclean stop");
            });
            Ok(builder.create_with_backend(Backend::new(file, failure.clone()))?)
        })?;
        Ok(Self { path: path.into(), database: Some(database), failure })
    }

    /// Opens a file to read it, and never writes to it.
    ///
    /// # Errors
    /// [`Error::Unclean`] if it needs a repair, [`Error::Missing`],
    /// [`Error::Damaged`], [`Error::Failed`].
    pub fn open_clean(disk: &dyn Disk, path: &Path, cache_bytes: usize) -> Result<Self, Error> {
        let failure = Failure::default();
        let file = disk.open(path, How::Read).map_err(|error| failed(path, "open", error))?;
        // redb would take an empty file for one that is to be created.
        if file.is_empty().map_err(|error| failed(path, "open", error))? {
            return Err(damaged(path, "it is empty"));
        }
        let database = guarded(path, "open", || {
            let mut builder = Builder::new();
            builder.set_cache_size(cache_bytes).set_repair_callback(redb::RepairSession::abort);
            Ok(builder.create_with_backend(Overlay::new(file))?)
        })?;
        Ok(Self { path: path.into(), database: Some(database), failure })
    }

    /// Opens a file to read it, and never writes to it. If it was not closed cleanly,
    /// what a repair would make of it is made in memory, which reads all of it.
    ///
    /// # Errors
    /// [`Error::Missing`], [`Error::Damaged`], [`Error::Failed`].
    pub fn open_aside(disk: &dyn Disk, path: &Path, cache_bytes: usize) -> Result<Aside, Error> {
        match Self::open_clean(disk, path, cache_bytes) {
            Ok(pages) => return Ok(Aside { pages, was_clean: true }),
            Err(Error::Unclean { .. }) => {}
            Err(error) => return Err(error),
        }
        let file = disk.open(path, How::Read).map_err(|error| failed(path, "open", error))?;
        let database = guarded(path, "open", || {
            let mut builder = Builder::new();
            builder.set_cache_size(cache_bytes);
            Ok(builder.create_with_backend(Overlay::new(file))?)
        })?;
        let pages =
            Self { path: path.into(), database: Some(database), failure: Failure::default() };
        Ok(Aside { pages, was_clean: false })
    }

    /// Reads, as of the last commit.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::Failed`].
    pub fn read<T>(
        &self,
        operation: &'static str,
        read: impl FnOnce(&ReadTransaction) -> Result<T, redb::Error>,
    ) -> Result<T, Error> {
        self.guarded(operation, || read(&self.database()?.begin_read()?))
    }

    /// Writes in one transaction, which is durable when `Ok`. When `Err`, whether it
    /// is, is unknown, and the file takes no more.
    ///
    /// In two phases: with one, redb silently rolls back to the commit before if a
    /// page of the last one does not match its checksum after an unclean stop, and
    /// cannot tell a commit that was torn from one that was acknowledged and damaged
    /// since.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::Failed`].
    pub fn write<T>(
        &self,
        operation: &'static str,
        write: impl FnOnce(&WriteTransaction) -> Result<T, redb::Error>,
    ) -> Result<T, Error> {
        self.guarded(operation, || {
            let mut transaction = self.database()?.begin_write()?;
            transaction.set_durability(Durability::Immediate)?;
            transaction.set_two_phase_commit(true);
            let written = write(&transaction)?;
            transaction.commit()?;
            Ok(written)
        })
    }

    /// Calls redb about this file, and makes errors and panics name it.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::Failed`].
    pub fn guarded<T>(
        &self,
        operation: &'static str,
        call: impl FnOnce() -> Result<T, redb::Error>,
    ) -> Result<T, Error> {
        guarded(&self.path, operation, call)
    }

    /// Closes the file so that opening it needs no repair, and makes sure of it:
    /// redb closes when dropped, and keeps a failure to itself.
    ///
    /// # Errors
    /// [`Error`] if it is not known to be closed cleanly.
    pub fn close(mut self, disk: &dyn Disk) -> Result<(), Error> {
        self.drop_database()?;
        if let Some(failure) = self.failure.get() {
            return Err(failed(&self.path, "close", failure.to_owned()));
        }
        Self::open_clean(disk, &self.path, 0).map(drop)
    }

    /// Remembers that the file was given another name meanwhile.
    pub fn renamed(&mut self, path: &Path) {
        self.path = path.into();
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn database(&self) -> Result<&Database, redb::Error> {
        self.database.as_ref().ok_or(redb::Error::DatabaseClosed)
    }

    fn drop_database(&mut self) -> Result<(), Error> {
        let database = self.database.take();
        guarded(&self.path, "close", || {
            drop(database);
            Ok(())
        })
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // redb commits when it is dropped, even what was only read, and can panic at it
        // if the file is damaged. Nothing depends on that commit but the time that the
        // next opening takes; whoever wants to know whether it succeeded calls `close`.
        if let Err(error) = self.drop_database() {
            tracing::warn!(%error, "not closed cleanly");
        }
    }
}

impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages").field("path", &self.path).finish_non_exhaustive()
    }
}

fn guarded<T>(
    path: &Path,
    operation: &'static str,
    call: impl FnOnce() -> Result<T, redb::Error>,
) -> Result<T, Error> {
    // Nothing of ours is shared with the closure that could be left half-changed.
    match quiet::quietly(|| catch_unwind(AssertUnwindSafe(call))) {
        Ok(result) => result.map_err(|error| classify(path, operation, error)),
        Err(_) => Err(damaged(path, format!("could not {operation} it: redb panicked"))),
    }
}

fn classify(path: &Path, operation: &'static str, error: redb::Error) -> Error {
    use std::io::ErrorKind::{InvalidData, UnexpectedEof};
    match error {
        redb::Error::RepairAborted => Error::Unclean { path: path.into() },
        redb::Error::Io(error) if !matches!(error.kind(), InvalidData | UnexpectedEof) => {
            failed(path, operation, error)
        }
        error @ (redb::Error::PreviousIo
        | redb::Error::DatabaseClosed
        | redb::Error::DatabaseAlreadyOpen
        | redb::Error::ValueTooLarge(_)) => failed(path, operation, error),
        error => damaged(path, format!("could not {operation} it: {error}")),
    }
}

fn failed(
    path: &Path,
    operation: &'static str,
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> Error {
    let source = error.into();
    let io = source.downcast_ref::<std::io::Error>();
    if io.is_some_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
        return Error::Missing { path: path.into() };
    }
    Error::Failed { path: path.into(), operation, source }
}

fn damaged(path: &Path, what: impl Into<String>) -> Error {
    Error::Damaged { path: path.into(), what: what.into() }
}
