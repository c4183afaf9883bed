//! Reading: which of the two files to trust, and the checkpoint in it.

use std::path::Path;

use super::error::Error;
use super::file::Opened;
use super::{Checkpoint, Checkpoints, Examined, Generation, Loaded, Progress, Refused, Verified};
use crate::disk::Disk;
use crate::pages::Pages;
use crate::state::{Checker, ChunkRef, Loader, State, Table};

/// What redb may cache while it repairs a file.
const REPAIR_CACHE_BYTES: usize = 16 << 20;

/// A generation as it was found.
#[derive(Debug)]
pub(super) enum Found {
    /// It is not there.
    Missing,
    /// It cannot be used.
    Refused(Error),
    /// Its root is whole; the rest has not been looked at.
    Readable(Box<Opened>),
}

impl Checkpoints {
    /// Loads the newest checkpoint that is whole, and checks all of it on the way.
    ///
    /// A file that a crash cut off is used only if the other is of no use: it is
    /// repaired then, and is as it was before it was last written.
    ///
    /// # Errors
    /// [`Error::NoneWhole`] if there are two files and neither can be used;
    /// [`Error::Failed`] if the disk cannot be read, which says nothing about what is
    /// on it.
    pub fn load(&self, progress: &mut Progress<'_>) -> Result<Loaded, Error> {
        let mut refused = Vec::new();
        let mut found = Vec::new();
        for generation in Generation::BOTH {
            match self.look(generation)? {
                Found::Missing => {}
                Found::Refused(reason) => refused.push((generation, reason)),
                Found::Readable(opened) => found.push((generation, opened)),
            }
        }
        let unclean = |reason: &Error| matches!(reason, Error::Unclean { .. });
        if let Some(loaded) = self.load_newest(found, &mut refused, progress)? {
            return Ok(self.loaded(loaded, refused));
        }
        let mut found = Vec::new();
        for (generation, reason) in
            refused.extract_if(.., |(_, reason)| unclean(reason)).collect::<Vec<_>>()
        {
            tracing::warn!(%reason, "no other checkpoint can be used: repairing this one");
            match self.repair(generation).and_then(|()| self.look(generation)) {
                Ok(Found::Readable(opened)) => found.push((generation, opened)),
                Ok(Found::Missing) => {}
                Ok(Found::Refused(reason)) => refused.push((generation, reason)),
                Err(error) if error.is_refusal() => refused.push((generation, error)),
                Err(error) => return Err(error),
            }
        }
        if let Some(loaded) = self.load_newest(found, &mut refused, progress)? {
            return Ok(self.loaded(loaded, refused));
        }
        let refused = self.refused(refused);
        if refused.len() == Generation::BOTH.len() {
            return Err(Error::NoneWhole { refused });
        }
        Ok(Loaded { checkpoint: None, generation: None, other: None, refused })
    }

    /// Reads and checks all of a generation.
    ///
    /// # Errors
    /// What is wrong with it; [`Error::Missing`]; [`Error::Failed`].
    pub fn verify(
        &self,
        generation: Generation,
        progress: &mut Progress<'_>,
    ) -> Result<Verified, Error> {
        let verified = verify(&*self.disk, &self.path(generation), progress);
        match &verified {
            Ok(verified) => self.set_verified(generation, Some(verified.start)),
            // Whatever it was before, the log must not be trimmed because of it.
            Err(_) => self.set_verified(generation, None),
        }
        verified
    }

    /// Reads and checks all of a generation, and touches nothing: one that was not
    /// closed cleanly is repaired in memory.
    ///
    /// # Errors
    /// What is wrong with it; [`Error::Missing`]; [`Error::Failed`].
    pub fn examine(
        &self,
        generation: Generation,
        progress: &mut Progress<'_>,
    ) -> Result<Examined, Error> {
        let (opened, is_clean) = Opened::open_aside(&*self.disk, &self.path(generation))?;
        let verified = verify_opened(&opened, progress)?;
        Ok(Examined { verified, sequence: opened.root.step.sequence, is_clean })
    }

    /// Loads one generation, and touches nothing, as [`examine`](Self::examine).
    ///
    /// # Errors
    /// As there.
    pub fn read(
        &self,
        generation: Generation,
        progress: &mut Progress<'_>,
    ) -> Result<Checkpoint, Error> {
        let (opened, _) = Opened::open_aside(&*self.disk, &self.path(generation))?;
        checkpoint(&opened, progress)
    }

    /// How a generation is found. Errors are the machine's.
    pub(super) fn look(&self, generation: Generation) -> Result<Found, Error> {
        match Opened::open(&*self.disk, &self.path(generation)) {
            Ok(opened) => Ok(Found::Readable(Box::new(opened))),
            Err(Error::Missing { .. }) => Ok(Found::Missing),
            Err(error) if error.is_refusal() => Ok(Found::Refused(error)),
            Err(error) => Err(error),
        }
    }

    /// Loads the newest that is whole of those that can be read.
    fn load_newest(
        &self,
        mut found: Vec<(Generation, Box<Opened>)>,
        refused: &mut Vec<(Generation, Error)>,
        progress: &mut Progress<'_>,
    ) -> Result<Option<Whole>, Error> {
        found.sort_by_key(|(_, opened)| age(opened));
        while let Some((generation, opened)) = found.pop() {
            match checkpoint(&opened, progress) {
                Ok(checkpoint) => {
                    let other = found.first().map(|(_, opened)| opened.root.start);
                    return Ok(Some(Whole { checkpoint, generation, other }));
                }
                Err(error) if error.is_refusal() => refused.push((generation, error)),
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    fn loaded(&self, whole: Whole, refused: Vec<(Generation, Error)>) -> Loaded {
        let Whole { checkpoint, generation, other } = whole;
        self.set_verified(generation, Some(checkpoint.start));
        Loaded {
            checkpoint: Some(checkpoint),
            generation: Some(generation),
            other,
            refused: self.refused(refused),
        }
    }

    fn refused(&self, refused: Vec<(Generation, Error)>) -> Vec<Refused> {
        let refused = refused.into_iter();
        refused.map(|(at, reason)| Refused { path: self.path(at), reason }).collect()
    }

    fn repair(&self, generation: Generation) -> Result<(), Error> {
        let pages = Pages::open(&*self.disk, &self.path(generation), REPAIR_CACHE_BYTES)?;
        Ok(pages.close(&*self.disk)?)
    }
}

/// A checkpoint that was loaded, and where the other one starts.
struct Whole {
    checkpoint: Checkpoint,
    generation: Generation,
    other: Option<crate::log::Start>,
}

/// By what the newer of two generations is told.
pub(super) fn age(opened: &Opened) -> (u64, u64) {
    (opened.root.start.tail.number, opened.root.step.sequence.0)
}

/// Loads a generation, or says why it cannot be.
fn checkpoint(opened: &Opened, progress: &mut Progress<'_>) -> Result<Checkpoint, Error> {
    let root = &opened.root;
    let mut loaders: Vec<Loader> = root.tables.iter().map(|_| Loader::default()).collect();
    opened.read_all(progress, &mut |index, info, stored| {
        let chunk = ChunkRef {
            lower: &info.lower,
            rows: &stored.rows,
            changed: &stored.changed,
            deleted: stored.deleted,
        };
        Ok(loaders.get_mut(index).map_or(Ok(()), |loader| loader.add(chunk))?)
    })?;
    let mut tables = Vec::with_capacity(loaders.len());
    for (loader, table) in loaders.into_iter().zip(&root.tables) {
        let name = &table.name;
        let refuse = |what| opened.damaged(format!("table {name}: {what}"));
        let loaded: Table = loader.finish().map_err(refuse)?;
        if (loaded.rows(), loaded.bytes()) != (table.rows, table.bytes) {
            return Err(refuse("it has not the rows that the root says".into()));
        }
        tables.push((name.clone(), loaded));
    }
    let state = State::loaded(root.step, tables);
    Ok(Checkpoint { start: root.start, state, attempts: root.attempts.clone() })
}

/// Reads and checks all of a file, and keeps nothing.
pub(super) fn verify(
    disk: &dyn Disk,
    path: &Path,
    progress: &mut Progress<'_>,
) -> Result<Verified, Error> {
    verify_opened(&Opened::open(disk, path)?, progress)
}

fn verify_opened(opened: &Opened, progress: &mut Progress<'_>) -> Result<Verified, Error> {
    let root = &opened.root;
    let mut found: Vec<_> = root.tables.iter().map(|_| (Checker::default(), 0, 0)).collect();
    let bytes = opened.read_all(progress, &mut |index, info, stored| {
        let chunk = ChunkRef {
            lower: &info.lower,
            rows: &stored.rows,
            changed: &stored.changed,
            deleted: stored.deleted,
        };
        if let Some((checker, rows, bytes)) = found.get_mut(index) {
            checker.check(chunk)?;
            *rows += chunk.changed.len() as u64;
            *bytes += chunk.rows.len() as u64;
        }
        Ok(())
    })?;
    for ((_, rows, bytes), table) in found.iter().zip(&root.tables) {
        if (*rows, *bytes) != (table.rows, table.bytes) {
            let what = format!("table {}: it has not the rows that the root says", table.name);
            return Err(opened.damaged(what));
        }
    }
    let rows = found.iter().map(|(_, rows, _)| rows).sum();
    Ok(Verified { start: root.start, chunks: root.chunks(), rows, bytes })
}
