//! Which ids were seen, and which are too old or too new to be taken.
//!
//! Two questions, which must not be mixed up.
//!
//! *Could the original have been forgotten?* If so the id is refused, always: this is
//! what keeps a command from running twice (I2), and no clock has a part in it. Ids
//! leave memory only when they are on disk, and what is dropped there is known to the
//! millisecond: [`Index::forgotten_ms`](crate::index::Index::forgotten_ms). That bound
//! never falls.
//!
//! *Is the id older than the window?* That is a matter of service, and of clocks, which
//! jump. So the floor rises with the monotonic clock, and at a start by an hour at
//! most: a wall clock that jumps ahead does not lock clients out. And it counts only
//! as far as the wall clock goes along: one that was wrong, and was set right, leaves
//! no floor in the future behind. Were this floor the only one and never to fall, a
//! first start with a wrong date would refuse everybody until that date.
//!
//! Where the two disagree, the higher one decides. What may be dropped on disk is
//! decided by the floor; what was dropped, by what was there.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

use uuid::Uuid;

use crate::clock::Clock;
pub use crate::value::derived;
use crate::value::{CommandId, Hash, Sequence};

/// How far ahead of the server's clock the time in an id may be.
pub const AHEAD_MAX: Duration = Duration::from_secs(5 * 60);
/// How much of the time for which a server was down its floor makes up for at a
/// start. A clock that is wrong at a start does no more harm than this.
pub const CATCH_UP_MAX: Duration = Duration::from_secs(60 * 60);

/// By how much a clock may be set back before ids are refused that it had caught up
/// with. Clocks are put right by seconds, seldom by minutes.
const SET_BACK_MAX: Duration = Duration::from_secs(60 * 60);

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

/// The ids of one app that are not on disk, in blocks by the hour of their time.
#[derive(Debug, Default)]
pub struct Ids {
    hours: BTreeMap<u64, HashMap<Uuid, Seen>>,
    /// The same, in the order of their entries: the order in which they leave.
    order: VecDeque<(Sequence, u64, Uuid)>,
}

impl Ids {
    /// Remembers an id. Entries come in order (I4).
    pub fn insert(&mut self, id: Uuid, time_ms: u64, seen: Seen) {
        let hour = time_ms / HOUR_MS;
        self.hours.entry(hour).or_default().insert(id, seen);
        self.order.push_back((seen.sequence, hour, id));
    }

    /// Forgets ids of entries up to this one, because they are on disk; true if there
    /// may be more of them. At most so many at once, because whoever asks holds a lock.
    pub fn forget_through(&mut self, sequence: Sequence, at_most: usize) -> bool {
        for _ in 0..at_most {
            let Some((found, hour, id)) = self.order.front().copied() else { break };
            if found > sequence {
                break;
            }
            self.order.pop_front();
            self.forget(found, hour, id);
        }
        shrink(self.order.len(), self.order.capacity(), |to| self.order.shrink_to(to));
        self.order.front().is_some_and(|(found, ..)| *found <= sequence)
    }

    /// Puts others in the place of the ids of entries after this one: what the log
    /// says once it was read again.
    pub fn replace_after(&mut self, sequence: Sequence, others: Self) {
        while let Some((found, hour, id)) = self.order.back().copied() {
            if found <= sequence {
                break;
            }
            self.order.pop_back();
            self.forget(found, hour, id);
        }
        for (found, hour, id) in others.order {
            let seen = others.hours.get(&hour).and_then(|block| block.get(&id));
            if let Some(seen) = seen.filter(|_| found > sequence) {
                self.hours.entry(hour).or_default().insert(id, *seen);
                self.order.push_back((found, hour, id));
            }
        }
    }

    /// What is known of an id.
    #[must_use]
    pub fn get(&self, id: Uuid, time_ms: u64) -> Option<Seen> {
        self.hours.get(&(time_ms / HOUR_MS))?.get(&id).copied()
    }

    /// How many ids there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    fn forget(&mut self, sequence: Sequence, hour: u64, id: Uuid) {
        let Some(block) = self.hours.get_mut(&hour) else { return };
        if block.get(&id).is_some_and(|seen| seen.sequence == sequence) {
            block.remove(&id);
        }
        if block.is_empty() {
            self.hours.remove(&hour);
        } else {
            shrink(block.len(), block.capacity(), |to| block.shrink_to(to));
        }
    }
}

/// Gives memory back when three quarters of it are not used: seldom enough that it
/// costs little for each id that left.
fn shrink(len: usize, capacity: usize, shrink_to: impl FnOnce(usize)) {
    const WORTH_IT: usize = 1024;
    if capacity >= WORTH_IT && len < capacity / 4 {
        shrink_to(capacity / 2);
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
    /// Rises with the time that passed; never falls.
    risen_ms: u64,
    /// Ids before it may have been forgotten; never falls.
    forgotten_ms: u64,
    /// What rounds have recorded, and never less.
    recorded_ms: u64,
    window: Duration,
    /// When the floor was last moved, by the monotonic clock.
    moved: Duration,
}

impl Floor {
    /// The floor of a new app.
    #[must_use]
    pub fn new(clock: &Clock, window: Duration) -> Self {
        Self::confirmed(clock, window, 0)
    }

    /// The floor at a start, from the one on record and the last time that an entry
    /// was given. It makes up for the time since then, but for [`CATCH_UP_MAX`] at
    /// most: also a server that is started again and again while its clock is wrong
    /// does not raise it without end, because the clock has to be ahead of all
    /// entries each time.
    #[must_use]
    pub fn resume(clock: &Clock, window: Duration, recorded_ms: u64, time_ms: u64) -> Self {
        let mut floor = Self {
            risen_ms: recorded_ms,
            forgotten_ms: 0,
            recorded_ms,
            window,
            moved: clock.elapsed(),
        };
        let down = Duration::from_millis(clock.wall_ms().saturating_sub(time_ms));
        floor.rise_by(clock, down.min(CATCH_UP_MAX));
        floor
    }

    /// The floor at a start whose clock the operator vouches for: higher or lower
    /// than the one on record.
    #[must_use]
    pub fn confirmed(clock: &Clock, window: Duration, recorded_ms: u64) -> Self {
        let risen_ms = clock.wall_ms().saturating_sub(millis(window));
        Self { risen_ms, forgotten_ms: 0, recorded_ms, window, moved: clock.elapsed() }
    }

    /// Lets the floor follow the time that passed, never beyond the window.
    pub fn advance(&mut self, clock: &Clock) {
        let elapsed = clock.elapsed().saturating_sub(self.moved);
        self.rise_by(clock, elapsed);
        self.moved = clock.elapsed();
    }

    /// Records nothing below what was recorded elsewhere.
    pub fn at_least(&mut self, recorded_ms: u64) {
        self.recorded_ms = self.recorded_ms.max(recorded_ms);
    }

    /// Ids before this time may have been forgotten.
    pub fn forgotten(&mut self, forgotten_ms: u64) {
        self.forgotten_ms = self.forgotten_ms.max(forgotten_ms);
    }

    /// What a round records, for the next start. It never falls.
    #[must_use]
    pub fn recorded_ms(&self) -> u64 {
        self.recorded_ms.max(self.risen_ms).max(self.forgotten_ms)
    }

    /// The earliest time of an id that is accepted, and before which ids may be
    /// dropped. It falls if the wall clock does, down to what was forgotten.
    #[must_use]
    pub fn ms(&self, clock: &Clock) -> u64 {
        self.risen_ms.min(self.ceiling_ms(clock)).max(self.forgotten_ms)
    }

    /// Whether the time in an id is acceptable. `time_ms` is the last that an entry
    /// was given.
    ///
    /// # Errors
    /// [`OutOfWindow`].
    pub fn check(&self, clock: &Clock, id_ms: u64, time_ms: u64) -> Result<(), OutOfWindow> {
        let floor_ms = self.ms(clock);
        if id_ms < floor_ms {
            return Err(OutOfWindow::Expired { floor_ms });
        }
        let now_ms = latest_ms(clock, time_ms);
        if id_ms > now_ms.saturating_add(millis(AHEAD_MAX)) {
            return Err(OutOfWindow::Ahead { now_ms });
        }
        Ok(())
    }

    fn rise_by(&mut self, clock: &Clock, by: Duration) {
        let risen = self.risen_ms.saturating_add(millis(by)).min(self.ceiling_ms(clock));
        self.risen_ms = self.risen_ms.max(risen);
    }

    fn ceiling_ms(&self, clock: &Clock) -> u64 {
        clock.wall_ms().saturating_sub(millis(self.window))
    }
}

/// What ids may be ahead of: the wall clock, or the last entry, so that clients notice
/// nothing when a clock is set back. Not by more than [`SET_BACK_MAX`]: else one entry
/// from a wrong year would let in ids of all years up to it, to be kept until then.
fn latest_ms(clock: &Clock, time_ms: u64) -> u64 {
    let now_ms = clock.wall_ms();
    now_ms.max(time_ms.min(now_ms.saturating_add(millis(SET_BACK_MAX))))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
