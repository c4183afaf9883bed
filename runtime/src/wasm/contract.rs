//! The contract of `wit/`, as Rust: generated, with nothing decided here.
//!
//! The interface `types` is not generated but mapped to [`types`], whose texts
//! and bytes are shared, so that a row on its way to a guest is copied once.
#![expect(
    unreachable_pub,
    reason = "generated code, documented in wit/ and reachable only inside `wasm`"
)]

pub mod types;

/// Type of the handles to a `snapshot`. The host keeps no object behind a
/// handle, only the number it gave: see `handles`.
pub enum Snapshot {}
/// Type of the handles to a `transaction`.
pub enum Transaction {}
/// Type of the handles to a `view`.
pub enum View {}
/// Type of the handles to a `cursor`.
pub enum Cursor {}

wasmtime::component::bindgen!({
    world: "app",
    path: "../wit",
    with: {
        "chancery:app/types": types,
        "chancery:app/store.snapshot": Snapshot,
        "chancery:app/store.transaction": Transaction,
        "chancery:app/store.view": View,
        "chancery:app/store.cursor": Cursor,
    },
    imports: { default: trappable },
});
