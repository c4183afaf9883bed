//! The files of an app, checked without touching any of them.
//!
//! Everything is read: each round of the log, each chunk of both checkpoints, each
//! page of the index, each event of the archive, each module; and it is compared what
//! they say of each other, down to the rows of the state. Damage does not end a check, it is a [`Finding`]:
//! which file, where in it, what is wrong, what can be done, and what a start would
//! make of it. Files that nobody closed are repaired in memory.
//!
//! Nobody may write to the files meanwhile; whoever calls sees to that. Memory is that
//! of two states of the app. Nothing here knows of servers, of HTTP, or of how
//! findings are shown.

mod archive;
mod checkpoints;
mod compare;
mod index;
mod log;
mod modules;
mod states;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{Disk, How};
use crate::value::{Hash, History, Sequence, chain_of};
use crate::{archive as archives, checkpoint, index as indexes, log as logs};

/// What would be made of damage by whoever uses the files next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// A start refuses, and so does restoring a backup.
    Refuses,
    /// A start goes on without it.
    GoesOn,
    /// A start would not notice it.
    Unnoticed,
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The file.
    pub file: PathBuf,
    /// Where in it: a round, chunk or page, as far as that is known.
    pub place: Option<String>,
    /// What is wrong.
    pub what: String,
    /// What can be done.
    pub remedy: String,
    /// What becomes of it otherwise.
    pub effect: Effect,
}

/// Something that was read wholly, and is as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The file or directory.
    pub file: PathBuf,
    /// What is in it.
    pub says: String,
    /// What its reader should know, though nothing is wrong.
    pub note: Option<&'static str>,
}

/// How far a check has come, in bytes of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What was read.
    pub done: u64,
    /// Of how much, as was thought at the beginning.
    pub of: u64,
}

/// Is told what a check comes across, while it runs.
pub trait Watch {
    /// So much was read.
    fn progress(&mut self, progress: Progress);
    /// This is as it should be.
    fn checked(&mut self, checked: &Checked);
    /// This is not.
    fn found(&mut self, finding: &Finding);
}

/// Somebody who does not look.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unwatched;

impl Watch for Unwatched {
    fn progress(&mut self, _progress: Progress) {}
    fn checked(&mut self, _checked: &Checked) {}
    fn found(&mut self, _finding: &Finding) {}
}

/// What a check came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The history that the log ends with.
    pub history: Option<History>,
    /// The last round that was read.
    pub round: u64,
    /// The last entry.
    pub entry: Sequence,
    /// The last entry that has an outcome.
    pub outcome: Sequence,
    /// How many files and agreements were checked and found whole.
    pub checked: u64,
    /// Bytes that were read.
    pub bytes: u64,
    /// Events in the archive that were read.
    pub archived: u64,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

/// Why something could not be checked, which says nothing about what is on disk.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The disk refused.
    #[error("cannot {action} {path}")]
    Io {
        /// What was being done.
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The log could not be read.
    #[error("cannot read the log")]
    Log(#[from] logs::Error),
    /// A checkpoint could not be read.
    #[error("cannot read a checkpoint")]
    Checkpoint(#[from] checkpoint::Error),
    /// The index could not be read.
    #[error("cannot read the index")]
    Index(#[from] indexes::Error),
    /// The archive could not be read.
    #[error("cannot read the archive")]
    Archive(#[from] archives::Error),
}

/// Checks the directory of an app, or a copy of one.
///
/// # Errors
/// [`Error`] if the disk refuses; damage is in the report.
pub fn app(disk: &Arc<dyn Disk>, directory: &Path, watch: &mut dyn Watch) -> Result<Report, Error> {
    let mut desk = Desk::new(watch, total(&**disk, directory)?);
    let starts = checkpoints::check(disk, directory, &mut desk)?;
    let index = index::check(disk, directory, &mut desk)?;
    let led = log::check(disk, directory, starts, index, &mut desk)?;
    archive::check(disk, directory, &led, &mut desk)?;
    modules::check(&**disk, directory, led.state.as_ref(), &mut desk)?;
    Ok(desk.report)
}

/// The length of a file and the hash of its bytes, read in pieces.
///
/// # Errors
/// What the disk said.
pub fn digest(disk: &dyn Disk, path: &Path, read: &mut dyn FnMut(u64)) -> io::Result<(u64, Hash)> {
    const PIECE_BYTES: u64 = 1 << 20;
    let file = disk.open(path, How::Read)?;
    let length = file.len()?;
    let mut hash = crate::value::Hasher::default();
    let mut buffer = vec![0; usize::try_from(PIECE_BYTES).map_err(io::Error::other)?];
    let mut offset = 0;
    while offset < length {
        let bytes = usize::try_from(PIECE_BYTES.min(length - offset)).map_err(io::Error::other)?;
        let piece = buffer.get_mut(..bytes).unwrap_or_default();
        file.read_at(offset, piece)?;
        hash.add(piece);
        offset += bytes as u64;
        read(bytes as u64);
    }
    Ok((length, hash.finish()))
}

/// Where everything is written down that is come across.
struct Desk<'a> {
    watch: &'a mut dyn Watch,
    report: Report,
    of: u64,
}

impl<'a> Desk<'a> {
    fn new(watch: &'a mut dyn Watch, of: u64) -> Self {
        Self { watch, report: Report::default(), of }
    }

    fn read(&mut self, bytes: u64) {
        self.report.bytes += bytes;
        self.watch.progress(Progress { done: self.report.bytes.min(self.of), of: self.of });
    }

    fn checked(&mut self, file: &Path, says: impl Into<String>, note: Option<&'static str>) {
        self.report.checked += 1;
        self.watch.checked(&Checked { file: file.into(), says: says.into(), note });
    }

    fn found(&mut self, finding: Finding) {
        self.watch.found(&finding);
        self.report.findings.push(finding);
    }
}

/// What is to be read: all files, and the checkpoints once more to be compared.
fn total(disk: &dyn Disk, directory: &Path) -> Result<u64, Error> {
    let mut bytes = 0;
    for generation in checkpoint::Generation::BOTH {
        bytes += 2 * length(disk, &directory.join(generation.file_name()))?;
    }
    for below in ["log", "index", "events", "modules"] {
        for path in list(disk, &directory.join(below))? {
            bytes += length(disk, &path)?;
        }
    }
    Ok(bytes)
}

/// The files of a directory; none if it is not there.
fn list(disk: &dyn Disk, directory: &Path) -> Result<Vec<PathBuf>, Error> {
    match disk.list(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        list => list.map_err(|source| Error::Io { action: "list", path: directory.into(), source }),
    }
}

fn length(disk: &dyn Disk, path: &Path) -> Result<u64, Error> {
    match disk.open(path, How::Read).and_then(|file| file.len()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        length => length.map_err(|source| Error::Io { action: "open", path: path.into(), source }),
    }
}

/// What an error says of a file that the finding names already.
fn without_file(error: &dyn std::error::Error, file: &Path) -> String {
    let text = chain_of(error);
    let file = file.display().to_string();
    match text.strip_prefix(&file) {
        Some(rest) => rest.trim_start_matches([':', ',', ' ']).to_owned(),
        None => text,
    }
}
