//! What a server does with modules, done before they are sent: a look into WebAssembly, and
//! scripts evaluated.

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

/// What calls of guests need; see [`wasm::Host`].
const STACK_BYTES: usize = 16 << 20;

/// The component that a server would make of a script in the background: the engine, with
/// the script evaluated.
pub(super) fn component_of(path: &Path, file: &str, script: &[u8]) -> Result<Vec<u8>, Error> {
    let make = || {
        let script = wasm::Script::new(file, script).map_err(|refused| refused.to_string())?;
        let host = wasm::Host::new(wasm::Settings::default()).map_err(|error| error.to_string())?;
        host.component_of(&script).map_err(|refused| refused.to_string())
    };
    let made = std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
        let thread = thread.spawn_scoped(scope, make).map_err(|error| error.to_string())?;
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    made.map_err(|reason| Error::Refused { path: path.to_owned(), reason })
}
