//! The fixed parts: the header of a round and the frame of a record, with the
//! checksums that are in them. What heads and bodies say is not known here.

use super::bytes::{Input, Output};
use super::{Damage, FORMAT_VERSION, RoundHeader};
use crate::value::{Hash, History};

pub(super) const HEADER_BYTES: usize = 92;
pub(super) const FRAME_BYTES: usize = 56;

const MAGIC: [u8; 4] = *b"CHR\n";
const CHECKSUM_BYTES: usize = 4;
const ERASED: u8 = 1;

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Entry,
    Outcome,
    Attempt,
}

impl Kind {
    fn tag(self) -> u8 {
        match self {
            Self::Entry => 1,
            Self::Outcome => 2,
            Self::Attempt => 3,
        }
    }

    fn read(input: &mut Input<'_>) -> Result<Self, Damage> {
        match input.u8()? {
            1 => Ok(Self::Entry),
            2 => Ok(Self::Outcome),
            3 => Ok(Self::Attempt),
            other => Err(input.unknown("record kind", other)),
        }
    }
}

/// Whether a record still has its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    Whole,
    Erased,
}

/// The frame of a record, without its checksum.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub(super) kind: Kind,
    pub(super) presence: Presence,
    pub(super) head_bytes: u64,
    pub(super) body_bytes: u64,
    pub(super) body_hash: Hash,
}

impl Frame {
    pub(super) fn new(kind: Kind, head: &[u8], body: &[u8]) -> Self {
        Self {
            kind,
            presence: Presence::Whole,
            head_bytes: head.len() as u64,
            body_bytes: body.len() as u64,
            body_hash: Hash::of(body),
        }
    }

    /// The frame's bytes after its checksum.
    fn covered(&self) -> [u8; FRAME_BYTES - CHECKSUM_BYTES] {
        let mut covered = [0; FRAME_BYTES - CHECKSUM_BYTES];
        let [kind, flags, _, _, lengths_and_hash @ ..] = &mut covered;
        *kind = self.kind.tag();
        *flags = if self.presence == Presence::Erased { ERASED } else { 0 };
        let (lengths, hash) = lengths_and_hash.split_at_mut(16);
        let (head_bytes, body_bytes) = lengths.split_at_mut(8);
        head_bytes.copy_from_slice(&self.head_bytes.to_le_bytes());
        body_bytes.copy_from_slice(&self.body_bytes.to_le_bytes());
        hash.copy_from_slice(&self.body_hash.0);
        covered
    }

    /// What the chain covers of the frame: all but the checksum, as it was before
    /// the body was erased.
    pub(super) fn chained(&self) -> [u8; FRAME_BYTES - CHECKSUM_BYTES] {
        Self { presence: Presence::Whole, ..*self }.covered()
    }

    pub(super) fn write(&self, head: &[u8], output: &mut Output) {
        let covered = self.covered();
        output.u32(crc32c::crc32c_append(crc32c::crc32c(&covered), head));
        output.raw(&covered);
    }

    /// Reads a frame and the head after it, and checks both.
    pub(super) fn read<'a>(input: &mut Input<'a>) -> Result<(Self, &'a [u8]), Damage> {
        let start = input.clone();
        let checksum = input.u32()?;
        let covered = input.clone().raw(FRAME_BYTES - CHECKSUM_BYTES)?;
        let kind = Kind::read(input)?;
        let presence = match input.u8()? {
            0 => Presence::Whole,
            ERASED => Presence::Erased,
            other => return Err(input.unknown("set of flags", other)),
        };
        expect_zero(input)?;
        let (head_bytes, body_bytes) = (input.u64()?, input.u64()?);
        let body_hash = input.hash()?;
        let head = input.raw(length(input, head_bytes)?)?;
        if crc32c::crc32c_append(crc32c::crc32c(covered), head) != checksum {
            return Err(start.damage("frame and head do not match their checksum"));
        }
        Ok((Self { kind, presence, head_bytes, body_bytes, body_hash }, head))
    }
}

/// A length that was stored in full, as one of this machine.
pub(super) fn length(input: &Input<'_>, bytes: u64) -> Result<usize, Damage> {
    let too_long = |error| input.damage(format!("a length of {bytes} is too much: {error}"));
    usize::try_from(bytes).map_err(too_long)
}

pub(super) fn write_header(header: &RoundHeader, n_records: usize, output: &mut Output) {
    output.raw(&MAGIC);
    output.u16(FORMAT_VERSION);
    output.u16(0);
    output.u64(header.number);
    output.raw(header.history.0.as_bytes());
    output.raw(&header.chain_before.0);
    output.u64(header.floor_ms);
    output.u64(header.time_ms);
    output.u64(n_records as u64);
    output.u32(crc32c::crc32c(output.as_slice()));
}

/// What the chain covers of a round's header, given a round that has one.
pub(super) fn chained_header(round: &[u8]) -> &[u8] {
    round.get(..HEADER_BYTES - CHECKSUM_BYTES).unwrap_or(round)
}

/// The header of a round that has one, as it is.
pub(super) fn whole_header(round: &[u8]) -> &[u8] {
    round.get(..HEADER_BYTES).unwrap_or(round)
}

/// A header, and how many records follow it.
pub(super) fn read_header(input: &mut Input<'_>) -> Result<(RoundHeader, usize), Damage> {
    let start = input.clone();
    if input.array()? != MAGIC {
        return Err(start.damage("this is not the beginning of a round"));
    }
    let version = input.u16()?;
    if version != FORMAT_VERSION {
        let what = format!("format version {version} is unknown, only {FORMAT_VERSION} is read");
        return Err(input.damage(what));
    }
    expect_zero(input)?;
    let header = RoundHeader {
        number: input.u64()?,
        history: History(input.uuid()?),
        chain_before: input.hash()?,
        floor_ms: input.u64()?,
        time_ms: input.u64()?,
    };
    let n_records = length(input, input.clone().u64()?)?;
    input.u64()?;
    let covered = start.clone().raw(HEADER_BYTES - CHECKSUM_BYTES)?;
    if input.u32()? != crc32c::crc32c(covered) {
        return Err(start.damage("the header does not match its checksum"));
    }
    if n_records > input.remaining() / FRAME_BYTES {
        let left = input.remaining();
        return Err(input.damage(format!("{n_records} records do not fit in {left} bytes")));
    }
    Ok((header, n_records))
}

/// The header alone, checked; nothing is said about the records after it.
///
/// # Errors
/// [`Damage`] if the version is unknown or the header does not match its checksum.
pub fn header(round: &[u8]) -> Result<RoundHeader, Damage> {
    read_header(&mut Input::new(round, 0)).map(|(header, _)| header)
}

fn expect_zero(input: &mut Input<'_>) -> Result<(), Damage> {
    match input.u16()? {
        0 => Ok(()),
        other => Err(input.damage(format!("{other} where this version has zero"))),
    }
}
