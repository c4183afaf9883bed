//! What a segment says about itself, as bytes: at its beginning, and once it is
//! sealed. Each carries a checksum of its own. They are in the table `meta`, under
//! `segment` and `seal`; integers, text and options are as in [`record`](crate::record).
//!
//! | segment | bytes | seal | bytes |
//! |---|---|---|---|
//! | format version, 1 | 2 | number of the last round | 8 |
//! | history | 16 | chain after it | 32 |
//! | number of the first round | 8 | crc32c of what is before | 4 |
//! | first sequence | 8 | | |
//! | chain before the first round | 32 | | |
//! | optional file name of the segment before, text | 1 + | | |
//! | optional history that it continues after a restore, 16 bytes | 1 + | | |
//! | crc32c of what is before | 4 | | |
//!
//! The segment that a restore begins has rounds of a new history, and names the one
//! before it, which is that of the rounds before it; the chain goes on.
//!
//! The chain before the first round is the digest of the segment before: its last
//! chain covers all its rounds, and those of every segment before it.

use crate::log::Tail;
use crate::record::Damage;
use crate::record::bytes::{Input, Output};
use crate::value::{Hash, History, Sequence};

const FORMAT_VERSION: u16 = 1;
const CHECKSUM_BYTES: usize = 4;

/// What a segment says at its beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Meta {
    pub(super) history: History,
    pub(super) first_round: u64,
    pub(super) first_sequence: Sequence,
    pub(super) chain_before: Hash,
    /// The file name of the segment before; none in the first of a log.
    pub(super) previous: Option<String>,
    /// Of which history the rounds before are, if it is not this one.
    pub(super) restored_from: Option<History>,
}

/// What a segment says once nothing more is written to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seal {
    pub(super) tail: Tail,
}

/// Why a segment's own words cannot be read.
#[derive(Debug)]
pub(super) enum Unreadable {
    UnknownFormat(u16),
    Damaged(Damage),
}

impl Meta {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut output = Output::default();
        output.u16(FORMAT_VERSION);
        output.raw(self.history.0.as_bytes());
        output.u64(self.first_round);
        output.u64(self.first_sequence.0);
        output.raw(&self.chain_before.0);
        output.option(self.previous.as_deref(), Output::text);
        output.option(self.restored_from, |out, history| out.raw(history.0.as_bytes()));
        checked(output)
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Unreadable> {
        // The version first: what follows it is another's to define.
        let version = Input::new(bytes, 0).u16().map_err(Unreadable::Damaged)?;
        if version != FORMAT_VERSION {
            return Err(Unreadable::UnknownFormat(version));
        }
        Self::decode_known(bytes).map_err(Unreadable::Damaged)
    }

    fn decode_known(bytes: &[u8]) -> Result<Self, Damage> {
        let mut input = check(bytes)?;
        input.u16()?;
        let meta = Self {
            history: History(input.uuid()?),
            first_round: input.u64()?,
            first_sequence: Sequence(input.u64()?),
            chain_before: input.hash()?,
            previous: input.option(Input::text)?.map(str::to_owned),
            restored_from: input.option(Input::uuid)?.map(History),
        };
        input.finish("the segment's description")?;
        Ok(meta)
    }
}

impl Seal {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut output = Output::default();
        output.u64(self.tail.number);
        output.raw(&self.tail.chain.0);
        checked(output)
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Damage> {
        let mut input = check(bytes)?;
        let seal = Self { tail: Tail { number: input.u64()?, chain: input.hash()? } };
        input.finish("the seal")?;
        Ok(seal)
    }
}

fn checked(mut output: Output) -> Vec<u8> {
    output.u32(crc32c::crc32c(output.as_slice()));
    output.into_bytes()
}

fn check(bytes: &[u8]) -> Result<Input<'_>, Damage> {
    let mut input = Input::new(bytes, 0);
    let covered = input.raw(bytes.len().saturating_sub(CHECKSUM_BYTES))?;
    if input.u32()? != crc32c::crc32c(covered) {
        return Err(input.damage("the segment's description does not match its checksum"));
    }
    Ok(Input::new(covered, 0))
}
