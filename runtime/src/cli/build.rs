//! `chancery build`: makes modules, and says what they are.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value as Json, json};

use super::Error;
use super::output::{Output, bytes};
use super::project::{Kind, Module, Project};

/// Where bundles go, in the project.
const OUT: &str = "dist";

/// Builds a project: what it makes can be deployed.
///
/// A Rust crate is built for wasm32-unknown-unknown, by cargo. JavaScript that imports
/// nothing but chancery-sdk is uploaded as it is; TypeScript, and what imports more, is
/// bundled into one file by esbuild, with a source map in it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  chancery build
  chancery build shop.ts --out build
  chancery build shop.js --component
  chancery build target/wasm32-unknown-unknown/release/shop.wasm --json")]
pub(super) struct Build {
    /// A project's folder, or a .js, .ts or .wasm file [default: the working directory].
    path: Option<PathBuf>,
    /// Where what is made of scripts is written, which is created if it is not there [default: dist in
    /// the project].
    #[arg(long, value_name = "DIRECTORY")]
    out: Option<PathBuf>,
    /// Makes components of scripts: WebAssembly with the engine in it and the script
    /// evaluated, which is what a server comes to in the background. Takes some seconds.
    #[arg(long)]
    component: bool,
}

impl Build {
    pub(super) fn run(&self, output: &mut Output<'_>) -> Result<(), Error> {
        let path = self.path.clone().unwrap_or_else(|| PathBuf::from("."));
        let project = Project::at(&path)?;
        let mut modules = project.build()?;
        let out = self.out.clone().unwrap_or_else(|| project.root().join(OUT));
        if self.component {
            let made = modules.into_iter().map(|module| {
                let is_script = matches!(module.kind, Kind::Script { .. });
                let mut module = module.into_component()?;
                if is_script {
                    write(&mut module, &out, "wasm")?;
                }
                Ok(module)
            });
            modules = made.collect::<Result<_, Error>>()?;
        }
        for module in &mut modules {
            if let Kind::Script { bundled: true } = module.kind {
                write(module, &out, "js")?;
            }
        }
        if output.for_programs() {
            let modules: Vec<Json> = modules.iter().map(document).collect();
            let document = json!({ "language": project.language(), "modules": modules });
            return Ok(output.document(document.to_string().as_bytes())?);
        }
        modules.iter().try_for_each(|module| tell(module, output))
    }
}

/// Writes what was made, whole or not at all.
fn write(module: &mut Module, out: &Path, extension: &str) -> Result<(), Error> {
    std::fs::create_dir_all(out).map_err(|error| Error::unwritable(out, error))?;
    let file = out.join(format!("{}.{extension}", module.name));
    let draft = out.join(format!(".{}.{extension}.part", module.name));
    let written = std::fs::write(&draft, &module.bytes);
    let written = written.and_then(|()| std::fs::rename(&draft, &file));
    written.map_err(|error| Error::unwritable(&file, error))?;
    module.file = file;
    Ok(())
}

fn document(module: &Module) -> Json {
    let mut document = json!({
        "name": module.name,
        "file": module.file.display().to_string(),
        "bytes": module.bytes.len(),
        "sha256": module.hash().to_string(),
        "content_type": module.content_type(),
    });
    let more = match &module.kind {
        Kind::Wasm(seen) => json!({ "component": seen.is_component, "imports": seen.imports }),
        Kind::Script { bundled } => json!({ "bundled": bundled }),
    };
    if let (Some(document), Json::Object(more)) = (document.as_object_mut(), more) {
        document.extend(more);
    }
    document
}

fn tell(module: &Module, output: &mut Output<'_>) -> Result<(), Error> {
    let length = bytes(u64::try_from(module.bytes.len()).unwrap_or(u64::MAX));
    let (kind, imports) = match &module.kind {
        Kind::Wasm(seen) => {
            let kind = if seen.is_component { "component" } else { "core module" };
            let imports = seen.imports.join(", ");
            (kind, if imports.is_empty() { "nothing".to_owned() } else { imports })
        }
        Kind::Script { bundled: true } => ("JavaScript, bundled", String::new()),
        Kind::Script { bundled: false } => ("JavaScript, as it is", String::new()),
    };
    output.headline(&module.name)?;
    output.fields(&[
        ("file", module.file.display().to_string()),
        ("is", format!("{kind}, {length}")),
        ("imports", imports),
        ("sha256", module.hash().to_string()),
    ])?;
    let file = super::shell::word(&module.file.display().to_string());
    Ok(output.fields(&[("then", format!("chancery deploy {file}"))])?)
}
