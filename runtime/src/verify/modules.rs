//! Uploaded modules: that each is what was uploaded, and none is missing.

use std::path::Path;

use super::{Desk, Effect, Error, Finding, digest, list};
use crate::catalog;
use crate::disk::{self, Disk};
use crate::modules;
use crate::state::State;
use crate::value::{Hash, Name};
use crate::wasm::Script;
use crate::wasm::script::BASE_HASH;

/// A module that has to be there.
struct Needed {
    hash: Hash,
    /// What it is, as findings name it.
    what: String,
    /// What becomes of an app without it.
    effect: Effect,
}

pub(super) fn check(
    disk: &dyn Disk,
    app: &Path,
    state: Option<&State>,
    desk: &mut Desk<'_>,
) -> Result<(), Error> {
    let directory = app.join("modules");
    let needed = needed(disk, &directory, deployed(state, app, desk));
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
        let needed = needed.iter().find(|needed| needed.hash == hash);
        if found == hash {
            let says = match needed {
                Some(Needed { what, .. }) => format!("{bytes} bytes, {what}"),
                None => format!("{bytes} bytes, not deployed now"),
            };
            desk.checked(&path, says, None);
            continue;
        }
        let what = "its bytes do not have the hash in its name";
        let effect = needed.map_or(Effect::GoesOn, |needed| needed.effect);
        damaged(&path, what, effect, desk);
    }
    for Needed { hash, what, effect } in needed.iter().filter(|it| !seen.contains(&it.hash)) {
        // What a script's is called otherwise than this, cannot be known without it.
        let path = directory.join(format!("{hash}.wasm"));
        damaged(&path, &format!("{what}, and this file is missing"), *effect, desk);
    }
    Ok(())
}

/// What is deployed, and what its scripts run in.
fn needed(disk: &dyn Disk, directory: &Path, deployed: Vec<(Name, Hash)>) -> Vec<Needed> {
    let mut needed: Vec<Needed> = Vec::new();
    for (name, hash) in deployed {
        // What cannot be read is found when its turn comes.
        let script = disk::read(disk, &directory.join(format!("{hash}.js"))).ok();
        let script = script.filter(|bytes| Hash::of(bytes) == hash);
        let base = script.and_then(|bytes| Script::parse(&bytes)).map(|script| script.base);
        let what = format!("deployed as {name}");
        needed.push(Needed { hash, what, effect: Effect::Refuses });
        let Some(base) = base.filter(|base| needed.iter().all(|it| it.hash != *base)) else {
            continue;
        };
        // This server has its own at hand; the next one may not.
        let effect = if base == *BASE_HASH { Effect::GoesOn } else { Effect::Refuses };
        let what = format!("what the script of {name} runs in");
        needed.push(Needed { hash: base, what, effect });
    }
    needed
}

fn damaged(path: &Path, what: &str, effect: Effect, desk: &mut Desk<'_>) {
    let remedy = match effect {
        Effect::Refuses => "put the file back from a backup",
        _ => "upload the module again, or put the file back from a backup",
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
