//! Opening from a boundary between rounds.

use std::collections::BTreeSet;
use std::io;
use std::sync::Mutex;

use super::*;
use crate::disk::{File, How, Lock, Space};
use crate::log::samples::start_after;
use crate::record::samples::pair;
use crate::value::Hash;

fn numbers(rounds: &[Round]) -> Vec<u64> {
    rounds.iter().map(|round| round.header.number).collect()
}

/// The machine's disk, and which segments were opened on it.
#[derive(Debug, Default)]
struct Watched(Mutex<BTreeSet<PathBuf>>);

impl Disk for Watched {
    fn open(&self, path: &Path, how: How) -> io::Result<Arc<dyn File>> {
        if path.extension().is_some() {
            self.0.lock().unwrap().insert(path.into());
        }
        Files.open(path, how)
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        Files.list(directory)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        Files.exists(path)
    }

    fn create_directory(&self, directory: &Path) -> io::Result<()> {
        Files.create_directory(directory)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        Files.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        Files.remove(path)
    }

    fn remove_directory(&self, directory: &Path) -> io::Result<()> {
        Files.remove_directory(directory)
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        Files.sync_directory(directory)
    }

    fn space(&self, directory: &Path) -> io::Result<Space> {
        Files.space(directory)
    }

    fn lock(&self, path: &Path) -> io::Result<Lock> {
        Files.lock(path)
    }
}

#[test]
fn only_what_is_after_a_start_is_read() {
    let fixture = Fixture::with_segments(30);
    for from in [0, 1, 2, 15, 28, 29, 30] {
        let disk = Arc::new(Watched::default());
        let watched: Arc<dyn Disk> = disk.clone();
        let segments = Segments::new(watched, fixture.path(""), fixture.segments.limits);
        let (opened, rounds) = open_from(&segments, Some(&start_after(from))).unwrap();
        assert_eq!(numbers(&rounds), (from + 1..=30).collect::<Vec<_>>());
        assert_eq!((opened.starts_with, opened.tail), (1, start_after(30).tail));
        // The one that holds the round before, if there is none after it.
        let n_opened = disk.0.lock().unwrap().len() as u64;
        assert_eq!(n_opened, (30 - from).max(1), "from {from}");
        // What was not read can be read.
        let first = opened.log.reader().round(1).unwrap();
        assert_eq!(record::decode(&first).unwrap().records, pair(1));
    }
}

#[test]
fn a_start_can_be_within_a_segment() {
    let fixture = Fixture::with_rounds(10);
    for from in [0, 1, 4, 9, 10] {
        let crashed = fixture.after_crash();
        let (mut opened, rounds) = crashed.open_from(&start_after(from)).unwrap();
        assert_eq!(numbers(&rounds), (from + 1..=10).collect::<Vec<_>>());
        append_to(&mut *opened.log, 11).unwrap();
        let unclean = crashed.after_crash();
        let (_, rounds) = unclean.open_from(&start_after(from)).unwrap();
        assert_eq!(numbers(&rounds), (from + 1..=11).collect::<Vec<_>>());
    }
}

#[test]
fn a_start_can_be_before_a_segment_without_rounds() {
    let fixture = Fixture::with_segments(2);
    let mut log = fixture.open().unwrap().0.log;
    append_to(&mut *log, 3).unwrap();
    drop(log);
    // As a crash leaves it between the creation of a segment and its first round.
    let meta = SegmentFile::open_sealed(&Files, &fixture.segment(3)).unwrap().meta().unwrap();
    let dir = fixture.path("");
    SegmentFile::create(&Files, &dir, &meta, 0).unwrap().close(&Files).unwrap();
    fixture.forget_witness();
    let (mut opened, rounds) = fixture.open_from(&start_after(2)).unwrap();
    assert!(rounds.is_empty());
    append_to(&mut *opened.log, 4).unwrap();
    drop(opened);
    assert!(are_rounds_to(&fixture.open().unwrap().1, 4));
}

/// Two entries and their outcomes, each in a round and a segment of its own: three
/// segments begin with sequence 3.
#[test]
fn a_start_can_be_between_rounds_without_entries() {
    let fixture = Fixture::new(1);
    let mut log = fixture.open().unwrap().0.log;
    let (mut next, mut starts) = (1, vec![Start::of(HISTORY)]);
    for record in [
        Record::Entry(entry(1)),
        Record::Entry(entry(2)),
        Record::Outcome(outcome(1)),
        Record::Outcome(outcome(2)),
    ] {
        let round = round_of(log.tail(), std::slice::from_ref(&record));
        log.append(Sequence(next), &round).unwrap();
        let mut start = *starts.last().unwrap();
        start.tail = log.tail();
        start.floor_ms = record::header(&round.bytes).unwrap().floor_ms;
        match record {
            Record::Entry(entry) => {
                (start.entry, start.time_ms) = (entry.sequence, entry.time_ms);
                next += 1;
            }
            Record::Outcome(outcome) => start.outcome = outcome.sequence,
            Record::Attempt(_) => {}
        }
        starts.push(start);
    }
    log.close().unwrap();
    for (from, start) in (0..).zip(&starts) {
        let (_, rounds) = fixture.open_from(start).unwrap();
        assert_eq!(numbers(&rounds), (from + 1..=4).collect::<Vec<_>>());
    }
}

#[test]
fn i11_a_log_that_does_not_reach_the_start_is_refused() {
    let fixture = Fixture::with_segments(3);
    insta::assert_snapshot!(fixture.refusal_from(&start_after(4)), @"00000000000000000003-00000000000000000003.redb: it ends with round 3, but the checkpoint reaches round 4: it is an older copy, or newer files are missing; put the newest files of this log back, or restore a backup to a new app");
    insta::assert_snapshot!(fixture.refusal_from(&start_after(9)), @"00000000000000000003-00000000000000000003.redb: it ends with round 3, but the checkpoint reaches round 9: it is an older copy, or newer files are missing; put the newest files of this log back, or restore a backup to a new app");
    let fixture = Fixture::with_rounds(3);
    insta::assert_snapshot!(fixture.refusal_from(&start_after(4)), @"00000000000000000001-00000000000000000001.redb: it ends with round 3, but the checkpoint reaches round 4: it is an older copy, or newer files are missing; put the newest files of this log back, or restore a backup to a new app");
    let fixture = Fixture::new(1);
    insta::assert_snapshot!(fixture.refusal_from(&start_after(1)), @"00000000000000000001-00000000000000000001.redb: it ends with round 0, but the checkpoint reaches round 1: it is an older copy, or newer files are missing; put the newest files of this log back, or restore a backup to a new app");

    // An older copy of the whole directory, witness and all.
    let older = Fixture::with_segments(3);
    let older = older.after_crash();
    assert!(older.open().is_ok());
    assert!(older.open_from(&start_after(3)).is_ok());
    assert!(older.open_from(&start_after(4)).is_err());
}

#[test]
fn i11_a_start_of_another_log_is_refused() {
    let other = |number| {
        let start = start_after(number);
        Start { tail: Tail { chain: Hash::of(b"another"), ..start.tail }, ..start }
    };
    let in_segments = Fixture::with_segments(3);
    let in_one = Fixture::with_rounds(3);
    insta::assert_snapshot!(in_segments.refusal_from(&other(2)), @"00000000000000000003-00000000000000000003.redb, round 2: the checkpoint was made after another round of this number: the checkpoint and the log do not belong together; put the files of one log, under their own names, in this directory");
    insta::assert_snapshot!(in_segments.refusal_from(&other(3)), @"00000000000000000003-00000000000000000003.redb, round 3: the checkpoint was made after another round of this number: the checkpoint and the log do not belong together; put the files of one log, under their own names, in this directory");
    insta::assert_snapshot!(in_one.refusal_from(&other(2)), @"00000000000000000001-00000000000000000001.redb, round 2: the checkpoint was made after another round of this number: the checkpoint and the log do not belong together; put the files of one log, under their own names, in this directory");
    insta::assert_snapshot!(in_one.refusal_from(&other(3)), @"00000000000000000001-00000000000000000001.redb, round 3: the checkpoint was made after another round of this number: the checkpoint and the log do not belong together; put the files of one log, under their own names, in this directory");
    let history = History(Uuid::from_u128(1));
    let other = |number| Start { history, ..start_after(number) };
    insta::assert_snapshot!(in_segments.refusal_from(&other(2)), @"00000000000000000003-00000000000000000003.redb: it is of history 00000000-0000-0000-0000-000000c0ffee, what is before it of 00000000-0000-0000-0000-000000000001; put the files of one log, under their own names, in this directory");
    insta::assert_snapshot!(in_one.refusal_from(&other(2)), @"00000000000000000001-00000000000000000001.redb, round 2: the checkpoint was made after another round of this number: the checkpoint and the log do not belong together; put the files of one log, under their own names, in this directory");
    let other = Start { entry: Sequence(1), ..start_after(2) };
    insta::assert_snapshot!(in_segments.refusal_from(&other), @"00000000000000000003-00000000000000000003.redb, round 2: the checkpoint was made after another round of this number: the checkpoint and the log do not belong together; put the files of one log, under their own names, in this directory");
    insta::assert_snapshot!(in_one.refusal_from(&other), @"00000000000000000001-00000000000000000001.redb, round 3: record 0: entry 3 comes after entry 1; restore this file from a backup");
}
