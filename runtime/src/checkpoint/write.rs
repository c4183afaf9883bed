//! Writing: into the older file what changed since, or everything into a new one.
//!
//! # Memory
//!
//! One redb transaction writes all of it. redb 4.4 writes out what exceeds half of
//! its cache while the transaction is open, into pages that nothing refers to yet,
//! and reads it again for the checksums of the commit; what it keeps besides is the
//! numbers of new and of freed pages, some 20 bytes for 32 KiB. So memory is the
//! cache, one chunk, and the manifest of one table, and a file that is cut off at
//! any moment still has the commit before.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use redb::{Table as RedbTable, WriteTransaction};

use super::error::Error;
use super::file::{CHUNKS, META, Opened, ROOT, Refusal, Stop, manifest_key};
use super::format::{Info, Manifest, Root, TableRoot};
use super::load::{Found, age};
use super::pace::Pace;
use super::plan::{Part, parts};
use super::{Checkpoint, Checkpoints, Generation, Written};
use crate::disk::{self, Disk};
use crate::pages::{self, Pages};
use crate::record::bytes::Output;
use crate::state::{Order, Range, Rows, Table};
use crate::value::Name;

/// What redb may cache while it writes. Half of it is for what was not written out
/// yet; larger is hardly quicker, because each chunk is written once.
const WRITE_CACHE_BYTES: usize = 16 << 20;

/// Above this share of changed chunks, everything is written anew: it costs little
/// more, the file is compact again, and a generation stays whole for longer.
const CHANGED_PERCENT_MAX: u64 = 50;

/// What a file is to hold, and what of it is there.
struct Plan<'a> {
    checkpoint: &'a Checkpoint,
    tables: Vec<(&'a Name, &'a Table, Vec<Part<'a>>)>,
    /// Tables that are no more.
    dropped: Vec<&'a Manifest>,
    next_id: u64,
}

/// What was written so far.
#[derive(Debug, Default)]
struct Counts {
    chunks_written: u64,
    chunks_kept: u64,
    bytes_written: u64,
}

impl Checkpoints {
    /// Writes a checkpoint over the older of the two, and reads it back. When `Ok`,
    /// it is durable and whole. When `Err`, the generation that is not the older one
    /// is as it was, and the next try begins with what is there then.
    ///
    /// Blocks for as long as that takes, with the rests that `pace` takes.
    ///
    /// # Errors
    /// [`Error::Failed`] if the disk refuses; [`Error::Stopped`] if `pace` does;
    /// [`Error::Damaged`] if even a new file is not read back as it was written.
    pub fn write(
        &mut self,
        checkpoint: &Checkpoint,
        pace: &mut dyn Pace,
    ) -> Result<Written, Error> {
        self.remove_drafts()?;
        let (generation, found) = self.older(checkpoint)?;
        if let Found::Readable(opened) = found
            && !is_foreign(&opened, checkpoint)
        {
            match self.update(generation, *opened, checkpoint, pace) {
                Ok(Some(written)) => return Ok(written),
                Ok(None) => {}
                Err(error) if error.is_refusal() => {
                    tracing::warn!(%error, "this checkpoint is written anew");
                }
                Err(error) => return Err(error),
            }
        }
        let written = self.write_anew(generation, checkpoint, pace);
        if written.is_err() {
            // It takes room that others may need; it is tried again later as well.
            drop(self.remove_drafts());
        }
        written
    }

    /// The generation to be written: one that is of no use, or else one that was not
    /// read wholly while the other was, or else the older one.
    fn older(&self, checkpoint: &Checkpoint) -> Result<(Generation, Found), Error> {
        let (a, b) = (self.look(Generation::A)?, self.look(Generation::B)?);
        let [a_verified, b_verified] = self.verified().map(|start| start.is_some());
        let rank = |found: &Found, is_verified: bool| match found {
            Found::Missing | Found::Refused(_) => (0, (0, 0)),
            Found::Readable(opened) if is_foreign(opened, checkpoint) => (1, (0, 0)),
            Found::Readable(opened) => (2 + u8::from(is_verified), age(opened)),
        };
        let is_b = rank(&b, b_verified) < rank(&a, a_verified);
        Ok(if is_b { (Generation::B, b) } else { (Generation::A, a) })
    }

    /// Writes what changed since a generation into it; none if that is too much.
    fn update(
        &self,
        generation: Generation,
        opened: Opened,
        checkpoint: &Checkpoint,
        pace: &mut dyn Pace,
    ) -> Result<Option<Written>, Error> {
        let manifests = opened.manifests()?;
        // The file must not change under whoever reads it.
        let root = opened.close();
        let plan = Plan::of(checkpoint, &root, &manifests);
        if plan.changed_percent() > CHANGED_PERCENT_MAX {
            return Ok(None);
        }
        self.set_verified(generation, None);
        let path = self.path(generation);
        let pages = Pages::open(&*self.disk, &path, WRITE_CACHE_BYTES)?;
        let counts = fill(&*self.disk, pages, &plan, pace)?;
        let bytes_verified = compare(&*self.disk, &path, checkpoint, pace)?;
        self.set_verified(generation, Some(checkpoint.start));
        Ok(Some(counts.of(generation, bytes_verified)))
    }

    /// Writes everything, into a file that takes the generation's place when it is
    /// known to be whole.
    fn write_anew(
        &self,
        generation: Generation,
        checkpoint: &Checkpoint,
        pace: &mut dyn Pace,
    ) -> Result<Written, Error> {
        let (path, draft) = (self.path(generation), self.draft(generation));
        let plan = Plan::anew(checkpoint);
        let pages = Pages::create(&*self.disk, &draft, WRITE_CACHE_BYTES)?;
        let counts = fill(&*self.disk, pages, &plan, pace)?;
        let bytes_verified = compare(&*self.disk, &draft, checkpoint, pace)?;
        self.set_verified(generation, None);
        disk::finish(&*self.disk, &draft, &path)
            .map_err(|error| Error::failed(&path, "put the new file in place of", error))?;
        self.set_verified(generation, Some(checkpoint.start));
        Ok(counts.of(generation, bytes_verified))
    }

    /// Drafts are of no use to anybody, and take room.
    fn remove_drafts(&self) -> Result<(), Error> {
        for draft in Generation::BOTH.map(|generation| self.draft(generation)) {
            let failed = |error| Error::failed(&draft, "remove", error);
            if self.disk.exists(&draft).map_err(failed)? {
                self.disk.remove(&draft).map_err(failed)?;
            }
        }
        Ok(())
    }

    fn draft(&self, generation: Generation) -> PathBuf {
        self.path(generation).with_extension("new")
    }
}

impl<'a> Plan<'a> {
    fn anew(checkpoint: &'a Checkpoint) -> Self {
        let whole = |(name, table)| (name, table, parts(table, &[], checkpoint.state.sequence()));
        let tables = checkpoint.state.tables().map(whole).collect();
        Self { checkpoint, tables, dropped: Vec::new(), next_id: 0 }
    }

    /// What to do to a generation that has this root and these manifests.
    fn of(checkpoint: &'a Checkpoint, root: &Root, manifests: &'a [Manifest]) -> Self {
        let state = &checkpoint.state;
        let mut tables = Vec::new();
        for (name, table) in state.tables() {
            let manifest = manifests.iter().find(|manifest| manifest.name == *name);
            let chunks = manifest.map_or(&[][..], |manifest| &manifest.chunks);
            tables.push((name, table, parts(table, chunks, root.step.sequence)));
        }
        let is_dropped = |manifest: &&Manifest| state.table(manifest.name.as_str()).is_none();
        let dropped = manifests.iter().filter(is_dropped).collect();
        Self { checkpoint, tables, dropped, next_id: root.next_id }
    }

    /// How much of it has to be written.
    fn changed_percent(&self) -> u64 {
        let (mut cut, mut kept) = (0, 0);
        for (_, table, parts) in &self.tables {
            for part in parts {
                match part {
                    Part::Kept(info) => kept += u64::from(info.bytes),
                    Part::Cut { range, .. } => cut += table.chunk_bytes(range) as u64,
                }
            }
        }
        cut * 100 / (cut + kept).max(1)
    }
}

impl Counts {
    fn of(&self, generation: Generation, bytes_verified: u64) -> Written {
        Written {
            generation,
            chunks_written: self.chunks_written,
            chunks_kept: self.chunks_kept,
            bytes_written: self.bytes_written,
            bytes_verified,
        }
    }
}

/// Whether a generation is of another line than a checkpoint, or beyond it: nothing
/// can be said then about what changed since.
fn is_foreign(opened: &Opened, checkpoint: &Checkpoint) -> bool {
    let (theirs, ours) = (&opened.root.start, &checkpoint.start);
    let fork = theirs.tail.number == ours.tail.number && theirs.tail.chain != ours.tail.chain;
    theirs.history != ours.history
        || theirs.tail.number > ours.tail.number
        || opened.root.step.sequence > checkpoint.state.sequence()
        || fork
}

/// Writes a plan in one transaction, and closes the file.
fn fill(
    disk: &dyn Disk,
    pages: Pages,
    plan: &Plan<'_>,
    pace: &mut dyn Pace,
) -> Result<Counts, Error> {
    // Our own reasons to stop cannot leave a transaction as redb's; this is where
    // they wait meanwhile.
    let mut stopped = None;
    let written = pages.write("write the checkpoint", |transaction| {
        write_plan(transaction, plan, pace).map_err(|stop| match stop {
            Stop::Redb(error) => error,
            Stop::Ours(error) => {
                stopped = Some(error);
                redb::Error::Corrupted("given up".into())
            }
        })
    });
    match (written, stopped) {
        (_, Some(error)) => {
            // Nothing was committed, and the file is as it was.
            close(disk, pages)?;
            Err(error)
        }
        (written, None) => {
            let counts = written?;
            close(disk, pages)?;
            Ok(counts)
        }
    }
}

/// Closes a file that was written. If it is not clean then, that is the disk's doing:
/// redb keeps to itself what the disk said.
fn close(disk: &dyn Disk, pages: Pages) -> Result<(), Error> {
    pages.close(disk).map_err(|error| match error {
        pages::Error::Unclean { path } => {
            let source = "it was not closed cleanly".into();
            Error::Failed { path, operation: "close", source }
        }
        error => error.into(),
    })
}

fn write_plan(
    transaction: &WriteTransaction,
    plan: &Plan<'_>,
    pace: &mut dyn Pace,
) -> Result<Counts, Stop> {
    let Checkpoint { start, state, attempts } = plan.checkpoint;
    let mut meta = transaction.open_table(META)?;
    let mut writer = Writer {
        chunks: transaction.open_table(CHUNKS)?,
        next_id: plan.next_id,
        buffer: Output::default(),
        counts: Counts::default(),
        pace,
    };
    for manifest in &plan.dropped {
        meta.remove(manifest_key(manifest.name.as_str()).as_str())?;
        writer.remove(&manifest.chunks)?;
    }
    let mut tables = Vec::with_capacity(plan.tables.len());
    for (name, table, parts) in &plan.tables {
        let mut manifest = Manifest { name: (*name).clone(), chunks: Vec::new() };
        for part in parts {
            writer.write(table, part, &mut manifest.chunks)?;
        }
        let (bytes, checksum) = manifest.encode();
        meta.insert(manifest_key(name.as_str()).as_str(), bytes.as_slice())?;
        tables.push(TableRoot {
            name: (*name).clone(),
            checksum,
            chunks: manifest.chunks.len() as u64,
            rows: table.rows(),
            bytes: table.bytes(),
        });
    }
    let root = Root {
        start: *start,
        step: state.step(),
        next_id: writer.next_id,
        attempts: attempts.clone(),
        tables,
    };
    meta.insert(ROOT, root.encode().as_slice())?;
    Ok(writer.counts)
}

/// Writes chunks.
struct Writer<'a, 'txn> {
    chunks: RedbTable<'txn, u64, &'static [u8]>,
    next_id: u64,
    buffer: Output,
    counts: Counts,
    pace: &'a mut dyn Pace,
}

impl Writer<'_, '_> {
    fn write(&mut self, table: &Table, part: &Part<'_>, infos: &mut Vec<Info>) -> Result<(), Stop> {
        let (range, replaced) = match part {
            Part::Kept(info) => {
                self.counts.chunks_kept += 1;
                infos.push((*info).clone());
                return Ok(());
            }
            Part::Cut { range, replaced } => (range, replaced),
        };
        self.remove(replaced)?;
        for chunk in table.chunks(range) {
            let info = Info::of(self.next_id, &chunk, &mut self.buffer);
            self.next_id += 1;
            self.chunks.insert(info.id, self.buffer.as_slice())?;
            self.counts.chunks_written += 1;
            self.counts.bytes_written += u64::from(info.bytes);
            infos.push(info);
            if self.pace.pause().is_break() {
                return Err(Error::Stopped.into());
            }
        }
        Ok(())
    }

    fn remove(&mut self, infos: &[Info]) -> Result<(), Stop> {
        for info in infos {
            self.chunks.remove(info.id)?;
        }
        Ok(())
    }
}

/// Reads all of a file and compares it with what it should hold, row by row: what is
/// kept from before was judged by when things changed, and this is the test of that.
fn compare(
    disk: &dyn Disk,
    path: &Path,
    checkpoint: &Checkpoint,
    pace: &mut dyn Pace,
) -> Result<u64, Error> {
    let opened = Opened::open(disk, path)?;
    let Checkpoint { start, state, attempts } = checkpoint;
    let root = &opened.root;
    let names = root.tables.iter().map(|table| &table.name);
    if root.start != *start
        || root.step != state.step()
        || root.attempts != *attempts
        || !names.eq(state.tables().map(|(name, _)| name))
    {
        return Err(opened.damaged("its root is not the one that was written"));
    }
    let mut tables: Vec<_> = state.tables().map(|(_, table)| rows_of(table)).collect();
    let bytes = opened.read_all(&mut |_, _| {}, &mut |index, _, stored| {
        if let Some(rows) = tables.get_mut(index) {
            let mut rest = stored.rows.as_slice();
            for changed in &stored.changed {
                let next =
                    rows.next().filter(|(row, at)| at == changed && rest.starts_with(row.packed()));
                let Some((row, _)) = next else {
                    return Err(Refusal::Damaged("it has other rows than the state".into()));
                };
                rest = rest.get(row.packed().len()..).unwrap_or_default();
            }
        }
        match pace.pause() {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Refusal::Stopped),
        }
    })?;
    if tables.iter_mut().any(|rows| rows.next().is_some()) {
        return Err(opened.damaged("it has fewer rows than the state"));
    }
    Ok(bytes)
}

fn rows_of(table: &Table) -> Rows<'_> {
    table.packed_rows(&Range::all(), Order::Ascending)
}
