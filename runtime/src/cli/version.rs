//! `chancery version`: which program this is.

use clap::Args;

use super::Error;
use super::output::Output;

/// Prints the version of this program, and what it was built for.
#[derive(Debug, Args)]
pub(super) struct Version {}

/// The program's own version.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The Rust that it needs at least, which is what modules in Rust need too.
pub(super) const RUST: &str = env!("CARGO_PKG_RUST_VERSION");

/// The contract with modules, as `wit/` has it. A test compares the two.
const CONTRACT: &str = "0.1.0";

impl Version {
    pub(super) fn run(&self, output: &mut Output<'_>) -> Result<(), Error> {
        let target = format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS);
        let build = if cfg!(debug_assertions) { "debug" } else { "release" };
        let program = std::env::current_exe().map(|path| path.display().to_string());
        let program = program.unwrap_or_default();
        if output.for_programs() {
            let document = serde_json::json!({
                "version": VERSION,
                "contract": CONTRACT,
                "target": target,
                "build": build,
                "program": program,
            });
            return Ok(output.document(document.to_string().as_bytes())?);
        }
        output.line(&format!("chancery {VERSION}"))?;
        Ok(output.fields(&[
            ("contract", format!("chancery:app@{CONTRACT}")),
            ("target", target),
            ("build", build.to_owned()),
            ("program", program),
        ])?)
    }
}
