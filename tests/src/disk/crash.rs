//! What a power loss can leave of a platter.
//!
//! What was synced is there. Of a file's bytes since then: nothing, everything,
//! some of the writes, or some of their sectors. Its length is one of those it had
//! since then. Of the names that changed: those up to some moment, of all
//! directories or of each by itself, or any of them, as long as changes of one name
//! stay in order.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand::Rng;

use super::contents::{Contents, SECTOR_BYTES};
use super::platter::{
    Change, Directories, FileState, NameChange, Node, Platter, ROOT, with_what_they_follow,
};

/// What is left of what was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Survival {
    /// Nothing of it.
    Nothing,
    /// All of it.
    Everything,
    /// Some of the writes, lengths and names.
    Writes,
    /// Some sectors of the writes, some lengths and names.
    Sectors,
    /// Of each file something else.
    Mixed,
}

impl Survival {
    /// Every one of them.
    pub const ALL: [Self; 5] =
        [Self::Nothing, Self::Everything, Self::Writes, Self::Sectors, Self::Mixed];

    fn of_one_file(self, random: &mut impl Rng) -> Self {
        match self {
            Self::Mixed => Self::ALL[random.random_range(0..4)],
            other => other,
        }
    }
}

impl Platter {
    /// What is on the disk after a power loss now.
    pub(super) fn lose(&self, survival: Survival, random: &mut impl Rng) -> Self {
        let kept = kept_names(&self.names, survival, random);
        let mut directories = self.durable.clone();
        for (change, kept) in self.names.iter().zip(kept) {
            if kept {
                change.apply(&mut directories);
            }
        }
        let (mut names, mut files) = (Directories::new(), BTreeMap::new());
        self.reach(ROOT, &directories, &mut names, &mut |node, file: &FileState| {
            let contents = file.survivor(survival.of_one_file(random), random);
            files.insert(node, FileState::settled(contents));
        });
        Self::of(files, names, self.next())
    }

    /// What can be found from a directory on.
    fn reach(
        &self,
        directory: Node,
        all: &Directories,
        names: &mut Directories,
        found: &mut dyn FnMut(Node, &FileState),
    ) {
        for node in all[&directory].values() {
            match self.files.get(node) {
                Some(file) => found(*node, file),
                None => self.reach(*node, all, names, found),
            }
        }
        names.insert(directory, Arc::clone(&all[&directory]));
    }
}

fn kept_names(changes: &[NameChange], survival: Survival, random: &mut impl Rng) -> Vec<bool> {
    match survival {
        Survival::Nothing => return vec![false; changes.len()],
        Survival::Everything => return vec![true; changes.len()],
        _ => {}
    }
    let chosen: Vec<bool> = match random.random_range(0..3) {
        // One journal of the file system for all of them.
        0 => {
            let cut = random.random_range(0..=changes.len());
            (0..changes.len()).map(|index| index < cut).collect()
        }
        // Each directory is written when it is.
        1 => {
            let mut cuts: BTreeMap<Node, usize> = BTreeMap::new();
            let mut cut_of = |directory| {
                *cuts.entry(directory).or_insert_with(|| random.random_range(0..=changes.len()))
            };
            let directory =
                |change: &NameChange| change.places().next().map_or(ROOT, |p| p.directory);
            let kept = changes.iter().enumerate();
            kept.map(|(index, change)| index < cut_of(directory(change))).collect()
        }
        _ => changes.iter().map(|_| random.random_bool(0.5)).collect(),
    };
    with_what_they_follow(changes, chosen)
}

impl FileState {
    fn survivor(&self, survival: Survival, random: &mut impl Rng) -> Arc<Contents> {
        if self.pending.is_empty() && self.limbo.is_empty() {
            return Arc::clone(&self.durable);
        }
        match survival {
            Survival::Nothing => Arc::clone(&self.durable),
            Survival::Everything => Arc::clone(&self.cached),
            Survival::Writes => Arc::new(self.some(false, random)),
            Survival::Sectors | Survival::Mixed => Arc::new(self.some(true, random)),
        }
    }

    fn some(&self, torn: bool, random: &mut impl Rng) -> Contents {
        let share = [0.1, 0.5, 0.9][random.random_range(0..3)];
        let mut contents = (*self.durable).clone();
        let dirty = self.dirty_pages();
        self.some_of_limbo(&mut contents, share, random, &|number| dirty.contains(&number));
        let mut lengths = random.random_range(0..=self.n_lengths());
        let mut length = contents.len();
        for change in &self.pending {
            let after = change.length_after(length);
            if after != length {
                length = after;
                if lengths > 0 {
                    lengths -= 1;
                    contents.set_len(length);
                }
            }
            if let Change::Write { offset, bytes } = change {
                match torn {
                    true => write_some_sectors(&mut contents, *offset, bytes, share, random),
                    false if random.random_bool(share) => contents.write_inside(*offset, bytes),
                    false => {}
                }
            }
        }
        self.some_of_limbo(&mut contents, share, random, &|number| !dirty.contains(&number));
        contents
    }

    /// How often its length changed since its last sync.
    fn n_lengths(&self) -> usize {
        let mut length = self.durable.len();
        let changes = self.pending.iter().filter(|change| {
            let after = change.length_after(length);
            std::mem::replace(&mut length, after) != after
        });
        changes.count()
    }

    fn some_of_limbo(
        &self,
        contents: &mut Contents,
        share: f64,
        random: &mut impl Rng,
        which: &dyn Fn(u64) -> bool,
    ) {
        for (number, page) in &self.limbo {
            if which(*number) && random.random_bool(share) {
                contents.set_page(*number, page.clone());
            }
        }
    }
}

fn write_some_sectors(
    contents: &mut Contents,
    offset: u64,
    bytes: &[u8],
    share: f64,
    random: &mut impl Rng,
) {
    let end = offset + bytes.len() as u64;
    let mut start = offset;
    while start < end {
        let stop = ((start / SECTOR_BYTES + 1) * SECTOR_BYTES).min(end);
        if random.random_bool(share) {
            contents
                .write_inside(start, &bytes[(start - offset) as usize..(stop - offset) as usize]);
        }
        start = stop;
    }
}
