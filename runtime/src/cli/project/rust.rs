//! Modules of Rust crates, by cargo.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::tool::{self, WASM_TARGET, missing};
use super::{Error, Module};

/// One of the messages that cargo gives to programs.
#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    target: Option<Target>,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
}

/// Builds a crate, or a workspace, and gives each module that it has. What cargo says goes
/// to standard error while it works.
pub(super) fn build(root: &Path) -> Result<Vec<Module>, Error> {
    let Some(cargo) = tool::on_path("cargo") else {
        let what = format!("{} is written in Rust, and cargo is not installed", root.display());
        return Err(missing(&what, tool::ADD_RUST));
    };
    if let Some(rustc) = tool::on_path("rustc").filter(|rustc| !tool::has_target(rustc, root)) {
        let what = format!("{} has no target {WASM_TARGET}", rustc.display());
        return Err(missing(&what, tool::ADD_TARGET));
    }
    let mut command = Command::new(cargo);
    command
        .args(["build", "--release", "--target", WASM_TARGET])
        .arg("--message-format=json-render-diagnostics")
        .current_dir(root)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    let broken =
        |said: &str| Error::Broken { tool: "cargo", path: root.to_owned(), said: said.to_owned() };
    let output = command.output().map_err(|error| broken(&error.to_string()))?;
    if !output.status.success() {
        return Err(broken(""));
    }
    let modules: Vec<Module> =
        files(&output.stdout).iter().map(|file| Module::wasm(file)).collect::<Result<_, _>>()?;
    if modules.is_empty() {
        return Err(Error::nothing(
            &root.join("Cargo.toml"),
            "the crate builds no module; it needs `crate-type = [\"cdylib\", \"rlib\"]` under \
             `[lib]`",
        ));
    }
    Ok(modules)
}

/// The modules among what cargo has built.
fn files(messages: &[u8]) -> Vec<PathBuf> {
    let messages = String::from_utf8_lossy(messages);
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Message>(line).ok());
    let is_module = |target: &Target| target.kind.iter().any(|kind| kind == "cdylib");
    let built = messages.filter(|message| {
        message.reason == "compiler-artifact" && message.target.as_ref().is_some_and(is_module)
    });
    let files = built.flat_map(|message| message.filenames);
    files.filter(|file| file.extension().is_some_and(|it| it == "wasm")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_what_cargo_says_it_has_built() {
        let messages = br#"
{"reason":"compiler-artifact","target":{"kind":["lib"]},"filenames":["/t/libserde.rlib"]}
{"reason":"compiler-artifact","target":{"kind":["cdylib","rlib"]},"filenames":["/t/shop.wasm","/t/libshop.rlib"]}
{"reason":"build-script-executed","package_id":"x"}
{"reason":"build-finished","success":true}
not a message
"#;
        assert_eq!(files(messages), [PathBuf::from("/t/shop.wasm")]);
    }
}
