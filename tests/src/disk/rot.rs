//! What happens to files while nobody writes them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::SimDisk;
use super::contents::{Contents, PAGE_BYTES};
use super::platter::{FileState, Platter};

/// The bytes of a file at some time.
#[derive(Debug, Clone)]
pub struct Saved(Arc<Contents>);

/// A file that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileInfo {
    /// Its path.
    pub path: PathBuf,
    /// Its length in bytes.
    pub bytes: u64,
    /// How much of it was ever written, in bytes.
    pub allocated: u64,
}

impl Saved {
    pub(super) fn of(platter: &Platter, path: &Path) -> Option<Self> {
        let file = platter.files.get(&platter.node(path)?)?;
        Some(Self(Arc::clone(&file.cached)))
    }

    /// Whether both hold the same bytes.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        let same = |number| self.0.page(number) == other.0.page(number);
        self.0.len() == other.0.len() && (0..self.0.n_pages()).all(same)
    }
}

impl SimDisk {
    /// All files, in the order of their paths.
    #[must_use]
    pub fn files(&self) -> Vec<FileInfo> {
        let state = self.state();
        let files = state.platter.paths().into_iter().map(|(path, node)| {
            let contents = &state.platter.file(node).cached;
            FileInfo { path, bytes: contents.len(), allocated: contents.allocated() }
        });
        files.collect()
    }

    /// Turns one bit of a file around. A page that was never written counts as zeros.
    pub fn flip(&self, path: &Path, bit: u64) {
        self.alter(path, |contents| {
            let mut byte = [0];
            if contents.read(bit / 8, &mut byte) {
                contents.write(bit / 8, &[byte[0] ^ (1 << (bit % 8))]);
            }
        });
    }

    /// Makes a page of 4 KiB zero.
    pub fn zero_page(&self, path: &Path, number: u64) {
        self.alter(path, |contents| contents.set_page(number, None));
    }

    /// Exchanges two pages of a file.
    pub fn swap_pages(&self, path: &Path, one: u64, other: u64) {
        self.alter(path, |contents| {
            let (first, second) = (contents.page(one), contents.page(other));
            contents.set_page(one, second);
            contents.set_page(other, first);
        });
    }

    /// Cuts a file off.
    pub fn truncate(&self, path: &Path, bytes: u64) {
        self.alter(path, |contents| contents.set_len(bytes.min(contents.len())));
    }

    /// A file as it is, to put it somewhere else.
    #[must_use]
    pub fn saved(&self, path: &Path) -> Option<Saved> {
        Saved::of(&self.state().platter, path)
    }

    /// Puts a file in the place of one that is there.
    pub fn put(&self, path: &Path, saved: &Saved) {
        self.alter(path, |contents| *contents = (*saved.0).clone());
    }

    /// Whether something was ever written to the page of a byte.
    #[must_use]
    pub fn is_written(&self, path: &Path, byte: u64) -> bool {
        self.saved(path).is_some_and(|saved| saved.0.page(byte / PAGE_BYTES).is_some())
    }

    /// Pages of a file, of 4 KiB.
    #[must_use]
    pub fn pages(&self, path: &Path) -> u64 {
        self.saved(path).map_or(0, |saved| saved.0.len().div_ceil(PAGE_BYTES))
    }

    /// Writes all files into a directory of the machine, to be looked at.
    ///
    /// # Errors
    /// What the system says.
    pub fn keep(&self, directory: &Path) -> std::io::Result<()> {
        for file in self.files() {
            let path = directory.join(file.path.strip_prefix("/").unwrap_or(&file.path));
            std::fs::create_dir_all(path.parent().unwrap_or(directory))?;
            std::fs::write(path, chancery::disk::read(self, &file.path)?)?;
        }
        Ok(())
    }

    /// A copy of the disk as it is now, for another machine: all of it is durable.
    #[must_use]
    pub fn copied(&self) -> Self {
        let mut platter = self.state().platter.clone();
        let next = platter.next();
        for file in platter.files.values_mut() {
            *file = FileState::settled(Arc::clone(&file.cached));
        }
        let mut settled = Platter::of(platter.files, platter.cached, next);
        settled.set_tracks(false);
        Self::of(settled, 0)
    }

    /// Whatever a file is, it is also on the disk.
    fn alter(&self, path: &Path, change: impl FnOnce(&mut Contents)) {
        let mut state = self.state();
        let Some(node) = state.platter.node(path) else { return };
        if let Some(file) = state.platter.files.get_mut(&node) {
            let mut contents = (*file.cached).clone();
            change(&mut contents);
            *file = FileState::settled(Arc::new(contents));
        }
    }
}
