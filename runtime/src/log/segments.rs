//! The log on disk: a directory of redb files, each named by the first sequence
//! that its entries have or would have, and by its first round.
//!
//! - `00000000000000000001-00000000000000000001.redb`, …: the segments. All but the
//!   newest are *sealed*: closed cleanly, with their last round and chain on record.
//!   Nothing is added to them any more; they can be removed, oldest first, and be
//!   replaced by the same without some bodies. Only the newest can need redb's
//!   repair, which scans the whole file.
//! - `*.new`: a segment that is being created or replaced. It gets its name only when
//!   complete and synced, so one that a crash left behind is removed.
//! - `witness`: which round was acknowledged last, as a lower bound.
//!
//! Every byte that matters is covered: rounds by their own chain, which goes on from
//! file to file; a segment's own words (history, first round, predecessor) by a
//! checksum, and by having to agree with its rounds and its predecessor. redb's page
//! checksums are not relied upon, since it does not verify them on ordinary reads.
//! The loss of the newest rounds with all trace of them, by an older copy of the end
//! of the log, is noticed by the witness, as far as that was on disk; and by whoever
//! opens the log from a boundary that it does not reach. What cannot be noticed is
//! an older copy of everything.
//!
//! A newest segment that was not closed cleanly is, before redb repairs it, written
//! over itself and synced: what was read may so far have been in memory only, after
//! a failed sync even for good.
//!
//! A crash between sealing a segment and creating the next leaves the newest one
//! sealed; the next append creates its successor.

mod directory;
mod examine;
mod file;
mod meta;
mod opening;
mod shelf;
#[cfg(test)]
mod tests;
mod upkeep;
mod witness;

use std::path::PathBuf;
use std::sync::Arc;

pub use self::examine::{Examined, Seen};

use self::directory::Segment;
use self::file::SegmentFile;
use self::meta::{Meta, Seal};
use self::opening::Opening;
use self::shelf::Shelf;
use self::witness::Witness;
use super::follow::{Follower, check_follows};
use super::{Error, Log, Opened, Reader, Start, Storage, Tail, Upkeep, Visit};
use crate::disk::{self, Disk};
use crate::record::{self, Encoded, RecordRef, RoundHeader};
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
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    limits: Limits,
}

impl Segments {
    /// The log in this directory, which need not be there yet. Does no I/O.
    pub fn new(disk: Arc<dyn Disk>, dir: impl Into<PathBuf>, limits: Limits) -> Self {
        Self { disk, dir: dir.into(), limits }
    }

    /// Whether a log was created here.
    ///
    /// # Errors
    /// [`Error::Failed`] if the directory cannot be read.
    pub fn exists(&self) -> Result<bool, Error> {
        Ok(!directory::segments(&*self.disk, &self.dir)?.is_empty())
    }

    /// Creates an empty log of this history, and the directory if need be. When `Ok`,
    /// it is there after a crash; when `Err`, creating again may find it there.
    ///
    /// # Errors
    /// [`Error::Exists`] if there is one; [`Error::Failed`] if the disk refuses.
    pub fn create(&self, history: History) -> Result<(), Error> {
        disk::create_directories(&*self.disk, &self.dir)
            .map_err(|error| directory::failed(&self.dir, "create the directory", error))?;
        if self.exists()? {
            return Err(Error::Exists { place: self.dir.display().to_string() });
        }
        self.add(&Meta {
            history,
            first_round: 1,
            first_sequence: Sequence(1),
            chain_before: Tail::START.chain,
            previous: None,
            restored_from: None,
        })
    }

    /// Goes on with the log as that of another history, which a restore gives it:
    /// what was acknowledged after the backup was taken is not in it, and must not be
    /// taken for what comes now. Seals the newest segment and adds one of that
    /// history, with a round that holds nothing. The log must not be open.
    ///
    /// # Errors
    /// [`Error::Missing`] if there is no log; [`Error::Damaged`] or
    /// [`Error::UnknownFormat`] if its newest segment cannot be read;
    /// [`Error::Failed`] if the disk refuses. Trying again is safe, and adds another.
    pub fn continue_as(&self, history: History) -> Result<(), Error> {
        directory::remove_unfinished(&*self.disk, &self.dir)?;
        let mut segments = directory::segments(&*self.disk, &self.dir)?;
        let newest = segments.pop().ok_or_else(|| self.missing())?;
        let file = SegmentFile::open(&*self.disk, &newest.path, self.limits.cache_bytes)?;
        let meta = file.meta()?;
        opening::check_name(&newest, &meta)?;
        let first_round = meta.first_round;
        let tail = Tail { number: first_round.saturating_sub(1), chain: meta.chain_before };
        let mut follower = Follower::after(meta.history, tail, meta.first_sequence);
        let (mut floor_ms, mut time_ms) = self.last_times(segments.last())?;
        file.scan(first_round, first_round, &mut |number, bytes, _| {
            let round = follower.accept(bytes);
            let round = round.map_err(|damage| opening::in_round(&newest, number, &damage))?;
            (floor_ms, time_ms) = (round.header.floor_ms, round.header.time_ms);
            Ok(())
        })?;
        let (tail, restored_from) = (follower.tail(), Some(follower.history()));
        let meta = if tail.number < first_round {
            // Without a round there is nothing to seal; the new one takes its place. It
            // may be half of a restore before: then it goes on from where that did.
            let restored_from = meta.restored_from.or(restored_from);
            Meta { history, restored_from, ..meta }
        } else {
            let (first_round, chain_before) = (tail.number + 1, tail.chain);
            if file.seal()?.is_none() {
                file.write_seal(Seal { tail })?;
            }
            let previous = Some(directory::name(&newest.path));
            let first_sequence = follower.next_sequence();
            Meta { history, first_round, first_sequence, chain_before, previous, restored_from }
        };
        file.close(&*self.disk)?;
        self.add(&meta)?;
        let path = self.dir.join(directory::file_name(meta.first_sequence, meta.first_round));
        let file = SegmentFile::open(&*self.disk, &path, self.limits.cache_bytes)?;
        let (number, chain_before) = (meta.first_round, meta.chain_before);
        let header = RoundHeader { number, history, chain_before, floor_ms, time_ms };
        let nothing: [RecordRef<'_>; 0] = [];
        let round = record::encode(&header, nothing);
        file.append(number, &round.bytes)?;
        file.close(&*self.disk)?;
        Witness::reset(&*self.disk, &self.dir, Tail { number, chain: round.chain })
    }

    /// The floor and the time of the last round of a segment; zero if there is none.
    fn last_times(&self, segment: Option<&Segment>) -> Result<(u64, u64), Error> {
        let Some(segment) = segment else { return Ok((0, 0)) };
        let file = SegmentFile::open(&*self.disk, &segment.path, self.limits.cache_bytes)?;
        let Some(last) = file.last(segment.first_round)? else { return Ok((0, 0)) };
        let header = record::header(&file.round(last)?);
        let header = header.map_err(|damage| opening::in_round(segment, last, &damage))?;
        file.close(&*self.disk)?;
        Ok((header.floor_ms, header.time_ms))
    }

    /// Adds a segment without rounds.
    fn add(&self, meta: &Meta) -> Result<(), Error> {
        let file = SegmentFile::create(&*self.disk, &self.dir, meta, self.limits.cache_bytes)?;
        file.close(&*self.disk)
    }

    fn missing(&self) -> Error {
        Error::Missing { place: self.dir.display().to_string(), what: "a log".into() }
    }
}

impl Storage for Segments {
    fn open(&self, from: Option<&Start>, visit: &mut Visit<'_>) -> Result<Opened, Error> {
        directory::remove_unfinished(&*self.disk, &self.dir)?;
        let segments = directory::segments(&*self.disk, &self.dir)?;
        let starts_with = segments.first().map(|segment| segment.first_round);
        let opening = Opening::new(&*self.disk, &self.dir, from, visit)?;
        let end = opening.read_all(&segments, &self.limits)?;
        let (Some(end), Some(starts_with)) = (end, starts_with) else {
            return Err(self.missing());
        };
        // A process that died may have named a segment and not come to sync the name.
        // What is appended to it from now on relies on it.
        let synced = self.disk.sync_directory(&self.dir);
        synced.map_err(|error| directory::failed(&self.dir, "sync the directory", error))?;
        let (history, tail) = (end.history, end.tail);
        let witness = Witness::open(&*self.disk, &self.dir, tail)?;
        let (disk, cache_bytes) = (Arc::clone(&self.disk), self.limits.cache_bytes);
        let log = SegmentsLog {
            dir: self.dir.clone(),
            limits: self.limits,
            history,
            tail,
            newest: end.newest,
            shelf: Arc::new(Shelf::new(disk, cache_bytes, segments, end.active)),
            witness,
            refuses: false,
        };
        Ok(Opened { log: Box::new(log), history, starts_with, tail })
    }
}

/// The newest segment, as far as appending has to know it.
#[derive(Debug, Clone)]
struct Newest {
    file_name: String,
    first_round: u64,
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
    /// Shared with the readers and the upkeep.
    shelf: Arc<Shelf>,
    witness: Witness,
    /// Set while something is written, so that it stays set if that fails or panics.
    refuses: bool,
}

impl SegmentsLog {
    fn try_append(&mut self, next: Sequence, round: &Encoded) -> Result<(), Error> {
        let follows = record::header(&round.bytes)
            .map_err(|damage| damage.to_string())
            .and_then(|header| check_follows(&header, self.history, self.tail));
        follows.map_err(|what| Error::NotNext { what })?;
        if self.newest.rounds_bytes >= self.limits.segment_bytes {
            self.try_seal()?;
        }
        if self.newest.is_sealed {
            self.create_successor(next)?;
        }
        let number = self.tail.number + 1;
        self.shelf.append(number, &round.bytes)?;
        self.newest.rounds_bytes += round.bytes.len() as u64;
        self.tail = Tail { number, chain: round.chain };
        self.witness.write(self.tail)
    }

    /// Seals the newest segment, unless it is, or has no round.
    fn try_seal(&mut self) -> Result<(), Error> {
        if self.newest.is_sealed || self.tail.number < self.newest.first_round {
            return Ok(());
        }
        self.shelf.seal(Seal { tail: self.tail })?;
        self.newest.is_sealed = true;
        self.witness.sync()
    }

    fn create_successor(&mut self, next: Sequence) -> Result<(), Error> {
        let first_round = self.tail.number + 1;
        let meta = Meta {
            history: self.history,
            first_round,
            first_sequence: next,
            chain_before: self.tail.chain,
            previous: Some(self.newest.file_name.clone()),
            restored_from: None,
        };
        let disk = &*self.shelf.disk;
        let active = SegmentFile::create(disk, &self.dir, &meta, self.limits.cache_bytes)?;
        let path = active.path().to_owned();
        self.shelf.add(Segment { path, first_sequence: next, first_round }, active);
        let file_name = directory::file_name(next, first_round);
        self.newest = Newest { file_name, first_round, rounds_bytes: 0, is_sealed: false };
        Ok(())
    }

    /// Runs what writes, unless something before it failed, and remembers if it fails.
    fn guarded(&mut self, write: impl FnOnce(&mut Self) -> Result<(), Error>) -> Result<(), Error> {
        if self.refuses {
            return Err(Error::Closed);
        }
        self.refuses = true;
        write(self)?;
        self.refuses = false;
        Ok(())
    }
}

impl Log for SegmentsLog {
    fn append(&mut self, next: Sequence, round: &Encoded) -> Result<(), Error> {
        self.guarded(|log| log.try_append(next, round))
    }

    fn seal(&mut self) -> Result<(), Error> {
        self.guarded(Self::try_seal)
    }

    fn reader(&self) -> Arc<dyn Reader> {
        Arc::clone(&self.shelf) as Arc<dyn Reader>
    }

    fn upkeep(&self) -> Arc<dyn Upkeep> {
        Arc::clone(&self.shelf) as Arc<dyn Upkeep>
    }

    fn tail(&self) -> Tail {
        self.tail
    }

    fn close(self: Box<Self>) -> Result<(), Error> {
        self.shelf.close()?;
        self.witness.sync()
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
