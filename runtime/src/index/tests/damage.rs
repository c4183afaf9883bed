//! Files that are not what was written: refused, never a miss, never a wrong answer.

use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::machine::{After, Machine};
use super::{Error, Index, open, row, rows};
use crate::state::model::Random;
use crate::value::Sequence;

/// Where the version is, in a run and in what is kept.
const VERSION_OF_RUN: Range<usize> = 12..14;
const VERSION_OF_KEPT: Range<usize> = 8..10;

fn check(index: &Index) -> Vec<Error> {
    index.check(&mut |_| ControlFlow::Continue(()))
}

/// Every answer about these entries is right, or an error that names the file.
fn refuses_or_is_right(index: &Index, path: &Path, sequences: impl Iterator<Item = u64>) {
    let named = |error: &Error| assert!(error.to_string().starts_with(&*path.to_string_lossy()));
    for sequence in sequences {
        let row = row(sequence);
        let known = row.sequence <= index.covered();
        match index.find(row.id, row.time_ms) {
            Ok(found) => assert_eq!(found.is_some_and(|found| found == row.sequence), known),
            Err(error) => named(&error),
        }
        match index.place(row.sequence) {
            Ok(found) => assert_eq!(found.is_some_and(|found| found == row.place), known),
            Err(error) => named(&error),
        }
        match index.page(None, row.sequence.next(), 2) {
            Ok(page) if known => assert_eq!(page[0], row.sequence),
            Ok(_) => {}
            Err(error) => named(&error),
        }
    }
}

fn runs_of(disk: &Machine) -> Vec<PathBuf> {
    disk.names()
}

#[test]
fn i11_every_flipped_bit_of_a_small_run_is_refused() {
    let whole: Arc<Machine> = Arc::default();
    open(&whole).index.add(&rows(1, 5)).unwrap();
    for path in runs_of(&whole) {
        for bit in 0..8192 * 8 {
            let disk = whole.copy();
            disk.alter(&path, |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
            // Every page of so small a run is read when it is opened.
            let opened = Index::open(Arc::clone(&disk) as _, Path::new("index"), super::HISTORY);
            let opened = match opened {
                Err(Error::UnknownFormat { .. }) => {
                    assert!(VERSION_OF_RUN.contains(&(bit / 8)), "bit {bit}");
                    continue;
                }
                opened => opened.unwrap(),
            };
            assert_eq!(opened.set_aside.len(), 1, "bit {bit}");
            assert_eq!(opened.set_aside[0].path, path);
            assert_eq!(opened.index.covered(), Sequence(0));
        }
    }
}

#[test]
fn i11_a_flipped_bit_anywhere_is_refused_or_harmless() {
    let mut random = Random::from_env("flips");
    let whole: Arc<Machine> = Arc::default();
    // Three levels of ids, two of places.
    let last = 35_000;
    open(&whole).index.add(&rows(1, last)).unwrap();
    for path in runs_of(&whole) {
        for _ in 0..60 {
            let disk = whole.copy();
            // As if it had rotted while the server runs, and while it did not.
            let running = open(&disk).index;
            let mut page = 0;
            disk.alter(&path, |bytes| {
                let bit = random.below(bytes.len() * 8);
                bytes[bit / 8] ^= 1 << (bit % 8);
                page = bit as u64 / 8 / 4096;
            });
            let near = page.saturating_sub(1) * 146;
            let beneath = |random: &mut Random| {
                let somewhere: Vec<_> = (0..20).map(|_| 1 + random.next() % last).collect();
                somewhere.into_iter().chain((near..near + 450).step_by(15)).filter(|n| *n > 0)
            };
            refuses_or_is_right(&running, &path, beneath(&mut random).filter(|n| *n <= last));
            assert_eq!(check(&running).len(), 1, "page {page}");
            let opened = open(&disk);
            refuses_or_is_right(&opened.index, &path, beneath(&mut random).filter(|n| *n <= last));
            assert!(!opened.set_aside.is_empty() || check(&opened.index).len() == 1);
        }
    }
}

#[test]
fn i11_pages_that_change_places_are_refused() {
    let disk: Arc<Machine> = Arc::default();
    open(&disk).index.add(&rows(1, 1000)).unwrap();
    for path in runs_of(&disk) {
        let disk = disk.copy();
        disk.alter(&path, |bytes| {
            let (before, after) = bytes.split_at_mut(2 * 4096);
            before[4096..].swap_with_slice(&mut after[..4096]);
        });
        let index = open(&disk).index;
        assert_eq!(check(&index).len(), 1);
        refuses_or_is_right(&index, &path, 1..=1000);
    }
}

#[test]
fn i11_what_is_cut_off_renamed_or_gone_is_built_again() {
    let whole: Arc<Machine> = Arc::default();
    let index = open(&whole).index;
    for batch in 0..3 {
        index.add(&rows(batch * 300 + 1, batch * 300 + 300)).unwrap();
    }
    let runs = runs_of(&whole);
    assert_eq!(runs.len(), 6);
    for (at, path) in runs.iter().enumerate() {
        let cut = |bytes: usize| {
            let disk = whole.copy();
            disk.alter(path, |all| all.truncate(bytes));
            disk
        };
        let gone = whole.copy();
        crate::disk::Disk::remove(&*gone, path).unwrap();
        let renamed = whole.copy();
        let other = path.with_extension("00000000000000000301-00000000000000000700");
        crate::disk::Disk::rename(&*renamed, path, &other).unwrap();
        for disk in [cut(0), cut(100), cut(4096), cut(8192), gone, renamed] {
            let opened = open(&disk);
            let covered = at as u64 % 3 * 300;
            assert_eq!(opened.index.covered(), Sequence(covered));
            for missing in covered + 1..=900 {
                assert_eq!(opened.index.place(row(missing).sequence).unwrap().is_some(), at < 3);
            }
            // What comes from the log fills it up again.
            opened.index.add(&rows(covered + 1, 1000)).unwrap();
            let opened = open(&disk);
            assert_eq!(opened.set_aside, []);
            assert_eq!(opened.index.covered(), Sequence(1000));
            for sequence in 1..=1000 {
                let row = row(sequence);
                assert_eq!(opened.index.find(row.id, row.time_ms).unwrap(), Some(row.sequence));
                assert_eq!(opened.index.place(row.sequence).unwrap(), Some(row.place));
            }
        }
    }
}

#[test]
fn i2_an_index_that_lost_what_it_kept_knows_that_it_knows_nothing() {
    let whole: Arc<Machine> = Arc::default();
    let index = open(&whole).index;
    for batch in 0..3 {
        index.add(&rows(batch * 300 + 1, batch * 300 + 300)).unwrap();
    }
    index.forget(Sequence(601), row(800).time_ms).unwrap();
    assert!(index.forgotten_ms() > 0);
    let kept = Path::new("index/kept");
    let gone = whole.copy();
    crate::disk::Disk::remove(&*gone, kept).unwrap();
    let mut altered = vec![gone];
    for byte in (0..54).filter(|byte| !VERSION_OF_KEPT.contains(byte)) {
        let disk = whole.copy();
        disk.alter(kept, |bytes| bytes[byte] ^= 0x10);
        altered.push(disk);
    }
    for disk in altered {
        let opened = open(&disk);
        assert!(opened.set_aside.len() >= 2);
        assert_eq!(opened.index.covered(), Sequence(0));
    }
}

/// Whatever its checksum is then, and wherever it has it: what a newer server wrote is
/// not to be taken for damage, and removed.
#[test]
fn a_newer_format_is_refused() {
    let whole: Arc<Machine> = Arc::default();
    let index = open(&whole).index;
    for batch in 0..3 {
        index.add(&rows(batch * 300 + 1, batch * 300 + 300)).unwrap();
    }
    index.forget(Sequence(601), row(800).time_ms).unwrap();
    for path in runs_of(&whole) {
        let version = match path.ends_with("kept") {
            true => VERSION_OF_KEPT,
            false => VERSION_OF_RUN,
        };
        let disk = whole.copy();
        disk.alter(&path, |bytes| bytes[version].copy_from_slice(&2_u16.to_be_bytes()));
        let names = disk.names();
        let refused = Index::open(Arc::clone(&disk) as _, Path::new("index"), super::HISTORY);
        let Err(Error::UnknownFormat { path: named, found }) = refused else {
            panic!("{}: {refused:?}", path.display())
        };
        assert_eq!((named, found), (path, 2));
        assert_eq!(disk.names(), names, "nothing is removed");
    }
}

#[test]
fn i11_a_damaged_file_is_written_anew_in_parts_and_a_crash_leaves_one_or_the_other() {
    const LAST: u64 = 1000;
    let damaged: Arc<Machine> = Arc::default();
    open(&damaged).index.add(&rows(1, LAST)).unwrap();
    let paths = runs_of(&damaged);
    for path in &paths {
        damaged.alter(path, |bytes| bytes[4096 + 50] ^= 1);
    }
    let mend = |index: &Index| {
        for path in &paths {
            let mut replacing = index.replacing(path).expect("it is in use");
            assert_eq!(replacing.span(), (Sequence(1), Sequence(LAST)));
            replacing.add(&rows(1, 300))?;
            replacing.add(&rows(301, LAST))?;
            replacing.finish()?;
        }
        Ok::<_, Error>(())
    };
    let mut steps = 0;
    loop {
        let disk = damaged.copy();
        let index = open(&disk).index;
        disk.stop_after(steps);
        let mended = mend(&index);
        let is_over = disk.steps_left().is_some_and(|left| left > 0);
        for after in [After::Kill, After::PowerLoss] {
            let disk = disk.copy();
            disk.restart(after);
            let index = open(&disk).index;
            // Whichever is named, of those that are damaged.
            refuses_or_is_right(&index, Path::new("index"), (1..LAST).step_by(97));
            // After a power loss the old one may be back.
            if mended.is_ok() && is_over && matches!(after, After::Kill) {
                assert_eq!(index.covered(), Sequence(LAST));
                assert_eq!(check(&index).len(), 0);
                assert_eq!(runs_of(&disk).len(), 4, "two of each kind: {:?}", runs_of(&disk));
            }
        }
        if is_over {
            mended.unwrap();
            break;
        }
        steps += 1;
    }
}

#[test]
fn what_is_written_anew_has_to_be_what_was_there() {
    let disk: Arc<Machine> = Arc::default();
    let index = open(&disk).index;
    index.add(&rows(1, 100)).unwrap();
    let path = runs_of(&disk).remove(0);
    let mut replacing = index.replacing(&path).unwrap();
    let refused = |refused| assert!(matches!(refused, Err(Error::NotNext { .. })), "{refused:?}");
    refused(replacing.add(&rows(2, 3)));
    refused(replacing.add(&rows(1, 101)));
    replacing.add(&rows(1, 50)).unwrap();
    refused(replacing.finish());
    assert!(index.replacing(Path::new("index/elsewhere")).is_none());
    assert_eq!(check(&index).len(), 0);
}
