//! Sending events to the targets of webhooks. Each webhook has a task of its own, so
//! that a target which never answers holds up nobody else; what it sends next, and what
//! becomes of it, is the [engine's](crate::engine::webhooks) affair.

mod target;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::task::{Id, JoinError, JoinHandle, JoinSet};
use tokio::time::sleep;

use self::target::Target;
use crate::engine::Engine;
use crate::engine::webhooks::{Course, Failed, Next, Parcel};
use crate::value::{Name, chain_of};

/// Deliveries at one time, of all apps together: each may have an event of a few
/// megabytes in memory, and a socket.
const DELIVERIES_MAX: usize = 256;
/// Names that are looked up at one time. The system's resolver cannot be interrupted, and
/// may take long for a name whose servers do not answer.
const LOOKUPS_MAX: usize = 8;
/// How long to wait for a ring that may have been missed: a client that goes takes the
/// ring of its request along.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(10);
/// How long a connection is kept that nothing is sent on.
const IDLE_MAX: Duration = Duration::from_secs(5);

/// The deliveries of all apps of a server. They end when it is dropped.
#[derive(Debug)]
pub struct Deliveries {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// What deliveries have in common.
#[derive(Debug, Clone)]
struct Gates {
    deliveries: Arc<Semaphore>,
    lookups: Arc<Semaphore>,
}

/// A webhook: its app, and its name.
type Place = (Name, Name);

impl Deliveries {
    /// Delivers what the webhooks of all apps are to be sent, those too that are still to
    /// be opened. Has to be called by a thread of a runtime.
    #[must_use]
    pub fn start(engine: &Arc<Engine>) -> Self {
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(dispatch(Arc::clone(engine), stopped));
        Self { stop, task }
    }

    /// Has all of them end: what is on its way is given up, and what was delivered is
    /// written down.
    pub fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Waits until they have ended.
    pub async fn ended(&mut self) {
        if let Err(error) = (&mut self.task).await {
            tracing::error!(%error, "internal error: deliveries failed");
        }
    }
}

impl Drop for Deliveries {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Has a task for each webhook.
async fn dispatch(engine: Arc<Engine>, mut stopped: watch::Receiver<bool>) {
    let (deliveries, lookups) = (Semaphore::new(DELIVERIES_MAX), Semaphore::new(LOOKUPS_MAX));
    let gates = Gates { deliveries: Arc::new(deliveries), lookups: Arc::new(lookups) };
    let mut changed = engine.webhooks_changed();
    let (mut tasks, mut ids, mut running) = (JoinSet::new(), HashMap::new(), BTreeSet::new());
    while !*stopped.borrow() {
        // What changes while it is looked at is looked at again.
        changed.mark_unchanged();
        for app in engine.apps() {
            for name in app.webhook_names() {
                let place = (app.name().clone(), name.clone());
                if running.insert(place.clone()) {
                    let course = Course::new(Arc::clone(&app), name);
                    let changed = engine.webhooks_changed();
                    let task = deliver(course, gates.clone(), changed, stopped.clone());
                    ids.insert(tasks.spawn(task).id(), place);
                }
            }
        }
        tokio::select! {
            Some(ended) = tasks.join_next_with_id(), if !tasks.is_empty() => {
                note(ended, &mut ids, &mut running);
            }
            _ = changed.changed() => {}
            () = sleep(LOOK_AGAIN_AFTER) => {}
            () = is_set(&mut stopped) => {}
        }
    }
    while let Some(ended) = tasks.join_next_with_id().await {
        note(ended, &mut ids, &mut running);
    }
}

fn note(
    ended: Result<(Id, ()), JoinError>,
    ids: &mut HashMap<Id, Place>,
    running: &mut BTreeSet<Place>,
) {
    match ended {
        Ok((id, ())) => {
            if let Some(place) = ids.remove(&id) {
                running.remove(&place);
            }
        }
        // A fault of ours: it would come again.
        Err(error) => tracing::error!(%error, "internal error: a delivery failed"),
    }
}

/// Delivers for one webhook, until there is none of that name.
async fn deliver(
    mut course: Course,
    gates: Gates,
    mut changed: watch::Receiver<()>,
    mut stopped: watch::Receiver<bool>,
) {
    let app = Arc::clone(course.app());
    let mut target = Target::new(&app, course.name(), Arc::clone(&gates.lookups));
    while !*stopped.borrow() && !app.events().is_over() {
        changed.mark_unchanged();
        match course.next().await {
            Next::Gone => return,
            Next::Send(parcel) => {
                let sending = async {
                    let _place = gates.deliveries.acquire().await;
                    target.send(&parcel).await
                };
                let became = tokio::select! {
                    became = sending => Some(became),
                    () = is_unwanted(&course, &parcel, &mut changed) => None,
                    () = is_set(&mut stopped) => None,
                };
                if let Some(became) = became {
                    course.sent(&parcel, became);
                }
            }
            Next::Wait { beyond, at_most } => {
                let idle = target.is_open().then_some(IDLE_MAX);
                tokio::select! {
                    () = app.events().wait_beyond(beyond) => {}
                    () = passed(at_most) => {}
                    () = passed(idle) => target.close(),
                    _ = changed.changed() => {}
                    () = sleep(LOOK_AGAIN_AFTER) => {}
                    () = is_set(&mut stopped) => {}
                }
            }
        }
    }
    if let Err(error) = course.save().await {
        let (app, webhook, error) = (app.name(), course.name(), chain_of(&error));
        tracing::info!(%app, %webhook, error, "some events will be delivered again");
    }
}

/// Waits until something that is being sent is not to be delivered any more.
async fn is_unwanted(course: &Course, parcel: &Parcel, changed: &mut watch::Receiver<()>) {
    while course.still_wants(parcel) {
        // The sender lives in the engine, which has the app.
        if changed.changed().await.is_err() {
            return;
        }
    }
}

async fn is_set(flag: &mut watch::Receiver<bool>) {
    // It is set, or nobody is there who would.
    drop(flag.wait_for(|flag| *flag).await);
}

/// Waits so long; for ever if it is not said how long.
async fn passed(time: Option<Duration>) {
    match time {
        Some(time) => sleep(time).await,
        None => std::future::pending().await,
    }
}

/// Why an attempt failed, for programs and for people.
fn failed(code: &'static str, reason: impl Into<String>) -> Failed {
    Failed { code, reason: reason.into(), retry_after: None }
}
