//! The bytes of the archive: header, records, footer. Does no I/O.

use std::sync::Arc;

use super::{Archived, Body};
use crate::record::Damage;
use crate::record::bytes::{Input, Output};
use crate::value::{Hash, History, Position, Sequence};

pub(super) const FORMAT_VERSION: u16 = 1;
pub(super) const HEADER_BYTES: usize = 80;
pub(super) const FRAME_BYTES: usize = 56;
pub(super) const FOOTER_BYTES: usize = 104;
/// What the names of files end with, and of those that are not finished.
pub(super) const EXTENSION: &str = ".events";
pub(super) const DRAFT: &str = ".draft";

const HEADER_MAGIC: [u8; 8] = *b"CHREVTS\n";
const FOOTER_MAGIC: [u8; 8] = *b"CHREVTE\n";
const HEADER_COVERED: usize = HEADER_BYTES - 8;
const FOOTER_COVERED: usize = FOOTER_BYTES - 8;
const CHECKSUM_BYTES: usize = 4;
const ERASED: u8 = 1;

/// What a file says at its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) history: History,
    pub(super) first: Position,
    pub(super) before: Hash,
}

/// What a file says at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Footer {
    pub(super) n_records: u64,
    pub(super) first_sequence: Sequence,
    pub(super) last_sequence: Sequence,
    pub(super) first_ms: u64,
    pub(super) last_ms: u64,
    pub(super) table_offset: u64,
    pub(super) table_crc: u32,
    pub(super) digest: Hash,
}

/// Why bytes were refused, before it is known of which file they are.
#[derive(Debug)]
pub(super) enum Unreadable {
    UnknownFormat(u16),
    Damaged(String),
}

impl From<Damage> for Unreadable {
    fn from(damage: Damage) -> Self {
        Self::Damaged(damage.to_string())
    }
}

/// The first position of a file, by its name.
pub(super) fn first_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(EXTENSION)?;
    let all_digits = digits.len() == 20 && digits.bytes().all(|digit| digit.is_ascii_digit());
    digits.parse().ok().filter(|_| all_digits)
}

pub(super) fn name_of(first: Position) -> String {
    format!("{:020}{EXTENSION}", first.0)
}

impl Header {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut output = Output::with_capacity(HEADER_BYTES);
        output.raw(&HEADER_MAGIC);
        output.u16(FORMAT_VERSION);
        output.raw(&[0; 6]);
        output.raw(self.history.0.as_bytes());
        output.u64(self.first.0);
        output.raw(&self.before.0);
        end(output)
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Unreadable> {
        let mut input = Input::new(bytes, 0);
        if input.array()? != HEADER_MAGIC {
            return Err(Unreadable::Damaged("this is no file of an archive".to_owned()));
        }
        let version = input.u16()?;
        if version != FORMAT_VERSION {
            return Err(Unreadable::UnknownFormat(version));
        }
        check_end(bytes, HEADER_COVERED, "header")?;
        if input.array()? != [0; 6] {
            return Err(input.damage("not zero where this version has zero").into());
        }
        let (history, first) = (History(input.uuid()?), Position(input.u64()?));
        Ok(Self { history, first, before: input.hash()? })
    }

    /// What the digest covers of it.
    pub(super) fn covered(encoded: &[u8]) -> &[u8] {
        encoded.get(..HEADER_COVERED).unwrap_or(encoded)
    }
}

impl Footer {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut output = Output::with_capacity(FOOTER_BYTES);
        output.raw(&FOOTER_MAGIC);
        output.u64(self.n_records);
        output.u64(self.first_sequence.0);
        output.u64(self.last_sequence.0);
        output.u64(self.first_ms);
        output.u64(self.last_ms);
        output.u64(self.table_offset);
        output.u32(self.table_crc);
        output.u32(0);
        output.raw(&self.digest.0);
        end(output)
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Unreadable> {
        let mut input = Input::new(bytes, 0);
        if input.array()? != FOOTER_MAGIC {
            return Err(Unreadable::Damaged("its end is missing".to_owned()));
        }
        check_end(bytes, FOOTER_COVERED, "footer")?;
        let n_records = input.u64()?;
        let (first_sequence, last_sequence) = (Sequence(input.u64()?), Sequence(input.u64()?));
        let (first_ms, last_ms) = (input.u64()?, input.u64()?);
        let (table_offset, table_crc) = (input.u64()?, input.u32()?);
        if input.u32()? != 0 || n_records == 0 {
            return Err(input.damage("the footer is not one that is written").into());
        }
        let digest = input.hash()?;
        Ok(Self {
            n_records,
            first_sequence,
            last_sequence,
            first_ms,
            last_ms,
            table_offset,
            table_crc,
            digest,
        })
    }
}

/// Adds the checksum, and zeros to a round length.
fn end(mut output: Output) -> Vec<u8> {
    let crc = crc32c::crc32c(output.as_slice());
    output.u32(crc);
    output.u32(0);
    output.into_bytes()
}

fn check_end(bytes: &[u8], covered: usize, what: &str) -> Result<(), Unreadable> {
    let mut input = Input::new(bytes, 0);
    let covered = input.raw(covered)?;
    match (input.u32()?, input.u32()?) {
        (crc, 0) if crc == crc32c::crc32c(covered) => Ok(()),
        _ => Err(Unreadable::Damaged(format!("the {what} does not match its checksum"))),
    }
}

/// A record as it is in a file.
#[derive(Debug, Clone)]
pub(super) struct Raw {
    is_erased: bool,
    head_bytes: usize,
    /// Of the body, as it was.
    body_bytes: u64,
    body_hash: Hash,
    crc: u32,
    head: Vec<u8>,
    body: Vec<u8>,
}

impl Raw {
    /// A record that is to be written.
    pub(super) fn of(event: &Archived) -> Self {
        let mut head = Output::default();
        head.u64(event.position.0);
        head.raw(event.id.as_bytes());
        head.u64(event.sequence.0);
        head.u64(event.time_ms);
        head.raw(event.command_id.as_bytes());
        head.text(&event.event_type);
        head.option(event.module.as_ref(), |head, name| head.text(name.as_str()));
        head.option(event.module_hash.as_ref(), |head, hash| head.raw(&hash.0));
        head.u32(event.depth);
        let mut body = Output::default();
        if let Some(Body { subject, data, correlation_id, causation_id }) = &event.body {
            body.option(subject.as_ref(), |body, text| body.text(text));
            body.text(data);
            body.text(correlation_id);
            body.option(causation_id.as_ref(), |body, text| body.text(text));
        }
        let (head, body) = (head.into_bytes(), body.into_bytes());
        let is_erased = event.body.is_none();
        let body_hash = if is_erased { Hash([0; 32]) } else { Hash::of(&body) };
        let (head_bytes, body_bytes) = (head.len(), body.len() as u64);
        let mut raw = Self { is_erased, head_bytes, body_bytes, body_hash, crc: 0, head, body };
        raw.crc = raw.checksum();
        raw
    }

    /// The frame of a record, of which the rest is to be read.
    pub(super) fn read_frame(bytes: &[u8]) -> Result<Self, Damage> {
        let mut input = Input::new(bytes, 0);
        let crc = input.u32()?;
        let flags = input.u8()?;
        if flags > ERASED || input.array()? != [0; 3] {
            return Err(input.damage("flags of a record are unknown"));
        }
        let (head_bytes, body_bytes) = (input.u64()?, input.u64()?);
        let body_hash = input.hash()?;
        let too_long = |error| input.damage(format!("a length is too much: {error}"));
        let head_bytes = usize::try_from(head_bytes).map_err(too_long)?;
        let (head, body) = (Vec::new(), Vec::new());
        let is_erased = flags == ERASED;
        Ok(Self { is_erased, head_bytes, body_bytes, body_hash, crc, head, body })
    }

    /// How many bytes follow the frame.
    pub(super) fn rest_bytes(&self) -> u64 {
        (self.head_bytes as u64).saturating_add(if self.is_erased { 0 } else { self.body_bytes })
    }

    /// Takes what follows the frame, and checks all of it.
    pub(super) fn with_rest(mut self, mut rest: Vec<u8>) -> Result<Self, Damage> {
        let damage = |what: &str| Damage { offset: 0, record: None, what: what.to_owned() };
        if rest.len() < self.head_bytes {
            return Err(damage("a record is cut off"));
        }
        self.body = rest.split_off(self.head_bytes);
        self.head = rest;
        if self.checksum() != self.crc {
            return Err(damage("frame and head of a record do not match their checksum"));
        }
        if !self.is_erased && Hash::of(&self.body) != self.body_hash {
            return Err(damage("the body of a record does not match its hash"));
        }
        Ok(self)
    }

    pub(super) fn is_erased(&self) -> bool {
        self.is_erased
    }

    /// Takes the body out, so that the digest of the file stays what it was.
    pub(super) fn erase(&mut self) {
        self.is_erased = true;
        self.body.clear();
        self.crc = self.checksum();
    }

    pub(super) fn event(&self) -> Result<Archived, Damage> {
        let mut head = Input::new(&self.head, FRAME_BYTES);
        let mut event = Archived {
            position: Position(head.u64()?),
            id: head.uuid()?,
            sequence: Sequence(head.u64()?),
            time_ms: head.u64()?,
            command_id: head.uuid()?,
            event_type: head.shared_text()?,
            module: head.option(Input::name)?,
            module_hash: head.option(Input::hash)?,
            depth: head.u32()?,
            body: None,
        };
        head.finish("the head")?;
        if !self.is_erased {
            let mut body = Input::new(&self.body, FRAME_BYTES + self.head.len());
            let subject: Option<Arc<str>> = body.option(Input::shared_text)?;
            let (data, correlation_id) = (body.shared_text()?, body.shared_text()?);
            let causation_id = body.option(Input::shared_text)?;
            body.finish("the body")?;
            event.body = Some(Body { subject, data, correlation_id, causation_id });
        }
        Ok(event)
    }

    /// Frame, head and body.
    pub(super) fn encode(&self, output: &mut Vec<u8>) {
        output.extend(self.crc.to_le_bytes());
        output.extend(self.covered(self.is_erased));
        output.extend(&self.head);
        output.extend(&self.body);
    }

    /// What the digest covers of it: frame and head, as before the body was erased.
    pub(super) fn chained(&self) -> impl Iterator<Item = Vec<u8>> + '_ {
        [self.covered(false), self.head.clone()].into_iter()
    }

    fn covered(&self, is_erased: bool) -> Vec<u8> {
        let mut output = Output::with_capacity(FRAME_BYTES - CHECKSUM_BYTES);
        output.u8(if is_erased { ERASED } else { 0 });
        output.raw(&[0; 3]);
        output.u64(self.head_bytes as u64);
        output.u64(self.body_bytes);
        output.raw(&self.body_hash.0);
        output.into_bytes()
    }

    fn checksum(&self) -> u32 {
        crc32c::crc32c_append(crc32c::crc32c(&self.covered(self.is_erased)), &self.head)
    }
}
