//! Files that are closed cleanly, and those that are not.

use redb::{ReadableTable, TableDefinition};

use super::*;
use crate::disk::Files;

const NUMBERS: TableDefinition<'_, u64, u64> = TableDefinition::new("numbers");

fn put(pages: &Pages, number: u64) {
    pages
        .write("put", |transaction| {
            transaction.open_table(NUMBERS)?.insert(number, number)?;
            Ok(())
        })
        .unwrap();
}

fn sum(pages: &Pages) -> u64 {
    pages
        .read("sum", |transaction| {
            let numbers = transaction.open_table(NUMBERS)?;
            let mut sum = 0;
            for row in numbers.iter()? {
                sum += row?.1.value();
            }
            Ok(sum)
        })
        .unwrap()
}

#[test]
fn reading_leaves_a_file_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.redb");
    let pages = Pages::create(&Files, &path, 1 << 20).unwrap();
    (1..=100).for_each(|number| put(&pages, number));
    pages.close(&Files).unwrap();
    let before = std::fs::read(&path).unwrap();
    for _ in 0..3 {
        let pages = Pages::open_clean(&Files, &path, 1 << 20).unwrap();
        assert_eq!(sum(&pages), 5050);
        // A commit goes to memory, and nowhere else.
        put(&pages, 1000);
        assert_eq!(sum(&pages), 6050);
        drop(pages);
        assert!(std::fs::read(&path).unwrap() == before);
    }
}

#[test]
fn a_file_that_was_not_closed_is_not_read_before_it_is_repaired() {
    let directory = tempfile::tempdir().unwrap();
    let (path, copy) = (directory.path().join("a.redb"), directory.path().join("b.redb"));
    let pages = Pages::create(&Files, &path, 1 << 20).unwrap();
    (1..=100).for_each(|number| put(&pages, number));
    std::fs::copy(&path, &copy).unwrap();
    pages.close(&Files).unwrap();
    let unclean = Pages::open_clean(&Files, &copy, 0).unwrap_err();
    assert!(matches!(unclean, Error::Unclean { .. }), "{unclean}");
    let pages = Pages::open(&Files, &copy, 1 << 20).unwrap();
    assert_eq!(sum(&pages), 5050);
    pages.close(&Files).unwrap();
    assert_eq!(sum(&Pages::open_clean(&Files, &copy, 0).unwrap()), 5050);
}

#[test]
fn what_is_no_file_of_ours_is_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.redb");
    let missing = Pages::open(&Files, &path, 0).unwrap_err();
    assert!(matches!(missing, Error::Missing { .. }), "{missing}");
    for content in [&b""[..], b"something else", &[0; 100_000]] {
        std::fs::write(&path, content).unwrap();
        let refused = Pages::open(&Files, &path, 0).unwrap_err();
        assert!(matches!(refused, Error::Damaged { .. }), "{refused}");
        assert!(refused.to_string().contains("a.redb"), "{refused}");
    }
}

#[test]
fn an_overlay_is_read_as_if_it_had_been_written_to() {
    use redb::StorageBackend;

    use super::backend::Overlay;

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a");
    std::fs::write(&path, [7; 10_000]).unwrap();
    let overlay = Overlay::new(Files.open(&path, How::Read).unwrap());
    let read = |from: usize, to: usize| {
        let mut bytes = vec![1; to - from];
        overlay.read(from as u64, &mut bytes).unwrap();
        bytes
    };
    overlay.write(4090, &[8; 10]).unwrap();
    assert_eq!(read(4089, 4101), [&[7][..], &[8; 10], &[7]].concat());
    // Cut off and longer again: zeros, of the file and of what was written.
    overlay.set_len(4095).unwrap();
    assert!(overlay.read(4090, &mut [0; 10]).is_err());
    overlay.set_len(20_000).unwrap();
    assert_eq!(read(4090, 4100), [&[8; 5][..], &[0; 5]].concat());
    assert_eq!(read(9_000, 20_000), [0; 11_000]);
    overlay.write(9_500, &[9; 2]).unwrap();
    assert_eq!(read(9_499, 9_503), [0, 9, 9, 0]);
    assert_eq!(std::fs::read(&path).unwrap(), [7; 10_000]);
}

/// With one phase redb takes a damaged last commit for one that was torn, and goes
/// back to the one before without a word.
#[test]
fn i11_a_flipped_bit_never_takes_the_last_commit_away() {
    const FLIPS: u64 = 3_000;
    let directory = tempfile::tempdir().unwrap();
    let (path, copy) = (directory.path().join("a.redb"), directory.path().join("b.redb"));
    let pages = Pages::create(&Files, &path, 1 << 20).unwrap();
    (1..=20).for_each(|number| put(&pages, number));
    put(&pages, 1000);
    // As a process leaves it that dies.
    let whole = std::fs::read(&path).unwrap();
    pages.close(&Files).unwrap();
    let used: Vec<usize> = (0..whole.len()).filter(|at| whole[*at] != 0).collect();
    let mut refused = 0;
    for flip in 0..FLIPS {
        // Spread over all bytes that are used, and over the bits.
        let at = used[usize::try_from(flip * 7_919).unwrap() % used.len()];
        // The mark of the newer commit has no checksum; the log's witness stands for it.
        if at == 9 {
            continue;
        }
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (flip % 8);
        std::fs::write(&copy, &bytes).unwrap();
        match Pages::open(&Files, &copy, 1 << 20) {
            Ok(pages) => {
                let found = catch_unwind(AssertUnwindSafe(|| sum(&pages)));
                if let Ok(found) = found {
                    assert_ne!(found, 210, "byte {at}: the last commit is gone");
                }
            }
            Err(Error::Failed { .. }) => panic!("byte {at}: the disk did not fail"),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 0, "some of them matter");
}

#[test]
fn nothing_is_told_of_a_panic_that_becomes_an_error() {
    use std::panic::{set_hook, take_hook};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::quiet::{filtered, quietly};

    // The hook is everybody's: it is put back, and counts only what happens here.
    quietly(|| ());
    let (before, told, here) = (take_hook(), Arc::new(AtomicU32::new(0)), std::thread::current());
    let counting = Arc::clone(&told);
    set_hook(filtered(Box::new(move |_| {
        if std::thread::current().id() == here.id() {
            counting.fetch_add(1, Ordering::SeqCst);
        }
    })));
    let panicked = guarded::<()>(Path::new("a.redb"), "open", || panic!("of redb's"));
    let quiet = told.load(Ordering::SeqCst);
    let ours = catch_unwind(|| panic!("of ours"));
    set_hook(before);
    assert!(matches!(panicked, Err(Error::Damaged { .. })), "{panicked:?}");
    assert!(ours.is_err());
    assert_eq!((quiet, told.load(Ordering::SeqCst)), (0, 1));
}
