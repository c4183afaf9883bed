//! Receipts in memory and on disk, while they move from one to the other.

use std::ops::RangeInclusive;
use std::path::Path;

use super::*;
use crate::disk::Files;
use crate::log::{Log, Memory, Storage, samples};
use crate::record::Record;
use crate::record::samples::{HISTORY, entry, outcome, rejected};

/// Rounds of three entries, with the outcomes of those of the round before.
struct Rig {
    log: Box<dyn Log>,
    receipts: Receipts,
    last: u64,
}

fn outcome_of(sequence: u64) -> Outcome {
    if sequence.is_multiple_of(5) { rejected(sequence) } else { outcome(sequence) }
}

impl Rig {
    fn new(directory: &Path) -> Self {
        let memory = Memory::new(HISTORY);
        let log = memory.open(None, &mut |_, _| Ok(())).unwrap().log;
        let index = Index::open(Arc::new(Files), directory, HISTORY).unwrap().index;
        let receipts = Receipts::new(Places::default(), Arc::new(index), log.reader());
        Self { log, receipts, last: 0 }
    }

    fn round(&mut self) {
        let entries: Vec<_> = (self.last + 1..=self.last + 3).map(entry).collect();
        let before = self.last.saturating_sub(2).max(1)..=self.last;
        let outcomes: Vec<_> = before.map(outcome_of).collect();
        let records = outcomes.iter().cloned().map(Record::Outcome);
        let records: Vec<_> = records.chain(entries.iter().cloned().map(Record::Entry)).collect();
        let tail = self.log.tail();
        let round = samples::round_of(tail, &records);
        self.log.append(Sequence(self.last + 1), &round).unwrap();
        self.receipts.add(tail.number + 1, &entries, &outcomes);
        self.last += 3;
    }

    /// Every receipt is what was asked, and what came of it.
    fn check(&self, kept: RangeInclusive<u64>) {
        for sequence in kept.clone() {
            let receipt = self.receipts.read(Sequence(sequence)).unwrap().unwrap();
            assert_eq!(*receipt.entry, entry(sequence));
            let executed = sequence <= self.last - 3;
            assert_eq!(receipt.outcome.as_deref(), executed.then(|| outcome_of(sequence)).as_ref());
            let seen = self.receipts.seen(Sequence(sequence)).unwrap().unwrap();
            assert_eq!(seen.fingerprint, entry(sequence).fingerprint);
        }
        assert!(self.receipts.read(Sequence(self.last + 1)).unwrap().is_none());
        assert!(self.receipts.read(Sequence(0)).unwrap().is_none());
        let rejected: Vec<_> =
            kept.filter(|n| n.is_multiple_of(5) && *n <= self.last - 3).rev().collect();
        for limit in [1, 2, 7, 100] {
            let page =
                self.receipts.page(Some(Status::Rejected), Sequence(u64::MAX), limit).unwrap();
            let page: Vec<_> = page.into_iter().map(|sequence| sequence.0).collect();
            assert_eq!(page, rejected[..limit.min(rejected.len())]);
        }
        let accepted = self.receipts.page(Some(Status::Accepted), Sequence(self.last), 9).unwrap();
        assert_eq!(accepted, [Sequence(self.last - 1), Sequence(self.last - 2)]);
        let all = self.receipts.page(None, Sequence(self.last), 4).unwrap();
        assert_eq!(all, [1, 2, 3, 4].map(|back| Sequence(self.last - back)));
    }
}

#[test]
fn i2_a_receipt_is_the_same_in_memory_and_on_disk() {
    let directory = tempfile::tempdir().unwrap();
    let mut rig = Rig::new(directory.path());
    for _ in 0..20 {
        rig.round();
    }
    rig.check(1..=60);
    let mut settled = 0;
    loop {
        let n_entries = rig.receipts.settle(20).unwrap();
        settled += n_entries;
        assert_eq!(rig.receipts.index().covered().0, settled as u64);
        rig.check(1..=60);
        if n_entries == 0 {
            break;
        }
        rig.receipts.index().merge().unwrap();
    }
    // The last three have no outcome yet.
    assert_eq!((settled, rig.receipts.places().len()), (57, 3));
    assert_eq!(rig.receipts.last(), Sequence(60));
    rig.round();
    rig.check(1..=63);
}

#[test]
fn i13_a_receipt_that_is_not_kept_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let mut rig = Rig::new(directory.path());
    for _ in 0..20 {
        rig.round();
    }
    rig.receipts.settle(1000).unwrap();
    rig.receipts.keep_from(Sequence(31));
    rig.receipts.index().forget(Sequence(31), 0).unwrap();
    rig.check(31..=60);
    let error = rig.receipts.read(Sequence(30)).unwrap_err();
    insta::assert_snapshot!(error, @"entry 30 was executed, and its receipt is not kept any more; the oldest that is kept is of entry 31");
    assert!(rig.receipts.page(None, Sequence(31), 10).unwrap().is_empty());
}

#[test]
fn after_a_log_was_opened_again_receipts_go_on_behind_the_index() {
    let directory = tempfile::tempdir().unwrap();
    let mut rig = Rig::new(directory.path());
    for _ in 0..20 {
        rig.round();
    }
    rig.receipts.settle(30).unwrap();
    // Recovery notes what the index does not have.
    let mut places = Places::after(Sequence(27));
    for sequence in 28..=60 {
        places.add_entry(Sequence(sequence), entry(sequence).id, (sequence - 1) / 3 + 1);
    }
    for sequence in 28..=57 {
        places.add_outcome(&outcome_of(sequence), (sequence - 1) / 3 + 2);
    }
    rig.receipts.replace_after(places, rig.log.reader());
    rig.check(1..=60);
    rig.receipts.settle(1000).unwrap();
    rig.check(1..=60);
}

#[test]
fn i2_entries_that_the_index_never_saw_are_not_skipped() {
    let directory = tempfile::tempdir().unwrap();
    let rig = Rig::new(directory.path());
    let mut places = Places::after(Sequence(27));
    places.add_entry(Sequence(28), entry(28).id, 1);
    places.add_outcome(&outcome(28), 1);
    let index = Arc::clone(rig.receipts.index());
    let receipts = Receipts::new(places, index, rig.log.reader());
    assert!(matches!(receipts.settle(10), Err(index::Error::NotNext { .. })));
}
