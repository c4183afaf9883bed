//! A round of which some records are read, in any order.

use super::bytes::Input;
use super::frame::Kind;
use super::round::{Raw, Walk};
use super::{Damage, Entry, Outcome};
use crate::value::Sequence;

/// The bytes of a round, and where its entries and outcomes are in it. Making one
/// checks frames and heads; a body is checked when it is read.
#[derive(Debug)]
pub struct Parts {
    bytes: Vec<u8>,
    entries: Vec<Part>,
    outcomes: Vec<Part>,
}

#[derive(Debug)]
struct Part {
    sequence: u64,
    index: usize,
    offset: usize,
}

impl Parts {
    /// Looks where everything is.
    ///
    /// # Errors
    /// [`Damage`] of the header, of a frame or of a head.
    pub fn new(bytes: Vec<u8>) -> Result<Self, Damage> {
        let (mut entries, mut outcomes) = (Vec::new(), Vec::new());
        let mut walk = Walk::new(&bytes)?;
        let (mut offset, mut index) = (walk.offset(), 0);
        while let Some(raw) = walk.next()? {
            let of = match raw.frame.kind {
                Kind::Entry => Some(&mut entries),
                Kind::Outcome => Some(&mut outcomes),
                Kind::Attempt => None,
            };
            if let Some(parts) = of {
                let sequence = raw.within(raw.head.clone().u64())?;
                parts.push(Part { sequence, index, offset });
            }
            (offset, index) = (walk.offset(), index + 1);
        }
        Ok(Self { bytes, entries, outcomes })
    }

    /// An entry; none if it is not in this round.
    ///
    /// # Errors
    /// [`Damage`].
    pub fn entry(&self, sequence: Sequence) -> Result<Option<Entry>, Damage> {
        let Some(raw) = self.raw(&self.entries, sequence)? else { return Ok(None) };
        raw.within(raw.entry()).map(Some)
    }

    /// The outcome of an entry; none if it is not in this round.
    ///
    /// # Errors
    /// [`Damage`].
    pub fn outcome(&self, sequence: Sequence) -> Result<Option<Outcome>, Damage> {
        let Some(raw) = self.raw(&self.outcomes, sequence)? else { return Ok(None) };
        raw.within(raw.outcome()).map(Some)
    }

    /// What it takes in memory, more or less.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.bytes.len() + (self.entries.len() + self.outcomes.len()) * size_of::<Part>()
    }

    fn raw(&self, parts: &[Part], sequence: Sequence) -> Result<Option<Raw<'_>>, Damage> {
        // Both come in order (I4).
        let found = parts.binary_search_by_key(&sequence.0, |part| part.sequence);
        let Some(part) = found.ok().and_then(|at| parts.get(at)) else { return Ok(None) };
        let bytes = self.bytes.get(part.offset..).unwrap_or_default();
        Raw::read(part.index, &mut Input::new(bytes, part.offset)).map(Some)
    }
}
