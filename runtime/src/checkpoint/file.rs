//! A generation as a redb file: what is in which table, and reading all of it. The
//! only file here that calls redb but for `write.rs`. What the bytes mean is in
//! `format.rs`.

use std::path::Path;

use redb::{
    ReadOnlyTable, ReadTransaction, ReadableTableMetadata, StorageError, TableDefinition,
    TableError,
};

use super::Progress;
use super::error::{Error, Unreadable};
use super::format::{Info, Manifest, Root, Stored, TableRoot};
use crate::disk::Disk;
use crate::pages::{Aside, Pages};

/// Chunks by id.
pub(super) const CHUNKS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("chunks");
/// The root, and the manifests.
pub(super) const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
/// Where the root is in `meta`.
pub(super) const ROOT: &str = "root";

/// What redb may cache of a file that is read once from start to end: its branch
/// pages and a few chunks.
const READ_CACHE_BYTES: usize = 1 << 20;

/// Where a table's manifest is in `meta`.
pub(super) fn manifest_key(name: &str) -> String {
    format!("table {name}")
}

/// A generation that is open for reading, and its root.
#[derive(Debug)]
pub(super) struct Opened {
    pages: Pages,
    pub(super) root: Root,
}

/// Takes the chunks of a generation: the number of the table in the root, what the
/// manifest says of the chunk, and the chunk.
pub(super) type Visit<'a> = dyn FnMut(usize, &Info, &Stored) -> Result<(), Refusal> + 'a;

/// Why reading ended before the end.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The chunk is not what it should be.
    Damaged(String),
    /// Nobody wants more.
    Stopped,
}

impl From<String> for Refusal {
    fn from(what: String) -> Self {
        Self::Damaged(what)
    }
}

impl Opened {
    /// Opens a generation that was closed cleanly, and never writes to it.
    pub(super) fn open(disk: &dyn Disk, path: &Path) -> Result<Self, Error> {
        Self::of(Pages::open_clean(disk, path, READ_CACHE_BYTES)?, path)
    }

    fn of(pages: Pages, path: &Path) -> Result<Self, Error> {
        let root = read(&pages, "read the root", |transaction| {
            let meta = transaction.open_table(META)?;
            let Some(bytes) = meta.get(ROOT)? else {
                return Err(Error::damaged(path, "it has no root").into());
            };
            Ok(Root::decode(bytes.value()).map_err(|error| error.at(path, "root"))?)
        })?;
        Ok(Self { pages, root })
    }

    /// Opens a generation whether it was closed cleanly or not, and says which. Never
    /// writes to it.
    pub(super) fn open_aside(disk: &dyn Disk, path: &Path) -> Result<(Self, bool), Error> {
        let Aside { pages, was_clean } = Pages::open_aside(disk, path, READ_CACHE_BYTES)?;
        Ok((Self::of(pages, path)?, was_clean))
    }

    /// Lets go of the file, and keeps the root.
    pub(super) fn close(self) -> Root {
        self.root
    }

    pub(super) fn path(&self) -> &Path {
        self.pages.path()
    }

    /// The manifests of all tables, in the order of the root.
    pub(super) fn manifests(&self) -> Result<Vec<Manifest>, Error> {
        read(&self.pages, "read the manifests", |transaction| {
            let meta = transaction.open_table(META)?;
            if meta.len()? != self.root.tables.len() as u64 + 1 {
                return Err(self.damaged("it has manifests that the root does not name").into());
            }
            self.root.tables.iter().map(|table| self.manifest(&meta, table)).collect()
        })
    }

    /// Reads and checks everything, one chunk after the other. How many bytes the
    /// chunks have.
    pub(super) fn read_all(
        &self,
        progress: &mut Progress<'_>,
        visit: &mut Visit<'_>,
    ) -> Result<u64, Error> {
        let manifests = self.manifests()?;
        let (mut done, of) = (0, self.root.chunks());
        let (mut stored, mut bytes) = (Stored::default(), 0);
        read(&self.pages, "read the chunks", |transaction| {
            let chunks = transaction.open_table(CHUNKS)?;
            if chunks.len()? != of {
                return Err(self.damaged("it has chunks that no manifest names").into());
            }
            for (index, manifest) in manifests.iter().enumerate() {
                for info in &manifest.chunks {
                    self.chunk(&chunks, info, &mut stored, |stored| visit(index, info, stored))?;
                    bytes += u64::from(info.bytes);
                    done += 1;
                    progress(done, of);
                }
            }
            Ok(())
        })?;
        Ok(bytes)
    }

    fn manifest(&self, meta: &Meta, table: &TableRoot) -> Result<Manifest, Stop> {
        let name = table.name.as_str();
        let Some(bytes) = meta.get(manifest_key(name).as_str())? else {
            return Err(self.damaged(format!("the manifest of table {name} is missing")).into());
        };
        let refuse =
            |error: Unreadable| error.at(self.path(), &format!("manifest of table {name}"));
        let (manifest, checksum) = Manifest::decode(bytes.value()).map_err(refuse)?;
        let chunks = manifest.chunks.len() as u64;
        if checksum != table.checksum || manifest.name != table.name || chunks != table.chunks {
            let what = format!("the manifest of table {name} is not the one that the root names");
            return Err(self.damaged(what).into());
        }
        let is_sound =
            |info: &Info| info.id < self.root.next_id && info.changed <= self.root.step.sequence;
        if !manifest.chunks.iter().all(is_sound) {
            let what = format!("the manifest of table {name} is ahead of the root");
            return Err(self.damaged(what).into());
        }
        Ok(manifest)
    }

    fn chunk(
        &self,
        chunks: &Chunks,
        info: &Info,
        stored: &mut Stored,
        visit: impl FnOnce(&Stored) -> Result<(), Refusal>,
    ) -> Result<(), Stop> {
        let place = || format!("chunk {}", info.id);
        let Some(bytes) = chunks.get(info.id)? else {
            return Err(self.damaged(format!("{} is missing", place())).into());
        };
        let read = stored.read(info, bytes.value());
        read.map_err(|error| error.at(self.path(), &place()))?;
        match visit(stored) {
            Ok(()) => Ok(()),
            Err(Refusal::Damaged(what)) => Err(self.damaged(format!("{}: {what}", place())).into()),
            Err(Refusal::Stopped) => Err(Error::Stopped.into()),
        }
    }

    pub(super) fn damaged(&self, what: impl Into<String>) -> Error {
        Error::damaged(self.path(), what)
    }
}

type Meta = ReadOnlyTable<&'static str, &'static [u8]>;
type Chunks = ReadOnlyTable<u64, &'static [u8]>;

/// Why a transaction ended early: redb's reasons are told apart where it is called,
/// ours are ready to be told.
#[derive(Debug)]
pub(super) enum Stop {
    Redb(redb::Error),
    Ours(Error),
}

impl From<TableError> for Stop {
    fn from(error: TableError) -> Self {
        Self::Redb(error.into())
    }
}

impl From<StorageError> for Stop {
    fn from(error: StorageError) -> Self {
        Self::Redb(error.into())
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

fn read<T>(
    pages: &Pages,
    operation: &'static str,
    read: impl FnOnce(&ReadTransaction) -> Result<T, Stop>,
) -> Result<T, Error> {
    pages.read(operation, |transaction| match read(transaction) {
        Ok(read) => Ok(Ok(read)),
        Err(Stop::Ours(error)) => Ok(Err(error)),
        Err(Stop::Redb(error)) => Err(error),
    })?
}
