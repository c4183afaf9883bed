//! Modules of JavaScript and TypeScript: one file as it is, or a bundle by esbuild.
//!
//! The server takes one file of JavaScript and has the SDK. So a script that imports
//! nothing else is uploaded as it was written, with no tool at all; anything more is
//! bundled, with a source map, so that errors name the files that were written.

mod imports;

use std::path::Path;
use std::process::Command;

use self::imports::imports;
use super::tool::{self, missing};
use super::{Error, Kind, Module, Script, absolute};

/// What scripts end in.
pub(super) const EXTENSIONS: [&str; 5] = ["js", "mjs", "ts", "mts", "tsx"];
/// Those with types, which have to be taken out.
const TYPED: [&str; 3] = ["ts", "mts", "tsx"];
/// What the server has and nobody has to bundle.
const SDK: &str = "chancery-sdk";
/// What the engine of the server understands.
const LANGUAGE: &str = "es2023";

/// Whether a file can be a module, as against a test or a description of types.
pub(super) fn is_module(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let extension = path.extension().and_then(|text| text.to_str()).unwrap_or_default();
    let is_other = [".test.", ".spec.", ".config.", ".d."].iter().any(|part| name.contains(part));
    EXTENSIONS.contains(&extension) && !is_other && path.is_file()
}

impl Script {
    /// Whether it is TypeScript.
    pub(super) fn is_typed(&self) -> bool {
        let extension = self.entry.extension().and_then(|text| text.to_str());
        extension.is_some_and(|extension| TYPED.contains(&extension))
    }

    /// Whether it has to be bundled; not if it cannot be read.
    pub(in crate::cli) fn needs_bundler(&self) -> bool {
        let source = std::fs::read_to_string(&self.entry);
        source.is_ok_and(|source| self.reason_to_bundle(&source).is_some())
    }

    pub(super) fn build(&self) -> Result<Module, Error> {
        self.schemas.make()?;
        let source = std::fs::read_to_string(&self.entry);
        let source =
            source.map_err(|source| Error::Unreadable { path: self.entry.clone(), source })?;
        let (bytes, bundled) = match self.reason_to_bundle(&source) {
            None => (source.into_bytes(), false),
            Some(reason) => (self.bundle(&reason)?, true),
        };
        let (name, file) = (self.name.clone(), self.entry.clone());
        Ok(Module { name, file, bytes, kind: Kind::Script { bundled } })
    }

    fn reason_to_bundle(&self, source: &str) -> Option<String> {
        let entry = self.entry.display();
        if self.is_typed() {
            return Some(format!("{entry} is TypeScript"));
        }
        let other = imports(source).into_iter().find(|module| *module != SDK)?;
        Some(format!("{entry} imports `{other}`"))
    }

    fn bundle(&self, reason: &str) -> Result<Vec<u8>, Error> {
        let Some(esbuild) = tool::esbuild(&self.root) else {
            if tool::on_path("npm").is_none() {
                let what = format!("{reason}, which takes esbuild, and npm is not installed");
                return Err(missing(&what, tool::add_node()));
            }
            let what = format!("{reason}, which takes esbuild, and it is not installed");
            return Err(missing(&what, &tool::in_root(&self.root, tool::ADD_ESBUILD)));
        };
        let root = absolute(&self.root);
        let entry = absolute(&self.entry);
        // Paths in the source map are as seen from where it runs.
        let entry = entry.strip_prefix(&root).unwrap_or(&entry);
        let mut command = Command::new(esbuild);
        command
            .arg(Path::new(".").join(entry))
            .args(["--bundle", "--format=esm", "--platform=neutral", "--charset=utf8"])
            .args(["--main-fields=module,main", "--conditions=import,default"])
            .arg(format!("--target={LANGUAGE}"))
            .arg(format!("--external:{SDK}"))
            .args(["--sourcemap=inline", "--log-level=warning", "--color=false"])
            .current_dir(&root);
        let broken =
            |said: String| Error::Broken { tool: "esbuild", path: self.entry.clone(), said };
        let output = command.output().map_err(|error| broken(error.to_string()))?;
        match output.status.success() {
            true => Ok(output.stdout),
            false => Err(broken(String::from_utf8_lossy(&output.stderr).into_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_and_types_are_no_modules() {
        let directory = tempfile::tempdir().expect("a directory");
        for name in ["shop.js", "shop.test.js", "shop.d.ts", "shop.ts", "esbuild.config.mjs"] {
            std::fs::write(directory.path().join(name), "").expect("a file");
        }
        let is = |name: &str| is_module(&directory.path().join(name));
        assert!(is("shop.js") && is("shop.ts"));
        assert!(!is("shop.test.js") && !is("shop.d.ts") && !is("esbuild.config.mjs"));
        assert!(!is("missing.js"));
    }
}
