//! What was acknowledged and is not there, as far as the witness knows.

use super::*;
use crate::log::segments::witness;

#[test]
fn i11_an_older_copy_of_the_newest_segment_is_refused() {
    let fixture = Fixture::with_rounds(2);
    let older = fs::read(fixture.segment(1)).unwrap();
    append_to(&mut *fixture.open().unwrap().0.log, 3).unwrap();
    let newer = fs::read(fixture.segment(1)).unwrap();
    fs::write(fixture.segment(1), &older).unwrap();
    insta::assert_snapshot!(fixture.refusal(), @"00000000000000000001-00000000000000000001.redb: the log ends with its round 2, but round 3 was acknowledged, according to the file `witness`: this is an older copy, or newer files are missing; put the newest files of this log back, or restore a backup to a new app");
    // Refusing has changed nothing.
    fs::write(fixture.segment(1), newer).unwrap();
    assert!(are_rounds_to(&fixture.open().unwrap().1, 3));
}

#[test]
fn i11_a_missing_newest_segment_is_refused() {
    let fixture = Fixture::with_segments(3);
    fs::remove_file(fixture.segment(3)).unwrap();
    insta::assert_snapshot!(fixture.refusal(), @"00000000000000000002-00000000000000000002.redb: the log ends with its round 2, but round 3 was acknowledged, according to the file `witness`: this is an older copy, or newer files are missing; put the newest files of this log back, or restore a backup to a new app");
}

#[test]
fn i11_a_log_that_went_another_way_is_refused() {
    let fixture = Fixture::with_rounds(2);
    let older = fixture.after_crash();
    append_to(&mut *fixture.open().unwrap().0.log, 3).unwrap();
    let mut log = older.open().unwrap().0.log;
    for sequence in 3..=4 {
        let round = round_of(log.tail(), &[Record::Entry(entry(sequence))]);
        log.append(Sequence(sequence), &round).unwrap();
    }
    log.close().unwrap();
    fs::copy(older.segment(1), fixture.segment(1)).unwrap();
    insta::assert_snapshot!(fixture.refusal(), @"00000000000000000001-00000000000000000001.redb, round 3: another round of this number was acknowledged, according to the file `witness`: this is a copy that went another way, or of another log; put the newest files of this log back, or restore a backup to a new app");
}

#[test]
fn a_witness_that_is_damaged_or_gone_is_made_anew() {
    let fixture = Fixture::with_rounds(2);
    let path = fixture.path("witness");
    let whole = fs::read(&path).unwrap();
    assert_eq!(whole.len(), 1024);
    let contents = [vec![], vec![0; 1024], vec![7; 2000], whole[..20].to_vec()];
    for content in contents {
        fs::write(&path, &content).unwrap();
        assert!(are_rounds_to(&fixture.open().unwrap().1, 2));
        let anew = witness::read(&Files, &fixture.path("")).unwrap().unwrap();
        assert_eq!((anew.number, fs::read(&path).unwrap().len()), (2, 1024));
    }
    fixture.forget_witness();
    assert!(are_rounds_to(&fixture.open().unwrap().1, 2));
    assert!(path.exists());
}

#[test]
fn each_slot_of_a_witness_stands_alone() {
    let fixture = Fixture::with_rounds(3);
    let (path, dir) = (fixture.path("witness"), fixture.path(""));
    let whole = fs::read(&path).unwrap();
    let said = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        witness::read(&Files, &dir).unwrap().map(|tail| tail.number)
    };
    assert_eq!(said(&whole), Some(3));
    for index in 0..52 {
        let mut damaged = whole.clone();
        damaged[512 + index] ^= 1;
        assert_eq!(said(&damaged), Some(2), "byte {index} of the slot of odd rounds");
        damaged[index] ^= 1;
        assert_eq!(said(&damaged), None, "byte {index} of both slots");
    }
}

#[test]
fn a_witness_that_stayed_behind_says_nothing() {
    let fixture = Fixture::with_rounds(2);
    let behind = fs::read(fixture.path("witness")).unwrap();
    append_to(&mut *fixture.open().unwrap().0.log, 5).unwrap();
    fs::write(fixture.path("witness"), behind).unwrap();
    assert!(are_rounds_to(&fixture.open().unwrap().1, 5));
    let said = witness::read(&Files, &fixture.path("")).unwrap().unwrap();
    assert_eq!(said.number, 5);
}
