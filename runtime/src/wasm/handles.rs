//! The numbers behind a guest's handles.
//!
//! A guest may keep the handle of one call and use it in another. wasmtime then
//! hands the host the number it once gave, so a number is never given twice in
//! a store: one of an earlier call can be told, and reaches nothing.

use super::fault::Fault;
use crate::transaction::Cursor;

/// How many numbers a store gives out. When they run out, the call fails; an
/// instance is replaced when half are gone, so that takes one call of two
/// thousand million scans.
const NUMBERS_MAX: u32 = u32::MAX - 1;

/// Gives numbers and remembers the cursors of the call that is on.
#[derive(Debug, Default)]
pub(super) struct Handles {
    last: u32,
    /// Given and not yet dropped by the guest.
    held: usize,
    /// Few, and the youngest is the likeliest: found by looking from the end.
    cursors: Vec<(u32, Cursor)>,
}

impl Handles {
    /// A number that this store has not given before.
    pub(super) fn give(&mut self) -> Result<u32, Fault> {
        if self.last >= NUMBERS_MAX {
            return Err(Fault::TooManyHandles { max: NUMBERS_MAX });
        }
        self.last += 1;
        self.held += 1;
        Ok(self.last)
    }

    /// A number for a cursor.
    pub(super) fn give_cursor(&mut self, cursor: Cursor, max: usize) -> Result<u32, Fault> {
        if self.cursors.len() >= max {
            return Err(Fault::TooManyCursors { cursors_max: max });
        }
        let number = self.give()?;
        self.cursors.push((number, cursor));
        Ok(number)
    }

    /// The cursor of a number.
    pub(super) fn cursor(&mut self, number: u32) -> Result<&mut Cursor, Fault> {
        let mut youngest_first = self.cursors.iter_mut().rev();
        let found = youngest_first.find(|(given, _)| *given == number);
        found.map(|(_, cursor)| cursor).ok_or(Fault::StaleHandle)
    }

    /// The guest has dropped a handle, perhaps one of an earlier call.
    pub(super) fn dropped(&mut self, number: u32) {
        self.held = self.held.saturating_sub(1);
        self.cursors.retain(|(given, _)| *given != number);
    }

    /// Closes the cursors of the call that has ended.
    pub(super) fn close(&mut self) {
        self.cursors.clear();
    }

    /// Handles that the guest has not dropped.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// Whether more than half of the numbers are gone.
    pub(super) fn run_low(&self) -> bool {
        self.last > NUMBERS_MAX / 2
    }
}
