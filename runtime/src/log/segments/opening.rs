//! Reading a directory of segments from the first round to the last, and refusing
//! what does not fit together (I11). Writes nothing but what redb's repair does.

use std::path::Path;

use super::Newest;
use super::directory::{self, Segment};
use super::file::{Active, Readable, Sealed, SegmentFile};
use super::meta::{Meta, Seal};
use super::shelf::Place;
use crate::log::follow::Follower;
use crate::log::{Error, Progress, Tail, Visit};
use crate::value::History;

const RESTORE: &str = "restore this file from a backup";
const COMPLETE: &str = "put the missing files back from a backup";
const SORT_OUT: &str = "put the files of one log, under their own names, in this directory";

/// A directory that is being read.
pub(super) struct Opening<'a, 'v> {
    visit: &'a mut Visit<'v>,
    n_segments: usize,
    places: Vec<Place>,
    /// None before the first segment.
    read: Option<(Follower, Newest)>,
}

/// What is known after the last segment.
#[derive(Debug)]
pub(super) struct End {
    pub(super) history: History,
    pub(super) tail: Tail,
    pub(super) places: Vec<Place>,
    pub(super) newest: Newest,
}

impl<'a, 'v> Opening<'a, 'v> {
    pub(super) fn new(visit: &'a mut Visit<'v>, n_segments: usize) -> Self {
        Self { visit, n_segments, places: Vec::new(), read: None }
    }

    /// Reads a segment that is not the newest, because `next` is there.
    pub(super) fn read_sealed(&mut self, segment: &Segment, next: &Segment) -> Result<(), Error> {
        let sealed = Sealed::open(&segment.path)?;
        if self.read(segment, &sealed)?.is_some() {
            return Ok(());
        }
        let next = directory::file_name(next.first_sequence);
        let what =
            format!("its end is not sealed, so it is an older copy or {next} is not its own");
        Err(damaged(&segment.path, what, SORT_OUT))
    }

    /// Reads the newest segment, repairing it first if it was not closed cleanly.
    /// Returns it to be written to, unless it was sealed.
    pub(super) fn read_newest(
        &mut self,
        segment: &Segment,
        cache_bytes: usize,
    ) -> Result<Option<Active>, Error> {
        let active = Active::open(&segment.path, cache_bytes)?;
        match self.read(segment, &active)? {
            Some(_) => active.close().map(|()| None),
            None => Ok(Some(active)),
        }
    }

    /// The end of the log; none if nothing was read.
    pub(super) fn end(self) -> Option<End> {
        let places = self.places;
        let end = |(follower, newest): (Follower, Newest)| {
            let (history, tail) = (follower.history(), follower.tail());
            End { history, tail, places, newest }
        };
        self.read.map(end)
    }

    fn read<D: Readable>(
        &mut self,
        segment: &Segment,
        file: &SegmentFile<D>,
    ) -> Result<Option<Seal>, Error> {
        let (meta, seal) = (file.meta()?, file.seal()?);
        let mut follower = match self.read.take() {
            None => check_first(segment, &meta)?,
            Some((follower, previous)) => {
                check_next(segment, &meta, &follower, &previous)?;
                follower
            }
        };
        self.places.push(Place { path: segment.path.clone(), first_round: meta.first_round });
        let rounds_bytes = self.visit_rounds(&mut follower, segment, file, meta.first_round)?;
        if let Some(seal) = &seal {
            check_seal(segment, seal, follower.tail())?;
        }
        let newest = Newest {
            file_name: directory::file_name(meta.first_sequence),
            first_sequence: meta.first_sequence,
            rounds_bytes,
            is_sealed: seal.is_some(),
        };
        self.read = Some((follower, newest));
        Ok(seal)
    }

    fn visit_rounds<D: Readable>(
        &mut self,
        follower: &mut Follower,
        segment: &Segment,
        file: &SegmentFile<D>,
        first_round: u64,
    ) -> Result<u64, Error> {
        let mut bytes_read = 0;
        file.scan(first_round, &mut |number, bytes, last_round| {
            let (segment_number, segments) = (self.places.len(), self.n_segments);
            let progress = Progress { segment: segment_number, segments, last_round };
            bytes_read += bytes.len() as u64;
            let round = follower.accept(bytes);
            let visited = round.and_then(|round| (self.visit)(round, progress));
            visited.map_err(|damage| Error::Damaged {
                place: segment.path.display().to_string(),
                round: Some(number),
                what: damage.to_string(),
                remedy: RESTORE,
            })
        })?;
        Ok(bytes_read)
    }
}

/// Begins with the segment of the lowest name, which must be the first of its log.
fn check_first(segment: &Segment, meta: &Meta) -> Result<Follower, Error> {
    check_name(segment, meta)?;
    if let Some(previous) = &meta.previous {
        let what = format!("it continues {previous}, which is missing");
        return Err(damaged(&segment.path, what, COMPLETE));
    }
    Ok(Follower::new(meta.history))
}

fn check_next(
    segment: &Segment,
    meta: &Meta,
    follower: &Follower,
    previous: &Newest,
) -> Result<(), Error> {
    check_name(segment, meta)?;
    let (history, tail) = (follower.history(), follower.tail());
    if meta.history != history {
        let what = format!("it is of history {}, the files before it of {history}", meta.history);
        return Err(damaged(&segment.path, what, SORT_OUT));
    }
    if meta.previous.as_deref() != Some(previous.file_name.as_str()) {
        let what = match &meta.previous {
            Some(missing) => format!("it continues {missing}, which is missing"),
            None => format!("it is the first of a log, but {} is here", previous.file_name),
        };
        return Err(damaged(&segment.path, what, COMPLETE));
    }
    let meta_tail = Tail { number: meta.first_round.saturating_sub(1), chain: meta.chain_before };
    if meta_tail != tail || meta.first_sequence != follower.next_sequence() {
        let what = format!(
            "it continues {} after a round {}, but that file ends with another round {}",
            previous.file_name, meta_tail.number, tail.number
        );
        return Err(damaged(&segment.path, what, "restore both files from a backup"));
    }
    Ok(())
}

fn check_name(segment: &Segment, meta: &Meta) -> Result<(), Error> {
    if meta.first_sequence == segment.first_sequence {
        return Ok(());
    }
    let written_as = directory::file_name(meta.first_sequence);
    Err(damaged(&segment.path, format!("it was written as {written_as}"), SORT_OUT))
}

fn check_seal(segment: &Segment, seal: &Seal, tail: Tail) -> Result<(), Error> {
    if seal.tail == tail {
        return Ok(());
    }
    let what = format!("it was sealed after another round {}", seal.tail.number);
    Err(damaged(&segment.path, what, RESTORE))
}

fn damaged(path: &Path, what: impl Into<String>, remedy: &'static str) -> Error {
    let place = path.display().to_string();
    Error::Damaged { place, round: None, what: what.into(), remedy }
}
