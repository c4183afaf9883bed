//! Opening what a lane has on disk beside log and checkpoints.

use std::path::PathBuf;
use std::sync::Arc;

use super::{Error, Parts, Settings};
use crate::archive::Archive;
use crate::clock::Clock;
use crate::events;
use crate::ids::Floor;
use crate::index::Index;
use crate::index::postings::Postings;
use crate::log::{Start, Tail};
use crate::recovery::Recovered;
use crate::value::Sequence;

pub(super) fn open_index(parts: &Parts, recovered: &Recovered) -> Result<Arc<Index>, Error> {
    let Some(directory) = &parts.index else {
        return Ok(Arc::new(Index::none()));
    };
    let opened = Index::open(Arc::clone(&parts.disk), directory, recovered.history);
    let opened = opened.map_err(|source| Error::Index { app: parts.app.clone(), source })?;
    for refused in &opened.set_aside {
        tracing::warn!(app = %parts.app, file = %refused.path.display(), why = %refused.why, "not used");
    }
    Ok(Arc::new(opened.index))
}

/// What a lane has on disk beside log and checkpoints.
pub(super) struct Kept {
    pub(super) index: Arc<Index>,
    pub(super) archive: Option<Arc<Archive>>,
    pub(super) postings: Postings,
}

pub(super) fn open_events(
    parts: &Parts,
    recovered: &mut Recovered,
    start: Option<&Start>,
) -> Result<(Option<Arc<Archive>>, Postings), Error> {
    let failed = |source| Error::Events { app: parts.app.clone(), source };
    let open = |directory: &PathBuf| {
        Archive::open(Arc::clone(&parts.disk), directory, recovered.history).map(Arc::new)
    };
    let archive = parts.archive.as_ref().map(open).transpose();
    let archive = archive.map_err(|error| failed(events::Error::from(error).into()))?;
    let Some(directory) = &parts.postings else { return Ok((archive, Postings::none())) };
    let opened = Postings::open(Arc::clone(&parts.disk), directory, recovered.history);
    let opened = opened.map_err(|error| failed(error.into()))?;
    for refused in &opened.set_aside {
        tracing::warn!(app = %parts.app, file = %refused.path.display(), why = %refused.why, "not used");
    }
    let postings = opened.postings;
    let upto = start.map_or(Sequence(0), |start| start.entry);
    let last = recovered.places.last();
    events::fill(&postings, archive.as_deref(), &mut *recovered.log, upto, last).map_err(failed)?;
    Ok((archive, postings))
}

/// Which ids are too old, as far as can be told before anything is accepted.
pub(super) fn first_floor(settings: &Settings, clock: &Clock, recovered: &Recovered) -> Floor {
    let recorded = recovered.floor_ms;
    if recovered.tail == Tail::START {
        return Floor::new(clock, settings.window);
    }
    match settings.clock_confirmed {
        true => Floor::confirmed(clock, settings.window, recorded),
        false => Floor::resume(clock, settings.window, recorded, recovered.time_ms),
    }
}
