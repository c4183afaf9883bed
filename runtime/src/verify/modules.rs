//! Uploaded modules: that each is what was uploaded, and none is missing.

use std::path::Path;

use super::{Desk, Effect, Error, Finding, digest, list};
use crate::catalog;
use crate::disk::Disk;
use crate::modules;
use crate::state::State;
use crate::value::{Hash, Name};

pub(super) fn check(
    disk: &dyn Disk,
    app: &Path,
    state: Option<&State>,
    desk: &mut Desk<'_>,
) -> Result<(), Error> {
    let directory = app.join("modules");
    let deployed = deployed(state, app, desk);
    let mut seen = Vec::new();
    for path in list(disk, &directory)? {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let Some(hash) = modules::hash_in(name) else {
            continue;
        };
        let read = digest(disk, &path, &mut |bytes| desk.read(bytes));
        let (bytes, found) =
            read.map_err(|source| Error::Io { action: "read", path: path.clone(), source })?;
        seen.push(hash);
        let live = deployed.iter().find(|(_, live)| *live == hash).map(|(name, _)| name);
        if found == hash {
            let says = match live {
                Some(name) => format!("{bytes} bytes, deployed as {name}"),
                None => format!("{bytes} bytes, not deployed now"),
            };
            desk.checked(&path, says, None);
            continue;
        }
        let what = "its bytes do not have the hash in its name";
        damaged(&path, what, live.is_some(), desk);
    }
    for (name, hash) in deployed.iter().filter(|(_, hash)| !seen.contains(hash)) {
        // What a script's is called otherwise than this, cannot be known without it.
        let path = directory.join(format!("{hash}.wasm"));
        damaged(&path, &format!("module {name} is deployed, and this file is missing"), true, desk);
    }
    Ok(())
}

fn damaged(path: &Path, what: &str, is_live: bool, desk: &mut Desk<'_>) {
    let (remedy, effect) = match is_live {
        true => ("put the file back from a backup", Effect::Refuses),
        false => ("upload the module again, or put the file back from a backup", Effect::GoesOn),
    };
    let (file, what, remedy) = (path.into(), what.to_owned(), remedy.to_owned());
    desk.found(Finding { file, place: None, what, remedy, effect });
}

/// What the state says is deployed.
fn deployed(state: Option<&State>, app: &Path, desk: &mut Desk<'_>) -> Vec<(Name, Hash)> {
    let Some(state) = state else { return Vec::new() };
    match catalog::read_modules(state) {
        Ok(rows) => rows.into_iter().map(|(name, row)| (name, row.hash)).collect(),
        Err(error) => {
            let (file, what) = (app.into(), error.to_string());
            let (remedy, effect) = ("restore the app from a backup".to_owned(), Effect::Refuses);
            desk.found(Finding { file, place: None, what, remedy, effect });
            Vec::new()
        }
    }
}
