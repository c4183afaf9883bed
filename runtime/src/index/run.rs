//! One run: an immutable file, open for reading. In memory are its header and its
//! root; other pages are read when they are asked for, and checked each time.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::layout::{self, Header, Level, NotHeader, PAGE_BYTES};
use super::{Error, damaged, failed};
use crate::disk::{Disk, File, How};
use crate::value::Sequence;

#[derive(Debug)]
pub(super) struct Run {
    path: PathBuf,
    file: Arc<dyn File>,
    header: Header,
    identity: u32,
    levels: Vec<Level>,
    root: Vec<u8>,
}

impl Run {
    /// Opens a run, and checks its header, its length and its root.
    pub(super) fn open(disk: &dyn Disk, path: &Path) -> Result<Self, Error> {
        let file = disk.open(path, How::Read).map_err(failed(path, "open"))?;
        let header = read_header(path, &*file)?;
        if path.file_name().is_none_or(|name| name != header.name().as_str()) {
            return Err(damaged(path, format!("it was written as {}", header.name())));
        }
        let (levels, identity) = (header.levels(), header.identity());
        let mut run = Self { path: path.into(), file, header, identity, levels, root: Vec::new() };
        let length = run.file.len().map_err(failed(path, "measure"))?;
        if length != run.disk_bytes() {
            let expected = run.disk_bytes();
            return Err(damaged(path, format!("it has {length} bytes, not {expected}")));
        }
        run.root = run.read(run.levels.len().saturating_sub(1), 0)?;
        Ok(run)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn header(&self) -> &Header {
        &self.header
    }

    pub(super) fn levels(&self) -> &[Level] {
        &self.levels
    }

    pub(super) fn first(&self) -> Sequence {
        self.header.first
    }

    pub(super) fn last(&self) -> Sequence {
        self.header.last
    }

    /// Header included.
    pub(super) fn pages(&self) -> u64 {
        self.levels.last().map_or(1, |root| root.first_page + root.pages)
    }

    pub(super) fn disk_bytes(&self) -> u64 {
        self.pages().saturating_mul(PAGE_BYTES as u64)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        size_of::<Self>()
            + self.root.capacity()
            + self.levels.capacity() * size_of::<Level>()
            + self.path.as_os_str().len()
    }

    /// The items on a page of a level; none beyond its end.
    pub(super) fn page(&self, level: usize, page: u64) -> Result<Vec<u8>, Error> {
        if level + 1 == self.levels.len() && page == 0 {
            return Ok(self.root.clone());
        }
        self.read(level, page)
    }

    /// The same, from the disk whatever is in memory.
    pub(super) fn read(&self, level: usize, page: u64) -> Result<Vec<u8>, Error> {
        let Some(of) = self.levels.get(level).filter(|of| page < of.pages) else {
            return Ok(Vec::new());
        };
        let (kind, number) = (self.header.kind, of.first_page + page);
        let payload = layout::unseal(self.identity, number, read(&self.path, &*self.file, number)?);
        let Some(mut payload) = payload else {
            return Err(damaged(&self.path, format!("page {number} does not match its checksum")));
        };
        let items = (of.items - page * kind.per_page(level)).min(kind.per_page(level));
        payload.truncate(usize::try_from(items).unwrap_or(0) * kind.item_bytes(level));
        Ok(payload)
    }

    /// Whether the disk still has the header that was read.
    pub(super) fn check_header(&self) -> Result<(), Error> {
        match read_header(&self.path, &*self.file)? == self.header {
            true => Ok(()),
            false => Err(damaged(&self.path, "its header is another than when it was opened")),
        }
    }

    /// All rows, in order.
    pub(super) fn rows(self: &Arc<Self>) -> Rows {
        Rows { run: Arc::clone(self), page: 0, items: Vec::new(), at: 0 }
    }
}

/// Reads a run from its beginning to its end.
pub(super) struct Rows {
    run: Arc<Run>,
    /// The next page to be read.
    page: u64,
    items: Vec<u8>,
    at: usize,
}

impl Rows {
    /// The next row; none after the last.
    pub(super) fn next(&mut self) -> Result<Option<&[u8]>, Error> {
        if self.at >= self.items.len() {
            (self.items, self.at) = (self.run.read(0, self.page)?, 0);
            self.page += 1;
        }
        let begin = self.at;
        self.at += self.run.header.kind.row_bytes();
        Ok(self.items.get(begin..self.at))
    }
}

fn read_header(path: &Path, file: &dyn File) -> Result<Header, Error> {
    Header::of_page(read(path, file, 0)?).map_err(|error| match error {
        NotHeader::Damaged(what) => damaged(path, what),
        NotHeader::UnknownFormat(found) => Error::UnknownFormat { path: path.into(), found },
    })
}

fn read(path: &Path, file: &dyn File, page: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = vec![0; PAGE_BYTES];
    match file.read_at(page.saturating_mul(PAGE_BYTES as u64), &mut bytes) {
        Ok(()) => Ok(bytes),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
            Err(damaged(path, format!("it ends before page {page} does")))
        }
        Err(error) => Err(failed(path, "read")(error)),
    }
}
