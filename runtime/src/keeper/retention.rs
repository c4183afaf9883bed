//! What is not kept for ever: old segments, inputs, events.
//!
//! A segment goes when no start needs it, no id in it could come again, and its
//! receipts are old enough. Its events are archived first. Then, in this order: receipts
//! before the next segment are not given any more, the file is removed, the index
//! forgets. A crash after any of these leaves an app that is whole: what is in the
//! archive already is not put there again, which receipts are kept is told from the
//! oldest segment at each start, and the index forgets later.
//!
//! Times are not compared with the wall clock but with the floor, which a clock that
//! jumps cannot push ahead ([`ids`](crate::ids)). Entries never go back in time, so after
//! a clock that was far ahead and put right they are all of that later time: it is not
//! believed while it is ahead of the wall clock, and what counts then is when rounds were
//! written. A clock that went back for a while makes nothing look older than it is,
//! unless both happened.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use super::{Error, Keeper};
use crate::archive::{Archived, Body, Draft};
use crate::checkpoint::Pace;
use crate::ids::{AHEAD_MAX, time_of};
use crate::lane::erase;
use crate::log::{SegmentInfo, Upkeep};
use crate::receipts;
use crate::record::{Act, Damage, Entry, Outcome, Record, RecordKind, Round};
use crate::value::{Position, Sequence};

/// How often it looks whether something has become old, if nothing else happens.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Commands that are looked at to see whether a segment was gone through already.
const SAMPLE: usize = 8;

/// What was learnt of segments, so that none is read again and again.
#[derive(Debug, Default)]
pub(super) struct Retaining {
    /// Not again before this.
    next: Duration,
    /// By its first round: the time of its first entry.
    first_ms: HashMap<u64, u64>,
    /// The time of its last entry.
    last_ms: HashMap<u64, u64>,
    /// The latest time in an id, of those whose events are archived.
    archived: HashMap<u64, u64>,
    /// Those without inputs.
    without_payloads: BTreeSet<u64>,
    /// By the sequence of an entry with a time that is not believed: when the clock was
    /// put right after it.
    put_right_ms: BTreeMap<Sequence, u64>,
}

impl Retaining {
    /// To be done soon.
    pub(super) fn ask(&mut self) {
        self.next = Duration::ZERO;
    }

    /// Forgets what is about segments that are gone.
    fn only(&mut self, segments: &[SegmentInfo]) {
        let first = segments.first().map_or(0, |segment| segment.first_round);
        self.first_ms.retain(|round, _| *round >= first);
        self.last_ms.retain(|round, _| *round >= first);
        self.archived.retain(|round, _| *round >= first);
        self.without_payloads.retain(|round| *round >= first);
        let first = segments.first().map_or(Sequence(0), |segment| segment.first_sequence);
        self.put_right_ms.retain(|sequence, _| *sequence >= first);
    }
}

/// A segment and the entries that begin in it.
#[derive(Debug, Clone, Copy)]
struct Span {
    first_round: u64,
    first: Sequence,
    /// Before `first` if there is none.
    last: Sequence,
}

impl Keeper {
    pub(super) fn retention_is_due(&self) -> bool {
        self.clock.elapsed() >= self.retaining.next
    }

    /// Lets go of what is older than it has to be.
    pub(super) fn retain(&mut self, pace: &mut dyn Pace) -> Result<(), Error> {
        let Some(upkeep) = self.lane.upkeep() else { return Ok(()) };
        self.retaining.next = self.clock.elapsed() + LOOK_EVERY;
        let floor_ms = self.lane.floor_ms();
        if self.clock.wall_ms() < floor_ms {
            // The clock went back to before what was forgotten: it says nothing.
            return Ok(());
        }
        let now_ms = floor_ms.saturating_add(millis(self.lane.window()));
        let before = |age: Duration| now_ms.saturating_sub(millis(age));
        self.rotate(
            &*upkeep,
            before(self.settings.receipts_keep.min(self.settings.payloads_keep)),
        )?;
        if self.settings.payloads_keep < self.settings.receipts_keep {
            self.drop_payloads(&*upkeep, before(self.settings.payloads_keep), pace)?;
        }
        self.trim(&*upkeep, before(self.settings.receipts_keep), pace)?;
        if let Some(age) = self.settings.events_keep {
            self.archive.forget_below(before(age))?;
        }
        self.retaining.only(&upkeep.segments());
        Ok(())
    }

    /// Removes the oldest segments as far as nobody needs them.
    fn trim(
        &mut self,
        upkeep: &dyn Upkeep,
        before_ms: u64,
        pace: &mut dyn Pace,
    ) -> Result<(), Error> {
        let Some(floor) = self.checkpoints.trim_floor() else { return Ok(()) };
        // Either checkpoint may be what an index is made again from, and with it what
        // is known of forgotten ids: none may be from after it.
        let floor_ms = self.lane.floor_ms().min(floor.floor_ms);
        let segments = upkeep.segments();
        let mut keep = segments.first().cloned();
        for pair in segments.windows(2) {
            let [oldest, next] = pair else { break };
            let span = span(oldest, Some(next), Sequence(0));
            if next.first_round > floor.tail.number.saturating_add(1)
                || self.last_ms(span)?.is_some_and(|last_ms| last_ms >= before_ms)
                || pace.pause().is_break()
                || self.archived(upkeep, span, pace)? >= Some(floor_ms)
            {
                break;
            }
            keep = Some(next.clone());
        }
        let Some(keep) = keep else { return Ok(()) };
        self.lane.receipts().keep_from(keep.first_sequence);
        for path in upkeep.trim(keep.first_round)? {
            tracing::info!(file = %path.display(), "a segment of the log is old and was removed");
        }
        self.lane.forget(keep.first_sequence, floor_ms)?;
        Ok(())
    }

    /// Puts the events of a segment in the archive, and tells the latest time in an id
    /// of it; none if it has no entries. Later than any if it was given up.
    fn archived(
        &mut self,
        upkeep: &dyn Upkeep,
        span: Span,
        pace: &mut dyn Pace,
    ) -> Result<Option<u64>, Error> {
        if span.last < span.first {
            return Ok(None);
        }
        if let Some(latest_ms) = self.retaining.archived.get(&span.first_round) {
            return Ok(Some(*latest_ms));
        }
        let erased = erase::erased(&self.lane.snapshots().current().state);
        let mut copy = Copying {
            draft: self.archive.draft()?,
            archived: self.archive.last()?,
            erased,
            open: VecDeque::new(),
            latest_ms: 0,
            failed: None,
        };
        let checked = upkeep.check(span.first_round, &mut |round| {
            let copied = copy.round(round);
            match (copied, pace.pause()) {
                (Ok(()), ControlFlow::Continue(())) => Ok(()),
                (Ok(()), ControlFlow::Break(())) => Err(given_up()),
                (Err(error), _) => {
                    copy.failed = Some(error);
                    Err(given_up())
                }
            }
        });
        if let Some(error) = copy.failed {
            return Err(error);
        }
        if pace.pause().is_break() {
            return Ok(Some(u64::MAX));
        }
        checked?;
        // Outcomes that came in a later segment.
        while let Some(entry) = copy.open.pop_front() {
            let receipt = self.lane.receipts().read(entry.sequence)?;
            let outcome = receipt.and_then(|receipt| receipt.outcome);
            let outcome = outcome.ok_or(Error::NoOutcome(entry.sequence))?;
            copy.outcome(&entry, &outcome)?;
        }
        let latest_ms = copy.latest_ms;
        self.archive.finish(copy.draft)?;
        self.retaining.archived.insert(span.first_round, latest_ms);
        Ok(Some(latest_ms))
    }

    /// Takes the inputs out of old segments.
    fn drop_payloads(
        &mut self,
        upkeep: &dyn Upkeep,
        before_ms: u64,
        pace: &mut dyn Pace,
    ) -> Result<(), Error> {
        let Some(floor) = self.checkpoints.trim_floor() else { return Ok(()) };
        let segments = upkeep.segments();
        let end = self.lane.receipts().last();
        for (at, segment) in segments.iter().enumerate() {
            let span = span(segment, segments.get(at + 1), end);
            let is_done = self.retaining.without_payloads.contains(&span.first_round);
            if is_done || !segment.is_sealed || span.last < span.first {
                continue;
            }
            let rounds = match self.lane.receipts().rounds(span.last) {
                Err(receipts::Error::Trimmed { .. }) => continue,
                rounds => rounds?,
            };
            // No start reads their entries any more.
            let is_below = rounds.is_some_and(|(round, _)| round <= floor.tail.number);
            let last_ms = self.last_ms(span)?;
            if !is_below || last_ms.is_none_or(|last_ms| last_ms >= before_ms) {
                break;
            }
            if pace.pause().is_break() {
                break;
            }
            if !self.looks_erased(span)? {
                // Events have ids from the inputs of their commands.
                if self.archived(upkeep, span, pace)?.is_none() {
                    break;
                }
                upkeep.erase_all(span.first_round, &|head| head.kind == RecordKind::Entry)?;
            }
            self.retaining.without_payloads.insert(span.first_round);
        }
        Ok(())
    }

    /// Whether the inputs of a segment are gone, by its first commands: all go at once.
    fn looks_erased(&self, span: Span) -> Result<bool, Error> {
        let erased = erase::erased(&self.lane.snapshots().current().state);
        let sequences = (span.first.0..=span.last.0).map(Sequence);
        for sequence in sequences.filter(|sequence| !erased.contains(sequence)).take(SAMPLE) {
            match self.lane.receipts().read(sequence) {
                Ok(Some(receipt)) if matches!(receipt.entry.act, Act::Command(_)) => {
                    return Ok(receipt.entry.erased);
                }
                Err(receipts::Error::Trimmed { .. }) => {}
                receipt => drop(receipt?),
            }
        }
        Ok(false)
    }

    /// Seals the newest segment if it has become old: of a slow app it would be the
    /// only one for ever.
    fn rotate(&mut self, upkeep: &dyn Upkeep, before_ms: u64) -> Result<(), Error> {
        let segments = upkeep.segments();
        let Some(newest) = segments.last().filter(|newest| !newest.is_sealed) else {
            return Ok(());
        };
        let span = span(newest, None, self.lane.receipts().last());
        if span.last < span.first {
            return Ok(());
        }
        let known = self.retaining.first_ms.get(&span.first_round).copied();
        let first_ms = match known {
            Some(first_ms) => Some(first_ms),
            None => self.time_ms(span.first)?,
        };
        let Some(first_ms) = first_ms else { return Ok(()) };
        self.retaining.first_ms.insert(span.first_round, first_ms);
        if self.believed_ms(first_ms, span.first)? < before_ms {
            self.lane.seal()?;
        }
        Ok(())
    }

    /// The time of the last entry of a segment; none if it has none that is known.
    fn last_ms(&mut self, span: Span) -> Result<Option<u64>, Error> {
        if span.last < span.first {
            return Ok(None);
        }
        let last_ms = match self.retaining.last_ms.get(&span.first_round) {
            Some(last_ms) => Some(*last_ms),
            None => self.time_ms(span.last)?,
        };
        let Some(last_ms) = last_ms else { return Ok(None) };
        self.retaining.last_ms.insert(span.first_round, last_ms);
        self.believed_ms(last_ms, span.last).map(Some)
    }

    /// The time of an entry, or if that is ahead of the clock, a time before which it was
    /// written: that of the first round after it that is not ahead of the clock.
    fn believed_ms(&mut self, entry_ms: u64, sequence: Sequence) -> Result<u64, Error> {
        let latest_ms = self.clock.wall_ms().saturating_add(millis(AHEAD_MAX));
        if entry_ms <= latest_ms {
            return Ok(entry_ms);
        }
        if let Some(put_right_ms) = self.retaining.put_right_ms.get(&sequence) {
            return Ok(*put_right_ms);
        }
        let believed = |written_ms: Option<u64>| written_ms.filter(|ms| *ms <= latest_ms);
        let mut after = self.lane.receipts().last();
        let Some(mut put_right_ms) = believed(self.written_ms(after)?) else {
            // The clock is still ahead, or nothing was written since.
            return Ok(entry_ms);
        };
        let mut before = sequence.0.saturating_sub(1);
        while after.0 - before > 1 {
            let middle = Sequence(before + (after.0 - before) / 2);
            match believed(self.written_ms(middle)?) {
                Some(written_ms) => (after, put_right_ms) = (middle, written_ms),
                None => before = middle.0,
            }
        }
        self.retaining.put_right_ms.insert(sequence, put_right_ms);
        Ok(put_right_ms)
    }

    fn written_ms(&self, sequence: Sequence) -> Result<Option<u64>, Error> {
        match self.lane.receipts().written_ms(sequence) {
            Err(receipts::Error::Trimmed { .. }) => Ok(None),
            written_ms => Ok(written_ms?),
        }
    }

    fn time_ms(&self, sequence: Sequence) -> Result<Option<u64>, Error> {
        match self.lane.receipts().read(sequence) {
            // Not kept any more by what was decided before; the file is still there.
            Err(receipts::Error::Trimmed { .. }) => Ok(None),
            receipt => Ok(receipt?.map(|receipt| receipt.entry.time_ms)),
        }
    }
}

/// Events on their way to the archive.
struct Copying {
    draft: Draft,
    /// Up to here they are there.
    archived: Position,
    erased: BTreeSet<Sequence>,
    /// Entries whose outcome has not come, without what is not needed.
    open: VecDeque<Arc<Entry>>,
    latest_ms: u64,
    failed: Option<Error>,
}

impl Copying {
    fn round(&mut self, round: Round) -> Result<(), Error> {
        for record in round.records {
            match record {
                Record::Entry(mut entry) => {
                    self.latest_ms = self.latest_ms.max(time_of(entry.id));
                    if let Act::Command(command) = &mut entry.act {
                        // There may be many of them, and inputs are large.
                        command.input = "null".into();
                        command.unchanged.clear();
                    }
                    self.open.push_back(Arc::new(entry));
                }
                Record::Outcome(outcome) => {
                    // Those of entries before this segment were archived with them.
                    let is_ours =
                        self.open.front().is_some_and(|entry| entry.sequence == outcome.sequence);
                    if is_ours && let Some(entry) = self.open.pop_front() {
                        self.outcome(&entry, &outcome)?;
                    }
                }
                Record::Attempt(_) => {}
            }
        }
        Ok(())
    }

    fn outcome(&mut self, entry: &Entry, outcome: &Outcome) -> Result<(), Error> {
        let is_erased = outcome.erased || self.erased.contains(&entry.sequence);
        let (correlation_id, causation_id) = match &entry.act {
            Act::Command(command) => {
                (Arc::clone(&command.correlation_id), command.causation_id.clone())
            }
            _ => (entry.id.to_string().into(), None),
        };
        for event in outcome.events.iter().filter(|event| event.position > self.archived) {
            let body = Body {
                subject: event.subject.clone(),
                data: Arc::clone(&event.data),
                correlation_id: Arc::clone(&correlation_id),
                causation_id: causation_id.clone(),
            };
            self.draft.push(&Archived {
                position: event.position,
                id: event.id,
                event_type: Arc::clone(&event.event_type),
                sequence: entry.sequence,
                time_ms: entry.time_ms,
                command_id: entry.id,
                module: outcome.module.clone(),
                module_hash: outcome.module_hash,
                body: (!is_erased).then_some(body),
            })?;
        }
        Ok(())
    }
}

fn span(segment: &SegmentInfo, next: Option<&SegmentInfo>, end: Sequence) -> Span {
    let last = next.map_or(end, |next| Sequence(next.first_sequence.0.saturating_sub(1)));
    Span { first_round: segment.first_round, first: segment.first_sequence, last }
}

fn given_up() -> Damage {
    Damage { offset: 0, record: None, what: "given up".to_owned() }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
