//! The primitives of the format: integers, lengths, text, options.
//!
//! Writing cannot fail; reading refuses whatever writing would not have produced,
//! and allocates nothing that the bytes left could not fill. This module knows
//! nothing of records.

use std::sync::Arc;

use uuid::Uuid;

use super::Damage;
use crate::value::{Hash, Key, Name};

/// Bytes being written.
#[derive(Debug, Default)]
pub(crate) struct Output(Vec<u8>);

impl Output {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// Forgets what was written, and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(crate) fn u8(&mut self, number: u8) {
        self.0.push(number);
    }

    pub(crate) fn u16(&mut self, number: u16) {
        self.raw(&number.to_le_bytes());
    }

    pub(crate) fn u32(&mut self, number: u32) {
        self.raw(&number.to_le_bytes());
    }

    pub(crate) fn u64(&mut self, number: u64) {
        self.raw(&number.to_le_bytes());
    }

    pub(crate) fn length(&mut self, length: usize) {
        let mut rest = length;
        while rest >= 0x80 {
            // Seven bits at a time: always below 256.
            self.0.push(0x80 | u8::try_from(rest & 0x7f).unwrap_or_default());
            rest >>= 7;
        }
        self.0.push(u8::try_from(rest).unwrap_or_default());
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.raw(bytes);
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    pub(crate) fn option<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.u8(value.is_some().into());
        if let Some(value) = value {
            write(self, value);
        }
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// Bytes being read.
#[derive(Debug, Clone)]
pub(crate) struct Input<'a> {
    rest: &'a [u8],
    offset: usize,
}

impl<'a> Input<'a> {
    /// Reads these bytes; they begin at `offset` of the round, for messages.
    pub(crate) fn new(bytes: &'a [u8], offset: usize) -> Self {
        Self { rest: bytes, offset }
    }

    pub(crate) fn offset(&self) -> usize {
        self.offset
    }

    pub(crate) fn remaining(&self) -> usize {
        self.rest.len()
    }

    pub(crate) fn damage(&self, what: impl Into<String>) -> Damage {
        Damage { offset: self.offset, record: None, what: what.into() }
    }

    pub(crate) fn raw(&mut self, length: usize) -> Result<&'a [u8], Damage> {
        let Some((taken, rest)) = self.rest.split_at_checked(length) else {
            let left = self.rest.len();
            return Err(self.damage(format!("{length} bytes should follow, but {left} are left")));
        };
        self.rest = rest;
        self.offset += length;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Damage> {
        let Some((taken, rest)) = self.rest.split_first_chunk::<N>() else {
            let left = self.rest.len();
            return Err(self.damage(format!("{N} bytes should follow, but {left} are left")));
        };
        self.rest = rest;
        self.offset += N;
        Ok(*taken)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Damage> {
        self.array().map(u8::from_le_bytes)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Damage> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Damage> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Damage> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn uuid(&mut self) -> Result<Uuid, Damage> {
        self.array().map(Uuid::from_bytes)
    }

    pub(crate) fn hash(&mut self) -> Result<Hash, Damage> {
        self.array().map(Hash)
    }

    pub(crate) fn length(&mut self) -> Result<usize, Damage> {
        let mut length = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            let shortest = byte != 0 || shift == 0;
            if !shortest || (bits << shift) >> shift != bits {
                return Err(self.damage("a length is not in its shortest form"));
            }
            length |= bits << shift;
            if byte < 0x80 {
                let too_long = |_| self.damage("a length does not fit this machine");
                return usize::try_from(length).map_err(too_long);
            }
        }
        Err(self.damage("a length has more than ten bytes"))
    }

    /// How many items follow, refused if they could not fit in the bytes left.
    pub(crate) fn count(&mut self, item_bytes_min: usize) -> Result<usize, Damage> {
        let count = self.length()?;
        if count > self.remaining() / item_bytes_min {
            let left = self.remaining();
            return Err(self.damage(format!("{count} items do not fit in {left} bytes")));
        }
        Ok(count)
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], Damage> {
        let length = self.length()?;
        self.raw(length)
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, Damage> {
        let start = self.clone();
        std::str::from_utf8(self.bytes()?)
            .map_err(|error| start.damage(format!("text is not UTF-8: {error}")))
    }

    pub(crate) fn shared_text(&mut self) -> Result<Arc<str>, Damage> {
        self.text().map(Arc::from)
    }

    pub(crate) fn name(&mut self) -> Result<Name, Damage> {
        let start = self.clone();
        let text = self.text()?;
        Name::parse_stored(text).map_err(|invalid| start.damage(invalid.to_string()))
    }

    pub(crate) fn key(&mut self) -> Result<Key, Damage> {
        let start = self.clone();
        let text = self.text()?;
        Key::new(text).map_err(|invalid| start.damage(invalid.to_string()))
    }

    pub(crate) fn option<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Damage>,
    ) -> Result<Option<T>, Damage> {
        match self.u8()? {
            0 => Ok(None),
            1 => read(self).map(Some),
            other => Err(self.unknown("presence", other)),
        }
    }

    /// That the tag just read means nothing to this version.
    pub(crate) fn unknown(&self, what: &str, tag: u8) -> Damage {
        self.damage(format!("{what} {tag} is unknown to this version"))
    }

    /// Refuses bytes that are left over.
    pub(crate) fn finish(&self, what: &str) -> Result<(), Damage> {
        match self.remaining() {
            0 => Ok(()),
            left => Err(self.damage(format!("bytes left over after {what}: {left}"))),
        }
    }
}
