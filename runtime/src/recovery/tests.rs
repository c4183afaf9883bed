//! A log that does not fit what else is there is refused, and an index that is not
//! whole is made so again.

use std::path::Path;
use std::sync::Arc;

use super::reindex::Rows;
use super::*;
use crate::disk::{Disk, Files};
use crate::ids::AHEAD_MAX;
use crate::index::{Index, Place, Row, Status};
use crate::log::Memory;
use crate::record::samples::{HISTORY, entry, outcome};
use crate::record::{RecordRef, RoundHeader, encode};

const LAST: u64 = 100;
const FLOOR_MS: u64 = 1_700_000_000_000;

/// Appends a round of these records.
fn append<'a>(
    log: &mut dyn Log,
    next: u64,
    records: impl IntoIterator<Item = RecordRef<'a>>,
) -> Result<(), log::Error> {
    let header = RoundHeader {
        number: log.tail().number + 1,
        history: HISTORY,
        chain_before: log.tail().chain,
        floor_ms: FLOOR_MS,
        time_ms: FLOOR_MS,
    };
    log.append(Sequence(next), &encode(&header, records))
}

fn recovered(storage: &dyn Storage) -> Recovered {
    recover(storage, None, &mut |_| ()).unwrap()
}

/// A log with an entry to a round, each with the outcome of the one before; sealed after
/// some.
fn log_of(entries: u64, sealed_after: u64) -> Memory {
    let memory = Memory::new(HISTORY);
    let mut log = recovered(&memory).log;
    for sequence in 1..=entries {
        let (entry, outcome) = (entry(sequence), outcome(sequence.saturating_sub(1)));
        let outcome = (sequence > 1).then_some(RecordRef::Outcome(&outcome));
        let records = [Some(RecordRef::Entry(&entry)), outcome].into_iter().flatten();
        append(&mut *log, sequence, records).unwrap();
        if sequence % sealed_after == 0 {
            log.seal().unwrap();
        }
    }
    append(&mut *log, entries + 1, [RecordRef::Outcome(&outcome(entries))]).unwrap();
    memory
}

fn row(sequence: u64) -> Row {
    let place =
        Place { entry_round: sequence, outcome_round: sequence + 1, status: Status::Succeeded };
    let id = entry(sequence).id;
    Row { sequence: Sequence(sequence), id, time_ms: time_of(id), place }
}

fn rows(from: u64, to: u64) -> Vec<Row> {
    (from..=to).map(row).collect()
}

fn index_in(directory: &Path) -> Index {
    let disk: Arc<dyn Disk> = Arc::new(Files);
    Index::open(disk, directory, HISTORY).unwrap().index
}

#[test]
fn i11_an_index_of_more_than_the_log_has_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let index = index_in(directory.path());
    index.add(&rows(1, LAST + 1)).unwrap();
    let mut recovered = recovered(&log_of(LAST, 10));
    let start = recovered.marks.settled();
    let refused = reconcile(&mut recovered, &index, Some(&start)).unwrap_err();
    let Error::Behind { indexed, last } = refused else { panic!("{refused:?}") };
    assert_eq!((indexed, last), (Sequence(LAST + 1), Sequence(LAST)));
}

#[test]
fn i11_a_state_of_more_than_the_log_has_is_refused() {
    let mut state = State::empty();
    let step = Step { sequence: Sequence(LAST + 1), time_ms: 1, position: Position(LAST + 1) };
    state.apply(step, &crate::value::ChangeSet::default());
    let start = Start::of(HISTORY);
    let base = Checkpoint { start, state, attempts: Vec::new() };
    let refused = recover(&log_of(LAST, 10), Some(base), &mut |_| ()).unwrap_err();
    let Error::Short { state, last } = refused else { panic!("{refused:?}") };
    assert_eq!((state, last), (Sequence(LAST + 1), Sequence(LAST)));
}

/// Whole in itself, with all its checksums, and yet not what a server writes.
#[test]
fn i4_an_outcome_without_its_entry_is_refused() {
    for (wrong, says) in [(LAST + 1, "no entry for it"), (LAST, "comes after")] {
        let memory = log_of(LAST, 10);
        let mut log = recovered(&memory).log;
        append(&mut *log, LAST + 1, [RecordRef::Outcome(&outcome(wrong))]).unwrap();
        drop(log);
        let refused = recover(&memory, None, &mut |_| ()).unwrap_err();
        let text = crate::value::chain_of(&refused);
        assert!(matches!(refused, Error::Log(log::Error::Damaged { .. })), "{refused:?}");
        assert!(text.contains(&format!("outcome {wrong}")) && text.contains(says), "{text}");
    }
}

#[test]
fn an_index_that_is_not_whole_is_made_again_from_the_log() {
    for n_known in [0, 1, 9, 10, 55, LAST] {
        let directory = tempfile::tempdir().unwrap();
        let index = index_in(directory.path());
        index.add(&rows(1, n_known)).unwrap();
        let mut recovered = recovered(&log_of(LAST, 10));
        let start = recovered.marks.settled();
        assert_eq!(start.entry, Sequence(LAST));
        reconcile(&mut recovered, &index, Some(&start)).unwrap();
        assert_eq!(index.covered(), Sequence(LAST), "{n_known} were known");
        assert_eq!((recovered.ids.len(), recovered.places.len()), (0, 0), "no longer in memory");
        for row in rows(1, LAST) {
            assert_eq!(index.find(row.id, row.time_ms).unwrap(), Some(row.sequence));
            assert_eq!(index.place(row.sequence).unwrap(), Some(row.place));
        }
        assert_eq!(index.forgotten_ms(), 0);
    }
}

#[test]
fn i3_ids_that_no_index_can_have_again_are_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    let index = index_in(directory.path());
    let mut recovered = recovered(&log_of(LAST, 10));
    recovered.log.upkeep().trim(31).unwrap();
    let start = recovered.marks.settled();
    reconcile(&mut recovered, &index, Some(&start)).unwrap();
    assert_eq!(index.from(), (Sequence(31), Sequence(31)));
    assert_eq!(index.covered(), Sequence(LAST));
    assert_eq!(index.place(Sequence(30)).unwrap(), None);
    assert_eq!(index.place(Sequence(31)).unwrap(), Some(row(31).place));
    let ahead_ms = u64::try_from(AHEAD_MAX.as_millis()).unwrap();
    let first_ms = entry(31).time_ms + ahead_ms + 1;
    assert_eq!(index.forgotten_ms(), first_ms.min(FLOOR_MS), "never beyond the floor");
}

#[test]
fn what_an_index_is_made_from_is_never_all_in_memory() {
    const AT_ONCE: usize = 7;
    let memory = log_of(LAST, 100);
    let mut recovered = recovered(&memory);
    recovered.log.seal().unwrap();
    let upkeep = recovered.log.upkeep();
    let (mut told, mut most) = (Vec::new(), 0);
    let mut all = Rows::of(Sequence(0), Sequence(LAST));
    all.read(&*upkeep, AT_ONCE, &mut |rows| {
        most = most.max(rows.len());
        told.extend_from_slice(rows);
        Ok(())
    })
    .unwrap();
    // One round more at most, and each has one.
    assert_eq!(most, AT_ONCE);
    assert_eq!(told, rows(1, LAST));
    let mut parts = 0;
    let is_whole = rows_of(&*upkeep, Sequence(20), Sequence(60), &mut |rows| {
        assert_eq!(rows, self::rows(21, 60));
        parts += 1;
        Ok(())
    });
    assert!(is_whole.unwrap());
    assert_eq!(parts, 1);
    let beyond = rows_of(&*upkeep, Sequence(20), Sequence(LAST + 1), &mut |_| Ok(()));
    assert!(!beyond.unwrap(), "the log does not have them");
    let refused = rows_of(&*upkeep, Sequence(0), Sequence(9), &mut |_| {
        Err(index::Error::NotNext { expected: Sequence(1), found: Sequence(2) })
    });
    assert!(matches!(refused, Err(Error::Index(_))), "{refused:?}");
}
