//! Forgetting: dropping runs whose ids are below the floor, and whose entries the log
//! no longer has.
//!
//! First what will be forgotten is made durable, then it is told, then it is gone.

use std::sync::atomic::Ordering;

use super::kept::Kept;
use super::merge::{Filter, join};
use super::{Chain, Error, Index, Runs};
use crate::value::Sequence;

pub(super) fn forget(index: &Index, first_retained: Sequence, floor_ms: u64) -> Result<(), Error> {
    let Some(home) = &index.home else { return Ok(()) };
    let mut kept = index.write();
    let mut runs = Runs::clone(&index.runs());
    let mut dropped = Vec::new();
    while let Some(run) = runs.places.runs.first().filter(|run| run.last() < first_retained) {
        runs.places.from = run.last().next();
        dropped.push(runs.places.runs.remove(0));
    }
    let mut forgotten_ms = kept.forgotten_ms;
    while let Some(run) = runs
        .ids
        .runs
        .first()
        .filter(|run| run.last() < first_retained && run.header().max_ms < floor_ms)
    {
        runs.ids.from = run.last().next();
        forgotten_ms = forgotten_ms.max(run.header().max_ms + 1);
        dropped.push(runs.ids.runs.remove(0));
    }
    let pinned = pinned(&runs.ids, first_retained, floor_ms);
    if dropped.is_empty() && pinned < 2 {
        return Ok(());
    }
    if pinned > 1 {
        // No hour that is left out ends after the floor.
        forgotten_ms = forgotten_ms.max(floor_ms);
    }
    let (ids_from, places_from) = (runs.ids.from, runs.places.from);
    tell(index, &mut kept, Kept { ids_from, places_from, forgotten_ms })?;
    if pinned > 1 {
        let inputs: Vec<_> = runs.ids.runs.drain(..pinned).collect();
        match join(home, &inputs, &Filter::From(floor_ms))? {
            Some(rest) => runs.ids.runs.insert(0, rest),
            // Some time is at or after the floor, so some row is kept.
            None => return Ok(()),
        }
        dropped.extend(inputs);
    }
    index.publish(runs);
    home.remove(&dropped);
    Ok(())
}

/// How many runs could be dropped but for a few ids from the future in the oldest: a
/// clock was wrong. They are taken over into one small run.
fn pinned(ids: &Chain, first_retained: Sequence, floor_ms: u64) -> usize {
    let trimmed = ids.runs.iter().take_while(|run| run.last() < first_retained);
    let below = trimmed.enumerate().filter(|(_, run)| run.header().max_ms < floor_ms);
    below.map(|(at, _)| at + 1).last().unwrap_or(0)
}

pub(super) fn begin_at(index: &Index, first: Sequence, forgotten_ms: u64) -> Result<(), Error> {
    let Some(home) = &index.home else { return Ok(()) };
    let mut kept = index.write();
    let forgotten_ms = kept.forgotten_ms.max(forgotten_ms);
    tell(index, &mut kept, Kept { ids_from: first, places_from: first, forgotten_ms })?;
    let dropped: Vec<_> = index.runs().all().cloned().collect();
    index.publish(Runs::begin(&kept));
    home.remove(&dropped);
    // Runs that came back would be in the way of those that follow.
    let synced = home.disk.sync_directory(&home.directory);
    synced.map_err(home.failed(&home.directory, "sync"))
}

/// Whoever does not find an id from now on reads this afterwards.
fn tell(index: &Index, kept: &mut Kept, now: Kept) -> Result<(), Error> {
    if let Some(home) = &index.home {
        now.write(home)?;
    }
    index.forgotten_ms.store(now.forgotten_ms, Ordering::SeqCst);
    *kept = now;
    Ok(())
}
