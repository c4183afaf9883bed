//! Builds a project at the start, and whenever something in it was saved.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use notify::event::{EventKind, ModifyKind, RemoveKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};

use super::Happened;
use crate::cli::Error;
use crate::cli::project::{Project, is_made};
use crate::value::Name;

/// Folders in which nobody writes sources by hand; `node_modules` alone would take more
/// watches than a system gives.
const SKIPPED: [&str; 4] = ["node_modules", "target", "dist", "chancery-data"];
/// What tools put into folders of theirs, whatever those are called.
const TOOLS_OWN: &str = "CACHEDIR.TAG";
/// What modules are made of.
const SOURCES: [&str; 9] = ["js", "mjs", "ts", "mts", "tsx", "json", "rs", "toml", "wasm"];
/// How long nothing may be saved before it is built: an editor writes a file in several
/// steps, and a person saves several files at once.
const QUIET: Duration = Duration::from_millis(60);

/// What was changed.
#[derive(Debug, PartialEq, Eq)]
enum Changed {
    /// A file that modules are made of.
    Source,
    /// A folder: there since now, or not any more.
    Folder(PathBuf),
}

/// What is watched.
struct Watched {
    watcher: RecommendedWatcher,
    filter: Arc<Filter>,
}

/// Builds now, and then at each change. What lies in `data` changes all the time.
pub(super) fn start(
    project: Project,
    name: Option<Name>,
    data: &Path,
    happened: Sender<Happened>,
) -> Result<(), Error> {
    let (changed, changes) = channel();
    let (root, one) = watched(&project);
    let data = std::path::absolute(data).unwrap_or_else(|_| data.to_owned());
    let filter = Arc::new(Filter { root: root.clone(), one, data });
    let seen = Arc::clone(&filter);
    let told = move |event: notify::Result<notify::Event>| {
        // What the system lost track of may be anything.
        let changes = event.map_or_else(|_| vec![Changed::Source], |event| seen.changes(&event));
        // The builder ends with the process.
        changes.into_iter().for_each(|change| changed.send(change).unwrap_or(()));
    };
    let unwatched = |error: notify::Error| Error::Serve {
        message: format!("cannot watch {}: {error}", root.display()),
    };
    let watcher = notify::recommended_watcher(told).map_err(unwatched)?;
    let mut watched = Watched { watcher, filter };
    watched.renew().map_err(unwatched)?;
    let build = move || build(&project, name.as_ref(), &mut watched, &changes, &happened);
    let thread = std::thread::Builder::new().name("chancery-build".into()).spawn(build);
    thread.map_err(|error| Error::Serve { message: format!("cannot start a thread: {error}") })?;
    Ok(())
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

impl Watched {
    /// Watches every folder of sources that there is. One that is watched already stays
    /// so; one that went and came again under its name would not be, if it were left out.
    fn renew(&mut self) -> notify::Result<()> {
        let mut watched = BTreeSet::new();
        loop {
            let all = self.filter.directories();
            // Folders that were made in one before it was watched.
            let new: Vec<PathBuf> = all.difference(&watched).cloned().collect();
            if new.is_empty() {
                return Ok(());
            }
            for directory in new {
                let result = self.watcher.watch(&directory, RecursiveMode::NonRecursive);
                if directory.is_dir() {
                    result?;
                }
            }
            watched = all;
        }
    }
}

/// Which changes matter.
struct Filter {
    root: PathBuf,
    one: Option<PathBuf>,
    data: PathBuf,
}

impl Filter {
    /// The directories of sources, each watched by itself.
    fn directories(&self) -> BTreeSet<PathBuf> {
        match self.is_project() {
            true => self.below(&self.root).into_iter().collect(),
            false => BTreeSet::from([self.root.clone()]),
        }
    }

    /// Without a package or crate, what lies deeper has nothing to do with it.
    fn is_project(&self) -> bool {
        self.one.is_none()
            && ["package.json", "Cargo.toml"].iter().any(|it| self.root.join(it).is_file())
    }

    /// A directory and those below it that may hold sources.
    fn below(&self, first: &Path) -> Vec<PathBuf> {
        let mut directories = vec![first.to_owned()];
        let mut at = 0;
        while let Some(directory) = directories.get(at) {
            at += 1;
            let paths: Vec<PathBuf> = entries(directory).filter(|path| path.is_dir()).collect();
            directories.extend(paths.into_iter().filter(|path| self.may_hold_sources(path)));
        }
        directories
    }

    /// What an event says was changed, as far as it matters.
    fn changes(&self, event: &notify::Event) -> Vec<Changed> {
        if event.need_rescan() {
            return vec![Changed::Source];
        }
        if matches!(event.kind, EventKind::Access(_) | EventKind::Other) {
            return Vec::new();
        }
        let changes = event.paths.iter().filter_map(|path| {
            if self.is_source(path) {
                return Some(Changed::Source);
            }
            let is_folder = match event.kind {
                EventKind::Create(_) => path.is_dir(),
                // What has gone cannot be asked what it was.
                EventKind::Modify(ModifyKind::Name(_)) => {
                    path.is_dir() || (path.extension().is_none() && !path.exists())
                }
                EventKind::Remove(kind) => kind == RemoveKind::Folder,
                _ => false,
            };
            let matters = is_folder && self.is_project() && self.may_hold_sources(path);
            matters.then(|| Changed::Folder(path.clone()))
        });
        changes.collect()
    }

    /// Whether there may be something else to build since a change.
    fn concerns(&self, change: &Changed) -> bool {
        match change {
            Changed::Source => true,
            Changed::Folder(folder) => {
                let holds = |directory: &PathBuf| entries(directory).any(|it| self.is_source(&it));
                !folder.exists() || self.below(folder).iter().any(holds)
            }
        }
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
        !directory.starts_with(&self.data)
            && !parts.into_iter().any(|part| is_skipped(&part))
            && !directory.join(TOOLS_OWN).exists()
    }
}

/// What lies in a directory; nothing if it cannot be read.
fn entries(directory: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.path())
}

fn build(
    project: &Project,
    name: Option<&Name>,
    watched: &mut Watched,
    changes: &Receiver<Changed>,
    happened: &Sender<Happened>,
) {
    loop {
        let built = project.build_one(name);
        if happened.send(Happened::Built(built)).is_err() {
            return;
        }
        loop {
            let Some(changed) = settled(changes) else { return };
            // Before they are looked into, so that nothing is missed in between.
            if let Err(error) = watched.renew() {
                tracing::warn!(%error, "what is saved in new folders is not seen");
            }
            if changed.iter().any(|change| watched.filter.concerns(change)) {
                break;
            }
        }
    }
}

/// What is changed next, all that comes together; none if nobody watches any more.
fn settled(changes: &Receiver<Changed>) -> Option<Vec<Changed>> {
    let mut changed = vec![changes.recv().ok()?];
    loop {
        match changes.recv_timeout(QUIET) {
            Ok(change) if changed.contains(&change) => {}
            Ok(change) => changed.push(change),
            Err(RecvTimeoutError::Timeout) => return Some(changed),
            Err(RecvTimeoutError::Disconnected) => return None,
        }
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
        assert_eq!(filter.directories(), BTreeSet::from([root.clone()]), "a lone script");
        std::fs::write(root.join("package.json"), "{}").expect("a file");
        std::fs::create_dir_all(root.join("out/deep")).expect("a directory");
        std::fs::write(root.join("out").join(TOOLS_OWN), "").expect("a file");
        let directories = [root.clone(), root.join("src"), root.join("src/deep")];
        assert_eq!(filter.directories(), BTreeSet::from(directories));

        let is = |path: &str| filter.is_source(&root.join(path));
        assert!(is("shop.js") && is("src/deep/a.ts") && is("package.json"));
        assert!(!is("data/apps/a.json") && !is("node_modules/x/a.js") && !is("README.md"));
        assert!(!is(".shop.js.swp") && !is(".git/y/a.js"));
    }

    #[test]
    fn a_folder_matters_for_what_is_in_it() {
        let scratch = tempfile::tempdir().expect("a directory");
        let root = scratch.path().to_owned();
        std::fs::create_dir_all(root.join("lib/deep")).expect("a directory");
        let filter = Filter { root: root.clone(), one: None, data: root.join("data") };
        let made = |path: &str| {
            let kind = EventKind::Create(notify::event::CreateKind::Folder);
            filter.changes(&notify::Event::new(kind).add_path(root.join(path)))
        };
        assert!(made("lib").is_empty(), "a lone script");
        std::fs::write(root.join("package.json"), "{}").expect("a file");
        let lib = Changed::Folder(root.join("lib"));
        assert_eq!(made("lib"), std::slice::from_ref(&lib));
        assert_eq!((made("node_modules"), made("data/apps"), made("gone")), Default::default());
        assert!(!filter.concerns(&lib), "nothing is in it");
        std::fs::write(root.join("lib/deep/a.ts"), "").expect("a file");
        assert!(filter.concerns(&lib));
        assert!(filter.concerns(&Changed::Folder(root.join("gone"))));
        let lost = notify::Event::new(EventKind::Other).set_flag(notify::event::Flag::Rescan);
        assert_eq!(filter.changes(&lost), [Changed::Source]);
    }

    #[test]
    fn of_a_module_that_is_built_only_its_file_matters() {
        let (root, one) = watched(&Project::Wasm("/x/shop.wasm".into()));
        let filter = Filter { root, one, data: "/x/.chancery".into() };
        assert!(filter.is_source(Path::new("/x/shop.wasm")));
        assert!(!filter.is_source(Path::new("/x/other.wasm")));
    }
}
