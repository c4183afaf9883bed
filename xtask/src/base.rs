//! `cargo xtask base`: the component that runs scripts, as a core module.
//!
//! The same bytes come of the same sources, the same Rust and the same clang, wherever
//! the repository is: no path of this machine is in them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::setup;
use crate::workspace::{WASM_TARGET, Workspace};

/// The base is a workspace of its own.
const MANIFEST: &str = "guest-sdk/js/base/Cargo.toml";

/// Builds the module and says where it is: `script-base.wasm` in a target directory of
/// its own.
pub(crate) fn build(workspace: &Workspace) -> Result<PathBuf> {
    setup::wasm_target(workspace)?;
    setup::wasm_compiler(workspace)?;
    let target = workspace.target.join("script-base");
    let home = cargo_home()?;
    let shown = |path: &Path| path.display().to_string();
    let (root, home) = (shown(&workspace.root), shown(&home));
    let build = workspace.cargo("build --release --locked --manifest-path").arg(MANIFEST);
    let build = build
        .args("--target")
        .arg(WASM_TARGET)
        .args("--target-dir")
        .arg(workspace.short(&target))
        .variable("CC_wasm32_unknown_unknown", "clang")
        .variable("AR_wasm32_unknown_unknown", "llvm-ar")
        .variable(
            "RUSTFLAGS",
            format!("--remap-path-prefix={home}=/cargo --remap-path-prefix={root}=/chancery"),
        )
        .variable(
            "CFLAGS_wasm32_unknown_unknown",
            format!("-ffile-prefix-map={home}=/cargo -ffile-prefix-map={root}=/chancery"),
        );
    build.run()?;
    let built = target.join(WASM_TARGET).join("release/script_base.wasm");
    let module = fs::read(&built).with_context(|| format!("{} is not there", shown(&built)))?;
    for path in [&root, &home] {
        let found = module.windows(path.len()).any(|window| window == path.as_bytes());
        ensure!(!found, "{} has a path of this machine in it: {path}", shown(&built));
    }
    let file = target.join("script-base.wasm");
    fs::write(&file, module)?;
    Ok(file)
}

/// Builds the module and writes the base that the server carries.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    build(workspace)?;
    workspace.cargo("run --quiet --locked --package chancery-tests --bin script-base").run()?;
    println!("runtime/assets/script-base.wasm is written; commit it");
    Ok(())
}

fn cargo_home() -> Result<PathBuf> {
    if let Some(home) = std::env::var_os("CARGO_HOME") {
        return Ok(home.into());
    }
    let home = std::env::home_dir().context("there is no home directory, and no CARGO_HOME")?;
    Ok(home.join(".cargo"))
}
