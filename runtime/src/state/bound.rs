//! The keys of a table's map: where each block begins.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// The lowest key that may be in a block, compared as bytes. The first block's
/// is empty and so below every key, which is why this is not a
/// [`Key`](crate::value::Key).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Bound(Arc<[u8]>);

impl Bound {
    /// The bound of the first block.
    pub(super) fn lowest() -> Self {
        Self([].into())
    }

    /// The bound of a block that begins with this key.
    pub(super) fn at(key: &[u8]) -> Self {
        Self(key.into())
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Borrow<[u8]> for Bound {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.0))
    }
}
