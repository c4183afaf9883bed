//! Writing a file of the archive: beside its place, synced, and then renamed.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::file::File;
use super::layout::{self, Footer, HEADER_BYTES, Header, Raw};
use super::{Archived, Error, Home, damaged, failed};
use crate::disk::{self, How};
use crate::value::{Hash, Position, Sequence};

/// How much is written at once.
const BUFFER_BYTES: usize = 1 << 20;

/// A file that is being written.
#[derive(Debug)]
pub struct Draft {
    path: PathBuf,
    draft: PathBuf,
    file: Arc<dyn disk::File>,
    next: Position,
    digest: Sha256,
    /// What is not in the file yet, and where it goes.
    buffer: Vec<u8>,
    written: u64,
    table: Vec<u8>,
    footer: Footer,
}

impl Draft {
    pub(super) fn create(home: &Home, first: Position, before: Hash) -> Result<Self, Error> {
        let name = layout::name_of(first);
        let (path, draft) =
            (home.directory.join(&name), home.directory.join(format!("{name}{}", layout::DRAFT)));
        let file = home.disk.open(&draft, How::Create).map_err(failed(&draft, "create"))?;
        let header = Header { history: home.history, first, before }.encode();
        let digest = Sha256::new_with_prefix(Header::covered(&header));
        let footer = Footer {
            n_records: 0,
            first_sequence: Sequence(0),
            last_sequence: Sequence(0),
            first_ms: u64::MAX,
            last_ms: 0,
            table_offset: HEADER_BYTES as u64,
            table_crc: 0,
            digest: before,
        };
        let (buffer, table) = (header, Vec::new());
        Ok(Self { path, draft, file, next: first, digest, buffer, written: 0, table, footer })
    }

    /// The position of the event that has to come next.
    #[must_use]
    pub fn next(&self) -> Position {
        self.next
    }

    /// Adds the next event.
    ///
    /// # Errors
    /// [`Error::NotNext`], [`Error::Failed`].
    pub fn push(&mut self, event: &Archived) -> Result<(), Error> {
        if event.position != self.next {
            return Err(Error::NotNext { expected: self.next, found: event.position });
        }
        self.push_raw(&Raw::of(event), event)
    }

    fn push_raw(&mut self, raw: &Raw, event: &Archived) -> Result<(), Error> {
        self.table.extend(self.footer.table_offset.to_le_bytes());
        let before = self.buffer.len();
        raw.encode(&mut self.buffer);
        self.footer.table_offset += (self.buffer.len() - before) as u64;
        raw.chained().for_each(|part| self.digest.update(part));
        if self.footer.n_records == 0 {
            self.footer.first_sequence = event.sequence;
        }
        self.footer.n_records += 1;
        self.footer.last_sequence = event.sequence;
        self.footer.first_ms = self.footer.first_ms.min(event.time_ms);
        self.footer.last_ms = self.footer.last_ms.max(event.time_ms);
        self.next = Position(self.next.0 + 1);
        match self.buffer.len() >= BUFFER_BYTES {
            true => self.flush(),
            false => Ok(()),
        }
    }

    /// Its path, once it is durable; none if there was nothing in it.
    pub(super) fn finish(mut self, home: &Home) -> Result<Option<PathBuf>, Error> {
        if self.footer.n_records == 0 {
            home.disk.remove(&self.draft).map_err(failed(&self.draft, "remove"))?;
            return Ok(None);
        }
        self.footer.digest = Hash(self.digest.clone().finalize().into());
        self.footer.table_crc = crc32c::crc32c(&self.table);
        let table = std::mem::take(&mut self.table);
        self.buffer.extend(table);
        self.buffer.extend(self.footer.encode());
        self.flush()?;
        self.file.sync().map_err(failed(&self.draft, "sync"))?;
        let finished = disk::finish(&*home.disk, &self.draft, &self.path);
        finished.map_err(failed(&self.path, "rename to its name"))?;
        Ok(Some(self.path))
    }

    fn flush(&mut self) -> Result<(), Error> {
        let buffer = std::mem::take(&mut self.buffer);
        self.file.write_at(self.written, &buffer).map_err(failed(&self.draft, "write"))?;
        self.written += buffer.len() as u64;
        Ok(())
    }
}

/// Writes a file anew without the bodies at these positions.
pub(super) fn rewrite(
    home: &Home,
    file: &File,
    positions: &BTreeSet<Position>,
) -> Result<(), Error> {
    let ends = file.ends()?;
    let mut draft = Draft::create(home, file.first(), ends.header.before)?;
    let Some(mut reader) = file.reader(home, file.first())? else { return Ok(()) };
    while let Some((mut raw, event)) = reader.next_raw()? {
        if positions.contains(&event.position) && !raw.is_erased() {
            raw.erase();
        }
        draft.push_raw(&raw, &event)?;
    }
    if Hash(draft.digest.clone().finalize().into()) != ends.digest {
        return Err(damaged(file.path(), "its events are not those that its end tells of"));
    }
    draft.finish(home).map(drop)
}
