//! Roots, manifests and chunks as bytes, without I/O. The layout is in the header
//! of the module above.

use uuid::Uuid;

use super::error::Unreadable;
use crate::log::{Start, Tail};
use crate::record::Attempt;
use crate::record::bytes::{Input, Output};
use crate::state::{Chunk, Step};
use crate::value::{History, Name, Position, Sequence};

const FORMAT_VERSION: u16 = 1;
const CHECKSUM_BYTES: usize = 4;

/// The root of a generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Root {
    pub(super) start: Start,
    pub(super) step: Step,
    /// The lowest id that was not given to a chunk.
    pub(super) next_id: u64,
    pub(super) attempts: Vec<Attempt>,
    /// In the order of names.
    pub(super) tables: Vec<TableRoot>,
}

/// What the root says of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TableRoot {
    pub(super) name: Name,
    /// Of its manifest.
    pub(super) checksum: u32,
    pub(super) chunks: u64,
    pub(super) rows: u64,
    pub(super) bytes: u64,
}

/// The chunks of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Manifest {
    pub(super) name: Name,
    /// In the order of their bounds, at least one.
    pub(super) chunks: Vec<Info>,
}

/// What a manifest says of a chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Info {
    pub(super) id: u64,
    pub(super) lower: String,
    pub(super) rows: u32,
    pub(super) bytes: u32,
    pub(super) checksum: u32,
    /// The highest sequence at which something in it changed.
    pub(super) changed: Sequence,
}

/// A chunk that was read. Its lower bound is in the manifest.
#[derive(Debug, Default)]
pub(super) struct Stored {
    pub(super) rows: Vec<u8>,
    pub(super) changed: Vec<Sequence>,
    pub(super) deleted: Sequence,
}

impl Root {
    /// How many chunks all tables have.
    pub(super) fn chunks(&self) -> u64 {
        // Saturating: a sum that cannot be is refused as a count that does not fit.
        self.tables.iter().fold(0, |sum, table| sum.saturating_add(table.chunks))
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut output = Output::default();
        output.u16(FORMAT_VERSION);
        output.raw(self.start.history.0.as_bytes());
        output.u64(self.start.tail.number);
        output.raw(&self.start.tail.chain.0);
        output.u64(self.start.floor_ms);
        output.u64(self.start.time_ms);
        output.u64(self.start.entry.0);
        output.u64(self.start.outcome.0);
        output.u64(self.step.sequence.0);
        output.u64(self.step.time_ms);
        output.u64(self.step.position.0);
        output.u64(self.next_id);
        output.length(self.attempts.len());
        for attempt in &self.attempts {
            output.raw(attempt.id.as_bytes());
            output.u32(attempt.count);
        }
        output.length(self.tables.len());
        for table in &self.tables {
            output.text(table.name.as_str());
            output.u32(table.checksum);
            output.u64(table.chunks);
            output.u64(table.rows);
            output.u64(table.bytes);
        }
        checked(output).0
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Unreadable> {
        let (mut input, _) = check(bytes)?;
        let history = History(input.uuid()?);
        let tail = Tail { number: input.u64()?, chain: input.hash()? };
        let start = Start {
            history,
            tail,
            floor_ms: input.u64()?,
            time_ms: input.u64()?,
            entry: Sequence(input.u64()?),
            outcome: Sequence(input.u64()?),
        };
        let step = Step {
            sequence: Sequence(input.u64()?),
            time_ms: input.u64()?,
            position: Position(input.u64()?),
        };
        let next_id = input.u64()?;
        let mut attempts = Vec::new();
        for _ in 0..input.count(size_of::<Uuid>() + size_of::<u32>())? {
            attempts.push(Attempt { id: input.uuid()?, count: input.u32()? });
        }
        let mut tables: Vec<TableRoot> = Vec::new();
        for _ in 0..input.count(1)? {
            tables.push(TableRoot {
                name: input.name()?,
                checksum: input.u32()?,
                chunks: input.u64()?,
                rows: input.u64()?,
                bytes: input.u64()?,
            });
        }
        if !tables.is_sorted_by(|a, b| a.name < b.name) {
            return Err(input.damage("its tables are not in the order of their names").into());
        }
        if start.outcome > step.sequence {
            return Err(input.damage("its state is older than its place in the log").into());
        }
        input.finish("the root")?;
        Ok(Self { start, step, next_id, attempts, tables })
    }
}

impl Manifest {
    /// Its bytes and their checksum.
    pub(super) fn encode(&self) -> (Vec<u8>, u32) {
        let mut output = Output::default();
        output.u16(FORMAT_VERSION);
        output.text(self.name.as_str());
        output.length(self.chunks.len());
        for info in &self.chunks {
            output.u64(info.id);
            output.text(&info.lower);
            output.u32(info.rows);
            output.u32(info.bytes);
            output.u32(info.checksum);
            output.u64(info.changed.0);
        }
        checked(output)
    }

    /// A manifest and its checksum.
    pub(super) fn decode(bytes: &[u8]) -> Result<(Self, u32), Unreadable> {
        let (mut input, checksum) = check(bytes)?;
        let name = input.name()?;
        let mut chunks = Vec::new();
        for _ in 0..input.count(1)? {
            chunks.push(Info {
                id: input.u64()?,
                lower: input.text()?.to_owned(),
                rows: input.u32()?,
                bytes: input.u32()?,
                checksum: input.u32()?,
                changed: Sequence(input.u64()?),
            });
        }
        if chunks.is_empty() {
            return Err(input.damage("it has no chunks").into());
        }
        input.finish("the manifest")?;
        Ok((Self { name, chunks }, checksum))
    }
}

impl Info {
    /// Encodes a chunk into `output`, and says what the manifest has to say of it.
    pub(super) fn of(id: u64, chunk: &Chunk, output: &mut Output) -> Self {
        let newest = chunk.changed.iter().max().copied().unwrap_or_default();
        output.clear();
        output.u16(FORMAT_VERSION);
        output.u64(id);
        output.u64(chunk.deleted.0);
        output.u64(newest.0);
        output.bytes(&chunk.rows);
        output.length(chunk.changed.len());
        for changed in &chunk.changed {
            output.length(in_memory(newest.0 - changed.0));
        }
        let checksum = crc32c::crc32c(output.as_slice());
        output.u32(checksum);
        Self {
            id,
            lower: chunk.lower.clone(),
            rows: of_a_chunk(chunk.changed.len()),
            bytes: of_a_chunk(output.as_slice().len()),
            checksum,
            changed: newest.max(chunk.deleted),
        }
    }
}

impl Stored {
    /// Reads a chunk in place of the one read before, and refuses one that is not
    /// the one the manifest speaks of.
    pub(super) fn read(&mut self, info: &Info, bytes: &[u8]) -> Result<(), Unreadable> {
        let (mut input, checksum) = check(bytes)?;
        let id = input.u64()?;
        self.deleted = Sequence(input.u64()?);
        let newest = input.u64()?;
        self.rows.clear();
        self.rows.extend_from_slice(input.bytes()?);
        self.changed.clear();
        for _ in 0..input.count(1)? {
            let changed = newest.checked_sub(input.length()? as u64);
            let changed = changed.ok_or_else(|| input.damage("a row changed before the first"))?;
            self.changed.push(Sequence(changed));
        }
        input.finish("the chunk")?;
        let is_it = id == info.id
            && checksum == info.checksum
            && bytes.len() as u64 == u64::from(info.bytes)
            && self.changed.len() as u64 == u64::from(info.rows)
            && self.deleted.max(Sequence(newest)) == info.changed;
        if !is_it {
            let what = "it is not the one that its table's manifest names";
            return Err(Unreadable::Damaged(what.into()));
        }
        Ok(())
    }
}

/// The bytes with their checksum behind them, and the checksum.
fn checked(mut output: Output) -> (Vec<u8>, u32) {
    let checksum = crc32c::crc32c(output.as_slice());
    output.u32(checksum);
    (output.into_bytes(), checksum)
}

/// What is between the version and the checksum, once both are known to be right.
fn check(bytes: &[u8]) -> Result<(Input<'_>, u32), Unreadable> {
    // The version first: what follows it is another's to define.
    let version = Input::new(bytes, 0).u16()?;
    if version != FORMAT_VERSION {
        return Err(Unreadable::UnknownFormat(version));
    }
    let mut input = Input::new(bytes, 0);
    let covered = input.raw(bytes.len().saturating_sub(CHECKSUM_BYTES))?;
    let checksum = input.u32()?;
    if checksum != crc32c::crc32c(covered) {
        return Err(Unreadable::Damaged("the checksum is wrong".into()));
    }
    let mut input = Input::new(covered, 0);
    input.u16()?;
    Ok((input, checksum))
}

/// A distance between sequences, as lengths are written.
fn in_memory(distance: u64) -> usize {
    let fits = usize::try_from(distance);
    assert!(fits.is_ok(), "{distance} entries between two rows do not fit this machine");
    fits.unwrap_or_default()
}

/// A size within a chunk, which is a few MiB at most: one row, or 32 KiB.
fn of_a_chunk(size: usize) -> u32 {
    let fits = u32::try_from(size);
    assert!(fits.is_ok(), "a chunk of {size} bytes cannot be one");
    fits.unwrap_or_default()
}
