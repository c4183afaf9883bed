//! Projections in the lane: events folded right after the command that emitted them,
//! builds that have nearly caught up brought to the end, and what operators and
//! deployments do about them.
//!
//! All of it is part of the outcome of some entry, so tables, what is known of the
//! projection and the events are one change set (I5).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::Shared;
use super::deploy::orphan;
use super::execute::{Executed, Stop, failure};
use super::executor::Executor;
use crate::catalog::{
    Build, Catalog, Deployed, Projecting, ProjectionRow, TableRow, Which, projection_key,
    read_projection, table_names,
};
use crate::events;
use crate::projection::{Fold, Unfolded, parked};
use crate::record::{Act, Entry, Outcome, Steer, Verdict};
use crate::recovery::step_of;
use crate::state::State;
use crate::transaction::Transaction;
use crate::value::{
    ChangeSet, Lifecycle, Name, Position, StoredEvent, TableChanges, Value, chain_of,
};

/// How long the lane folds what is left of a build before it takes the next entry. What
/// is left then is for the worker again.
const TAIL_TIME_MAX: Duration = Duration::from_millis(20);

/// How much the lane still folds for one entry, while others wait.
struct Allowance {
    /// Until when, as the clock counts elapsed time.
    until: Duration,
    /// Bytes of rows.
    bytes: usize,
}

/// What some events did to a build.
struct Folded {
    changes: ChangeSet,
    /// Whether all of them are in it.
    is_whole: bool,
}

impl Shared {
    /// Adds to an outcome what follows from it for the projections, and keeps its
    /// events for those that need them soon.
    pub(super) fn project(
        &self,
        executor: &mut Executor,
        base: &State,
        catalog: &Catalog,
        entry: &Entry,
        outcome: &mut Outcome,
    ) -> Result<(), Stop> {
        if catalog.projecting().next().is_none() {
            executor.tail.clear();
            return Ok(());
        }
        match &entry.act {
            Act::Advance { worker, .. } => {
                if let Some(name) = worker.strip_prefix("projection/")
                    && let Some(projecting) = catalog.projecting_of(name)
                    && matches!(outcome.verdict, Verdict::Succeeded(_))
                {
                    self.complete(executor, base, catalog, projecting, entry, outcome)?;
                }
            }
            // What the entry did to modules and projections counts already.
            _ if !matches!(entry.act, Act::Command(_)) => fall_behind(base, entry, outcome)?,
            _ => self.keep_up(executor, base, catalog, entry, outcome)?,
        }
        match catalog.projecting().any(|projecting| projecting.is_unfinished()) {
            true => executor.tail.push(events::stored(entry, outcome)),
            false => executor.tail.clear(),
        }
        Ok(())
    }

    /// Folds the events of a command into every live build that keeps up, as far as it is
    /// allowed to take time and room; the worker does what is left.
    fn keep_up(
        &self,
        executor: &mut Executor,
        base: &State,
        catalog: &Catalog,
        entry: &Entry,
        outcome: &mut Outcome,
    ) -> Result<(), Stop> {
        if outcome.events.is_empty() {
            return Ok(());
        }
        let events = events::stored(entry, outcome);
        // For all of them together: whoever comes when it is used up is left behind.
        let mut allowance = self.allowance(self.settings.fold_time_max);
        for projecting in catalog.projecting() {
            let keeps_up = projecting.row.live.as_ref().is_some_and(|it| it.position.is_none());
            let declared = projecting.declared(Which::Live).filter(|_| keeps_up);
            let is_wanted = |event: &Arc<StoredEvent>| {
                declared.is_some_and(|declared| declared.is_on(&event.event_type))
            };
            if !events.iter().any(is_wanted) {
                continue;
            }
            let mut row = projecting.row.clone();
            let (live, allowance) = (Which::Live, &mut allowance);
            let folded =
                self.fold(executor, projecting, live, base, &mut row, entry, &events, allowance);
            outcome.changes.join(folded?.changes);
            if row != projecting.row {
                put_row(&mut outcome.changes, &projecting.name, &row)?;
            }
        }
        Ok(())
    }

    fn allowance(&self, time: Duration) -> Allowance {
        let until = self.clock.elapsed().saturating_add(time);
        Allowance { until, bytes: self.settings.fold_bytes_max }
    }

    /// Folds events into a build. If it cannot take one it is parked there, in its row;
    /// if the allowance is used up, its row says how far it came. Before each event that
    /// is looked at, so one event more than that may be folded.
    #[expect(clippy::too_many_arguments, reason = "what is folded, into what, and for whom")]
    fn fold<'a>(
        &self,
        executor: &mut Executor,
        projecting: &Projecting,
        which: Which,
        base: &State,
        row: &mut ProjectionRow,
        entry: &Entry,
        events: impl IntoIterator<Item = &'a Arc<StoredEvent>>,
        allowance: &mut Allowance,
    ) -> Result<Folded, Stop> {
        let Some(mut fold) = Fold::new(projecting, which, base, self.settings.transaction) else {
            return Ok(Folded { changes: ChangeSet::default(), is_whole: false });
        };
        let mut is_whole = true;
        let stop_before = |row: &mut ProjectionRow, event: &StoredEvent, why| {
            row.go_to(which, Position(event.position.0.saturating_sub(1)), why);
        };
        for event in events {
            if !fold.is_on(&event.event_type) {
                continue;
            }
            if self.clock.elapsed() > allowance.until || fold.bytes() >= allowance.bytes {
                let (app, name, position) = (&self.app, &projecting.name, event.position);
                tracing::debug!(%app, projection = %name, %position, "left for the worker");
                stop_before(row, event, None);
                is_whole = false;
                break;
            }
            match fold.event(&mut executor.live, event) {
                Ok(()) => {}
                Err(Unfolded::Host(reason)) => return Err(Stop(reason)),
                Err(Unfolded::Refused(failure)) => {
                    let (app, name, position) = (&self.app, &projecting.name, event.position);
                    let (code, message) = (&failure.code, &failure.message);
                    tracing::warn!(%app, projection = %name, %position, %code, %message, "parked");
                    stop_before(row, event, Some(parked(event, entry.time_ms, &failure)));
                    is_whole = false;
                    break;
                }
            }
        }
        allowance.bytes = allowance.bytes.saturating_sub(fold.bytes());
        Ok(Folded { changes: fold.into_changes(), is_whole })
    }

    /// Brings the build that was advanced to the end, if what is left is at hand; the next
    /// one is put in the place of the live one. Of the other build nothing is done: what
    /// was prepared may be rows of the very tables that would be exchanged.
    fn complete(
        &self,
        executor: &mut Executor,
        base: &State,
        catalog: &Catalog,
        projecting: &Projecting,
        entry: &Entry,
        outcome: &mut Outcome,
    ) -> Result<(), Stop> {
        let (name, mut head) = (&projecting.name, base.clone());
        let step = step_of(&head, entry.sequence, entry.time_ms, outcome);
        head.apply(step.unwrap_or(head.step()), &outcome.changes);
        let row = read_projection(&head, name).map_err(|error| Stop(chain_of(&error)))?;
        let Some(mut row) = row else { return Ok(()) };
        let before = row.clone();
        let which = row.advanced_since(&projecting.row);
        let unfinished = row.build(which).and_then(Build::unfinished);
        let Some(after) = unfinished else { return Ok(()) };
        let Some(tail) = executor.tail.between(after, head.position()) else { return Ok(()) };
        let tail: Vec<_> = tail.cloned().collect();
        let left = &mut self.allowance(TAIL_TIME_MAX);
        let folded = self.fold(executor, projecting, which, &head, &mut row, entry, &tail, left);
        let Folded { changes, is_whole } = folded?;
        if !is_whole {
            outcome.changes.join(changes);
        } else if which == Which::Live {
            outcome.changes.join(changes);
            row.live.iter_mut().for_each(|live| live.position = None);
        } else {
            swap(projecting, changes, &mut row, &mut outcome.changes);
            release(catalog, projecting, entry, &mut outcome.changes)?;
            tracing::info!(app = %self.app, projection = %name, "built");
        }
        match row == before {
            true => Ok(()),
            false => put_row(&mut outcome.changes, name, &row),
        }
    }

    /// Does what an operator asked for.
    pub(super) fn execute_steer(
        &self,
        base: State,
        catalog: &Catalog,
        entry: &Entry,
        name: &Name,
        what: Steer,
    ) -> Result<Executed, Stop> {
        let Some(projecting) = catalog.projecting_of(name.as_str()) else {
            let message = format!("no module has a projection `{name}`");
            return Ok(Executed::rejected(None, failure("unknown-projection", message, None)));
        };
        let mut row = projecting.row.clone();
        let module = Some((row.module.clone(), catalog.module(row.module.as_str())));
        let module = module.and_then(|(name, deployed)| Some((name, deployed?.hash())));
        let mut transaction = self.transaction(base, entry, Arc::new(BTreeSet::new()));
        let mut done = nothing();
        match what {
            Steer::Resume | Steer::Skip => {
                // One that is being built is what somebody works at: it is first.
                let mut parked = Which::BOTH.into_iter().rev().filter_map(|which| {
                    Some((which, projecting.row.build(which)?.parked.as_ref()?.position))
                });
                let Some((which, at)) = parked.next() else {
                    let message = format!(
                        "projection `{name}` is not parked: there is nothing to resume or skip"
                    );
                    return Ok(Executed::rejected(module, failure("not-parked", message, None)));
                };
                if what == Steer::Skip {
                    // They may be parked at two events, and only one is to be left out.
                    row.go_to(which, Position(at), None);
                    done = skipped(which, at);
                } else {
                    row.live.iter_mut().chain(&mut row.next).for_each(|build| build.parked = None);
                }
            }
            Steer::Rebuild => {
                let deployed = catalog.module(row.module.as_str());
                let declared = deployed.and_then(|it| Some((it, begin(it, name)?)));
                let Some((_, next)) = declared else {
                    let message = format!("module `{}` does not declare it any more", row.module);
                    let failure = failure("unknown-projection", message, None);
                    return Ok(Executed::rejected(module, failure));
                };
                drop_next(&mut transaction, projecting);
                row.next = Some(next);
            }
        }
        stage_row(&mut transaction, name, &row)?;
        Ok(Executed {
            module,
            verdict: Verdict::Succeeded(done),
            staged: transaction.finish(),
            elapsed: Duration::ZERO,
        })
    }
}

/// What deploying a module does to its projections: new ones are to be built, those of
/// another version too, while the one before serves; those of the same version go on
/// with the new code.
pub(super) fn stage_deploy(
    transaction: &mut Transaction,
    catalog: &Catalog,
    deployed: &Deployed,
) -> Result<(), Stop> {
    let declared = &deployed.manifest().projections;
    for projecting in catalog.projecting().filter(|it| it.row.module == deployed.name) {
        if !declared.contains_key(&projecting.name) {
            stage_removal(transaction, projecting)?;
        }
    }
    for (name, projection) in declared {
        let Some(fresh) = begin(deployed, name) else { continue };
        let row = match catalog.projecting_of(name.as_str()) {
            None => {
                let module = deployed.name.clone();
                ProjectionRow { module, live: None, next: Some(fresh) }
            }
            Some(projecting) => {
                let mut row = projecting.row.clone();
                let is_same = |which| {
                    projecting.declared(which).is_some_and(|before| {
                        before.version == projection.version
                            && before.on == projection.on
                            && before.tables == projection.tables
                    })
                };
                let (live_is_same, next_is_same) = (is_same(Which::Live), is_same(Which::Next));
                let hash = deployed.hash();
                if live_is_same {
                    row.live.iter_mut().for_each(|live| live.hash = hash);
                }
                if next_is_same {
                    row.next.iter_mut().for_each(|next| next.hash = hash);
                } else {
                    drop_next(transaction, projecting);
                    row.next = (!live_is_same).then_some(fresh);
                }
                row
            }
        };
        stage_row(transaction, name, &row)?;
    }
    Ok(())
}

/// What removing a module does to its projections: their tables stay, orphaned.
pub(super) fn stage_remove(
    transaction: &mut Transaction,
    catalog: &Catalog,
    module: &Name,
) -> Result<(), Stop> {
    for projecting in catalog.projecting().filter(|it| it.row.module == *module) {
        stage_removal(transaction, projecting)?;
    }
    Ok(())
}

fn stage_removal(transaction: &mut Transaction, projecting: &Projecting) -> Result<(), Stop> {
    drop_next(transaction, projecting);
    let key = projection_key(&projecting.name).map_err(|error| Stop(error.to_string()))?;
    transaction.delete_system(&table_names::projections(), key);
    Ok(())
}

fn drop_next(transaction: &mut Transaction, projecting: &Projecting) {
    for table in projecting.tables(Which::Next).iter().flat_map(|tables| tables.iter()) {
        transaction.drop_table(&Which::Next.place(table));
    }
}

fn nothing() -> Value {
    Value::Json("null".into())
}

/// What is said of an event that was left out of a build.
fn skipped(which: Which, position: u64) -> Value {
    let build = which.as_str();
    Value::Json(format!(r#"{{"build":"{build}","skipped":{position}}}"#).into())
}

/// A build that has nothing yet; none if the module does not declare the projection.
fn begin(deployed: &Deployed, name: &Name) -> Option<Build> {
    let version = deployed.manifest().projections.get(name)?.version;
    let (hash, from, position) = (deployed.hash(), Position(1), Some(Position(0)));
    Some(Build { version, hash, from, position, parked: None })
}

/// Puts the tables of the next build where the live one's are.
fn swap(
    projecting: &Projecting,
    folded: ChangeSet,
    row: &mut ProjectionRow,
    changes: &mut ChangeSet,
) {
    let mut folded: Vec<_> = folded.tables;
    for table in projecting.tables(Which::Next).iter().flat_map(|tables| tables.iter()) {
        let from = Which::Next.place(table);
        let at = folded.iter().position(|changes| changes.table == from);
        let rows = at.map(|at| folded.swap_remove(at).rows).unwrap_or_default();
        let (table, lifecycle) = (table.clone(), Lifecycle::Moved { from });
        changes.add(TableChanges { table, lifecycle, rows });
    }
    row.live = row.next.take();
    row.live.iter_mut().for_each(|live| live.position = None);
}

/// Lets go of the tables that only the build wrote which was live until now: nobody
/// declares them, and they were not free while it went on writing them.
fn release(
    catalog: &Catalog,
    projecting: &Projecting,
    entry: &Entry,
    changes: &mut ChangeSet,
) -> Result<(), Stop> {
    let module = &projecting.row.module;
    let declares =
        |table: &Name| catalog.module(module.as_str()).is_some_and(|it| it.tables.contains(table));
    let owns = |table: &Name| {
        catalog.tables().get(table).and_then(TableRow::owner) == Some(module.as_str())
    };
    let before = projecting.tables(Which::Live);
    for table in before.iter().flat_map(|tables| tables.iter()) {
        if owns(table) && !declares(table) {
            put_system(changes, table_names::tables(), table, orphan(module, entry).to_value())?;
        }
    }
    Ok(())
}

/// After an entry that is no command but emitted events, such as a deployment whose
/// `on_deploy` command did: what kept up goes on from before them, beside the lane.
fn fall_behind(base: &State, entry: &Entry, outcome: &mut Outcome) -> Result<(), Stop> {
    if outcome.events.is_empty() {
        return Ok(());
    }
    let mut head = base.clone();
    let step = step_of(&head, entry.sequence, entry.time_ms, outcome);
    head.apply(step.unwrap_or(head.step()), &outcome.changes);
    let rows = crate::catalog::read_projections(&head).map_err(|error| Stop(chain_of(&error)))?;
    for (name, mut row) in rows {
        if let Some(live) = row.live.as_mut().filter(|live| live.position.is_none()) {
            live.position = Some(base.position());
            put_row(&mut outcome.changes, &name, &row)?;
        }
    }
    Ok(())
}

fn stage_row(transaction: &mut Transaction, name: &Name, row: &ProjectionRow) -> Result<(), Stop> {
    let key = projection_key(name).map_err(|error| Stop(error.to_string()))?;
    transaction.put_system(&table_names::projections(), key, row.to_value());
    Ok(())
}

fn put_row(changes: &mut ChangeSet, name: &Name, row: &ProjectionRow) -> Result<(), Stop> {
    put_system(changes, table_names::projections(), name, row.to_value())
}

fn put_system(changes: &mut ChangeSet, table: Name, key: &Name, row: Value) -> Result<(), Stop> {
    let key = projection_key(key).map_err(|error| Stop(error.to_string()))?;
    let lifecycle = Lifecycle::Kept;
    changes.add(TableChanges { table, lifecycle, rows: vec![(key, Some(row))] });
    Ok(())
}
