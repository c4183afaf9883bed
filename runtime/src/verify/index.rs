//! The index: each page by itself, and then that it has what the log has.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use uuid::Uuid;

use super::{Desk, Effect, Error, Finding, without_file};
use crate::disk::Disk;
use crate::ids::time_of;
use crate::index::postings::Postings;
use crate::index::{self, Index, Place};
use crate::log::Segments;
use crate::log::segments::Limits;
use crate::value::{History, Sequence};

const REMOVE: &str =
    "remove it while the server is stopped: a start makes the index again from the log";
const NOTHING: &str = "nothing: a start removes it and makes the index again from the log";

/// An index that is to be compared with the log.
#[derive(Debug)]
pub(super) struct Compared {
    directory: PathBuf,
    /// None if there is none, or if it is damaged: what is missing then is no news.
    index: Option<Index>,
    entries: u64,
    disagrees: bool,
}

pub(super) fn check(
    disk: &Arc<dyn Disk>,
    app: &Path,
    desk: &mut Desk<'_>,
) -> Result<Compared, Error> {
    let directory = app.join("index");
    let mut compared =
        Compared { directory: directory.clone(), index: None, entries: 0, disagrees: false };
    let log = Segments::new(Arc::clone(disk), app.join("log"), Limits::default());
    // Without a log that can be read there is nothing to compare it with.
    let Ok(history) = log.newest_history() else { return Ok(compared) };
    let opened = match Index::examine(Arc::clone(disk), &directory, history) {
        Ok(Some(opened)) => opened,
        Ok(None) => return Ok(compared),
        Err(error @ index::Error::UnknownFormat { .. }) => {
            found(&error, REMOVE, Effect::Refuses, desk);
            return Ok(compared);
        }
        Err(error) => return Err(error.into()),
    };
    let mut is_whole = opened.set_aside.is_empty();
    for aside in opened.set_aside {
        let (file, what) = (aside.path, aside.why);
        let (place, remedy, effect) = (None, NOTHING.to_owned(), Effect::GoesOn);
        desk.found(Finding { file, place, what, remedy, effect });
    }
    let index = opened.index;
    let (mut of, mut pages_read) = (PathBuf::new(), 0);
    let damage = index.check(&mut |progress| {
        if of != progress.path {
            of = progress.path.into();
        }
        let pages = progress.pages_read.saturating_sub(pages_read);
        pages_read = progress.pages_read;
        desk.read(pages * 4096);
        ControlFlow::Continue(())
    });
    let mut damaged = Vec::new();
    for error in damage {
        match &error {
            index::Error::Failed { .. } => return Err(error.into()),
            index::Error::Damaged { path, .. } | index::Error::UnknownFormat { path, .. } => {
                damaged.push(path.clone());
            }
            index::Error::NotNext { .. } => {}
        }
        is_whole = false;
        found(&error, REMOVE, Effect::GoesOn, desk);
    }
    for (path, last) in index.files().into_iter().filter(|(path, _)| !damaged.contains(path)) {
        desk.checked(&path, format!("up to entry {last}"), None);
    }
    compared.index = is_whole.then_some(index);
    check_postings(disk, app, history, desk)?;
    Ok(compared)
}

/// What is indexed of events: each page by itself.
fn check_postings(
    disk: &Arc<dyn Disk>,
    app: &Path,
    history: History,
    desk: &mut Desk<'_>,
) -> Result<(), Error> {
    let opened = match Postings::examine(Arc::clone(disk), &app.join("postings"), history) {
        Ok(Some(opened)) => opened,
        Ok(None) => return Ok(()),
        Err(error @ index::Error::UnknownFormat { .. }) => {
            found(&error, REMOVE, Effect::Refuses, desk);
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    for aside in opened.set_aside {
        let (file, what) = (aside.path, aside.why);
        let (place, remedy, effect) = (None, NOTHING.to_owned(), Effect::GoesOn);
        desk.found(Finding { file, place, what, remedy, effect });
    }
    let mut damaged = Vec::new();
    for error in opened.postings.check(&mut |_| {
        desk.read(4096);
        ControlFlow::Continue(())
    }) {
        match &error {
            index::Error::Failed { .. } => return Err(error.into()),
            index::Error::Damaged { path, .. } | index::Error::UnknownFormat { path, .. } => {
                damaged.push(path.clone());
            }
            index::Error::NotNext { .. } => {}
        }
        found(&error, REMOVE, Effect::GoesOn, desk);
    }
    let whole = opened.postings.files().into_iter();
    for (path, last) in whole.filter(|(path, _)| !damaged.contains(path)) {
        desk.checked(&path, format!("events up to entry {last}"), None);
    }
    Ok(())
}

fn found(error: &index::Error, remedy: &str, effect: Effect, desk: &mut Desk<'_>) {
    let (file, what) = match error {
        index::Error::Damaged { path, what } => (path.clone(), what.clone()),
        index::Error::UnknownFormat { path, .. } | index::Error::Failed { path, .. } => {
            (path.clone(), without_file(error, path))
        }
        index::Error::NotNext { .. } => (PathBuf::from("index"), error.to_string()),
    };
    let place = what.split_once(" does not match").map(|(place, _)| place.to_owned());
    let place = place.filter(|place| place.starts_with("page"));
    desk.found(Finding { file, place, what, remedy: remedy.into(), effect });
}

impl Compared {
    /// Looks for an entry of the log that has an outcome.
    pub(super) fn entry(
        &mut self,
        sequence: Sequence,
        id: Uuid,
        place: Place,
        desk: &mut Desk<'_>,
    ) -> Result<(), Error> {
        let Some(index) = self.index.as_ref().filter(|_| !self.disagrees) else {
            return Ok(());
        };
        if sequence > index.covered() {
            return Ok(());
        }
        let (ids_from, places_from) = index.from();
        let has_id = sequence < ids_from || index.find(id, time_of(id))? == Some(sequence);
        let has_place = sequence < places_from || index.place(sequence)? == Some(place);
        let what = match (has_id, has_place) {
            (true, true) => {
                self.entries += 1;
                return Ok(());
            }
            (false, _) => format!("it does not find id {id} of entry {sequence}"),
            (true, false) => format!("it has entry {sequence} in another place than the log"),
        };
        self.disagrees = true;
        self.found(what, Effect::Unnoticed, desk);
        Ok(())
    }

    /// At the end of a log that was read without a gap.
    pub(super) fn end(&self, last: Option<Sequence>, desk: &mut Desk<'_>) {
        let Some(index) = &self.index else { return };
        if let Some(last) = last.filter(|last| index.reach() > *last) {
            let what = format!(
                "it knows entry {}, but the log ends with entry {last}: the log is an older copy, \
                 or its end is missing",
                index.reach()
            );
            self.found(what, Effect::Refuses, desk);
        } else if !self.disagrees {
            let says = match self.entries {
                0 => "nothing of what is in the log yet".to_owned(),
                n => format!("agrees with the log on {n} entries"),
            };
            desk.checked(&self.directory, says, None);
        }
    }

    fn found(&self, what: String, effect: Effect, desk: &mut Desk<'_>) {
        let remedy = match effect {
            Effect::Refuses => "put the log's newest files back, or restore the app from a backup",
            Effect::GoesOn | Effect::Unnoticed => REMOVE,
        };
        let (file, remedy) = (self.directory.clone(), remedy.to_owned());
        desk.found(Finding { file, place: None, what, remedy, effect });
    }
}
