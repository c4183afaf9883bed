//! Writing a run: rows are given in order, and pages of all levels fill as they come.

use std::path::PathBuf;
use std::sync::Arc;

use super::layout::{self, Header, Level, PAGE_BYTES, PAYLOAD_BYTES};
use super::run::Run;
use super::{Error, Home};
use crate::disk::{self, File, How};

/// How much is written at once.
const BUFFER_BYTES: usize = 64 * PAGE_BYTES;

/// A run that is being written, under another name.
pub(super) struct Draft<'a> {
    home: &'a Home,
    header: Header,
    identity: u32,
    path: PathBuf,
    draft: PathBuf,
    file: Arc<dyn File>,
    levels: Vec<Filling>,
}

/// A level that is being written.
struct Filling {
    level: Level,
    /// Pages that are full.
    n_full: u64,
    /// Of those, how many the file has.
    n_written: u64,
    full: Vec<u8>,
    payload: Vec<u8>,
}

impl<'a> Draft<'a> {
    /// Begins a run with as many rows as the header says.
    pub(super) fn create(home: &'a Home, header: Header) -> Result<Self, Error> {
        let path = home.directory.join(header.name());
        let draft = home.directory.join(format!("{}.draft", header.name()));
        let file = home.disk.open(&draft, How::Create).map_err(home.failed(&draft, "create"))?;
        let filling = |level| Filling {
            level,
            n_full: 0,
            n_written: 0,
            full: Vec::new(),
            payload: Vec::with_capacity(PAYLOAD_BYTES),
        };
        let levels = header.levels().into_iter().map(filling).collect();
        Ok(Self { home, identity: header.identity(), header, path, draft, file, levels })
    }

    /// Adds the next row.
    pub(super) fn push(&mut self, row: &[u8]) -> Result<(), Error> {
        self.fill(0, row)
    }

    /// Makes the run durable and opens it. A file of the same name is replaced.
    pub(super) fn finish(mut self) -> Result<Arc<Run>, Error> {
        for level in 0..self.levels.len() {
            self.seal(level)?;
            self.flush(level)?;
        }
        let (mut payload, mut page) = (self.header.encode(), Vec::new());
        layout::seal(0, 0, &mut payload, &mut page);
        self.write(0, &page)?;
        self.file.sync().map_err(self.home.failed(&self.draft, "sync"))?;
        let disk = &*self.home.disk;
        let finished = disk::finish(disk, &self.draft, &self.path);
        finished.map_err(self.home.failed(&self.path, "rename to its name"))?;
        Run::open(disk, &self.path).map(Arc::new)
    }

    fn fill(&mut self, level: usize, item: &[u8]) -> Result<(), Error> {
        let Some(filling) = self.levels.get_mut(level) else { return Ok(()) };
        if filling.payload.len() + item.len() > PAYLOAD_BYTES {
            self.seal(level)?;
        }
        if let Some(filling) = self.levels.get_mut(level) {
            filling.payload.extend(item);
        }
        Ok(())
    }

    /// Ends the page that fills, and tells the level above.
    fn seal(&mut self, level: usize) -> Result<(), Error> {
        let Some(filling) = self.levels.get_mut(level).filter(|level| !level.payload.is_empty())
        else {
            return Ok(());
        };
        let mut summary = Vec::new();
        self.header.kind.summarise(level, &filling.payload, &mut summary);
        let number = filling.level.first_page + filling.n_full;
        layout::seal(self.identity, number, &mut filling.payload, &mut filling.full);
        filling.n_full += 1;
        if filling.full.len() >= BUFFER_BYTES {
            self.flush(level)?;
        }
        self.fill(level + 1, &summary)
    }

    fn flush(&mut self, level: usize) -> Result<(), Error> {
        let Some(filling) = self.levels.get_mut(level) else { return Ok(()) };
        let full = std::mem::take(&mut filling.full);
        let first = filling.level.first_page + filling.n_written;
        filling.n_written = filling.n_full;
        self.write(first, &full)
    }

    fn write(&self, page: u64, bytes: &[u8]) -> Result<(), Error> {
        let offset = page.saturating_mul(PAGE_BYTES as u64);
        self.file.write_at(offset, bytes).map_err(self.home.failed(&self.draft, "write"))
    }
}
