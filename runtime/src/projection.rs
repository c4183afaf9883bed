//! Folding events into the tables of a projection.
//!
//! It is done in the same way right after a command, in its lane, and beside the lane
//! when tables are built anew: each event on its own, on a state that has nothing but
//! the projection's tables, within the limits of one command. So whichever way it was
//! done, the tables have the same rows. Who does it, and what becomes of the rows, is
//! not known here.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::catalog::{Deployed, Parked, Projecting, Which};
use crate::state::{State, Step};
use crate::transaction::{Chain, Context, Limits, Transaction};
use crate::value::{
    ChangeSet, Failure, Hash, Key, Lifecycle, Name, Position, StoredEvent, TableChanges, Value,
};
use crate::wasm::{CallError, Live, ProjectCall};

/// How often an event is tried when the host has no instance for it, and how long to
/// wait between: a second or so in all, which outlasts any query.
const HOST_TRIES_MAX: u32 = 100;
const HOST_WAIT: Duration = Duration::from_millis(20);

/// Instances that are kept between calls, one for each version of a module.
#[derive(Debug, Default)]
pub struct Instances(HashMap<(Name, Hash), Live>);

impl Instances {
    /// The instance of a version of a module; a new one if there is none that can go on.
    pub fn of(&mut self, deployed: &Deployed) -> &mut Live {
        let key = (deployed.name.clone(), deployed.hash());
        let live = self.0.entry(key).or_insert_with(|| deployed.module.instance());
        if live.spent() {
            live.forget();
        }
        live
    }

    /// Gives up those of a module.
    pub fn remove(&mut self, module: &Name) {
        self.0.retain(|(name, _), _| name != module);
    }

    /// Gives up all of them.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

/// Why an event was not folded.
#[derive(Debug)]
pub enum Unfolded {
    /// The handler refused it, trapped, or met a limit.
    Refused(Failure),
    /// The server could not call it.
    Host(String),
}

/// A build of a projection, and what some events do to its tables.
#[derive(Debug)]
pub struct Fold<'a> {
    projecting: &'a Projecting,
    which: Which,
    code: &'a Arc<Deployed>,
    limits: Limits,
    /// The state it began with.
    base: State,
    /// The projection's tables, under the names by which handlers know them.
    view: State,
    rows: BTreeMap<Name, BTreeMap<Key, Option<Value>>>,
    bytes: usize,
}

impl<'a> Fold<'a> {
    /// A build as it is in a state; none if there is no such build.
    #[must_use]
    pub fn new(
        projecting: &'a Projecting,
        which: Which,
        base: &State,
        limits: Limits,
    ) -> Option<Self> {
        let (code, tables) = (projecting.code(which)?, projecting.tables(which)?);
        let places = tables.iter().map(|table| (table.clone(), which.place(table)));
        let (view, base) = (base.view(places), base.clone());
        let (rows, bytes) = (BTreeMap::new(), 0);
        Some(Self { projecting, which, code, limits, base, view, rows, bytes })
    }

    /// Whether it is given events of this type.
    #[must_use]
    pub fn is_on(&self, event_type: &str) -> bool {
        self.projecting.declared(self.which).is_some_and(|declared| declared.is_on(event_type))
    }

    /// Folds one more event. If that fails nothing of it is kept, and all before is.
    ///
    /// # Errors
    /// [`Unfolded`].
    pub fn event(
        &mut self,
        instances: &mut Instances,
        event: &Arc<StoredEvent>,
    ) -> Result<(), Unfolded> {
        let Some(tables) = self.projecting.tables(self.which) else { return Ok(()) };
        let context = Context {
            sequence: event.sequence,
            time_ms: event.time_ms,
            command_id: event.id,
            writable: Arc::clone(tables),
            limits: self.limits,
            chain: Chain::default(),
        };
        let call = ProjectCall {
            module: Arc::clone(&self.code.label),
            projection: self.projecting.name.clone(),
            event: Arc::clone(event),
        };
        let mut tries = 0;
        loop {
            let view = Transaction::for_view(self.view.clone(), context.clone());
            let done = instances.of(self.code).project(view, &call);
            match done.result {
                Ok(_) => {
                    self.take(event, done.transaction.finish().changes);
                    return Ok(());
                }
                Err(CallError::Rejected { failure, .. } | CallError::Failed(failure)) => {
                    return Err(Unfolded::Refused(failure));
                }
                Err(CallError::Host(reason)) if tries == HOST_TRIES_MAX => {
                    return Err(Unfolded::Host(reason));
                }
                // The pool may be full for a moment.
                Err(CallError::Host(_)) => {
                    tries += 1;
                    instances.clear();
                    thread::sleep(HOST_WAIT);
                }
            }
        }
    }

    fn take(&mut self, event: &StoredEvent, changes: ChangeSet) {
        let StoredEvent { sequence, time_ms, position, .. } = *event;
        self.view.apply(Step { sequence, time_ms, position }, &changes);
        for TableChanges { table, rows, .. } in changes.tables {
            let taken = self.rows.entry(table).or_default();
            for (key, value) in rows {
                self.bytes += key.as_str().len() + value.as_ref().map_or(0, Value::len);
                taken.insert(key, value);
            }
        }
    }

    /// Bytes that were written so far, those too that were written over.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// What was changed, in the tables where the build has them.
    #[must_use]
    pub fn into_changes(self) -> ChangeSet {
        let mut changes = ChangeSet::default();
        for (table, rows) in self.rows {
            let table = self.which.place(&table);
            let before = self.base.table(table.as_str());
            let is_there = |key: &Key| before.is_some_and(|before| before.contains(key.as_str()));
            // What came and went meanwhile leaves no trace.
            let rows = rows.into_iter().filter(|(key, value)| value.is_some() || is_there(key));
            changes.add(TableChanges { table, lifecycle: Lifecycle::Kept, rows: rows.collect() });
        }
        changes
    }
}

/// What to note of a build that could not take an event.
#[must_use]
pub fn parked(event: &StoredEvent, time_ms: u64, failure: &Failure) -> Parked {
    Parked {
        position: event.position.0,
        sequence: event.sequence.0,
        time_ms,
        code: failure.code.to_string(),
        message: failure.message.to_string(),
    }
}

/// What to note of a build that has come to some event, and the next one that is kept is
/// not the one after it. Skipping goes on with that.
#[must_use]
pub fn missed(after: Position, first: Position, time_ms: u64) -> Parked {
    let (missing, last) = (after.0 + 1, first.0.saturating_sub(1));
    let message = format!(
        "events {missing} to {last} are not kept any more, and it has not seen them; \
         skip goes on with event {first}, without them"
    );
    Parked { position: last, sequence: 0, time_ms, code: "events-gone".to_owned(), message }
}

/// Events that are kept for builds that have nearly caught up, at most.
pub const TAIL_EVENTS_MAX: usize = 4_096;
/// Bytes of them.
const TAIL_BYTES_MAX: usize = 8 << 20;

/// The newest events of a lane, durable or not, without a gap.
#[derive(Debug, Default)]
pub struct Tail {
    events: VecDeque<Arc<StoredEvent>>,
    bytes: usize,
}

impl Tail {
    /// Adds the events of an entry.
    pub fn push(&mut self, events: Vec<Arc<StoredEvent>>) {
        for event in events {
            self.bytes += bytes_of(&event);
            self.events.push_back(event);
        }
        while self.events.len() > TAIL_EVENTS_MAX || self.bytes > TAIL_BYTES_MAX {
            let Some(oldest) = self.events.pop_front() else { break };
            self.bytes -= bytes_of(&oldest);
        }
    }

    /// Forgets all of them.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// The events after one, up to another; none if it does not have all of them.
    pub fn between(
        &self,
        after: Position,
        upto: Position,
    ) -> Option<impl Iterator<Item = &Arc<StoredEvent>>> {
        let first = self.events.front().map_or(Position(u64::MAX), |event| event.position);
        let last = self.events.back().map_or(Position(0), |event| event.position);
        let has_all = after >= upto || (first.0 <= after.0 + 1 && upto <= last);
        has_all.then(|| {
            let events = self.events.iter();
            events.filter(move |event| event.position > after && event.position <= upto)
        })
    }
}

fn bytes_of(event: &StoredEvent) -> usize {
    const OVERHEAD_BYTES: usize = 256;
    OVERHEAD_BYTES + event.data.len() + event.subject.as_ref().map_or(0, |subject| subject.len())
}
