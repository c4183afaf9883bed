//! Making postings from what the archive and the log have, where there are none.

use super::{Error, Recent};
use crate::archive::Archive;
use crate::index::postings::{Posting, Postings};
use crate::log::{self, Log, Upkeep};
use crate::record::{Record, Round};
use crate::value::{Position, Sequence, chain_of};

/// Postings in memory, at most, more or less.
const AT_ONCE: usize = 1 << 18;

/// Makes postings tell of every event that is kept up to an entry, and of none after
/// `last`, the last entry there is. What they do not have is read from archive and log.
///
/// If the archive is damaged, they begin with what the log has: events before are then
/// looked at one by one.
///
/// # Errors
/// [`log::Error`], [`crate::index::Error`] as [`Error`].
pub fn fill(
    postings: &Postings,
    archive: Option<&Archive>,
    log: &mut dyn Log,
    upto: Sequence,
    last: Sequence,
) -> Result<(), FillError> {
    let (from, covered) = postings.covered();
    let is_empty = covered < from;
    let begins_late = archive.and_then(first_entry).is_some_and(|first| first < from);
    if covered > last || (begins_late && !is_empty) {
        postings.clear()?;
    }
    if postings.covered().1 >= upto {
        return Ok(());
    }
    tracing::info!(covered = %postings.covered().1, needed = %upto, "indexing events");
    // What has to be read may be in the segment that is written to.
    log.seal()?;
    let upkeep = log.upkeep();
    let begin = upkeep.segments().first().map_or(Sequence(1), |segment| segment.first_sequence);
    if postings.covered().1.next() < begin
        && let Err(error) = from_archive(postings, archive, begin)
    {
        match error {
            FillError::Events(error @ Error::Archive(_)) => {
                let error = chain_of(&error);
                tracing::warn!(error, "events before those of the log cannot be indexed");
                postings.clear()?;
            }
            error => return Err(error),
        }
    }
    from_log(postings, &*upkeep, begin, upto)
}

/// Why postings could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FillError {
    /// The log.
    #[error("cannot read the log")]
    Log(#[from] log::Error),
    /// The postings.
    #[error("cannot write what is indexed of events")]
    Index(#[from] crate::index::Error),
    /// The archive.
    #[error(transparent)]
    Events(#[from] Error),
}

fn first_entry(archive: &Archive) -> Option<Sequence> {
    let first = archive.event(archive.first()).ok().flatten()?;
    Some(first.sequence)
}

fn from_archive(
    postings: &Postings,
    archive: Option<&Archive>,
    begin: Sequence,
) -> Result<(), FillError> {
    let (_, covered) = postings.covered();
    let mut writing = Writing::after(postings, covered);
    if let Some(archive) = archive {
        for event in archive.scan(after(archive, covered).map_err(Error::from)?) {
            let event = event.map_err(Error::from)?;
            if event.sequence >= begin {
                break;
            }
            if event.sequence > covered {
                writing.flush_before(event.sequence)?;
                writing.recent.archived(&event);
            }
        }
    }
    writing.finish(Sequence(begin.0.saturating_sub(1)))
}

/// Where in the archive the entries after this one begin.
pub(super) fn after(archive: &Archive, entry: Sequence) -> Result<Position, crate::archive::Error> {
    let (mut low, mut high) = (archive.first(), Position(archive.last()?.0 + 1));
    while low < high {
        let middle = Position(low.0.midpoint(high.0));
        match archive.event(middle)?.is_some_and(|event| event.sequence <= entry) {
            true => low = Position(middle.0 + 1),
            false => high = middle,
        }
    }
    Ok(low)
}

fn from_log(
    postings: &Postings,
    upkeep: &dyn Upkeep,
    begin: Sequence,
    upto: Sequence,
) -> Result<(), FillError> {
    let (_, covered) = postings.covered();
    let covered = covered.max(Sequence(begin.0.saturating_sub(1)));
    let mut writing = Writing::after(postings, covered);
    let mut failed = Ok(());
    each_round(upkeep, covered, upto, &mut |round| {
        let done = writing.round(&round, upto);
        let go_on = done.is_ok();
        failed = done;
        go_on
    })?;
    failed?;
    writing.finish(upto)
}

/// Hands over the rounds of the sealed part of the log that may have something of the
/// entries after one up to another, until it is told not to go on.
fn each_round(
    upkeep: &dyn Upkeep,
    after: Sequence,
    upto: Sequence,
    visit: &mut dyn FnMut(Round) -> bool,
) -> Result<(), log::Error> {
    let segments = upkeep.segments();
    let mut go_on = true;
    for (at, segment) in segments.iter().enumerate() {
        let is_before =
            segments.get(at + 1).is_some_and(|next| next.first_sequence <= after.next());
        if is_before || !segment.is_sealed || !go_on || segment.first_sequence.0 > upto.0 + AHEAD {
            continue;
        }
        upkeep.check(segment.first_round, &mut |round| {
            go_on = go_on && visit(round);
            Ok(())
        })?;
    }
    Ok(())
}

/// Outcomes follow their entries by less: as many as are on their way at one time.
const AHEAD: u64 = 1 << 16;

/// What postings have to tell of the entries from one to another; none if archive and
/// log do not have all of them.
///
/// # Errors
/// [`FillError`] if they cannot be read.
pub fn postings_of(
    archive: Option<&Archive>,
    upkeep: &dyn Upkeep,
    first: Sequence,
    last: Sequence,
) -> Result<Option<Vec<Posting>>, FillError> {
    let before = Sequence(first.0.saturating_sub(1));
    let mut recent = Recent::after(before);
    if let Some(archive) = archive {
        for event in archive.scan(after(archive, before).map_err(Error::from)?) {
            let event = event.map_err(Error::from)?;
            if event.sequence > last {
                break;
            }
            recent.archived(&event);
        }
    }
    // The archive may have what the log has as well.
    let archived = recent.done();
    each_round(upkeep, before, last, &mut |round| {
        for record in &round.records {
            match record {
                Record::Entry(entry) if entry.sequence > archived && entry.sequence <= last => {
                    recent.entry(entry);
                }
                Record::Outcome(outcome) if outcome.sequence <= last => recent.outcome(outcome),
                _ => {}
            }
        }
        recent.done() < last
    })?;
    let begin = upkeep.segments().first().map_or(last, |segment| segment.first_sequence);
    // Of what was trimmed only entries with events are known.
    let is_whole = recent.done() >= last || last < begin;
    Ok(is_whole.then(|| recent.rows(before, usize::MAX >> 1).1))
}

/// Postings on their way to the disk.
struct Writing<'a> {
    postings: &'a Postings,
    after: Sequence,
    recent: Recent,
}

impl<'a> Writing<'a> {
    fn after(postings: &'a Postings, after: Sequence) -> Self {
        Self { postings, after, recent: Recent::after(after) }
    }

    fn round(&mut self, round: &Round, upto: Sequence) -> Result<(), FillError> {
        for record in &round.records {
            match record {
                Record::Entry(entry) if entry.sequence > self.after => self.recent.entry(entry),
                Record::Outcome(outcome) if outcome.sequence <= upto => {
                    self.recent.outcome(outcome);
                }
                Record::Entry(_) | Record::Outcome(_) | Record::Attempt(_) => {}
            }
        }
        if self.recent.len() > AT_ONCE {
            let (last, rows) = self.recent.rows(self.after, usize::MAX >> 1);
            self.write(last, rows)?;
        }
        Ok(())
    }

    /// Writes what there is, if it is much, before an event of another entry comes.
    fn flush_before(&mut self, sequence: Sequence) -> Result<(), FillError> {
        let is_whole = self.recent.done() < sequence;
        if is_whole && self.recent.len() > AT_ONCE {
            let (last, rows) = self.recent.rows(self.after, usize::MAX >> 1);
            self.write(last, rows)?;
        }
        Ok(())
    }

    fn finish(mut self, last: Sequence) -> Result<(), FillError> {
        let (_, rows) = self.recent.rows(self.after, usize::MAX >> 1);
        if last > self.after {
            self.write(last, rows)?;
        }
        while self.postings.merge()? {}
        Ok(())
    }

    fn write(&mut self, last: Sequence, rows: Vec<Posting>) -> Result<(), FillError> {
        self.postings.add(self.after.next(), last, rows)?;
        self.after = last;
        while self.recent.forget_through(last, AT_ONCE) {}
        Ok(())
    }
}
