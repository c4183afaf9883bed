//! A disk in memory that remembers every step, and can lose, tear and refuse.
//!
//! [`SimDisk`] is what a running engine is given. Its [`Recording`] can be walked
//! through from the first step to the last; at every step a [`Walk`] gives images:
//! disks as a power loss there could leave them, which an engine can be opened on
//! in turn. A disk can be told to fail ([`Fault`]), to be full, and to rot.
//!
//! This module knows nothing of what the files mean.

mod contents;
mod crash;
mod fault;
mod handles;
mod platter;
mod recording;
mod rot;

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chancery::disk::{Disk, File, How, Lock, Space};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

pub use self::crash::Survival;
pub use self::fault::{Counts, Errno, Fault, Kind};
pub use self::recording::{Happened, Recording, Walk};
pub use self::rot::{FileInfo, Saved};

use self::contents::SECTOR_BYTES;
use self::handles::{SimFile, SimLock};
use self::platter::{Node, Place, Platter, Step};

/// What the disk says it has, unless it is told otherwise.
const ROOM: Space = Space { available: 1 << 40, total: 1 << 40 };

/// A step that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// Its place in the recording.
    pub position: u64,
    /// What was tried.
    pub kind: Kind,
    /// With which file or directory.
    pub path: PathBuf,
}

/// Is called before each step that changes something, with what it is.
pub type Observer = Arc<dyn Fn(Kind) + Send + Sync>;

/// A disk. Clones are the same one.
#[derive(Clone)]
pub struct SimDisk(Arc<Mutex<State>>);

struct State {
    platter: Platter,
    recorded: Option<(Arc<Platter>, Vec<Step>)>,
    counts: Counts,
    faults: Vec<Fault>,
    failed: Vec<Failed>,
    random: StdRng,
    locks: BTreeSet<PathBuf>,
    /// The process that had it is gone: whatever it still does fails.
    is_over: bool,
    space: Space,
    /// What all files may take, in bytes.
    limit: Option<u64>,
    observer: Option<Observer>,
}

impl Default for SimDisk {
    fn default() -> Self {
        Self::new()
    }
}

impl SimDisk {
    /// An empty disk, which is recorded.
    #[must_use]
    pub fn new() -> Self {
        Self::of(Platter::new(), 0).recorded()
    }

    fn of(platter: Platter, seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            platter,
            recorded: None,
            counts: Counts::default(),
            faults: Vec::new(),
            failed: Vec::new(),
            random: StdRng::seed_from_u64(seed),
            locks: BTreeSet::new(),
            is_over: false,
            space: ROOM,
            limit: None,
            observer: None,
        })))
    }

    /// Remembers every step from now on. Images are not recorded unless this is
    /// called: then they know nothing of what is durable, which is quicker.
    #[must_use]
    pub fn recorded(self) -> Self {
        {
            let mut state = self.state();
            state.platter.set_tracks(true);
            state.recorded = Some((Arc::new(state.platter.clone()), Vec::new()));
        }
        self
    }

    /// Decides what a step that fails has done nevertheless.
    pub fn seed(&self, seed: u64) {
        self.state().random = StdRng::seed_from_u64(seed);
    }

    /// Makes a step fail that is yet to come.
    pub fn fail(&self, fault: Fault) {
        self.state().faults.push(fault);
    }

    /// From now on nothing fails that was told to.
    pub fn heal(&self) {
        let mut state = self.state();
        state.faults.clear();
        (state.space, state.limit) = (ROOM, None);
    }

    /// What the disk says it has.
    pub fn say_space(&self, space: Space) {
        self.state().space = space;
    }

    /// What all files may take, in bytes: beyond it, writes are refused.
    pub fn limit(&self, bytes: Option<u64>) {
        self.state().limit = bytes;
    }

    /// Has something called before each change; none is as at first.
    pub fn observe(&self, observer: Option<Observer>) {
        self.state().observer = observer;
    }

    /// Puts a mark into the recording.
    pub fn mark(&self, mark: &str) {
        let mut state = self.state();
        if !state.is_over {
            state.apply(Step::Mark(mark.into()));
        }
    }

    /// Ends the process that has the disk: from now on all its steps fail.
    pub fn end(&self) {
        self.state().is_over = true;
    }

    /// Ends the process and the power: what is there afterwards.
    #[must_use]
    pub fn crash(&self, survival: Survival, random: &mut impl Rng) -> Self {
        let mut state = self.state();
        state.is_over = true;
        Self::of(state.platter.lose(survival, random), random.random())
    }

    /// Ends the process and nothing else: what the system has in memory stays, and
    /// is not on the disk either. The disk is recorded.
    #[must_use]
    pub fn kill(&self) -> Self {
        let mut state = self.state();
        state.is_over = true;
        Self::of(state.platter.clone(), state.random.random()).recorded()
    }

    /// The same disk for the next process, after the one before has ended well.
    #[must_use]
    pub fn reborn(&self) -> Self {
        let mut state = self.state();
        state.is_over = false;
        state.locks.clear();
        drop(state);
        self.clone()
    }

    /// What is recorded so far.
    ///
    /// # Panics
    /// If it is not recorded.
    #[must_use]
    pub fn recording(&self) -> Recording {
        let state = self.state();
        let (base, steps) = state.recorded.as_ref().expect("it is recorded");
        Recording::new(Arc::clone(base), steps.clone().into())
    }

    /// How many steps are recorded.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.state().position()
    }

    /// How many steps of which kind there were, failed ones included.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.state().counts
    }

    /// The steps that were refused so far.
    #[must_use]
    pub fn failed(&self) -> Vec<Failed> {
        self.state().failed.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a step, unless it is to fail.
    fn step<T>(
        &self,
        kind: Kind,
        at: At<'_>,
        act: impl FnOnce(&mut State, Option<Errno>) -> io::Result<T>,
    ) -> io::Result<T> {
        if kind.changes() {
            let observer = self.state().observer.clone();
            if let Some(observer) = observer {
                observer(kind);
            }
        }
        let mut state = self.state();
        if state.is_over {
            return Err(Errno::Io.error());
        }
        state.counts.add(kind);
        let mut fails = None;
        for fault in &mut state.faults {
            fails = fails.or(fault.meets(kind));
        }
        if fails.is_some() {
            let (position, path) = (state.position(), state.path(at));
            state.failed.push(Failed { position, kind, path });
            // What is said from now on has a later place.
            state.apply(Step::Mark("failed".into()));
        }
        act(&mut state, fails)
    }

    /// As [`SimDisk::step`], of one that does all or nothing.
    fn plain<T>(
        &self,
        kind: Kind,
        at: At<'_>,
        act: impl FnOnce(&mut State) -> io::Result<T>,
    ) -> io::Result<T> {
        self.step(kind, at, |state, fails| match fails {
            Some(errno) => Err(errno.error()),
            None => act(state),
        })
    }
}

/// What a step is about.
#[derive(Clone, Copy)]
enum At<'a> {
    Path(&'a Path),
    File(Node),
}

impl State {
    fn path(&self, at: At<'_>) -> PathBuf {
        match at {
            At::Path(path) => path.to_owned(),
            At::File(node) => {
                let found = self.platter.paths().into_iter().find(|(_, found)| *found == node);
                found.map_or_else(|| PathBuf::from("removed"), |(path, _)| path)
            }
        }
    }

    fn apply(&mut self, step: Step) {
        self.platter.apply(&step);
        if let Some((_, steps)) = &mut self.recorded {
            steps.push(step);
        }
    }

    fn position(&self) -> u64 {
        self.recorded.as_ref().map_or(0, |(_, steps)| steps.len() as u64)
    }

    fn place(&self, path: &Path) -> io::Result<Place> {
        self.platter.place(path).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn node(&self, path: &Path) -> io::Result<Node> {
        self.platter.node(path).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn file(&self, path: &Path) -> io::Result<Option<Node>> {
        match self.platter.node(path) {
            Some(node) if self.platter.files.contains_key(&node) => Ok(Some(node)),
            Some(_) => Err(io::ErrorKind::IsADirectory.into()),
            None => Ok(None),
        }
    }

    fn directory(&self, path: &Path) -> io::Result<Node> {
        let node = self.node(path)?;
        match self.platter.cached.contains_key(&node) {
            true => Ok(node),
            false => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    fn make(&mut self, path: &Path, is_directory: bool) -> io::Result<Node> {
        let (place, node) = (self.place(path)?, self.platter.next());
        self.apply(Step::Make { place, node, is_directory });
        Ok(node)
    }

    fn write(&mut self, file: Node, offset: u64, bytes: &[u8]) {
        self.apply(Step::Write { file, offset, bytes: bytes.into() });
    }

    /// Some of what a write that failed was to write, from its beginning.
    fn write_partly(&mut self, file: Node, offset: u64, bytes: &[u8]) {
        let some = match self.random.random_range(0..3) {
            0 => 0,
            1 => bytes.len(),
            _ => {
                self.random.random_range(0..=bytes.len()) / SECTOR_BYTES as usize
                    * SECTOR_BYTES as usize
            }
        };
        if some > 0 {
            self.write(file, offset, &bytes[..some]);
        }
    }

    /// Marks what was not durable as clean; some of it may be forgotten as well.
    fn fail_sync(&mut self, file: Node) {
        let dirty = self.platter.file(file).dirty_pages();
        let share = [0.0, 0.5, 1.0][self.random.random_range(0..3)];
        let evicted = dirty.into_iter().filter(|_| self.random.random_bool(share)).collect();
        self.apply(Step::SyncFailed { file, evicted });
    }

    /// Whether a write finds room.
    fn has_room(&self, file: Node, offset: u64, bytes: &[u8]) -> bool {
        let Some(limit) = self.limit else { return true };
        let before = &self.platter.file(file).cached;
        let mut after = (**before).clone();
        after.write(offset, bytes);
        let more = after.allocated() - before.allocated();
        more == 0 || self.platter.allocated() + more <= limit
    }

    fn remove_all(&mut self, directory: Node, place: Place) {
        let names = Arc::clone(&self.platter.cached[&directory]);
        for (name, node) in names.iter() {
            let inner = Place { directory, name: Arc::clone(name) };
            match self.platter.cached.contains_key(node) {
                true => self.remove_all(*node, inner),
                false => self.apply(Step::Remove { place: inner }),
            }
        }
        self.apply(Step::Remove { place });
    }
}

impl Disk for SimDisk {
    fn open(&self, path: &Path, how: How) -> io::Result<Arc<dyn File>> {
        let is_there = self.state().file(path)?.is_some();
        let creates = matches!((how, is_there), (How::Create, _) | (How::WriteOrCreate, false));
        let kind = if creates { Kind::Create } else { Kind::Open };
        let node = self.plain(kind, At::Path(path), |state| match state.file(path)? {
            Some(file) => {
                if how != How::Read {
                    state.apply(Step::Open { file });
                }
                if how == How::Create {
                    state.apply(Step::SetLen { file, bytes: 0 });
                }
                Ok(file)
            }
            None if creates => state.make(path, false),
            None => Err(io::ErrorKind::NotFound.into()),
        })?;
        Ok(Arc::new(SimFile { disk: self.clone(), node, writes: how != How::Read }))
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        self.plain(Kind::Read, At::Path(directory), |state| {
            let names = &state.platter.cached[&state.directory(directory)?];
            Ok(names.keys().map(|name| directory.join(&**name)).collect())
        })
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.plain(Kind::Read, At::Path(path), |state| Ok(state.platter.node(path).is_some()))
    }

    fn create_directory(&self, directory: &Path) -> io::Result<()> {
        self.plain(Kind::CreateDirectory, At::Path(directory), |state| {
            match state.platter.node(directory) {
                Some(_) => Err(io::ErrorKind::AlreadyExists.into()),
                None => state.make(directory, true).map(drop),
            }
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step(Kind::Rename, At::Path(to), |state, fails| {
            let (from, to) = (state.place(from)?, state.place(to)?);
            state.platter.node_at(&from).ok_or(io::ErrorKind::NotFound)?;
            if let Some(node) = state.platter.node_at(&to)
                && state.platter.cached.get(&node).is_some_and(|names| !names.is_empty())
            {
                return Err(io::ErrorKind::DirectoryNotEmpty.into());
            }
            if fails.is_none() || state.random.random_bool(0.5) {
                state.apply(Step::Rename { from, to });
            }
            fails.map_or(Ok(()), |errno| Err(errno.error()))
        })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.step(Kind::Remove, At::Path(path), |state, fails| {
            let place = state.place(path)?;
            state.file(path)?.ok_or(io::ErrorKind::NotFound)?;
            if fails.is_none() || state.random.random_bool(0.5) {
                state.apply(Step::Remove { place });
            }
            fails.map_or(Ok(()), |errno| Err(errno.error()))
        })
    }

    fn remove_directory(&self, directory: &Path) -> io::Result<()> {
        self.plain(Kind::Remove, At::Path(directory), |state| {
            let (node, place) = (state.directory(directory)?, state.place(directory)?);
            state.remove_all(node, place);
            Ok(())
        })
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        self.step(Kind::SyncDirectory, At::Path(directory), |state, fails| {
            let directory = state.directory(directory)?;
            if fails.is_none() || state.random.random_bool(0.5) {
                state.apply(Step::SyncDirectory { directory });
            }
            fails.map_or(Ok(()), |errno| Err(errno.error()))
        })
    }

    fn space(&self, directory: &Path) -> io::Result<Space> {
        self.plain(Kind::Read, At::Path(directory), |state| {
            state.directory(directory)?;
            let Some(limit) = state.limit else { return Ok(state.space) };
            let available = limit.saturating_sub(state.platter.allocated());
            Ok(Space { available, total: limit })
        })
    }

    fn lock(&self, path: &Path) -> io::Result<Lock> {
        let file = self.open(path, How::WriteOrCreate)?;
        match self.state().locks.insert(path.to_owned()) {
            true => {
                Ok(Lock::new(SimLock { disk: self.clone(), path: path.to_owned(), _file: file }))
            }
            false => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("SimDisk").field("counts", &state.counts).finish_non_exhaustive()
    }
}
