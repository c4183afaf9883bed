//! The segments of an open log, shared by its one writer and all its readers.
//!
//! Locks: `state` is read-locked to append and to read, so that both go on at once,
//! and write-locked only to exchange the newest segment. `handles` is never held
//! while a round is read. Dropping the log takes the newest segment out, so that
//! readers that live on cannot keep its file locked.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::file::{Active, Sealed};
use super::meta::Seal;
use crate::log::{Error, Reader};

/// How many sealed segments are kept open for readers. Receipts are asked for soon
/// after their commands, which is nearly always in one or two files.
const SEALED_OPEN_MAX: usize = 4;

/// Where a segment is, and from where it can be asked for rounds.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) path: PathBuf,
    pub(super) first_round: u64,
}

/// The segments of an open log.
#[derive(Debug)]
pub(super) struct Shelf {
    state: RwLock<State>,
    /// Sealed segments that were read last, the latest at the back.
    handles: Mutex<VecDeque<(PathBuf, Arc<Sealed>)>>,
}

#[derive(Debug)]
struct State {
    /// In order of rounds, the newest included.
    places: Vec<Place>,
    newest: Newest,
}

#[derive(Debug)]
enum Newest {
    Active(Active),
    Sealed,
    /// The log was dropped.
    Closed,
}

impl Shelf {
    pub(super) fn new(places: Vec<Place>, active: Option<Active>) -> Self {
        let newest = active.map_or(Newest::Sealed, Newest::Active);
        Self { state: RwLock::new(State { places, newest }), handles: Mutex::default() }
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
            Newest::Active(active) => active.close(),
            Newest::Sealed | Newest::Closed => Ok(()),
        }
    }

    /// Adds a segment that continues the newest.
    pub(super) fn add(&self, first_round: u64, active: Active) {
        let mut state = self.state_mut();
        state.places.push(Place { path: active.path().into(), first_round });
        state.newest = Newest::Active(active);
    }

    /// Closes the newest segment for good.
    pub(super) fn close(&self) -> Result<(), Error> {
        let mut state = self.state_mut();
        match std::mem::replace(&mut state.newest, Newest::Closed) {
            Newest::Active(active) => active.close(),
            Newest::Sealed | Newest::Closed => Ok(()),
        }
    }

    /// A sealed segment, opened if it is not open.
    fn sealed(&self, path: PathBuf) -> Result<Arc<Sealed>, Error> {
        let mut handles = self.handles.lock().unwrap_or_else(PoisonError::into_inner);
        let known = handles.iter().position(|(known, _)| *known == path);
        let handle = match known.and_then(|index| handles.remove(index)) {
            Some((_, sealed)) => sealed,
            None => Arc::new(Sealed::open(&path)?),
        };
        if handles.len() == SEALED_OPEN_MAX {
            handles.pop_front();
        }
        handles.push_back((path, Arc::clone(&handle)));
        Ok(handle)
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn state_mut(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reader for Shelf {
    fn round(&self, number: u64) -> Result<Vec<u8>, Error> {
        let state = self.state();
        let n_before = state.places.partition_point(|place| place.first_round <= number);
        let Some(place) = n_before.checked_sub(1).and_then(|index| state.places.get(index)) else {
            let first = state.places.first().map(|place| place.path.display().to_string());
            let (place, what) = (first.unwrap_or_default(), format!("round {number}"));
            return Err(Error::Missing { place, what });
        };
        if n_before == state.places.len() {
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
