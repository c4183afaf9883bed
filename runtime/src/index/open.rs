//! Opening: what is there, what a crash left, what cannot be used.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::kept::{self, Kept};
use super::layout::Kind;
use super::run::Run;
use super::{Chain, Error, Home, Index, Opened, Runs, SetAside, failed};
use crate::disk::{self, Disk};
use crate::value::History;

pub(super) fn open(
    disk: Arc<dyn Disk>,
    directory: &Path,
    history: History,
) -> Result<Opened, Error> {
    disk::create_directories(&*disk, directory).map_err(failed(directory, "create"))?;
    let home = Home { disk, directory: directory.into(), history };
    let (runs, kept, sweep) = look(&home)?;
    sweep.remove(&home)?;
    let index = Index::with(Some(home), runs, kept);
    Ok(Opened { index, set_aside: sweep.set_aside })
}

/// The same, and touches nothing; none if there is no index.
pub(super) fn examine(
    disk: Arc<dyn Disk>,
    directory: &Path,
    history: History,
) -> Result<Option<Opened>, Error> {
    if !disk.exists(directory).map_err(failed(directory, "find"))? {
        return Ok(None);
    }
    let home = Home { disk, directory: directory.into(), history };
    let (runs, kept, sweep) = look(&home)?;
    let index = Index::with(Some(home), runs, kept);
    Ok(Some(Opened { index, set_aside: sweep.set_aside }))
}

fn look(home: &Home) -> Result<(Runs, Kept, Sweep), Error> {
    let directory = home.directory.as_path();
    let names = home.disk.list(directory).map_err(failed(directory, "list"))?;
    let mut sweep = Sweep::default();
    let kept = read_kept(home, &mut sweep)?;
    let mut runs = Runs::begin(&kept);
    for path in names {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let is_run = Kind::ALL
            .iter()
            .any(|kind| name.strip_prefix(kind.as_str()).is_some_and(|rest| rest.starts_with('.')));
        if name.ends_with(".draft") {
            sweep.left.push(path);
        } else if is_run {
            take(home, &path, &mut runs, &mut sweep)?;
        }
    }
    for kind in Kind::ALL {
        arrange(runs.of_mut(kind), &mut sweep);
    }
    Ok((runs, kept, sweep))
}

/// Files that go.
#[derive(Default)]
struct Sweep {
    /// What a crash left; nobody misses it.
    left: Vec<PathBuf>,
    set_aside: Vec<SetAside>,
}

impl Sweep {
    fn set_aside(&mut self, path: &Path, why: impl Into<String>) {
        self.set_aside.push(SetAside { path: path.into(), why: why.into() });
    }

    /// Durably: what comes back would stand beside what was written instead.
    fn remove(&self, home: &Home) -> Result<(), Error> {
        let paths = self.left.iter().chain(self.set_aside.iter().map(|aside| &aside.path));
        let paths: HashSet<&PathBuf> = paths.collect();
        for path in &paths {
            home.disk.remove(path).map_err(home.failed(path, "remove"))?;
        }
        match paths.is_empty() {
            true => Ok(()),
            false => {
                let synced = home.disk.sync_directory(&home.directory);
                synced.map_err(home.failed(&home.directory, "sync"))
            }
        }
    }
}

fn read_kept(home: &Home, sweep: &mut Sweep) -> Result<Kept, Error> {
    let path = home.directory.join(kept::NAME);
    match Kept::read(&*home.disk, &path) {
        Ok(Some((history, kept))) if history == home.history => Ok(kept),
        Ok(Some((history, _))) => {
            sweep.set_aside(&path, format!("it is of history {}", history.0));
            Ok(Kept::START)
        }
        Ok(None) => Ok(Kept::START),
        // Runs that do not begin at the beginning are then beyond a gap.
        Err(Error::Damaged { path, what }) => {
            sweep.set_aside(&path, what);
            Ok(Kept::START)
        }
        Err(error) => Err(error),
    }
}

fn take(home: &Home, path: &Path, runs: &mut Runs, sweep: &mut Sweep) -> Result<(), Error> {
    match Run::open(&*home.disk, path) {
        Ok(run) if run.header().history == home.history => {
            runs.of_mut(run.header().kind).runs.push(Arc::new(run));
        }
        Ok(run) => {
            sweep.set_aside(path, format!("it is of history {}", run.header().history.0));
        }
        Err(Error::Damaged { path, what }) => sweep.set_aside(&path, what),
        Err(error) => return Err(error),
    }
    Ok(())
}

/// Leaves the runs that follow each other without a gap.
fn arrange(chain: &mut Chain, sweep: &mut Sweep) {
    let mut runs = std::mem::take(&mut chain.runs);
    // Of those that begin together, the longest first.
    runs.sort_by_key(|run| (run.first(), std::cmp::Reverse(run.last())));
    for run in runs {
        let last = chain.last();
        if run.last() <= last {
            // Dropped, or merged into one that is there.
            sweep.left.push(run.path().into());
        } else if run.first() == last.next() {
            chain.runs.push(run);
        } else {
            let expected = last.next();
            let why = format!("it begins with entry {} instead of {expected}", run.first());
            sweep.set_aside(run.path(), why);
        }
    }
}
