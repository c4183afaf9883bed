//! The log on disk: a directory of redb files, each named by the first sequence
//! that its entries have or would have.
//!
//! - `00000000000000000001.redb`, …: the segments. All but the newest are *sealed*:
//!   closed cleanly, with their last round and chain on record, never written again.
//!   So only the newest can need redb's repair, which scans the whole file.
//! - `*.new`: a segment that is being created. It gets its name only when complete
//!   and synced, so one that a crash left behind holds nothing and is removed.
//!
//! Every byte that matters is covered: rounds by their own chain, which goes on from
//! file to file; a segment's own words (history, first round, predecessor) by a
//! checksum, and by having to agree with its rounds and its predecessor. redb's page
//! checksums are not relied upon, since it does not verify them on ordinary reads.
//! What cannot be noticed is the loss of the newest rounds together with all trace
//! of them: an older copy of the whole directory, or of its end. One bit can do that
//! to the last round: redb's mark of which of its two commits is the newer, which no
//! checksum covers.
//!
//! A newest segment that was not closed cleanly is, before redb repairs it, written
//! over itself and synced: what was read may so far have been in memory only, after
//! a failed sync even for good.
//!
//! A crash between sealing a segment and creating the next leaves the newest one
//! sealed; the next append creates its successor.

mod directory;
mod file;
mod meta;
mod opening;
mod shelf;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use self::file::Active;
use self::meta::{Meta, Seal};
use self::opening::Opening;
use self::shelf::Shelf;
use super::follow::check_follows;
use super::{Error, Log, Opened, Reader, Storage, Tail, Visit};
use crate::record::{self, Encoded};
use crate::value::{History, Sequence};

/// The sizes of a log on disk.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// A segment with at least this many bytes of rounds gets a successor. 256 MiB:
    /// repairing that much after an unclean stop takes about half a second.
    pub segment_bytes: u64,
    /// What redb may cache of the newest segment, in bytes: this log's share of the
    /// server's budget. The log is written once and seldom read, so little does.
    pub cache_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { segment_bytes: 256 << 20, cache_bytes: 4 << 20 }
    }
}

/// The log of one app, in one directory.
#[derive(Debug, Clone)]
pub struct Segments {
    dir: PathBuf,
    limits: Limits,
}

impl Segments {
    /// The log in this directory, which need not be there yet. Does no I/O.
    pub fn new(dir: impl Into<PathBuf>, limits: Limits) -> Self {
        Self { dir: dir.into(), limits }
    }

    /// Whether a log was created here.
    ///
    /// # Errors
    /// [`Error::Failed`] if the directory cannot be read.
    pub fn exists(&self) -> Result<bool, Error> {
        Ok(!directory::segments(&self.dir)?.is_empty())
    }

    /// Creates an empty log of this history, and the directory if need be. When `Ok`,
    /// it is there after a crash; when `Err`, creating again may find it there.
    ///
    /// # Errors
    /// [`Error::Exists`] if there is one; [`Error::Failed`] if the disk refuses.
    pub fn create(&self, history: History) -> Result<(), Error> {
        directory::create(&self.dir)?;
        if self.exists()? {
            return Err(Error::Exists { place: self.dir.display().to_string() });
        }
        let meta = Meta {
            history,
            first_round: 1,
            first_sequence: Sequence(1),
            chain_before: Tail::START.chain,
            previous: None,
        };
        Active::create(&self.dir, &meta, self.limits.cache_bytes)?.close()
    }
}

impl Storage for Segments {
    fn open(&self, visit: &mut Visit<'_>) -> Result<Opened, Error> {
        directory::remove_unfinished(&self.dir)?;
        let segments = directory::segments(&self.dir)?;
        let mut opening = Opening::new(visit, segments.len());
        for (segment, next) in segments.iter().zip(segments.iter().skip(1)) {
            opening.read_sealed(segment, next)?;
        }
        let mut active = None;
        if let Some(newest) = segments.last() {
            active = opening.read_newest(newest, self.limits.cache_bytes)?;
        }
        let Some(end) = opening.end() else {
            let place = self.dir.display().to_string();
            return Err(Error::Missing { place, what: "a log".into() });
        };
        let log = SegmentsLog {
            dir: self.dir.clone(),
            limits: self.limits,
            history: end.history,
            tail: end.tail,
            newest: end.newest,
            shelf: Arc::new(Shelf::new(end.places, active)),
            refuses: false,
        };
        Ok(Opened { log: Box::new(log), history: end.history, tail: end.tail })
    }
}

/// The newest segment, as far as appending has to know it.
#[derive(Debug, Clone)]
struct Newest {
    file_name: String,
    first_sequence: Sequence,
    /// The bytes of its rounds; redb's file is larger.
    rounds_bytes: u64,
    is_sealed: bool,
}

/// The writing end.
#[derive(Debug)]
struct SegmentsLog {
    dir: PathBuf,
    limits: Limits,
    history: History,
    tail: Tail,
    newest: Newest,
    /// Shared with the readers.
    shelf: Arc<Shelf>,
    /// Set while an append is under way, so that it stays set if one fails or panics.
    refuses: bool,
}

impl SegmentsLog {
    fn try_append(&mut self, next: Sequence, round: &Encoded) -> Result<(), Error> {
        let follows = record::header(&round.bytes)
            .map_err(|damage| damage.to_string())
            .and_then(|header| check_follows(&header, self.history, self.tail));
        follows.map_err(|what| Error::NotNext { what })?;
        // Without a new sequence there is no new name: the segment grows on.
        let is_full = self.newest.rounds_bytes >= self.limits.segment_bytes;
        if is_full && next > self.newest.first_sequence && !self.newest.is_sealed {
            self.shelf.seal(Seal { tail: self.tail })?;
            self.newest.is_sealed = true;
        }
        if self.newest.is_sealed {
            self.create_successor(next)?;
        }
        let number = self.tail.number + 1;
        self.shelf.append(number, &round.bytes)?;
        self.newest.rounds_bytes += round.bytes.len() as u64;
        self.tail = Tail { number, chain: round.chain };
        Ok(())
    }

    fn create_successor(&mut self, next: Sequence) -> Result<(), Error> {
        let meta = Meta {
            history: self.history,
            first_round: self.tail.number + 1,
            first_sequence: next,
            chain_before: self.tail.chain,
            previous: Some(self.newest.file_name.clone()),
        };
        let active = Active::create(&self.dir, &meta, self.limits.cache_bytes)?;
        self.shelf.add(meta.first_round, active);
        self.newest = Newest {
            file_name: directory::file_name(next),
            first_sequence: next,
            rounds_bytes: 0,
            is_sealed: false,
        };
        Ok(())
    }
}

impl Log for SegmentsLog {
    fn append(&mut self, next: Sequence, round: &Encoded) -> Result<(), Error> {
        if self.refuses {
            return Err(Error::Closed);
        }
        self.refuses = true;
        self.try_append(next, round)?;
        self.refuses = false;
        Ok(())
    }

    fn reader(&self) -> Arc<dyn Reader> {
        Arc::clone(&self.shelf) as Arc<dyn Reader>
    }

    fn tail(&self) -> Tail {
        self.tail
    }

    fn close(self: Box<Self>) -> Result<(), Error> {
        self.shelf.close()
    }
}

impl Drop for SegmentsLog {
    fn drop(&mut self) {
        // After `close` there is nothing left to do. Otherwise the next opening
        // repairs what this could not close, and reports what it cannot repair.
        if let Err(error) = self.shelf.close() {
            tracing::warn!(%error, dir = %self.dir.display(), "log not closed cleanly");
        }
    }
}
