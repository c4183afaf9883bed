//! The thread that evaluates scripts once, so that instances need not, and that has the
//! base ready before the first of them comes.
//!
//! A module runs as soon as it is accepted; when its script has been evaluated, and what
//! came of it compiled, new instances begin there. Nothing but their speed changes, so it
//! is done by one thread at a low priority, and the compiler is kept to it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock, Weak};
use std::thread;
use std::time::Duration;

use rayon::{ThreadPool, ThreadPoolBuilder};
use tracing::{debug, warn};

use super::host::Host;
use super::module::Module;
use super::refused::Refused;

/// What a thread that calls guests needs; see [`Host`](super::Host).
const STACK_BYTES: usize = 8 << 20;
/// How much it steps back behind others, as `nice` counts.
const NICE: i32 = 10;
/// What is gone this soon was only checked, or replaced by the next version. Twice as long
/// before it is tried again, for want of an instance or of time.
const PAUSE: Duration = Duration::from_millis(500);
/// How often a snapshot is tried.
const TRIES: u32 = 4;

/// What it is asked for. What nobody uses any more when its turn comes is passed by.
#[derive(Debug)]
enum Job {
    /// The base of this server, compiled.
    Base(Weak<Host>),
    /// The snapshot of a module's script.
    Snapshot(Weak<Module>),
}

/// Starts its thread with the first script. The thread ends when this is dropped, after
/// the script it is at.
#[derive(Debug, Default)]
pub(super) struct Initialiser {
    queue: OnceLock<Option<Sender<Job>>>,
}

impl Initialiser {
    /// Has the host's own base ready.
    pub(super) fn prepare(&self, host: &Arc<Host>) {
        self.send(Job::Base(Arc::downgrade(host)));
    }

    /// Has a module's script evaluated, if it has one.
    pub(super) fn initialise(&self, module: &Arc<Module>) {
        if module.evaluates_script() {
            self.send(Job::Snapshot(Arc::downgrade(module)));
        }
    }

    fn send(&self, job: Job) {
        if let Some(queue) = self.queue.get_or_init(start) {
            // Fails if the thread has panicked, of which the log has a line: scripts
            // stay as they are.
            drop(queue.send(job));
        }
    }
}

fn start() -> Option<Sender<Job>> {
    let (queue, jobs) = channel();
    let started = pool().and_then(|pool| {
        let thread = thread::Builder::new().name("script-snapshots".into());
        Ok(thread.spawn(move || run(&pool, &jobs))?)
    });
    match started {
        Ok(_) => Some(queue),
        Err(error) => {
            warn!(%error, "no thread for snapshots of scripts; their instances start slower");
            None
        }
    }
}

/// One thread, for what the compiler would otherwise spread over all processors.
fn pool() -> Result<ThreadPool, Box<dyn std::error::Error + Send + Sync>> {
    let pool = ThreadPoolBuilder::new().num_threads(1).stack_size(STACK_BYTES);
    let pool = pool.thread_name(|_| "script-compiler".into()).start_handler(|_| {
        // Of this thread alone, on Linux; where it cannot be had, it is done without.
        let _refused = rustix::process::nice(NICE);
    });
    Ok(pool.build()?)
}

fn run(pool: &ThreadPool, jobs: &Receiver<Job>) {
    while let Ok(job) = jobs.recv() {
        match job {
            Job::Base(host) => prepare(pool, &host),
            Job::Snapshot(module) => initialise(pool, &module),
        }
    }
}

fn prepare(pool: &ThreadPool, host: &Weak<Host>) {
    let Some(host) = host.upgrade() else {
        return;
    };
    match at_ease(pool, || host.own_base()) {
        Ok(_base) => debug!("scripts can be evaluated"),
        Err(reason) => warn!(reason, "the first script will wait for the engine it runs in"),
    }
}

fn initialise(pool: &ThreadPool, module: &Weak<Module>) {
    for n in 0..TRIES {
        thread::sleep(PAUSE * (1 << n));
        let Some(module) = module.upgrade() else {
            return;
        };
        let hash = module.hash();
        match at_ease(pool, || module.initialise()) {
            Ok(elapsed) => return debug!(%hash, ?elapsed, "the script's snapshot is in place"),
            Err(reason) => {
                warn!(%hash, reason, "no snapshot of the script; its instances start slower");
            }
        }
    }
}

/// Does something at the low priority. A panic is that script's affair; others have their
/// turn.
fn at_ease<T: Send>(
    pool: &ThreadPool,
    act: impl FnOnce() -> Result<T, Refused> + Send,
) -> Result<T, String> {
    match pool.install(|| catch_unwind(AssertUnwindSafe(act))) {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(refused)) => Err(refused.to_string()),
        Err(_panic) => Err("it panicked".to_owned()),
    }
}
