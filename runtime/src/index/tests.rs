//! Indexes against a plain list of rows: whatever is added, merged, forgotten, opened
//! again, damaged or cut off, they answer right or say that they cannot.

mod crash;
mod damage;
mod figures;
mod machine;
mod postings;

use std::path::Path;
use std::sync::Arc;

use uuid::Uuid;

use self::machine::Machine;
use super::{Error, Index, Opened, Place, Row, Status};
use crate::disk::Disk;
use crate::record::samples::HISTORY;
use crate::state::model::Random;
use crate::value::Sequence;

const NOW: u64 = 1_800_000_000_000;
const DIRECTORY: &str = "index";

/// The row of an entry, always the same: several ids an hour, in disorder.
fn row(sequence: u64) -> Row {
    let mix = sequence.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let time_ms = NOW + sequence * 30_000 - mix % 600_000;
    let status = match mix % 1000 {
        0..900 => Status::Succeeded,
        900..998 => Status::Rejected,
        _ => Status::Failed,
    };
    let outcome_round = sequence / 3 + 1 + mix % 2;
    Row {
        sequence: Sequence(sequence),
        id: Uuid::from_u64_pair(mix, sequence),
        time_ms,
        place: Place { entry_round: sequence / 3 + 1, outcome_round, status },
    }
}

fn rows(from: u64, to: u64) -> Vec<Row> {
    (from..=to).map(row).collect()
}

fn open(disk: &Arc<Machine>) -> Opened {
    Index::open(Arc::clone(disk) as Arc<dyn Disk>, Path::new(DIRECTORY), HISTORY).unwrap()
}

fn merge_all(index: &Index) {
    while index.merge().unwrap() {}
}

/// What an index has to answer, given what it was told to forget.
#[derive(Debug, Clone, Copy)]
struct Expected {
    covered: u64,
    first_retained: u64,
}

impl Expected {
    fn check(self, index: &Index, random: &mut Random) {
        assert_eq!(index.covered(), Sequence(self.covered));
        for _ in 0..40 {
            let sequence = 1 + random.next() % (self.covered + 20);
            self.check_entry(index, sequence);
        }
        let statuses =
            [None, Some(Status::Succeeded), Some(Status::Rejected), Some(Status::Failed)];
        let status = statuses[random.below(4)];
        let before = random.next() % (self.covered + 20);
        self.check_page(index, status, before, 1 + random.below(50));
        assert!(index.page(Some(Status::Accepted), Sequence(u64::MAX), 9).unwrap().is_empty());
    }

    fn check_entry(self, index: &Index, sequence: u64) {
        let Row { id, time_ms, place, .. } = row(sequence);
        let found = index.find(id, time_ms).unwrap();
        let found_place = index.place(Sequence(sequence)).unwrap();
        if sequence > self.covered {
            assert_eq!((found, found_place), (None, None));
        } else if found.is_none() {
            assert!(time_ms < index.forgotten_ms() && sequence < self.first_retained);
        } else {
            assert_eq!(found, Some(Sequence(sequence)));
        }
        match found_place {
            None => assert!(sequence > self.covered || sequence < self.first_retained),
            found => assert_eq!(found, Some(place)),
        }
        assert_eq!(index.find(Uuid::from_u64_pair(7, sequence), time_ms).unwrap(), None);
    }

    fn check_page(self, index: &Index, status: Option<Status>, before: u64, limit: usize) {
        let page = index.page(status, Sequence(before), limit).unwrap();
        let matches =
            |sequence: &u64| status.is_none_or(|status| row(*sequence).place.status == status);
        let all = (1..before.min(self.covered + 1)).rev().filter(matches).map(Sequence);
        let all: Vec<_> = all.take(limit).collect();
        assert!(all.starts_with(&page));
        let next = all.get(page.len());
        assert!(next.is_none_or(|next| next.0 < self.first_retained), "{next:?} is missing");
    }
}

#[test]
fn an_index_answers_as_a_list_of_rows_would() {
    let mut random = Random::from_env("index");
    for _ in 0..60 {
        let disk = Arc::new(Machine::default());
        let mut index = open(&disk).index;
        let mut expected = Expected { covered: 0, first_retained: 1 };
        for _ in 0..40 {
            match random.below(10) {
                0..5 => {
                    let end = expected.covered + 1 + random.next() % 400;
                    // Some of it may be known already.
                    let begin = expected.covered.saturating_sub(random.next() % 3).max(1);
                    index.add(&rows(begin, end)).unwrap();
                    expected.covered = end;
                }
                5 | 6 => drop(index.merge().unwrap()),
                7 => merge_all(&index),
                8 => {
                    let first = 1 + random.next() % (expected.covered + 1);
                    expected.first_retained = expected.first_retained.max(first);
                    let floor_ms = row(1 + random.next() % (expected.covered + 1)).time_ms;
                    index.forget(Sequence(expected.first_retained), floor_ms).unwrap();
                }
                _ => {
                    let forgotten_ms = index.forgotten_ms();
                    let opened = open(&disk);
                    assert_eq!(opened.set_aside, []);
                    index = opened.index;
                    assert_eq!(index.forgotten_ms(), forgotten_ms);
                }
            }
            expected.check(&index, &mut random);
        }
        assert!(index.check(&mut |_| std::ops::ControlFlow::Continue(())).is_empty());
    }
}

#[test]
fn an_index_takes_no_gap() {
    let index = open(&Arc::default()).index;
    index.add(&rows(1, 5)).unwrap();
    for gap in [rows(7, 8), [rows(6, 7), rows(9, 9)].concat()] {
        assert!(matches!(index.add(&gap), Err(Error::NotNext { .. })));
    }
    index.add(&[]).unwrap();
    index.add(&rows(2, 4)).unwrap();
    assert_eq!(index.covered(), Sequence(5));
}

#[test]
fn runs_stay_few_and_memory_small() {
    let index = open(&Arc::default()).index;
    let mut random = Random::from_env("runs stay few");
    let mut covered = 0;
    for _ in 0..600 {
        let end = covered + 1 + random.next() % 30;
        index.add(&rows(covered + 1, end)).unwrap();
        merge_all(&index);
        covered = end;
        let runs = index.runs().all().count();
        assert!(runs < 60, "{runs} runs of {covered} entries");
    }
    Expected { covered, first_retained: 1 }.check(&index, &mut random);
}

#[test]
fn i2_ids_from_the_future_do_not_keep_all_others() {
    // Ten entries of a wrong clock, then others of the right one, for long.
    let future = |sequence| Row { time_ms: NOW + 1_000_000_000_000, ..row(sequence) };
    let disk = Arc::default();
    let index = open(&disk).index;
    index.add(&(1..=10).map(future).collect::<Vec<_>>()).unwrap();
    for batch in 0..20 {
        index.add(&rows(11 + batch * 100, 110 + batch * 100)).unwrap();
    }
    let before = index.disk_bytes();
    index.forget(Sequence(1900), row(1800).time_ms).unwrap();
    assert!(index.disk_bytes() < before / 4, "{} of {before}", index.disk_bytes());
    assert!(index.forgotten_ms() <= row(1800).time_ms);
    for index in [index, open(&disk).index] {
        for sequence in 1..=10 {
            let row = future(sequence);
            assert_eq!(index.find(row.id, row.time_ms).unwrap(), Some(row.sequence));
        }
        let expected = Expected { covered: 2010, first_retained: 1900 };
        expected.check(&index, &mut Random::from_env("future"));
    }
}

#[test]
fn an_index_of_another_history_is_not_this_one() {
    let disk = Arc::default();
    open(&disk).index.add(&rows(1, 9)).unwrap();
    let other = crate::value::History(Uuid::from_u128(9));
    let opened = Index::open(disk, Path::new(DIRECTORY), other).unwrap();
    assert_eq!((opened.set_aside.len(), opened.index.covered()), (2, Sequence(0)));
    assert!(opened.set_aside[0].why.contains("history"));
}

#[test]
fn an_index_that_cannot_be_built_again_begins_later() {
    let disk = Arc::default();
    let index = open(&disk).index;
    index.add(&rows(1, 500)).unwrap();
    index.begin_at(Sequence(301), row(300).time_ms).unwrap();
    assert_eq!(index.find(row(400).id, row(400).time_ms).unwrap(), None);
    index.add(&rows(301, 600)).unwrap();
    for index in [index, open(&disk).index] {
        assert_eq!(index.forgotten_ms(), row(300).time_ms);
        assert_eq!(index.covered(), Sequence(600));
        assert_eq!(index.place(Sequence(300)).unwrap(), None);
        assert_eq!(index.place(Sequence(301)).unwrap(), Some(row(301).place));
    }
}

#[test]
fn an_id_can_be_looked_up_while_it_moves() {
    let disk: Arc<Machine> = Arc::default();
    let index = open(&disk).index;
    std::thread::scope(|scope| {
        let reader = || {
            let mut random = Random::from_env("reader");
            loop {
                let covered = index.covered();
                if covered >= Sequence(20_000) {
                    return;
                }
                let row = row(1 + random.next() % (covered.0 + 1));
                let found = index.find(row.id, row.time_ms).unwrap();
                assert!(found == Some(row.sequence) || row.sequence > covered);
            }
        };
        scope.spawn(reader);
        scope.spawn(reader);
        for batch in 0..200 {
            let version = index.version();
            index.add(&rows(batch * 100 + 1, batch * 100 + 100)).unwrap();
            assert_ne!(index.version(), version);
            index.merge().unwrap();
        }
    });
}

#[test]
fn an_index_without_a_place_keeps_nothing() {
    let index = Index::none();
    index.add(&rows(1, 3)).unwrap();
    index.forget(Sequence(2), NOW).unwrap();
    assert!(!index.merge().unwrap());
    assert_eq!((index.covered(), index.forgotten_ms()), (Sequence(0), 0));
    assert_eq!(index.find(row(1).id, row(1).time_ms).unwrap(), None);
}
