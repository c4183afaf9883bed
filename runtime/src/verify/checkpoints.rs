//! Both checkpoints, each by itself: every chunk of them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Desk, Effect, Error, Finding, length, list, without_file};
use crate::checkpoint::{self, Checkpoint, Checkpoints, Generation};
use crate::disk::Disk;
use crate::log::Start;
use crate::value::Sequence;

/// A checkpoint that is whole.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) generation: Generation,
    pub(super) path: PathBuf,
    pub(super) start: Start,
    /// The last entry that its state includes.
    pub(super) sequence: Sequence,
    pub(super) is_clean: bool,
}

/// The checkpoints that are whole, and how to read them.
#[derive(Debug)]
pub(super) struct Starts {
    pub(super) whole: Vec<Whole>,
    checkpoints: Checkpoints,
}

impl Starts {
    /// The one that a start would begin with.
    pub(super) fn used(&self) -> Option<&Whole> {
        let age = |whole: &&Whole| (whole.is_clean, whole.start.tail.number, whole.sequence);
        self.whole.iter().max_by_key(age)
    }

    /// Loads one of them.
    pub(super) fn load(&self, generation: Generation) -> Result<Checkpoint, checkpoint::Error> {
        self.checkpoints.read(generation, &mut |_, _| ())
    }
}

pub(super) fn check(
    disk: &Arc<dyn Disk>,
    directory: &Path,
    desk: &mut Desk<'_>,
) -> Result<Starts, Error> {
    let checkpoints = Checkpoints::new(Arc::clone(disk), directory.into());
    let (mut whole, mut damaged) = (Vec::new(), Vec::new());
    for generation in Generation::BOTH {
        let path = checkpoints.path(generation);
        let bytes = length(&**disk, &path)?;
        let mut told = 0;
        let examined = checkpoints.examine(generation, &mut |done, of| {
            let now = bytes.saturating_mul(done).checked_div(of).unwrap_or(bytes);
            desk.read(now.saturating_sub(told));
            told = now;
        });
        match examined {
            Ok(examined) => {
                let verified = examined.verified;
                let says = format!(
                    "state as of entry {}: {} rows in {} chunks",
                    examined.sequence, verified.rows, verified.chunks
                );
                let note = (!examined.is_clean).then_some(
                    "it was being written when the server ended; a start uses the other",
                );
                desk.checked(&path, says, note);
                let (start, sequence) = (verified.start, examined.sequence);
                let is_clean = examined.is_clean;
                whole.push(Whole { generation, path, start, sequence, is_clean });
            }
            Err(checkpoint::Error::Missing { .. }) => {}
            Err(error @ checkpoint::Error::Failed { .. }) => return Err(error.into()),
            Err(error) => damaged.push((path, error)),
        }
    }
    let replays_all =
        whole.is_empty() && damaged.len() == 1 && begins_at_first(&**disk, directory)?;
    for (path, error) in damaged {
        let (effect, remedy) = match (whole.is_empty(), replays_all) {
            (false, _) => {
                (Effect::GoesOn, "nothing: a start uses the other one and writes this anew")
            }
            (true, true) => {
                (Effect::GoesOn, "nothing: a start reads the whole log and writes it anew")
            }
            (true, false) => (Effect::Refuses, "restore the app from a backup"),
        };
        let (place, what) = split(&without_file(&error, &path));
        desk.found(Finding { file: path, place, what, remedy: remedy.into(), effect });
    }
    Ok(Starts { whole, checkpoints })
}

/// Where and what, of a text such as `chunk 3: what`.
fn split(text: &str) -> (Option<String>, String) {
    let is_place = |text: &str| {
        ["chunk", "root", "manifest", "table"].iter().any(|place| text.starts_with(place))
    };
    match text.split_once(": ") {
        Some((place, what)) if is_place(place) => (Some(place.to_owned()), what.to_owned()),
        _ => (None, text.to_owned()),
    }
}

/// Whether the log has its first round, going by the names of its files.
fn begins_at_first(disk: &dyn Disk, directory: &Path) -> Result<bool, Error> {
    let first = format!("-{:020}.redb", 1);
    let names = list(disk, &directory.join("log"))?;
    Ok(names.iter().any(|path| path.to_string_lossy().ends_with(&first)))
}
