//! A disk in memory that can stop after so many steps, and then have everything that
//! was written, or only what was synced.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::disk::{Disk, File, How, Lock, Space};

#[derive(Debug, Default)]
pub(super) struct Machine(Arc<Mutex<Inside>>);

#[derive(Debug, Default)]
struct Inside {
    names: BTreeMap<PathBuf, usize>,
    names_synced: BTreeMap<PathBuf, usize>,
    files: Vec<Contents>,
    /// Steps until it stops; none for never.
    steps: Option<u64>,
}

#[derive(Debug, Default, Clone)]
struct Contents {
    now: Vec<u8>,
    synced: Vec<u8>,
}

/// What is there after a crash.
#[derive(Debug, Clone, Copy)]
pub(super) enum After {
    /// The process died.
    Kill,
    /// The machine lost its power, and whatever could be lost.
    PowerLoss,
}

impl Machine {
    pub(super) fn stop_after(&self, steps: u64) {
        self.0.lock().unwrap().steps = Some(steps);
    }

    pub(super) fn steps_left(&self) -> Option<u64> {
        self.0.lock().unwrap().steps
    }

    /// Starts again after a crash.
    pub(super) fn restart(&self, after: After) {
        let mut inside = self.0.lock().unwrap();
        inside.steps = None;
        if let After::PowerLoss = after {
            inside.names = inside.names_synced.clone();
            for file in &mut inside.files {
                file.now = file.synced.clone();
            }
        }
    }

    pub(super) fn names(&self) -> Vec<PathBuf> {
        self.0.lock().unwrap().names.keys().cloned().collect()
    }

    pub(super) fn alter(&self, path: &Path, alter: impl FnOnce(&mut Vec<u8>)) {
        let mut inside = self.0.lock().unwrap();
        let file = inside.names[path];
        alter(&mut inside.files[file].now);
    }

    pub(super) fn copy(&self) -> Arc<Self> {
        let inside = self.0.lock().unwrap();
        let copy = Inside {
            names: inside.names.clone(),
            names_synced: inside.names_synced.clone(),
            files: inside.files.clone(),
            steps: None,
        };
        Arc::new(Self(Arc::new(Mutex::new(copy))))
    }
}

impl Inside {
    fn step(&mut self) -> io::Result<()> {
        match self.steps.as_mut() {
            Some(0) => Err(io::Error::other("stopped")),
            Some(steps) => {
                *steps -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn file(&self, path: &Path) -> io::Result<usize> {
        self.names.get(path).copied().ok_or_else(|| ErrorKind::NotFound.into())
    }
}

impl Disk for Machine {
    fn open(&self, path: &Path, how: How) -> io::Result<Arc<dyn File>> {
        let mut inside = self.0.lock().unwrap();
        let file = match (how, inside.file(path)) {
            (How::Read | How::Write, found) => found?,
            (How::WriteOrCreate, Ok(found)) => found,
            (_, found) => {
                inside.step()?;
                match found {
                    Ok(found) => inside.files[found].now.clear(),
                    Err(_) => inside.files.push(Contents::default()),
                }
                let file = found.unwrap_or(inside.files.len() - 1);
                inside.names.insert(path.into(), file);
                file
            }
        };
        Ok(Arc::new(Open { inside: Arc::clone(&self.0), file }))
    }

    fn list(&self, _: &Path) -> io::Result<Vec<PathBuf>> {
        Ok(self.names())
    }

    fn exists(&self, _: &Path) -> io::Result<bool> {
        Ok(true)
    }

    fn create_directory(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut inside = self.0.lock().unwrap();
        inside.step()?;
        let file = inside.file(from)?;
        inside.names.remove(from);
        inside.names.insert(to.into(), file);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut inside = self.0.lock().unwrap();
        inside.step()?;
        inside.file(path)?;
        inside.names.remove(path);
        Ok(())
    }

    fn remove_directory(&self, _: &Path) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }

    fn sync_directory(&self, _: &Path) -> io::Result<()> {
        let mut inside = self.0.lock().unwrap();
        inside.step()?;
        inside.names_synced = inside.names.clone();
        Ok(())
    }

    fn space(&self, _: &Path) -> io::Result<Space> {
        Err(ErrorKind::Unsupported.into())
    }

    fn lock(&self, _: &Path) -> io::Result<Lock> {
        Err(ErrorKind::Unsupported.into())
    }
}

#[derive(Debug)]
struct Open {
    inside: Arc<Mutex<Inside>>,
    file: usize,
}

impl File for Open {
    fn len(&self) -> io::Result<u64> {
        Ok(self.inside.lock().unwrap().files[self.file].now.len() as u64)
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        let inside = self.inside.lock().unwrap();
        let offset = usize::try_from(offset).unwrap();
        let found = inside.files[self.file].now.get(offset..offset + bytes.len());
        bytes.copy_from_slice(found.ok_or(ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut inside = self.inside.lock().unwrap();
        inside.step()?;
        let offset = usize::try_from(offset).unwrap();
        let now = &mut inside.files[self.file].now;
        now.resize(now.len().max(offset + bytes.len()), 0);
        now[offset..offset + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, _: u64) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }

    fn sync(&self) -> io::Result<()> {
        let mut inside = self.inside.lock().unwrap();
        inside.step()?;
        let file = &mut inside.files[self.file];
        file.synced = file.now.clone();
        Ok(())
    }
}
