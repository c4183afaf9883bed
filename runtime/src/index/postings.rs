//! Postings on disk: which events have something in common, and which entry each
//! event came from. What they have in common is a number to this module.
//!
//! Postings are in a directory of their own, in runs as those of the
//! [`Index`](super::Index) are: immutable, one behind the other, merged by size, with
//! a checksum on each page. Unlike an index they are not whole without the archive of
//! events: they tell of all events that are kept, also of those whose entries the log
//! no longer has. Whoever owns them keeps what is newer in memory.
//!
//! | row: u64, u64 | what |
//! |---|---|
//! | position, sequence | the first event of an entry, and the entry |
//! | term, with its first bit set; number | an event, or an entry, that has it |
//! | all ones, sequence | the last entry that a run, or one that became part of it, is about |

mod open;
mod search;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::layout::{Fields, Header, Kind};
use super::merge::{Filter, due, join};
use super::run::Run;
use super::write::Draft;
use super::{Chain, Error, Home, Progress, SetAside, check};
use crate::disk::Disk;
use crate::state::Order;
use crate::value::{Hash, History, Position, Sequence};

pub(super) const ROW_BYTES: usize = 16;

/// What is not a position.
const TERM: u64 = 1 << 63;
/// The row of the end of a run.
const END: u64 = u64::MAX;

/// Something that events can have in common, as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Term(u64);

impl Term {
    /// The number of a text. Others may have the same: who finds something by it has
    /// to look whether it is what was looked for.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let number = u64::from_be_bytes(Fields(&Hash::of(text.as_bytes()).0).take());
        // Never all ones.
        Self((number | TERM) & !1)
    }
}

/// One row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Posting(u64, u64);

impl Posting {
    /// That an event, or an entry, has this.
    #[must_use]
    pub fn new(term: Term, number: u64) -> Self {
        Self(term.0, number)
    }

    /// The first event of an entry.
    #[must_use]
    pub fn first_event(position: Position, sequence: Sequence) -> Self {
        Self(position.0 & !TERM, sequence.0)
    }

    /// The term and the number, of a row that has a term.
    #[must_use]
    pub fn parts(self) -> (Term, u64) {
        (Term(self.0), self.1)
    }

    fn bytes(self) -> [u8; ROW_BYTES] {
        (u128::from(self.0) << 64 | u128::from(self.1)).to_be_bytes()
    }

    fn read(row: &[u8]) -> Self {
        let mut fields = Fields(row);
        Self(u64::from_be_bytes(fields.take()), u64::from_be_bytes(fields.take()))
    }
}

/// The entry of a row, if it is one about an entry.
pub(super) fn sequence_of(row: &[u8]) -> Option<Sequence> {
    let Posting(key, number) = Posting::read(row);
    (key & TERM == 0 || key == END).then_some(Sequence(number))
}

/// The postings of one app on disk. Reading and adding may happen at the same time,
/// from any thread.
#[derive(Debug)]
pub struct Postings {
    /// None for those that keep nothing.
    home: Option<Home>,
    runs: RwLock<Arc<Chain>>,
    /// Held by whoever changes the files.
    writing: Mutex<()>,
}

/// Postings that were opened.
#[derive(Debug)]
pub struct Opened {
    /// The postings.
    pub postings: Postings,
    /// What could not be used, to be made again.
    pub set_aside: Vec<SetAside>,
}

impl Postings {
    /// Keeps nothing: for lanes without a directory, which have all of it in memory.
    #[must_use]
    pub fn none() -> Self {
        Self::with(None, Chain { from: Sequence(1), runs: Vec::new() })
    }

    /// Opens the postings in a directory, which is created if it is not there, and
    /// removes what a crash left, what is damaged, of another history, or behind a gap.
    ///
    /// # Errors
    /// [`Error::UnknownFormat`], [`Error::Failed`].
    pub fn open(disk: Arc<dyn Disk>, directory: &Path, history: History) -> Result<Opened, Error> {
        open::open(disk, directory, history)
    }

    fn with(home: Option<Home>, chain: Chain) -> Self {
        Self { home, runs: RwLock::new(Arc::new(chain)), writing: Mutex::default() }
    }

    /// Adds what there is to know of the entries directly after
    /// [`Postings::covered`], up to `last`; of any, if there is nothing yet. Durable
    /// when `Ok`. If all of them are there already, nothing happens.
    ///
    /// # Errors
    /// [`Error::NotNext`] for a gap; [`Error::Failed`].
    pub fn add(&self, first: Sequence, last: Sequence, rows: Vec<Posting>) -> Result<(), Error> {
        let Some(home) = &self.home else { return Ok(()) };
        let _turn = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut chain = Chain::clone(&self.chain());
        if chain.runs.is_empty() {
            chain.from = first;
        }
        let expected = chain.last().next();
        if last < expected {
            return Ok(());
        }
        if first != expected {
            return Err(Error::NotNext { expected, found: first });
        }
        chain.runs.push(write(home, expected, last, rows)?);
        self.publish(chain);
        Ok(())
    }

    /// Merges neighbours of one size; true while there may be more to do.
    ///
    /// # Errors
    /// [`Error::Failed`], [`Error::Damaged`]; what was there stays.
    pub fn merge(&self) -> Result<bool, Error> {
        let Some(home) = &self.home else { return Ok(false) };
        let _turn = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut chain = Chain::clone(&self.chain());
        let Some(range) = due(&chain.runs) else { return Ok(false) };
        let inputs = chain.runs.get(range.clone()).unwrap_or_default().to_vec();
        let Some(merged) = join(home, &inputs, &Filter::All)? else { return Ok(false) };
        chain.runs.splice(range, [merged]);
        self.publish(chain);
        home.remove(&inputs);
        Ok(true)
    }

    /// Writes a damaged run anew, from what is known of its entries.
    ///
    /// # Errors
    /// [`Error::Failed`].
    pub fn replace(&self, path: &Path, rows: Vec<Posting>) -> Result<(), Error> {
        let Some(home) = &self.home else { return Ok(()) };
        let _turn = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut chain = Chain::clone(&self.chain());
        if let Some(run) = chain.runs.iter_mut().find(|run| run.path() == path) {
            *run = write(home, run.first(), run.last(), rows)?;
            self.publish(chain);
        }
        Ok(())
    }

    /// Drops runs that are about entries before this one only, but never the last.
    ///
    /// # Errors
    /// [`Error::Failed`].
    pub fn forget(&self, first: Sequence) -> Result<(), Error> {
        let Some(home) = &self.home else { return Ok(()) };
        let _turn = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut chain = Chain::clone(&self.chain());
        let n_old = chain.runs.iter().take_while(|run| run.last() < first).count();
        let n_old = n_old.min(chain.runs.len().saturating_sub(1));
        // One after the other, so that no crash leaves a gap.
        for _ in 0..n_old {
            let oldest = chain.runs.remove(0);
            chain.from = oldest.last().next();
            self.publish(chain.clone());
            home.disk.remove(oldest.path()).map_err(home.failed(oldest.path(), "remove"))?;
            let synced = home.disk.sync_directory(&home.directory);
            synced.map_err(home.failed(&home.directory, "sync"))?;
        }
        Ok(())
    }

    /// Drops all of it, to be made again.
    ///
    /// # Errors
    /// [`Error::Failed`].
    pub fn clear(&self) -> Result<(), Error> {
        let Some(home) = &self.home else { return Ok(()) };
        let _turn = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let dropped = self.chain();
        self.publish(Chain { from: Sequence(1), runs: Vec::new() });
        for run in &dropped.runs {
            home.disk.remove(run.path()).map_err(home.failed(run.path(), "remove"))?;
        }
        let synced = home.disk.sync_directory(&home.directory);
        synced.map_err(home.failed(&home.directory, "sync"))
    }

    /// Numbers that have a term, from one on or back, at most so many.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::Failed`].
    pub fn numbers(
        &self,
        term: Term,
        from: u64,
        order: Order,
        at_most: usize,
    ) -> Result<Vec<u64>, Error> {
        let chain = self.chain();
        let mut found = Vec::new();
        let mut each = |run: &Arc<Run>| match found.len() < at_most {
            true => search::numbers(run, Posting::new(term, from), order, at_most, &mut found),
            false => Ok(()),
        };
        match order {
            Order::Ascending => chain.runs.iter().try_for_each(&mut each)?,
            Order::Descending => chain.runs.iter().rev().try_for_each(&mut each)?,
        }
        Ok(found)
    }

    /// The entry of an event: the last whose first event is not after it.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::Failed`].
    pub fn entry_of(&self, position: Position) -> Result<Option<Sequence>, Error> {
        for run in self.chain().runs.iter().rev() {
            if let Some(Posting(_, sequence)) =
                search::floor(run, Posting(position.0 & !TERM, u64::MAX))?
            {
                return Ok(Some(Sequence(sequence)));
            }
        }
        Ok(None)
    }

    /// The first event that is known here.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::Failed`].
    pub fn first_event(&self) -> Result<Option<Position>, Error> {
        for run in &self.chain().runs {
            if let Some(Posting(position, _)) = search::first(run)?
                && position & TERM == 0
            {
                return Ok(Some(Position(position)));
            }
        }
        Ok(None)
    }

    /// The first entry that these tell of, and the last; the last is before the first
    /// if there is none.
    #[must_use]
    pub fn covered(&self) -> (Sequence, Sequence) {
        let chain = self.chain();
        (chain.from, chain.last())
    }

    /// The entries that a file is about; none if it is of no use any more.
    #[must_use]
    pub fn span(&self, path: &Path) -> Option<(Sequence, Sequence)> {
        let chain = self.chain();
        let found = chain.runs.iter().find(|run| run.path() == path);
        found.map(|run| (run.first(), run.last()))
    }

    /// The files and the last entry of each.
    #[must_use]
    pub fn files(&self) -> Vec<(PathBuf, Sequence)> {
        self.chain().runs.iter().map(|run| (run.path().into(), run.last())).collect()
    }

    /// What they take on disk, in bytes.
    #[must_use]
    pub fn disk_bytes(&self) -> u64 {
        self.chain().runs.iter().map(|run| run.disk_bytes()).sum()
    }

    /// Reads and checks every page, and names every file that is not as it was
    /// written. `progress` may end it early.
    pub fn check(&self, progress: &mut dyn FnMut(Progress<'_>) -> ControlFlow<()>) -> Vec<Error> {
        let chain = self.chain();
        let pages = chain.runs.iter().map(|run| run.pages()).sum();
        let (mut found, mut pages_read) = (Vec::new(), 0);
        for run in &chain.runs {
            let checked = check::check_run(run, &mut || {
                pages_read += 1;
                progress(Progress { path: run.path(), pages_read, pages })
            });
            match checked {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => break,
                Err(error) => found.push(error),
            }
        }
        found
    }

    fn chain(&self) -> Arc<Chain> {
        Arc::clone(&self.runs.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn publish(&self, chain: Chain) {
        let before = {
            let mut current = self.runs.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *current, Arc::new(chain))
        };
        // Closing files can take time; readers do not wait for it.
        drop(before);
    }
}

fn write(
    home: &Home,
    first: Sequence,
    last: Sequence,
    mut rows: Vec<Posting>,
) -> Result<Arc<Run>, Error> {
    rows.push(Posting(END, last.0));
    rows.sort_unstable();
    rows.dedup();
    let (kind, history, n_rows) = (Kind::Postings, home.history, rows.len() as u64);
    let header = Header { kind, history, first, last, n_rows, min_ms: 0, max_ms: 0 };
    let mut draft = Draft::create(home, header)?;
    for row in rows {
        draft.push(&row.bytes())?;
    }
    draft.finish()
}
