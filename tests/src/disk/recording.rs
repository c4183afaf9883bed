//! Every step of a run, and the disks that a power loss at each of them leaves.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rand::Rng;

use super::fault::Kind;
use super::platter::{Node, Place, Platter, ROOT, Step};
use super::rot::Saved;
use super::{SimDisk, Survival};

/// What was done to a disk, from its beginning.
#[derive(Debug, Clone)]
pub struct Recording {
    base: Arc<Platter>,
    steps: Arc<[Step]>,
}

/// A step, for those who want to know what was going on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happened {
    /// Something was done to a file or directory.
    Did {
        /// What.
        kind: Kind,
        /// To which: the path it had last.
        path: PathBuf,
        /// Whether it failed, as far as that can be seen.
        failed: bool,
    },
    /// Somebody left a mark.
    Mark(Arc<str>),
}

/// A place in a recording.
#[derive(Debug, Clone)]
pub struct Walk {
    platter: Platter,
    steps: Arc<[Step]>,
    position: usize,
}

impl Recording {
    pub(super) fn new(base: Arc<Platter>, steps: Arc<[Step]>) -> Self {
        Self { base, steps }
    }

    /// How many steps there are.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.steps.len() as u64
    }

    /// Whether nothing was done.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Begins before the first step.
    #[must_use]
    pub fn walk(&self) -> Walk {
        Walk { platter: (*self.base).clone(), steps: Arc::clone(&self.steps), position: 0 }
    }

    /// All steps in words.
    #[must_use]
    pub fn happened(&self) -> Vec<Happened> {
        let mut names = Naming::of(&self.base);
        self.steps.iter().map(|step| names.happened(step)).collect()
    }
}

impl Walk {
    /// Takes the next step; false if there is none.
    pub fn advance(&mut self) -> bool {
        let Some(step) = self.steps.get(self.position) else { return false };
        self.platter.apply(step);
        self.position += 1;
        true
    }

    /// Goes on to a position.
    ///
    /// # Panics
    /// If it lies behind, or beyond the end.
    pub fn advance_to(&mut self, position: u64) {
        assert!(self.position() <= position, "a walk goes forward");
        while self.position() < position {
            assert!(self.advance(), "the recording ends before {position}");
        }
    }

    /// How many steps were taken.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position as u64
    }

    /// Whether a power loss here would lose nothing: then all images are the same.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.platter.is_quiet()
    }

    /// A disk as a power loss here could leave it.
    #[must_use]
    pub fn image(&self, survival: Survival, random: &mut impl Rng) -> SimDisk {
        let mut platter = self.platter.lose(survival, random);
        platter.set_tracks(false);
        SimDisk::of(platter, random.random())
    }

    /// The disk as the death of the process here leaves it: the system goes on with
    /// what it has in memory. It is recorded.
    #[must_use]
    pub fn killed(&self, random: &mut impl Rng) -> SimDisk {
        SimDisk::of(self.platter.clone(), random.random()).recorded()
    }

    /// A file as it is here, to put it somewhere else.
    #[must_use]
    pub fn saved(&self, path: &Path) -> Option<Saved> {
        Saved::of(&self.platter, path)
    }

    /// The files there are here.
    #[must_use]
    pub fn paths(&self) -> Vec<PathBuf> {
        self.platter.paths().into_iter().map(|(path, _)| path).collect()
    }
}

/// What each node was called last.
struct Naming(BTreeMap<Node, PathBuf>);

impl Naming {
    fn of(platter: &Platter) -> Self {
        let mut names = BTreeMap::from([(ROOT, PathBuf::from("/"))]);
        names.extend(platter.paths().into_iter().map(|(path, node)| (node, path)));
        let mut naming = Self(names);
        naming.directories(platter, ROOT);
        naming
    }

    fn directories(&mut self, platter: &Platter, directory: Node) {
        for (name, node) in platter.cached[&directory].iter() {
            if platter.cached.contains_key(node) {
                let path = self.0[&directory].join(&**name);
                self.0.insert(*node, path);
                self.directories(platter, *node);
            }
        }
    }

    fn path(&self, place: &Place) -> PathBuf {
        self.0[&place.directory].join(&*place.name)
    }

    fn happened(&mut self, step: &Step) -> Happened {
        let (kind, path, failed) = match step {
            Step::Mark(mark) => return Happened::Mark(Arc::clone(mark)),
            Step::Write { file, .. } => (Kind::Write, self.0[file].clone(), false),
            Step::SetLen { file, .. } => (Kind::SetLen, self.0[file].clone(), false),
            Step::Sync { file } => (Kind::Sync, self.0[file].clone(), false),
            Step::SyncFailed { file, .. } => (Kind::Sync, self.0[file].clone(), true),
            Step::Open { file } => (Kind::Open, self.0[file].clone(), false),
            Step::Make { place, node, is_directory } => {
                let path = self.path(place);
                self.0.insert(*node, path.clone());
                (if *is_directory { Kind::CreateDirectory } else { Kind::Create }, path, false)
            }
            Step::Rename { from, to } => {
                let (from, to) = (self.path(from), self.path(to));
                for path in self.0.values_mut() {
                    if let Ok(rest) = path.strip_prefix(&from) {
                        let renamed =
                            if rest.as_os_str().is_empty() { to.clone() } else { to.join(rest) };
                        *path = renamed;
                    }
                }
                (Kind::Rename, to, false)
            }
            Step::Remove { place } => (Kind::Remove, self.path(place), false),
            Step::SyncDirectory { directory } => {
                (Kind::SyncDirectory, self.0[directory].clone(), false)
            }
        };
        Happened::Did { kind, path, failed }
    }
}
