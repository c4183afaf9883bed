//! Whether there is room on the disk for what would be logged.
//!
//! Commands are refused before the disk is full, so that what was accepted can be
//! finished, checkpoints be written and old files give way. Queries need no room.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::{Error, io_error};
use crate::disk::Disk;

/// What is known of the room, as of when it was last looked at.
#[derive(Debug)]
pub(super) struct Room {
    low_bytes: u64,
    is_low: AtomicBool,
    available: AtomicU64,
}

impl Room {
    /// Commands are refused with less than this available.
    pub(super) fn new(low_bytes: u64) -> Self {
        Self { low_bytes, is_low: AtomicBool::new(false), available: AtomicU64::new(u64::MAX) }
    }

    /// Looks again. Once it was low there has to be a quarter more, so that it does
    /// not come and go with each command.
    pub(super) fn look(&self, disk: &dyn Disk, directory: &Path) {
        let available = match disk.space(directory) {
            Ok(space) => space.available,
            Err(error) => {
                tracing::warn!(%error, "cannot tell how much room the disk has");
                return;
            }
        };
        self.available.store(available, Ordering::Relaxed);
        let was_low = self.is_low.load(Ordering::Relaxed);
        let enough = if was_low { self.low_bytes + self.low_bytes / 4 } else { self.low_bytes };
        let is_low = available < enough;
        if is_low != was_low {
            self.is_low.store(is_low, Ordering::Relaxed);
            match is_low {
                true => tracing::error!(
                    available,
                    enough,
                    "the disk is nearly full: commands are refused"
                ),
                false => tracing::info!(available, "the disk has room again: commands are taken"),
            }
        }
    }

    /// Whether so many bytes more can be written there, and commands still be taken.
    ///
    /// # Errors
    /// [`Error::NoRoom`], [`Error::Io`].
    pub(super) fn check_for(
        &self,
        disk: &dyn Disk,
        directory: &Path,
        bytes: u64,
    ) -> Result<(), Error> {
        let space = disk.space(directory);
        let available =
            space.map_err(|source| io_error("measure the room in", directory, source))?.available;
        let needed = bytes.saturating_add(self.low_bytes + self.low_bytes / 4);
        match available < needed {
            true => Err(Error::NoRoom { bytes, available, needed }),
            false => Ok(()),
        }
    }

    /// Whether something may be logged.
    ///
    /// # Errors
    /// [`Error::DiskLow`].
    pub(super) fn check(&self) -> Result<(), Error> {
        if !self.is_low.load(Ordering::Relaxed) {
            return Ok(());
        }
        let available = self.available.load(Ordering::Relaxed);
        Err(Error::DiskLow { available, needed: self.low_bytes + self.low_bytes / 4 })
    }
}
