//! `chancery backup`: copies an app while it runs.

use std::time::Duration;

use clap::Args;
use http::Method;
use serde::Deserialize;

use super::Error;
use super::client::{Client, Request};
use super::output::{Output, bytes};
use crate::value::Name;

/// How long a backup is waited for; the server goes on with it all the same.
const BACKUP_MAX: Duration = Duration::from_secs(24 * 3600);

/// Copies an app, as of one sequence, while it runs.
///
/// The server writes the copy to a directory of its own: `backups` in its data
/// directory, unless it was started with --backups. Queries and commands go on. A copy
/// on the same disk does not survive that disk: move it elsewhere.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  chancery backup
  chancery backup --app shop --name before-the-sale
  chancery backup --json | jq -r .path")]
pub(super) struct Backup {
    /// The name of the backup [default: the app, its last sequence and the time].
    #[arg(long)]
    name: Option<Name>,
}

#[derive(Deserialize)]
struct BackedUp {
    app: String,
    path: String,
    history: String,
    sequence: u64,
    files: u64,
    bytes: u64,
    took_ms: u64,
}

impl Backup {
    pub(super) fn run(&self, client: &Client, output: &mut Output<'_>) -> Result<(), Error> {
        let name = self.name.as_ref().map(Name::as_str);
        let body = match name {
            Some(name) => serde_json::json!({ "name": name }).to_string(),
            None => "{}".to_owned(),
        };
        let request: Request<'_> = client
            .request(Method::POST, &["backup"])
            .body("application/json", body.as_bytes())
            .patience(BACKUP_MAX);
        let (made, answer) = client.read::<BackedUp>(request)?;
        if output.for_programs() {
            return Ok(output.document(&answer.body)?);
        }
        output.headline(&format!("backed up {} as of entry {}", made.app, made.sequence))?;
        Ok(output.fields(&[
            ("path", made.path),
            ("files", format!("{}, {}", made.files, bytes(made.bytes))),
            ("history", made.history),
            ("took", format!("{} ms", made.took_ms)),
        ])?)
    }
}
