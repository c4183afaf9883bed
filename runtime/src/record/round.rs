//! A round as a whole: writing it, reading it back, and finding one record in it.

use sha2::{Digest, Sha256};

use super::bytes::{Input, Output};
use super::frame::{self, FRAME_BYTES, Frame, HEADER_BYTES, Kind, Presence};
use super::{
    Attempt, Damage, Encoded, Entry, Outcome, Record, RecordHead, RecordKind, RecordRef, Round,
    RoundHeader,
};
use super::{entry, outcome};
use crate::value::{Hash, Sequence};

/// What a small command and its outcome take, to size buffers with.
const RECORD_BYTES_TYPICAL: usize = 384;

/// Writes a round of these records, in this order.
///
/// # Panics
/// If the body of one was erased: what it says is not what was written.
pub fn encode<'a>(
    header: &RoundHeader,
    records: impl IntoIterator<Item = RecordRef<'a>>,
) -> Encoded {
    // The header has their number, and is hashed before them.
    let records: Vec<RecordRef<'_>> = records.into_iter().collect();
    let mut output = Output::with_capacity(HEADER_BYTES + records.len() * RECORD_BYTES_TYPICAL);
    frame::write_header(header, records.len(), &mut output);
    let mut chain = Sha256::new_with_prefix(frame::chained_header(output.as_slice()));
    let (mut head, mut body) = (Output::default(), Output::default());
    for record in records {
        head.clear();
        body.clear();
        let kind = write_record(record, &mut head, &mut body);
        let (head, body) = (head.as_slice(), body.as_slice());
        let frame = Frame::new(kind, head, body);
        chain.update(frame.chained());
        chain.update(head);
        frame.write(head, &mut output);
        output.raw(head);
        output.raw(body);
    }
    Encoded { bytes: output.into_bytes(), chain: Hash(chain.finalize().into()) }
}

/// Reads a round back and checks all of it but whether it follows the round before.
///
/// # Errors
/// [`Damage`] if anything is not as it was written, is of a version, kind or tag
/// this server does not know, is missing or left over.
pub fn decode(bytes: &[u8]) -> Result<Round, Damage> {
    let mut walk = Walk::new(bytes)?;
    let mut records = Vec::with_capacity(walk.n_records);
    let mut chain = Sha256::new_with_prefix(frame::chained_header(bytes));
    while let Some(raw) = walk.next()? {
        raw.chain_to(&mut chain);
        records.push(raw.within(raw.decode())?);
    }
    Ok(Round { header: walk.header, records, chain: Hash(chain.finalize().into()) })
}

/// The header of a round and the chain after it; bodies are neither read nor
/// checked, and may have been erased.
///
/// # Errors
/// [`Damage`] as for [`decode`], but for what concerns bodies.
pub fn peek(bytes: &[u8]) -> Result<(RoundHeader, Hash), Damage> {
    let mut walk = Walk::new(bytes)?;
    let mut chain = Sha256::new_with_prefix(frame::chained_header(bytes));
    while let Some(raw) = walk.next()? {
        raw.chain_to(&mut chain);
    }
    Ok((walk.header, Hash(chain.finalize().into())))
}

/// The entry with this sequence, if the round has it; of the other records only
/// frames and heads are checked.
///
/// # Errors
/// [`Damage`] if the entry, or a record on the way to it, is damaged.
pub fn find_entry(bytes: &[u8], sequence: Sequence) -> Result<Option<Entry>, Damage> {
    match find(bytes, Kind::Entry, sequence)? {
        Some(raw) => raw.within(raw.entry()).map(Some),
        None => Ok(None),
    }
}

/// The outcome of the entry with this sequence, if the round has it; of the other
/// records only frames and heads are checked.
///
/// # Errors
/// [`Damage`] if the outcome, or a record on the way to it, is damaged.
pub fn find_outcome(bytes: &[u8], sequence: Sequence) -> Result<Option<Outcome>, Damage> {
    match find(bytes, Kind::Outcome, sequence)? {
        Some(raw) => raw.within(raw.outcome()).map(Some),
        None => Ok(None),
    }
}

/// A record of a kind whose head begins with a sequence.
fn find(bytes: &[u8], kind: Kind, sequence: Sequence) -> Result<Option<Raw<'_>>, Damage> {
    let mut walk = Walk::new(bytes)?;
    while let Some(raw) = walk.next()? {
        if raw.frame.kind == kind && raw.within(raw.head.clone().u64())? == sequence.0 {
            return Ok(Some(raw));
        }
    }
    Ok(None)
}

pub(super) fn write_record(record: RecordRef<'_>, head: &mut Output, body: &mut Output) -> Kind {
    match record {
        RecordRef::Entry(entry) => {
            assert!(!entry.erased, "the body of entry {} was erased", entry.sequence);
            entry::write(entry, head, body);
            Kind::Entry
        }
        RecordRef::Outcome(outcome) => {
            assert!(!outcome.erased, "the body of outcome {} was erased", outcome.sequence);
            outcome::write(outcome, head, body);
            Kind::Outcome
        }
        RecordRef::Attempt(attempt) => {
            head.raw(attempt.id.as_bytes());
            head.u32(attempt.count);
            Kind::Attempt
        }
    }
}

/// Goes over the records of a round, checking headers, frames and heads.
pub(super) struct Walk<'a> {
    header: RoundHeader,
    n_records: usize,
    n_read: usize,
    input: Input<'a>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self, Damage> {
        let mut input = Input::new(bytes, 0);
        let (header, n_records) = frame::read_header(&mut input)?;
        Ok(Self { header, n_records, n_read: 0, input })
    }

    /// Where the next record begins.
    pub(super) fn offset(&self) -> usize {
        self.input.offset()
    }

    /// The next record; none after the last, when nothing may be left over.
    pub(super) fn next(&mut self) -> Result<Option<Raw<'a>>, Damage> {
        if self.n_read == self.n_records {
            self.input.finish("the last record")?;
            return Ok(None);
        }
        let index = self.n_read;
        self.n_read += 1;
        let raw = Raw::read(index, &mut self.input);
        raw.map(Some).map_err(|damage| Damage { record: Some(index), ..damage })
    }
}

/// A record whose frame and head have been checked, and its body not.
pub(super) struct Raw<'a> {
    index: usize,
    pub(super) frame: Frame,
    pub(super) head: Input<'a>,
    pub(super) head_bytes: &'a [u8],
    /// Empty if it was erased.
    pub(super) body_bytes: &'a [u8],
}

impl<'a> Raw<'a> {
    pub(super) fn read(index: usize, input: &mut Input<'a>) -> Result<Self, Damage> {
        let head_offset = input.offset() + FRAME_BYTES;
        let (frame, head_bytes) = Frame::read(input)?;
        let body_bytes = match frame.presence {
            Presence::Whole => input.raw(frame::length(input, frame.body_bytes)?)?,
            Presence::Erased if frame.body_bytes == 0 => {
                return Err(input.damage("it is marked as erased, and never had a body"));
            }
            Presence::Erased => &[],
        };
        let head = Input::new(head_bytes, head_offset);
        Ok(Self { index, frame, head, head_bytes, body_bytes })
    }

    fn chain_to(&self, chain: &mut Sha256) {
        chain.update(self.frame.chained());
        chain.update(self.head_bytes);
    }

    /// The body, once it is known to be the one that was written.
    fn body(&self) -> Result<Input<'a>, Damage> {
        let input = Input::new(self.body_bytes, self.head.offset() + self.head_bytes.len());
        if Hash::of(self.body_bytes) != self.frame.body_hash {
            return Err(input.damage("the body does not match its hash"));
        }
        Ok(input)
    }

    fn decode(&self) -> Result<Record, Damage> {
        match self.frame.kind {
            Kind::Entry => self.entry().map(Record::Entry),
            Kind::Outcome => self.outcome().map(Record::Outcome),
            Kind::Attempt => self.attempt().map(Record::Attempt),
        }
    }

    pub(super) fn entry(&self) -> Result<Entry, Damage> {
        let head = entry::Head::read(self.head.clone())?;
        match self.frame.presence {
            Presence::Whole => head.with_body(self.body()?),
            Presence::Erased => Ok(head.without_body()),
        }
    }

    pub(super) fn outcome(&self) -> Result<Outcome, Damage> {
        let head = outcome::Head::read(self.head.clone())?;
        match self.frame.presence {
            Presence::Whole => head.with_body(self.body()?),
            Presence::Erased => Ok(head.without_body()),
        }
    }

    /// What can be told without the body; none for a record that never has one.
    pub(super) fn record_head(&self) -> Result<Option<RecordHead>, Damage> {
        let head = self.head.clone();
        let head = match self.frame.kind {
            Kind::Attempt => return Ok(None),
            Kind::Entry => self.within(entry::Head::read(head)).map(|head| RecordHead {
                kind: RecordKind::Entry,
                sequence: head.sequence(),
                id: Some(head.id()),
            }),
            Kind::Outcome => self.within(outcome::Head::read(head)).map(|head| RecordHead {
                kind: RecordKind::Outcome,
                sequence: head.sequence(),
                id: None,
            }),
        };
        Ok(Some(head?).filter(|_| self.frame.body_bytes > 0))
    }

    fn attempt(&self) -> Result<Attempt, Damage> {
        let mut head = self.head.clone();
        let attempt = Attempt { id: head.uuid()?, count: head.u32()? };
        head.finish("the head")?;
        self.body()?.finish("the body")?;
        Ok(attempt)
    }

    /// The same result, with damage placed in this record.
    pub(super) fn within<T>(&self, result: Result<T, Damage>) -> Result<T, Damage> {
        result.map_err(|damage| Damage { record: Some(self.index), ..damage })
    }
}
