//! Writes the base that runs scripts, from what `guest-sdk/js/base` was built to; see
//! `cargo xtask base`.

use std::path::Path;

use anyhow::{Context, Result};
use chancery::wasm::{Host, Settings, script};
use chancery_tests::script_base_core;

fn main() -> Result<()> {
    let host = Host::new(Settings::default())?;
    let base = script::prepare(&host, &script_base_core())?;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../runtime/assets/script-base.wasm");
    std::fs::write(&path, &base).with_context(|| format!("cannot write {}", path.display()))
}
