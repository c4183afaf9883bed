//! Opening postings: what is there, what a crash left, what cannot be used.

use std::cmp::Reverse;
use std::path::Path;
use std::sync::Arc;

use super::super::layout::Kind;
use super::super::run::Run;
use super::super::{Chain, Error, Home, SetAside, failed};
use super::{Opened, Postings};
use crate::disk::{self, Disk};
use crate::value::{History, Sequence};

pub(super) fn open(
    disk: Arc<dyn Disk>,
    directory: &Path,
    history: History,
) -> Result<Opened, Error> {
    disk::create_directories(&*disk, directory).map_err(failed(directory, "create"))?;
    let home = Home { disk, directory: directory.into(), history };
    let (mut runs, mut left, mut set_aside) = (Vec::new(), Vec::new(), Vec::new());
    for path in home.disk.list(directory).map_err(failed(directory, "list"))? {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.ends_with(".draft") {
            left.push(path);
            continue;
        }
        if !name.starts_with(Kind::Postings.as_str()) {
            continue;
        }
        match Run::open(&*home.disk, &path) {
            Ok(run) if run.header().history == history => runs.push(Arc::new(run)),
            Ok(run) => {
                let why = format!("it is of history {}", run.header().history.0);
                set_aside.push(SetAside { path, why });
            }
            Err(Error::Damaged { path, what }) => set_aside.push(SetAside { path, why: what }),
            Err(error) => return Err(error),
        }
    }
    // Of those that begin together, the longest first.
    runs.sort_by_key(|run| (run.first(), Reverse(run.last())));
    let from = runs.first().map_or(Sequence(1), |run| run.first());
    let mut chain = Chain { from, runs: Vec::new() };
    for run in runs {
        let last = chain.last();
        if run.last() <= last {
            // Merged into one that is there.
            left.push(run.path().into());
        } else if run.first() == last.next() {
            chain.runs.push(run);
        } else {
            let why = format!("it begins with entry {} instead of {}", run.first(), last.next());
            set_aside.push(SetAside { path: run.path().into(), why });
        }
    }
    let gone: Vec<_> = left.iter().chain(set_aside.iter().map(|aside| &aside.path)).collect();
    for path in &gone {
        home.disk.remove(path).map_err(home.failed(path, "remove"))?;
    }
    if !gone.is_empty() {
        let synced = home.disk.sync_directory(directory);
        synced.map_err(home.failed(directory, "sync"))?;
    }
    Ok(Opened { postings: Postings::with(Some(home), chain), set_aside })
}
