//! The thread that evaluates scripts once, so that instances need not.
//!
//! A module runs as soon as it is accepted; when its script has been evaluated, and what
//! came of it compiled, new instances begin there. Nothing but their speed changes.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock, Weak};
use std::thread;

use tracing::{debug, warn};

use super::module::Module;

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
    let thread = thread::Builder::new().name("script-snapshots".into());
    match thread.spawn(move || run(&modules)) {
        Ok(_) => Some(queue),
        Err(error) => {
            warn!(%error, "no thread for snapshots of scripts; their instances start slower");
            None
        }
    }
}

fn run(modules: &Receiver<Weak<Module>>) {
    while let Ok(module) = modules.recv() {
        let Some(module) = module.upgrade() else {
            continue;
        };
        let hash = module.hash();
        match module.initialise() {
            Ok(elapsed) => debug!(%hash, ?elapsed, "the script's snapshot is in place"),
            Err(error) => {
                warn!(%hash, %error, "no snapshot of the script; its instances start slower");
            }
        }
    }
}
