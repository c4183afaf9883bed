//! The file `kept`: from where on there are runs, and what may have been forgotten.
//! Written before anything is dropped, so that what is missing is never taken for
//! what was dropped. Numbers are big-endian.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 8 | `chankept` |
//! | 8 | 2 | format version, 1 |
//! | 10 | 16 | history |
//! | 26 | 8 | first sequence of which ids are there |
//! | 34 | 8 | first sequence of which places are there |
//! | 42 | 8 | ids with an earlier time may have been forgotten, ms |
//! | 50 | 4 | crc32c of bytes 0 to 49 |

use std::io::ErrorKind;
use std::path::Path;

use uuid::Uuid;

use super::layout::{FORMAT_VERSION, Fields};
use super::{Error, Home, damaged, failed};
use crate::disk::{self, Disk};
use crate::value::{History, Sequence};

pub(super) const NAME: &str = "kept";
const MAGIC: [u8; 8] = *b"chankept";
/// Magic, version u16, history, three numbers, crc32c.
const BYTES: usize = 8 + 2 + 16 + 3 * 8 + 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kept {
    /// The first sequence of which ids are there.
    pub(super) ids_from: Sequence,
    /// The first sequence of which places are there.
    pub(super) places_from: Sequence,
    /// Ids with an earlier time may have been forgotten.
    pub(super) forgotten_ms: u64,
}

impl Kept {
    /// Before anything was dropped. No file says so.
    pub(super) const START: Self =
        Self { ids_from: Sequence(1), places_from: Sequence(1), forgotten_ms: 0 };

    /// Durable when `Ok`.
    pub(super) fn write(&self, home: &Home) -> Result<(), Error> {
        let mut bytes = Vec::with_capacity(BYTES);
        bytes.extend(MAGIC);
        bytes.extend(FORMAT_VERSION.to_be_bytes());
        bytes.extend(home.history.0.as_bytes());
        let numbers = [self.ids_from.0, self.places_from.0, self.forgotten_ms];
        bytes.extend(numbers.iter().flat_map(|number| number.to_be_bytes()));
        bytes.extend(crc32c::crc32c(&bytes).to_be_bytes());
        let path = home.directory.join(NAME);
        let draft = path.with_extension("draft");
        let written = disk::write_whole(&*home.disk, &path, &draft, &bytes);
        written.map_err(home.failed(&path, "write"))
    }

    /// Of which history it is, and what it says; none if there is no file.
    pub(super) fn read(disk: &dyn Disk, path: &Path) -> Result<Option<(History, Self)>, Error> {
        let bytes = match disk::read(disk, path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            bytes => bytes.map_err(failed(path, "read"))?,
        };
        let mut fields = Fields(&bytes);
        let magic: [u8; 8] = fields.take();
        let found = u16::from_be_bytes(fields.take());
        // Before all else: another version may have its checksum elsewhere.
        if magic == MAGIC && found != FORMAT_VERSION {
            return Err(Error::UnknownFormat { path: path.into(), found });
        }
        let (told, crc) = bytes.split_at(bytes.len().saturating_sub(4));
        if bytes.len() != BYTES || magic != MAGIC {
            return Err(damaged(path, "not what an index keeps"));
        }
        if crc32c::crc32c(told).to_be_bytes() != *crc {
            return Err(damaged(path, "it does not match its checksum"));
        }
        let history = History(Uuid::from_bytes(fields.take()));
        let mut number = || u64::from_be_bytes(fields.take());
        let (ids_from, places_from) = (Sequence(number()), Sequence(number()));
        Ok(Some((history, Self { ids_from, places_from, forgotten_ms: number() })))
    }
}
