//! `chancery restore`: makes an app of a backup, while no server runs.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use uuid::Uuid;

use super::Error;
use super::output::{Output, bytes};
use super::verify::Bar;
use crate::backup::{self, Restored};
use crate::config::{Key, Layers, key};
use crate::disk::{self, Disk, Files};
use crate::engine;
use crate::value::{History, Name, chain_of};

/// Makes an app of a backup, while no server runs.
///
/// The app gets a new history, because what was acknowledged after the backup is not in
/// it: cursors and sequences from before are refused with 410 `history-changed`. Ids are
/// known as before, and answered with their receipts. An app that is there is never
/// written over; cut off at any moment, everything is restored or nothing is.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  chancery restore chancery-data/backups/main-1200-20261121T163524Z
  chancery restore /mnt/backups/before-the-sale --app shop-again
  chancery restore /mnt/backups/before-the-sale --data /var/lib/chancery

The app is the one that the backup was made of, unless --app says otherwise. Exit code
0: restored and checked; 5: nothing was restored.")]
pub(super) struct Restore {
    /// The directory of the backup.
    backup: PathBuf,
    /// The data directory that it is restored to; created if it is not there [default:
    /// ./chancery-data].
    #[arg(long, value_name = "DIRECTORY")]
    data: Option<String>,
}

impl Restore {
    /// What the flags set.
    pub(super) fn given(&self) -> Vec<(Key, String)> {
        self.data.clone().map(|text| (key::DATA, text)).into_iter().collect()
    }

    pub(super) fn run(
        &self,
        layers: &mut Layers,
        app: Option<&str>,
        output: &mut Output<'_>,
    ) -> Result<(), Error> {
        let name: Option<Name> =
            app.map(str::parse).transpose().map_err(|invalid: crate::value::Invalid| {
                Error::Usage { message: invalid.to_string() }
            })?;
        let data = layers.data()?;
        let disk: Arc<dyn Disk> = Arc::new(Files);
        disk::create_directories(&*disk, &data).map_err(|source| Error::Restore {
            message: format!("cannot create {}: {source}", data.display()),
        })?;
        let _lock = engine::lock(&*disk, &data).map_err(|error| refused(&error))?;
        let history = History(Uuid::now_v7());
        let mut bar = Bar::new("checking what was restored");
        let apps = data.join("apps");
        let restored =
            backup::restore(&disk, &self.backup, &apps, name.as_ref(), history, &mut bar);
        bar.end();
        let restored = restored.map_err(|error| refused(&error))?;
        tell(&restored, output)
    }
}

fn tell(restored: &Restored, output: &mut Output<'_>) -> Result<(), Error> {
    let Restored { path, app, history, manifest, report } = restored;
    if output.for_programs() {
        let document = serde_json::json!({
            "app": app.as_str(),
            "path": path,
            "history": history.0,
            "sequence": manifest.entry.0,
            "backup_of": { "app": manifest.app.as_str(), "history": manifest.history.0 },
            "files": manifest.files.len(),
            "bytes": manifest.bytes(),
            "checked": report.checked,
        });
        return Ok(output.document(document.to_string().as_bytes())?);
    }
    output.headline(&format!("restored {app} as of entry {}", manifest.entry))?;
    let waiting = manifest.entry.0.saturating_sub(manifest.outcome.0);
    let waiting = match waiting {
        0 => String::new(),
        1 => "1 entry was logged and not executed; the next start executes it".to_owned(),
        n => format!("{n} entries were logged and not executed; the next start executes them"),
    };
    output.fields(&[
        ("path", path.display().to_string()),
        ("files", format!("{}, {}", manifest.files.len(), bytes(manifest.bytes()))),
        ("checked", "everything; all is well".to_owned()),
        ("waiting", waiting),
        ("history", format!("{history}, which is new")),
    ])?;
    Ok(output.line(
        "cursors and sequences of the history before are refused with 410 `history-changed`;\n\
         ids are answered with their receipts as before",
    )?)
}

fn refused(error: &dyn std::error::Error) -> Error {
    Error::Restore { message: chain_of(error) }
}
