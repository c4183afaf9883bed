//! Building the tables of projections from the events there are, and catching up after
//! one was parked.
//!
//! A step folds some events into the tables as they are published, and enters the lane
//! with the rows it came to and the position in one change set. When little is left,
//! the lane does the rest ([`lane`](crate::lane)).

use std::collections::HashMap;
use std::time::Duration;

use uuid::Uuid;

use super::{Duty, Next, Turn};
use crate::catalog::{Build, Projecting, ProjectionRow, Which, projection_key, table_names};
use crate::events::{Filter, Limits};
use crate::lane::{Expected, Prepared, Submission, Ticket};
use crate::projection::{Fold, Instances, Unfolded, missed, parked};
use crate::record::Act;
use crate::snapshot::Snapshot;
use crate::state::Order;
use crate::value::{ChangeSet, Hash, Lifecycle, Name, Position, TableChanges, chain_of};

/// Events of one step. Each step is an entry, and commands wait while it is applied.
const STEP_EVENTS: usize = 1_000;
/// Bytes of events that are read for one step.
const STEP_EVENT_BYTES: usize = 4 << 20;
/// Events that are looked at for one step.
const STEP_SCANNED: usize = 20_000;
/// Bytes of rows after which a step ends.
const STEP_ROW_BYTES: usize = 1 << 20;
/// For how long handlers run for one step, but for the one that is at it: others of the
/// app are built as well.
const STEP_TIME: Duration = Duration::from_millis(100);
/// How long to wait when the lane takes nothing at the moment.
const BUSY_WAIT: Duration = Duration::from_millis(10);
/// How long to wait when it, or the disk, takes nothing for longer.
const FAILED_WAIT: Duration = Duration::from_secs(1);

/// The duty.
#[derive(Debug, Default)]
pub struct Projections {
    instances: Instances,
    /// Which build of a projection was advanced last.
    advanced: HashMap<Name, Which>,
}

impl Duty for Projections {
    fn name(&self) -> &'static str {
        "projections"
    }

    fn is_wanted(&self, snapshot: &Snapshot) -> bool {
        snapshot.catalog.projecting().any(|projecting| projecting.is_unfinished())
    }

    fn attend(&mut self, turn: &Turn<'_>) -> Next {
        let snapshot = turn.lane().snapshots().current();
        let mut next = Next::Idle;
        for projecting in snapshot.catalog.projecting() {
            let last = self.advanced.get(&projecting.name).copied().unwrap_or(Which::Next);
            if let Some(which) = projecting.row.unfinished(last)
                && !turn.is_over()
            {
                self.advanced.insert(projecting.name.clone(), which);
                next = next.or(self.step(turn, &snapshot, projecting, which));
            }
        }
        if next == Next::Idle {
            self.instances.clear();
            self.advanced.clear();
        }
        next
    }
}

impl Projections {
    fn step(
        &mut self,
        turn: &Turn<'_>,
        snapshot: &Snapshot,
        projecting: &Projecting,
        which: Which,
    ) -> Next {
        let from = projecting.row.build(which).and_then(Build::unfinished).unwrap_or_default();
        let (prepared, to) = match self.prepare(turn, snapshot, projecting, which, from) {
            Ok(prepared) => prepared,
            Err(reason) => {
                let (lane, name) = (turn.lane(), &projecting.name);
                let app = lane.modules().app();
                tracing::error!(%app, projection = %name, reason, "cannot go on; trying again");
                return Next::After(FAILED_WAIT);
            }
        };
        let worker = format!("projection/{}", projecting.name).into();
        let id = Uuid::now_v7();
        let submitted = turn.lane().submit(Submission {
            id,
            windowed: false,
            fingerprint: Hash::of(id.as_bytes()),
            act: Act::Advance { worker, from, to },
            admitted: None,
            keep: None,
            prepared: Some(prepared),
        });
        match submitted {
            // Whatever the answer is, the state says how far it is.
            Ok(Ticket::Flying { flight, .. }) => match turn.wait(&flight) {
                Some(_) => Next::Again,
                None => Next::Idle,
            },
            Ok(Ticket::Settled(_)) => Next::Again,
            Err(crate::lane::Refusal::Full { .. }) => Next::After(BUSY_WAIT),
            Err(_) => Next::After(FAILED_WAIT),
        }
    }

    /// What the next events do to a build, and the last of them.
    fn prepare(
        &mut self,
        turn: &Turn<'_>,
        snapshot: &Snapshot,
        projecting: &Projecting,
        which: Which,
        from: Position,
    ) -> Result<(Prepared, Position), String> {
        let lane = turn.lane();
        let fold = Fold::new(projecting, which, &snapshot.state, lane.transaction_limits());
        let declared = projecting.declared(which);
        let (Some(mut fold), Some(declared)) = (fold, declared) else {
            return Err("internal error: its module does not declare it".to_owned());
        };
        let (app, name) = (lane.modules().app(), &projecting.name);
        let (mut row, time_ms) = (projecting.row.clone(), snapshot.state.time_ms());
        let first = lane.events().first();
        // What has seen nothing yet begins with what there is, and says so.
        let begin = if from == Position(0) { first } else { Position(from.0 + 1) };
        if begin < first {
            let why = missed(from, first, time_ms);
            tracing::warn!(%app, projection = %name, code = why.code, why.message, "parked");
            row.go_to(which, from, Some(why));
            return Ok((enter(projecting, &row, ChangeSet::default())?, from));
        }
        if from == Position(0)
            && let Some(build) = row.build_mut(which)
        {
            build.from = begin;
            if begin > Position(1) {
                tracing::warn!(%app, projection = %name, from = %begin, "older events are gone");
            }
        }
        let filter = Filter { types: declared.on.clone(), ..Filter::default() };
        let limits = Limits { events: STEP_EVENTS, bytes: STEP_EVENT_BYTES, scanned: STEP_SCANNED };
        let page = lane.events().page(begin, Order::Ascending, &filter, limits);
        let page = page.map_err(|error| chain_of(&error))?;
        if lane.events().first() > begin {
            return Err("events were removed while they were read".to_owned());
        }
        let end = page.next.map_or(page.at, |next| Position(next.0.saturating_sub(1)));
        let (mut to, mut is_parked) = (end.max(from), None);
        let until = turn.clock().elapsed() + STEP_TIME;
        for event in &page.events {
            let before = Position(event.position.0.saturating_sub(1));
            // The first is folded whatever the time: a step goes on.
            let is_late = before > from && turn.clock().elapsed() >= until;
            if fold.bytes() >= STEP_ROW_BYTES || is_late || turn.is_over() {
                to = before;
                break;
            }
            match fold.event(&mut self.instances, event) {
                Ok(()) => {}
                Err(Unfolded::Host(reason)) if before == from => return Err(reason),
                Err(Unfolded::Host(_)) => {
                    to = before;
                    break;
                }
                Err(Unfolded::Refused(failure)) => {
                    let (position, code, message) =
                        (event.position, &failure.code, &failure.message);
                    tracing::warn!(%app, projection = %name, %position, %code, %message, "parked");
                    (to, is_parked) = (before, Some(parked(event, time_ms, &failure)));
                    break;
                }
            }
        }
        row.go_to(which, to, is_parked);
        let mut changes = created(snapshot, projecting, which);
        changes.join(fold.into_changes());
        Ok((enter(projecting, &row, changes)?, to))
    }
}

/// Changes together with the row that says how far they go, if that is still what it was.
fn enter(
    projecting: &Projecting,
    row: &ProjectionRow,
    mut changes: ChangeSet,
) -> Result<Prepared, String> {
    let key = projection_key(&projecting.name).map_err(|error| error.to_string())?;
    let (table, lifecycle) = (table_names::projections(), Lifecycle::Kept);
    let rows = vec![(key.clone(), Some(row.to_value()))];
    changes.add(TableChanges { table: table.clone(), lifecycle, rows });
    let expected = vec![Expected { table, key, value: Some(projecting.row.to_value()) }];
    Ok(Prepared { expected, changes })
}

/// The tables of a build that are not there yet, without rows.
fn created(snapshot: &Snapshot, projecting: &Projecting, which: Which) -> ChangeSet {
    let mut changes = ChangeSet::default();
    let tables = projecting.tables(which);
    for table in tables.iter().flat_map(|tables| tables.iter()) {
        let table = which.place(table);
        if snapshot.state.table(table.as_str()).is_none() {
            let (lifecycle, rows) = (Lifecycle::Created, Vec::new());
            changes.add(TableChanges { table, lifecycle, rows });
        }
    }
    changes
}
