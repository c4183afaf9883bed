//! One segment as a file of pages. What rounds mean and how segments follow each
//! other is not known here.

use std::fmt;
use std::path::{Path, PathBuf};

use redb::{ReadOnlyTable, ReadableTable, TableDefinition};

use super::directory;
use super::meta::{Meta, Seal, Unreadable};
use crate::disk::{self, Disk};
use crate::log::Error;
use crate::pages::{self, Aside, Pages};
use crate::record::Damage;

/// Rounds by number.
const ROUNDS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("rounds");
/// What the segment says about itself, under the two names below.
const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
const SEGMENT: &str = "segment";
const SEAL: &str = "seal";

/// What redb may cache of a sealed segment, in bytes: they are read from start to
/// end, or a round at a time.
const SEALED_CACHE_BYTES: usize = 1 << 20;

pub(super) const RESTORE: &str = "restore this file from a backup";

/// An open segment.
pub(super) struct SegmentFile {
    path: PathBuf,
    pages: Pages,
}

/// Takes a round's number and bytes, and the number of the segment's last round.
pub(super) type Scan<'a> = dyn FnMut(u64, &[u8], u64) -> Result<(), Error> + 'a;

impl SegmentFile {
    /// Creates a segment that is there, whole, after a crash from now on, or not at all.
    pub(super) fn create(
        disk: &dyn Disk,
        dir: &Path,
        meta: &Meta,
        cache_bytes: usize,
    ) -> Result<Self, Error> {
        let path = dir.join(directory::file_name(meta.first_sequence, meta.first_round));
        let mut file = Self::draft(disk, &path, meta, cache_bytes)?;
        disk::finish(disk, &directory::unfinished(&path), &path)
            .map_err(|error| directory::failed(&path, "name the new segment", error))?;
        file.pages.renamed(&path);
        file.path = path;
        Ok(file)
    }

    /// Begins to write a segment beside the place where it is to be.
    pub(super) fn draft(
        disk: &dyn Disk,
        path: &Path,
        meta: &Meta,
        cache_bytes: usize,
    ) -> Result<Self, Error> {
        let path = directory::unfinished(path);
        let pages = Pages::create(disk, &path, cache_bytes).map_err(|error| of(&path, error))?;
        let file = Self { path, pages };
        file.write("create the segment", |transaction| {
            transaction.open_table(ROUNDS)?;
            transaction.open_table(META)?.insert(SEGMENT, meta.encode().as_slice())?;
            Ok(())
        })?;
        Ok(file)
    }

    /// Opens a segment to go on writing. If it was not closed cleanly, it is repaired
    /// first, and whatever of it is only in the system's memory is written.
    pub(super) fn open(disk: &dyn Disk, path: &Path, cache_bytes: usize) -> Result<Self, Error> {
        let pages = Pages::open(disk, path, cache_bytes).map_err(|error| of(path, error))?;
        Ok(Self { path: path.into(), pages })
    }

    /// Opens a segment to read it; refused if it was not closed cleanly.
    pub(super) fn open_sealed(disk: &dyn Disk, path: &Path) -> Result<Self, Error> {
        let pages = Pages::open_clean(disk, path, SEALED_CACHE_BYTES);
        let pages = pages.map_err(|error| of(path, error))?;
        Ok(Self { path: path.into(), pages })
    }

    /// Opens a segment to read it, whether it was closed cleanly or not, and says
    /// which. Never writes to it.
    pub(super) fn open_aside(disk: &dyn Disk, path: &Path) -> Result<(Self, bool), Error> {
        let aside = Pages::open_aside(disk, path, SEALED_CACHE_BYTES);
        let Aside { pages, was_clean } = aside.map_err(|error| of(path, error))?;
        Ok((Self { path: path.into(), pages }, was_clean))
    }

    /// Opens a segment to read it, if it was closed cleanly and sealed.
    pub(super) fn open_if_sealed(disk: &dyn Disk, path: &Path) -> Result<Option<Self>, Error> {
        match Pages::open_clean(disk, path, SEALED_CACHE_BYTES) {
            Ok(pages) => {
                let file = Self { path: path.into(), pages };
                Ok(file.seal()?.map(|_| file))
            }
            Err(pages::Error::Unclean { .. }) => Ok(None),
            Err(error) => Err(of(path, error)),
        }
    }

    /// Writes a round; durable when `Ok`.
    pub(super) fn append(&self, number: u64, round: &[u8]) -> Result<(), Error> {
        self.write("append a round", |transaction| {
            transaction.open_table(ROUNDS)?.insert(number, round)?;
            Ok(())
        })
    }

    /// Writes rounds that follow each other; durable when `Ok`.
    pub(super) fn append_all(&self, first: u64, rounds: &[Vec<u8>]) -> Result<(), Error> {
        self.write("append rounds", |transaction| {
            let mut table = transaction.open_table(ROUNDS)?;
            for (number, round) in (first..).zip(rounds) {
                table.insert(number, round.as_slice())?;
            }
            Ok(())
        })
    }

    /// Says durably that nothing more will be written.
    pub(super) fn write_seal(&self, seal: Seal) -> Result<(), Error> {
        self.write("seal the segment", |transaction| {
            transaction.open_table(META)?.insert(SEAL, seal.encode().as_slice())?;
            Ok(())
        })
    }

    /// Closes the file so that opening it needs no repair, and makes sure of it.
    pub(super) fn close(self, disk: &dyn Disk) -> Result<(), Error> {
        let Self { path, pages } = self;
        pages.close(disk).map_err(|error| Error::Failed {
            place: path.display().to_string(),
            operation: "close the segment cleanly",
            source: error.into(),
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn meta(&self) -> Result<Meta, Error> {
        let bytes = self.meta_value(SEGMENT)?;
        let bytes = bytes.ok_or_else(|| self.damaged("it has no description of itself"))?;
        Meta::decode(&bytes).map_err(|unreadable| match unreadable {
            Unreadable::Damaged(damage) => self.damaged(damage.to_string()),
            Unreadable::UnknownFormat(found) => {
                Error::UnknownFormat { place: self.path.display().to_string(), found }
            }
        })
    }

    pub(super) fn seal(&self) -> Result<Option<Seal>, Error> {
        let bytes = self.meta_value(SEAL)?;
        let seal = bytes.map(|bytes| Seal::decode(&bytes)).transpose();
        seal.map_err(|damage: Damage| self.damaged(damage.to_string()))
    }

    /// The bytes of one round.
    pub(super) fn round(&self, number: u64) -> Result<Vec<u8>, Error> {
        let round = self.read("read a round", |transaction| {
            let rounds = transaction.open_table(ROUNDS)?;
            bytes_of(&rounds, number)
        })?;
        round.ok_or_else(|| self.missing(number))
    }

    /// The number of the last round, given that of the first it must have; none if
    /// it has no rounds.
    pub(super) fn last(&self, first: u64) -> Result<Option<u64>, Error> {
        self.last_of(&self.rounds()?, first)
    }

    /// Hands over every round from this one to the last, given the first that the
    /// segment must have.
    pub(super) fn scan(&self, first: u64, from: u64, each: &mut Scan<'_>) -> Result<(), Error> {
        let rounds = self.rounds()?;
        let Some(last) = self.last_of(&rounds, first)? else {
            return Ok(());
        };
        for number in from..=last {
            // `each` stays outside the guard: a panic there is not the file's.
            let round = self.guarded("read a round", || bytes_of(&rounds, number))?;
            let missing = || self.damaged(format!("round {number} is missing"));
            let round = round.ok_or_else(missing)?;
            each(number, &round, last)?;
        }
        Ok(())
    }

    pub(super) fn damaged(&self, what: impl Into<String>) -> Error {
        let place = self.path.display().to_string();
        Error::Damaged { place, round: None, what: what.into(), remedy: RESTORE }
    }

    fn rounds(&self) -> Result<ReadOnlyTable<u64, &'static [u8]>, Error> {
        self.read("read the segment", |transaction| Ok(transaction.open_table(ROUNDS)?))
    }

    fn last_of(
        &self,
        rounds: &ReadOnlyTable<u64, &'static [u8]>,
        first: u64,
    ) -> Result<Option<u64>, Error> {
        let bounds = self.guarded("read the segment", || {
            let bounds = (rounds.first()?, rounds.last()?);
            Ok((bounds.0.map(|round| round.0.value()), bounds.1.map(|round| round.0.value())))
        })?;
        match bounds {
            (Some(lowest), Some(last)) if lowest == first => Ok(Some(last)),
            (Some(lowest), _) => {
                Err(self.damaged(format!("it begins with round {lowest}, not {first}")))
            }
            (None, _) => Ok(None),
        }
    }

    fn meta_value(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        self.read("read the segment", |transaction| {
            let meta = transaction.open_table(META)?;
            Ok(meta.get(name)?.map(|value| value.value().to_vec()))
        })
    }

    fn missing(&self, number: u64) -> Error {
        Error::Missing { place: self.path.display().to_string(), what: format!("round {number}") }
    }

    fn read<T>(
        &self,
        operation: &'static str,
        read: impl FnOnce(&redb::ReadTransaction) -> Result<T, redb::Error>,
    ) -> Result<T, Error> {
        self.pages.read(operation, read).map_err(|error| of(&self.path, error))
    }

    fn write(
        &self,
        operation: &'static str,
        write: impl FnOnce(&redb::WriteTransaction) -> Result<(), redb::Error>,
    ) -> Result<(), Error> {
        self.pages.write(operation, write).map_err(|error| of(&self.path, error))
    }

    fn guarded<T>(
        &self,
        operation: &'static str,
        call: impl FnOnce() -> Result<T, redb::Error>,
    ) -> Result<T, Error> {
        self.pages.guarded(operation, call).map_err(|error| of(&self.path, error))
    }
}

impl fmt::Debug for SegmentFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SegmentFile").field("path", &self.path).finish_non_exhaustive()
    }
}

/// A copy of a round: looking at it in place is where a damaged page panics, and that
/// has to be inside the guard.
fn bytes_of(
    rounds: &ReadOnlyTable<u64, &'static [u8]>,
    number: u64,
) -> Result<Option<Vec<u8>>, redb::Error> {
    Ok(rounds.get(number)?.map(|round| round.value().to_vec()))
}

/// What a segment's pages said, about the segment.
fn of(path: &Path, error: pages::Error) -> Error {
    let place = path.display().to_string();
    match error {
        pages::Error::Missing { .. } => Error::Missing { place, what: "the segment".into() },
        pages::Error::Unclean { .. } => Error::Damaged {
            place,
            round: None,
            what: "it was not closed cleanly".into(),
            remedy: RESTORE,
        },
        pages::Error::Damaged { what, .. } => {
            Error::Damaged { place, round: None, what, remedy: RESTORE }
        }
        pages::Error::Failed { operation, source, .. } => {
            Error::Failed { place, operation, source }
        }
    }
}
