//! Where things are: the repository, and what is built from it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value as Json;

use crate::call::Call;

/// The target of modules that are written in Rust.
pub(crate) const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// The manifest of the guests' own workspace, from the root.
pub(crate) const GUESTS_MANIFEST: &str = "guest-sdk/Cargo.toml";

/// This repository and its target directory.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// The root of the repository.
    pub(crate) root: PathBuf,
    /// Where cargo builds, whoever said so: the environment or the configuration.
    pub(crate) target: PathBuf,
}

impl Workspace {
    /// Asks cargo.
    pub(crate) fn find() -> Result<Self> {
        let here = std::env::current_dir().context("there is no working directory")?;
        let call = Call::cargo(&here).args("metadata --no-deps --format-version 1");
        let metadata: Json = serde_json::from_slice(&call.output()?)?;
        let path = |member: &str| -> Result<PathBuf> {
            let text = metadata.get(member).and_then(Json::as_str);
            Ok(text.with_context(|| format!("cargo metadata has no {member}"))?.into())
        };
        Ok(Self { root: path("workspace_root")?, target: path("target_directory")? })
    }

    /// A call of cargo, in the root.
    pub(crate) fn cargo(&self, arguments: &str) -> Call {
        Call::cargo(&self.root).args(arguments)
    }

    /// A call of cargo about the guests, which have a target directory of their own:
    /// the same that the build script of the tests uses.
    pub(crate) fn guests(&self, subcommand: &str, arguments: &str) -> Call {
        let call = self.cargo(subcommand).args("--manifest-path").args(GUESTS_MANIFEST);
        call.arg("--target-dir").arg(self.short(&self.guests_target())).args(arguments)
    }

    /// Where guests are built.
    pub(crate) fn guests_target(&self) -> PathBuf {
        self.target.join("guests")
    }

    /// A module that was built, by the name of its file.
    pub(crate) fn guest(&self, name: &str) -> PathBuf {
        let release = self.guests_target().join(WASM_TARGET).join("release");
        release.join(name).with_extension("wasm")
    }

    /// A path as a person in the root would write it.
    pub(crate) fn short(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).display().to_string()
    }
}
