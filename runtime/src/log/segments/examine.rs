//! Reading all of a log without touching it, and going on behind what is damaged.
//!
//! Opening a log ends at the first thing that is wrong, and repairs. This names
//! everything that is wrong, and leaves every file as it is, so that it can be used
//! on what somebody else still has to look at. What it takes for damage is what
//! opening takes for it.

use std::path::{Path, PathBuf};

use super::directory::{self, Segment, name};
use super::file::{RESTORE, SegmentFile};
use super::meta::Meta;
use super::opening::{
    COMPLETE, NEWER, check_first, check_name, check_next, check_seal, check_witness, damaged,
    in_round,
};
use super::{Segments, witness};
use crate::log::follow::Follower;
use crate::log::{Error, Tail};
use crate::record::Round;
use crate::value::History;

/// What is come across, in the order of the rounds.
#[derive(Debug)]
pub enum Seen<'a> {
    /// The rounds of a segment follow.
    Begins {
        /// Its file.
        path: &'a Path,
        /// What its rounds have to follow.
        before: Tail,
        /// Of which history the rounds before are.
        history: History,
        /// Whether it goes on where the one before it ended. The first does, if it is
        /// the first of its log.
        follows: bool,
    },
    /// A round, decoded and checked, which follows the one before.
    Round {
        /// Its file.
        path: &'a Path,
        /// The round.
        round: Round,
        /// Its length in the file.
        bytes: usize,
    },
    /// A segment was read to its end, and is whole.
    Segment(Examined),
    /// A segment does not go on where those before it ended, or one is missing.
    Gap(Error),
    /// Something is damaged, and the rest of its file was not read.
    Damaged(Error),
}

/// A segment that was read wholly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// Its file.
    pub path: PathBuf,
    /// The round that it begins with.
    pub first_round: u64,
    /// Its last round; the one before its first if it has none.
    pub last: Tail,
    /// Whether nothing more is written to it.
    pub is_sealed: bool,
    /// Whether it was closed cleanly; if not, the next opening repairs it.
    pub is_clean: bool,
}

/// Takes what is come across.
pub(super) type See<'a> = dyn FnMut(Seen<'_>) + 'a;

impl Segments {
    /// Reads and checks every segment and the witness. Nothing is written, and
    /// damage does not end it. The log must not be open for writing meanwhile.
    ///
    /// # Errors
    /// [`Error::Missing`] if there is no log; [`Error::Damaged`] if the names of its
    /// files make no sense; [`Error::Failed`] if the disk cannot be read, which says
    /// nothing about what is on it.
    pub fn examine(&self, see: &mut See<'_>) -> Result<(), Error> {
        let segments = directory::segments(&*self.disk, &self.dir)?;
        let newest = segments.last().ok_or_else(|| self.missing())?;
        let witness = witness::read(&*self.disk, &self.dir)?;
        let mut examining = Examining { log: self, witness, before: None };
        let mut previous = None;
        for segment in &segments {
            let is_newest = segment.first_round == newest.first_round;
            match examining.segment(segment, previous, is_newest, see) {
                Ok(()) => {}
                Err(error @ Error::Failed { .. }) => return Err(error),
                Err(error) => see(Seen::Damaged(error)),
            }
            previous = Some(segment);
        }
        examining.check_witness_reached(newest, see);
        Ok(())
    }

    /// The segments that are there, by their names: file and first round.
    ///
    /// # Errors
    /// As for [`examine`](Self::examine).
    pub fn files(&self) -> Result<Vec<(PathBuf, u64)>, Error> {
        let segments = directory::segments(&*self.disk, &self.dir)?;
        Ok(segments.into_iter().map(|segment| (segment.path, segment.first_round)).collect())
    }

    /// The history that the newest segment names.
    ///
    /// # Errors
    /// As for [`examine`](Self::examine), or if that segment cannot be read.
    pub fn newest_history(&self) -> Result<History, Error> {
        let segments = directory::segments(&*self.disk, &self.dir)?;
        let newest = segments.last().ok_or_else(|| self.missing())?;
        let (file, _) = SegmentFile::open_aside(&*self.disk, &newest.path)?;
        Ok(file.meta()?.history)
    }
}

struct Examining<'a> {
    log: &'a Segments,
    witness: Option<Tail>,
    /// After the segment before, if that was whole.
    before: Option<Follower>,
}

impl Examining<'_> {
    fn segment(
        &mut self,
        segment: &Segment,
        previous: Option<&Segment>,
        is_newest: bool,
        see: &mut See<'_>,
    ) -> Result<(), Error> {
        let before = self.before.take();
        let path = segment.path.as_path();
        let (file, is_clean) = SegmentFile::open_aside(&*self.log.disk, path)?;
        if !is_clean && !is_newest {
            return Err(damaged(path, "it was not closed cleanly", RESTORE));
        }
        let (meta, seal) = (file.meta()?, file.seal()?);
        check_name(segment, &meta)?;
        let continued = match (before, previous) {
            (Some(before), Some(previous)) => {
                check_next(segment, &meta, &before, &name(&previous.path)).map(|()| before)
            }
            (None, Some(previous)) => check_named(segment, &meta, previous).map(|()| begin(&meta)),
            (_, None) if meta.previous.is_none() => check_first(segment, &meta),
            (_, None) => Ok(begin(&meta)),
        };
        let is_first = previous.is_none() && meta.previous.is_none();
        let (mut follower, follows) = match continued {
            Ok(follower) => (follower, is_first || previous.is_some()),
            Err(error) => {
                see(Seen::Gap(error));
                (begin(&meta), false)
            }
        };
        let (tail, history) = (follower.tail(), follower.history());
        see(Seen::Begins { path, before: tail, history, follows });
        if meta.restored_from.is_some() {
            follower.continue_as(meta.history);
        }
        check_witness(self.witness, path, tail)?;
        file.scan(meta.first_round, meta.first_round, &mut |number, bytes, _| {
            let round = follower.accept(bytes);
            let round = round.map_err(|damage| in_round(segment, number, &damage))?;
            check_witness(self.witness, path, follower.tail())?;
            see(Seen::Round { path, round, bytes: bytes.len() });
            Ok(())
        })?;
        match &seal {
            Some(seal) => check_seal(segment, seal, follower.tail())?,
            None if is_newest => {}
            None => {
                return Err(damaged(path, "its end is not sealed: it is an older copy", RESTORE));
            }
        }
        see(Seen::Segment(Examined {
            path: path.into(),
            first_round: meta.first_round,
            last: follower.tail(),
            is_sealed: seal.is_some(),
            is_clean,
        }));
        self.before = Some(follower);
        Ok(())
    }

    fn check_witness_reached(&self, newest: &Segment, see: &mut See<'_>) {
        // What is behind a damaged segment is not known.
        let (Some(witness), Some(end)) = (self.witness, &self.before) else { return };
        let tail = end.tail();
        if witness.number > tail.number {
            let what = format!(
                "the log ends with its round {}, but round {} was acknowledged, according to the \
                 file `witness`: this is an older copy, or newer files are missing",
                tail.number, witness.number
            );
            see(Seen::Damaged(damaged(&newest.path, what, NEWER)));
        }
    }
}

/// Begins with a segment of which only is known what it says itself.
fn begin(meta: &Meta) -> Follower {
    let tail = Tail { number: meta.first_round.saturating_sub(1), chain: meta.chain_before };
    let history = meta.restored_from.unwrap_or(meta.history);
    Follower::after(history, tail, meta.first_sequence)
}

/// That a segment names the one before it, of which no more is known.
fn check_named(segment: &Segment, meta: &Meta, previous: &Segment) -> Result<(), Error> {
    match &meta.previous {
        Some(named) if *named == name(&previous.path) => Ok(()),
        Some(missing) => Err(damaged(
            &segment.path,
            format!("it continues {missing}, which is missing"),
            COMPLETE,
        )),
        None => {
            let what = format!("it is the first of a log, but {} is here", name(&previous.path));
            Err(damaged(&segment.path, what, COMPLETE))
        }
    }
}
