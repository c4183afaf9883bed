//! Builds a project at the start, and whenever something in it was saved.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use notify::event::EventKind;
use notify::{RecommendedWatcher, RecursiveMode, Watcher};

use super::Happened;
use crate::cli::Error;
use crate::cli::project::{Project, is_made};
use crate::value::Name;

/// Folders in which nobody writes sources by hand; `node_modules` alone would take more
/// watches than a system gives.
const SKIPPED: [&str; 4] = ["node_modules", "target", "dist", "chancery-data"];
/// What modules are made of.
const SOURCES: [&str; 9] = ["js", "mjs", "ts", "mts", "tsx", "json", "rs", "toml", "wasm"];
/// How long nothing may be saved before it is built: an editor writes a file in several
/// steps, and a person saves several files at once.
const QUIET: Duration = Duration::from_millis(60);

/// Watches until it is dropped.
pub(super) struct Watch {
    _watcher: RecommendedWatcher,
}

/// Builds now, and then at each change. What lies in `data` changes all the time.
pub(super) fn start(
    project: Project,
    name: Option<Name>,
    data: &Path,
    happened: Sender<Happened>,
) -> Result<Watch, Error> {
    let (changed, changes) = channel();
    let (root, one) = watched(&project);
    let data = std::path::absolute(data).unwrap_or_else(|_| data.to_owned());
    let filter = Filter { root: root.clone(), one, data };
    let directories = filter.directories();
    let told = move |event: notify::Result<notify::Event>| {
        // What the system lost track of may be anything.
        let concerns = event.map_or(true, |event| filter.concerns(&event));
        if concerns {
            // The builder ends with the process.
            changed.send(()).unwrap_or(());
        }
    };
    let unwatched = |error: notify::Error| Error::Serve {
        message: format!("cannot watch {}: {error}", root.display()),
    };
    let mut watcher = notify::recommended_watcher(told).map_err(unwatched)?;
    for directory in directories {
        watcher.watch(&directory, RecursiveMode::NonRecursive).map_err(unwatched)?;
    }
    let build = move || build(&project, name.as_ref(), &changes, &happened);
    let thread = std::thread::Builder::new().name("chancery-build".into()).spawn(build);
    thread.map_err(|error| Error::Serve { message: format!("cannot start a thread: {error}") })?;
    Ok(Watch { _watcher: watcher })
}

/// The directory to watch, and the one file in it that matters if there is only one.
fn watched(project: &Project) -> (PathBuf, Option<PathBuf>) {
    let root = std::path::absolute(project.root());
    let root = root.unwrap_or_else(|_| project.root().to_owned());
    let one = match project {
        Project::Wasm(path) => path.file_name().map(|name| root.join(name)),
        _ => None,
    };
    (root, one)
}

/// Which changes matter.
struct Filter {
    root: PathBuf,
    one: Option<PathBuf>,
    data: PathBuf,
}

impl Filter {
    /// The directories of sources, each watched by itself.
    fn directories(&self) -> Vec<PathBuf> {
        let mut directories = vec![self.root.clone()];
        let mut at = 0;
        while let Some(directory) = directories.get(at).cloned() {
            at += 1;
            // Without a package or crate, what lies deeper has nothing to do with it.
            let is_project = self.one.is_none()
                && ["package.json", "Cargo.toml"].iter().any(|it| self.root.join(it).is_file());
            if !is_project {
                break;
            }
            let entries = std::fs::read_dir(&directory).into_iter().flatten().flatten();
            let paths = entries.map(|entry| entry.path());
            directories.extend(paths.filter(|path| path.is_dir() && self.may_hold_sources(path)));
        }
        directories
    }

    fn concerns(&self, event: &notify::Event) -> bool {
        let is_change = !matches!(event.kind, EventKind::Access(_) | EventKind::Other);
        is_change && event.paths.iter().any(|path| self.is_source(path))
    }

    fn is_source(&self, path: &Path) -> bool {
        if let Some(one) = &self.one {
            return path == one;
        }
        let extension = path.extension().and_then(|text| text.to_str()).unwrap_or_default();
        if is_made(path) {
            return false;
        }
        SOURCES.contains(&extension) && path.parent().is_none_or(|it| self.may_hold_sources(it))
    }

    fn may_hold_sources(&self, directory: &Path) -> bool {
        let below = directory.strip_prefix(&self.root).unwrap_or(directory);
        let parts = below.iter().map(|part| part.to_string_lossy());
        let is_skipped = |part: &str| part.starts_with('.') || SKIPPED.contains(&part);
        !directory.starts_with(&self.data) && !parts.into_iter().any(|part| is_skipped(&part))
    }
}

fn build(
    project: &Project,
    name: Option<&Name>,
    changes: &Receiver<()>,
    happened: &Sender<Happened>,
) {
    loop {
        let built = project.build_one(name);
        if happened.send(Happened::Built(built)).is_err() {
            return;
        }
        if changes.recv().is_err() {
            return;
        }
        while match changes.recv_timeout(QUIET) {
            Ok(()) => true,
            Err(RecvTimeoutError::Timeout) => false,
            Err(RecvTimeoutError::Disconnected) => return,
        } {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_source_is_not_watched() {
        let scratch = tempfile::tempdir().expect("a directory");
        let root = scratch.path().to_owned();
        for directory in ["src/deep", "node_modules/x", ".git/y", "data/apps"] {
            std::fs::create_dir_all(root.join(directory)).expect("a directory");
        }
        let filter = Filter { root: root.clone(), one: None, data: root.join("data") };
        assert_eq!(filter.directories(), std::slice::from_ref(&root), "a lone script");
        std::fs::write(root.join("package.json"), "{}").expect("a file");
        let mut directories = filter.directories();
        directories.sort();
        assert_eq!(directories, [root.clone(), root.join("src"), root.join("src/deep")]);

        let is = |path: &str| filter.is_source(&root.join(path));
        assert!(is("shop.js") && is("src/deep/a.ts") && is("package.json"));
        assert!(!is("data/apps/a.json") && !is("node_modules/x/a.js") && !is("README.md"));
        assert!(!is(".shop.js.swp") && !is(".git/y/a.js"));
    }

    #[test]
    fn of_a_module_that_is_built_only_its_file_matters() {
        let (root, one) = watched(&Project::Wasm("/x/shop.wasm".into()));
        let filter = Filter { root, one, data: "/x/.chancery".into() };
        assert!(filter.is_source(Path::new("/x/shop.wasm")));
        assert!(!filter.is_source(Path::new("/x/other.wasm")));
    }
}
