//! The events of segments that were trimmed from the log.
//!
//! Before a segment goes, the events of its entries are copied here, each whole. So
//! every event of an app is either in its archive or in its log, and the archive ends
//! where the log takes over. Files are written once, made durable, and renamed into
//! place; a file changes only when a body in it is erased, and then as a whole. This
//! module knows events and files, and nothing of states, lanes or segments.
//!
//! # Layout, format version 1
//!
//! A file is `events/<first position, 20 digits>.events`: a header, records, a table of
//! their offsets, and a footer. Integers are little-endian, UUIDs are 16 bytes in
//! network order; *text*, *varint* and *optional* are those of the [log](crate::record).
//!
//! | header, 80 bytes | |
//! |---|---|
//! | 0 | `CHREVTS\n` |
//! | 8 | format version u16, 1; then 6 bytes zero |
//! | 16 | history of the app when it was written; another after a restore |
//! | 32 | first position u64 |
//! | 40 | digest of the file before, zeros for the first file |
//! | 72 | crc32c u32 of bytes 0 to 71; then 4 bytes zero |
//!
//! | record: frame, 56 bytes, then head, then body | |
//! |---|---|
//! | 0 | crc32c u32 of bytes 4 to 55 and of the head |
//! | 4 | flags u8: bit 0 *erased*, the others zero; then 3 bytes zero |
//! | 8 | length of the head u64 |
//! | 16 | length of the body u64, also after it was erased |
//! | 24 | SHA-256 of the body, also after it was erased |
//! | head | position u64, id, sequence u64, time ms u64, command id, type text, optional module text, optional module hash |
//! | body | optional subject text, data text, correlation text, optional causation text |
//!
//! An event whose body was erased before it came here has length 0 and a hash of zeros,
//! and is marked as erased.
//!
//! | table | offset u64 of each record, in order |
//! |---|---|
//!
//! | footer, 104 bytes | |
//! |---|---|
//! | 0 | `CHREVTE\n` |
//! | 8 | number of records u64, at least 1 |
//! | 16 | sequence u64 of the first record, and of the last |
//! | 32 | earliest time u64 of a record, and the latest |
//! | 48 | offset of the table u64 |
//! | 56 | crc32c u32 of the table; then 4 bytes zero |
//! | 64 | digest |
//! | 96 | crc32c u32 of bytes 0 to 95; then 4 bytes zero |
//!
//! The **digest** is the SHA-256 of header bytes 0 to 71 and, for each record, frame
//! bytes 4 to 55 *with the erased flag cleared* and the head. So it holds after bodies
//! were erased, and says nothing else could be changed; the next file repeats it.

mod file;
mod layout;
#[cfg(test)]
mod tests;
mod write;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use uuid::Uuid;

use self::file::File;
pub use self::write::Draft;
use crate::disk::{self, Disk};
use crate::value::{Hash, History, Name, Position, Sequence};

/// An event as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archived {
    /// Its place among the events of the app.
    pub position: Position,
    /// Its id.
    pub id: Uuid,
    /// Such as `order.placed`.
    pub event_type: Arc<str>,
    /// The entry that emitted it.
    pub sequence: Sequence,
    /// When that was accepted, in milliseconds since 1970.
    pub time_ms: u64,
    /// The id of that entry.
    pub command_id: Uuid,
    /// The module that emitted it.
    pub module: Option<Name>,
    /// The version of that module.
    pub module_hash: Option<Hash>,
    /// The rest; none if it was erased.
    pub body: Option<Body>,
}

/// What of an event a person may ask to have erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// Such as `order/42`.
    pub subject: Option<Arc<str>>,
    /// A JSON document.
    pub data: Arc<str>,
    /// What it has in common with all that led to it and follows from it.
    pub correlation_id: Arc<str>,
    /// What led to its command.
    pub causation_id: Option<Arc<str>>,
}

/// Why the archive refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file is not what was written.
    #[error("{path}: {what}; put the file back from a backup")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A newer server wrote it.
    #[error(
        "{path}: format version {found} is unknown; use the version of the server that wrote it"
    )]
    UnknownFormat {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u16,
    },
    /// The machine did not do what it was asked to.
    #[error("{path}: could not {operation}")]
    Failed {
        /// The file or directory.
        path: PathBuf,
        /// What was tried.
        operation: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// An event that does not follow the last: some would be lost, or doubled.
    #[error(
        "event {found} where {expected} was expected: files of the archive are missing; put them \
         back from a backup"
    )]
    NotNext {
        /// The next position.
        expected: Position,
        /// What came.
        found: Position,
    },
}

/// The archive of one app. May be read by anybody while one writes.
#[derive(Debug)]
pub struct Archive {
    home: Home,
    /// In order of position, without a gap but where one is damaged.
    files: RwLock<Arc<Vec<Arc<File>>>>,
    /// Held by whoever changes the files.
    writing: Mutex<()>,
}

/// Where the files are, and whose they are.
#[derive(Debug)]
struct Home {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    history: History,
}

impl Archive {
    /// Opens the archive in a directory, which is created if it is not there, and
    /// removes what a crash left half-written. Reads the ends of each file.
    ///
    /// A damaged file does not keep an app from being served: what is in it cannot be
    /// read, nothing is added after it, and [`Archive::check`] names it.
    ///
    /// # Errors
    /// [`Error::Failed`].
    pub fn open(disk: Arc<dyn Disk>, directory: &Path, history: History) -> Result<Self, Error> {
        disk::create_directories(&*disk, directory).map_err(failed(directory, "create"))?;
        for path in disk.list(directory).map_err(failed(directory, "list"))? {
            if name_of(&path).ends_with(layout::DRAFT) {
                disk.remove(&path).map_err(failed(&path, "remove"))?;
            }
        }
        Self::examine(disk, directory, history)
    }

    /// Opens the archive in a directory to look at it, and touches nothing; one without
    /// files if there is no directory. Adding to it or erasing is not for this one.
    ///
    /// # Errors
    /// [`Error::Failed`].
    pub fn examine(disk: Arc<dyn Disk>, directory: &Path, history: History) -> Result<Self, Error> {
        let home = Home { disk, directory: directory.into(), history };
        let paths = match home.disk.list(directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            paths => paths.map_err(failed(directory, "list"))?,
        };
        let mut files: Vec<Arc<File>> = Vec::new();
        for path in paths {
            if let Some(first) = layout::first_of(&name_of(&path)) {
                files.push(Arc::new(File::open(&home, path, first, files.last().map(|f| &**f))?));
            }
        }
        Ok(Self { home, files: RwLock::new(Arc::new(files)), writing: Mutex::new(()) })
    }

    /// Begins a file behind the last event. Nothing is kept of it unless it is
    /// [finished](Archive::finish).
    ///
    /// # Errors
    /// [`Error::Damaged`] if the last file cannot be read; [`Error::Failed`].
    pub fn draft(&self) -> Result<Draft, Error> {
        let (files, last) = (self.files(), self.last()?);
        let before = match files.last() {
            Some(file) => file.ends()?.digest,
            None => Hash([0; 32]),
        };
        Draft::create(&self.home, Position(last.0 + 1), before)
    }

    /// Adds what is in a draft, durably when `Ok`. An empty one leaves no trace.
    ///
    /// # Errors
    /// [`Error::Failed`]: it may be there when the archive is opened again.
    pub fn finish(&self, draft: Draft) -> Result<(), Error> {
        let _turn = self.turn();
        let mut files = Vec::clone(&self.files());
        let Some(path) = draft.finish(&self.home)? else { return Ok(()) };
        let first = layout::first_of(&name_of(&path)).unwrap_or_default();
        let file = File::open(&self.home, path, first, files.last().map(|file| &**file))?;
        file.ends()?;
        files.push(Arc::new(file));
        self.publish(files);
        Ok(())
    }

    /// Adds these events, durably when `Ok`. Those that are there already are left
    /// out, so that it can be done again after a crash.
    ///
    /// # Errors
    /// [`Error::NotNext`] for a gap; as for [`Archive::draft`] and
    /// [`Archive::finish`].
    pub fn append(&self, events: &[Archived]) -> Result<(), Error> {
        let last = self.last()?;
        let mut draft = self.draft()?;
        for event in events.iter().filter(|event| event.position > last) {
            draft.push(event)?;
        }
        self.finish(draft)
    }

    /// Erases the bodies of the events of these entries. When `Ok`, no file of the
    /// archive has them any more; a file that fails does not keep the others from being
    /// erased in. Returns how many there were.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::Failed`]: the first.
    pub fn erase(&self, sequences: &BTreeSet<Sequence>) -> Result<u64, Error> {
        let _turn = self.turn();
        let mut erased = Ok(0);
        for at in 0..self.files().len() {
            match (self.erase_in(at, sequences), &mut erased) {
                (Ok(n_more), Ok(n_erased)) => *n_erased += n_more,
                (Err(error), Ok(_)) => erased = Err(error),
                (_, Err(_)) => {}
            }
        }
        erased
    }

    fn erase_in(&self, at: usize, sequences: &BTreeSet<Sequence>) -> Result<u64, Error> {
        let mut files = Vec::clone(&self.files());
        let Some(file) = files.get(at).cloned() else { return Ok(0) };
        let Ok(ends) = file.ends() else { return Ok(0) };
        let mut positions = BTreeSet::new();
        for sequence in sequences.range(ends.first_sequence..=ends.last_sequence) {
            positions.append(&mut file.bodies_of(&self.home, *sequence)?);
        }
        if positions.is_empty() {
            return Ok(0);
        }
        write::rewrite(&self.home, &file, &positions)?;
        let before = at.checked_sub(1).and_then(|before| files.get(before)).cloned();
        let again = File::open(&self.home, file.path().into(), file.first().0, before.as_deref())?;
        if let Some(kept) = files.get_mut(at) {
            *kept = Arc::new(again);
        }
        self.publish(files);
        Ok(positions.len() as u64)
    }

    /// Removes files whose events are all from before this time, the oldest first, but
    /// never the newest: it says where the archive ends. Returns what it removed.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::Failed`].
    pub fn forget_below(&self, time_ms: u64) -> Result<Vec<PathBuf>, Error> {
        let _turn = self.turn();
        let mut removed = Vec::new();
        loop {
            let mut files = Vec::clone(&self.files());
            match files.as_slice() {
                [oldest, _, ..] if oldest.ends()?.last_ms < time_ms => {}
                _ => return Ok(removed),
            }
            let oldest = files.remove(0);
            self.publish(files);
            let path = oldest.path();
            self.home.disk.remove(path).map_err(failed(path, "remove"))?;
            // One after the other, so that no crash leaves a gap between those left.
            let synced = self.home.disk.sync_directory(&self.home.directory);
            synced.map_err(failed(&self.home.directory, "sync"))?;
            removed.push(path.into());
        }
    }

    /// The first event that is there; the one after the last if there is none.
    #[must_use]
    pub fn first(&self) -> Position {
        self.files().first().map_or(Position(1), |file| file.first())
    }

    /// The last event that is there; 0 if there is none.
    ///
    /// # Errors
    /// [`Error::Damaged`] if the last file cannot be read.
    pub fn last(&self) -> Result<Position, Error> {
        match self.files().last() {
            Some(file) => Ok(Position(file.first().0 + file.ends()?.n_records - 1)),
            None => Ok(Position(0)),
        }
    }

    /// An event; none if it is not here.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::Failed`].
    pub fn event(&self, position: Position) -> Result<Option<Archived>, Error> {
        match self.scan(position).next() {
            Some(event) => event.map(|event| Some(event).filter(|e| e.position == position)),
            None => Ok(None),
        }
    }

    /// Events from this position on, in order, as they are now. Ends after an error.
    #[must_use]
    pub fn scan(&self, from: Position) -> Scan<'_> {
        let files = self.files();
        let at = files.partition_point(|file| file.first() <= from).saturating_sub(1);
        Scan { home: &self.home, files, at, next: from, reader: None, is_over: false }
    }

    /// The files there are, with their lengths, the oldest first.
    #[must_use]
    pub fn files_and_bytes(&self) -> Vec<(PathBuf, u64)> {
        self.files().iter().map(|file| (file.path().into(), file.bytes(&self.home))).collect()
    }

    /// Reads one file wholly, checks every record of it and that it continues the one
    /// before. `go_on` is asked now and then, and ends it early with false.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::UnknownFormat`], [`Error::Failed`].
    pub fn check(&self, path: &Path, go_on: &mut dyn FnMut() -> bool) -> Result<(), Error> {
        self.check_each(path, &mut |_| go_on())
    }

    /// As [`Archive::check`], and shows each event on the way.
    ///
    /// # Errors
    /// As [`Archive::check`].
    pub fn check_each(
        &self,
        path: &Path,
        each: &mut dyn FnMut(&Archived) -> bool,
    ) -> Result<(), Error> {
        let files = self.files();
        let Some(at) = files.iter().position(|file| file.path() == path) else {
            return Ok(());
        };
        let (before, found) = (at.checked_sub(1).and_then(|at| files.get(at)), files.get(at));
        match found {
            // Opened anew: what is on disk is asked about, not what was.
            Some(file) => {
                let before = before.map(|file| &**file);
                let again = File::open(&self.home, path.into(), file.first().0, before)?;
                again.check(&self.home, each)
            }
            None => Ok(()),
        }
    }

    /// Whether what is in a file can be read, as far as its ends tell.
    #[must_use]
    pub fn is_usable(&self, path: &Path) -> bool {
        self.files().iter().any(|file| file.path() == path && file.ends().is_ok())
    }

    /// Checks every file, and names each that is not as it was written.
    pub fn check_all(&self, go_on: &mut dyn FnMut() -> bool) -> Vec<Error> {
        let files = self.files();
        files.iter().filter_map(|file| self.check(file.path(), go_on).err()).collect()
    }

    fn files(&self) -> Arc<Vec<Arc<File>>> {
        Arc::clone(&self.files.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn publish(&self, files: Vec<Arc<File>>) {
        *self.files.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(files);
    }

    fn turn(&self) -> MutexGuard<'_, ()> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Events in order.
#[derive(Debug)]
pub struct Scan<'a> {
    home: &'a Home,
    files: Arc<Vec<Arc<File>>>,
    at: usize,
    next: Position,
    reader: Option<file::Reader>,
    is_over: bool,
}

impl Scan<'_> {
    fn read(&mut self) -> Result<Option<Archived>, Error> {
        loop {
            let Some(file) = self.files.get(self.at) else { return Ok(None) };
            if self.reader.is_none() {
                self.reader = file.reader(self.home, self.next)?;
            }
            let event = match &mut self.reader {
                Some(reader) => reader.next()?,
                None => None,
            };
            if let Some(event) = event {
                self.next = Position(event.position.0 + 1);
                return Ok(Some(event));
            }
            (self.reader, self.at) = (None, self.at + 1);
            // What comes before the first file is not here.
            self.next = self.files.get(self.at).map_or(self.next, |file| file.first());
        }
    }
}

impl Iterator for Scan<'_> {
    type Item = Result<Archived, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let event = self.read().transpose();
        self.is_over = !matches!(event, Some(Ok(_)));
        event
    }
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn failed<'a>(path: &'a Path, operation: &'static str) -> impl FnOnce(io::Error) -> Error + 'a {
    move |source| match source.kind() {
        io::ErrorKind::UnexpectedEof => damaged(path, "it is shorter than it was written"),
        _ => Error::Failed { path: path.into(), operation, source },
    }
}

fn damaged(path: &Path, what: impl Into<String>) -> Error {
    Error::Damaged { path: path.into(), what: what.into() }
}
