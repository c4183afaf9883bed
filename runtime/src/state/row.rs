//! A row as bytes: the form in which blocks keep rows and `cursor.next-packed`
//! hands them to guests.
//!
//! Four bytes of key length, four bytes of value length, little-endian, then the
//! key, then the value. The highest bit of the second number is 0 for JSON and
//! 1 for bytes. This file knows that form and nothing of blocks or tables.

use crate::value::{Sequence, Value};

/// The two lengths before each row.
const HEADER_BYTES: usize = 8;
/// Marks a value as bytes in the second length.
const BYTES_FLAG: u32 = 1 << 31;

/// A value where it lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ValueRef<'a> {
    /// One well-formed JSON document.
    Json(&'a str),
    /// Bytes that only handlers understand.
    Bytes(&'a [u8]),
}

impl<'a> ValueRef<'a> {
    /// A copy that outlives the state.
    #[must_use]
    pub fn to_owned(self) -> Value {
        match self {
            Self::Json(text) => Value::Json(text.into()),
            Self::Bytes(bytes) => Value::Bytes(bytes.into()),
        }
    }

    /// Its bytes, whatever they mean.
    #[must_use]
    pub fn as_bytes(self) -> &'a [u8] {
        match self {
            Self::Json(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }
}

impl<'a> From<&'a Value> for ValueRef<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Json(text) => Self::Json(text),
            Value::Bytes(bytes) => Self::Bytes(bytes),
        }
    }
}

/// A row where it lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RowRef<'a> {
    /// The row's key.
    pub key: &'a str,
    /// What the table holds for the key.
    pub value: ValueRef<'a>,
    /// The sequence at which the row was last put.
    pub changed: Sequence,
}

/// The rows of a page of packed rows, each with its key and value. Ends at the
/// first byte that is not part of a whole row.
pub fn unpack(mut page: &[u8]) -> impl Iterator<Item = (&str, ValueRef<'_>)> {
    std::iter::from_fn(move || {
        let row = Row::first_of(page)?;
        page = page.get(row.packed.len()..)?;
        Some((text(row.key()), row.value()))
    })
}

/// One packed row. Nothing is read as text before somebody asks for text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row<'a> {
    packed: &'a [u8],
    key_bytes: usize,
    is_bytes: bool,
}

impl<'a> Row<'a> {
    /// The row at the start of `bytes`, if a whole one is there.
    pub(crate) fn first_of(bytes: &'a [u8]) -> Option<Self> {
        let (key_bytes, rest) = bytes.split_first_chunk::<4>()?;
        let value_bytes = rest.first_chunk::<4>()?;
        let key_bytes = u32::from_le_bytes(*key_bytes) as usize;
        let tagged = u32::from_le_bytes(*value_bytes);
        let end = HEADER_BYTES + key_bytes + (tagged & !BYTES_FLAG) as usize;
        let packed = bytes.get(..end)?;
        Some(Self { packed, key_bytes, is_bytes: tagged & BYTES_FLAG != 0 })
    }

    pub(crate) fn key(self) -> &'a [u8] {
        self.packed.get(HEADER_BYTES..HEADER_BYTES + self.key_bytes).unwrap_or_default()
    }

    pub(crate) fn value(self) -> ValueRef<'a> {
        let value = self.packed.get(HEADER_BYTES + self.key_bytes..).unwrap_or_default();
        if self.is_bytes { ValueRef::Bytes(value) } else { ValueRef::Json(text(value)) }
    }

    /// Whether the value can be read: JSON is text.
    pub(crate) fn is_sound(self) -> bool {
        let value = self.packed.get(HEADER_BYTES + self.key_bytes..).unwrap_or_default();
        self.is_bytes || std::str::from_utf8(value).is_ok()
    }

    pub(crate) fn packed(self) -> &'a [u8] {
        self.packed
    }

    pub(crate) fn to_ref(self, changed: Sequence) -> RowRef<'a> {
        RowRef { key: text(self.key()), value: self.value(), changed }
    }
}

/// The key of the row at the start of `bytes`. Searching a block reads only
/// keys, so this looks at nothing else.
pub(crate) fn key_of_first(bytes: &[u8]) -> &[u8] {
    let length = bytes.first_chunk::<4>().map_or(0, |length| u32::from_le_bytes(*length));
    bytes.get(HEADER_BYTES..HEADER_BYTES + length as usize).unwrap_or_default()
}

/// How many bytes a row takes once packed.
pub(crate) fn packed_bytes(key: &str, value: ValueRef<'_>) -> usize {
    HEADER_BYTES + key.len() + value.as_bytes().len()
}

/// Appends a row in packed form.
pub(crate) fn pack_row(key: &str, value: ValueRef<'_>, out: &mut Vec<u8>) {
    let flag = match value {
        ValueRef::Json(_) => 0,
        ValueRef::Bytes(_) => BYTES_FLAG,
    };
    let value = value.as_bytes();
    out.extend_from_slice(&length(key.len()).to_le_bytes());
    out.extend_from_slice(&(length(value.len()) | flag).to_le_bytes());
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(value);
}

/// A length as it is packed.
fn length(bytes: usize) -> u32 {
    // Keys and values have limits a thousand times smaller, checked at the edge;
    // beyond this one a row would read back as another.
    assert!(bytes < BYTES_FLAG as usize, "a key or value of {bytes} bytes cannot be packed");
    u32::try_from(bytes).unwrap_or_default()
}

/// Bytes that were packed from text, as text.
///
/// Checked anew at each read, because the crate denies itself `unsafe`; what it costs
/// is among the figures.
pub(crate) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_else(|_| unreachable!("rows are packed from text"))
}
