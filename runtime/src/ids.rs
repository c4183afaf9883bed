//! Which ids were seen, and which are too old or too new to be taken.
//!
//! The window is bounded below by a floor that never falls. It moves with time
//! measured by the monotonic clock, so a wall clock that jumps ahead cannot
//! lock clients out, and one that jumps back cannot let in an id whose original
//! has been forgotten (I2, I3).

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use uuid::Uuid;

use crate::clock::Clock;
use crate::value::{CommandId, Hash, Sequence};

/// How far ahead of the server's clock the time in an id may be.
pub const AHEAD_MAX: Duration = Duration::from_secs(5 * 60);
/// How much of the time for which a server was down its floor makes up for at a
/// start. A clock that is wrong at a start does no more harm than this.
pub const CATCH_UP_MAX: Duration = Duration::from_secs(60 * 60);

const HOUR_MS: u64 = 60 * 60 * 1000;

/// What is known of an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// The entry it was given to.
    pub sequence: Sequence,
    /// What "the same command" means for it.
    pub fingerprint: Hash,
}

/// Why the time in an id is not acceptable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutOfWindow {
    /// Its original could have been forgotten.
    Expired {
        /// The earliest time that is accepted, in milliseconds since 1970.
        floor_ms: u64,
    },
    /// It would be remembered for longer than the window.
    Ahead {
        /// The server's time, in milliseconds since 1970.
        now_ms: u64,
    },
}

/// The ids of one app, in blocks by the hour of their time, so that what falls
/// below the floor goes as a block.
#[derive(Debug, Default)]
pub struct Ids {
    hours: BTreeMap<u64, HashMap<Uuid, Seen>>,
}

impl Ids {
    /// Remembers an id.
    pub fn insert(&mut self, id: Uuid, time_ms: u64, seen: Seen) {
        self.hours.entry(time_ms / HOUR_MS).or_default().insert(id, seen);
    }

    /// Forgets the hours that lie wholly below the floor.
    pub fn forget_below(&mut self, floor_ms: u64) {
        self.hours = self.hours.split_off(&(floor_ms / HOUR_MS));
    }

    /// What is known of an id.
    #[must_use]
    pub fn get(&self, id: Uuid, time_ms: u64) -> Option<Seen> {
        self.hours.get(&(time_ms / HOUR_MS))?.get(&id).copied()
    }
}

/// The time in an id: what its blocks go by. Ids that the server makes carry
/// their time in the same place as version 7.
#[must_use]
pub fn time_of(id: Uuid) -> u64 {
    match CommandId::new(id) {
        Ok(id) => id.time_ms(),
        Err(_) => id.as_u64_pair().0 >> 16,
    }
}

/// The lower bound of the window.
#[derive(Debug, Clone)]
pub struct Floor {
    floor_ms: u64,
    window: Duration,
    /// When the floor was last moved, by the monotonic clock.
    moved: Duration,
}

impl Floor {
    /// The floor of a new app.
    #[must_use]
    pub fn new(clock: &Clock, window: Duration) -> Self {
        Self::confirmed(clock, window)
    }

    /// The floor at a start, from the one on record. It catches up with the
    /// clock by [`CATCH_UP_MAX`] at most.
    #[must_use]
    pub fn resume(clock: &Clock, window: Duration, recorded_ms: u64) -> Self {
        let mut floor = Self { floor_ms: recorded_ms, window, moved: clock.elapsed() };
        floor.rise_by(clock, CATCH_UP_MAX);
        floor
    }

    /// The floor at a start whose clock the operator vouches for.
    #[must_use]
    pub fn confirmed(clock: &Clock, window: Duration) -> Self {
        let floor_ms = clock.wall_ms().saturating_sub(millis(window));
        Self { floor_ms, window, moved: clock.elapsed() }
    }

    /// Lets the floor follow the time that passed, never beyond the window.
    pub fn advance(&mut self, clock: &Clock) {
        let elapsed = clock.elapsed().saturating_sub(self.moved);
        self.rise_by(clock, elapsed);
        self.moved = clock.elapsed();
    }

    /// Never below a floor that was recorded elsewhere.
    pub fn at_least(&mut self, floor_ms: u64) {
        self.floor_ms = self.floor_ms.max(floor_ms);
    }

    /// The earliest time of an id that is accepted.
    #[must_use]
    pub fn ms(&self) -> u64 {
        self.floor_ms
    }

    /// Whether the time in an id is acceptable.
    ///
    /// # Errors
    /// [`OutOfWindow`].
    pub fn check(&self, time_ms: u64, now_ms: u64) -> Result<(), OutOfWindow> {
        if time_ms < self.floor_ms {
            return Err(OutOfWindow::Expired { floor_ms: self.floor_ms });
        }
        if time_ms > now_ms.saturating_add(millis(AHEAD_MAX)) {
            return Err(OutOfWindow::Ahead { now_ms });
        }
        Ok(())
    }

    fn rise_by(&mut self, clock: &Clock, by: Duration) {
        let ceiling = clock.wall_ms().saturating_sub(millis(self.window));
        let risen = self.floor_ms.saturating_add(millis(by)).min(ceiling);
        self.floor_ms = self.floor_ms.max(risen);
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    const NOW: u64 = 1_800_000_000_000;

    #[test]
    fn i3_a_clock_that_jumps_neither_admits_old_ids_nor_locks_clients_out() {
        let (clock, hands) = Clock::manual(NOW);
        let mut floor = Floor::new(&clock, DAY);
        let first = floor.ms();
        assert_eq!(first, NOW - millis(DAY));

        hands.set_wall(NOW - 10 * millis(DAY));
        floor.advance(&clock);
        assert_eq!(floor.ms(), first, "back: it stays");

        hands.set_wall(NOW + 3650 * millis(DAY));
        hands.advance(Duration::from_secs(7));
        floor.advance(&clock);
        assert_eq!(floor.ms(), first + 7000, "ahead: it moves by what passed");

        let restarted = Floor::resume(&clock, DAY, floor.ms());
        assert_eq!(restarted.ms(), floor.ms() + millis(CATCH_UP_MAX));
        assert!(Floor::confirmed(&clock, DAY).ms() > NOW);
    }

    #[test]
    fn i3_an_id_outside_the_window_is_refused_to_the_millisecond() {
        let (clock, _) = Clock::manual(NOW);
        let floor = Floor::new(&clock, DAY);
        assert_eq!(floor.check(floor.ms(), NOW), Ok(()));
        let expired = OutOfWindow::Expired { floor_ms: floor.ms() };
        assert_eq!(floor.check(floor.ms() - 1, NOW), Err(expired));
        let ahead = millis(AHEAD_MAX);
        assert_eq!(floor.check(NOW + ahead, NOW), Ok(()));
        assert_eq!(floor.check(NOW + ahead + 1, NOW), Err(OutOfWindow::Ahead { now_ms: NOW }));
    }

    #[test]
    fn i2_what_is_above_the_floor_is_never_forgotten() {
        let mut ids = Ids::default();
        let seen = Seen { sequence: Sequence(1), fingerprint: Hash([0; 32]) };
        for minutes in 0..600 {
            ids.insert(Uuid::from_u128(u128::from(minutes)), NOW + minutes * 60_000, seen);
        }
        let floor = NOW + 300 * 60_000;
        ids.forget_below(floor);
        for minutes in 300..600 {
            let time = NOW + minutes * 60_000;
            assert_eq!(ids.get(Uuid::from_u128(u128::from(minutes)), time), Some(seen));
        }
        assert!(ids.hours.len() < 7, "whole hours below the floor are gone");
    }
}
