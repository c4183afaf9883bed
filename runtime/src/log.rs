//! Where rounds are kept, and what that promises.
//!
//! [`Storage`] opens a [`Log`], which one committer appends to, and which hands out
//! [`Reader`]s for everybody else. Two implementations: [`segments`] on disk,
//! [`memory`] for tests, with faults. What is inside a round is
//! [`record`](crate::record)'s business; this module looks only at what makes
//! rounds follow each other (`follow`). It knows neither states nor handlers.

pub(crate) mod follow;
pub mod memory;
#[cfg(test)]
pub(crate) mod samples;
pub mod segments;
#[cfg(test)]
mod tests;

use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::Arc;

use crate::record::{CHAIN_START, Damage, Encoded, RecordHead, Round};
use crate::value::{Hash, History, Sequence};

pub use self::memory::Memory;
pub use self::segments::Segments;

/// A place that holds the log of one app. It can be opened again after a failure,
/// once the [`Log`] of the time before was dropped.
pub trait Storage: Send + Sync + Debug {
    /// Opens the log, handing every durable round after `from` to `visit`, in order;
    /// without a `from`, every round from the first of all.
    ///
    /// Blocks for as long as reading those takes, and longer after an unclean stop;
    /// `visit` runs on this thread. Each round it is given has been decoded and
    /// checked, and follows the one before: number, history, chain, floor and
    /// sequences (I4, I11). `visit` may refuse a round too, which ends the opening.
    /// Of what is before `from` nothing is read but the names of files.
    ///
    /// When `Ok`, `visit` has seen every round after `from` that was ever acknowledged
    /// (I1), and perhaps one more whose append failed or was cut off. When `Err`,
    /// nothing was changed that opening again would not do as well.
    ///
    /// # Errors
    /// [`Error::Damaged`] for a gap, a foreign file, an older copy, a broken chain, a
    /// log that does not reach `from` or passed it by with another chain, rounds that
    /// were trimmed, or bytes that are not what was written;
    /// [`Error::UnknownFormat`]; [`Error::Missing`] if no log was created here;
    /// [`Error::InUse`]; [`Error::Failed`] if the disk refuses.
    fn open(&self, from: Option<&Start>, visit: &mut Visit<'_>) -> Result<Opened, Error>;
}

/// Takes the rounds of a log that is being opened.
pub type Visit<'a> = dyn FnMut(Round, Progress) -> Result<(), Damage> + 'a;

/// The writing end of a log. There is one at a time; dropping it releases the
/// storage, whatever its readers still hold.
pub trait Log: Send + Debug {
    /// Appends a round. `next` is the sequence that the next entry had or would have
    /// when the round began; it names a new segment.
    ///
    /// Blocks until the round is durable: when `Ok`, it is there after a crash at any
    /// later instant (I1), and readers find it. When `Err`, the outcome is *unknown*:
    /// the round may be there and may not, but nothing before it is lost and nothing
    /// after it can be there, because this log then refuses everything. Drop it and
    /// open the storage again to learn which.
    ///
    /// # Errors
    /// [`Error::Failed`] or [`Error::Damaged`] if the disk refuses;
    /// [`Error::NotNext`] if the round does not follow the last, which is a bug of the
    /// caller; [`Error::Closed`] after any of them.
    fn append(&mut self, next: Sequence, round: &Encoded) -> Result<(), Error>;

    /// Seals the newest segment now, if it has any round: it is then as durable and
    /// unchanging as the others, can be copied, and have bodies erased. The next
    /// append creates its successor.
    ///
    /// # Errors
    /// As for [`append`](Self::append), but that no round is at stake.
    fn seal(&mut self) -> Result<(), Error>;

    /// Reads this log until it is dropped, from any thread.
    fn reader(&self) -> Arc<dyn Reader>;

    /// Looks after the sealed part of this log until it is dropped, from any thread.
    fn upkeep(&self) -> Arc<dyn Upkeep>;

    /// The last durable round.
    fn tail(&self) -> Tail;

    /// Closes cleanly, so that opening again needs no repair. Not closing, or failing
    /// to, costs time at the next start, and nothing else.
    ///
    /// # Errors
    /// [`Error::Failed`] if the log is not known to be closed cleanly.
    fn close(self: Box<Self>) -> Result<(), Error>;
}

/// Reads rounds while others are appended, without waiting for their syncs; only
/// while one file of the log gives way to the next, it may wait.
pub trait Reader: Send + Sync + Debug {
    /// The bytes of a durable round. They are not checked here: `record`'s functions
    /// do so as they read them.
    ///
    /// # Errors
    /// [`Error::Missing`] if there is no such round; [`Error::Damaged`] if its file
    /// cannot be read as one; [`Error::Closed`] after the log was dropped, at least
    /// for what was newest then.
    fn round(&self, number: u64) -> Result<Vec<u8>, Error>;
}

/// What can be done to the sealed part of a log while it is written and read.
///
/// Its calls take as long as reading or writing a segment does, and hold up neither
/// the appends nor the readers of the log; trimming and erasing wait for each other.
pub trait Upkeep: Send + Sync + Debug {
    /// The segments that are there, the newest last.
    fn segments(&self) -> Vec<SegmentInfo>;

    /// Removes sealed segments whose rounds are all below `round`, oldest first, and
    /// never the newest. When `Ok`, they are gone after a crash too; when `Err`, some
    /// may be, and the next call goes on. Returns what it removed.
    ///
    /// # Errors
    /// [`Error::Failed`]; [`Error::Closed`] after the log was dropped.
    fn trim(&self, round: u64) -> Result<Vec<PathBuf>, Error>;

    /// Erases the bodies of those records of a round that `which` picks. When `Ok`,
    /// no file of the log has them any more, and no later call reads them. What was
    /// erased before, or was trimmed, stays so.
    ///
    /// # Errors
    /// [`Error::NotSealed`] if the round is in the segment that is written to: seal
    /// it first; [`Error::Missing`] if there is no such round yet;
    /// [`Error::Damaged`] if the segment is not what was written; [`Error::Failed`];
    /// [`Error::Closed`] after the log was dropped. Whatever it is, the segment is
    /// whole, with the bodies or without.
    fn erase(&self, round: u64, which: &dyn Fn(&RecordHead) -> bool) -> Result<(), Error>;

    /// As [`erase`](Self::erase), for all rounds of the sealed segment that has this
    /// one, in one go. Tells whether there was anything to erase; it is read wholly
    /// either way.
    ///
    /// # Errors
    /// As [`erase`](Self::erase).
    fn erase_all(&self, round: u64, which: &dyn Fn(&RecordHead) -> bool) -> Result<bool, Error>;

    /// Reads one sealed segment wholly, from its file, and checks all of it: what it
    /// says about itself, every round, its end, and that the next continues it. Hands
    /// over its rounds, of which `visit` may refuse one.
    ///
    /// # Errors
    /// [`Error::Missing`] if no segment begins with this round, or it was trimmed
    /// meanwhile; [`Error::NotSealed`]; [`Error::Damaged`];
    /// [`Error::UnknownFormat`]; [`Error::Failed`].
    fn check(&self, first_round: u64, visit: &mut Check<'_>) -> Result<(), Error>;
}

/// Takes the rounds of a segment that is being checked.
pub type Check<'a> = dyn FnMut(Round) -> Result<(), Damage> + 'a;

/// One segment of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentInfo {
    /// Its file.
    pub path: PathBuf,
    /// The round that it begins with.
    pub first_round: u64,
    /// The sequence that the next entry had or would have when it was begun.
    pub first_sequence: Sequence,
    /// Whether nothing more is written to it.
    pub is_sealed: bool,
    /// The length of its file.
    pub bytes: u64,
}

/// A boundary between two rounds, from which a log can be read on: all that has to
/// be known of what is before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// The history of the rounds up to here.
    pub history: History,
    /// The last round before.
    pub tail: Tail,
    /// Its floor.
    pub floor_ms: u64,
    /// The last time that was given to an entry up to here.
    pub time_ms: u64,
    /// The last entry up to here.
    pub entry: Sequence,
    /// The last outcome up to here.
    pub outcome: Sequence,
}

impl Start {
    /// Before the first round of a log.
    #[must_use]
    pub fn of(history: History) -> Self {
        let (entry, outcome) = (Sequence(0), Sequence(0));
        Self { history, tail: Tail::START, floor_ms: 0, time_ms: 0, entry, outcome }
    }
}

/// A log that was opened.
#[derive(Debug)]
pub struct Opened {
    /// Its writing end.
    pub log: Box<dyn Log>,
    /// Its history.
    pub history: History,
    /// The first round that is there, or would be.
    pub starts_with: u64,
    /// Its last round.
    pub tail: Tail,
}

/// The end of a log: what the next round must follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tail {
    /// The number of the last round, 0 if there is none.
    pub number: u64,
    /// The chain after it.
    pub chain: Hash,
}

impl Tail {
    /// The end of a log without rounds.
    pub const START: Self = Self { number: 0, chain: CHAIN_START };
}

/// How far opening has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The file being read, from 1.
    pub segment: usize,
    /// How many files there are.
    pub segments: usize,
    /// The last round of that file.
    pub last_round: u64,
}

/// Why the log refused. `place` is a file or directory.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It was never there, or is not any more.
    #[error(
        "{place}: {what} is not there; put the log's files back, or restore the app from a backup"
    )]
    Missing {
        /// Where it was looked for.
        place: String,
        /// What was looked for.
        what: String,
    },
    /// A log is to be created where one is.
    #[error("{place}: there already is a log here; open it, or choose another directory")]
    Exists {
        /// The log's directory.
        place: String,
    },
    /// It is open already.
    #[error("{place}: in use; stop the other server that uses this directory")]
    InUse {
        /// What is open.
        place: String,
    },
    /// Something was asked of a segment that is still written to.
    #[error("{place}: still written to; seal it first")]
    NotSealed {
        /// The file.
        place: String,
    },
    /// A newer server wrote it.
    #[error(
        "{place}: format version {found} is unknown; use the version of the server that wrote it"
    )]
    UnknownFormat {
        /// The file.
        place: String,
        /// Its version.
        found: u16,
    },
    /// It is not what was written.
    #[error("{place}{}: {what}; {remedy}", round.map_or_else(String::new, |n| format!(", round {n}")))]
    Damaged {
        /// The file.
        place: String,
        /// The round, if it is about one.
        round: Option<u64>,
        /// What is wrong.
        what: String,
        /// What can be done.
        remedy: &'static str,
    },
    /// The machine did not do what it was asked to.
    #[error("{place}: could not {operation}")]
    Failed {
        /// The file or directory.
        place: String,
        /// What was tried.
        operation: &'static str,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The caller's round does not follow the last one.
    #[error("round not appended: {what}")]
    NotNext {
        /// In what it does not.
        what: String,
    },
    /// This handle is of no more use.
    #[error("the log was closed, or refuses more after a failure; open it again")]
    Closed,
}
