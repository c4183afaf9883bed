//! The rounds that were read last, so that those who read the same events share them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::record::Parts;

/// Bytes of rounds that are kept, at least one round.
const BYTES_MAX: usize = 4 << 20;

#[derive(Debug, Default)]
pub(super) struct Rounds(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    /// The least recently used first.
    rounds: VecDeque<(u64, Arc<Parts>)>,
    bytes: usize,
}

impl Rounds {
    pub(super) fn get(&self, number: u64) -> Option<Arc<Parts>> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = held.rounds.iter().position(|(held, _)| *held == number)?;
        let found = held.rounds.remove(at)?;
        held.rounds.push_back((number, Arc::clone(&found.1)));
        Some(found.1)
    }

    pub(super) fn put(&self, number: u64, parts: &Arc<Parts>) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.bytes += parts.memory_bytes();
        held.rounds.push_back((number, Arc::clone(parts)));
        while held.bytes > BYTES_MAX && held.rounds.len() > 1 {
            if let Some((_, oldest)) = held.rounds.pop_front() {
                held.bytes = held.bytes.saturating_sub(oldest.memory_bytes());
            }
        }
    }
}
