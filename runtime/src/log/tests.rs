//! What every storage promises, and the faults of the one in memory.

use std::thread;

use super::follow::Follower;
use super::memory::Fault;
use super::samples::{append_to, are_rounds_to, open, open_from, round, round_of, start_after};
use super::segments::Limits;
use super::*;
use crate::disk::Files;
use crate::record::samples::{HISTORY, entry, header, outcome};
use crate::record::{Record, RecordRef, RoundHeader, encode};

/// Runs a test of the promises on each storage, empty.
fn each_storage(test: impl Fn(&dyn Storage)) {
    test(&Memory::new(HISTORY));
    let dir = tempfile::tempdir().unwrap();
    let segments = Segments::new(Arc::new(Files), dir.path().join("log"), Limits::default());
    segments.create(HISTORY).unwrap();
    test(&segments);
}

#[test]
fn i1_what_was_appended_is_there_when_opened_again() {
    each_storage(|storage| {
        let (opened, rounds) = open(storage).unwrap();
        assert_eq!((opened.history, opened.tail, rounds.len()), (HISTORY, Tail::START, 0));
        let mut log = opened.log;
        append_to(&mut *log, 3).unwrap();
        let tail = log.tail();
        log.close().unwrap();

        let (mut opened, rounds) = open(storage).unwrap();
        assert_eq!((opened.history, opened.tail), (HISTORY, tail));
        assert!(are_rounds_to(&rounds, 3));
        append_to(&mut *opened.log, 4).unwrap();
        drop(opened);
        assert!(are_rounds_to(&open(storage).unwrap().1, 4));
    });
}

#[test]
fn a_reader_finds_what_was_appended_and_nothing_else() {
    each_storage(|storage| {
        let mut log = open(storage).unwrap().0.log;
        let reader = log.reader();
        let first = round(log.tail());
        log.append(Sequence(1), &first).unwrap();
        assert_eq!(reader.round(1).unwrap(), first.bytes);
        assert!(matches!(reader.round(0), Err(Error::Missing { .. })));
        assert!(matches!(reader.round(2), Err(Error::Missing { .. })));
    });
}

#[test]
fn a_reader_does_not_keep_a_dropped_log_open() {
    each_storage(|storage| {
        let mut log = open(storage).unwrap().0.log;
        append_to(&mut *log, 1).unwrap();
        let reader = log.reader();
        drop(log);
        let (opened, _) = open(storage).unwrap();
        assert!(matches!(reader.round(1), Ok(_) | Err(Error::Closed)));
        assert!(opened.log.reader().round(1).is_ok());
    });
}

#[test]
fn a_log_is_read_on_from_a_start_and_trimmed_below_it() {
    each_storage(|storage| {
        let mut log = open(storage).unwrap().0.log;
        for last in [2, 4, 5] {
            append_to(&mut *log, last).unwrap();
            log.seal().unwrap();
        }
        append_to(&mut *log, 6).unwrap();
        let infos = log.upkeep().segments();
        let seen = infos.iter().map(|info| (info.first_round, info.first_sequence.0));
        assert!(seen.eq([(1, 1), (3, 3), (5, 5), (6, 6)]));
        let sealed = infos.iter().map(|info| info.is_sealed);
        assert!(sealed.eq([true, true, true, false]));

        log.upkeep().erase(3, &|head| head.sequence == Sequence(3)).unwrap();
        assert!(matches!(log.upkeep().erase(6, &|_| true), Err(Error::NotSealed { .. })));
        let mut erased = Vec::new();
        let checked = log.upkeep().check(3, &mut |round| {
            erased.extend(round.records.iter().map(|record| match record {
                Record::Entry(entry) => entry.erased,
                Record::Outcome(outcome) => outcome.erased,
                Record::Attempt(_) => false,
            }));
            Ok(())
        });
        checked.unwrap();
        assert_eq!(erased, [true, true, false, false]);
        assert!(log.upkeep().trim(2).unwrap().is_empty());
        assert_eq!(log.upkeep().trim(4).unwrap().len(), 1);
        assert_eq!(log.upkeep().trim(5).unwrap().len(), 1);
        assert!(matches!(log.reader().round(4), Err(Error::Missing { .. })));
        assert!(log.reader().round(5).is_ok());
        log.upkeep().erase(1, &|_| true).unwrap();
        drop(log);

        assert!(matches!(open(storage), Err(Error::Damaged { .. })));
        assert!(matches!(open_from(storage, Some(&start_after(3))), Err(Error::Damaged { .. })));
        assert!(matches!(open_from(storage, Some(&start_after(7))), Err(Error::Damaged { .. })));
        for from in [4, 5, 6] {
            let (opened, rounds) = open_from(storage, Some(&start_after(from))).unwrap();
            assert_eq!((opened.starts_with, opened.tail), (5, start_after(6).tail));
            assert_eq!(rounds.len() as u64, 6 - from);
        }
        let other = Tail { chain: Hash::of(b""), ..start_after(5).tail };
        let other = Start { tail: other, ..start_after(5) };
        assert!(matches!(open_from(storage, Some(&other)), Err(Error::Damaged { .. })));
    });
}

#[test]
fn a_log_in_memory_is_open_once() {
    let memory = Memory::new(HISTORY);
    let opened = open(&memory).unwrap();
    assert!(matches!(open(&memory), Err(Error::InUse { .. })));
    drop(opened);
    assert!(open(&memory).is_ok());
}

#[test]
fn i4_a_round_that_does_not_follow_is_not_appended() {
    let strange = |header: RoundHeader| encode(&header, []);
    let headers = [
        RoundHeader { number: 2, ..header() },
        RoundHeader { chain_before: Hash::of(b""), ..header() },
        RoundHeader { history: History(uuid::Uuid::nil()), ..header() },
    ];
    each_storage(|storage| {
        for header in headers {
            let mut log = open(storage).unwrap().0.log;
            let refused = log.append(Sequence(1), &strange(header));
            assert!(matches!(refused, Err(Error::NotNext { .. })), "{refused:?}");
            // Whoever sent it has lost count: nothing more is taken from them.
            let refused = append_to(&mut *log, 1);
            assert!(matches!(refused, Err(Error::Closed)), "{refused:?}");
        }
        assert!(open(storage).unwrap().1.is_empty());
    });
}

#[test]
fn whoever_opens_may_refuse_a_round() {
    each_storage(|storage| {
        append_to(&mut *open(storage).unwrap().0.log, 2).unwrap();
        let refused = storage.open(None, &mut |round, _| match round.header.number {
            1 => Ok(()),
            _ => Err(Damage { offset: 0, record: Some(1), what: "not to my taste".into() }),
        });
        let message = refused.map(drop).unwrap_err().to_string();
        assert!(message.contains("round 2: record 1: not to my taste; "), "{message}");
        assert!(open(storage).is_ok());
    });
}

#[test]
fn i1_a_failed_append_leaves_the_round_there_or_not_and_the_log_refuses() {
    for (fault, n_rounds) in [(Fault::BeforeDurable, 1), (Fault::AfterDurable, 2)] {
        let memory = Memory::new(HISTORY);
        memory.fail_append(2, fault);
        let mut log = open(&memory).unwrap().0.log;
        let failed = append_to(&mut *log, 3);
        assert!(matches!(failed, Err(Error::Failed { .. })), "{failed:?}");
        let refused = append_to(&mut *log, 3);
        assert!(matches!(refused, Err(Error::Closed)), "{refused:?}");
        assert_eq!((memory.appends(), memory.rounds().len()), (2, n_rounds));
        drop(log);

        let (mut opened, rounds) = open(&memory).unwrap();
        assert!(are_rounds_to(&rounds, n_rounds as u64));
        append_to(&mut *opened.log, 3).unwrap();
    }
}

#[test]
fn held_appends_wait_until_they_are_let_go() {
    let memory = Memory::new(HISTORY);
    let hold = memory.hold_appends();
    let mut log = open(&memory).unwrap().0.log;
    thread::scope(|scope| {
        let appending = scope.spawn(|| append_to(&mut *log, 1));
        hold.wait_for_append();
        assert!(memory.rounds().is_empty());
        drop(hold);
        appending.join().unwrap().unwrap();
    });
    assert_eq!(memory.rounds().len(), 1);
}

#[test]
fn i11_an_altered_round_is_refused() {
    let memory = Memory::new(HISTORY);
    append_to(&mut *open(&memory).unwrap().0.log, 2).unwrap();
    memory.alter(1, |bytes| bytes[200] ^= 1);
    let message = open(&memory).map(drop).unwrap_err().to_string();
    insta::assert_snapshot!(message, @"memory, round 1: record 0, byte 92: frame and head do not match their checksum; it cannot be repaired");
}

/// What is wrong with these records in the second round, after entries 1 and 2 and
/// outcome 1 in the first.
fn refusal(records: &[Record]) -> String {
    let first = [Record::Entry(entry(1)), Record::Entry(entry(2)), Record::Outcome(outcome(1))];
    let mut follower = Follower::new(&Start::of(HISTORY));
    follower.accept(&round_of(Tail::START, &first).bytes).unwrap();
    follower.accept(&round_of(follower.tail(), records).bytes).unwrap_err().to_string()
}

#[test]
fn i4_sequences_have_no_gaps_and_outcomes_are_a_prefix() {
    insta::assert_snapshot!(refusal(&[Record::Entry(entry(4))]), @"record 0: entry 4 comes after entry 2");
    insta::assert_snapshot!(refusal(&[Record::Entry(entry(2))]), @"record 0: entry 2 comes after entry 2");
    insta::assert_snapshot!(refusal(&[Record::Outcome(outcome(1))]), @"record 0: outcome 1 comes after outcome 1");
    let unknown = [Record::Outcome(outcome(2)), Record::Outcome(outcome(3))];
    insta::assert_snapshot!(refusal(&unknown), @"there is an outcome 3 but no entry for it");
}

#[test]
fn the_time_of_entries_never_falls() {
    let earlier = crate::record::Entry { time_ms: entry(2).time_ms - 1, ..entry(3) };
    insta::assert_snapshot!(refusal(&[Record::Entry(earlier)]), @"record 0: its time of 1700000100001 ms is below the 1700000100002 before it");
}

#[test]
fn i3_the_floor_never_falls() {
    let mut follower = Follower::new(&Start::of(HISTORY));
    follower.accept(&encode(&header(), []).bytes).unwrap();
    let tail = follower.tail();
    let header = RoundHeader {
        number: 2,
        chain_before: tail.chain,
        floor_ms: header().floor_ms - 1,
        ..header()
    };
    let none: [RecordRef<'_>; 0] = [];
    let refused = follower.accept(&encode(&header, none).bytes).unwrap_err();
    insta::assert_snapshot!(refused, @"its floor of 1699999999999 ms is below the 1700000000000 before it");
}
