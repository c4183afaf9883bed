//! `chancery version`: which program this is.

use clap::Args;

use super::Error;
use super::output::Output;

/// Prints the version of this program.
#[derive(Debug, Args)]
pub(super) struct Version {}

/// The program's own version.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

impl Version {
    pub(super) fn run(&self, output: &mut Output<'_>) -> Result<(), Error> {
        if output.for_programs() {
            let document = serde_json::json!({ "version": VERSION });
            return Ok(output.document(document.to_string().as_bytes())?);
        }
        Ok(output.line(&format!("chancery {VERSION}"))?)
    }
}
