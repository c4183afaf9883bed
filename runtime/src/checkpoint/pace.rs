//! How fast a checkpoint is written: what is left of processor and disk for
//! everybody else. Knows nothing of checkpoints.

use std::fmt::Debug;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::clock::Clock;

/// Asked after each chunk.
pub trait Pace: Debug {
    /// Returns when work is to go on. To break is to give up what was begun, which
    /// leaves the file as it was before.
    fn pause(&mut self) -> ControlFlow<()>;
}

/// Never rests and never gives up: at a shutdown, when nobody else is there.
#[derive(Debug, Clone, Copy, Default)]
pub struct AtOnce;

impl Pace for AtOnce {
    fn pause(&mut self) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// Rests in proportion to how long it worked, so that on a busy machine it takes
/// longer rather than more.
#[derive(Debug)]
pub struct Unhurried {
    clock: Clock,
    /// How much it rests for so much work.
    rest_percent: u32,
    /// Set when it is to give up.
    stop: Arc<AtomicBool>,
    /// When it last rested.
    since: Duration,
}

/// How long it works before it rests. Long against what it costs to fall asleep,
/// short against what a caller notices.
const WORK_MIN: Duration = Duration::from_millis(2);
/// How long it rests at most, so that it can be told to stop: one slow sync, which
/// was waiting rather than work, is not paid back.
const REST_MAX: Duration = Duration::from_millis(50);

impl Unhurried {
    /// Rests so many percent of the time that it worked: at 100, half of the time.
    #[must_use]
    pub fn new(clock: Clock, rest_percent: u32, stop: Arc<AtomicBool>) -> Self {
        let since = clock.elapsed();
        Self { clock, rest_percent, stop, since }
    }
}

impl Pace for Unhurried {
    fn pause(&mut self) -> ControlFlow<()> {
        if self.stop.load(Ordering::Relaxed) {
            return ControlFlow::Break(());
        }
        let worked = self.clock.elapsed().saturating_sub(self.since);
        if worked >= WORK_MIN {
            let rest = worked.saturating_mul(self.rest_percent) / 100;
            thread::sleep(rest.min(REST_MAX));
            self.since = self.clock.elapsed();
        }
        ControlFlow::Continue(())
    }
}
