//! What redb asks of a file, answered by a [`File`].
//!
//! No locks are taken: one server holds the directory that all its files are in.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::StorageBackend;

use crate::disk::File;

/// A file that is read and written.
#[derive(Debug)]
pub(super) struct Backend(pub(super) Arc<dyn File>);

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read_at(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write_at(offset, data)
    }
}

/// How much of a file is kept apart at once when something in it changes.
const CELL_BYTES: usize = 4096;

/// A file that is only read. redb marks even a file that it only reads as open;
/// what it writes is kept in memory, over what is in the file, and forgotten.
#[derive(Debug)]
pub(super) struct Overlay {
    file: Arc<dyn File>,
    changed: Mutex<Changed>,
}

#[derive(Debug, Default)]
struct Changed {
    /// None while it is the file's.
    length: Option<u64>,
    cells: BTreeMap<u64, Box<[u8; CELL_BYTES]>>,
}

impl Overlay {
    pub(super) fn new(file: Arc<dyn File>) -> Self {
        Self { file, changed: Mutex::default() }
    }

    fn changed(&self) -> MutexGuard<'_, Changed> {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the file has there, and zeros behind its end.
    fn read_file(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let there = self.file.len()?.saturating_sub(offset);
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
        self.read_file(offset, out)?;
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
        self.changed().length = Some(len);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut changed = self.changed();
        let end = offset + data.len() as u64;
        for number in offset / CELL_BYTES as u64..end.div_ceil(CELL_BYTES as u64) {
            let start = number * CELL_BYTES as u64;
            if !changed.cells.contains_key(&number) {
                let mut cell = Box::new([0; CELL_BYTES]);
                self.read_file(start, &mut *cell)?;
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
