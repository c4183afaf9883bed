//! Secondary indexes, kept by the SDK.
//!
//! An index is a table of its own, declared beside the table it belongs to and
//! changed in the same transaction. Its keys are the index key's components
//! followed by those of the row's key; its values say nothing.

mod scan;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;

pub use scan::IndexScan;

use crate::key::{self, AsKey, Encode, Key, KeyWriter};
use crate::scan::Span;
use crate::table::Keyed;
use crate::{Codec, Json, Read, Scan, Table, Value, Write};

/// What an index's rows hold: the shortest JSON there is. All is in their keys.
const NOTHING: &str = "0";

/// A second order over the rows of a table: under which keys of `I` a row is
/// found. None, one or several.
pub struct Index<I, K, V> {
    name: &'static str,
    keys: fn(&K, &V) -> Vec<I>,
}

/// A table with indexes that are always in step with it.
///
/// ```
/// use chancery_sdk::{Index, Indexed, Rejection, Snapshot, Table};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Book {
///     title: String,
///     authors: Vec<String>,
/// }
///
/// const BOOKS: Indexed<u64, Book> = Indexed::new(Table::new("books"), &[&BY_AUTHOR]);
/// const BY_AUTHOR: Index<String, u64, Book> =
///     Index::new("books-by-author", |_, book| book.authors.clone());
///
/// fn books_of(snapshot: &Snapshot, author: String) -> Result<Vec<String>, Rejection> {
///     let books = BOOKS.by(&BY_AUTHOR, snapshot).key(&author);
///     Ok(books.rows().map(|(_, book)| book.title).collect())
/// }
/// ```
///
/// Rows must be written through it alone, and the function of an index must
/// depend on nothing but the row. An index that is added to a table with rows, or
/// whose function changes, is built anew by [`reindex`](Self::reindex).
pub struct Indexed<K: 'static, V: 'static, C = Json> {
    table: Table<K, V, C>,
    indexes: &'static [&'static dyn Maintain<K, V>],
}

/// An index whose type of key does not matter.
pub trait Maintain<K, V> {
    /// The table the index is kept in.
    fn name(&self) -> &'static str;

    /// The keys of the index table for a row.
    fn entries(&self, key: &K, value: &V) -> BTreeSet<String>;
}

impl<I: Key, K: Key, V> Index<I, K, V> {
    /// An index kept in the table of this name.
    pub const fn new(name: &'static str, keys: fn(&K, &V) -> Vec<I>) -> Self {
        Self { name, keys }
    }
}

impl<I: Key, K: Key, V> Maintain<K, V> for Index<I, K, V> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn entries(&self, key: &K, value: &V) -> BTreeSet<String> {
        let index_keys = (self.keys)(key, value);
        index_keys.iter().map(|index_key| key::encode(&Entry(index_key, key))).collect()
    }
}

/// The key of an index's row.
struct Entry<'a, I, K>(&'a I, &'a K);

impl<I: Encode, K: Encode> Encode for Entry<'_, I, K> {
    fn encode(&self, key: &mut KeyWriter) {
        self.0.encode(key);
        self.1.encode(key);
    }
}

impl<K, V, C> Indexed<K, V, C> {
    /// A table with these indexes.
    pub const fn new(
        table: Table<K, V, C>,
        indexes: &'static [&'static dyn Maintain<K, V>],
    ) -> Self {
        Self { table, indexes }
    }

    /// The table without its indexes, for reading.
    pub const fn table(&self) -> &Table<K, V, C> {
        &self.table
    }

    pub(crate) fn indexes(&self) -> &'static [&'static dyn Maintain<K, V>] {
        self.indexes
    }
}

impl<K: Key, V, C: Codec<V>> Indexed<K, V, C> {
    /// Sets the value of a key, in the table and in every index.
    pub fn put<Q: AsKey<K> + ?Sized>(&self, store: &mut impl Write, key: &Q, value: &V) {
        let text = key::encode(key);
        let key = self.decode_key(&text);
        let before = self.row(store, &text);
        for index in self.indexes {
            let old = before.as_ref().map(|row| index.entries(&key, row)).unwrap_or_default();
            replace(store, index.name(), &old, &index.entries(&key, value));
        }
        store.raw_put(self.table.name(), &text, &self.table.encode(&text, value));
    }

    /// Removes a key from the table and from every index.
    pub fn delete<Q: AsKey<K> + ?Sized>(&self, store: &mut impl Write, key: &Q) {
        let text = key::encode(key);
        let Some(before) = self.row(store, &text) else {
            return;
        };
        let key = self.decode_key(&text);
        for index in self.indexes {
            replace(store, index.name(), &index.entries(&key, &before), &BTreeSet::new());
        }
        store.raw_delete(self.table.name(), &text);
    }

    /// Builds every index anew from the rows.
    pub fn reindex(&self, store: &mut impl Write) {
        for index in self.indexes {
            let mut old = Span::all(index.name()).open(store);
            while let Some(entry) = old.next_with(|entry, _| entry.to_owned()) {
                store.raw_delete(index.name(), &entry);
            }
        }
        for (key, value) in self.scan(store) {
            for index in self.indexes {
                let entries = index.entries(&key, &value);
                replace(store, index.name(), &BTreeSet::new(), &entries);
            }
        }
    }

    /// As [`Table::get`].
    pub fn get<Q: AsKey<K> + ?Sized>(&self, store: &impl Read, key: &Q) -> Option<V> {
        self.table.get(store, key)
    }

    /// As [`Table::get_many`].
    pub fn get_many<Q: AsKey<K>>(&self, store: &impl Read, keys: &[Q]) -> Vec<Option<V>> {
        self.table.get_many(store, keys)
    }

    /// As [`Table::contains`].
    pub fn contains<Q: AsKey<K> + ?Sized>(&self, store: &impl Read, key: &Q) -> bool {
        self.table.contains(store, key)
    }

    /// As [`Table::count`].
    pub fn count(&self, store: &impl Read) -> u64 {
        self.table.count(store)
    }

    /// As [`Table::scan`]: in the order of the keys, not of an index.
    pub fn scan<'s, R: Read>(&self, store: &'s R) -> Scan<'s, R, K, V, C> {
        self.table.scan(store)
    }

    /// The rows in the order of one of the indexes; a row that is found under
    /// several keys comes several times.
    ///
    /// # Panics
    ///
    /// If the index is not among this table's.
    pub fn by<'s, R: Read, I: Key>(
        &self,
        index: &Index<I, K, V>,
        store: &'s R,
    ) -> IndexScan<'s, R, I, K, V, C> {
        let is_kept = self.indexes.iter().any(|kept| kept.name() == index.name);
        assert!(is_kept, "`{}` has no index `{}`", self.table.name(), index.name);
        IndexScan::new(store, index.name, self.table)
    }

    fn row(&self, store: &impl Read, text: &str) -> Option<V> {
        let value = self.table.raw_get(store, text)?;
        Some(self.table.decode(text, value.as_ref()))
    }

    fn decode_key(&self, text: &str) -> K {
        crate::scan::decode_key(self.table.name(), text)
    }
}

/// Takes away the entries that are no longer right and adds those that are new.
fn replace(store: &mut impl Write, index: &str, old: &BTreeSet<String>, new: &BTreeSet<String>) {
    for entry in old.difference(new) {
        store.raw_delete(index, entry);
    }
    for entry in new.difference(old) {
        store.raw_put(index, entry, &Value::Json(NOTHING.to_owned()));
    }
}

impl<K: Key, V, C: Codec<V>> Keyed for Indexed<K, V, C> {
    type Key = K;
    type Value = V;

    fn name(&self) -> &'static str {
        self.table.name()
    }

    fn put_row<Q: AsKey<K> + ?Sized>(&self, store: &mut impl Write, key: &Q, value: &V) {
        self.put(store, key, value);
    }

    fn encode_row(&self, value: &V) -> Value {
        self.table.encode_row(value)
    }
}

impl<I, K, V> fmt::Debug for Index<I, K, V> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Index").field(&self.name).finish()
    }
}

impl<K, V, C> fmt::Debug for Indexed<K, V, C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let indexes: Vec<_> = self.indexes.iter().map(|index| index.name()).collect();
        formatter.debug_struct("Indexed").field("table", &self.table).field("by", &indexes).finish()
    }
}
