//! What redb asks of a file, answered by a [`File`].
//!
//! No locks are taken: one server holds the directory that all its files are in.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use redb::StorageBackend;

use crate::disk::File;

/// A file that is read and written.
#[derive(Debug)]
pub(super) struct Backend {
    file: Arc<dyn File>,
    failure: Failure,
}

/// The first thing that a file was asked to do and did not. redb keeps to itself
/// what fails while it closes, and reading shows what the system has in memory,
/// which after a failed sync is not what the disk has.
#[derive(Debug, Clone, Default)]
pub(super) struct Failure(Arc<OnceLock<String>>);

impl Failure {
    pub(super) fn get(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }

    fn note<T>(&self, done: io::Result<T>) -> io::Result<T> {
        done.inspect_err(|error| {
            self.0.get_or_init(|| error.to_string());
        })
    }
}

impl Backend {
    pub(super) fn new(file: Arc<dyn File>, failure: Failure) -> Self {
        Self { file, failure }
    }
}

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read_at(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.failure.note(self.file.set_len(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.failure.note(self.file.sync())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.failure.note(self.file.write_at(offset, data))
    }
}

/// How much of a file is kept apart at once when something in it changes.
const CELL_BYTES: usize = 4096;

/// A file that is only read. redb marks even a file that it only reads as open;
/// what it writes is kept in memory, over what is in the file, and forgotten.
#[derive(Debug)]
pub(super) struct Overlay {
    file: Arc<dyn File>,
    changed: RwLock<Changed>,
}

#[derive(Debug, Default)]
struct Changed {
    /// None while it is the file's.
    length: Option<u64>,
    /// How far the file shows: it was cut off there, even if it is longer again.
    shows: Option<u64>,
    cells: BTreeMap<u64, Box<[u8; CELL_BYTES]>>,
}

impl Overlay {
    pub(super) fn new(file: Arc<dyn File>) -> Self {
        Self { file, changed: RwLock::default() }
    }

    fn changed(&self) -> RwLockReadGuard<'_, Changed> {
        self.changed.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed_mut(&self) -> RwLockWriteGuard<'_, Changed> {
        self.changed.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the file has there, and zeros behind its end.
    fn read_file(&self, shows: Option<u64>, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let length = self.file.len()?;
        let there = shows.unwrap_or(length).min(length).saturating_sub(offset);
        let there = usize::try_from(there).unwrap_or(usize::MAX).min(out.len());
        let (inside, behind) = out.split_at_mut(there);
        behind.fill(0);
        self.file.read_at(offset, inside)
    }
}

impl StorageBackend for Overlay {
    fn len(&self) -> io::Result<u64> {
        let length = self.changed().length;
        length.map_or_else(|| self.file.len(), Ok)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let changed = self.changed();
        let length = changed.length.map_or_else(|| self.file.len(), Ok)?;
        let end = offset.saturating_add(out.len() as u64);
        if end > length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.read_file(changed.shows, offset, out)?;
        for (number, cell) in changed.cells.range(offset / CELL_BYTES as u64..) {
            let start = number * CELL_BYTES as u64;
            if start >= end {
                break;
            }
            copy_overlap(&**cell, start, out, offset);
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut changed = self.changed_mut();
        changed.length = Some(len);
        changed.shows = Some(changed.shows.unwrap_or(len).min(len));
        let _cut_off = changed.cells.split_off(&len.div_ceil(CELL_BYTES as u64));
        let last = changed.cells.get_mut(&(len / CELL_BYTES as u64));
        let kept = usize::try_from(len % CELL_BYTES as u64).unwrap_or_default();
        if let Some(behind) = last.and_then(|cell| cell.get_mut(kept..)) {
            behind.fill(0);
        }
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut changed = self.changed_mut();
        let end = offset + data.len() as u64;
        for number in offset / CELL_BYTES as u64..end.div_ceil(CELL_BYTES as u64) {
            let start = number * CELL_BYTES as u64;
            if !changed.cells.contains_key(&number) {
                let mut cell = Box::new([0; CELL_BYTES]);
                self.read_file(changed.shows, start, &mut *cell)?;
                changed.cells.insert(number, cell);
            }
            if let Some(cell) = changed.cells.get_mut(&number) {
                copy_overlap(data, offset, &mut **cell, start);
            }
        }
        Ok(())
    }
}

/// Copies what two stretches of a file have in common, each given with its place.
fn copy_overlap(from: &[u8], from_start: u64, to: &mut [u8], to_start: u64) {
    let start = from_start.max(to_start);
    let end = (from_start + from.len() as u64).min(to_start + to.len() as u64);
    let at = |place: u64, origin: u64| usize::try_from(place - origin).unwrap_or(usize::MAX);
    if start < end
        && let Some(from) = from.get(at(start, from_start)..at(end, from_start))
        && let Some(to) = to.get_mut(at(start, to_start)..at(end, to_start))
    {
        to.copy_from_slice(from);
    }
}
