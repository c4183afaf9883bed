//! A look into WebAssembly before it is sent, with the eyes of the server.

use std::path::Path;

use super::Error;
use crate::wasm;

/// What was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Inspected {
    /// A component; else a core module, which the server makes one of.
    pub(in crate::cli) is_component: bool,
    /// What it asks the server for.
    pub(in crate::cli) imports: Vec<String>,
}

/// Checks what a server would check before it compiles.
pub(super) fn inspect(path: &Path, bytes: &[u8]) -> Result<Inspected, Error> {
    // How much a server takes is its own affair.
    match wasm::inspect(bytes, usize::MAX) {
        Ok(wasm::Inspected { is_component, imports }) => Ok(Inspected { is_component, imports }),
        Err(refused) => Err(Error::Refused { path: path.to_owned(), reason: refused.to_string() }),
    }
}
