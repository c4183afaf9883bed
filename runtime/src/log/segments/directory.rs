//! The directory of a log: names of files, and what makes them survive a crash.
//! Knows nothing of what is in them.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::log::Error;
use crate::value::Sequence;

/// How much of a file is copied at once.
const COPY_BYTES: usize = 1 << 20;

/// A file that has a segment's name.
#[derive(Debug, Clone)]
pub(super) struct Segment {
    pub(super) path: PathBuf,
    /// According to its name.
    pub(super) first_sequence: Sequence,
}

/// The name of the segment that begins with this sequence. Twenty digits hold every
/// `u64`, so the order of names is the order of sequences.
pub(super) fn file_name(first_sequence: Sequence) -> String {
    format!("{:020}.redb", first_sequence.0)
}

/// The segments of a directory in order; none if there is no directory. Files with
/// other names are not ours to judge.
pub(super) fn segments(dir: &Path) -> Result<Vec<Segment>, Error> {
    let mut segments = Vec::new();
    for path in files(dir)? {
        let digits = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".redb"));
        let number = digits.filter(|digits| digits.len() == 20).and_then(|text| text.parse().ok());
        if let Some(number) = number {
            segments.push(Segment { path, first_sequence: Sequence(number) });
        }
    }
    segments.sort_by_key(|segment| segment.first_sequence);
    Ok(segments)
}

/// Creates a directory and those above it, so that they are there after a crash.
pub(super) fn create(dir: &Path) -> Result<(), Error> {
    let missing = dir.ancestors().take_while(|dir| !dir.as_os_str().is_empty() && !dir.exists());
    let missing: Vec<&Path> = missing.collect();
    for dir in missing.into_iter().rev() {
        fs::create_dir(dir).map_err(|error| failed(dir, "create the directory", error))?;
        sync(parent(dir))?;
    }
    Ok(())
}

/// Where a segment is written until it is complete.
pub(super) fn unfinished(path: &Path) -> PathBuf {
    path.with_extension("new")
}

/// Gives a complete and synced file its name.
pub(super) fn finish(path: &Path) -> Result<(), Error> {
    let renamed = fs::rename(unfinished(path), path);
    renamed.map_err(|error| failed(path, "name the new segment", error))?;
    sync(parent(path))
}

/// Removes segments that a crash left unfinished: they hold no rounds.
pub(super) fn remove_unfinished(dir: &Path) -> Result<(), Error> {
    for path in files(dir)? {
        if path.extension().is_some_and(|extension| extension == "new") {
            let removed = fs::remove_file(&path);
            removed.map_err(|error| failed(&path, "remove the unfinished segment", error))?;
        }
    }
    Ok(())
}

/// Writes a file's bytes over themselves and syncs, so that what reading it shows
/// is what the disk has.
///
/// After a failed sync the system may keep pages in memory as if they had been
/// written, and after a killed process it has pages that never were. Reading a log
/// from those would promise what a power failure takes away. The same bytes in the
/// same place are safe to write: cut off anywhere, a page is as it was or as it
/// should have been.
pub(super) fn write_again(path: &Path) -> Result<(), Error> {
    let file = File::options().read(true).write(true).open(path);
    let mut file = file.map_err(|error| failed(path, "open the segment", error))?;
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => Error::InUse { place: path.display().to_string() },
        TryLockError::Error(error) => failed(path, "lock the segment", error),
    })?;
    copy_onto_itself(&mut file)
        .and_then(|()| file.sync_all())
        .map_err(|error| failed(path, "write the segment again", error))
}

fn copy_onto_itself(file: &mut File) -> io::Result<()> {
    let mut buffer = vec![0; COPY_BYTES];
    let mut offset = 0;
    loop {
        file.seek(SeekFrom::Start(offset))?;
        let n_read = file.read(&mut buffer)?;
        let Some(read @ [_, ..]) = buffer.get(..n_read) else {
            return Ok(());
        };
        file.seek(SeekFrom::Start(offset))?;
        file.write_all(read)?;
        offset += n_read as u64;
    }
}

pub(super) fn failed(place: &Path, operation: &'static str, error: io::Error) -> Error {
    Error::Failed { place: place.display().to_string(), operation, source: error.into() }
}

fn files(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let list = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        list => list.map_err(|error| failed(dir, "list the directory", error))?,
    };
    list.map(|file| file.map(|file| file.path()))
        .collect::<Result<_, _>>()
        .map_err(|error| failed(dir, "list the directory", error))
}

/// Makes the names in a directory durable; redb syncs files and never directories.
fn sync(dir: &Path) -> Result<(), Error> {
    let synced = File::open(dir).and_then(|dir| dir.sync_all());
    synced.map_err(|error| failed(dir, "sync the directory", error))
}

/// The directory of a path, which for a bare name is the current one.
fn parent(path: &Path) -> &Path {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}
