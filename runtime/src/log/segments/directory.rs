//! The directory of a log: names of files, and what makes them survive a crash.
//! Knows nothing of what is in them.

use std::io;
use std::path::{Path, PathBuf};

use crate::disk::Disk;
use crate::log::Error;
use crate::value::Sequence;

pub(super) const SORT_OUT: &str =
    "put the files of one log, under their own names, in this directory";

/// A file that has a segment's name.
#[derive(Debug, Clone)]
pub(super) struct Segment {
    pub(super) path: PathBuf,
    /// According to its name, as is the next.
    pub(super) first_sequence: Sequence,
    pub(super) first_round: u64,
}

/// The name of the segment that begins with this round, when the next entry has this
/// sequence. Twenty digits hold every `u64`, so the order of names is the order of
/// rounds. Two segments may begin with one sequence, if the first of them has no
/// entry, but never with one round.
pub(super) fn file_name(first_sequence: Sequence, first_round: u64) -> String {
    format!("{:020}-{first_round:020}.redb", first_sequence.0)
}

/// The segments of a directory in order; none if there is no directory. Files with
/// other names are not ours to judge.
pub(super) fn segments(disk: &dyn Disk, dir: &Path) -> Result<Vec<Segment>, Error> {
    let mut segments: Vec<Segment> = files(disk, dir)?.into_iter().filter_map(segment).collect();
    segments.sort_by_key(|segment| segment.first_round);
    for (segment, next) in segments.iter().zip(segments.iter().skip(1)) {
        let follows =
            segment.first_round < next.first_round && segment.first_sequence <= next.first_sequence;
        if !follows {
            let what = format!("its name does not follow that of {}", name(&segment.path));
            let place = next.path.display().to_string();
            return Err(Error::Damaged { place, round: None, what, remedy: SORT_OUT });
        }
    }
    Ok(segments)
}

fn segment(path: PathBuf) -> Option<Segment> {
    let stem = path.file_name()?.to_str()?.strip_suffix(".redb")?;
    let (sequence, round) = stem.split_once('-')?;
    let number = |digits: &str| (digits.len() == 20).then(|| digits.parse().ok()).flatten();
    let (first_sequence, first_round) = (Sequence(number(sequence)?), number(round)?);
    Some(Segment { path, first_sequence, first_round })
}

/// The last part of a path, for messages that name its directory already.
pub(super) fn name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// Where a segment is written until it is complete.
pub(super) fn unfinished(path: &Path) -> PathBuf {
    path.with_extension("new")
}

/// Removes what a crash left unfinished: no round is only there.
pub(super) fn remove_unfinished(disk: &dyn Disk, dir: &Path) -> Result<(), Error> {
    for path in files(disk, dir)? {
        if path.extension().is_some_and(|extension| extension == "new") {
            let removed = disk.remove(&path);
            removed.map_err(|error| failed(&path, "remove the unfinished segment", error))?;
        }
    }
    Ok(())
}

pub(super) fn failed(place: &Path, operation: &'static str, error: io::Error) -> Error {
    Error::Failed { place: place.display().to_string(), operation, source: error.into() }
}

fn files(disk: &dyn Disk, dir: &Path) -> Result<Vec<PathBuf>, Error> {
    match disk.list(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        list => list.map_err(|error| failed(dir, "list the directory", error)),
    }
}
