//! Files and directories, as far as anything durable is built on them.
//!
//! Everything that must survive a crash goes through a [`Disk`]: the log, the
//! checkpoints, the indexes, uploaded modules. [`Files`] is the machine's; tests
//! have one that remembers every step and can lose, tear and refuse.
//!
//! # What is assumed, and nothing more
//!
//! - What was written to a file is there after a crash once [`File::sync`] has
//!   returned `Ok`; before that, any part of it may be, down to single sectors of
//!   512 bytes, in any order. The same holds for its length.
//! - A write that is cut off changes no sector that it does not touch.
//! - Which names a directory has is there after a crash once [`Disk::sync_directory`]
//!   has returned `Ok`; before that, any of the changes may be. A rename is atomic.
//! - A sync that failed says nothing about what is on disk, and the next one that
//!   succeeds does not make up for it.
//! - What was written can be read back until the machine loses power, synced or not. So
//!   a killed process loses nothing it wrote, and nothing that is read is known to be
//!   durable for that.
//!
//! This module knows nothing of what is in the files.

use std::any::Any;
use std::fmt::Debug;
use std::fs::{self, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What holds files.
pub trait Disk: Send + Sync + Debug {
    /// Opens a file.
    ///
    /// # Errors
    /// What the system said; `NotFound` if it has to be there and is not.
    fn open(&self, path: &Path, how: How) -> io::Result<Arc<dyn File>>;

    /// The files and directories in a directory, in the order of their names.
    ///
    /// # Errors
    /// What the system said; `NotFound` if there is no such directory.
    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>>;

    /// Whether there is a file or directory of this name.
    ///
    /// # Errors
    /// What the system said.
    fn exists(&self, path: &Path) -> io::Result<bool>;

    /// Creates a directory in one that is there.
    ///
    /// # Errors
    /// What the system said; `AlreadyExists`.
    fn create_directory(&self, directory: &Path) -> io::Result<()>;

    /// Gives a file or directory another name, in place of a file that had it.
    ///
    /// # Errors
    /// What the system said.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// What the system said; `NotFound`.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Removes a directory and all that is in it.
    ///
    /// # Errors
    /// What the system said; `NotFound`.
    fn remove_directory(&self, directory: &Path) -> io::Result<()>;

    /// Makes the names in a directory durable.
    ///
    /// # Errors
    /// What the system said; what is durable is unknown then.
    fn sync_directory(&self, directory: &Path) -> io::Result<()>;

    /// How much room there is where this directory is.
    ///
    /// # Errors
    /// What the system said.
    fn space(&self, directory: &Path) -> io::Result<Space>;

    /// Takes a lock that no other process can have at the same time, and that ends
    /// with what is returned, or with the process.
    ///
    /// # Errors
    /// `WouldBlock` if another has it, else what the system said.
    fn lock(&self, path: &Path) -> io::Result<Lock>;
}

/// A lock, held for as long as this is.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "it is there to be held")] Box<dyn Held>);

/// What can be held.
pub trait Held: Any + Send + Sync + Debug {}

impl<T: Any + Send + Sync + Debug> Held for T {}

impl Lock {
    /// A lock that ends when `held` is dropped.
    pub fn new(held: impl Held) -> Self {
        Self(Box::new(held))
    }
}

/// A file that is open.
pub trait File: Send + Sync + Debug {
    /// Its length in bytes.
    ///
    /// # Errors
    /// What the system said.
    fn len(&self) -> io::Result<u64>;

    /// Whether it has no bytes.
    ///
    /// # Errors
    /// What the system said.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Fills `bytes` from this place.
    ///
    /// # Errors
    /// `UnexpectedEof` if the file ends before; else what the system said.
    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()>;

    /// Writes all of `bytes` at this place. Not durable before a sync.
    ///
    /// # Errors
    /// What the system said; any part may have been written.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Cuts the file off, or lengthens it with zeros. Not durable before a sync.
    ///
    /// # Errors
    /// What the system said.
    fn set_len(&self, bytes: u64) -> io::Result<()>;

    /// Makes contents and length durable.
    ///
    /// # Errors
    /// What the system said; what is durable is unknown then.
    fn sync(&self) -> io::Result<()>;
}

/// What a file is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Reading; it has to be there.
    Read,
    /// Reading and writing; it has to be there.
    Write,
    /// Reading and writing; created if it is not there.
    WriteOrCreate,
    /// Reading and writing; created, or emptied if it is there.
    Create,
}

/// How much room there is, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// What this process may still write.
    pub available: u64,
    /// What there is in all.
    pub total: u64,
}

/// The machine's own file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct Files;

impl Disk for Files {
    fn open(&self, path: &Path, how: How) -> io::Result<Arc<dyn File>> {
        let mut options = OpenOptions::new();
        options.read(true).write(how != How::Read);
        options.create(matches!(how, How::Create | How::WriteOrCreate));
        let file = options.truncate(how == How::Create).open(path)?;
        Ok(Arc::new(file))
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        let names = fs::read_dir(directory)?.map(|name| name.map(|name| name.path()));
        let mut names: Vec<PathBuf> = names.collect::<io::Result<_>>()?;
        names.sort();
        Ok(names)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        path.try_exists()
    }

    fn create_directory(&self, directory: &Path) -> io::Result<()> {
        fs::create_dir(directory)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_directory(&self, directory: &Path) -> io::Result<()> {
        fs::remove_dir_all(directory)
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        fs::File::open(or_here(directory))?.sync_all()
    }

    fn space(&self, directory: &Path) -> io::Result<Space> {
        let found = rustix::fs::statvfs(or_here(directory))?;
        let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
        Ok(Space { available: bytes(found.f_bavail), total: bytes(found.f_blocks) })
    }

    fn lock(&self, path: &Path) -> io::Result<Lock> {
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Lock::new(file)),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

impl File for fs::File {
    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.read_exact_at(bytes, offset)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.set_len(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}

/// All bytes of a file.
///
/// # Errors
/// What the disk said; `NotFound` if it is not there.
pub fn read(disk: &dyn Disk, path: &Path) -> io::Result<Vec<u8>> {
    let file = disk.open(path, How::Read)?;
    let length = usize::try_from(file.len()?).map_err(io::Error::other)?;
    let mut bytes = vec![0; length];
    file.read_at(0, &mut bytes)?;
    Ok(bytes)
}

/// Writes a file so that after a crash it is there whole, or as it was before, or
/// not at all. `draft` is a name beside it that nobody else uses meanwhile.
///
/// # Errors
/// What the disk said; which of the three it is, is unknown then.
pub fn write_whole(disk: &dyn Disk, path: &Path, draft: &Path, bytes: &[u8]) -> io::Result<()> {
    let file = disk.open(draft, How::Create)?;
    file.write_at(0, bytes)?;
    file.sync()?;
    drop(file);
    finish(disk, draft, path)
}

/// Writes a file's bytes over themselves and syncs, so that what reading it shows is
/// what the disk has.
///
/// After a failed sync the system may keep pages in memory as if they had been
/// written, and after a killed process it has pages that never were. To rely on those
/// would promise what a power failure takes away. The same bytes in the same place
/// are safe to write: cut off anywhere, a sector is as it was or as it should have
/// been.
///
/// # Errors
/// What the disk said.
pub fn write_in_place(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    const COPY_BYTES: u64 = 1 << 20;
    let file = disk.open(path, How::Write)?;
    let length = file.len()?;
    let mut offset = 0;
    while offset < length {
        let bytes = usize::try_from(COPY_BYTES.min(length - offset)).map_err(io::Error::other)?;
        let mut buffer = vec![0; bytes];
        file.read_at(offset, &mut buffer)?;
        file.write_at(offset, &buffer)?;
        offset += COPY_BYTES;
    }
    file.sync()
}

/// Gives a file that is complete and synced its name, durably.
///
/// # Errors
/// What the disk said.
pub fn finish(disk: &dyn Disk, draft: &Path, path: &Path) -> io::Result<()> {
    disk.rename(draft, path)?;
    disk.sync_directory(parent(path))
}

/// Creates a directory and those above it that are missing, durably.
///
/// # Errors
/// What the disk said.
pub fn create_directories(disk: &dyn Disk, directory: &Path) -> io::Result<()> {
    let mut missing = Vec::new();
    for directory in directory.ancestors() {
        if directory.as_os_str().is_empty() || disk.exists(directory)? {
            break;
        }
        missing.push(directory);
    }
    for directory in missing.into_iter().rev() {
        match disk.create_directory(directory) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => disk.sync_directory(parent(directory))?,
        }
    }
    Ok(())
}

/// The directory of a path, which for a bare name is the current one.
#[must_use]
pub fn parent(path: &Path) -> &Path {
    or_here(path.parent().unwrap_or(path))
}

fn or_here(directory: &Path) -> &Path {
    if directory.as_os_str().is_empty() { Path::new(".") } else { directory }
}
