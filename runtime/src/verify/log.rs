//! The log: every round, and what the others must agree with as it goes by.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::checkpoints::Starts;
use super::index::Compared;
use super::states::States;
use super::{Desk, Effect, Error, Finding, length, without_file};
use crate::disk::Disk;
use crate::log::segments::{Examined, Limits, Seen};
use crate::log::{self, Segments};
use crate::state::State;
use crate::value::Position;

/// What a log leads to.
#[derive(Debug, Default)]
pub(super) struct Led {
    /// The state, if it does.
    pub(super) state: Option<State>,
    /// Whether all of it could be read.
    pub(super) is_whole: bool,
    /// The first event in it.
    pub(super) first_event: Option<Position>,
}

/// Checks the log, and everything against it.
pub(super) fn check(
    disk: &Arc<dyn Disk>,
    app: &Path,
    starts: Starts,
    index: Compared,
    desk: &mut Desk<'_>,
) -> Result<Led, Error> {
    let directory = app.join("log");
    let log = Segments::new(Arc::clone(disk), &directory, Limits::default());
    let begins = starts.used().map_or(0, |used| used.start.tail.number);
    let segments = match log.files() {
        Ok(segments) => segments,
        Err(error @ log::Error::Damaged { .. }) => {
            note(&directory, &error, Effect::Refuses, desk);
            return Ok(Led::default());
        }
        Err(error) => return Err(error.into()),
    };
    if segments.is_empty() {
        let what = "there is no log".to_owned();
        let remedy = "put it back from a backup, or restore the app".to_owned();
        let (file, effect) = (directory, Effect::Refuses);
        desk.found(Finding { file, place: None, what, remedy, effect });
        return Ok(Led::default());
    }
    let mut reading = Reading {
        disk: &**disk,
        begins,
        segments: &segments,
        states: States::new(starts),
        index,
        in_file: 0,
        entries: None,
        is_whole: true,
        failed: None,
    };
    log.examine(&mut |seen| reading.see(seen, desk))?;
    reading.end(desk)
}

struct Reading<'a> {
    disk: &'a dyn Disk,
    /// The last round that a start does not read.
    begins: u64,
    segments: &'a [(PathBuf, u64)],
    states: States,
    index: Compared,
    /// Bytes of the segment that were counted.
    in_file: u64,
    /// First and last entry of the segment.
    entries: Option<(u64, u64)>,
    /// Whether all of the log was read.
    is_whole: bool,
    failed: Option<Error>,
}

impl Reading<'_> {
    fn see(&mut self, seen: Seen<'_>, desk: &mut Desk<'_>) {
        if self.failed.is_some() {
            return;
        }
        if let Err(error) = self.try_see(seen, desk) {
            self.failed = Some(error);
        }
    }

    fn try_see(&mut self, seen: Seen<'_>, desk: &mut Desk<'_>) -> Result<(), Error> {
        match seen {
            Seen::Begins { before, history, follows, .. } => {
                (self.in_file, self.entries) = (0, None);
                self.states.begin(before, history, follows, desk)
            }
            Seen::Round { path, round, bytes } => {
                self.in_file += bytes as u64;
                desk.read(bytes as u64);
                desk.report.history = Some(round.header.history);
                desk.report.round = round.header.number;
                let entries = self.states.round(path, &round, &mut self.index, desk)?;
                if let Some((first, last)) = entries {
                    let first = self.entries.map_or(first, |(first, _)| first);
                    self.entries = Some((first, last));
                }
                Ok(())
            }
            Seen::Segment(examined) => self.segment(&examined, desk),
            Seen::Gap(error) => {
                self.damage(&error, desk, |first, _| first.saturating_sub(1));
                Ok(())
            }
            Seen::Damaged(error) => {
                self.damage(&error, desk, |_, last| last);
                Ok(())
            }
        }
    }

    fn segment(&self, examined: &Examined, desk: &mut Desk<'_>) -> Result<(), Error> {
        // A file has more bytes than its rounds.
        let bytes = length(self.disk, &examined.path)?;
        desk.read(bytes.saturating_sub(self.in_file));
        let (first, last) = (examined.first_round, examined.last.number);
        let mut says = match last < first {
            true => "no rounds yet".to_owned(),
            false => format!("rounds {}", span(first, last)),
        };
        if let Some((first, last)) = self.entries {
            says.push_str(&format!(", entries {}", span(first, last)));
        }
        let note =
            (!examined.is_clean).then_some("it was not closed, and is repaired by the next start");
        desk.checked(&examined.path, says, note);
        Ok(())
    }

    /// A start reads only what comes after its checkpoint.
    fn damage(
        &mut self,
        error: &log::Error,
        desk: &mut Desk<'_>,
        reaches: impl FnOnce(u64, u64) -> u64,
    ) {
        self.is_whole = false;
        self.states.lose();
        let file = match error {
            log::Error::Damaged { place, .. }
            | log::Error::UnknownFormat { place, .. }
            | log::Error::Missing { place, .. } => PathBuf::from(place),
            _ => PathBuf::new(),
        };
        let at = self.segments.iter().position(|(path, _)| *path == file);
        let first = at.and_then(|at| self.segments.get(at)).map_or(0, |(_, first)| *first);
        let next = at.and_then(|at| self.segments.get(at + 1));
        let last = next.map_or(u64::MAX, |(_, first)| first.saturating_sub(1));
        let effect = match reaches(first, last) <= self.begins {
            true => Effect::GoesOn,
            false => Effect::Refuses,
        };
        note(&file, error, effect, desk);
    }

    fn end(self, desk: &mut Desk<'_>) -> Result<Led, Error> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let last = self.states.last_entry();
        desk.report.entry = last;
        desk.report.outcome = self.states.last_outcome();
        self.index.end(self.is_whole.then_some(last), desk);
        let (is_whole, first_event) = (self.is_whole, self.states.first_event());
        let state = self.states.end(is_whole, desk)?;
        Ok(Led { state, is_whole, first_event })
    }
}

fn span(first: u64, last: u64) -> String {
    if first == last { first.to_string() } else { format!("{first} to {last}") }
}

/// Writes down what is wrong with a file of the log.
fn note(file: &Path, error: &log::Error, effect: Effect, desk: &mut Desk<'_>) {
    let (place, what, remedy) = match error {
        log::Error::Damaged { round, what, remedy, .. } => {
            (round.map(|round| format!("round {round}")), what.clone(), (*remedy).to_owned())
        }
        error => (None, without_file(error, file), "put the file back from a backup".to_owned()),
    };
    desk.found(Finding { file: file.into(), place, what, remedy, effect });
}
