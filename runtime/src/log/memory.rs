//! A log in memory that fails on demand: for tests of whatever uses a log.
//!
//! It keeps the promises of [`log`](super) with the memory of a [`Memory`] as the
//! disk: what was appended survives the drop of the log and is found when it is
//! opened again, which includes an append that failed *after* it was durable.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::follow::{Follower, check_follows};
use super::{
    Check, Error, Log, Opened, Progress, Reader, SegmentInfo, Start, Storage, Tail, Upkeep, Visit,
};
use crate::record::{self, Damage, Encoded, RecordHead};
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
    /// The rounds that are there.
    rounds: Vec<Vec<u8>>,
    /// How many were trimmed before them.
    n_trimmed: u64,
    /// Those that begin with a round that is there.
    segments: Vec<Segment>,
    is_sealed: bool,
    appends: u64,
    /// Faults to come, by the number of the append that meets them.
    faults: Vec<(u64, Fault)>,
    holds: usize,
    waiting: usize,
    is_open: bool,
}

/// Where a segment begins. It ends where the next does, or with the log.
#[derive(Debug, Clone, Copy)]
struct Segment {
    first_round: u64,
    first_sequence: Sequence,
}

impl Contents {
    /// Where a round is kept; none if it is not there.
    fn index_of(&self, round: u64) -> Option<usize> {
        let index = usize::try_from(round.checked_sub(self.n_trimmed + 1)?).ok()?;
        (index < self.rounds.len()).then_some(index)
    }

    fn last(&self) -> u64 {
        self.n_trimmed + self.rounds.len() as u64
    }

    fn round(&self, number: u64) -> Result<Vec<u8>, Error> {
        let round = self.index_of(number).and_then(|index| self.rounds.get(index));
        let missing = || Error::Missing { place: PLACE.into(), what: format!("round {number}") };
        round.cloned().ok_or_else(missing)
    }

    /// The last round of the segment that has this one; none if it is not sealed.
    fn sealed_end(&self, round: u64) -> Option<u64> {
        let next = self.segments.iter().find(|segment| segment.first_round > round);
        let end = next.map(|next| next.first_round - 1);
        end.or_else(|| self.is_sealed.then(|| self.last()))
    }
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
        let mut contents = self.contents();
        let index = contents.index_of(number);
        if let Some(round) = index.and_then(|index| contents.rounds.get_mut(index)) {
            change(round);
        }
    }

    /// How many appends were begun, failed ones included.
    #[must_use]
    pub fn appends(&self) -> u64 {
        self.contents().appends
    }

    /// The rounds that are durable and were not trimmed, in order.
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
    fn open(&self, from: Option<&Start>, visit: &mut Visit<'_>) -> Result<Opened, Error> {
        let (rounds, n_trimmed) = {
            let contents = self.contents();
            (contents.rounds.clone(), contents.n_trimmed)
        };
        if std::mem::replace(&mut self.contents().is_open, true) {
            return Err(Error::InUse { place: PLACE.into() });
        }
        // From here on dropping the log marks the disk as free again.
        let mut log = MemoryLog { disk: self.clone(), tail: Tail::START, is_closed: false };
        let start = from.copied().unwrap_or_else(|| Start::of(self.0.history));
        check_start(&start, n_trimmed, &rounds, self.0.history)?;
        let mut follower = Follower::new(&start);
        let last_round = n_trimmed + rounds.len() as u64;
        let progress = Progress { segment: 1, segments: 1, last_round };
        for (number, bytes) in (n_trimmed + 1..).zip(&rounds) {
            if number <= start.tail.number {
                continue;
            }
            let round = follower.accept(bytes);
            let visited = round.and_then(|round| visit(round, progress));
            visited.map_err(|damage| in_round(number, &damage))?;
        }
        log.tail = follower.tail();
        let starts_with = n_trimmed + 1;
        Ok(Opened { tail: log.tail, log: Box::new(log), history: self.0.history, starts_with })
    }
}

/// That a log of these rounds can be read on from there.
fn check_start(
    start: &Start,
    n_trimmed: u64,
    rounds: &[Vec<u8>],
    history: History,
) -> Result<(), Error> {
    let number = start.tail.number;
    let begins = n_trimmed + 1;
    if number < n_trimmed {
        let what = format!("the log begins with round {begins}, and is read from {}", number + 1);
        return Err(damaged(None, what));
    }
    let last = n_trimmed + rounds.len() as u64;
    if number > last {
        let what = format!("the log ends with round {last}, and is read on after round {number}");
        return Err(damaged(None, what));
    }
    let index = number.checked_sub(begins).and_then(|index| usize::try_from(index).ok());
    let chain = match index.and_then(|index| rounds.get(index)) {
        Some(bytes) => record::peek(bytes).map_err(|damage| in_round(number, &damage))?.1,
        None => start.tail.chain,
    };
    if chain != start.tail.chain || start.history != history {
        return Err(damaged(Some(number), "it is another than that to read on after".into()));
    }
    Ok(())
}

fn in_round(number: u64, damage: &Damage) -> Error {
    damaged(Some(number), damage.to_string())
}

fn damaged(round: Option<u64>, what: String) -> Error {
    Error::Damaged { place: PLACE.into(), round, what, remedy: "it cannot be repaired" }
}

#[derive(Debug)]
struct MemoryLog {
    disk: Memory,
    tail: Tail,
    is_closed: bool,
}

impl Log for MemoryLog {
    fn append(&mut self, next: Sequence, round: &Encoded) -> Result<(), Error> {
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
            if contents.segments.is_empty() || contents.is_sealed {
                let first_round = self.tail.number + 1;
                contents.segments.push(Segment { first_round, first_sequence: next });
                contents.is_sealed = false;
            }
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

    fn seal(&mut self) -> Result<(), Error> {
        if self.is_closed {
            return Err(Error::Closed);
        }
        let mut contents = self.disk.contents();
        contents.is_sealed = !contents.segments.is_empty();
        Ok(())
    }

    fn reader(&self) -> Arc<dyn Reader> {
        Arc::new(MemoryReader(self.disk.clone()))
    }

    fn upkeep(&self) -> Arc<dyn Upkeep> {
        Arc::new(MemoryUpkeep(self.disk.clone()))
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
        self.0.contents().round(number)
    }
}

#[derive(Debug)]
struct MemoryUpkeep(Memory);

impl MemoryUpkeep {
    fn contents(&self) -> Result<MutexGuard<'_, Contents>, Error> {
        let contents = self.0.contents();
        if contents.is_open { Ok(contents) } else { Err(Error::Closed) }
    }
}

impl Upkeep for MemoryUpkeep {
    fn segments(&self) -> Vec<SegmentInfo> {
        let contents = self.0.contents();
        let info = |segment: &Segment| {
            let end = contents.sealed_end(segment.first_round);
            let rounds = segment.first_round..=end.unwrap_or_else(|| contents.last());
            let bytes = |round| contents.round(round).map_or(0, |bytes| bytes.len() as u64);
            SegmentInfo {
                path: path(segment),
                first_round: segment.first_round,
                first_sequence: segment.first_sequence,
                is_sealed: end.is_some(),
                bytes: rounds.map(bytes).sum(),
            }
        };
        contents.segments.iter().map(info).collect()
    }

    fn trim(&self, round: u64) -> Result<Vec<PathBuf>, Error> {
        let mut contents = self.contents()?;
        let mut removed = Vec::new();
        while let [oldest, next, ..] = *contents.segments.as_slice()
            && next.first_round <= round
        {
            let n_rounds = next.first_round - oldest.first_round;
            contents.rounds.drain(..usize::try_from(n_rounds).unwrap_or_default());
            contents.n_trimmed += n_rounds;
            contents.segments.remove(0);
            removed.push(path(&oldest));
        }
        Ok(removed)
    }

    fn erase(&self, round: u64, which: &dyn Fn(&RecordHead) -> bool) -> Result<(), Error> {
        let mut contents = self.contents()?;
        if round <= contents.n_trimmed {
            return Ok(());
        }
        let before = contents.round(round)?;
        if contents.sealed_end(round).is_none() {
            return Err(Error::NotSealed { place: PLACE.into() });
        }
        let erased = record::erase(&before, which).map_err(|damage| in_round(round, &damage))?;
        let index = contents.index_of(round);
        if let Some(kept) = index.and_then(|index| contents.rounds.get_mut(index)) {
            *kept = erased;
        }
        Ok(())
    }

    fn erase_all(&self, round: u64, which: &dyn Fn(&RecordHead) -> bool) -> Result<bool, Error> {
        let rounds = {
            let contents = self.contents()?;
            let end = contents.sealed_end(round);
            round..=end.ok_or_else(|| Error::NotSealed { place: PLACE.into() })?
        };
        let mut is_whole = true;
        for round in rounds {
            let before = self.contents()?.round(round)?;
            self.erase(round, which)?;
            is_whole = is_whole && self.contents()?.round(round)? == before;
        }
        Ok(!is_whole)
    }

    fn check(&self, first_round: u64, visit: &mut Check<'_>) -> Result<(), Error> {
        let rounds = {
            let contents = self.contents()?;
            let mut segments = contents.segments.iter();
            if !segments.any(|segment| segment.first_round == first_round) {
                let what = format!("a segment that begins with round {first_round}");
                return Err(Error::Missing { place: PLACE.into(), what });
            }
            let not_sealed = || Error::NotSealed { place: PLACE.into() };
            let last = contents.sealed_end(first_round).ok_or_else(not_sealed)?;
            let rounds = (first_round..=last).map(|number| contents.round(number));
            rounds.collect::<Result<Vec<_>, _>>()?
        };
        for (number, bytes) in (first_round..).zip(&rounds) {
            let visited = record::decode(bytes).and_then(&mut *visit);
            visited.map_err(|damage| in_round(number, &damage))?;
        }
        Ok(())
    }
}

fn path(segment: &Segment) -> PathBuf {
    PathBuf::from(format!("{PLACE}/{}", segment.first_round))
}
