//! `chancery erase`: has what a command said and did forgotten.

use clap::Args;
use http::Method;

use super::Error;
use super::client::Client;
use super::output::Output;
use super::receipt::Receipt;

/// Erases the input, result and events' data of a command.
///
/// They are not shown any more at once, and leave the server's files within moments.
/// What the command changed in tables stays: submit a command that undoes it. Copies in
/// backups stay as well.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  chancery erase 01939d3c-1f5e-7cc2-a1a6-0d6f3cb9a3d1")]
pub(super) struct Erase {
    /// The id of the command.
    id: uuid::Uuid,
}

impl Erase {
    pub(super) fn run(&self, client: &Client, output: &mut Output<'_>) -> Result<(), Error> {
        let id = self.id.to_string();
        let request = client.request(Method::DELETE, &["commands", &id]);
        let (receipt, answer) = client.read::<Receipt>(request)?;
        if output.for_programs() {
            output.document(&answer.body)?;
        } else if receipt.succeeded() {
            output.headline(&format!("erased {id}"))?;
            receipt.write(output)?;
        }
        receipt.refusal().map_or(Ok(()), Err)
    }
}
