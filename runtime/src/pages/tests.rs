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
