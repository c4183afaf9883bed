//! Clocks that step, forwards and backwards, while a server runs and while it does
//! not; ids in memory, on disk, and forgotten.

use std::collections::HashMap;
use std::sync::Arc;

use super::*;
use crate::clock::Manual;
use crate::disk::Files;
use crate::index::{Index, Place, Row, Status};
use crate::record::samples::HISTORY;
use crate::state::model::Random;

const HOUR: u64 = HOUR_MS;
const DAY_MS: u64 = 24 * HOUR;
const YEAR: u64 = 365 * DAY_MS;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const NOW: u64 = 1_800_000_000_000;

fn seen(sequence: u64) -> Seen {
    Seen { sequence: Sequence(sequence), fingerprint: Hash([0; 32]) }
}

#[test]
fn i3_a_clock_that_jumps_neither_admits_old_ids_nor_locks_clients_out() {
    let (clock, hands) = Clock::manual(NOW);
    let mut floor = Floor::new(&clock, DAY);
    let first = floor.ms(&clock);
    assert_eq!(first, NOW - DAY_MS);

    hands.set_wall(NOW - 10 * DAY_MS);
    floor.advance(&clock);
    assert_eq!(floor.recorded_ms(), first, "back: what is recorded stays");
    floor.forgotten(first - 7);
    assert_eq!(floor.ms(&clock), first - 7, "and nothing forgotten is let in");

    hands.set_wall(NOW + 10 * YEAR);
    hands.advance(Duration::from_secs(7));
    floor.advance(&clock);
    assert_eq!(floor.ms(&clock), first + 7000, "ahead: it moves by what passed");

    let again = |floor: &Floor, time_ms| Floor::resume(&clock, DAY, floor.recorded_ms(), time_ms);
    let mut restarted = again(&floor, NOW);
    assert_eq!(restarted.ms(&clock), floor.ms(&clock) + HOUR, "by an hour at a start");
    for _ in 0..100 {
        restarted = again(&restarted, clock.wall_ms());
    }
    assert_eq!(restarted.ms(&clock), floor.ms(&clock) + HOUR, "but not at each of them");
    assert!(Floor::confirmed(&clock, DAY, 0).ms(&clock) > NOW);
}

#[test]
fn i3_an_id_outside_the_window_is_refused_to_the_millisecond() {
    let (clock, hands) = Clock::manual(NOW);
    let floor = Floor::new(&clock, DAY);
    let floor_ms = floor.ms(&clock);
    assert_eq!(floor.check(&clock, floor_ms, NOW), Ok(()));
    let expired = OutOfWindow::Expired { floor_ms };
    assert_eq!(floor.check(&clock, floor_ms - 1, NOW), Err(expired));
    let ahead = NOW + millis(AHEAD_MAX);
    assert_eq!(floor.check(&clock, ahead, 0), Ok(()));
    let too_far = Err(OutOfWindow::Ahead { now_ms: NOW });
    assert_eq!(floor.check(&clock, ahead + 1, 0), too_far);

    // A clock that was set back a little goes unnoticed, one from another year not.
    hands.set_wall(NOW - HOUR / 2);
    assert_eq!(floor.check(&clock, ahead, NOW), Ok(()));
    assert_eq!(floor.check(&clock, ahead + 1, NOW), too_far);
    hands.set_wall(NOW - YEAR);
    assert!(floor.check(&clock, NOW, NOW).is_err());
}

/// A floor that never falls, whatever made it rise, would refuse everybody for ten
/// years after a first start with a wrong date.
#[test]
fn i3_a_first_start_with_a_wrong_date_locks_nobody_out_for_good() {
    let (clock, hands) = Clock::manual(NOW + 10 * YEAR);
    let mut floor = Floor::new(&clock, DAY);
    assert!(floor.check(&clock, NOW, 0).is_err());
    hands.set_wall(NOW);
    floor.advance(&clock);
    let time_ms = NOW + 10 * YEAR;
    assert_eq!(floor.check(&clock, NOW, time_ms), Ok(()), "as soon as it is set right");
    assert!(floor.check(&clock, NOW + YEAR, time_ms).is_err(), "and no years are open");
    let recorded_ms = floor.recorded_ms();
    let restarted = Floor::resume(&clock, DAY, recorded_ms, time_ms);
    assert_eq!(restarted.check(&clock, NOW, time_ms), Ok(()));
    assert_eq!(restarted.ms(&clock), NOW - DAY_MS);
    let confirmed = Floor::confirmed(&clock, DAY, recorded_ms);
    assert_eq!((confirmed.ms(&clock), confirmed.recorded_ms()), (NOW - DAY_MS, recorded_ms));
}

#[test]
fn i2_ids_leave_memory_in_the_order_of_their_entries_and_free_it() {
    let mut ids = Ids::default();
    let id = |n: u64| (Uuid::from_u128(n.into()), NOW + n.wrapping_mul(7_919_000) % (5 * HOUR));
    for n in 1..=50_000 {
        let (id, time_ms) = id(n);
        ids.insert(id, time_ms, seen(n));
    }
    let mut calls = 1;
    while ids.forget_through(Sequence(49_000), 1000) {
        calls += 1;
        assert_eq!(ids.len(), 50_000 - calls * 1000 + 1000);
    }
    assert_eq!((ids.len(), calls), (1000, 49));
    for n in 1..=50_000 {
        let (id, time_ms) = id(n);
        assert_eq!(ids.get(id, time_ms), (n > 49_000).then(|| seen(n)));
    }
    let capacity: usize = ids.hours.values().map(HashMap::capacity).sum();
    assert!(capacity + ids.order.capacity() < 30_000, "{capacity}, {}", ids.order.capacity());
    assert!(!ids.forget_through(Sequence(u64::MAX), usize::MAX));
    assert!(ids.is_empty() && ids.hours.is_empty());
}

/// An app, as far as ids and clocks are concerned, and the world around it.
struct World {
    clock: Clock,
    hands: Arc<Manual>,
    /// What time it is.
    true_ms: u64,
    floor: Floor,
    ids: Ids,
    index: Index,
    directory: tempfile::TempDir,
    /// Every entry, by the id it was given to; what a log would have.
    log: Vec<(Uuid, u64)>,
    /// The first entry that the log still has.
    first_retained: u64,
    accepted: HashMap<Uuid, u64>,
    /// The last time given to an entry.
    time_ms: u64,
    recorded_ms: u64,
}

#[derive(Debug, PartialEq, Eq)]
enum Answer {
    New,
    Duplicate(u64),
    Refused(OutOfWindow),
}

impl World {
    fn new(offset_ms: i64) -> Self {
        let (clock, hands) = Clock::manual(NOW.saturating_add_signed(offset_ms));
        let directory = tempfile::tempdir().unwrap();
        let index = Index::open(Arc::new(Files), directory.path(), HISTORY).unwrap().index;
        Self {
            floor: Floor::new(&clock, DAY),
            clock,
            hands,
            true_ms: NOW,
            ids: Ids::default(),
            index,
            directory,
            log: Vec::new(),
            first_retained: 1,
            accepted: HashMap::new(),
            time_ms: 0,
            recorded_ms: 0,
        }
    }

    fn pass(&mut self, ms: u64) {
        self.true_ms += ms;
        self.hands.advance(Duration::from_millis(ms));
    }

    /// The sequencer's section.
    fn submit(&mut self, id: Uuid) -> Answer {
        let id_ms = time_of(id);
        let on_disk = self.index.find(id, id_ms).unwrap();
        if let Some(sequence) = on_disk.or(self.ids.get(id, id_ms).map(|seen| seen.sequence)) {
            return Answer::Duplicate(sequence.0);
        }
        self.floor.advance(&self.clock);
        self.floor.forgotten(self.index.forgotten_ms());
        if let Err(out) = self.floor.check(&self.clock, id_ms, self.time_ms) {
            return Answer::Refused(out);
        }
        self.time_ms = self.time_ms.max(self.clock.wall_ms());
        self.log.push((id, self.time_ms));
        let sequence = self.log.len() as u64;
        self.ids.insert(id, id_ms, seen(sequence));
        assert!(self.floor.recorded_ms() >= self.recorded_ms, "what is recorded never falls");
        self.recorded_ms = self.floor.recorded_ms();
        assert_eq!(self.accepted.insert(id, sequence), None, "I2: accepted twice");
        Answer::New
    }

    /// What is in memory goes to disk.
    fn settle(&mut self) {
        let covered = self.index.covered().0;
        let rows: Vec<_> = (covered + 1..=self.log.len() as u64).map(|n| self.row(n)).collect();
        self.index.add(&rows).unwrap();
        while self.index.merge().unwrap() {}
        while self.ids.forget_through(self.index.covered(), 3) {}
    }

    fn row(&self, sequence: u64) -> Row {
        let (id, _) = self.log[usize::try_from(sequence).unwrap() - 1];
        let place = Place { entry_round: 1, outcome_round: 1, status: Status::Succeeded };
        Row { sequence: Sequence(sequence), id, time_ms: time_of(id), place }
    }

    /// The log is trimmed, and the index forgets what it may.
    fn forget(&mut self, keep: u64) {
        let covered = self.index.covered().0;
        self.first_retained = self.first_retained.max(covered.saturating_sub(keep));
        let floor_ms = self.floor.ms(&self.clock);
        self.index.forget(Sequence(self.first_retained), floor_ms).unwrap();
    }

    fn restart(&mut self, down_ms: u64, offset_ms: i64) {
        self.true_ms += down_ms;
        let (clock, hands) = Clock::manual(self.true_ms.saturating_add_signed(offset_ms));
        (self.clock, self.hands) = (clock, hands);
        self.floor = Floor::resume(&self.clock, DAY, self.recorded_ms, self.time_ms);
        let opened = Index::open(Arc::new(Files), self.directory.path(), HISTORY).unwrap();
        self.index = opened.index;
        self.ids = Ids::default();
        for sequence in self.index.covered().0 + 1..=self.log.len() as u64 {
            let row = self.row(sequence);
            self.ids.insert(row.id, row.time_ms, seen(sequence));
        }
    }

    fn clock_is_right(&self) -> bool {
        self.clock.wall_ms() == self.true_ms
    }
}

/// An id of one of the versions that clients may use.
fn id_at(random: &mut Random, time_ms: u64) -> Uuid {
    let nanos = u32::try_from(time_ms % 1000).unwrap() * 1_000_000;
    let counter = u16::try_from(random.below(1 << 14)).unwrap();
    let node = [1, 2, 3, 4, 5, random.next().to_le_bytes()[0]];
    match random.below(3) {
        0 => Uuid::new_v1(
            uuid::Timestamp::from_unix_time(time_ms / 1000, nanos, counter.into(), 14),
            &node,
        ),
        1 => Uuid::new_v6(
            uuid::Timestamp::from_unix_time(time_ms / 1000, nanos, counter.into(), 14),
            &node,
        ),
        _ => {
            let bits = (random.next(), random.next());
            let bytes = (u128::from(bits.0) << 64 | u128::from(bits.1)).to_le_bytes();
            let mut some = [0; 10];
            some.copy_from_slice(&bytes[..10]);
            uuid::Builder::from_unix_timestamp_millis(time_ms, &some).into_uuid()
        }
    }
}

/// How far a clock is off: mostly not at all; by minutes, hours, days, years.
fn offset(random: &mut Random) -> i64 {
    let size = [60_000, HOUR, DAY_MS, 10 * YEAR][random.below(4)] * (1 + random.next() % 30) / 3;
    match random.below(6) {
        0 => i64::try_from(size).unwrap(),
        1 => -i64::try_from(size).unwrap(),
        _ => 0,
    }
}

#[test]
fn i2_i3_no_clock_makes_a_command_run_twice_or_locks_out_who_is_right() {
    let mut random = Random::from_env("clocks");
    let (mut n_refused, mut n_forgotten, mut n_duplicates) = (0, 0, 0);
    for _ in 0..60 {
        let mut world = World::new(0);
        for _ in 0..120 {
            match random.below(13) {
                0 => world.pass(random.next() % (3 * HOUR)),
                1 => world.pass(DAY_MS / 2 + random.next() % DAY_MS),
                2 => {
                    let offset = offset(&mut random);
                    world.hands.set_wall(world.true_ms.saturating_add_signed(offset));
                }
                3 => world.settle(),
                4 => {
                    world.settle();
                    world.forget(random.next() % 8);
                }
                5 if random.one_in(3) => {
                    let (down_ms, offset) = (random.next() % (2 * HOUR), offset(&mut random));
                    world.restart(down_ms, offset);
                }
                6 | 7 if !world.log.is_empty() => {
                    // A late duplicate of any entry there ever was.
                    let (id, _) = world.log[random.below(world.log.len())];
                    match world.submit(id) {
                        Answer::New => panic!("I2: {id} was taken for new"),
                        Answer::Duplicate(sequence) => {
                            assert_eq!(world.accepted[&id], sequence);
                            n_duplicates += 1;
                        }
                        Answer::Refused(OutOfWindow::Expired { .. }) => n_forgotten += 1,
                        // The clock went back: refused for now, and not for new.
                        Answer::Refused(OutOfWindow::Ahead { .. }) => {}
                    }
                }
                8 if !world.log.is_empty() => {
                    // The clock goes back to when the original was new.
                    let (id, _) = world.log[random.below(world.log.len())];
                    world.hands.set_wall(time_of(id) + random.next() % (2 * HOUR));
                    assert_ne!(world.submit(id), Answer::New, "I2: {id} was taken for new");
                    world.hands.set_wall(world.true_ms);
                }
                9 => {
                    // A client with a clock as wrong as the server's, or otherwise.
                    let about = [world.clock.wall_ms(), world.true_ms][random.below(2)];
                    let time_ms = about.saturating_add_signed(offset(&mut random));
                    let id = id_at(&mut random, time_ms);
                    n_refused += u64::from(matches!(world.submit(id), Answer::Refused(_)));
                }
                _ => {
                    let minutes = i64::try_from(random.below(600_001)).unwrap() - 300_000;
                    let id = id_at(&mut random, world.true_ms.saturating_add_signed(minutes));
                    let answer = world.submit(id);
                    let right = world.clock_is_right();
                    assert!(!right || answer == Answer::New, "I3: locked out: {answer:?}");
                }
            }
        }
    }
    println!("refused {n_refused}, duplicates {n_duplicates}, forgotten {n_forgotten}");
    assert!(n_refused > 50 && n_duplicates > 500 && n_forgotten > 50);
}

#[test]
fn i2_a_wrong_date_at_the_first_start_makes_nothing_run_twice_either() {
    let mut random = Random::from_env("first start");
    for _ in 0..20 {
        let first = offset(&mut random);
        let mut world = World::new(first);
        for _ in 0..80 {
            match random.below(8) {
                0 => world.pass(random.next() % DAY_MS),
                1 => {
                    let offset = offset(&mut random);
                    world.hands.set_wall(world.true_ms.saturating_add_signed(offset));
                }
                2 => {
                    world.settle();
                    world.forget(random.next() % 8);
                }
                3 => world.restart(0, 0),
                4 if !world.log.is_empty() => {
                    let (id, _) = world.log[random.below(world.log.len())];
                    assert_ne!(world.submit(id), Answer::New);
                }
                _ => {
                    let id = id_at(&mut random, world.clock.wall_ms());
                    world.submit(id);
                }
            }
        }
    }
}

/// The clock jumps ten years ahead, clients as wrong as the server are served, and it
/// is set right.
#[test]
fn i3_ten_wrong_years_lock_nobody_out_and_let_nothing_in() {
    let mut random = Random::from_env("ten years");
    let mut world = World::new(0);
    let before = id_at(&mut random, NOW - HOUR);
    assert_eq!(world.submit(before), Answer::New);
    world.hands.set_wall(NOW + 10 * YEAR);
    let future = id_at(&mut random, NOW + 10 * YEAR + 200_000);
    assert_eq!(world.submit(future), Answer::New);
    let meanwhile = id_at(&mut random, NOW);
    assert_eq!(world.submit(meanwhile), Answer::New, "who is right is served all the time");
    world.settle();
    for days in 1..5 {
        world.pass(DAY_MS);
        let id = id_at(&mut random, world.true_ms);
        assert_eq!(world.submit(id), Answer::New, "also after {days} days");
        world.settle();
        world.forget(0);
    }
    world.hands.set_wall(world.true_ms);
    let id = id_at(&mut random, world.true_ms);
    assert_eq!(world.submit(id), Answer::New);
    let ahead = id_at(&mut random, world.true_ms + 2 * HOUR);
    assert!(matches!(world.submit(ahead), Answer::Refused(OutOfWindow::Ahead { .. })));
    assert_eq!(world.submit(future), Answer::Duplicate(2), "it is remembered until then");
    assert!(matches!(world.submit(before), Answer::Refused(OutOfWindow::Expired { .. })));
    world.restart(HOUR, 0);
    let id = id_at(&mut random, world.true_ms);
    assert_eq!(world.submit(id), Answer::New);
    assert_eq!(world.submit(future), Answer::Duplicate(2));
}
