//! The archive: every event in it, that it goes on from file to file, and that no event
//! is missing between its end and the beginning of the log.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::log::Led;
use super::{Desk, Effect, Error, Finding, without_file};
use crate::archive::{self, Archive, Archived};
use crate::disk::Disk;
use crate::lane::erase;
use crate::value::{History, Position, Sequence};

const PUT_BACK: &str = "put the file back from a backup";
const LOST: &str = "put the missing files back from a backup, or restore the app";
const LATER: &str = "bodies of erased events are in it, which the next start takes out";

pub(super) fn check(
    disk: &Arc<dyn Disk>,
    app: &Path,
    led: &Led,
    desk: &mut Desk<'_>,
) -> Result<(), Error> {
    let directory = app.join("events");
    // What is only looked at is not written in any history's name.
    let history = desk.report.history.unwrap_or(History(uuid::Uuid::nil()));
    let archive = Archive::examine(Arc::clone(disk), &directory, history)?;
    let files = archive.files_and_bytes();
    let erased = led.state.as_ref().map(erase::erased);
    for (path, bytes) in &files {
        file(&archive, path, erased.as_ref(), desk)?;
        desk.read(*bytes);
    }
    match archive.last() {
        Ok(last) if led.is_whole => seam(&directory, last, !files.is_empty(), led, desk),
        // Of what is damaged was told already.
        Ok(_) | Err(_) => {}
    }
    Ok(())
}

/// What of a file is seen on the way.
#[derive(Default)]
struct Seen {
    first: Option<Position>,
    last: Option<Position>,
    n_events: u64,
    /// Bodies of entries that were erased.
    n_to_erase: u64,
    /// The first without a body of an entry that nobody erased.
    gone: Option<Position>,
}

impl Seen {
    fn event(&mut self, event: &Archived, erased: Option<&BTreeSet<Sequence>>) {
        self.first = self.first.or(Some(event.position));
        self.last = Some(event.position);
        self.n_events += 1;
        let Some(erased) = erased else { return };
        match (erased.contains(&event.sequence), event.body.is_some()) {
            (true, true) => self.n_to_erase += 1,
            (false, false) => self.gone = self.gone.or(Some(event.position)),
            _ => {}
        }
    }
}

fn file(
    archive: &Archive,
    path: &Path,
    erased: Option<&BTreeSet<Sequence>>,
    desk: &mut Desk<'_>,
) -> Result<(), Error> {
    let mut seen = Seen::default();
    let checked = archive.check_each(path, &mut |event| {
        seen.event(event, erased);
        true
    });
    desk.report.archived += seen.n_events;
    match checked {
        Ok(()) => {}
        Err(error @ archive::Error::Failed { .. }) => return Err(error.into()),
        Err(error) => {
            let what = match error {
                archive::Error::Damaged { what, .. } => what,
                error => without_file(&error, path),
            };
            let effect = match archive.is_usable(path) {
                true => Effect::Unnoticed,
                false => Effect::GoesOn,
            };
            found(path, &what, PUT_BACK, effect, desk);
            return Ok(());
        }
    }
    if let Some(position) = seen.gone {
        let what = format!("event {position}: it is marked as erased, and no entry erased it");
        found(path, &what, PUT_BACK, Effect::Unnoticed, desk);
        return Ok(());
    }
    let (first, last) = (seen.first.unwrap_or(Position(0)), seen.last.unwrap_or(Position(0)));
    let says = match seen.n_events {
        1 => format!("event {first}"),
        n => format!("events {first} to {last}, {n} in all"),
    };
    desk.checked(path, says, (seen.n_to_erase > 0).then_some(LATER));
    Ok(())
}

/// The archive has to reach up to the first event of the log, and no further than the
/// last.
fn seam(directory: &Path, last: Position, has_files: bool, led: &Led, desk: &mut Desk<'_>) {
    let end = led.state.as_ref().map(|state| state.position());
    // Without one in the log the archive has to have them all.
    let next = led.first_event.or(end.map(|end| Position(end.0 + 1)));
    let lost = next.filter(|next| last.0 + 1 < next.0);
    if let Some(next) = lost {
        let (from, to) = (last.0 + 1, next.0 - 1);
        let what = format!(
            "the archive ends with event {last} and the log begins with event {next}: events \
             {from} to {to} are missing"
        );
        found(directory, &what, LOST, Effect::Unnoticed, desk);
    } else if let Some(end) = end.filter(|end| last > *end) {
        let what = format!(
            "the archive ends with event {last}, but the log with event {end}: the log is an \
             older copy, or its end is missing"
        );
        let remedy = "put the log's newest files back, or restore the app from a backup";
        found(directory, &what, remedy, Effect::Unnoticed, desk);
    } else if has_files {
        let says = match led.first_event {
            Some(first) => format!("ends with event {last}; the log begins with event {first}"),
            None => format!("ends with event {last}; the log has none"),
        };
        desk.checked(directory, says, None);
    }
}

fn found(file: &Path, what: &str, remedy: &str, effect: Effect, desk: &mut Desk<'_>) {
    let is_place = |place: &str| place.starts_with("event ");
    let (place, what) = match what.split_once(": ") {
        Some((place, what)) if is_place(place) => (Some(place.to_owned()), what.to_owned()),
        _ => (None, what.to_owned()),
    };
    let (file, remedy): (PathBuf, _) = (file.into(), remedy.to_owned());
    desk.found(Finding { file, place, what, remedy, effect });
}
