//! The threads that look after the files of all apps, and at the room on the disk.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use super::gates::Gates;
use super::opening::Apps;
use super::{App, Error, Settings};
use crate::checkpoint::Unhurried;
use crate::clock::Clock;
use crate::disk::{Disk, Lock};
use crate::value::chain_of;

/// How often it looks at the room: a fast writer fills some tens of megabytes meanwhile.
const WATCH_EVERY: Duration = Duration::from_millis(50);
/// How often it looks whether something is due.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// For how many looks it leaves all apps alone after something failed: ten seconds.
const TRY_AGAIN_AFTER: u32 = 40;
/// How much it rests for the time it works, in percent.
const REST_PERCENT: u32 = 100;

/// For how many milliseconds the threads are waited for at the end. A disk that does not
/// answer is not waited for; until it does, the directory stays locked.
const END_MS_MAX: u32 = 10_000;

/// The threads. They end when this is dropped.
#[derive(Debug)]
pub(super) struct Upkeep {
    stop: Arc<AtomicBool>,
    threads: [thread::JoinHandle<()>; 2],
}

impl Upkeep {
    pub(super) fn start(
        settings: &Settings,
        clock: &Clock,
        apps: &Arc<Apps>,
        gates: &Arc<Gates>,
        lock: &Arc<Lock>,
    ) -> Result<Self, Error> {
        let stop = Arc::new(AtomicBool::new(false));
        gates.room.look(&*settings.disk, &settings.data);
        let keeping = Keeping {
            disk: Arc::clone(&settings.disk),
            data: settings.data.clone(),
            clock: clock.clone(),
            apps: Arc::downgrade(apps),
            gates: Arc::clone(gates),
            unsettled_max: settings.keeper.unsettled_max,
            stop: Arc::clone(&stop),
            _lock: Arc::clone(lock),
        };
        let keeping = Arc::new(keeping);
        let watching = Arc::clone(&keeping);
        let threads = [
            start("chancery-keeper", move || keeping.keep())?,
            start("chancery-watch", move || watching.watch())?,
        ];
        Ok(Self { stop, threads })
    }

    /// What is being written is given up soon, and nothing else begun.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.iter().for_each(|handle| handle.thread().unpark());
    }
}

impl Drop for Upkeep {
    fn drop(&mut self) {
        self.stop();
        // Whoever opens the directory next is not to find it locked for no reason.
        for _ in 0..END_MS_MAX {
            if self.threads.iter().all(thread::JoinHandle::is_finished) {
                return;
            }
            thread::sleep(Duration::from_millis(1));
        }
        tracing::warn!("the disk holds the upkeep; left as it is");
    }
}

fn start(name: &str, run: impl FnOnce() + Send + 'static) -> Result<thread::JoinHandle<()>, Error> {
    let started = thread::Builder::new().name(name.into()).spawn(run);
    started.map_err(|error| Error::Host(error.to_string()))
}

struct Keeping {
    disk: Arc<dyn Disk>,
    data: PathBuf,
    clock: Clock,
    apps: Weak<Apps>,
    gates: Arc<Gates>,
    unsettled_max: usize,
    stop: Arc<AtomicBool>,
    /// What is written by a thread is written in a directory that is ours.
    _lock: Arc<Lock>,
}

impl Keeping {
    /// Looks at the room, whatever else takes long.
    fn watch(&self) {
        while !self.stop.load(Ordering::Relaxed) {
            self.gates.room.look(&*self.disk, &self.data);
            thread::park_timeout(WATCH_EVERY);
        }
    }

    fn keep(&self) {
        let mut pace = Unhurried::new(self.clock.clone(), REST_PERCENT, Arc::clone(&self.stop));
        let mut pause = 0;
        while !self.stop.load(Ordering::Relaxed) {
            pause = u32::saturating_sub(pause, 1);
            if pause == 0 && !self.tend(&mut pace) {
                pause = TRY_AGAIN_AFTER;
            }
            thread::park_timeout(LOOK_EVERY);
        }
    }

    /// Does what is due; false if something failed.
    fn tend(&self, pace: &mut Unhurried) -> bool {
        let mut all_well = true;
        let apps = self.apps.upgrade().map(|apps| apps.all()).unwrap_or_default();
        for app in apps {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            // A backup may have it for long; the other apps do not wait.
            let Some(mut keeper) = app.keeper_if_free() else {
                all_well = self.settle(&app) && all_well;
                continue;
            };
            // A fault of ours in one app is not to end the upkeep of all.
            let tended = catch_unwind(AssertUnwindSafe(|| keeper.tend(pace)));
            let failed = match tended {
                Ok(Ok(())) => continue,
                Ok(Err(error)) => chain_of(&error),
                Err(_) => "internal error: it panicked".to_owned(),
            };
            let is_ending = self.stop.load(Ordering::Relaxed);
            all_well = is_ending && all_well;
            if !is_ending {
                tracing::error!(app = %app.name(), error = failed, "upkeep failed");
            }
        }
        all_well
    }

    /// What no backup copies can go on while one is made: what is known of entries is
    /// not to fill the memory. False if it failed.
    fn settle(&self, app: &App) -> bool {
        let lane = app.lane();
        if lane.receipts().n_in_memory() <= self.unsettled_max {
            return true;
        }
        match lane.settle() {
            Ok(()) => true,
            Err(error) => {
                let error = chain_of(&error);
                tracing::error!(app = %app.name(), error, "the index could not be written");
                false
            }
        }
    }
}
