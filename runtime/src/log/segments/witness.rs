//! The witness of a log: a small file that says which round was acknowledged last.
//!
//! Were the end of the log lost together with all trace of it, by an older copy of
//! the newest segment or its removal, what is left would look whole. The witness is
//! another file, so that it tells. It is a lower bound: written after each append,
//! when the round is durable, and synced only when a segment is sealed or the log is
//! closed. So a crash may leave it behind the log, and nothing leaves it ahead.
//!
//! Two slots of 512 bytes, a sector each; a round's is its number modulo 2, so that
//! a write cut off leaves the slot of the round before. What is not said is zero.
//!
//! | offset in the slot | bytes | what |
//! |---|---|---|
//! | 0 | 4 | `CHW\n` |
//! | 4 | 2 | format version, 1 |
//! | 6 | 2 | zero |
//! | 8 | 8 | number of the round |
//! | 16 | 32 | chain after it |
//! | 48 | 4 | crc32c of bytes 0 to 47 |
//!
//! A witness that cannot be read says nothing, and is made anew: it is not worth
//! refusing a log that is whole.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::directory::failed;
use crate::disk::{self, Disk, File, How};
use crate::log::{Error, Tail};
use crate::record::Damage;
use crate::record::bytes::{Input, Output};

const MAGIC: [u8; 4] = *b"CHW\n";
const FORMAT_VERSION: u16 = 1;
const SLOT_BYTES: u64 = 512;
const FILE_BYTES: u64 = 2 * SLOT_BYTES;
const COVERED_BYTES: usize = 48;

/// The witness of an open log.
#[derive(Debug)]
pub(super) struct Witness {
    path: PathBuf,
    file: Arc<dyn File>,
}

/// The name of the file.
pub(super) fn path(dir: &Path) -> PathBuf {
    dir.join("witness")
}

/// The round that a directory's witness names; none if it names none.
pub(super) fn read(disk: &dyn Disk, dir: &Path) -> Result<Option<Tail>, Error> {
    let path = path(dir);
    let bytes = match disk::read(disk, &path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        bytes => bytes.map_err(|error| failed(&path, "read the witness", error))?,
    };
    let slots = bytes.chunks(usize::try_from(SLOT_BYTES).unwrap_or(usize::MAX));
    let tails: Vec<Tail> = slots.filter_map(|slot| decode(slot).ok()).collect();
    if tails.is_empty() && bytes.iter().any(|byte| *byte != 0) {
        tracing::warn!(file = %path.display(), "the witness of the log is damaged; made anew");
    }
    Ok(tails.into_iter().max_by_key(|tail| tail.number))
}

impl Witness {
    /// Opens the witness of a log that ends so, durably.
    pub(super) fn open(disk: &dyn Disk, dir: &Path, tail: Tail) -> Result<Self, Error> {
        let path = path(dir);
        let said = read(disk, dir)?;
        let opened = disk.open(&path, How::WriteOrCreate).and_then(|file| {
            let is_there = file.len()? == FILE_BYTES && said.is_some();
            if !is_there {
                file.set_len(0)?;
                file.set_len(FILE_BYTES)?;
                disk.sync_directory(dir)?;
            }
            Ok((file, is_there))
        });
        let (file, is_there) = opened.map_err(|error| failed(&path, "open the witness", error))?;
        let witness = Self { path, file };
        if !is_there || said != Some(tail) {
            witness.write(tail)?;
        }
        Ok(witness)
    }

    /// Makes the witness anew for a log that ends so, whatever it said before.
    pub(super) fn reset(disk: &dyn Disk, dir: &Path, tail: Tail) -> Result<(), Error> {
        let path = path(dir);
        match disk.remove(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed(&path, "remove the witness", error));
            }
            _ => {}
        }
        Self::open(disk, dir, tail)?.sync()
    }

    /// Says that this round is durable, which it has to be.
    pub(super) fn write(&self, tail: Tail) -> Result<(), Error> {
        let place = (tail.number % 2) * SLOT_BYTES;
        let written = self.file.write_at(place, &encode(tail));
        written.map_err(|error| failed(&self.path, "write the witness", error))
    }

    pub(super) fn sync(&self) -> Result<(), Error> {
        self.file.sync().map_err(|error| failed(&self.path, "sync the witness", error))
    }
}

fn encode(tail: Tail) -> Vec<u8> {
    let mut output = Output::default();
    output.raw(&MAGIC);
    output.u16(FORMAT_VERSION);
    output.u16(0);
    output.u64(tail.number);
    output.raw(&tail.chain.0);
    output.u32(crc32c::crc32c(output.as_slice()));
    output.into_bytes()
}

fn decode(slot: &[u8]) -> Result<Tail, Damage> {
    let mut input = Input::new(slot, 0);
    let covered = input.clone().raw(COVERED_BYTES)?;
    let known = input.array()? == MAGIC && input.u16()? == FORMAT_VERSION && input.u16()? == 0;
    let tail = Tail { number: input.u64()?, chain: input.hash()? };
    if !known || input.u32()? != crc32c::crc32c(covered) {
        return Err(input.damage("this is not a witness"));
    }
    Ok(tail)
}
