//! The segments of an open log, shared by its one writer, all its readers and its
//! upkeep.
//!
//! Locks: `state` is read-locked to append and to read, so that both go on at once,
//! and write-locked only to exchange the newest segment or to forget the oldest.
//! `handles` is never held while a round is read, but while a segment is opened, so
//! that none is opened under a name and kept after the name was given to another
//! file. `upkeep` is held for as long as files are removed or replaced. Dropping the
//! log takes the newest segment out, so that readers that live on cannot keep it.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::directory::Segment;
use super::file::SegmentFile;
use super::meta::Seal;
use crate::disk::Disk;
use crate::log::{Error, Reader};

/// How many sealed segments are kept open for readers. Receipts are asked for soon
/// after their commands, which is nearly always in one or two files.
const SEALED_OPEN_MAX: usize = 4;

/// The segments of an open log.
#[derive(Debug)]
pub(super) struct Shelf {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) cache_bytes: usize,
    state: RwLock<State>,
    /// Sealed segments that were read last, the latest at the back.
    handles: Mutex<VecDeque<(PathBuf, Arc<SegmentFile>)>>,
    upkeep: Mutex<()>,
}

#[derive(Debug)]
pub(super) struct State {
    /// In order of rounds, the newest included.
    pub(super) places: Vec<Segment>,
    pub(super) newest: Newest,
}

#[derive(Debug)]
pub(super) enum Newest {
    Active(SegmentFile),
    Sealed,
    /// The log was dropped.
    Closed,
}

impl Shelf {
    pub(super) fn new(
        disk: Arc<dyn Disk>,
        cache_bytes: usize,
        places: Vec<Segment>,
        active: Option<SegmentFile>,
    ) -> Self {
        let newest = active.map_or(Newest::Sealed, Newest::Active);
        let state = RwLock::new(State { places, newest });
        Self { disk, cache_bytes, state, handles: Mutex::default(), upkeep: Mutex::default() }
    }

    /// Appends a round to the newest segment; durable when `Ok`.
    pub(super) fn append(&self, number: u64, round: &[u8]) -> Result<(), Error> {
        match &self.state().newest {
            Newest::Active(active) => active.append(number, round),
            Newest::Sealed | Newest::Closed => Err(Error::Closed),
        }
    }

    /// Seals the newest segment. Readers wait while it is closed, at worst some tens
    /// of milliseconds once in every segment.
    pub(super) fn seal(&self, seal: Seal) -> Result<(), Error> {
        if let Newest::Active(active) = &self.state().newest {
            active.write_seal(seal)?;
        }
        let mut state = self.state_mut();
        match std::mem::replace(&mut state.newest, Newest::Sealed) {
            Newest::Active(active) => active.close(&*self.disk),
            Newest::Sealed => Ok(()),
            Newest::Closed => Err(Error::Closed),
        }
    }

    /// Adds a segment that continues the newest.
    pub(super) fn add(&self, segment: Segment, active: SegmentFile) {
        let mut state = self.state_mut();
        state.places.push(segment);
        state.newest = Newest::Active(active);
    }

    /// Closes the newest segment for good, and waits until nothing is removed or
    /// replaced any more: the directory is then another's.
    pub(super) fn close(&self) -> Result<(), Error> {
        let newest = std::mem::replace(&mut self.state_mut().newest, Newest::Closed);
        drop(self.upkeep());
        match newest {
            Newest::Active(active) => active.close(&*self.disk),
            Newest::Sealed | Newest::Closed => Ok(()),
        }
    }

    /// Takes a segment that was removed off the shelf.
    pub(super) fn remove(&self, path: &Path) {
        self.state_mut().places.retain(|place| place.path != path);
        self.forget(path);
    }

    /// Opens this file anew when it is next read.
    pub(super) fn forget(&self, path: &Path) {
        let mut handles = self.handles.lock().unwrap_or_else(PoisonError::into_inner);
        handles.retain(|(known, _)| known != path);
    }

    pub(super) fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Held while files are removed or replaced.
    pub(super) fn upkeep(&self) -> MutexGuard<'_, ()> {
        self.upkeep.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A sealed segment, opened if it is not open.
    fn sealed(&self, path: PathBuf) -> Result<Arc<SegmentFile>, Error> {
        let mut handles = self.handles.lock().unwrap_or_else(PoisonError::into_inner);
        let known = handles.iter().position(|(known, _)| *known == path);
        let handle = match known.and_then(|index| handles.remove(index)) {
            Some((_, sealed)) => sealed,
            None => Arc::new(SegmentFile::open_sealed(&*self.disk, &path)?),
        };
        if handles.len() == SEALED_OPEN_MAX {
            handles.pop_front();
        }
        handles.push_back((path, Arc::clone(&handle)));
        Ok(handle)
    }

    fn state_mut(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The segment that has this round, or would, and whether it is the newest.
    pub(super) fn place_of(&self, round: u64) -> Option<(&Segment, bool)> {
        let n_before = self.places.partition_point(|place| place.first_round <= round);
        let place = self.places.get(n_before.checked_sub(1)?)?;
        Some((place, n_before == self.places.len()))
    }
}

impl Reader for Shelf {
    fn round(&self, number: u64) -> Result<Vec<u8>, Error> {
        let state = self.state();
        let Some((place, is_newest)) = state.place_of(number) else {
            let first = state.places.first().map(|place| place.path.display().to_string());
            let (place, what) = (first.unwrap_or_default(), format!("round {number}"));
            return Err(Error::Missing { place, what });
        };
        if is_newest {
            match &state.newest {
                Newest::Active(active) => return active.round(number),
                Newest::Closed => return Err(Error::Closed),
                Newest::Sealed => {}
            }
        }
        let path = place.path.clone();
        drop(state);
        self.sealed(path)?.round(number)
    }
}
