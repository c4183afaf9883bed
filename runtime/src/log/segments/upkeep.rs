//! Trimming, erasing in and checking the sealed segments of an open log.
//!
//! A segment is never changed in place: one with a body less is written beside it,
//! compared with it, and takes its name. Whoever has the old file open goes on with
//! it; nobody opens it again.

use std::borrow::Cow;
use std::path::PathBuf;

use super::directory::{self, SORT_OUT, Segment};
use super::file::SegmentFile;
use super::meta::Meta;
use super::opening::{check_name, check_seal, damaged, in_round};
use super::shelf::{Newest, Shelf};
use crate::disk::{self, How};
use crate::log::follow::Follower;
use crate::log::{Check, Error, SegmentInfo, Tail, Upkeep};
use crate::record::{self, RecordHead};

/// Rounds are copied in transactions of about this size.
const COPY_BYTES: usize = 8 << 20;

/// What is to be written for a round.
type Other<'a> = dyn for<'b> Fn(u64, &'b [u8]) -> Result<Cow<'b, [u8]>, Error> + 'a;

impl Upkeep for Shelf {
    fn segments(&self) -> Vec<SegmentInfo> {
        let (places, is_newest_sealed) = {
            let state = self.state();
            (state.places.clone(), matches!(state.newest, Newest::Sealed))
        };
        let newest = places.last().map(|place| place.first_round);
        let info = |place: Segment| {
            let length = self.disk.open(&place.path, How::Read).and_then(|file| file.len());
            SegmentInfo {
                is_sealed: is_newest_sealed || Some(place.first_round) != newest,
                // For whoever adds them up: one that is being trimmed has none.
                bytes: length.unwrap_or_default(),
                path: place.path,
                first_round: place.first_round,
                first_sequence: place.first_sequence,
            }
        };
        places.into_iter().map(info).collect()
    }

    fn trim(&self, round: u64) -> Result<Vec<PathBuf>, Error> {
        let _turn = self.upkeep();
        let mut removed = Vec::new();
        while let Some(path) = self.oldest_below(round)? {
            match self.disk.remove(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(directory::failed(&path, "remove the segment", error));
                }
                _ => {}
            }
            // One after the other, so that no crash leaves a gap between those left.
            let synced = self.disk.sync_directory(disk::parent(&path));
            synced.map_err(|error| directory::failed(&path, "sync its directory", error))?;
            self.remove(&path);
            removed.push(path);
        }
        Ok(removed)
    }

    fn erase(&self, round: u64, which: &dyn Fn(&RecordHead) -> bool) -> Result<(), Error> {
        let _turn = self.upkeep();
        let Some(segment) = self.sealed_with(round)? else {
            return Ok(());
        };
        let old = SegmentFile::open_sealed(&*self.disk, &segment.path)?;
        let before = old.round(round)?;
        let erased = record::erase(&before, which);
        let erased = erased.map_err(|damage| in_round(&segment, round, &damage))?;
        if erased == before {
            return Ok(());
        }
        self.replace(&segment, &old, &|number, bytes| match number == round {
            true => Ok(Cow::Owned(erased.clone())),
            false => Ok(Cow::Borrowed(bytes)),
        })
    }

    fn erase_all(&self, round: u64, which: &dyn Fn(&RecordHead) -> bool) -> Result<bool, Error> {
        let _turn = self.upkeep();
        let Some(segment) = self.sealed_with(round)? else {
            return Ok(false);
        };
        let old = SegmentFile::open_sealed(&*self.disk, &segment.path)?;
        let erased = |number, bytes: &[u8]| {
            let erased = record::erase(bytes, which);
            erased.map_err(|damage| in_round(&segment, number, &damage))
        };
        let first = segment.first_round;
        let mut is_whole = true;
        old.scan(first, first, &mut |number, bytes, _| {
            is_whole = is_whole && erased(number, bytes)? == bytes;
            Ok(())
        })?;
        if !is_whole {
            self.replace(&segment, &old, &|number, bytes| erased(number, bytes).map(Cow::Owned))?;
        }
        Ok(!is_whole)
    }

    fn check(&self, first_round: u64, visit: &mut Check<'_>) -> Result<(), Error> {
        let (segment, next) = self.place_and_next(first_round)?;
        let file = SegmentFile::open_sealed(&*self.disk, &segment.path)?;
        let (meta, seal) = (file.meta()?, file.seal()?);
        check_name(&segment, &meta)?;
        let seal = seal.ok_or_else(|| file.damaged("its end is not sealed"))?;
        let before = Tail { number: first_round.saturating_sub(1), chain: meta.chain_before };
        let mut follower = Follower::after(meta.history, before, meta.first_sequence);
        file.scan(first_round, first_round, &mut |number, bytes, _| {
            let visited = follower.accept(bytes).and_then(&mut *visit);
            visited.map_err(|damage| in_round(&segment, number, &damage))
        })?;
        check_seal(&segment, &seal, follower.tail())?;
        match next {
            Some(next) => self.check_next(&segment, &next, &follower),
            None => Ok(()),
        }
    }
}

impl Shelf {
    /// The oldest segment, if all its rounds are below this one and it is not the
    /// newest.
    fn oldest_below(&self, round: u64) -> Result<Option<PathBuf>, Error> {
        let state = self.state();
        if matches!(state.newest, Newest::Closed) {
            return Err(Error::Closed);
        }
        Ok(match state.places.as_slice() {
            [oldest, next, ..] if next.first_round <= round => Some(oldest.path.clone()),
            _ => None,
        })
    }

    /// The sealed segment with this round; none if it was trimmed.
    fn sealed_with(&self, round: u64) -> Result<Option<Segment>, Error> {
        let state = self.state();
        let found = state.place_of(round).map(|(place, is_newest)| (place.clone(), is_newest));
        match (found, &state.newest) {
            (_, Newest::Closed) => Err(Error::Closed),
            (Some((place, true)), Newest::Active(active)) => {
                active.round(round)?;
                Err(Error::NotSealed { place: place.path.display().to_string() })
            }
            (Some((place, _)), _) => Ok(Some(place)),
            (None, _) => Ok(None),
        }
    }

    /// Puts a segment with other bytes for some rounds in the place of the old one.
    fn replace(
        &self,
        segment: &Segment,
        old: &SegmentFile,
        other: &Other<'_>,
    ) -> Result<(), Error> {
        let draft = directory::unfinished(&segment.path);
        if let Err(error) = self.rewrite(segment, old, other) {
            if let Err(left) = self.disk.remove(&draft) {
                tracing::warn!(file = %draft.display(), error = %left, "left until the next start");
            }
            return Err(error);
        }
        let finished = disk::finish(&*self.disk, &draft, &segment.path);
        self.forget(&segment.path);
        finished.map_err(|error| directory::failed(&segment.path, "replace the segment", error))
    }

    /// Writes a segment beside itself with some rounds replaced.
    fn rewrite(
        &self,
        segment: &Segment,
        old: &SegmentFile,
        other: &Other<'_>,
    ) -> Result<(), Error> {
        let (meta, seal) = (old.meta()?, old.seal()?);
        let seal = seal.ok_or_else(|| old.damaged("its end is not sealed"))?;
        let new = SegmentFile::draft(&*self.disk, &segment.path, &meta, self.cache_bytes)?;
        let first = meta.first_round;
        let mut copied = first;
        let (mut rounds, mut bytes_held) = (Vec::new(), 0);
        old.scan(first, first, &mut |number, bytes, last| {
            let bytes = other(number, bytes)?;
            bytes_held += bytes.len();
            rounds.push(bytes.into_owned());
            if bytes_held >= COPY_BYTES || number == last {
                self.go_on()?;
                new.append_all(copied, &rounds)?;
                copied = number + 1;
                rounds.clear();
                bytes_held = 0;
            }
            Ok(())
        })?;
        new.write_seal(seal)?;
        let path = new.path().to_owned();
        new.close(&*self.disk)?;
        let new = SegmentFile::open_sealed(&*self.disk, &path)?;
        self.compare(segment, old, &new, other)
    }

    /// That the second file has the same rounds, as far as chains cover them, and the
    /// bytes that it was to have.
    fn compare(
        &self,
        segment: &Segment,
        old: &SegmentFile,
        new: &SegmentFile,
        other: &Other<'_>,
    ) -> Result<(), Error> {
        let differs = || new.damaged("it is not the same as the segment that it was copied from");
        if (new.meta()?, new.seal()?) != (old.meta()?, old.seal()?) {
            return Err(differs());
        }
        let first = segment.first_round;
        let mut n_same = first;
        old.scan(first, first, &mut |number, bytes, _| {
            self.go_on()?;
            let (copy, expected) = (new.round(number)?, other(number, bytes)?);
            let is_kept = *expected == *bytes || record::peek(bytes) == record::peek(&copy);
            let same = is_kept && *expected == *copy;
            n_same += u64::from(same);
            if same { Ok(()) } else { Err(differs()) }
        })?;
        match new.last(first)? {
            Some(last) if last + 1 == n_same => Ok(()),
            _ => Err(differs()),
        }
    }

    /// Refuses to go on once the log was dropped: the directory may be another's.
    fn go_on(&self) -> Result<(), Error> {
        match self.state().newest {
            Newest::Closed => Err(Error::Closed),
            _ => Ok(()),
        }
    }

    /// The sealed segment that begins with this round, and the one after it.
    fn place_and_next(&self, first_round: u64) -> Result<(Segment, Option<Segment>), Error> {
        let state = self.state();
        let index = state.places.binary_search_by_key(&first_round, |place| place.first_round);
        let found = index.ok().and_then(|index| state.places.get(index..));
        match found {
            Some([place, next, ..]) => Ok((place.clone(), Some(next.clone()))),
            Some([place]) => match state.newest {
                Newest::Sealed => Ok((place.clone(), None)),
                Newest::Active(_) => {
                    Err(Error::NotSealed { place: place.path.display().to_string() })
                }
                Newest::Closed => Err(Error::Closed),
            },
            _ => {
                let first = state.places.first().map(|place| place.path.display().to_string());
                let what = format!("a segment that begins with round {first_round}");
                Err(Error::Missing { place: first.unwrap_or_default(), what })
            }
        }
    }

    /// That the next segment continues this one.
    fn check_next(
        &self,
        segment: &Segment,
        next: &Segment,
        follower: &Follower,
    ) -> Result<(), Error> {
        let meta = match self.meta_of_active(next)? {
            Some(meta) => meta,
            None => SegmentFile::open_sealed(&*self.disk, &next.path)?.meta()?,
        };
        let tail = Tail { number: meta.first_round.saturating_sub(1), chain: meta.chain_before };
        let continues = tail == follower.tail()
            && meta.first_sequence == follower.next_sequence()
            && meta.restored_from.unwrap_or(meta.history) == follower.history();
        if continues {
            return Ok(());
        }
        let what = format!("it does not continue {}", directory::name(&segment.path));
        Err(damaged(&next.path, what, SORT_OUT))
    }

    /// What a segment says about itself, if it is the one that is written to.
    fn meta_of_active(&self, segment: &Segment) -> Result<Option<Meta>, Error> {
        let state = self.state();
        let newest = state.places.last().map(|place| place.first_round);
        match &state.newest {
            Newest::Active(active) if newest == Some(segment.first_round) => {
                active.meta().map(Some)
            }
            // It may be open elsewhere by now.
            Newest::Closed if newest == Some(segment.first_round) => Err(Error::Closed),
            _ => Ok(None),
        }
    }
}
