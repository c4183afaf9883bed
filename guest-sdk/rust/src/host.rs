//! The server as the SDK sees it: the real one inside WebAssembly, one in memory
//! for native tests. Both have the same methods, so that everything above is the
//! same code in both.

#[cfg(not(target_arch = "wasm32"))]
pub(crate) mod memory;
#[cfg(target_arch = "wasm32")]
mod wasm;

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use memory::{Cursor, Snapshot, Transaction, View, log};
#[cfg(target_arch = "wasm32")]
pub(crate) use wasm::{Cursor, Snapshot, Transaction, View, log};
