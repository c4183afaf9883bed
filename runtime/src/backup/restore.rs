//! Putting a backup back, as an app with a history of its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::manifest::{DIRECTORIES, Manifest};
use super::write::copy;
use super::{Error, check, draft_of, failed};
use crate::disk::{self, Disk};
use crate::log::Segments;
use crate::log::segments::Limits;
use crate::value::{History, Name};
use crate::verify::{self, Report, Watch};

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// Where it is.
    pub path: PathBuf,
    /// Under which name.
    pub app: Name,
    /// Its new history.
    pub history: History,
    /// What was in the backup.
    pub manifest: Manifest,
    /// What checking the result came to.
    pub report: Report,
}

/// Restores a backup below `apps`, which is the directory of a server that does not
/// run: under this name, or that of the app it was made of. All of it is there when
/// `Ok`, and nothing when `Err`, wherever it was cut off.
///
/// # Errors
/// [`Error`]: among others [`Error::Exists`] if there is an app of that name,
/// [`Error::NoBackup`], [`Error::Damaged`] for a file that is not as it was written,
/// [`Error::NotWhole`] if the result does not pass a check.
pub fn restore(
    disk: &Arc<dyn Disk>,
    backup: &Path,
    apps: &Path,
    name: Option<&Name>,
    history: History,
    watch: &mut dyn Watch,
) -> Result<Restored, Error> {
    let manifest = check::read(&**disk, backup)?;
    let app = name.unwrap_or(&manifest.app).clone();
    let path = apps.join(app.as_str());
    if disk.exists(&path).map_err(failed("find", &path))? {
        return Err(Error::Exists { path });
    }
    disk::create_directories(&**disk, apps).map_err(failed("create", apps))?;
    let draft = draft_of(&path);
    let restored =
        fresh(&**disk, &draft).and_then(|()| fill(disk, backup, &manifest, &draft, history, watch));
    let report = match restored {
        Ok(report) => report,
        Err(error) => {
            // A start ignores it, and the next try removes it.
            if let Err(left) = disk.remove_directory(&draft) {
                tracing::warn!(directory = %draft.display(), error = %left, "left behind");
            }
            return Err(error);
        }
    };
    disk::finish(&**disk, &draft, &path).map_err(failed("name", &path))?;
    Ok(Restored { path, app, history, manifest, report })
}

fn fresh(disk: &dyn Disk, draft: &Path) -> Result<(), Error> {
    match disk.remove_directory(draft) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(failed("remove", draft)(error));
        }
        _ => {}
    }
    disk.create_directory(draft).map_err(failed("create", draft))
}

fn fill(
    disk: &Arc<dyn Disk>,
    backup: &Path,
    manifest: &Manifest,
    draft: &Path,
    history: History,
    watch: &mut dyn Watch,
) -> Result<Report, Error> {
    for directory in DIRECTORIES {
        let made = draft.join(directory);
        disk.create_directory(&made).map_err(failed("create", &made))?;
    }
    for file in &manifest.files {
        let (from, to) = (backup.join(&file.path), draft.join(&file.path));
        let copied = copy(&**disk, &from, &to, &mut |_| Ok(()))?;
        if copied != (file.bytes, file.hash) {
            let what = match copied.0 == file.bytes {
                true => "its bytes do not have the SHA-256 that backup.json says".to_owned(),
                false => format!("it has {} bytes, not {}", copied.0, file.bytes),
            };
            return Err(Error::Damaged { path: from, what });
        }
    }
    for directory in DIRECTORIES {
        let made = draft.join(directory);
        disk.sync_directory(&made).map_err(failed("sync", &made))?;
    }
    let log = Segments::new(Arc::clone(disk), draft.join("log"), Limits::default());
    log.continue_as(history)?;
    disk.sync_directory(draft).map_err(failed("sync", draft))?;
    let report = verify::app(disk, draft, watch)?;
    let whole = (report.entry, report.outcome) == (manifest.entry, manifest.outcome);
    match report.findings.first() {
        Some(finding) => {
            let what = format!("{}: {}", finding.file.display(), finding.what);
            Err(Error::NotWhole { what })
        }
        None if !whole => {
            let what = format!(
                "the log ends with entry {}, but backup.json says entry {}",
                report.entry, manifest.entry
            );
            Err(Error::NotWhole { what })
        }
        None => Ok(report),
    }
}
