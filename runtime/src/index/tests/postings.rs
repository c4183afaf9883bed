//! Postings against a plain set of rows: added, merged, forgotten, opened again,
//! damaged.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use super::super::postings::{Posting, Postings, Term};
use super::machine::Machine;
use super::{Error, HISTORY};
use crate::disk::Disk;
use crate::state::Order;
use crate::state::model::Random;
use crate::value::{Position, Sequence};

const DIRECTORY: &str = "postings";
const TERMS: u64 = 7;

fn term(n: u64) -> Term {
    Term::of(&format!("term {n}"))
}

fn open(disk: &Arc<Machine>) -> super::super::postings::Opened {
    Postings::open(Arc::clone(disk) as Arc<dyn Disk>, Path::new(DIRECTORY), HISTORY).unwrap()
}

/// The rows of some entries, two of three of which have two events each.
fn rows(first: u64, last: u64) -> Vec<Posting> {
    let mut rows = Vec::new();
    for sequence in (first..=last).filter(|sequence| sequence % 3 != 0) {
        let position = position_of(sequence);
        rows.push(Posting::first_event(Position(position), Sequence(sequence)));
        for position in [position, position + 1] {
            rows.push(Posting::new(term(position * position % TERMS), position));
        }
    }
    rows
}

/// The first event of an entry that has some.
fn position_of(sequence: u64) -> u64 {
    2 * (sequence - sequence / 3) - 1
}

/// Every answer is right, as far as there is one.
fn check(postings: &Postings, known: u64, random: &mut Random) -> Result<(), Error> {
    let last_event = 2 * (known - known / 3);
    let wanted = 1 + random.next() % (last_event + 3);
    let has = random.next() % TERMS;
    let has_it = |position: &u64| position * position % TERMS == has;
    let at_most = 1 + random.below(300);
    let found = postings.numbers(term(has), wanted, Order::Ascending, at_most)?;
    let all = (wanted..=last_event).filter(has_it).take(at_most);
    assert_eq!(found, all.collect::<Vec<_>>());
    let found = postings.numbers(term(has), wanted, Order::Descending, at_most)?;
    let all = (1..=wanted.min(last_event)).rev().filter(has_it).take(at_most);
    assert_eq!(found, all.collect::<Vec<_>>());
    let entry = postings.entry_of(Position(wanted.min(last_event)))?;
    let expected = (1..=known).rev().filter(|sequence| sequence % 3 != 0);
    let expected = expected.map(|n| (position_of(n), n)).find(|(first, _)| *first <= wanted);
    assert_eq!(entry, expected.map(|(_, sequence)| Sequence(sequence)));
    assert_eq!(postings.first_event()?, (last_event > 0).then_some(Position(1)));
    Ok(())
}

#[test]
fn postings_answer_as_a_set_would() {
    let mut random = Random::from_env("postings");
    for _ in 0..4 {
        let disk: Arc<Machine> = Arc::default();
        let (mut postings, mut known) = (open(&disk).postings, 0);
        for _ in 0..16 {
            match random.below(4) {
                0 | 1 => {
                    let last = known + 1 + random.next() % 600;
                    postings
                        .add(Sequence(known + 1), Sequence(last), rows(known + 1, last))
                        .unwrap();
                    known = last;
                }
                2 => while postings.merge().unwrap() {},
                _ => {
                    let opened = open(&disk);
                    assert_eq!(opened.set_aside, []);
                    postings = opened.postings;
                }
            }
            assert_eq!(postings.covered().1, Sequence(known));
            for _ in 0..5 {
                check(&postings, known, &mut random).unwrap();
            }
        }
        assert!(postings.check(&mut |_| ControlFlow::Continue(())).is_empty());
        if known > 0 {
            let gap = postings.add(Sequence(known + 2), Sequence(known + 2), Vec::new());
            assert!(matches!(gap, Err(Error::NotNext { .. })));
        }
    }
}

#[test]
fn i11_a_flipped_bit_in_postings_is_refused_and_never_a_miss() {
    let mut random = Random::from_env("flipped postings");
    let whole: Arc<Machine> = Arc::default();
    open(&whole).postings.add(Sequence(1), Sequence(2_000), rows(1, 2_000)).unwrap();
    let path = whole.names().remove(0);
    for _ in 0..20 {
        let disk = whole.copy();
        let running = open(&disk).postings;
        disk.alter(&path, |bytes| {
            let bit = random.below(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
        });
        for _ in 0..8 {
            if let Err(error) = check(&running, 2_000, &mut random) {
                assert!(matches!(error, Error::Damaged { .. }), "{error}");
            }
        }
        assert_eq!(running.check(&mut |_| ControlFlow::Continue(())).len(), 1);
        let opened = open(&disk);
        let found = opened.postings.check(&mut |_| ControlFlow::Continue(()));
        assert!(opened.set_aside.len() + found.len() == 1);
        // Written anew from what the log says, it answers again.
        running.replace(&path, rows(1, 2_000)).unwrap();
        check(&running, 2_000, &mut random).unwrap();
    }
}

#[test]
fn postings_of_what_is_gone_are_dropped_and_the_rest_stays() {
    let disk: Arc<Machine> = Arc::default();
    let postings = open(&disk).postings;
    for (first, last) in [(1, 2_000), (2_001, 2_200), (2_201, 2_220)] {
        postings.add(Sequence(first), Sequence(last), rows(first, last)).unwrap();
    }
    postings.forget(Sequence(2_100)).unwrap();
    for postings in [&postings, &open(&disk).postings] {
        assert_eq!(postings.covered(), (Sequence(2_001), Sequence(2_220)));
        let entry = postings.entry_of(Position(position_of(2_102))).unwrap();
        assert_eq!(entry, Some(Sequence(2_102)));
    }
    postings.forget(Sequence(20_000)).unwrap();
    assert_eq!(postings.covered(), (Sequence(2_201), Sequence(2_220)), "where it ends is told");
    let other = crate::value::History(uuid::Uuid::from_u128(9));
    let opened = Postings::open(disk, Path::new(DIRECTORY), other).unwrap();
    assert_eq!(opened.set_aside.len(), 1);
}
