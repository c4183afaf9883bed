//! What a machine has in memory of its files, what of that is on its disk, and
//! what is on the way between the two. Steps are applied to it one by one; what a
//! power loss leaves of it is `crash`'s business.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::contents::{Contents, PAGE_BYTES, Page};

/// A file or directory, whatever its name.
pub(super) type Node = u32;

/// The directory in which all others are.
pub(super) const ROOT: Node = 0;

/// The names in a directory.
pub(super) type Names = Arc<BTreeMap<Arc<str>, Node>>;

/// A name in a directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) directory: Node,
    pub(super) name: Arc<str>,
}

/// Something that was done to the files.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Write {
        file: Node,
        offset: u64,
        bytes: Arc<[u8]>,
    },
    SetLen {
        file: Node,
        bytes: u64,
    },
    Sync {
        file: Node,
    },
    /// What was not durable may be or not, and no later sync changes that; of the
    /// pages named here the memory has again what the disk had.
    SyncFailed {
        file: Node,
        evicted: Arc<[u64]>,
    },
    Make {
        place: Place,
        node: Node,
        is_directory: bool,
    },
    Rename {
        from: Place,
        to: Place,
    },
    Remove {
        place: Place,
    },
    SyncDirectory {
        directory: Node,
    },
    /// Changes nothing: somebody opened a file to write to it.
    Open {
        file: Node,
    },
    /// Changes nothing: somebody wanted to be able to find this place.
    Mark(Arc<str>),
}

/// A change of a file that is not durable.
#[derive(Debug, Clone)]
pub(super) enum Change {
    Write { offset: u64, bytes: Arc<[u8]> },
    SetLen(u64),
}

/// A change of names that is not durable.
#[derive(Debug, Clone)]
pub(super) enum NameChange {
    Set { place: Place, node: Node },
    Rename { from: Place, to: Place, node: Node },
    Unset { place: Place, node: Node },
}

/// A file.
#[derive(Debug, Clone, Default)]
pub(super) struct FileState {
    /// What reading it shows.
    pub(super) cached: Arc<Contents>,
    /// What its last sync left.
    pub(super) durable: Arc<Contents>,
    /// What happened since, in order.
    pub(super) pending: Vec<Change>,
    /// Pages that a failed sync marked as clean: on the disk or not, for ever.
    pub(super) limbo: BTreeMap<u64, Page>,
}

/// The names in all directories.
pub(super) type Directories = BTreeMap<Node, Names>;

/// All files and directories.
#[derive(Debug, Clone)]
pub(super) struct Platter {
    pub(super) files: BTreeMap<Node, FileState>,
    /// The names that the process sees.
    pub(super) cached: Directories,
    /// Those that are on the disk.
    pub(super) durable: Directories,
    /// What is on the way between the two, of all directories, in order.
    pub(super) names: Vec<NameChange>,
    next: Node,
    /// Whether anybody will ask what is durable. If not, everything is at once.
    tracks: bool,
}

impl Platter {
    pub(super) fn new() -> Self {
        Self::of(BTreeMap::new(), BTreeMap::from([(ROOT, Names::default())]), ROOT + 1)
    }

    /// A platter of what is durable here and nothing else.
    pub(super) fn of(
        files: BTreeMap<Node, FileState>,
        directories: Directories,
        next: Node,
    ) -> Self {
        let (durable, cached) = (directories.clone(), directories);
        Self { files, cached, durable, names: Vec::new(), next, tracks: true }
    }

    /// The number that the next file gets.
    pub(super) fn next(&self) -> Node {
        self.next
    }

    pub(super) fn set_tracks(&mut self, tracks: bool) {
        self.tracks = tracks;
    }

    /// Whether a power loss now would lose nothing.
    pub(super) fn is_quiet(&self) -> bool {
        let quiet = |file: &FileState| file.pending.is_empty() && file.limbo.is_empty();
        self.names.is_empty() && self.files.values().all(quiet)
    }

    pub(super) fn apply(&mut self, step: &Step) {
        match step {
            Step::Write { file, offset, bytes } => {
                let change = Change::Write { offset: *offset, bytes: Arc::clone(bytes) };
                self.change(*file, change);
            }
            Step::SetLen { file, bytes } => self.change(*file, Change::SetLen(*bytes)),
            Step::Sync { file } => self.file_mut(*file).sync(),
            Step::SyncFailed { file, evicted } => self.file_mut(*file).fail_sync(evicted),
            Step::Make { place, node, is_directory } => {
                self.next = self.next.max(node + 1);
                match is_directory {
                    true => {
                        self.cached.insert(*node, Names::default());
                        self.durable.insert(*node, Names::default());
                    }
                    false => drop(self.files.insert(*node, FileState::default())),
                }
                self.rename(NameChange::Set { place: place.clone(), node: *node });
            }
            Step::Rename { from, to } => {
                let node = self.node_at(from).expect("what is renamed is there");
                self.rename(NameChange::Rename { from: from.clone(), to: to.clone(), node });
            }
            Step::Remove { place } => {
                let node = self.node_at(place).expect("what is removed is there");
                self.rename(NameChange::Unset { place: place.clone(), node });
            }
            Step::SyncDirectory { directory } => self.sync_directory(*directory),
            Step::Open { .. } | Step::Mark(_) => {}
        }
    }

    fn change(&mut self, file: Node, change: Change) {
        let tracks = self.tracks;
        let file = self.file_mut(file);
        change.apply(Arc::make_mut(&mut file.cached));
        if tracks {
            file.pending.push(change);
        }
    }

    fn rename(&mut self, change: NameChange) {
        change.apply(&mut self.cached);
        if self.tracks {
            self.names.push(change);
        }
    }

    /// Makes durable what concerns a directory, and what that cannot be without:
    /// earlier changes of the same names elsewhere.
    fn sync_directory(&mut self, directory: Node) {
        let concerns =
            |change: &NameChange| change.places().any(|place| place.directory == directory);
        let wanted: Vec<bool> = self.names.iter().map(concerns).collect();
        let wanted = with_what_they_follow(&self.names, wanted);
        let mut kept = Vec::new();
        for (change, wanted) in std::mem::take(&mut self.names).into_iter().zip(wanted) {
            match wanted {
                true => change.apply(&mut self.durable),
                false => kept.push(change),
            }
        }
        self.names = kept;
    }

    fn file_mut(&mut self, file: Node) -> &mut FileState {
        self.files.get_mut(&file).expect("a file")
    }

    pub(super) fn file(&self, file: Node) -> &FileState {
        self.files.get(&file).expect("a file")
    }

    /// Where a path leads: the directory it is in and its name there; none for the
    /// root, and if a directory on the way is missing.
    pub(super) fn place(&self, path: &Path) -> Option<Place> {
        let mut names = names_of(path);
        let name = names.pop()?;
        let mut directory = ROOT;
        for name in names {
            directory = self.node_at(&Place { directory, name: name.into() })?;
            self.cached.get(&directory)?;
        }
        Some(Place { directory, name: name.into() })
    }

    /// What has this path, as the process sees it.
    pub(super) fn node(&self, path: &Path) -> Option<Node> {
        match names_of(path).is_empty() {
            true => Some(ROOT),
            false => self.node_at(&self.place(path)?),
        }
    }

    pub(super) fn node_at(&self, place: &Place) -> Option<Node> {
        self.cached.get(&place.directory)?.get(&place.name).copied()
    }

    /// All files that have a name, with their paths, in order.
    pub(super) fn paths(&self) -> Vec<(PathBuf, Node)> {
        let mut paths = Vec::new();
        self.collect(ROOT, &PathBuf::from("/"), &mut paths);
        paths
    }

    fn collect(&self, directory: Node, at: &Path, paths: &mut Vec<(PathBuf, Node)>) {
        for (name, node) in self.cached[&directory].iter() {
            let path = at.join(&**name);
            match self.cached.contains_key(node) {
                true => self.collect(*node, &path, paths),
                false => paths.push((path, *node)),
            }
        }
    }

    /// What all files take that have a name, in bytes.
    pub(super) fn allocated(&self) -> u64 {
        self.paths().iter().map(|(_, node)| self.file(*node).cached.allocated()).sum()
    }
}

impl FileState {
    /// A file of which nothing is on the way.
    pub(super) fn settled(contents: Arc<Contents>) -> Self {
        let (durable, cached) = (Arc::clone(&contents), contents);
        Self { cached, durable, pending: Vec::new(), limbo: BTreeMap::new() }
    }

    fn sync(&mut self) {
        if self.limbo.is_empty() {
            self.durable = Arc::clone(&self.cached);
            self.pending.clear();
            return;
        }
        let dirty = self.dirty();
        let durable = Arc::make_mut(&mut self.durable);
        for change in self.pending.drain(..) {
            if let Change::SetLen(length) = change {
                durable.set_len(length);
            }
        }
        durable.set_len(self.cached.len());
        for number in dirty {
            durable.set_page(number, self.cached.page(number));
            self.limbo.remove(&number);
        }
    }

    /// The pages that were written since the last sync.
    fn dirty(&self) -> BTreeSet<u64> {
        let mut dirty = BTreeSet::new();
        for change in &self.pending {
            if let Change::Write { offset, bytes } = change {
                let end = offset + bytes.len() as u64;
                dirty.extend(offset / PAGE_BYTES..end.div_ceil(PAGE_BYTES));
            }
        }
        dirty
    }

    /// Of bytes nobody will ever know; lengths are still on their way.
    fn fail_sync(&mut self, evicted: &[u64]) {
        for number in self.dirty() {
            match evicted.contains(&number) {
                true => {
                    let durable = self.durable.page(number);
                    Arc::make_mut(&mut self.cached).set_page(number, durable);
                    self.limbo.remove(&number);
                }
                false => drop(self.limbo.insert(number, self.cached.page(number))),
            }
        }
        let before = self.durable.len();
        let mut lengths = vec![];
        let mut length = before;
        for change in &self.pending {
            let after = change.length_after(length);
            if after != length {
                lengths.push(Change::SetLen(after));
                length = after;
            }
        }
        self.pending = lengths;
    }

    /// Its dirty pages, for whoever decides which of them are evicted.
    pub(super) fn dirty_pages(&self) -> Vec<u64> {
        self.dirty().into_iter().collect()
    }
}

impl Change {
    pub(super) fn apply(&self, contents: &mut Contents) {
        match self {
            Self::Write { offset, bytes } => contents.write(*offset, bytes),
            Self::SetLen(length) => contents.set_len(*length),
        }
    }

    /// How long a file of some length is after it.
    pub(super) fn length_after(&self, before: u64) -> u64 {
        match self {
            Self::Write { offset, bytes } => before.max(offset + bytes.len() as u64),
            Self::SetLen(length) => *length,
        }
    }
}

impl NameChange {
    pub(super) fn places(&self) -> impl Iterator<Item = &Place> {
        let (one, other) = match self {
            Self::Set { place, .. } | Self::Unset { place, .. } => (place, None),
            Self::Rename { from, to, .. } => (from, Some(to)),
        };
        std::iter::once(one).chain(other)
    }

    pub(super) fn apply(&self, directories: &mut Directories) {
        match self {
            Self::Set { place, node } => set(directories, place, *node),
            Self::Unset { place, node } => unset(directories, place, *node),
            Self::Rename { from, to, node } => {
                unset(directories, from, *node);
                set(directories, to, *node);
            }
        }
    }
}

fn set(directories: &mut Directories, place: &Place, node: Node) {
    let names = directories.get_mut(&place.directory).expect("a directory");
    Arc::make_mut(names).insert(Arc::clone(&place.name), node);
}

fn unset(directories: &mut Directories, place: &Place, node: Node) {
    let names = directories.get_mut(&place.directory).expect("a directory");
    if names.get(&place.name) == Some(&node) {
        Arc::make_mut(names).remove(&place.name);
    }
}

/// Adds to chosen changes of names the earlier ones of the same names: a file system
/// may lose the one or the other, but not turn them around.
pub(super) fn with_what_they_follow(changes: &[NameChange], mut chosen: Vec<bool>) -> Vec<bool> {
    let mut needed: BTreeSet<&Place> = BTreeSet::new();
    for (change, chosen) in changes.iter().zip(&mut chosen).rev() {
        *chosen |= change.places().any(|place| needed.contains(place));
        if *chosen {
            needed.extend(change.places());
        }
    }
    chosen
}

fn names_of(path: &Path) -> Vec<&str> {
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => names.push(name.to_str().expect("names are text")),
            Component::RootDir | Component::CurDir => {}
            Component::ParentDir | Component::Prefix(_) => {
                panic!("{} is not plain", path.display())
            }
        }
    }
    names
}
