//! Rows in the order of an index.

use std::collections::VecDeque;
use std::fmt;
use std::marker::PhantomData;

use super::Entry;
use crate::key::{self, AsKey, Encode, Key, Prefix, components};
use crate::scan::{Span, decode_key, successor};
use crate::{Codec, Json, Order, Read, Table};

/// How many rows are fetched in one call to the server, at most: as many of the
/// largest, of 1 MiB, as fit the 16 MiB that one call may return.
const BATCH_ROWS_MAX: usize = 15;

/// Rows of a table in the order of an index, still to be narrowed down. Made by
/// [`Indexed::by`](crate::Indexed::by).
///
/// ```
/// use chancery_sdk::{Index, Indexed, Rejection, Snapshot, Table};
///
/// const SCORES: Indexed<String, u32> = Indexed::new(Table::new("scores"), &[&RANKING]);
/// const RANKING: Index<u32, String, u32> =
///     Index::new("scores-ranking", |_, score| vec![*score]);
///
/// fn best(snapshot: &Snapshot, (): ()) -> Result<Vec<(String, u32)>, Rejection> {
///     Ok(SCORES.by(&RANKING, snapshot).descending().rows().take(10).collect())
/// }
/// ```
pub struct IndexScan<'s, R, I, K, V, C = Json> {
    store: &'s R,
    span: Span,
    table: Table<K, V, C>,
    index_key: PhantomData<fn() -> I>,
}

impl<'s, R: Read, I: Key, K: Key, V, C: Codec<V>> IndexScan<'s, R, I, K, V, C> {
    pub(super) fn new(store: &'s R, index: &'static str, table: Table<K, V, C>) -> Self {
        Self { store, span: Span::all(index), table, index_key: PhantomData }
    }

    /// Only rows found under exactly this index key.
    #[must_use]
    pub fn key<Q: AsKey<I> + ?Sized>(mut self, index_key: &Q) -> Self {
        self.span.prefix = components(index_key);
        self
    }

    /// Only rows found under index keys that begin so.
    #[must_use]
    pub fn prefix<P: Prefix<I> + ?Sized>(mut self, prefix: &P) -> Self {
        self.span.prefix = prefix.encode_prefix();
        self
    }

    /// Only rows found under index keys from this one on.
    #[must_use]
    pub fn from<Q: AsKey<I> + ?Sized>(mut self, index_key: &Q) -> Self {
        self.span.lower = Some(key::encode(index_key));
        self
    }

    /// Only rows found under index keys below this one.
    #[must_use]
    pub fn until<Q: AsKey<I> + ?Sized>(mut self, index_key: &Q) -> Self {
        self.span.upper = Some(key::encode(index_key));
        self
    }

    /// Only what comes after this row in ascending order: where the next page
    /// begins.
    #[must_use]
    pub fn after<P: AsKey<I> + ?Sized, Q: AsKey<K> + ?Sized>(
        mut self,
        index_key: &P,
        key: &Q,
    ) -> Self {
        self.span.lower = Some(successor(key::encode(&Entry(&index_key, &key))));
        self
    }

    /// From the highest index key down.
    #[must_use]
    pub fn descending(mut self) -> Self {
        self.span.order = Order::Descending;
        self
    }

    /// How many rows there are. Reads none of them.
    pub fn count(self) -> u64 {
        self.store.raw_count(self.span.table, &self.span.range())
    }

    /// The index keys with the keys of the rows found under them; the rows are
    /// not read.
    pub fn keys(self) -> impl Iterator<Item = (I, K)> + use<R, I, K, V, C> {
        let mut pages = self.span.open(self.store);
        let index = pages.table;
        std::iter::from_fn(move || pages.next_with(|entry, _| decode_key(index, entry)))
    }

    /// The rows. They are fetched in growing batches while the iterator runs.
    pub fn rows(self) -> impl Iterator<Item = (K, V)> + use<'s, R, I, K, V, C> {
        let (store, table) = (self.store, self.table);
        let mut keys = self.keys().map(|(_, key)| key);
        let mut batch = VecDeque::new();
        let mut batch_rows = 16;
        std::iter::from_fn(move || {
            if batch.is_empty() {
                batch = fetch(store, &table, keys.by_ref().take(batch_rows).collect());
                batch_rows = (batch_rows * 2).min(BATCH_ROWS_MAX);
            }
            batch.pop_front()
        })
    }
}

#[expect(clippy::panic, reason = "a row written past its index: the state is wrong, trap")]
fn fetch<K, V, C>(store: &impl Read, table: &Table<K, V, C>, keys: Vec<K>) -> VecDeque<(K, V)>
where
    K: Key + Encode,
    C: Codec<V>,
{
    let texts: Vec<String> = keys.iter().map(key::encode).collect();
    let values = store.raw_get_many(table.name(), &texts);
    let rows = keys.into_iter().zip(texts).zip(values);
    rows.map(|((key, text), value)| match value {
        Some(value) => (key, table.decode(&text, value.as_ref())),
        None => panic!("{text:?} is in an index of table `{}` but not in it", table.name()),
    })
    .collect()
}

impl<R, I, K, V, C> fmt::Debug for IndexScan<'_, R, I, K, V, C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("IndexScan").field(&self.span).finish()
    }
}
