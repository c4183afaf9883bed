//! What has to be there first: the wasm target, the server, guests, and real data.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

use crate::call::Call;
use crate::workspace::{WASM_TARGET, Workspace};

/// The npm package that has the movies. They are fetched and never committed: the
/// package is BSD-3-Clause, but names no source for this file and so no terms.
const MOVIES_PACKAGE: &str = "vega-datasets@3.2.1";
const MOVIES_ARCHIVE: &str = "vega-datasets-3.2.1.tgz";
const MOVIES_MEMBER: &str = "package/data/movies.json";
const MOVIES_SHA256: &str = "e63c499759e3b07b49563e036f55290f87feb56def8703ec049ca305ab1523d3";

/// The SDK for JavaScript, from the root.
pub(crate) const JS_SDK: &str = "guest-sdk/js";
/// What projects in TypeScript need: esbuild, and what makes schemas of types.
const TOOLS: &str = "tests/npm";
/// The client for JavaScript.
pub(crate) const JS_CLIENT: &str = "guest-sdk/js/client";
/// The examples that are written with the SDK.
pub(crate) const JS_SHOP: &str = "examples/shop-js";
/// A module beside the orders, in another language than they are.
pub(crate) const JS_LOYALTY: &str = "examples/loyalty-js";
/// The orders in TypeScript.
pub(crate) const TS_ORDERS: &str = "examples/orders-ts";

/// Adds the target that modules are built for, if it is missing.
pub(crate) fn wasm_target(workspace: &Workspace) -> Result<()> {
    let sysroot = Call::new(&workspace.root, "rustc").args("--print sysroot").output()?;
    let sysroot = PathBuf::from(String::from_utf8(sysroot)?.trim());
    // Looked for where the compiler looks, so that toolchains without rustup do too.
    if sysroot.join("lib/rustlib").join(WASM_TARGET).is_dir() {
        return Ok(());
    }
    let add = Call::new(&workspace.root, "rustup").args("target add").arg(WASM_TARGET);
    add.run().with_context(|| format!("the target {WASM_TARGET} is missing"))
}

/// Installs a C compiler for WebAssembly, if there is none: QuickJS is written in C.
pub(crate) fn wasm_compiler(workspace: &Workspace) -> Result<()> {
    let targets = Call::new(&workspace.root, "clang").args("--print-targets");
    let is_there = targets.is_available()
        && String::from_utf8_lossy(&targets.output()?).contains("wasm32")
        && Call::new(&workspace.root, "llvm-ar").args("--version").is_available();
    if is_there {
        return Ok(());
    }
    debian_packages(workspace, "clang llvm").context(
        "clang with its WebAssembly backend, and llvm-ar, are needed to build QuickJS; install \
         your system's packages of clang and llvm",
    )
}

/// Installs a browser, if there is none: pages that use the server are tested in one.
pub(crate) fn browser(workspace: &Workspace) -> Result<()> {
    if Call::new(&workspace.root, "chromium").args("--version").is_available() {
        return Ok(());
    }
    debian_packages(workspace, "chromium").context(
        "chromium is needed to test pages that use the server; install your system's package of it",
    )
}

/// Installs packages where Debian's tools do.
fn debian_packages(workspace: &Workspace, names: &str) -> Result<()> {
    let apt_get = || Call::new(&workspace.root, "apt-get");
    // A fresh machine has no lists of packages yet.
    apt_get().args("update").run()?;
    apt_get().args("install --yes --no-install-recommends").args(names).run()
}

/// Installs what the tests of the JavaScript packages need.
pub(crate) fn npm_packages(workspace: &Workspace) -> Result<()> {
    for package in [JS_SDK, JS_CLIENT, JS_SHOP, JS_LOYALTY, TS_ORDERS, TOOLS] {
        let installed = node_modules(workspace, package);
        installed
            .context("the tests of JavaScript need Node.js 20 or later, npm, and its registry")?;
    }
    Ok(())
}

/// Builds the server as tests use it, and says where it is.
pub(crate) fn server(workspace: &Workspace) -> Result<PathBuf> {
    workspace.cargo("build --locked --package chancery").run()?;
    let name = format!("chancery{}", std::env::consts::EXE_SUFFIX);
    Ok(workspace.target.join("debug").join(name))
}

/// Builds every guest.
pub(crate) fn guests(workspace: &Workspace) -> Result<()> {
    workspace.guests("build", "--release --locked --target").arg(WASM_TARGET).run()
}

/// Installs what the tests of an npm package need, as its lock file has it, if that is not
/// there yet.
fn node_modules(workspace: &Workspace, package: &str) -> Result<()> {
    let directory = workspace.root.join(package);
    let lock = directory.join("package-lock.json");
    let wanted = fs::read(&lock).with_context(|| format!("{} cannot be read", lock.display()))?;
    // Written last, so that half an installation is none.
    let installed = directory.join("node_modules/.installed");
    if fs::read(&installed).is_ok_and(|lock| lock == wanted) {
        return Ok(());
    }
    let install = Call::new(&directory, "npm").args("ci --ignore-scripts --no-audit --no-fund");
    install.run().with_context(|| format!("the packages that {package} names are not there"))?;
    fs::write(installed, wanted)?;
    Ok(())
}

/// Fetches the movies, if they are not there, and says where they are.
pub(crate) fn movies(workspace: &Workspace) -> Result<PathBuf> {
    let directory = workspace.target.join("data");
    let file = directory.join("movies.json");
    if fs::read(&file).is_ok_and(|bytes| sha256(&bytes) == MOVIES_SHA256) {
        return Ok(file);
    }
    fs::create_dir_all(&directory)?;
    fetch(&directory)?;
    let bytes = Call::new(&directory, "tar").args("-xzOf").arg(MOVIES_ARCHIVE).arg(MOVIES_MEMBER);
    let bytes = bytes.output()?;
    let found = sha256(&bytes);
    ensure!(
        found == MOVIES_SHA256,
        "{MOVIES_MEMBER} of {MOVIES_PACKAGE} is not what it was: its SHA-256 is {found}, \
         and {MOVIES_SHA256} is expected"
    );
    // Moved into place whole: whoever reads meanwhile sees all of it or nothing.
    let partial = directory.join("movies.json.part");
    fs::write(&partial, bytes)?;
    fs::rename(partial, &file)?;
    fs::remove_file(directory.join(MOVIES_ARCHIVE))?;
    Ok(file)
}

fn fetch(directory: &Path) -> Result<()> {
    let pack = Call::new(directory, "npm").args("pack --silent").arg(MOVIES_PACKAGE);
    // It prints the name of the file, which is known.
    pack.output().context("the movies come from an npm package; is npm installed?")?;
    Ok(())
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
