//! Programs of others: where they are, and the one command that installs each.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::Error;

/// The target of modules in Rust.
pub(in crate::cli) const WASM_TARGET: &str = "wasm32-unknown-unknown";
/// Adds it.
pub(in crate::cli) const ADD_TARGET: &str = "rustup target add wasm32-unknown-unknown";
/// Installs Rust.
pub(in crate::cli) const ADD_RUST: &str =
    "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh";
/// Installs esbuild for one project.
pub(in crate::cli) const ADD_ESBUILD: &str = "npm install --save-dev esbuild";
/// Installs what makes schemas of types, for one project: the newest that runs on every Node
/// that the SDK does.
pub(in crate::cli) const ADD_GENERATOR: &str =
    "npm install --save-dev --save-exact ts-json-schema-generator@2.4.0";

/// Installs Node, by what this system installs with.
pub(in crate::cli) fn add_node() -> &'static str {
    match (cfg!(target_os = "macos"), on_path("apt-get"), on_path("dnf")) {
        (true, _, _) => "brew install node",
        (_, None, Some(_)) => "sudo dnf install nodejs npm",
        (_, None, None) if on_path("apk").is_some() => "sudo apk add nodejs npm",
        _ => "sudo apt-get install nodejs npm",
    }
}

/// A program on the path.
pub(in crate::cli) fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    std::env::split_paths(&path).map(|directory| directory.join(&file)).find(|it| it.is_file())
}

/// esbuild: that of the project, of a directory around it, or the one on the path.
pub(in crate::cli) fn esbuild(root: &Path) -> Option<PathBuf> {
    let root = std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
    let installed = root.ancestors().map(|directory| directory.join("node_modules/.bin/esbuild"));
    let mut installed = installed.filter(|path| path.is_file());
    installed.next().or_else(|| on_path("esbuild"))
}

/// A package that is installed in a project, or in a directory around it.
pub(super) fn package(root: &Path, name: &str) -> Option<PathBuf> {
    let root = std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
    let mut installed = root.ancestors().map(|it| it.join("node_modules").join(name));
    installed.find(|path| path.join("package.json").is_file())
}

/// A command line that has to be run in a project.
pub(super) fn in_root(root: &Path, line: &str) -> String {
    match root == Path::new(".") || root == Path::new("") {
        true => line.to_owned(),
        false => {
            let root = crate::cli::shell::word(&root.display().to_string());
            format!("(cd {root} && {line})")
        }
    }
}

/// What a program says of itself on standard output, in one line; none if it cannot be
/// run.
pub(in crate::cli) fn says(program: &Path, directory: &Path, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new(program);
    let output = command.args(arguments).current_dir(directory).output().ok()?;
    let said = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| said.trim().to_owned())
}

/// Whether a toolchain has the target, as seen from a directory: that may choose another.
pub(in crate::cli) fn has_target(rustc: &Path, directory: &Path) -> bool {
    let sysroot = says(rustc, directory, &["--print", "sysroot"]);
    // Looked for where the compiler looks, so that toolchains without rustup do too.
    let libraries = sysroot.map(|sysroot| PathBuf::from(sysroot).join("lib/rustlib"));
    libraries.is_some_and(|libraries| libraries.join(WASM_TARGET).is_dir())
}

pub(super) fn missing(what: &str, mend: &str) -> Error {
    Error::Missing { what: what.to_owned(), mend: mend.to_owned() }
}
