//! Checking a backup: that each file is the one that was written, and then what an
//! app's directory is checked for.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use super::manifest::{MANIFEST, Manifest};
use super::{Error, failed};
use crate::disk::{self, Disk};
use crate::verify::{self, Effect, Finding, Report, Watch, digest};

const ANOTHER: &str = "restore another backup";

/// Whether a directory says that it is a backup.
///
/// # Errors
/// [`Error::Io`].
pub fn is_backup(disk: &dyn Disk, directory: &Path) -> Result<bool, Error> {
    let path = directory.join(MANIFEST);
    disk.exists(&path).map_err(failed("find", &path))
}

/// Checks all of a backup, and touches nothing.
///
/// # Errors
/// [`Error`] if it is no backup, or cannot be read; damage is in the report.
pub fn check(
    disk: &Arc<dyn Disk>,
    directory: &Path,
    watch: &mut dyn Watch,
) -> Result<(Manifest, Report), Error> {
    let manifest = read(&**disk, directory)?;
    let mut findings = Vec::new();
    for file in &manifest.files {
        let path = directory.join(&file.path);
        let what = match digest(&**disk, &path, &mut |_| ()) {
            Ok(found) if found == (file.bytes, file.hash) => continue,
            Ok((bytes, _)) if bytes != file.bytes => {
                format!("it has {bytes} bytes, not {}", file.bytes)
            }
            Ok(_) => "its bytes do not have the SHA-256 that backup.json says".to_owned(),
            Err(error) if error.kind() == ErrorKind::NotFound => "it is missing".to_owned(),
            Err(error) => return Err(failed("read", &path)(error)),
        };
        findings.push(finding(&path, what));
    }
    findings.iter().for_each(|finding| watch.found(finding));
    let mut report = verify::app(disk, directory, watch)?;
    let said = (Some(manifest.history), manifest.round, manifest.entry, manifest.outcome);
    let found = (report.history, report.round, report.entry, report.outcome);
    // Without a round there is no history in the log to be read.
    if report.findings.is_empty() && manifest.round > 0 && said != found {
        let what = format!(
            "it says that the log ends with round {}, entry {} and outcome {}, but it ends with \
             round {}, entry {} and outcome {}",
            said.1, said.2, said.3, found.1, found.2, found.3
        );
        let finding = finding(&directory.join(MANIFEST), what);
        watch.found(&finding);
        findings.push(finding);
    }
    findings.append(&mut report.findings);
    report.findings = findings;
    Ok((manifest, report))
}

/// What a backup says is in it.
pub(super) fn read(disk: &dyn Disk, directory: &Path) -> Result<Manifest, Error> {
    let path = directory.join(MANIFEST);
    match disk::read(disk, &path) {
        Ok(bytes) => Manifest::decode(&path, &bytes),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Err(Error::NoBackup { path: directory.into() })
        }
        Err(error) => Err(failed("read", &path)(error)),
    }
}

fn finding(path: &Path, what: String) -> Finding {
    let (file, remedy) = (path.into(), ANOTHER.to_owned());
    Finding { file, place: None, what, remedy, effect: Effect::Refuses }
}
