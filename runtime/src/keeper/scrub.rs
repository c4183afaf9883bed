//! Reading again what was written long ago, so that damage is found while it can still
//! be mended: by the other checkpoint, by the log, by a backup.
//!
//! One file after the other, for ever: sealed segments, checkpoints, the index, the
//! archive, modules. A file is read in one go, and the next only when so much time has
//! passed that the rate is kept on average.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::Keeper;
use crate::checkpoint::{self, Generation, Pace};
use crate::disk::{self, Disk, How};
use crate::record::Damage;
use crate::value::{Hash, Sequence, chain_of};
use crate::{index, log, recovery};

/// What was found damaged and has not been mended.
#[derive(Debug, Clone, Default)]
pub struct Damages(Arc<Mutex<BTreeMap<PathBuf, String>>>);

impl Damages {
    /// A sentence for each: the file, the place, what can be done.
    #[must_use]
    pub fn all(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    fn found(&self, path: &Path, what: &str) {
        let mut found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if found.insert(path.into(), what.to_owned()).as_deref() != Some(what) {
            tracing::error!(file = %path.display(), what, "damage");
        }
    }

    fn mended(&self, path: &Path) {
        let mut found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if found.remove(path).is_some() {
            tracing::info!(file = %path.display(), "no longer damaged");
        }
    }

    /// Forgets what was said of files that are gone.
    fn only(&self, is_there: impl Fn(&Path) -> bool) {
        let mut found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        found.retain(|path, _| is_there(path));
    }
}

/// Where the round of all files is.
#[derive(Debug)]
pub(super) struct Scrub {
    disk: Arc<dyn Disk>,
    modules: PathBuf,
    damages: Damages,
    /// Bytes that may be read by now.
    credit: u64,
    at: Duration,
    todo: VecDeque<(Target, u64)>,
}

/// Something that is checked in one go.
#[derive(Debug, Clone)]
enum Target {
    Segment(u64, PathBuf),
    Checkpoint(Generation),
    Index,
    Archive(PathBuf),
    Module(PathBuf),
}

impl Scrub {
    pub(super) fn new(disk: Arc<dyn Disk>, modules: PathBuf, at: Duration) -> Self {
        let (damages, todo) = (Damages::default(), VecDeque::new());
        Self { disk, modules, damages, credit: 0, at, todo }
    }

    pub(super) fn damages(&self) -> Damages {
        self.damages.clone()
    }

    fn bytes(&self, path: &Path) -> u64 {
        let length = self.disk.open(path, How::Read).and_then(|file| file.len());
        length.unwrap_or_default()
    }
}

impl Keeper {
    /// Checks the next file if its turn has come.
    pub(super) fn scrub_some(&mut self, pace: &mut dyn Pace) {
        let now = self.clock.elapsed();
        let passed = now.saturating_sub(self.scrub.at);
        self.scrub.at = now;
        let rate = u128::from(self.settings.scrub_bytes_per_s);
        let earned = u64::try_from(rate * passed.as_micros() / 1_000_000).unwrap_or(u64::MAX);
        self.scrub.credit = self.scrub.credit.saturating_add(earned);
        if self.scrub.credit == 0 {
            return;
        }
        if self.scrub.todo.is_empty() {
            self.scrub.todo = self.targets();
        }
        let Some((_, bytes)) = self.scrub.todo.front() else { return };
        if *bytes > self.scrub.credit {
            return;
        }
        if let Some((target, bytes)) = self.scrub.todo.pop_front() {
            // What was saved up while there was less to read is not made up for.
            self.scrub.credit = if self.scrub.todo.is_empty() {
                0
            } else {
                self.scrub.credit.saturating_sub(bytes.max(1))
            };
            self.check(&target, pace);
        }
    }

    /// Checks everything now, and tells what is damaged.
    #[must_use]
    pub fn scrub_all(&mut self, pace: &mut dyn Pace) -> Vec<String> {
        for (target, _) in self.targets() {
            self.check(&target, pace);
        }
        self.scrub.damages.all()
    }

    fn targets(&self) -> VecDeque<(Target, u64)> {
        let mut targets = VecDeque::new();
        let segments = self.lane.upkeep().map(|upkeep| upkeep.segments()).unwrap_or_default();
        for segment in segments.into_iter().filter(|segment| segment.is_sealed) {
            targets.push_back((Target::Segment(segment.first_round, segment.path), segment.bytes));
        }
        for generation in Generation::BOTH {
            let bytes = self.scrub.bytes(&self.checkpoints.path(generation));
            targets.push_back((Target::Checkpoint(generation), bytes));
        }
        targets.push_back((Target::Index, self.lane.index().disk_bytes()));
        for (path, bytes) in self.archive.files_and_bytes() {
            targets.push_back((Target::Archive(path), bytes));
        }
        for path in self.scrub.disk.list(&self.scrub.modules).unwrap_or_default() {
            let bytes = self.scrub.bytes(&path);
            targets.push_back((Target::Module(path), bytes));
        }
        let disk = &self.scrub.disk;
        self.scrub.damages.only(|path| disk.exists(path).unwrap_or(true));
        targets
    }

    fn check(&mut self, target: &Target, pace: &mut dyn Pace) {
        match target {
            Target::Segment(first_round, path) => self.check_segment(*first_round, path, pace),
            Target::Checkpoint(generation) => self.check_checkpoint(*generation, pace),
            Target::Index => self.check_index(pace),
            Target::Archive(path) => {
                let checked = self.archive.check(path, &mut || pace.pause().is_continue());
                self.tell(path, checked.err().map(|error| chain_of(&error)));
            }
            Target::Module(path) => self.check_module(path),
        }
    }

    fn check_segment(&self, first_round: u64, path: &Path, pace: &mut dyn Pace) {
        let Some(upkeep) = self.lane.upkeep() else { return };
        let mut is_given_up = false;
        let checked = upkeep.check(first_round, &mut |_| {
            is_given_up = pace.pause().is_break();
            match is_given_up {
                true => Err(Damage { offset: 0, record: None, what: "given up".to_owned() }),
                false => Ok(()),
            }
        });
        match checked {
            // Trimmed meanwhile, or the log is being opened again.
            Err(log::Error::Missing { .. } | log::Error::Closed | log::Error::NotSealed { .. }) => {
            }
            Err(_) if is_given_up => {}
            checked => self.tell(path, checked.err().map(|error| chain_of(&error))),
        }
    }

    /// A damaged one is written anew at once.
    fn check_checkpoint(&mut self, generation: Generation, pace: &mut dyn Pace) {
        let path = self.checkpoints.path(generation);
        let mut is_given_up = false;
        // It cannot be ended early; a checkpoint is read in seconds.
        let verified = self.checkpoints.verify(generation, &mut |_, _| {
            is_given_up = is_given_up || pace.pause().is_break();
        });
        match verified {
            Ok(_) => self.tell(&path, None),
            Err(checkpoint::Error::Missing { .. }) => {}
            Err(error) => {
                let what = format!("{}; it is written anew", chain_of(&error));
                self.tell(&path, Some(what));
                self.is_forced = true;
            }
        }
    }

    /// A damaged file is written anew from the log, if that still has its entries.
    fn check_index(&self, pace: &mut dyn Pace) {
        for error in self.lane.index().check(&mut |_| pace.pause()) {
            let index::Error::Damaged { path, .. } = &error else {
                tracing::warn!(error = chain_of(&error), "the index could not be checked");
                continue;
            };
            tracing::error!(error = chain_of(&error), "damage; building it again from the log");
            match self.index_again(path) {
                Ok(true) => self.tell(path, None),
                Ok(false) => self.tell(path, Some(chain_of(&error))),
                Err(failed) => {
                    let what =
                        format!("{}; it could not be done now: {}", error, chain_of(&failed));
                    self.tell(path, Some(what));
                }
            }
        }
    }

    fn index_again(&self, path: &Path) -> Result<bool, super::Error> {
        let index = self.lane.index();
        let Some(mut replacing) = index.replacing(path) else { return Ok(true) };
        // The last outcomes may be in the segment that is written to.
        self.lane.seal()?;
        let Some(upkeep) = self.lane.upkeep() else { return Ok(false) };
        let (first, last) = replacing.span();
        let after = Sequence(first.0.saturating_sub(1));
        let is_whole = recovery::rows_of(&*upkeep, after, last, &mut |rows| replacing.add(rows))?;
        if is_whole {
            replacing.finish()?;
        }
        Ok(is_whole)
    }

    fn check_module(&self, path: &Path) {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let Ok(hash) = name.parse::<Hash>() else { return };
        let what = match disk::read(&*self.scrub.disk, path) {
            Ok(bytes) if Hash::of(&bytes) == hash => None,
            Ok(_) => Some("its bytes do not have the hash in its name".to_owned()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => Some(error.to_string()),
        };
        let remedy = "put it back from a backup, or upload the module again";
        self.tell(path, what.map(|what| format!("{}: {what}; {remedy}", path.display())));
    }

    fn tell(&self, path: &Path, what: Option<String>) {
        match what {
            Some(what) => self.scrub.damages.found(path, &what),
            None => self.scrub.damages.mended(path),
        }
    }
}
