//! What a process holds of a simulated disk: open files and locks.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use chancery::disk::File;
use rand::Rng;

use super::fault::{Errno, Kind};
use super::platter::{Node, Step};
use super::{At, SimDisk};

#[derive(Debug)]
pub(super) struct SimFile {
    pub(super) disk: SimDisk,
    pub(super) node: Node,
    pub(super) writes: bool,
}

impl SimFile {
    fn check_writes(&self) -> io::Result<()> {
        match self.writes {
            true => Ok(()),
            false => Err(io::Error::from_raw_os_error(libc::EBADF)),
        }
    }
}

impl File for SimFile {
    fn len(&self) -> io::Result<u64> {
        self.disk.plain(Kind::Read, At::File(self.node), |state| {
            Ok(state.platter.file(self.node).cached.len())
        })
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.disk.plain(Kind::Read, At::File(self.node), |state| {
            match state.platter.file(self.node).cached.read(offset, bytes) {
                true => Ok(()),
                false => Err(io::ErrorKind::UnexpectedEof.into()),
            }
        })
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.check_writes()?;
        self.disk.step(Kind::Write, At::File(self.node), |state, mut fails| {
            if !state.has_room(self.node, offset, bytes) {
                fails = Some(Errno::NoSpace);
            }
            match fails {
                None => state.write(self.node, offset, bytes),
                // Of what finds no room, nothing is simplest.
                Some(Errno::NoSpace) if state.limit.is_some() => {}
                Some(_) => state.write_partly(self.node, offset, bytes),
            }
            fails.map_or(Ok(()), |errno| Err(errno.error()))
        })
    }

    fn set_len(&self, bytes: u64) -> io::Result<()> {
        self.check_writes()?;
        self.disk.step(Kind::SetLen, At::File(self.node), |state, fails| {
            if fails.is_none() || state.random.random_bool(0.5) {
                state.apply(Step::SetLen { file: self.node, bytes });
            }
            fails.map_or(Ok(()), |errno| Err(errno.error()))
        })
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.step(Kind::Sync, At::File(self.node), |state, fails| match fails {
            None => {
                state.apply(Step::Sync { file: self.node });
                Ok(())
            }
            Some(errno) => {
                state.fail_sync(self.node);
                Err(errno.error())
            }
        })
    }
}

/// A lock that ends with it.
#[derive(Debug)]
pub(super) struct SimLock {
    pub(super) disk: SimDisk,
    pub(super) path: PathBuf,
    pub(super) _file: Arc<dyn File>,
}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.disk.state().locks.remove(&self.path);
    }
}
