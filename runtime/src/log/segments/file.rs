//! One segment as a redb file: the only module that calls redb.
//!
//! Every call runs inside [`guarded`], because redb can panic on a damaged file,
//! and damage has to be an error that names the file. What rounds mean and how
//! segments follow each other is not known here.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use redb::{
    Builder, Database, DatabaseError, Durability, ReadOnlyDatabase, ReadableTable, TableDefinition,
    WriteTransaction,
};

use super::directory;
use super::meta::{Meta, Seal, Unreadable};
use crate::log::Error;
use crate::record::Damage;

/// A database that can be read, whether or not it can be written.
pub(super) use redb::ReadableDatabase as Readable;

/// Rounds by number.
const ROUNDS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("rounds");
/// What the segment says about itself, under the two names below.
const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
const SEGMENT: &str = "segment";
const SEAL: &str = "seal";

/// What redb may cache of a sealed segment, in bytes: they are read from start to
/// end, or a round at a time.
const SEALED_CACHE_BYTES: usize = 1 << 20;

const RESTORE: &str = "restore this file from a backup";

/// A segment that is written to.
pub(super) type Active = SegmentFile<Database>;
/// A segment that is not written to any more.
pub(super) type Sealed = SegmentFile<ReadOnlyDatabase>;

/// An open segment.
pub(super) struct SegmentFile<D> {
    path: PathBuf,
    database: D,
}

/// Takes a round's number and bytes, and the number of the segment's last round.
pub(super) type Scan<'a> = dyn FnMut(u64, &[u8], u64) -> Result<(), Error> + 'a;

impl Active {
    /// Creates a segment that is there, whole, after a crash from now on, or not at all.
    pub(super) fn create(dir: &Path, meta: &Meta, cache_bytes: usize) -> Result<Self, Error> {
        let path = dir.join(directory::file_name(meta.first_sequence));
        let database = guarded(&path, "create the segment", || {
            let mut builder = Builder::new();
            let database =
                builder.set_cache_size(cache_bytes).create(directory::unfinished(&path))?;
            write(&database, |transaction| {
                transaction.open_table(ROUNDS)?;
                transaction.open_table(META)?.insert(SEGMENT, meta.encode().as_slice())?;
                Ok(())
            })?;
            Ok(database)
        })?;
        directory::finish(&path)?;
        Ok(Self { path, database })
    }

    /// Opens a segment to go on writing. If it was not closed cleanly, it is repaired
    /// first, and whatever of it is only in the system's memory is written.
    pub(super) fn open(path: &Path, cache_bytes: usize) -> Result<Self, Error> {
        let is_clean = guarded(path, "open the segment", || match open_sealed(path) {
            Ok(_) => Ok(true),
            Err(DatabaseError::RepairAborted) => Ok(false),
            Err(error) => Err(error.into()),
        })?;
        if !is_clean {
            directory::write_again(path)?;
        }
        let place = path.display().to_string();
        let database = guarded(path, "open the segment", || {
            let mut builder = Builder::new();
            builder.set_cache_size(cache_bytes).set_repair_callback(move |repair| {
                let percent = (repair.progress() * 100.0).round();
                tracing::info!(file = place, percent, "repairing after an unclean stop");
            });
            Ok(builder.open(path)?)
        })?;
        Ok(Self { path: path.into(), database })
    }

    /// Writes a round; durable when `Ok`.
    pub(super) fn append(&self, number: u64, round: &[u8]) -> Result<(), Error> {
        guarded(&self.path, "append a round", || {
            write(&self.database, |transaction| {
                transaction.open_table(ROUNDS)?.insert(number, round)?;
                Ok(())
            })
        })
    }

    /// Says durably that nothing more will be written.
    pub(super) fn write_seal(&self, seal: Seal) -> Result<(), Error> {
        guarded(&self.path, "seal the segment", || {
            write(&self.database, |transaction| {
                transaction.open_table(META)?.insert(SEAL, seal.encode().as_slice())?;
                Ok(())
            })
        })
    }

    /// Closes the file so that opening it needs no repair, and makes sure of it:
    /// redb closes when dropped, and keeps a failure to itself.
    pub(super) fn close(self) -> Result<(), Error> {
        let Self { path, database } = self;
        guarded(&path, "close the segment", || {
            drop(database);
            Ok(())
        })?;
        Sealed::open(&path).map(drop).map_err(|error| Error::Failed {
            place: path.display().to_string(),
            operation: "close the segment cleanly",
            source: error.into(),
        })
    }
}

impl Sealed {
    /// Opens a segment to read it; refused if it was not closed cleanly.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let database = guarded(path, "open the segment", || Ok(open_sealed(path)?))?;
        Ok(Self { path: path.into(), database })
    }
}

impl<D: Readable> SegmentFile<D> {
    pub(super) fn meta(&self) -> Result<Meta, Error> {
        let bytes = self.meta_value(SEGMENT)?;
        let bytes = bytes.ok_or_else(|| damaged(&self.path, "it has no description of itself"))?;
        Meta::decode(&bytes).map_err(|unreadable| match unreadable {
            Unreadable::Damaged(damage) => damaged(&self.path, damage.to_string()),
            Unreadable::UnknownFormat(found) => {
                Error::UnknownFormat { place: self.path.display().to_string(), found }
            }
        })
    }

    pub(super) fn seal(&self) -> Result<Option<Seal>, Error> {
        let bytes = self.meta_value(SEAL)?;
        let seal = bytes.map(|bytes| Seal::decode(&bytes)).transpose();
        seal.map_err(|damage: Damage| damaged(&self.path, damage.to_string()))
    }

    /// The bytes of one round.
    pub(super) fn round(&self, number: u64) -> Result<Vec<u8>, Error> {
        let round = guarded(&self.path, "read a round", || {
            let rounds = self.database.begin_read()?.open_table(ROUNDS)?;
            Ok(rounds.get(number)?.map(|round| round.value().to_vec()))
        })?;
        round.ok_or_else(|| self.missing(number))
    }

    /// Hands over every round, from the first the segment must have to its last.
    pub(super) fn scan(&self, first: u64, each: &mut Scan<'_>) -> Result<(), Error> {
        let rounds = guarded(&self.path, "read the segment", || {
            Ok(self.database.begin_read()?.open_table(ROUNDS)?)
        })?;
        let bounds = guarded(&self.path, "read the segment", || {
            let bounds = (rounds.first()?, rounds.last()?);
            Ok((bounds.0.map(|round| round.0.value()), bounds.1.map(|round| round.0.value())))
        })?;
        let (Some(lowest), Some(last)) = bounds else {
            return Ok(());
        };
        if lowest != first {
            return Err(damaged(&self.path, format!("it begins with round {lowest}, not {first}")));
        }
        for number in first..=last {
            // `each` stays outside the guard: a panic there is not the file's.
            let round = guarded(&self.path, "read a round", || Ok(rounds.get(number)?))?;
            let missing = || damaged(&self.path, format!("round {number} is missing"));
            let round = round.ok_or_else(missing)?;
            each(number, round.value(), last)?;
        }
        Ok(())
    }

    fn meta_value(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        guarded(&self.path, "read the segment", || {
            let meta = self.database.begin_read()?.open_table(META)?;
            Ok(meta.get(name)?.map(|value| value.value().to_vec()))
        })
    }

    fn missing(&self, number: u64) -> Error {
        Error::Missing { place: self.path.display().to_string(), what: format!("round {number}") }
    }
}

impl<D> SegmentFile<D> {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl<D> fmt::Debug for SegmentFile<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SegmentFile").field("path", &self.path).finish_non_exhaustive()
    }
}

fn open_sealed(path: &Path) -> Result<ReadOnlyDatabase, DatabaseError> {
    Builder::new().set_cache_size(SEALED_CACHE_BYTES).open_read_only(path)
}

/// One transaction, durable when `Ok`.
///
/// In two phases: with one, redb silently rolls back to the commit before if a page
/// of the last one does not match its checksum after an unclean stop, and cannot
/// tell a commit that was torn from one that was acknowledged and damaged since.
fn write(
    database: &Database,
    change: impl FnOnce(&WriteTransaction) -> Result<(), redb::Error>,
) -> Result<(), redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(Durability::Immediate)?;
    transaction.set_two_phase_commit(true);
    change(&transaction)?;
    Ok(transaction.commit()?)
}

/// Calls redb, and makes errors and panics name the file and who must act.
fn guarded<T>(
    path: &Path,
    operation: &'static str,
    call: impl FnOnce() -> Result<T, redb::Error>,
) -> Result<T, Error> {
    // Nothing of ours is shared with the closure that could be left half-changed.
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(result) => result.map_err(|error| classify(path, operation, error)),
        Err(_) => Err(damaged(path, format!("could not {operation}: redb panicked"))),
    }
}

fn classify(path: &Path, operation: &'static str, error: redb::Error) -> Error {
    use std::io::ErrorKind::{InvalidData, UnexpectedEof};
    let place = path.display().to_string();
    match error {
        redb::Error::DatabaseAlreadyOpen => Error::InUse { place },
        redb::Error::RepairAborted => damaged(path, "it was not closed cleanly"),
        redb::Error::Io(error) if !matches!(error.kind(), InvalidData | UnexpectedEof) => {
            directory::failed(path, operation, error)
        }
        error @ (redb::Error::PreviousIo
        | redb::Error::DatabaseClosed
        | redb::Error::ValueTooLarge(_)) => {
            Error::Failed { place, operation, source: error.into() }
        }
        error => damaged(path, format!("could not {operation}: {error}")),
    }
}

fn damaged(path: &Path, what: impl Into<String>) -> Error {
    let place = path.display().to_string();
    Error::Damaged { place, round: None, what: what.into(), remedy: RESTORE }
}
