//! `cargo xtask base`: the component that runs scripts, as a core module.
//!
//! The same bytes come of the same sources, the same Rust and the same clang, wherever
//! the repository is: no path of this machine is in them.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use crate::call::Call;
use crate::setup;
use crate::workspace::{WASM_TARGET, Workspace};

/// The base is a workspace of its own.
pub(crate) const MANIFEST: &str = "guest-sdk/js/base/Cargo.toml";

/// Builds the module and says where it is: `script-base.wasm` in a target directory of
/// its own.
pub(crate) fn build(workspace: &Workspace) -> Result<PathBuf> {
    setup::wasm_target(workspace)?;
    setup::wasm_compiler(workspace)?;
    cargo(workspace, "build")?.run()?;
    let target = target(workspace);
    let built = target.join(WASM_TARGET).join("release/script_base.wasm");
    let module = fs::read(&built).with_context(|| format!("{} is not there", built.display()))?;
    for path in [&workspace.root, &cargo_home()?] {
        let path = path.display().to_string();
        let is_found = module.windows(path.len()).any(|window| window == path.as_bytes());
        ensure!(!is_found, "{} has a path of this machine in it: {path}", built.display());
    }
    let file = target.join("script-base.wasm");
    fs::write(&file, module)?;
    Ok(file)
}

/// A call of cargo about the base. All have the same flags, so that they share what they
/// compile.
pub(crate) fn cargo(workspace: &Workspace, subcommand: &str) -> Result<Call> {
    let (root, home) = (workspace.root.display(), cargo_home()?);
    let home = home.display();
    let call = workspace.cargo(subcommand).args("--release --locked --manifest-path").arg(MANIFEST);
    let call = call.args("--target").arg(WASM_TARGET);
    let call = call.args("--target-dir").arg(workspace.short(&target(workspace)));
    let rust = format!("--remap-path-prefix={home}=/cargo --remap-path-prefix={root}=/chancery");
    let c = format!("-ffile-prefix-map={home}=/cargo -ffile-prefix-map={root}=/chancery");
    Ok(call
        .variable("CC_wasm32_unknown_unknown", "clang")
        .variable("AR_wasm32_unknown_unknown", "llvm-ar")
        .variable("RUSTFLAGS", rust)
        .variable("CFLAGS_wasm32_unknown_unknown", c))
}

fn target(workspace: &Workspace) -> PathBuf {
    workspace.target.join("script-base")
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
