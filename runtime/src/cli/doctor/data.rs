//! The data directory: whether a server could write to it, and read what is in it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use super::Finding;
use crate::backup::MANIFEST;
use crate::cli::shell;
use crate::disk::{Disk, Files};
use crate::engine;
use crate::log::segments::Limits;
use crate::log::{self, Segments};
use crate::value::Name;

const WHAT: &str = "data";

/// What a backup says of itself, as far as it is looked at.
#[derive(Deserialize)]
struct Backup {
    app: String,
    /// RFC 3339, in UTC.
    time: String,
}

/// Looks at a data directory, and at its backups if one is needed; neither need be there.
pub(super) fn look(data: &Path, backups: &Path) -> Vec<Finding> {
    if !data.exists() {
        let parent = data.parent().filter(|parent| *parent != Path::new(""));
        let parent = parent.unwrap_or(Path::new("."));
        let there = parent.ancestors().find(|it| it.is_dir()).unwrap_or(Path::new("."));
        return vec![match writable(there) {
            Ok(()) => Finding::fine(WHAT, format!("{} will be created", data.display())),
            Err(finding) => finding,
        }];
    }
    if let Err(finding) = writable(data) {
        return vec![finding];
    }
    let disk: Arc<dyn Disk> = Arc::new(Files);
    // Taking the lock would create its file; without one no server was ever here.
    let lock = data.join("lock").exists().then(|| engine::lock(&*disk, data));
    if let Some(Err(engine::Error::InUse { .. })) = lock {
        return vec![Finding::fine(WHAT, format!("{} is used by a server", data.display()))];
    }
    let wrong: Vec<Finding> =
        apps(data).iter().filter_map(|app| unreadable(&disk, data, backups, app)).collect();
    match wrong.is_empty() {
        true => vec![Finding::fine(WHAT, format!("{} is of this version", data.display()))],
        false => wrong,
    }
}

/// Whether files can be made in a directory.
fn writable(directory: &Path) -> Result<(), Finding> {
    let probe = directory.join(format!(".chancery-doctor-{}", std::process::id()));
    let made = std::fs::File::create_new(&probe).and_then(|_| std::fs::remove_file(&probe));
    made.map_err(|error| {
        let says = format!("{} cannot be written to: {error}", directory.display());
        let word = shell::word(&directory.display().to_string());
        let mend = match error.kind() {
            ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
                format!("mv {word} {word}.other")
            }
            ErrorKind::ReadOnlyFilesystem => format!("sudo mount -o remount,rw {word}"),
            ErrorKind::StorageFull => format!("df -h {word}"),
            _ => format!("sudo chown -R \"$(id -un)\" {word}"),
        };
        Finding::wrong(WHAT, says, mend)
    })
}

/// The names of apps in a data directory.
fn apps(data: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(data.join("apps")).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| name.parse::<Name>().is_ok()).collect();
    names.sort();
    names
}

/// What keeps a server from reading an app's log, if anything does at first sight.
fn unreadable(disk: &Arc<dyn Disk>, data: &Path, backups: &Path, app: &str) -> Option<Finding> {
    let directory = data.join("apps").join(app).join("log");
    let log = Segments::new(Arc::clone(disk), &directory, Limits::default());
    let error = log.newest_history().err()?;
    Some(match (&error, of_another_name(&directory)) {
        (log::Error::UnknownFormat { .. }, _) => of_another_version(data, app, &error.to_string()),
        (log::Error::Missing { .. }, Some(file)) => {
            let reason =
                format!("its log is {}, a name that this version does not give", file.display());
            of_another_version(data, app, &reason)
        }
        (log::Error::Missing { .. }, None) => lost(data, backups, app, &directory),
        _ => {
            let says = format!("app `{app}` cannot be read: {error}");
            let data = word(data);
            Finding::wrong(WHAT, says, format!("chancery verify --data {data} --app {app}"))
        }
    })
}

/// A log that is there under a name that this version does not give.
fn of_another_name(directory: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut paths = entries.map(|entry| entry.path());
    paths.find(|path| path.extension().is_some_and(|extension| extension == "redb"))
}

fn of_another_version(data: &Path, app: &str, reason: &str) -> Finding {
    let says =
        format!("app `{app}` was written by another version, which alone can read it: {reason}");
    let data = word(data);
    Finding::wrong(WHAT, says, format!("mv {data} {data}.of-another-version"))
}

/// What the log had and the checkpoints have not is nowhere else but in a backup.
fn lost(data: &Path, backups: &Path, app: &str, directory: &Path) -> Finding {
    let says = format!(
        "the log of app `{app}` is lost: {} has no file of it; put the files back",
        directory.display()
    );
    let directory = word(&data.join("apps").join(app));
    let (aside, data) = (word(&data.join(format!("{app}.without-log"))), word(data));
    match newest_backup(backups, app) {
        Some((backup, time)) => {
            let says = format!("{says}, or go back to the backup of {time}, which this does");
            let backup = word(&backup);
            let mend = format!("mv {directory} {aside} && chancery restore {backup} --data {data}");
            Finding::wrong(WHAT, says, mend)
        }
        None => {
            let says = format!(
                "{says}, or restore a backup, of which none is in {} (docs/backup.md); this says \
                 what else is whole",
                backups.display()
            );
            Finding::wrong(WHAT, says, format!("chancery verify --data {data} --app {app}"))
        }
    }
}

/// The newest backup of an app that is complete, and when it was made.
fn newest_backup(backups: &Path, app: &str) -> Option<(PathBuf, String)> {
    let entries = std::fs::read_dir(backups).into_iter().flatten().flatten();
    let found = entries.filter_map(|entry| {
        let text = std::fs::read(entry.path().join(MANIFEST)).ok()?;
        let backup: Backup = serde_json::from_slice(&text).ok()?;
        // What is being written begins with a dot.
        let is_whole = !entry.file_name().to_string_lossy().starts_with('.');
        (is_whole && backup.app == app).then(|| (entry.path(), backup.time))
    });
    found.max_by(|(_, one), (_, other)| one.cmp(other))
}

/// A path as a word of a command line.
fn word(path: &Path) -> String {
    shell::word(&path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::State;

    fn told(data: &Path) -> (State, String, String) {
        let findings = look(data, &data.join("backups"));
        assert_eq!(findings.len(), 1, "{findings:?}");
        let finding = findings.into_iter().next().expect("one");
        (finding.state, finding.says, finding.mend.unwrap_or_default())
    }

    #[test]
    fn a_directory_that_is_not_there_will_be_created() {
        let scratch = tempfile::tempdir().expect("a directory");
        let (state, says, _) = told(&scratch.path().join("a/b"));
        assert!(state == State::Fine && says.contains("will be created"), "{says}");
        assert!(!scratch.path().join("a").exists(), "nothing was changed");
    }

    #[test]
    fn a_file_in_its_place_is_wrong() {
        let scratch = tempfile::tempdir().expect("a directory");
        let file = scratch.path().join("data");
        std::fs::write(&file, "").expect("a file");
        let (state, says, mend) = told(&file);
        assert!(state == State::Wrong && says.contains("cannot be written to"), "{says}");
        assert!(mend.starts_with("mv "), "{mend}");
    }

    #[test]
    fn an_app_without_a_log_of_ours_is_of_another_version() {
        let scratch = tempfile::tempdir().expect("a directory");
        let old = scratch.path().join("apps/main/log");
        std::fs::create_dir_all(&old).expect("a directory");
        std::fs::write(old.join("log.redb"), "of another time").expect("a file");
        let (state, says, mend) = told(scratch.path());
        assert!(state == State::Wrong && says.contains("app `main`"), "{says}");
        assert!(mend.starts_with("mv ") && mend.ends_with(".of-another-version"), "{mend}");
    }

    /// The log of a new app.
    fn log_in(data: &Path) -> Segments {
        let disk: Arc<dyn Disk> = Arc::new(Files);
        let segments = Segments::new(disk, data.join("apps/main/log"), Limits::default());
        segments.create(crate::value::History(uuid::Uuid::now_v7())).expect("a log");
        segments
    }

    #[test]
    fn a_log_that_is_lost_is_of_no_version() {
        let scratch = tempfile::tempdir().expect("a directory");
        let (file, _) = log_in(scratch.path()).files().expect("files").remove(0);
        std::fs::remove_file(file).expect("it is removed");
        let (state, says, mend) = told(scratch.path());
        assert!(state == State::Wrong && says.contains("log of app `main` is lost"), "{says}");
        assert!(says.contains("docs/backup.md") && !says.contains("version"), "{says}");
        assert!(mend.starts_with("chancery verify --data "), "{mend}");

        let backup = |name: &str, app: &str, time: &str| {
            let directory = scratch.path().join("backups").join(name);
            std::fs::create_dir_all(&directory).expect("a directory");
            let manifest = serde_json::json!({ "app": app, "time": time }).to_string();
            std::fs::write(directory.join(MANIFEST), manifest).expect("a file");
        };
        backup("old", "main", "2026-11-01T00:00:00Z");
        backup("new", "main", "2026-11-20T00:00:00.123Z");
        backup("of-another", "other", "2026-11-21T00:00:00Z");
        backup(".unfinished", "main", "2026-11-21T00:00:00Z");
        let (_, says, mend) = told(scratch.path());
        assert!(says.contains("backup of 2026-11-20"), "{says}");
        assert!(mend.starts_with("mv ") && mend.contains("/backups/new --data "), "{mend}");
    }

    #[test]
    fn a_damaged_log_is_for_verify() {
        let scratch = tempfile::tempdir().expect("a directory");
        let segments = log_in(scratch.path());
        let (state, says, _) = told(scratch.path());
        assert!(state == State::Fine && says.contains("of this version"), "{says}");
        let (file, _) = segments.files().expect("files").remove(0);
        std::fs::write(file, "no pages at all").expect("written");
        let (state, says, mend) = told(scratch.path());
        assert!(state == State::Wrong && says.contains("app `main`"), "{says}");
        assert!(mend.starts_with("chancery verify --data "), "{mend}");
    }
}
