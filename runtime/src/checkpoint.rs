//! The state on disk, so that a start need not read the log from its beginning.
//!
//! A [`Checkpoint`] is an immutable state and the boundary in the log from which it
//! can be brought up to date. [`Checkpoints`] keeps the last two, in two files that
//! are written alternately: one of them is always whole. It knows rounds only by
//! number, and neither reads nor trims the log; it says how far others may.
//!
//! # Layout, format version 1
//!
//! `state.a.redb` and `state.b.redb` are redb files with two tables, `chunks` (`u64`
//! to bytes) and `meta` (text to bytes). A file that is written from nothing is
//! `state.a.new` or `state.b.new` until it is complete and was read back. Integers
//! are little-endian; varints, text, bytes and options are as in
//! [`record`](crate::record).
//!
//! The rows of a table are cut in **chunks** of about 32 KiB, in the order of their
//! keys. A chunk's id is never used for another chunk of the same file.
//!
//! | in `chunks`, under the id | |
//! |---|---|
//! | format version, 1 | u16 |
//! | id | u64 |
//! | deleted: the highest sequence at which a key between its bounds was deleted, or a higher one | u64 |
//! | newest: the highest sequence at which one of its rows was put, or 0 | u64 |
//! | rows, packed: for each the length of its key u32, the length of its value u32 (highest bit: 0 JSON, 1 bytes), key, value | bytes |
//! | count of rows | varint |
//! | for each row: newest, less the sequence at which it was put | varint |
//! | crc32c of all before | u32 |
//!
//! | in `meta`, under `table ` and the table's name: its **manifest** | |
//! |---|---|
//! | format version, 1 | u16 |
//! | name of the table | text |
//! | count of chunks, at least 1 | varint |
//! | for each chunk, in order: id u64, lower bound text, rows u32, bytes u32, crc32c u32, the higher of its deleted and newest u64 | |
//! | crc32c of all before | u32 |
//!
//! A chunk begins at its lower bound, which is empty for the first, and ends where
//! the next begins. Its bytes and crc32c are of what is in `chunks`, the latter
//! without the four bytes that it takes there itself.
//!
//! | in `meta`, under `root`: the **root** | |
//! |---|---|
//! | format version, 1 | u16 |
//! | history | 16 bytes |
//! | the last round before the start: number u64, chain after it 32 bytes | |
//! | its floor, ms u64; last time of an entry, ms u64; last entry u64; last outcome u64 | |
//! | the state: sequence u64, time, ms u64, position u64 | |
//! | lowest id that was not given to a chunk | u64 |
//! | count of attempts | varint |
//! | for each: id 16 bytes, count u32 | |
//! | count of tables | varint |
//! | for each, in the order of names: name text, crc32c of its manifest u32, chunks u64, rows u64, bytes of rows u64 | |
//! | crc32c of all before | u32 |
//!
//! # What the checksums promise
//!
//! redb does not verify what it reads. The root's checksum covers those of the
//! manifests, theirs those of the chunks, and a chunk has its own id in it; no chunk
//! and no manifest may be there that the root does not lead to. So a file is what
//! was written, or refused (I11). What is loaded is checked whole first, and what was
//! written is read back, and compared with the state, before it counts.

mod error;
#[cfg(test)]
mod figures;
mod file;
mod format;
mod load;
mod pace;
mod plan;
#[cfg(test)]
mod tests;
mod write;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::disk::Disk;
use crate::log::Start;
use crate::record::Attempt;
use crate::state::State;
use crate::value::Sequence;

pub use self::error::Error;
pub use self::pace::{AtOnce, Pace, Unhurried};

/// A state, and where the log goes on from it.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// Rounds after this are to be replayed. Of these, entries that the state
    /// includes already are to be skipped.
    pub start: Start,
    /// The state, which includes every outcome up to the start, and perhaps more.
    pub state: State,
    /// How often the process died while it executed a command, as of the start.
    pub attempts: Vec<Attempt>,
}

/// One of the two files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Generation {
    /// `state.a.redb`.
    A,
    /// `state.b.redb`.
    B,
}

/// The checkpoints of an app.
#[derive(Debug)]
pub struct Checkpoints {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    /// Where the generations start that this process has read wholly, and not
    /// written to since. A lock, because reading leaves everything else as it is.
    verified: Mutex<[Option<Start>; 2]>,
}

/// What writing a checkpoint took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Where it is.
    pub generation: Generation,
    /// Chunks that were written.
    pub chunks_written: u64,
    /// Chunks that were there already.
    pub chunks_kept: u64,
    /// Bytes of the chunks that were written.
    pub bytes_written: u64,
    /// Bytes of all its chunks, each of which was read back.
    pub bytes_verified: u64,
}

/// What could be loaded.
#[derive(Debug)]
pub struct Loaded {
    /// The newest checkpoint that is whole; none if there is no file, or if the only
    /// one was refused.
    pub checkpoint: Option<Checkpoint>,
    /// Where it was.
    pub generation: Option<Generation>,
    /// Where the other generation starts, as far as its root says.
    pub other: Option<Start>,
    /// What cannot be used, and why.
    pub refused: Vec<Refused>,
}

/// A file that was refused.
#[derive(Debug)]
pub struct Refused {
    /// The file.
    pub path: PathBuf,
    /// Why, which names the file too.
    pub reason: Error,
}

/// What reading a whole generation showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// Where it starts.
    pub start: Start,
    /// How many chunks it has.
    pub chunks: u64,
    /// How many rows it has.
    pub rows: u64,
    /// Bytes of its chunks.
    pub bytes: u64,
}

/// What looking at a generation showed that nobody writes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Examined {
    /// What it has.
    pub verified: Verified,
    /// The last entry that its state includes.
    pub sequence: Sequence,
    /// Whether it was closed cleanly; if not, a crash cut off the writing of it.
    pub is_clean: bool,
}

/// Told how many chunks have been read, and of how many. It runs on the reading
/// thread, and may slow it down.
pub type Progress<'a> = dyn FnMut(u64, u64) + 'a;

impl Checkpoints {
    /// The checkpoints in a directory, which has to be there when one is written.
    #[must_use]
    pub fn new(disk: Arc<dyn Disk>, directory: PathBuf) -> Self {
        Self { disk, directory, verified: Mutex::default() }
    }

    /// The file of a generation.
    #[must_use]
    pub fn path(&self, generation: Generation) -> PathBuf {
        self.directory.join(generation.file_name())
    }

    /// What the log must still have: where the older of two generations starts that
    /// were both read wholly by this process. Either may then be lost. None as long
    /// as there are not two: nothing may be trimmed then.
    #[must_use]
    pub fn trim_floor(&self) -> Option<Start> {
        let [Some(a), Some(b)] = *self.verified() else {
            return None;
        };
        let older = if a.tail.number < b.tail.number { a } else { b };
        (a.history == b.history).then_some(older)
    }

    fn verified(&self) -> MutexGuard<'_, [Option<Start>; 2]> {
        // Held for a copy only, so nothing can be left half-done.
        self.verified.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_verified(&self, generation: Generation, start: Option<Start>) {
        let mut verified = self.verified();
        let [a, b] = &mut *verified;
        *match generation {
            Generation::A => a,
            Generation::B => b,
        } = start;
    }
}

impl Generation {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::A, Self::B];

    /// The name of its file.
    #[must_use]
    pub fn file_name(self) -> &'static str {
        match self {
            Self::A => "state.a.redb",
            Self::B => "state.b.redb",
        }
    }

    /// The one that this is not.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }
}
