//! The data directory: whether a server could write to it, and read what is in it.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use super::Finding;
use crate::cli::shell;
use crate::disk::{Disk, Files};
use crate::engine;
use crate::log::segments::Limits;
use crate::log::{self, Segments};
use crate::value::Name;

const WHAT: &str = "data";

/// Looks at a data directory, which need not be there.
pub(super) fn look(data: &Path) -> Vec<Finding> {
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
        apps(data).iter().filter_map(|app| readable(&disk, data, app)).collect();
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
fn readable(disk: &Arc<dyn Disk>, data: &Path, app: &str) -> Option<Finding> {
    let directory = data.join("apps").join(app).join("log");
    let log = Segments::new(Arc::clone(disk), &directory, Limits::default());
    let error = log.newest_history().err()?;
    let data = shell::word(&data.display().to_string());
    Some(match error {
        log::Error::UnknownFormat { .. } | log::Error::Missing { .. } => {
            let says = format!(
                "app `{app}` was written by another version, which alone can read it: {error}"
            );
            Finding::wrong(WHAT, says, format!("mv {data} {data}.of-another-version"))
        }
        error => {
            let says = format!("app `{app}` cannot be read: {error}");
            Finding::wrong(WHAT, says, format!("chancery verify --data {data} --app {app}"))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::State;

    fn told(data: &Path) -> (State, String, String) {
        let findings = look(data);
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

    #[test]
    fn a_damaged_log_is_for_verify() {
        let scratch = tempfile::tempdir().expect("a directory");
        let log = scratch.path().join("apps/main/log");
        let disk: Arc<dyn Disk> = Arc::new(Files);
        let segments = Segments::new(disk, &log, Limits::default());
        let history = crate::value::History(uuid::Uuid::now_v7());
        segments.create(history).expect("a log");
        let (state, says, _) = told(scratch.path());
        assert!(state == State::Fine && says.contains("of this version"), "{says}");
        let (file, _) = segments.files().expect("files").remove(0);
        std::fs::write(file, "no pages at all").expect("written");
        let (state, says, mend) = told(scratch.path());
        assert!(state == State::Wrong && says.contains("app `main`"), "{says}");
        assert!(mend.starts_with("chancery verify --data "), "{mend}");
    }
}
