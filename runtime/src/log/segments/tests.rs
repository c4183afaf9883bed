//! The log on disk: crashes, files that were moved about, and damage.

mod golden;
mod restore;
mod starts;
mod upkeep;
mod witness;

use std::fs;
use std::path::Path;
use std::thread;

use tempfile::TempDir;
use uuid::Uuid;

use super::*;
use crate::disk::Files;
use crate::log::samples::{append_to, are_rounds_to, open, open_from, round_of};
use crate::record::samples::{HISTORY, entry, outcome};
use crate::record::{Record, Round};

/// A log in a directory of its own.
struct Fixture {
    dir: TempDir,
    segments: Segments,
}

impl Fixture {
    /// An empty log that begins a new segment once one has this many bytes.
    fn new(segment_bytes: u64) -> Self {
        let fixture = Self::nowhere(segment_bytes);
        fixture.segments.create(HISTORY).unwrap();
        fixture
    }

    /// A log with this many rounds, each in a segment of its own, closed cleanly.
    fn with_segments(n_rounds: u64) -> Self {
        let fixture = Self::new(1);
        let mut log = fixture.open().unwrap().0.log;
        append_to(&mut *log, n_rounds).unwrap();
        log.close().unwrap();
        fixture
    }

    /// What the disk would hold if the machine stopped now, but for what was not
    /// synced: a copy of every file while the log is open.
    fn after_crash(&self) -> Self {
        let copy = Self::nowhere(self.segments.limits.segment_bytes);
        fs::create_dir(copy.path("")).unwrap();
        for file in fs::read_dir(self.path("")).unwrap() {
            let name = file.unwrap().file_name();
            fs::copy(self.path("").join(&name), copy.path("").join(&name)).unwrap();
        }
        copy
    }

    fn nowhere(segment_bytes: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let limits = Limits { segment_bytes, ..Limits::default() };
        let segments = Segments::new(Arc::new(Files), dir.path().join("data/log"), limits);
        fs::create_dir(dir.path().join("data")).unwrap();
        Self { dir, segments }
    }

    fn open(&self) -> Result<(Opened, Vec<Round>), Error> {
        open(&self.segments)
    }

    /// What opening says, with the directory left out.
    fn refusal(&self) -> String {
        self.without_directory(&self.open().map(drop).unwrap_err())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.segments.dir.join(name)
    }

    /// The segment that begins with this round, which is that of this sequence too.
    fn segment(&self, first: u64) -> PathBuf {
        self.path(&directory::file_name(Sequence(first), first))
    }

    /// A log with this many rounds in one segment, closed cleanly.
    fn with_rounds(n_rounds: u64) -> Self {
        let fixture = Self::new(1 << 30);
        let mut log = fixture.open().unwrap().0.log;
        append_to(&mut *log, n_rounds).unwrap();
        log.close().unwrap();
        fixture
    }

    fn open_from(&self, start: &Start) -> Result<(Opened, Vec<Round>), Error> {
        open_from(&self.segments, Some(start))
    }

    /// What opening from there says, with the directory left out.
    fn refusal_from(&self, start: &Start) -> String {
        self.without_directory(&self.open_from(start).map(drop).unwrap_err())
    }

    fn without_directory(&self, error: &Error) -> String {
        error.to_string().replace(&format!("{}/", self.segments.dir.display()), "")
    }

    fn forget_witness(&self) {
        fs::remove_file(self.path("witness")).unwrap();
    }

    fn files(&self) -> Vec<String> {
        let files = fs::read_dir(self.path("")).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| name != "witness").collect();
        names.sort();
        names
    }
}

fn flip(path: &Path, index: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[index] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_log_is_created_once_and_not_by_opening_it() {
    let fixture = Fixture::nowhere(1);
    assert!(!fixture.segments.exists().unwrap());
    let missing = fixture.open().map(drop).unwrap_err().to_string();
    assert!(missing.contains("data/log: a log is not there; put"), "{missing}");
    fixture.segments.create(HISTORY).unwrap();
    assert!(fixture.segments.exists().unwrap());
    assert!(matches!(fixture.segments.create(HISTORY), Err(Error::Exists { .. })));
    assert_eq!(fixture.files(), ["00000000000000000001-00000000000000000001.redb"]);
}

#[test]
fn i1_rounds_are_found_across_segments() {
    let fixture = Fixture::new(2_000);
    let mut log = fixture.open().unwrap().0.log;
    append_to(&mut *log, 9).unwrap();
    insta::assert_debug_snapshot!(fixture.files(), @r#"
[
    "00000000000000000001-00000000000000000001.redb",
    "00000000000000000005-00000000000000000005.redb",
    "00000000000000000009-00000000000000000009.redb",
]
"#);
    let reader = log.reader();
    let numbers = (1..=9)
        .rev()
        .map(|number| record::decode(&reader.round(number).unwrap()).unwrap().header.number);
    assert!(numbers.eq((1..=9).rev()));
    drop(log);

    // Sealed segments can be read even after the log is gone.
    assert!(reader.round(1).is_ok());
    assert!(matches!(reader.round(9), Err(Error::Closed)));
    let (opened, rounds) = fixture.open().unwrap();
    assert!(are_rounds_to(&rounds, 9));
    // The newest segment is not full, and is gone on with.
    drop(opened);
    append_to(&mut *fixture.open().unwrap().0.log, 10).unwrap();
    assert_eq!(fixture.files().len(), 3);
}

#[test]
fn progress_counts_segments() {
    let fixture = Fixture::with_segments(3);
    let mut seen = Vec::new();
    let opened = fixture.segments.open(None, &mut |_, progress| {
        seen.push((progress.segment, progress.segments, progress.last_round));
        Ok(())
    });
    opened.unwrap();
    assert_eq!(seen, [(1, 3, 1), (2, 3, 2), (3, 3, 3)]);
}

#[test]
fn rounds_are_read_while_others_are_appended() {
    let fixture = Fixture::new(3_000);
    let mut log = fixture.open().unwrap().0.log;
    append_to(&mut *log, 1).unwrap();
    let readers: Vec<_> = (0..2).map(|_| log.reader()).collect();
    thread::scope(|scope| {
        for reader in &readers {
            scope.spawn(move || {
                // Up to the last round that there will be, from the first again
                // whenever the writer is not that far.
                let mut number = 1;
                while number <= 30 {
                    number = match reader.round(number) {
                        Ok(bytes) => record::decode(&bytes).unwrap().header.number + 1,
                        Err(Error::Missing { .. }) => 1,
                        Err(error) => panic!("{error}"),
                    };
                }
            });
        }
        append_to(&mut *log, 30).unwrap();
    });
}

#[test]
fn i1_a_crash_after_any_append_loses_nothing() {
    let fixture = Fixture::new(2_500);
    let mut log = fixture.open().unwrap().0.log;
    for last in 1..=8 {
        append_to(&mut *log, last).unwrap();
        let crashed = fixture.after_crash();
        let (mut opened, rounds) = crashed.open().unwrap();
        assert!(are_rounds_to(&rounds, last));
        append_to(&mut *opened.log, last + 1).unwrap();
    }
}

#[test]
fn i1_a_crash_while_a_segment_is_created_loses_nothing() {
    let fixture = Fixture::with_segments(2);
    // Sealed, and its successor never created, or only begun.
    fs::rename(fixture.segment(2), fixture.path("00000000000000000002.new")).unwrap();
    fs::write(fixture.path("00000000000000000009.new"), []).unwrap();
    // Its round was not acknowledged.
    fixture.forget_witness();
    let (mut opened, rounds) = fixture.open().unwrap();
    assert!(are_rounds_to(&rounds, 1));
    assert_eq!(fixture.files(), ["00000000000000000001-00000000000000000001.redb"]);
    assert!(opened.log.reader().round(1).is_ok());
    append_to(&mut *opened.log, 2).unwrap();
    drop(opened);
    assert!(are_rounds_to(&fixture.open().unwrap().1, 2));

    // Created, and its first round never written.
    let fixture = Fixture::new(1);
    let active = SegmentFile::open(&Files, &fixture.segment(1), 0).unwrap();
    let crashed = fixture.after_crash();
    drop(active);
    assert!(crashed.open().unwrap().1.is_empty());
}

#[test]
fn segments_without_entries_have_names_of_their_own() {
    let fixture = Fixture::new(1);
    let mut log = fixture.open().unwrap().0.log;
    let mut append = |next, record| {
        let round = round_of(log.tail(), &[record]);
        log.append(Sequence(next), &round).unwrap();
    };
    append(1, Record::Entry(entry(1)));
    append(2, Record::Entry(entry(2)));
    append(3, Record::Outcome(outcome(1)));
    append(3, Record::Outcome(outcome(2)));
    drop(log);
    insta::assert_debug_snapshot!(fixture.files(), @r#"
[
    "00000000000000000001-00000000000000000001.redb",
    "00000000000000000002-00000000000000000002.redb",
    "00000000000000000003-00000000000000000003.redb",
    "00000000000000000003-00000000000000000004.redb",
]
"#);
    assert_eq!(fixture.open().unwrap().1.len(), 4);
}

#[test]
fn i11_a_missing_segment_is_refused() {
    let fixture = Fixture::with_segments(4);
    fs::remove_file(fixture.segment(3)).unwrap();
    insta::assert_snapshot!(fixture.refusal(), @"00000000000000000004-00000000000000000004.redb: it continues 00000000000000000003-00000000000000000003.redb, which is missing; put the missing files back from a backup");
    fs::remove_file(fixture.segment(1)).unwrap();
    insta::assert_snapshot!(fixture.refusal(), @"00000000000000000002-00000000000000000002.redb: the log begins with round 2; its earlier rounds were trimmed, and no checkpoint that reaches it can be read; restore a checkpoint or the missing files from a backup");
}

#[test]
fn i11_swapped_segments_are_refused() {
    let fixture = Fixture::with_segments(4);
    fs::rename(fixture.segment(2), fixture.path("aside")).unwrap();
    fs::rename(fixture.segment(3), fixture.segment(2)).unwrap();
    fs::rename(fixture.path("aside"), fixture.segment(3)).unwrap();
    insta::assert_snapshot!(fixture.refusal(), @"00000000000000000002-00000000000000000002.redb: it was written as 00000000000000000003-00000000000000000003.redb; put the files of one log, under their own names, in this directory");
}

#[test]
fn i11_an_older_copy_of_a_segment_is_refused() {
    let fixture = Fixture::new(2_000);
    let mut log = fixture.open().unwrap().0.log;
    append_to(&mut *log, 1).unwrap();
    log.close().unwrap();
    let clean = fs::read(fixture.segment(1)).unwrap();
    let mut log = fixture.open().unwrap().0.log;
    append_to(&mut *log, 2).unwrap();
    let unclean = fs::read(fixture.segment(1)).unwrap();
    append_to(&mut *log, 6).unwrap();
    log.close().unwrap();

    fs::write(fixture.segment(1), clean).unwrap();
    insta::assert_snapshot!(fixture.refusal(), @"00000000000000000001-00000000000000000001.redb: its end is not sealed, so it is an older copy or 00000000000000000005-00000000000000000005.redb is not its own; put the files of one log, under their own names, in this directory");
    fs::write(fixture.segment(1), unclean).unwrap();
    insta::assert_snapshot!(fixture.refusal(), @"00000000000000000001-00000000000000000001.redb: it was not closed cleanly; restore this file from a backup");
}

#[test]
fn i11_a_segment_of_another_log_is_refused() {
    let fixture = Fixture::with_segments(3);
    let other = Fixture::nowhere(1);
    other.segments.create(History(Uuid::from_u128(1))).unwrap();
    fs::copy(other.segment(1), fixture.segment(1)).unwrap();
    insta::assert_snapshot!(fixture.refusal(), @"00000000000000000001-00000000000000000001.redb: its end is not sealed, so it is an older copy or 00000000000000000002-00000000000000000002.redb is not its own; put the files of one log, under their own names, in this directory");
    // The same, as a file that has no business here.
    let fixture = Fixture::with_segments(3);
    fs::copy(other.segment(1), fixture.segment(4)).unwrap();
    insta::assert_snapshot!(fixture.refusal(), @"00000000000000000003-00000000000000000003.redb: its end is not sealed, so it is an older copy or 00000000000000000004-00000000000000000004.redb is not its own; put the files of one log, under their own names, in this directory");
}

/// Segments that differ from the second of a log in one thing that they say.
#[test]
fn i11_a_segment_that_does_not_continue_the_one_before_is_refused() {
    let right = Fixture::with_segments(2);
    let meta = SegmentFile::open_sealed(&Files, &right.segment(2)).unwrap().meta().unwrap();
    let refusal = |meta: Meta| {
        let fixture = Fixture::with_segments(2);
        fs::remove_file(fixture.segment(2)).unwrap();
        let dir = &fixture.segments.dir;
        SegmentFile::create(&Files, dir, &meta, 0).unwrap().close(&Files).unwrap();
        let refusal = fixture.refusal();
        assert!(refusal.starts_with("00000000000000000002-"), "{refusal}");
        refusal
    };
    let history = History(Uuid::from_u128(1));
    insta::assert_snapshot!(refusal(Meta { history, ..meta.clone() }), @"00000000000000000002-00000000000000000002.redb: it is of history 00000000-0000-0000-0000-000000000001, what is before it of 00000000-0000-0000-0000-000000c0ffee; put the files of one log, under their own names, in this directory");
    let previous = None;
    insta::assert_snapshot!(refusal(Meta { previous, ..meta.clone() }), @"00000000000000000002-00000000000000000002.redb: it is the first of a log, but 00000000000000000001-00000000000000000001.redb is here; put the missing files back from a backup");
    let first_round = 3;
    insta::assert_snapshot!(refusal(Meta { first_round, ..meta.clone() }), @"00000000000000000002-00000000000000000003.redb: it continues 00000000000000000001-00000000000000000001.redb after round 2, but that ends with round 1; restore both files from a backup");
    let chain_before = record::CHAIN_START;
    insta::assert_snapshot!(refusal(Meta { chain_before, ..meta }), @"00000000000000000002-00000000000000000002.redb: it continues 00000000000000000001-00000000000000000001.redb after another round 1 than the one there; restore both files from a backup");
}

#[test]
fn i11_rounds_that_are_not_those_that_were_sealed_are_refused() {
    let fixture = Fixture::with_segments(1);
    let active = SegmentFile::open(&Files, &fixture.segment(1), 0).unwrap();
    active.write_seal(Seal { tail: Tail::START }).unwrap();
    drop(active);
    insta::assert_snapshot!(fixture.refusal(), @"00000000000000000001-00000000000000000001.redb: it was sealed after round 0, but ends with round 1; restore this file from a backup");
}

#[test]
fn i11_a_fork_of_the_same_history_is_refused() {
    let (fixture, fork) = (Fixture::with_segments(3), Fixture::with_segments(1));
    let mut log = fork.open().unwrap().0.log;
    for sequence in 2..=3 {
        let round = round_of(log.tail(), &[Record::Entry(entry(sequence))]);
        log.append(Sequence(sequence), &round).unwrap();
    }
    drop(log);
    fs::copy(fork.segment(2), fixture.segment(2)).unwrap();
    insta::assert_snapshot!(fixture.refusal(), @"00000000000000000003-00000000000000000003.redb: it continues 00000000000000000002-00000000000000000002.redb after another round 2 than the one there; restore both files from a backup");
}

#[test]
fn i11_files_that_are_no_segments_are_refused() {
    let fixture = Fixture::with_segments(3);
    let whole = fs::read(fixture.segment(2)).unwrap();
    fs::write(fixture.segment(2), []).unwrap();
    insta::assert_snapshot!(fixture.refusal(), @"00000000000000000002-00000000000000000002.redb: it is empty; restore this file from a backup");
    fs::write(fixture.segment(2), &whole[..whole.len() / 2]).unwrap();
    insta::assert_snapshot!(fixture.refusal(), @"00000000000000000002-00000000000000000002.redb: could not open it: DB corrupted: File truncated below stored layout: file_len=528384, layout_len=1056768; restore this file from a backup");
    fs::write(fixture.segment(2), b"not a database at all").unwrap();
    insta::assert_snapshot!(fixture.refusal(), @"00000000000000000002-00000000000000000002.redb: could not open it: I/O error: Not a redb database: magic number mismatch; restore this file from a backup");
    fs::write(fixture.segment(2), &whole).unwrap();
    fs::write(fixture.segment(3), []).unwrap();
    insta::assert_snapshot!(fixture.refusal(), @"00000000000000000003-00000000000000000003.redb: it is empty; restore this file from a backup");
}

#[test]
fn i11_a_damaged_round_is_refused_by_name() {
    let fixture = Fixture::with_segments(3);
    let bytes = fs::read(fixture.segment(2)).unwrap();
    let pattern = b"acc-000456";
    let index = bytes.windows(pattern.len()).position(|window| window == pattern).unwrap();
    flip(&fixture.segment(2), index);
    insta::assert_snapshot!(fixture.refusal(), @"00000000000000000002-00000000000000000002.redb, round 2: record 0, byte 224: the body does not match its hash; restore this file from a backup");
}

#[test]
fn an_unknown_version_is_refused() {
    let fixture = Fixture::with_segments(2);
    let bytes = fs::read(fixture.segment(2)).unwrap();
    let pattern = HISTORY.0.as_bytes();
    let index = bytes.windows(16).position(|window| window == pattern).unwrap();
    // The description has the version before the history, a round 12 bytes before.
    assert_eq!(bytes[index - 2..index], [1, 0]);
    let newer = [&bytes[..index - 2], &[2], &bytes[index - 1..]].concat();
    fs::write(fixture.segment(2), newer).unwrap();
    insta::assert_snapshot!(fixture.refusal(), @"00000000000000000002-00000000000000000002.redb: format version 2 is unknown; use the version of the server that wrote it");
}

/// Whatever single bit is damaged, whether the log was closed or not: opening says
/// so, or every round is there as it was written.
#[test]
fn i11_no_flipped_bit_goes_unnoticed_or_costs_a_round() {
    let fixture = Fixture::new(1_000_000);
    let mut log = fixture.open().unwrap().0.log;
    append_to(&mut *log, 12).unwrap();
    let unclean = fs::read(fixture.segment(1)).unwrap();
    log.close().unwrap();
    let clean = fs::read(fixture.segment(1)).unwrap();
    for bytes in [clean, unclean] {
        let used: Vec<usize> = (0..bytes.len()).filter(|&index| bytes[index] != 0).collect();
        let mut n_refused = 0;
        // Every byte of redb's header, and a sample of the rest.
        let header = used.iter().filter(|&&index| index < 320);
        for &index in header.chain(used.iter().step_by(401)) {
            fs::write(fixture.segment(1), &bytes).unwrap();
            flip(&fixture.segment(1), index);
            match fixture.open() {
                Ok((_, rounds)) => assert!(are_rounds_to(&rounds, 12), "byte {index}"),
                Err(error) => {
                    assert!(error.to_string().contains(".redb"), "{error}");
                    n_refused += 1;
                }
            }
        }
        assert!(n_refused > 50, "only {n_refused} flips refused");
    }
}

#[test]
fn files_left_by_others_are_let_be() {
    let fixture = Fixture::with_segments(2);
    let note = fixture.dir.path().join("data/log/README");
    fs::write(&note, "hands off").unwrap();
    assert!(are_rounds_to(&fixture.open().unwrap().1, 2));
    assert!(note.exists());
}
