//! Which entries were erased, as the state says: the table `$erased`, by sequence.

use crate::state::State;
use crate::value::{Name, Sequence};

/// The table.
#[must_use]
pub fn table() -> Name {
    Name::system("$erased")
}

/// The key of an entry: its sequence, 20 digits.
#[must_use]
pub fn key(sequence: Sequence) -> String {
    format!("{:020}", sequence.0)
}

/// Whether an entry was erased.
#[must_use]
pub fn is_erased(state: &State, sequence: Sequence) -> bool {
    let table = state.table(table().as_str());
    table.is_some_and(|table| table.rows() > 0 && table.get(&key(sequence)).is_some())
}
