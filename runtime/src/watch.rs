//! What queries read, and which of them a change concerns.
//!
//! A query that is to be asked again when its answer may have changed says here what
//! it read: keys, whether they were there or not, and ranges. A change set then tells
//! whom it concerns. Nobody is ever missed. Somebody may be told of a change that
//! makes no difference to him, where [`Reads`] says so.
//!
//! It knows nothing of guests, and not when a change may be seen.

mod ranges;
mod reads;
#[cfg(test)]
mod tests;
mod watchers;

pub use reads::{READS_BYTES_MAX, READS_MAX, Reads};
pub use watchers::{Watch, Watchers};

use crate::state::Range;
use crate::value::{Key, Value};

/// Whether one of the rows of a change, which are in the order of their keys, is in a
/// range.
fn is_any_in(rows: &[(Key, Option<Value>)], range: &Range) -> bool {
    let at = rows.partition_point(|(key, _)| key.as_str() < range.lower_text());
    rows.get(at).is_some_and(|(key, _)| range.contains(key.as_str()))
}
