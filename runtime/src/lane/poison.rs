//! Finding the command that kills the process.
//!
//! Before a command runs, its id is written into a small file, and taken out
//! when no command runs. The file is not synced: the page cache survives the
//! death of a process, and a power cut is not a command's fault. Whoever is
//! found in the file at a start was running when the process died.
//!
//! | byte 0 | bytes 1 to 16 | the process |
//! |---|---|---|
//! | 0 | zero | stopped in order, or there was none: also if the file is shorter |
//! | 1 | 1 each | was there, and no command ran |
//! | 2 | an id | was executing the entry with this id |

use std::io;
use std::path::Path;
use std::sync::Arc;

use uuid::Uuid;

use crate::disk::{Disk, File, How};

/// How often the process may die while a command runs before it is not run
/// again.
pub(super) const ATTEMPTS_MAX: u32 = 3;

/// The file, 17 bytes long: how the process is (see [`Mark`]), then an id.
#[derive(Debug)]
pub(super) struct Slot {
    file: Arc<dyn File>,
    running: bool,
}

/// What the file says of the process that had it last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// It stopped in order, or there was none.
    Clean,
    /// It died while no command ran.
    Idle,
    /// It died while this command ran.
    Running(Uuid),
}

const CLEAN: u8 = 0;
const IDLE: u8 = 1;
const RUNNING: u8 = 2;

impl Slot {
    /// Opens the file and says how its last process ended.
    ///
    /// # Errors
    /// What the system said.
    pub(super) fn open(disk: &dyn Disk, path: &Path) -> io::Result<(Self, Mark)> {
        let file = disk.open(path, How::WriteOrCreate)?;
        let mut bytes = [0; 17];
        let mark = match file.read_at(0, &mut bytes) {
            Ok(()) => parse(bytes),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Mark::Clean,
            Err(error) => return Err(error),
        };
        // The mark stays until the caller has counted it.
        Ok((Self { file, running: true }, mark))
    }

    /// Says that a command is about to run.
    ///
    /// # Errors
    /// What the system said; the command must not run then.
    pub(super) fn running(&mut self, id: Uuid) -> io::Result<()> {
        let mut bytes = [RUNNING; 17];
        if let Some((_, place)) = bytes.split_first_mut() {
            place.copy_from_slice(id.as_bytes());
        }
        self.running = true;
        self.file.write_at(0, &bytes)
    }

    /// Whether it may say that a command runs.
    pub(super) fn is_set(&self) -> bool {
        self.running
    }

    /// Says that no command runs.
    ///
    /// # Errors
    /// What the system said.
    pub(super) fn idle(&mut self) -> io::Result<()> {
        if self.running {
            self.file.write_at(0, &[IDLE; 17])?;
            self.running = false;
        }
        Ok(())
    }

    /// Says that the process stops in order.
    ///
    /// # Errors
    /// What the system said.
    pub(super) fn clean(&mut self) -> io::Result<()> {
        self.running = true;
        self.file.write_at(0, &[CLEAN; 17])
    }
}

fn parse(bytes: [u8; 17]) -> Mark {
    match bytes.split_first() {
        Some((&IDLE, _)) => Mark::Idle,
        Some((&RUNNING, id)) => Uuid::from_slice(id).map_or(Mark::Idle, Mark::Running),
        _ => Mark::Clean,
    }
}
