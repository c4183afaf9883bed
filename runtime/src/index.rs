//! Derived indexes on disk: which entry an id was given to, and where each entry and
//! its outcome are in the log.
//!
//! An index is a directory of *runs*: files that are written once, made durable,
//! renamed into place and never changed. Each holds what there is to know of
//! the entries from one sequence to another, of one kind. Runs of a kind follow each
//! other without a gap, so the index stands *behind a position*: it knows everything
//! up to [`Index::covered`], and whoever looks something up keeps what is newer in
//! memory. Neighbours are merged by size, so their number grows with the logarithm of
//! what they hold. In memory is one page of each run, whatever its size.
//!
//! Damage is refused, and never a miss: an id that is looked up and not found runs, so
//! "not found" has to be as certain as the log. Every page carries a checksum of what
//! it holds and of where it belongs. What is damaged can be built again from the log.
//!
//! # What may be forgotten
//!
//! Runs are dropped when they are below the floor and the log no longer has their
//! entries. The index remembers, durably and before it drops anything, the time up to
//! which ids may be gone: [`Index::forgotten_ms`]. An id with an earlier time that is
//! not found must be refused, whatever any clock says; a later one that is not found
//! was never seen. So that a command runs once (I2) depends on no clock.
//!
//! # Files
//!
//! - `ids.<first>-<last>`: ids by the hour of their time, then by their bytes.
//! - `places.<first>-<last>`: rounds and status by sequence.
//! - `kept`: from where on the runs of each kind are there, and the time forgotten.
//! - `*.draft`: what a crash left; removed when the index is opened.
//!
//! This module knows nothing of clocks and floors, and reads no log.

mod add;
mod check;
mod forget;
mod ids;
mod kept;
mod layout;
mod merge;
mod open;
mod places;
mod run;
mod status;
#[cfg(test)]
mod tests;
mod write;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use uuid::Uuid;

pub use self::add::Replacing;
pub use self::status::Status;

use self::kept::Kept;
use self::layout::Kind;
use self::run::Run;
use crate::disk::Disk;
use crate::value::{History, Sequence};

/// Where an entry is in the log, and how far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The round of the entry.
    pub entry_round: u64,
    /// The round of its outcome; 0 while there is none.
    pub outcome_round: u64,
    /// How far it has come.
    pub status: Status,
}

/// What the index is told of an entry that has a durable outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// The entry.
    pub sequence: Sequence,
    /// Its id.
    pub id: Uuid,
    /// The time in the id, in milliseconds since 1970.
    pub time_ms: u64,
    /// Where it is.
    pub place: Place,
}

/// Why the index refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file is not what was written.
    #[error(
        "{path}: {what}; stop the server and remove the file, so that it is built again from \
         the log"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A newer server wrote it.
    #[error(
        "{path}: format version {found} is unknown; use the version of the server that wrote it, \
         or remove the file, so that it is built again from the log"
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
    /// Rows that do not follow what is there, which is a bug of the caller.
    #[error("row of entry {found} where {expected} was expected")]
    NotNext {
        /// The next sequence.
        expected: Sequence,
        /// What came.
        found: Sequence,
    },
}

/// An index that was opened.
#[derive(Debug)]
pub struct Opened {
    /// The index.
    pub index: Index,
    /// What could not be used and was removed, to be built again from the log.
    pub set_aside: Vec<SetAside>,
}

/// A file that was removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    /// The file.
    pub path: PathBuf,
    /// What was wrong with it.
    pub why: String,
}

/// How far a check has come.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// The file that is read.
    pub path: &'a Path,
    /// Pages read in all.
    pub pages_read: u64,
    /// Pages there are in all.
    pub pages: u64,
}

/// The indexes of one app. Reading, adding, merging and forgetting may happen at the
/// same time, from any thread; what changes the files happens one at a time.
#[derive(Debug)]
pub struct Index {
    /// None for an index that keeps nothing.
    home: Option<Home>,
    /// What is read. Held only to take or to exchange the list.
    runs: RwLock<Arc<Runs>>,
    version: AtomicU64,
    forgotten_ms: AtomicU64,
    /// Held by whoever changes the files.
    writing: Mutex<Kept>,
}

/// Where the files are, and whose they are.
#[derive(Debug)]
struct Home {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    history: History,
}

/// The runs of each kind, in the order of their sequences.
#[derive(Debug, Clone)]
struct Runs {
    ids: Chain,
    places: Chain,
}

/// Runs of one kind that follow each other.
#[derive(Debug, Clone)]
struct Chain {
    /// The first sequence that has to be there.
    from: Sequence,
    runs: Vec<Arc<Run>>,
}

impl Index {
    /// An index that keeps nothing, for lanes without a directory: it stays behind
    /// the beginning, and everything is kept in memory.
    #[must_use]
    pub fn none() -> Self {
        Self::with(None, Runs::begin(&Kept::START), Kept::START)
    }

    /// Opens the index in a directory, which is created if it is not there. Finishes
    /// or undoes what a crash left half-done. Reads two pages of each run.
    ///
    /// Runs that are damaged, of another history, or beyond a gap are removed, and
    /// named: [`Index::covered`] then tells from where on the log has to be read.
    /// Nothing is removed because it could not be read.
    ///
    /// # Errors
    /// [`Error::UnknownFormat`], [`Error::Failed`].
    pub fn open(disk: Arc<dyn Disk>, directory: &Path, history: History) -> Result<Opened, Error> {
        open::open(disk, directory, history)
    }

    /// Opens the index in a directory to look at it, and touches nothing; none if
    /// there is no index. What opening it would remove is named. Adding to it or
    /// forgetting is not for this one.
    ///
    /// # Errors
    /// [`Error::UnknownFormat`], [`Error::Failed`].
    pub fn examine(
        disk: Arc<dyn Disk>,
        directory: &Path,
        history: History,
    ) -> Result<Option<Opened>, Error> {
        open::examine(disk, directory, history)
    }

    /// Adds what is to be known of the entries directly after [`Index::covered`].
    /// Rows of entries before are ignored. Durable when `Ok`; when `Err`, a part of
    /// it may be, and the same rows may be added again.
    ///
    /// # Errors
    /// [`Error::Failed`]; [`Error::NotNext`] for a gap.
    pub fn add(&self, rows: &[Row]) -> Result<(), Error> {
        add::add(self, rows)
    }

    /// Merges neighbours of one size, if there are enough of them; true while there
    /// may be more to do. To be called after adding, where it can take time.
    ///
    /// # Errors
    /// [`Error::Failed`], [`Error::Damaged`]; what was there stays.
    pub fn merge(&self) -> Result<bool, Error> {
        merge::merge(self)
    }

    /// Drops places below `first_retained`, and ids that are below it and whose time
    /// is before `floor_ms`, as far as whole runs can be dropped.
    ///
    /// # Errors
    /// [`Error::Failed`], [`Error::Damaged`]; more may be there than must be.
    pub fn forget(&self, first_retained: Sequence, floor_ms: u64) -> Result<(), Error> {
        forget::forget(self, first_retained, floor_ms)
    }

    /// Starts over before the entry `first`: drops every run, and takes ids with a
    /// time before `forgotten_ms` for forgotten. For an index that was damaged and
    /// cannot be built again, because the log no longer has all that it held.
    ///
    /// # Errors
    /// [`Error::Failed`].
    pub fn begin_at(&self, first: Sequence, forgotten_ms: u64) -> Result<(), Error> {
        forget::begin_at(self, first, forgotten_ms)
    }

    /// Which entry an id was given to, if the index knows. Ids newer than all runs
    /// are answered without reading; others cost about two pages.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::Failed`]: it is not known whether it was seen.
    pub fn find(&self, id: Uuid, time_ms: u64) -> Result<Option<Sequence>, Error> {
        for run in self.runs().ids.runs.iter().rev() {
            if let Some(found) = ids::find(run, id, time_ms)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Whether [`Index::find`] has to read the disk for an id of this time.
    #[must_use]
    pub fn reads_for(&self, time_ms: u64) -> bool {
        self.runs().ids.runs.iter().any(|run| ids::may_have(run, time_ms))
    }

    /// Where an entry is, if the index knows.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::Failed`].
    pub fn place(&self, sequence: Sequence) -> Result<Option<Place>, Error> {
        match self.runs().places.holding(sequence) {
            Some(run) => places::find(run, sequence),
            None => Ok(None),
        }
    }

    /// Sequences of entries below `before`, the newest first, of one status or of
    /// any. Stretches without the status are skipped unread.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::Failed`].
    pub fn page(
        &self,
        status: Option<Status>,
        before: Sequence,
        limit: usize,
    ) -> Result<Vec<Sequence>, Error> {
        let mut page = Vec::new();
        for run in self.runs().places.runs.iter().rev() {
            places::page(run, status, before, limit, &mut page)?;
        }
        Ok(page)
    }

    /// Reads and checks every page, and names every file that is not as it was
    /// written. `progress` may end it early.
    pub fn check(
        &self,
        progress: &mut dyn FnMut(Progress<'_>) -> std::ops::ControlFlow<()>,
    ) -> Vec<Error> {
        check::check(&self.runs(), progress)
    }

    /// The last entry up to which everything is known that was not forgotten.
    #[must_use]
    pub fn covered(&self) -> Sequence {
        let runs = self.runs();
        runs.ids.last().min(runs.places.last())
    }

    /// The first entry whose id has to be known, and the first whose place has.
    #[must_use]
    pub fn from(&self) -> (Sequence, Sequence) {
        let runs = self.runs();
        (runs.ids.from, runs.places.from)
    }

    /// The files and the last entry of each.
    #[must_use]
    pub fn files(&self) -> Vec<(PathBuf, Sequence)> {
        self.runs().all().map(|run| (run.path().into(), run.last())).collect()
    }

    /// The last entry of which anything is known. One that the log does not have
    /// means that the log is an older copy.
    #[must_use]
    pub fn reach(&self) -> Sequence {
        let runs = self.runs();
        runs.ids.last().max(runs.places.last())
    }

    /// Changes whenever something was added or forgotten. Who did not find an id
    /// here, and then not in memory either, has to look again if this has changed
    /// meanwhile: the id may have moved.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::SeqCst)
    }

    /// Ids with an earlier time may have been forgotten, and must not be taken for
    /// new. Durable; never falls. To be read after looking for the id, not before.
    #[must_use]
    pub fn forgotten_ms(&self) -> u64 {
        self.forgotten_ms.load(Ordering::SeqCst)
    }

    /// What the index takes in memory, in bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.runs().all().map(|run| run.memory_bytes()).sum()
    }

    /// What the index takes on disk, in bytes.
    #[must_use]
    pub fn disk_bytes(&self) -> u64 {
        self.runs().all().map(|run| run.disk_bytes()).sum()
    }

    fn with(home: Option<Home>, runs: Runs, kept: Kept) -> Self {
        Self {
            home,
            runs: RwLock::new(Arc::new(runs)),
            version: AtomicU64::new(0),
            forgotten_ms: AtomicU64::new(kept.forgotten_ms),
            writing: Mutex::new(kept),
        }
    }

    fn runs(&self) -> Arc<Runs> {
        Arc::clone(&self.runs.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self) -> MutexGuard<'_, Kept> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a changed list the one that is read. Held `writing` sees to it that
    /// nobody else exchanges it meanwhile.
    fn publish(&self, runs: Runs) {
        let before = {
            let mut current = self.runs.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *current, Arc::new(runs))
        };
        self.version.fetch_add(1, Ordering::SeqCst);
        // Closing files can take time; readers do not wait for it.
        drop(before);
    }
}

impl Runs {
    fn begin(kept: &Kept) -> Self {
        let chain = |from| Chain { from, runs: Vec::new() };
        Self { ids: chain(kept.ids_from), places: chain(kept.places_from) }
    }

    fn all(&self) -> impl Iterator<Item = &Arc<Run>> {
        self.ids.runs.iter().chain(&self.places.runs)
    }

    fn of(&self, kind: Kind) -> &Chain {
        match kind {
            Kind::Ids => &self.ids,
            Kind::Places => &self.places,
        }
    }

    fn of_mut(&mut self, kind: Kind) -> &mut Chain {
        match kind {
            Kind::Ids => &mut self.ids,
            Kind::Places => &mut self.places,
        }
    }
}

impl Chain {
    fn last(&self) -> Sequence {
        match self.runs.last() {
            Some(run) => run.last(),
            None => Sequence(self.from.0.saturating_sub(1)),
        }
    }

    fn holding(&self, sequence: Sequence) -> Option<&Arc<Run>> {
        let at = self.runs.partition_point(|run| run.last() < sequence);
        self.runs.get(at).filter(|run| run.first() <= sequence)
    }
}

impl Home {
    fn failed<'a>(
        &'a self,
        path: &'a Path,
        operation: &'static str,
    ) -> impl FnOnce(io::Error) -> Error + 'a {
        failed(path, operation)
    }

    /// Removes files that nothing refers to any more. What cannot be removed now is
    /// removed when the index is opened.
    fn remove(&self, runs: &[Arc<Run>]) {
        for run in runs {
            if let Err(error) = self.disk.remove(run.path()) {
                tracing::warn!(file = %run.path().display(), %error, "not removed yet");
            }
        }
    }
}

fn failed<'a>(path: &'a Path, operation: &'static str) -> impl FnOnce(io::Error) -> Error + 'a {
    move |source| Error::Failed { path: path.into(), operation, source }
}

fn damaged(path: &Path, what: impl Into<String>) -> Error {
    Error::Damaged { path: path.into(), what: what.into() }
}
