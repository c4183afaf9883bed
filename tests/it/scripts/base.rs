//! The base that the server carries is what this repository makes.

use std::sync::Arc;

use chancery::wasm::{Host, Settings, script};
use chancery_tests::script_base_core;

#[test]
fn the_base_is_made_again_byte_for_byte() {
    let host: Arc<Host> = Host::new(Settings::default()).expect("a host");
    let made = script::prepare(&host, &script_base_core()).expect("the base is prepared");
    let carried = script::base_bytes();
    assert!(
        made == carried,
        "runtime/assets/script-base.wasm has {} bytes, and what guest-sdk/js/base makes has {}; \
         `cargo xtask base` writes it",
        carried.len(),
        made.len()
    );
}
