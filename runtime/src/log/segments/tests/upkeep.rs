//! Sealing, trimming, erasing and checking.

use super::*;
use crate::log::samples::start_after;
use crate::record::samples::pair;
use crate::record::{Damage, RecordHead, RecordKind};

fn first_rounds(log: &dyn Log) -> Vec<u64> {
    log.upkeep().segments().iter().map(|segment| segment.first_round).collect()
}

fn all_of(_: &RecordHead) -> bool {
    true
}

#[test]
fn a_sealed_log_goes_on_in_another_segment() {
    let fixture = Fixture::new(1 << 20);
    let mut log = fixture.open().unwrap().0.log;
    // There is nothing to seal.
    log.seal().unwrap();
    append_to(&mut *log, 2).unwrap();
    log.seal().unwrap();
    log.seal().unwrap();
    assert_eq!(fixture.files().len(), 1);
    assert!(log.reader().round(2).is_ok());
    let infos = log.upkeep().segments();
    assert!(infos[0].is_sealed);
    append_to(&mut *log, 3).unwrap();
    let infos = log.upkeep().segments();
    let seen = infos.iter().map(|info| (info.first_round, info.first_sequence.0, info.is_sealed));
    assert!(seen.eq([(1, 1, true), (3, 3, false)]));
    for info in &infos {
        assert_eq!(fs::metadata(&info.path).unwrap().len(), info.bytes);
    }
    log.seal().unwrap();
    drop(log);
    // Also when it was opened sealed.
    let (mut opened, rounds) = fixture.open().unwrap();
    assert!(are_rounds_to(&rounds, 3));
    opened.log.seal().unwrap();
    append_to(&mut *opened.log, 4).unwrap();
    assert_eq!(first_rounds(&*opened.log), [1, 3, 4]);
}

#[test]
fn trimming_removes_the_oldest_segments_and_never_the_newest() {
    let fixture = Fixture::with_segments(6);
    let log = fixture.open().unwrap().0.log;
    let (upkeep, reader) = (log.upkeep(), log.reader());
    assert!(reader.round(1).is_ok());
    assert_eq!(upkeep.trim(1).unwrap(), [] as [PathBuf; 0]);
    assert_eq!(upkeep.trim(3).unwrap(), [fixture.segment(1), fixture.segment(2)]);
    assert_eq!(upkeep.trim(3).unwrap(), [] as [PathBuf; 0]);
    assert_eq!(first_rounds(&*log), [3, 4, 5, 6]);
    for gone in [1, 2] {
        assert!(matches!(reader.round(gone), Err(Error::Missing { .. })));
    }
    assert!(reader.round(3).is_ok());
    drop(log);
    assert!(matches!(upkeep.trim(4), Err(Error::Closed)));
    assert_eq!(fixture.files().len(), 4);

    insta::assert_snapshot!(fixture.refusal(), @"00000000000000000003-00000000000000000003.redb: the log begins with round 3; its earlier rounds were trimmed, and no checkpoint that reaches it can be read; restore a checkpoint or the missing files from a backup");
    insta::assert_snapshot!(fixture.refusal_from(&start_after(1)), @"00000000000000000003-00000000000000000003.redb: the log begins with round 3, but the checkpoint reaches only round 1; restore a newer checkpoint or the missing files from a backup");
    for from in 2..=6 {
        let (opened, rounds) = fixture.open_from(&start_after(from)).unwrap();
        assert_eq!((opened.starts_with, rounds.len() as u64), (3, 6 - from));
    }
    let mut opened = fixture.open_from(&start_after(6)).unwrap().0;
    opened.log.seal().unwrap();
    assert_eq!(opened.log.upkeep().trim(u64::MAX).unwrap().len(), 3);
    append_to(&mut *opened.log, 7).unwrap();
    assert_eq!(first_rounds(&*opened.log), [6, 7]);
}

#[test]
fn a_crash_while_trimming_leaves_a_log_that_opens() {
    for n_removed in 1..=4 {
        let fixture = Fixture::with_segments(6);
        for first in 1..=n_removed {
            fs::remove_file(fixture.segment(first)).unwrap();
        }
        let (opened, _) = fixture.open_from(&start_after(4)).unwrap();
        assert_eq!(opened.starts_with, n_removed + 1);
        assert_eq!(opened.log.upkeep().trim(5).unwrap().len() as u64, 4 - n_removed);
        drop(opened);
        assert!(fixture.open_from(&start_after(4)).is_ok());
    }
}

#[test]
fn what_is_erased_is_in_no_file_any_more() {
    let fixture = Fixture::new(1 << 20);
    let mut log = fixture.open().unwrap().0.log;
    append_to(&mut *log, 3).unwrap();
    let (upkeep, reader) = (log.upkeep(), log.reader());
    assert!(matches!(upkeep.erase(2, &all_of), Err(Error::NotSealed { .. })));
    assert!(matches!(upkeep.erase(9, &all_of), Err(Error::Missing { .. })));
    log.seal().unwrap();
    assert!(reader.round(2).is_ok());
    let tail = log.tail();
    let occurrences = || {
        let bytes = fs::read(fixture.segment(1)).unwrap();
        bytes.windows(6).filter(|window| window == b"teller").count()
    };
    let before = occurrences();
    assert!(before >= 3);
    let entry_2 =
        |head: &RecordHead| head.kind == RecordKind::Entry && head.sequence == Sequence(2);
    upkeep.erase(2, &entry_2).unwrap();
    // A new file has each round once.
    assert_eq!(occurrences(), 2);
    let round = record::decode(&reader.round(2).unwrap()).unwrap();
    assert!(matches!(&round.records[0], Record::Entry(entry) if entry.erased));
    assert_eq!(round.records[1], pair(2)[1]);
    upkeep.check(1, &mut |_| Ok(())).unwrap();

    // Again changes nothing; more can follow, and so can rounds.
    let modified = || fs::metadata(fixture.segment(1)).unwrap().modified().unwrap();
    let last = modified();
    upkeep.erase(2, &entry_2).unwrap();
    assert_eq!(modified(), last);
    for round in 1..=3 {
        upkeep.erase(round, &all_of).unwrap();
    }
    assert_eq!(occurrences(), 0);
    append_to(&mut *log, 4).unwrap();
    log.close().unwrap();
    assert!(matches!(upkeep.erase(1, &all_of), Err(Error::Closed)));
    assert_eq!(fixture.files().len(), 2);

    let (opened, rounds) = fixture.open().unwrap();
    assert_eq!((rounds.len(), rounds[2].chain), (4, tail.chain));
    drop(opened);
    let (opened, _) = fixture.open_from(&start_after(2)).unwrap();
    opened.log.upkeep().trim(4).unwrap();
    opened.log.upkeep().erase(2, &all_of).unwrap();
}

#[test]
fn rounds_are_read_while_bodies_are_erased() {
    let fixture = Fixture::with_segments(3);
    let log = fixture.open().unwrap().0.log;
    let (upkeep, reader) = (log.upkeep(), log.reader());
    thread::scope(|scope| {
        let reading = scope.spawn(move || {
            let mut seen = Vec::new();
            while seen.last() != Some(&true) {
                let round = record::decode(&reader.round(1).unwrap()).unwrap();
                let erased = round.records.iter().all(|record| match record {
                    Record::Entry(entry) => entry.erased,
                    Record::Outcome(outcome) => outcome.erased,
                    Record::Attempt(_) => false,
                });
                seen.push(erased);
            }
        });
        upkeep.erase(1, &all_of).unwrap();
        reading.join().unwrap();
    });
}

#[test]
fn a_crash_while_erasing_leaves_the_segment_or_the_new_one() {
    let fixture = Fixture::with_segments(3);
    fs::write(fixture.path("00000000000000000001-00000000000000000001.new"), [1; 999]).unwrap();
    assert!(are_rounds_to(&fixture.open().unwrap().1, 3));
    assert_eq!(fixture.files().len(), 3);
}

#[test]
fn checking_hands_over_the_rounds_of_a_sealed_segment() {
    let fixture = Fixture::new(2_000);
    let mut log = fixture.open().unwrap().0.log;
    append_to(&mut *log, 9).unwrap();
    let upkeep = log.upkeep();
    assert_eq!(first_rounds(&*log), [1, 5, 9]);
    let mut rounds = Vec::new();
    for first in [1, 5] {
        upkeep
            .check(first, &mut |round| {
                rounds.push(round);
                Ok(())
            })
            .unwrap();
    }
    assert!(are_rounds_to(&rounds, 8));
    let refused = |first| upkeep.check(first, &mut |_| Ok(())).unwrap_err();
    assert!(matches!(refused(9), Error::NotSealed { .. }));
    assert!(matches!(refused(2), Error::Missing { .. }));
    let refused =
        upkeep.check(5, &mut |_| Err(Damage { offset: 0, record: None, what: "no".into() }));
    insta::assert_snapshot!(fixture.without_directory(&refused.unwrap_err()), @"00000000000000000005-00000000000000000005.redb, round 5: no; restore this file from a backup");

    // A segment that was exchanged for another while the server runs.
    let other = Fixture::with_segments(2);
    fs::copy(other.segment(1), fixture.segment(1)).unwrap();
    let refused = upkeep.check(1, &mut |_| Ok(())).unwrap_err();
    insta::assert_snapshot!(fixture.without_directory(&refused), @"00000000000000000005-00000000000000000005.redb: it does not continue 00000000000000000001-00000000000000000001.redb; put the files of one log, under their own names, in this directory");
}

/// Whatever byte of a sealed segment is damaged: checking it says so, or hands over
/// every round as it was written; and so does opening the log.
#[test]
fn i11_no_flipped_bit_of_a_sealed_segment_goes_unnoticed() {
    let fixture = Fixture::new(1 << 20);
    let mut log = fixture.open().unwrap().0.log;
    append_to(&mut *log, 3).unwrap();
    log.seal().unwrap();
    append_to(&mut *log, 4).unwrap();
    let upkeep = log.upkeep();
    let whole = fs::read(fixture.segment(1)).unwrap();
    let used: Vec<usize> = (0..whole.len()).filter(|&index| whole[index] != 0).collect();
    let header = used.iter().filter(|&&index| index < 320);
    let (mut n_refused, mut n_flipped) = (0, 0);
    for &index in header.chain(used.iter().step_by(23)) {
        fs::write(fixture.segment(1), &whole).unwrap();
        flip(&fixture.segment(1), index);
        let mut rounds = Vec::new();
        let checked = upkeep.check(1, &mut |round| {
            rounds.push(round);
            Ok(())
        });
        n_flipped += 1;
        match checked {
            Ok(()) => assert!(are_rounds_to(&rounds, 3), "byte {index}"),
            Err(error) => {
                assert!(error.to_string().contains(".redb"), "{error}");
                n_refused += 1;
            }
        }
    }
    assert!(n_refused > 50, "only {n_refused} of {n_flipped} flips refused");
    drop(log);
    // A sealed segment is opened as it is: damage is not repaired away.
    let page = used[used.len() / 2] / 512 * 512;
    let mut zeroed = whole.clone();
    zeroed[page..page + 512].fill(0);
    fs::write(fixture.segment(1), &zeroed).unwrap();
    if let Ok((_, rounds)) = fixture.open() {
        assert!(are_rounds_to(&rounds, 4));
    }
}
