//! A log that goes on as another history.

use super::*;
use crate::record::{RoundHeader, encode};

const RESTORED: History = History(Uuid::from_u128(0xBACC));

fn histories(rounds: &[Round]) -> Vec<History> {
    rounds.iter().map(|round| round.header.history).collect()
}

#[test]
fn a_restored_log_goes_on_as_another_history() {
    let fixture = Fixture::with_rounds(3);
    let start_before = crate::log::samples::start_after(3);
    fixture.segments.continue_as(RESTORED).unwrap();
    let (mut opened, rounds) = fixture.open().unwrap();
    assert_eq!(opened.history, RESTORED);
    assert_eq!(histories(&rounds), [HISTORY, HISTORY, HISTORY, RESTORED]);
    assert!(rounds[3].records.is_empty());
    assert_eq!(rounds[3].header.floor_ms, rounds[2].header.floor_ms);

    let header = RoundHeader { number: 5, chain_before: opened.tail.chain, ..rounds[3].header };
    let record = Record::Entry(entry(4));
    let round = encode(&header, [(&record).into()]);
    opened.log.append(Sequence(4), &round).unwrap();
    drop(opened);
    let (opened, rounds) = fixture.open_from(&start_before).unwrap();
    assert_eq!((opened.history, rounds.len()), (RESTORED, 2));
    let chain = rounds[0].chain;
    drop(opened);

    // From a boundary after the restore, and only as that history.
    let after = Start { history: RESTORED, tail: Tail { number: 4, chain }, ..start_before };
    assert_eq!(fixture.open_from(&after).unwrap().1.len(), 1);
    assert!(fixture.open_from(&Start { history: HISTORY, ..after }).is_err());
    let foreign = Start { history: History(Uuid::from_u128(1)), ..start_before };
    insta::assert_snapshot!(fixture.refusal_from(&foreign), @"00000000000000000004-00000000000000000004.redb: it was restored from history 00000000-0000-0000-0000-000000c0ffee, what is before it is of 00000000-0000-0000-0000-000000000001; put the files of one log, under their own names, in this directory");
}

#[test]
fn a_log_can_be_restored_again_and_when_empty() {
    let fixture = Fixture::new(1 << 20);
    let again = History(Uuid::from_u128(2));
    for history in [RESTORED, again, HISTORY] {
        fixture.segments.continue_as(history).unwrap();
        assert_eq!(fixture.open().unwrap().0.history, history);
    }
    assert_eq!(histories(&fixture.open().unwrap().1), [RESTORED, again, HISTORY]);
    let nowhere = Fixture::nowhere(1);
    assert!(matches!(nowhere.segments.continue_as(HISTORY), Err(Error::Missing { .. })));
}

#[test]
fn a_sealed_or_unclean_log_can_be_restored() {
    let fixture = Fixture::with_rounds(2);
    fixture.open().unwrap().0.log.seal().unwrap();
    fixture.segments.continue_as(RESTORED).unwrap();
    assert_eq!(fixture.open().unwrap().1.len(), 3);

    let fixture = Fixture::with_rounds(2);
    let opened = fixture.open().unwrap();
    let unclean = fixture.after_crash();
    drop(opened);
    unclean.segments.continue_as(RESTORED).unwrap();
    assert_eq!(unclean.open().unwrap().1.len(), 3);
}

#[test]
fn i11_a_change_of_history_without_a_restore_is_refused() {
    let fixture = Fixture::with_rounds(2);
    fixture.segments.continue_as(RESTORED).unwrap();
    let other = Fixture::with_rounds(2);
    other.segments.continue_as(History(Uuid::from_u128(1))).unwrap();
    // The end of the one after the beginning of the other: the chain fits, and so it is
    // the same log, restored twice.
    fs::copy(other.segment(3), fixture.segment(3)).unwrap();
    fixture.forget_witness();
    assert!(fixture.open().is_ok());
    let meta = SegmentFile::open_sealed(&Files, &fixture.segment(3)).unwrap().meta().unwrap();
    fs::remove_file(fixture.segment(3)).unwrap();
    let meta = Meta { restored_from: None, ..meta };
    let dir = fixture.path("");
    SegmentFile::create(&Files, &dir, &meta, 0).unwrap().close(&Files).unwrap();
    insta::assert_snapshot!(fixture.refusal(), @"00000000000000000003-00000000000000000003.redb: it is of history 00000000-0000-0000-0000-000000000001, what is before it of 00000000-0000-0000-0000-000000c0ffee; put the files of one log, under their own names, in this directory");
}

#[test]
fn i3_a_restore_that_was_cut_off_and_done_again_keeps_the_floor() {
    let fixture = Fixture::with_rounds(3);
    let (opened, rounds) = fixture.open().unwrap();
    let (floor_ms, chain_before) = (rounds[2].header.floor_ms, opened.tail.chain);
    opened.log.close().unwrap();
    assert!(floor_ms > 0);
    // As far as a segment without rounds.
    let newest = directory::segments(&Files, &fixture.segments.dir).unwrap().pop().unwrap();
    let file = SegmentFile::open(&Files, &newest.path, 1 << 20).unwrap();
    file.write_seal(Seal { tail: opened.tail }).unwrap();
    file.close(&Files).unwrap();
    let meta = Meta {
        history: History(Uuid::from_u128(3)),
        first_round: 4,
        first_sequence: Sequence(4),
        chain_before,
        previous: Some(directory::name(&newest.path)),
        restored_from: Some(HISTORY),
    };
    fixture.segments.add(&meta).unwrap();
    fixture.segments.continue_as(RESTORED).unwrap();
    let (opened, rounds) = fixture.open().unwrap();
    assert_eq!((opened.history, rounds.len()), (RESTORED, 4));
    assert_eq!(rounds[3].header.floor_ms, floor_ms);
    assert_eq!(rounds[3].header.time_ms, rounds[2].header.time_ms);
}
