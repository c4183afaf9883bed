//! Decides, as instances are made and grow, what a store may have.
//!
//! Per memory and table wasmtime has limits of its own; this sums over all of a
//! store, so that a component of many small modules has no more than another.

use wasmtime::ResourceLimiter;

use super::engine::{CORE_INSTANCES_MAX, MEMORIES_MAX, TABLE_ELEMENTS_MAX, TABLES_MAX};
use super::fault::Fault;

/// What wasmtime keeps for an element of a table, in bytes.
const TABLE_ELEMENT_BYTES: usize = size_of::<usize>();

/// Counts what a store has. Nothing is ever given back to it: memories do not
/// shrink and go only with their store.
#[derive(Debug)]
pub(super) struct Limiter {
    bytes: usize,
    bytes_max: usize,
    table_elements: usize,
}

impl Limiter {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { bytes: 0, bytes_max, table_elements: 0 }
    }

    /// What the store has, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    fn add(&mut self, bytes: usize) -> Result<(), Fault> {
        let sum = self.bytes.saturating_add(bytes);
        if sum > self.bytes_max {
            return Err(Fault::MemoryLimit { bytes_max: self.bytes_max });
        }
        self.bytes = sum;
        Ok(())
    }
}

impl ResourceLimiter for Limiter {
    /// Traps at the limit. A guest told -1 would abort with less to say, and
    /// one that copes would compute something else than on a larger server.
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let grown = desired.saturating_sub(current);
        if maximum.is_some_and(|maximum| desired > maximum) {
            // Beyond what the module declared for itself, or one pool slot. The
            // first is the module's own business and answered by -1.
            return match self.bytes.saturating_add(grown) > self.bytes_max {
                true => Err(Fault::MemoryLimit { bytes_max: self.bytes_max }.into()),
                false => Ok(false),
            };
        }
        self.add(grown)?;
        Ok(true)
    }

    /// What was allowed did not happen: the machine has no memory. That is not
    /// the guest's doing and must not become its outcome.
    fn memory_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        Err(Fault::Host(format!("could not grow a guest's memory: {error}")).into())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let grown = desired.saturating_sub(current);
        let elements = self.table_elements.saturating_add(grown);
        if elements > TABLE_ELEMENTS_MAX {
            return Err(Fault::TableLimit { elements_max: TABLE_ELEMENTS_MAX }.into());
        }
        self.add(grown.saturating_mul(TABLE_ELEMENT_BYTES))?;
        self.table_elements = elements;
        Ok(true)
    }

    fn table_grow_failed(&mut self, error: wasmtime::Error) -> wasmtime::Result<()> {
        Err(Fault::Host(format!("could not grow a guest's table: {error}")).into())
    }

    fn instances(&self) -> usize {
        CORE_INSTANCES_MAX as usize
    }

    fn tables(&self) -> usize {
        TABLES_MAX as usize
    }

    fn memories(&self) -> usize {
        MEMORIES_MAX as usize
    }
}
