//! The keys of a table's map: where each block begins.
//!
//! A lookup compares a dozen of them and a change copies as many, so they lie in
//! the map's nodes themselves rather than behind a pointer, and are as short as
//! they can be.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use super::block::shared_bytes;

/// The longest bound that lies within the node: with its length and tag it
/// fills 32 bytes.
const INLINE_BYTES_MAX: usize = 30;

/// A text above every key of the block before and not above any key of its own,
/// compared as bytes. The first block's is empty and so below every key.
#[derive(Clone)]
pub(super) enum Bound {
    Inline { length: u8, bytes: [u8; INLINE_BYTES_MAX] },
    Shared(Arc<[u8]>),
}

impl Bound {
    /// The bound of the first block.
    pub(super) fn lowest() -> Self {
        Self::of(&[])
    }

    /// The shortest bound between two keys, `left` below `right`: as much of
    /// `right` as tells it from `left`.
    pub(super) fn between(left: &[u8], right: &[u8]) -> Self {
        Self::of(right.get(..=shared_bytes(left, right)).unwrap_or(right))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Inline { length, bytes } => bytes.get(..usize::from(*length)).unwrap_or_default(),
            Self::Shared(bytes) => bytes,
        }
    }

    /// A bound of this text.
    pub(super) fn of(text: &[u8]) -> Self {
        let mut bytes = [0; INLINE_BYTES_MAX];
        match (bytes.get_mut(..text.len()), u8::try_from(text.len())) {
            (Some(inline), Ok(length)) => {
                inline.copy_from_slice(text);
                Self::Inline { length, bytes }
            }
            _ => Self::Shared(text.into()),
        }
    }
}

impl Borrow<[u8]> for Bound {
    fn borrow(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl Ord for Bound {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl PartialOrd for Bound {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Bound {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Bound {}

impl fmt::Debug for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(self.as_bytes()))
    }
}
