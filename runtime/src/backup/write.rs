//! Writing a backup: a draft directory, file by file, that gets its name at the end.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::manifest::{DIRECTORIES, FileOf, MANIFEST, Manifest, time_in_name};
use super::{Error, failed};
use crate::checkpoint::{Checkpoint, Checkpoints, Pace};
use crate::disk::{self, Disk, How};
use crate::log::segments::Limits;
use crate::log::{Segments, Start, Upkeep};
use crate::modules;
use crate::record::Damage;
use crate::value::{Hash, Hasher, Name};
use crate::verify::digest;

/// How much is copied before somebody is asked whether to go on.
const PIECE_BYTES: u64 = 1 << 20;

/// What a backup is made of.
#[derive(Debug)]
pub struct Source<'a> {
    /// The app.
    pub app: &'a Name,
    /// Its directory.
    pub directory: &'a Path,
    /// What is known of its log.
    pub upkeep: &'a dyn Upkeep,
    /// Where its log was sealed: what the backup ends with.
    pub end: Start,
    /// A state and a start, both not behind that end.
    pub checkpoint: Checkpoint,
    /// When it is made, in milliseconds since 1970.
    pub time_ms: u64,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// Where it is.
    pub path: PathBuf,
    /// What is in it.
    pub manifest: Manifest,
}

/// Writes backups to a directory.
#[derive(Debug)]
pub struct Writer<'a> {
    /// What everything is on.
    pub disk: &'a Arc<dyn Disk>,
    /// Where backups are; created if it is not there.
    pub backups: &'a Path,
}

impl Writer<'_> {
    /// The bytes that a backup is going to have, about.
    #[must_use]
    pub fn bytes_needed(source: &Source<'_>) -> u64 {
        let state = source.checkpoint.state.tables().map(|(_, table)| table.bytes()).sum::<u64>();
        let sealed = source.upkeep.segments().into_iter().filter(|segment| segment.is_sealed);
        // A checkpoint has a page here and there that is not full.
        sealed.map(|segment| segment.bytes).sum::<u64>() + state + state / 4 + PIECE_BYTES
    }

    /// Writes a backup under a name of its own, or of its app, sequence and time.
    /// `pace` is asked after each piece. When `Ok`, it is durable; when `Err`, it is
    /// not there, and what is left of a draft is removed by the next of that app.
    ///
    /// # Errors
    /// [`Error::Exists`]; [`Error::Stopped`] if `pace` wants no more; [`Error::Log`]
    /// if a segment is damaged, because a backup of it would be worthless;
    /// [`Error::Damaged`] for a module; [`Error::Checkpoint`]; [`Error::Io`].
    pub fn write(
        &self,
        source: &Source<'_>,
        name: Option<&Name>,
        pace: &mut dyn Pace,
    ) -> Result<Copied, Error> {
        let path = self.backups.join(match name {
            Some(name) => name.to_string(),
            None => {
                let time = time_in_name(source.time_ms);
                format!("{}-{}-{time}", source.app, source.end.entry)
            }
        });
        let disk = &**self.disk;
        disk::create_directories(disk, self.backups).map_err(failed("create", self.backups))?;
        if disk.exists(&path).map_err(failed("find", &path))? {
            return Err(Error::Exists { path });
        }
        // One for each app, wherever it is served from: the next one removes it.
        let draft = self.backups.join(format!(".{}", source.end.history));
        match disk.remove_directory(&draft) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed("remove", &draft)(error));
            }
            _ => {}
        }
        let written = self.draft(source, &draft, pace);
        let manifest = match written {
            Ok(manifest) => manifest,
            Err(error) => {
                // Room is what may be missing; what cannot be removed now is later.
                if let Err(left) = disk.remove_directory(&draft) {
                    tracing::warn!(directory = %draft.display(), error = %left, "left behind");
                }
                return Err(error);
            }
        };
        disk::finish(disk, &draft, &path).map_err(failed("name", &path))?;
        Ok(Copied { path, manifest })
    }

    fn draft(
        &self,
        source: &Source<'_>,
        draft: &Path,
        pace: &mut dyn Pace,
    ) -> Result<Manifest, Error> {
        let disk = &**self.disk;
        disk.create_directory(draft).map_err(failed("create", draft))?;
        let mut copy = Copy { disk, from: source.directory, to: draft, pace, files: Vec::new() };
        for directory in DIRECTORIES {
            let made = draft.join(directory);
            disk.create_directory(&made).map_err(failed("create", &made))?;
        }
        self.log(source, &mut copy)?;
        for directory in ["modules", "events"] {
            copy.all(directory)?;
        }
        for directory in DIRECTORIES {
            let made = draft.join(directory);
            disk.sync_directory(&made).map_err(failed("sync", &made))?;
        }
        let written = Checkpoints::new(Arc::clone(self.disk), draft.into())
            .write(&source.checkpoint, &mut *copy.pace)?;
        copy.add(written.generation.file_name())?;
        let manifest = Manifest {
            app: source.app.clone(),
            history: source.end.history,
            entry: source.end.entry,
            outcome: source.end.outcome,
            round: source.end.tail.number,
            time_ms: source.time_ms,
            server: env!("CARGO_PKG_VERSION").to_owned(),
            files: copy.files,
        };
        let path = draft.join(MANIFEST);
        let written = disk::write_whole(disk, &path, &draft.join("backup.new"), &manifest.encode());
        written.map_err(failed("write", &path))?;
        Ok(manifest)
    }

    /// The segments up to the end, each read and checked first.
    fn log(&self, source: &Source<'_>, copy: &mut Copy<'_>) -> Result<(), Error> {
        let last = source.end.tail.number;
        if last == 0 {
            // Nothing was ever written, so nothing is sealed either.
            let log = copy.to.join("log");
            let log = Segments::new(Arc::clone(self.disk), &log, Limits::default());
            log.create(source.end.history)?;
            let names: Vec<_> = log.files()?.into_iter().map(|(path, _)| path).collect();
            return names.iter().try_for_each(|path| copy.add(&format!("log/{}", name_of(path))));
        }
        let sealed = source.upkeep.segments().into_iter();
        for segment in sealed.filter(|segment| segment.is_sealed && segment.first_round <= last) {
            let mut is_stopped = false;
            let checked = source.upkeep.check(segment.first_round, &mut |_| {
                is_stopped = copy.pace.pause().is_break();
                let what = || "nobody wants more".to_owned();
                let stop = || Damage { offset: 0, record: None, what: what() };
                if is_stopped { Err(stop()) } else { Ok(()) }
            });
            if is_stopped {
                return Err(Error::Stopped);
            }
            checked?;
            copy.file(&format!("log/{}", name_of(&segment.path)))?;
        }
        Ok(())
    }
}

/// Copies files from one directory to another, and remembers what they are.
struct Copy<'a> {
    disk: &'a dyn Disk,
    from: &'a Path,
    to: &'a Path,
    pace: &'a mut dyn Pace,
    files: Vec<FileOf>,
}

impl Copy<'_> {
    /// Every file of a directory that is complete.
    fn all(&mut self, directory: &str) -> Result<(), Error> {
        let from = self.from.join(directory);
        let paths = match self.disk.list(&from) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            paths => paths.map_err(failed("list", &from))?,
        };
        let unfinished = ["new", "draft"];
        let is_whole = |path: &&PathBuf| {
            path.extension().is_none_or(|extension| unfinished.iter().all(|one| extension != *one))
        };
        let names: BTreeSet<String> =
            paths.iter().filter(is_whole).map(|path| name_of(path)).collect();
        names.iter().try_for_each(|name| self.file(&format!("{directory}/{name}")))
    }

    fn file(&mut self, path: &str) -> Result<(), Error> {
        let (from, to) = (self.from.join(path), self.to.join(path));
        let (bytes, hash) = copy(self.disk, &from, &to, &mut |_| match self.pace.pause() {
            std::ops::ControlFlow::Continue(()) => Ok(()),
            std::ops::ControlFlow::Break(()) => Err(Error::Stopped),
        })?;
        let named = path.strip_prefix("modules/").and_then(modules::hash_in);
        if named.is_some_and(|named| named != hash) {
            let what = "its bytes do not have the hash in its name".to_owned();
            return Err(Error::Damaged { path: from, what });
        }
        self.files.push(FileOf { path: path.into(), bytes, hash });
        Ok(())
    }

    /// A file that was written there and not copied.
    fn add(&mut self, path: &str) -> Result<(), Error> {
        let at = self.to.join(path);
        let read = digest(self.disk, &at, &mut |_| ());
        let (bytes, hash) = read.map_err(failed("read", &at))?;
        self.files.push(FileOf { path: path.into(), bytes, hash });
        Ok(())
    }
}

/// Copies a file and syncs the copy; its length, and the hash of what was read.
pub(super) fn copy(
    disk: &dyn Disk,
    from: &Path,
    to: &Path,
    each: &mut dyn FnMut(u64) -> Result<(), Error>,
) -> Result<(u64, Hash), Error> {
    let source = disk.open(from, How::Read).map_err(failed("open", from))?;
    let target = disk.open(to, How::Create).map_err(failed("create", to))?;
    let length = source.len().map_err(failed("open", from))?;
    let mut hash = Hasher::default();
    let mut buffer = vec![0; usize::try_from(PIECE_BYTES.min(length)).unwrap_or_default()];
    let mut offset = 0;
    while offset < length {
        let bytes = usize::try_from(PIECE_BYTES.min(length - offset)).unwrap_or_default();
        let piece = buffer.get_mut(..bytes).unwrap_or_default();
        source.read_at(offset, piece).map_err(failed("read", from))?;
        target.write_at(offset, piece).map_err(failed("write", to))?;
        hash.add(piece);
        offset += bytes as u64;
        each(bytes as u64)?;
    }
    target.sync().map_err(failed("sync", to))?;
    Ok((length, hash.finish()))
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
