//! Whatever is written, an index is what it would be if built anew.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use crate::testing::given;
use crate::{Index, Indexed, Read, Rejection, Snapshot, Table, Transaction, app};

app! {
    /// Books and the tags on them.
    struct Library;
    tables { BOOKS }
    commands { apply, rebuild }
}

const BOOKS: Indexed<u16, Book> = Indexed::new(Table::new("books"), &[&BY_TAG, &BY_SHELF]);

/// None, one or several keys a row.
const BY_TAG: Index<String, u16, Book> = Index::new("books-by-tag", |_, book| book.tags.clone());

/// Exactly one key a row, of two components.
const BY_SHELF: Index<(bool, i8), u16, Book> =
    Index::new("books-by-shelf", |_, book| vec![(book.is_lent, book.shelf)]);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
struct Book {
    tags: Vec<String>,
    is_lent: bool,
    shelf: i8,
}

/// A book to put, or none to delete it.
type Step = (u16, Option<Book>);

fn apply(tx: &mut Transaction, (key, book): Step) -> Result<(), Rejection> {
    match book {
        Some(book) => BOOKS.put(tx, &key, &book),
        None => BOOKS.delete(tx, &key),
    }
    Ok(())
}

fn rebuild(tx: &mut Transaction, (): ()) -> Result<(), Rejection> {
    BOOKS.reindex(tx);
    Ok(())
}

fn step() -> impl Strategy<Value = Step> {
    let tag = prop::sample::select(vec!["", "red", "red shoes", "sea\t", "war"]);
    let tags = prop::collection::vec(tag.prop_map(str::to_owned), 0..4);
    let book = (tags, any::<bool>(), -2..3_i8);
    let book = book.prop_map(|(tags, is_lent, shelf)| Book { tags, is_lent, shelf });
    (0..6_u16, prop::option::weighted(0.7, book))
}

/// What the index should say, from the rows alone.
fn recomputed<I: Ord>(
    model: &BTreeMap<u16, Book>,
    index_keys: impl Fn(&Book) -> Vec<I>,
) -> Vec<(I, u16)> {
    let mut all = Vec::new();
    for (key, book) in model {
        all.extend(index_keys(book).into_iter().map(|index_key| (index_key, *key)));
    }
    all.sort();
    all.dedup();
    all
}

fn by_tag(store: &impl Read) -> Vec<(String, u16)> {
    BOOKS.by(&BY_TAG, store).keys().collect()
}

proptest! {
    #[test]
    fn an_index_is_what_the_rows_make_it(steps in prop::collection::vec(step(), 0..30)) {
        let mut model = BTreeMap::new();
        let mut given = given::<Library>();
        for (key, book) in steps {
            match book.clone() {
                Some(book) => model.insert(key, book),
                None => model.remove(&key),
            };
            given = given.when(apply, (key, book)).given();
        }
        let snapshot: Snapshot = given.snapshot();
        let tags = recomputed(&model, |book| book.tags.clone());
        prop_assert_eq!(by_tag(&snapshot), tags.clone());

        let shelves = recomputed(&model, |book| vec![(book.is_lent, book.shelf)]);
        let by_shelf: Vec<_> = BOOKS.by(&BY_SHELF, &snapshot).keys().collect();
        prop_assert_eq!(by_shelf, shelves.clone());

        let red: Vec<_> = tags.iter().filter(|(tag, _)| tag == "red").map(|(_, key)| *key).collect();
        let rows: Vec<_> = BOOKS.by(&BY_TAG, &snapshot).key("red").rows().collect();
        prop_assert_eq!(rows.iter().map(|(key, _)| *key).collect::<Vec<_>>(), red);
        prop_assert!(rows.iter().all(|(key, book)| model.get(key) == Some(book)));

        let lent = shelves.iter().filter(|((is_lent, _), _)| *is_lent).count();
        let scan = BOOKS.by(&BY_SHELF, &snapshot).prefix(&(true,));
        prop_assert_eq!(usize::try_from(scan.count()), Ok(lent));

        given.when(rebuild, ()).then_unchanged();
    }
}

fn tagged(tags: &[&str], shelf: i8) -> Book {
    Book { tags: tags.iter().map(|tag| (*tag).to_owned()).collect(), is_lent: false, shelf }
}

#[test]
fn an_index_is_read_page_by_page_and_backwards() {
    let snapshot = given::<Library>()
        .row(&BOOKS, &1, &tagged(&["red"], 2))
        .row(&BOOKS, &2, &tagged(&["red", "war"], -1))
        .row(&BOOKS, &30, &tagged(&["red"], 0))
        .snapshot();
    let keys = |scan: crate::IndexScan<'_, _, String, u16, Book>| -> Vec<u16> {
        scan.rows().map(|(key, _)| key).collect()
    };
    let red = || BOOKS.by(&BY_TAG, &snapshot).key("red");
    assert_eq!(keys(red().after("red", &1)), [2, 30]);
    assert_eq!(keys(red().descending()), [30, 2, 1]);
    assert_eq!(keys(BOOKS.by(&BY_TAG, &snapshot).from("s")), [2]);
    assert_eq!(keys(BOOKS.by(&BY_TAG, &snapshot).until("s")), [1, 2, 30]);
    let shelves: Vec<_> =
        BOOKS.by(&BY_SHELF, &snapshot).keys().map(|((_, shelf), _)| shelf).collect();
    assert_eq!(shelves, [-1, 0, 2]);
}
