//! The one place that asks the time, so that tests can set it.
//!
//! Two clocks, because they fail differently: the wall clock can jump in both
//! directions, the monotonic one only measures what passed in this process.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// A clock, cheap to clone.
#[derive(Clone)]
pub struct Clock(Source);

#[derive(Clone)]
enum Source {
    System { start: Instant },
    Manual(Arc<Manual>),
}

/// The hands of a clock that only moves when told to.
#[derive(Debug, Default)]
pub struct Manual {
    wall_ms: AtomicU64,
    elapsed_ms: AtomicU64,
}

impl Clock {
    /// The machine's clocks.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the place")]
    pub fn system() -> Self {
        Self(Source::System { start: Instant::now() })
    }

    /// A clock for tests, and the hands to move it by.
    #[must_use]
    pub fn manual(wall_ms: u64) -> (Self, Arc<Manual>) {
        let hands = Arc::new(Manual::default());
        hands.set_wall(wall_ms);
        (Self(Source::Manual(Arc::clone(&hands))), hands)
    }

    /// Milliseconds since 1970 by the wall clock. May go backwards.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the place")]
    pub fn wall_ms(&self) -> u64 {
        match &self.0 {
            Source::System { .. } => {
                let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
                let since_1970 = since_1970.unwrap_or_default();
                u64::try_from(since_1970.as_millis()).unwrap_or(u64::MAX)
            }
            Source::Manual(hands) => hands.wall_ms.load(Ordering::SeqCst),
        }
    }

    /// Time since the clock was made. Never goes backwards.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        match &self.0 {
            Source::System { start } => start.elapsed(),
            Source::Manual(hands) => Duration::from_millis(hands.elapsed_ms.load(Ordering::SeqCst)),
        }
    }
}

impl Manual {
    /// Lets time pass on both clocks.
    pub fn advance(&self, by: Duration) {
        let ms = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.wall_ms.fetch_add(ms, Ordering::SeqCst);
        self.elapsed_ms.fetch_add(ms, Ordering::SeqCst);
    }

    /// Makes the wall clock jump, as clocks do.
    pub fn set_wall(&self, wall_ms: u64) {
        self.wall_ms.store(wall_ms, Ordering::SeqCst);
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({} ms)", self.wall_ms())
    }
}
