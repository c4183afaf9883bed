//! Reading the segments of a directory up to the end, and refusing what does not fit
//! together (I11). Writes nothing but what the repair of the newest does.

use std::path::Path;

use super::directory::{SORT_OUT, Segment, failed, file_name, name};
use super::file::{RESTORE, SegmentFile};
use super::meta::{Meta, Seal};
use super::{Limits, Newest, witness};
use crate::disk::{self, Disk};
use crate::log::follow::Follower;
use crate::log::{Error, Progress, Start, Tail, Visit};
use crate::record;
use crate::value::History;

pub(super) const COMPLETE: &str = "put the missing files back from a backup";
const BOTH: &str = "restore both files from a backup";
pub(super) const NEWER: &str =
    "put the newest files of this log back, or restore a backup to a new app";

/// A directory that is being read.
pub(super) struct Opening<'a, 'v> {
    disk: &'a dyn Disk,
    from: Option<&'a Start>,
    /// The round that was acknowledged last, as far as is known.
    witness: Option<Tail>,
    visit: &'a mut Visit<'v>,
    n_segments: usize,
    n_read: usize,
    /// None before the first segment.
    read: Option<(Follower, Newest)>,
}

/// What is known after the last segment.
#[derive(Debug)]
pub(super) struct End {
    pub(super) history: History,
    pub(super) tail: Tail,
    pub(super) newest: Newest,
    /// To be written to, unless it was sealed.
    pub(super) active: Option<SegmentFile>,
}

impl<'a, 'v> Opening<'a, 'v> {
    pub(super) fn new(
        disk: &'a dyn Disk,
        dir: &Path,
        from: Option<&'a Start>,
        visit: &'a mut Visit<'v>,
    ) -> Result<Self, Error> {
        let witness = witness::read(disk, dir)?;
        Ok(Self { disk, from, witness, visit, n_segments: 0, n_read: 0, read: None })
    }

    /// Reads those of the segments, of which there are some, that hold what is after
    /// the start.
    pub(super) fn read_all(
        mut self,
        segments: &[Segment],
        limits: &Limits,
    ) -> Result<Option<End>, Error> {
        let needed = needed(segments, self.from)?;
        self.n_segments = needed.len();
        for (segment, next) in needed.iter().zip(needed.iter().skip(1)) {
            let file = SegmentFile::open_sealed(self.disk, &segment.path)?;
            if self.read(segment, &file)?.is_none() {
                let what = format!(
                    "its end is not sealed, so it is an older copy or {} is not its own",
                    name(&next.path)
                );
                return Err(damaged(&segment.path, what, SORT_OUT));
            }
        }
        let Some(newest) = needed.last() else {
            return Ok(None);
        };
        let active = match SegmentFile::open_if_sealed(self.disk, &newest.path)? {
            Some(file) => {
                self.read(newest, &file)?;
                drop(file);
                // What says that it was closed may be in the system's memory only;
                // once it has a successor nothing repairs it any more.
                let written = disk::write_in_place(self.disk, &newest.path);
                written.map_err(|error| failed(&newest.path, "write the segment again", error))?;
                None
            }
            None => {
                let file = SegmentFile::open(self.disk, &newest.path, limits.cache_bytes)?;
                match self.read(newest, &file)? {
                    // It was sealed, and the crash came before it was closed.
                    Some(_) => file.close(self.disk).map(|()| None)?,
                    None => Some(file),
                }
            }
        };
        let Some((follower, of_newest)) = self.read.take() else {
            return Ok(None);
        };
        self.check_witness_reached(&newest.path, follower.tail())?;
        let (history, tail) = (follower.history(), follower.tail());
        Ok(Some(End { history, tail, newest: of_newest, active }))
    }

    fn read(&mut self, segment: &Segment, file: &SegmentFile) -> Result<Option<Seal>, Error> {
        let (meta, seal) = (file.meta()?, file.seal()?);
        check_name(segment, &meta)?;
        let mut follower = match (self.read.take(), self.from) {
            (Some((follower, previous)), _) => {
                check_next(segment, &meta, &follower, &previous.file_name)?;
                follower
            }
            (None, None) => check_first(segment, &meta)?,
            (None, Some(start)) => begin(segment, &meta, file, start)?,
        };
        if meta.restored_from.is_some() && follower.tail().number < meta.first_round {
            follower.continue_as(meta.history);
        }
        check_witness(self.witness, &segment.path, follower.tail())?;
        self.n_read += 1;
        let rounds_bytes = self.visit_rounds(&mut follower, segment, file)?;
        if let Some(seal) = &seal {
            check_seal(segment, seal, follower.tail())?;
        }
        let newest = Newest {
            file_name: file_name(meta.first_sequence, meta.first_round),
            first_round: meta.first_round,
            rounds_bytes,
            is_sealed: seal.is_some(),
        };
        self.read = Some((follower, newest));
        Ok(seal)
    }

    /// Returns the bytes of the segment's rounds; those before the start are taken to
    /// be as large as the others, for they only decide when the next segment begins.
    fn visit_rounds(
        &mut self,
        follower: &mut Follower,
        segment: &Segment,
        file: &SegmentFile,
    ) -> Result<u64, Error> {
        let (segment_number, segments) = (self.n_read, self.n_segments);
        let from = follower.tail().number + 1;
        let (mut bytes_read, mut n_rounds) = (0, 0);
        file.scan(segment.first_round, from, &mut |number, bytes, last_round| {
            let progress = Progress { segment: segment_number, segments, last_round };
            bytes_read += bytes.len() as u64;
            n_rounds += 1;
            let round = follower.accept(bytes).map_err(|damage| in_round(segment, number, &damage));
            let round = round?;
            check_witness(self.witness, &segment.path, follower.tail())?;
            (self.visit)(round, progress).map_err(|damage| in_round(segment, number, &damage))
        })?;
        let n_skipped = from.saturating_sub(segment.first_round);
        if n_skipped > 0 && n_rounds == 0 {
            let last_bytes = file.round(from - 1)?.len() as u64;
            return Ok(last_bytes.saturating_mul(n_skipped));
        }
        let skipped_bytes = (bytes_read / n_rounds.max(1)).saturating_mul(n_skipped);
        Ok(bytes_read.saturating_add(skipped_bytes))
    }

    fn check_witness_reached(&self, path: &Path, tail: Tail) -> Result<(), Error> {
        match self.witness {
            Some(witness) if witness.number > tail.number => {
                let what = format!(
                    "the log ends with its round {}, but round {} was acknowledged, according to \
                     the file `witness`: this is an older copy, or newer files are missing",
                    tail.number, witness.number
                );
                Err(damaged(path, what, NEWER))
            }
            _ => Ok(()),
        }
    }
}

/// The segments that have to be read: all, or those from the one that holds the
/// round after the start, or would.
fn needed<'s>(segments: &'s [Segment], from: Option<&Start>) -> Result<&'s [Segment], Error> {
    let Some(first) = segments.first() else {
        return Ok(segments);
    };
    let next = from.map_or(1, |start| start.tail.number.saturating_add(1));
    let n_not_after = segments.partition_point(|segment| segment.first_round <= next);
    let Some(index) = n_not_after.checked_sub(1) else {
        let begins = first.first_round;
        let (what, remedy) = match from {
            None => (
                format!(
                    "the log begins with round {begins}; its earlier rounds were trimmed, and no \
                     checkpoint that reaches it can be read"
                ),
                "restore a checkpoint or the missing files from a backup",
            ),
            Some(start) => (
                format!(
                    "the log begins with round {begins}, but the checkpoint reaches only round {}",
                    start.tail.number
                ),
                "restore a newer checkpoint or the missing files from a backup",
            ),
        };
        return Err(damaged(&first.path, what, remedy));
    };
    let first_needed = if from.is_some() { index } else { 0 };
    Ok(segments.get(first_needed..).unwrap_or_default())
}

/// Begins with the segment of the lowest name, which must be the first of its log.
pub(super) fn check_first(segment: &Segment, meta: &Meta) -> Result<Follower, Error> {
    if let Some(previous) = &meta.previous {
        let what = format!("it continues {previous}, which is missing");
        return Err(damaged(&segment.path, what, COMPLETE));
    }
    let follower = Follower::new(&Start::of(meta.history));
    check_tail(segment, meta, &follower, "the beginning")?;
    Ok(follower)
}

/// Begins with the segment that holds the round after a start, or would.
fn begin(
    segment: &Segment,
    meta: &Meta,
    file: &SegmentFile,
    start: &Start,
) -> Result<Follower, Error> {
    let follower = Follower::new(start);
    let number = start.tail.number;
    if meta.first_round > number {
        if meta.history != start.history {
            check_history(segment, meta, start.history)?;
        }
        let fits = meta.chain_before == start.tail.chain
            && meta.first_sequence == start.entry.next()
            && meta.first_round == number.saturating_add(1);
        return if fits { Ok(follower) } else { Err(apart(segment, number)) };
    }
    let last = file.last(meta.first_round)?.unwrap_or(meta.first_round.saturating_sub(1));
    if last < number {
        let what = format!(
            "it ends with round {last}, but the checkpoint reaches round {number}: it is an older \
             copy, or newer files are missing"
        );
        return Err(damaged(&segment.path, what, NEWER));
    }
    let (header, chain) =
        record::peek(&file.round(number)?).map_err(|damage| in_round(segment, number, &damage))?;
    let fits = header.history == start.history
        && Tail { number: header.number, chain } == start.tail
        && header.floor_ms == start.floor_ms
        && meta.first_sequence <= start.entry.next();
    if !fits {
        return Err(apart(segment, number));
    }
    // Rounds of an older history are only in older segments.
    if meta.history != start.history {
        return Err(other_history(segment, meta, start.history));
    }
    Ok(follower)
}

/// That a start is at another round of this number than the log has.
fn apart(segment: &Segment, number: u64) -> Error {
    let what = "the checkpoint was made after another round of this number: the checkpoint and \
                the log do not belong together";
    let (place, what) = (segment.path.display().to_string(), what.into());
    Error::Damaged { place, round: Some(number), what, remedy: SORT_OUT }
}

/// The round that was acknowledged must be the one that is there.
pub(super) fn check_witness(witness: Option<Tail>, path: &Path, tail: Tail) -> Result<(), Error> {
    match witness {
        Some(witness) if witness.number == tail.number && witness.chain != tail.chain => {
            let what = "another round of this number was acknowledged, according to the file \
                        `witness`: this is a copy that went another way, or of another log";
            let (place, round) = (path.display().to_string(), Some(tail.number));
            Err(Error::Damaged { place, round, what: what.into(), remedy: NEWER })
        }
        _ => Ok(()),
    }
}

pub(super) fn check_next(
    segment: &Segment,
    meta: &Meta,
    follower: &Follower,
    previous: &str,
) -> Result<(), Error> {
    check_history(segment, meta, follower.history())?;
    if meta.previous.as_deref() != Some(previous) {
        let what = match &meta.previous {
            Some(missing) => format!("it continues {missing}, which is missing"),
            None => format!("it is the first of a log, but {previous} is here"),
        };
        return Err(damaged(&segment.path, what, COMPLETE));
    }
    check_tail(segment, meta, follower, previous)
}

/// That a segment is of this history, or continues it after a restore.
fn check_history(segment: &Segment, meta: &Meta, history: History) -> Result<(), Error> {
    if meta.restored_from.unwrap_or(meta.history) == history {
        return Ok(());
    }
    Err(other_history(segment, meta, history))
}

fn other_history(segment: &Segment, meta: &Meta, history: History) -> Error {
    let what = match meta.restored_from {
        None => format!("it is of history {}, what is before it of {history}", meta.history),
        Some(from) => {
            format!("it was restored from history {from}, what is before it is of {history}")
        }
    };
    damaged(&segment.path, what, SORT_OUT)
}

/// That a segment goes on where what is before it ends, and says in what it does not.
fn check_tail(
    segment: &Segment,
    meta: &Meta,
    follower: &Follower,
    previous: &str,
) -> Result<(), Error> {
    let Tail { number, chain } = follower.tail();
    let before = meta.first_round.saturating_sub(1);
    let what = if before != number {
        format!("it continues {previous} after round {before}, but that ends with round {number}")
    } else if meta.chain_before != chain {
        format!("it continues {previous} after another round {number} than the one there")
    } else if meta.first_sequence != follower.next_sequence() {
        format!(
            "it begins with sequence {}, but after {previous} comes {}",
            meta.first_sequence,
            follower.next_sequence()
        )
    } else {
        return Ok(());
    };
    Err(damaged(&segment.path, what, BOTH))
}

pub(super) fn check_name(segment: &Segment, meta: &Meta) -> Result<(), Error> {
    let right = (meta.first_sequence, meta.first_round);
    if right == (segment.first_sequence, segment.first_round) {
        return Ok(());
    }
    let what = format!("it was written as {}", file_name(right.0, right.1));
    Err(damaged(&segment.path, what, SORT_OUT))
}

pub(super) fn check_seal(segment: &Segment, seal: &Seal, tail: Tail) -> Result<(), Error> {
    let sealed = seal.tail;
    if sealed == tail {
        return Ok(());
    }
    let what = if sealed.number == tail.number {
        format!("it was sealed after another round {} than the one there", tail.number)
    } else {
        format!("it was sealed after round {}, but ends with round {}", sealed.number, tail.number)
    };
    Err(damaged(&segment.path, what, RESTORE))
}

pub(super) fn in_round(segment: &Segment, number: u64, damage: &record::Damage) -> Error {
    Error::Damaged {
        place: segment.path.display().to_string(),
        round: Some(number),
        what: damage.to_string(),
        remedy: RESTORE,
    }
}

pub(super) fn damaged(path: &Path, what: impl Into<String>, remedy: &'static str) -> Error {
    let place = path.display().to_string();
    Error::Damaged { place, round: None, what: what.into(), remedy }
}
