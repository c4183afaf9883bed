//! The thread that evaluates scripts once, so that instances need not.
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

use super::module::Module;

/// What a thread that calls guests needs; see [`Host`](super::Host).
const STACK_BYTES: usize = 8 << 20;
/// How much it steps back behind others, as `nice` counts.
const NICE: i32 = 10;
/// What is gone this soon was only checked, or replaced by the next version.
const PAUSE: Duration = Duration::from_millis(500);

/// Starts its thread with the first script. The thread ends when this is dropped, after
/// the script it is at.
#[derive(Debug, Default)]
pub(super) struct Initialiser {
    queue: OnceLock<Option<Sender<Weak<Module>>>>,
}

impl Initialiser {
    /// Has a module's script evaluated, if it has one. What nobody uses any more when its
    /// turn comes is passed by.
    pub(super) fn initialise(&self, module: &Arc<Module>) {
        if !module.evaluates_script() {
            return;
        }
        if let Some(queue) = self.queue.get_or_init(start) {
            // Fails if the thread has panicked, of which the log has a line: scripts
            // stay as they are.
            drop(queue.send(Arc::downgrade(module)));
        }
    }
}

fn start() -> Option<Sender<Weak<Module>>> {
    let (queue, modules) = channel();
    let started = pool().and_then(|pool| {
        let thread = thread::Builder::new().name("script-snapshots".into());
        Ok(thread.spawn(move || run(&pool, &modules))?)
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

fn run(pool: &ThreadPool, modules: &Receiver<Weak<Module>>) {
    while let Ok(module) = modules.recv() {
        thread::sleep(PAUSE);
        let Some(module) = module.upgrade() else {
            continue;
        };
        let hash = module.hash();
        // A panic is that script's affair; others have their turn.
        let initialise = AssertUnwindSafe(|| module.initialise());
        match pool.install(|| catch_unwind(initialise)) {
            Ok(Ok(elapsed)) => debug!(%hash, ?elapsed, "the script's snapshot is in place"),
            Ok(Err(error)) => {
                warn!(%hash, %error, "no snapshot of the script; its instances start slower");
            }
            Err(_panic) => {
                warn!(%hash, "no snapshot of the script, by a panic; its instances start slower");
            }
        }
    }
}
