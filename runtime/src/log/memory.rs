//! A log in memory that fails on demand: for tests of whatever uses a log.
//!
//! It keeps the promises of [`log`](super) with the memory of a [`Memory`] as the
//! disk: what was appended survives the drop of the log and is found when it is
//! opened again, which includes an append that failed *after* it was durable.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::follow::{Follower, check_follows};
use super::{Error, Log, Opened, Progress, Reader, Storage, Tail, Visit};
use crate::record::{self, Encoded};
use crate::value::{History, Sequence};

const PLACE: &str = "memory";

/// A disk of memory. Clones are the same disk.
#[derive(Clone)]
pub struct Memory(Arc<Disk>);

/// How an append fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The round is not there afterwards.
    BeforeDurable,
    /// The round is there afterwards, though the append reported an error.
    AfterDurable,
}

/// While it lives, appends wait before they do anything.
#[derive(Debug)]
pub struct Hold(Memory);

struct Disk {
    history: History,
    contents: Mutex<Contents>,
    /// Signalled when an append begins to wait and when it may go on.
    changed: Condvar,
}

#[derive(Default)]
struct Contents {
    rounds: Vec<Vec<u8>>,
    appends: u64,
    /// Faults to come, by the number of the append that meets them.
    faults: Vec<(u64, Fault)>,
    holds: usize,
    waiting: usize,
    is_open: bool,
}

impl Memory {
    /// An empty log of this history.
    #[must_use]
    pub fn new(history: History) -> Self {
        let (contents, changed) = (Mutex::default(), Condvar::new());
        Self(Arc::new(Disk { history, contents, changed }))
    }

    /// Makes an append fail: 1 is the next, 2 the one after it.
    pub fn fail_append(&self, nth_from_now: u64, fault: Fault) {
        let mut contents = self.contents();
        let nth = contents.appends + nth_from_now;
        contents.faults.push((nth, fault));
    }

    /// Lets appends wait until the hold is dropped.
    #[must_use]
    pub fn hold_appends(&self) -> Hold {
        self.contents().holds += 1;
        Hold(self.clone())
    }

    /// Changes the bytes of a round, as a bad disk would; nothing if it is not there.
    pub fn alter(&self, number: u64, change: impl FnOnce(&mut Vec<u8>)) {
        let index = usize::try_from(number.wrapping_sub(1)).unwrap_or(usize::MAX);
        if let Some(round) = self.contents().rounds.get_mut(index) {
            change(round);
        }
    }

    /// How many appends were begun, failed ones included.
    #[must_use]
    pub fn appends(&self) -> u64 {
        self.contents().appends
    }

    /// The rounds that are durable, in order.
    #[must_use]
    pub fn rounds(&self) -> Vec<Vec<u8>> {
        self.contents().rounds.clone()
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.0.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks the disk once nothing holds appends up.
    fn begin_append(&self) -> MutexGuard<'_, Contents> {
        let mut contents = self.contents();
        contents.appends += 1;
        contents.waiting += 1;
        self.0.changed.notify_all();
        let held = |contents: &mut Contents| contents.holds > 0;
        let mut contents =
            self.0.changed.wait_while(contents, held).unwrap_or_else(PoisonError::into_inner);
        contents.waiting -= 1;
        contents
    }
}

impl Hold {
    /// Waits until an append waits for this hold.
    pub fn wait_for_append(&self) {
        let none = |contents: &mut Contents| contents.waiting == 0;
        let contents = self.0.contents();
        let reached = self.0.0.changed.wait_while(contents, none);
        drop(reached.unwrap_or_else(PoisonError::into_inner));
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.contents().holds -= 1;
        self.0.0.changed.notify_all();
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("history", &self.0.history).finish_non_exhaustive()
    }
}

impl Storage for Memory {
    fn open(&self, visit: &mut Visit<'_>) -> Result<Opened, Error> {
        let rounds = self.rounds();
        if std::mem::replace(&mut self.contents().is_open, true) {
            return Err(Error::InUse { place: PLACE.into() });
        }
        // From here on dropping the log marks the disk as free again.
        let mut log = MemoryLog { disk: self.clone(), tail: Tail::START, is_closed: false };
        let mut follower = Follower::new(self.0.history);
        let progress = Progress { segment: 1, segments: 1, last_round: rounds.len() as u64 };
        for (number, bytes) in (1..).zip(&rounds) {
            let round = follower.accept(bytes);
            let visited = round.and_then(|round| visit(round, progress));
            visited.map_err(|damage| Error::Damaged {
                place: PLACE.into(),
                round: Some(number),
                what: damage.to_string(),
                remedy: "it cannot be repaired",
            })?;
        }
        log.tail = follower.tail();
        Ok(Opened { tail: log.tail, log: Box::new(log), history: self.0.history })
    }
}

#[derive(Debug)]
struct MemoryLog {
    disk: Memory,
    tail: Tail,
    is_closed: bool,
}

impl Log for MemoryLog {
    fn append(&mut self, _next: Sequence, round: &Encoded) -> Result<(), Error> {
        if self.is_closed {
            return Err(Error::Closed);
        }
        self.is_closed = true;
        let follows = record::header(&round.bytes)
            .map_err(|damage| damage.to_string())
            .and_then(|header| check_follows(&header, self.disk.0.history, self.tail));
        follows.map_err(|what| Error::NotNext { what })?;

        let mut contents = self.disk.begin_append();
        let nth = contents.appends;
        let fault = contents.faults.iter().find(|(at, _)| *at == nth).map(|(_, fault)| *fault);
        if fault != Some(Fault::BeforeDurable) {
            contents.rounds.push(round.bytes.clone());
        }
        drop(contents);
        if fault.is_some() {
            return Err(Error::Failed {
                place: PLACE.into(),
                operation: "append a round",
                source: "a test asked for it".into(),
            });
        }
        self.tail = Tail { number: self.tail.number + 1, chain: round.chain };
        self.is_closed = false;
        Ok(())
    }

    fn reader(&self) -> Arc<dyn Reader> {
        Arc::new(MemoryReader(self.disk.clone()))
    }

    fn tail(&self) -> Tail {
        self.tail
    }

    fn close(self: Box<Self>) -> Result<(), Error> {
        Ok(())
    }
}

impl Drop for MemoryLog {
    fn drop(&mut self) {
        self.disk.contents().is_open = false;
    }
}

#[derive(Debug)]
struct MemoryReader(Memory);

impl Reader for MemoryReader {
    fn round(&self, number: u64) -> Result<Vec<u8>, Error> {
        let index = usize::try_from(number.wrapping_sub(1)).unwrap_or(usize::MAX);
        self.0
            .contents()
            .rounds
            .get(index)
            .cloned()
            .ok_or_else(|| Error::Missing { place: PLACE.into(), what: format!("round {number}") })
    }
}
