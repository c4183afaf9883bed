//! Scans: which rows, in which order, and the iterators that read them.

use std::fmt;
use std::marker::PhantomData;

use crate::key::{self, AsKey, Key, Prefix};
use crate::store::Cursor;
use crate::table::{Types, decode};
use crate::{Codec, Json, Order, Range, Read, ValueRef};

/// The first page is small, for scans that stop after a few rows.
const FIRST_PAGE_BYTES: u32 = 4 * 1024;

/// Later pages grow up to this, where copying is all that is left of the cost.
const PAGE_BYTES_MAX: u32 = 256 * 1024;

/// Rows of a table, still to be narrowed down.
///
/// ```
/// use chancery_sdk::{Rejection, Snapshot, Table};
///
/// const ORDERS: Table<(String, u64), f64> = Table::new("orders");
///
/// /// The latest orders of a buyer, before a given one.
/// fn orders(snapshot: &Snapshot, buyer: String) -> Result<Vec<u64>, Rejection> {
///     let of_buyer = ORDERS.scan(snapshot).prefix(&(&buyer,));
///     let latest = of_buyer.until(&(&buyer, 1_000)).descending();
///     Ok(latest.keys().map(|(_, number)| number).take(20).collect())
/// }
/// ```
///
/// It can be given to `for` as it is. The iterators do not borrow the state, so a
/// command may write while it scans. They read page by page, and each page shows
/// the writes made before it was asked for: a row moved ahead of the scan may be
/// met again.
pub struct Scan<'s, R, K, V, C = Json> {
    store: &'s R,
    span: Span,
    types: Types<K, V, C>,
}

/// Part of a table.
#[derive(Debug)]
pub(crate) struct Span {
    pub(crate) table: &'static str,
    pub(crate) prefix: String,
    pub(crate) lower: Option<String>,
    pub(crate) upper: Option<String>,
    pub(crate) order: Order,
}

impl<'s, R: Read, K: Key, V, C: Codec<V>> Scan<'s, R, K, V, C> {
    pub(crate) fn new(store: &'s R, table: &'static str) -> Self {
        Self { store, span: Span::all(table), types: PhantomData }
    }

    /// Only keys that begin with these components, or with this text.
    #[must_use]
    pub fn prefix<P: Prefix<K> + ?Sized>(mut self, prefix: &P) -> Self {
        self.span.prefix = prefix.encode_prefix();
        self
    }

    /// Only keys from this one on.
    #[must_use]
    pub fn from<Q: AsKey<K> + ?Sized>(mut self, key: &Q) -> Self {
        self.span.lower = Some(key::encode(key));
        self
    }

    /// Only keys above this one: where the next page begins.
    #[must_use]
    pub fn after<Q: AsKey<K> + ?Sized>(mut self, key: &Q) -> Self {
        self.span.lower = Some(successor(key::encode(key)));
        self
    }

    /// Only keys below this one.
    #[must_use]
    pub fn until<Q: AsKey<K> + ?Sized>(mut self, key: &Q) -> Self {
        self.span.upper = Some(key::encode(key));
        self
    }

    /// Only keys up to and including this one.
    #[must_use]
    pub fn through<Q: AsKey<K> + ?Sized>(mut self, key: &Q) -> Self {
        self.span.upper = Some(successor(key::encode(key)));
        self
    }

    /// From the highest key down.
    #[must_use]
    pub fn descending(mut self) -> Self {
        self.span.order = Order::Descending;
        self
    }

    /// How many rows there are. Reads none of them.
    pub fn count(self) -> u64 {
        self.store.raw_count(self.span.table, &self.span.range())
    }

    /// The first row in the order of the scan.
    pub fn first(self) -> Option<(K, V)> {
        self.rows().next()
    }

    /// The rows, decoded one by one.
    pub fn rows(self) -> Rows<K, V, C> {
        let decode = |table: &str, key: &str, value: ValueRef<'_>| {
            (decode_key(table, key), decode::<V, C>(table, key, value))
        };
        Rows { pages: self.span.open(self.store), decode, codec: PhantomData }
    }

    /// The keys alone; values are not decoded.
    pub fn keys(self) -> impl Iterator<Item = K> + use<R, K, V, C> {
        let mut pages = self.span.open(self.store);
        let table = pages.table;
        std::iter::from_fn(move || pages.next_with(|key, _| decode_key(table, key)))
    }

    /// The values alone; keys are not decoded.
    pub fn values(self) -> impl Iterator<Item = V> + use<R, K, V, C> {
        let mut pages = self.span.open(self.store);
        let table = pages.table;
        std::iter::from_fn(move || pages.next_with(|key, value| decode::<V, C>(table, key, value)))
    }
}

impl<R: Read, K: Key, V, C: Codec<V>> IntoIterator for Scan<'_, R, K, V, C> {
    type Item = (K, V);
    type IntoIter = Rows<K, V, C>;

    fn into_iter(self) -> Self::IntoIter {
        self.rows()
    }
}

impl<R, K, V, C> fmt::Debug for Scan<'_, R, K, V, C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Scan").field(&self.span).finish()
    }
}

/// The rows of a scan. Made by [`Scan::rows`].
pub struct Rows<K, V, C = Json> {
    pages: Pages,
    decode: fn(&str, &str, ValueRef<'_>) -> (K, V),
    codec: PhantomData<fn() -> C>,
}

impl<K, V, C> Iterator for Rows<K, V, C> {
    type Item = (K, V);

    fn next(&mut self) -> Option<(K, V)> {
        let (table, decode) = (self.pages.table, self.decode);
        self.pages.next_with(|key, value| decode(table, key, value))
    }
}

impl<K, V, C> fmt::Debug for Rows<K, V, C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Rows").field(&self.pages).finish()
    }
}

impl Span {
    pub(crate) fn all(table: &'static str) -> Self {
        Self { table, prefix: String::new(), lower: None, upper: None, order: Order::Ascending }
    }

    /// What is asked of the server: the prefix alone where that says it all.
    pub(crate) fn range(&self) -> Range {
        if self.lower.is_none() && self.upper.is_none() {
            return match self.prefix.as_str() {
                "" => Range::All,
                prefix => Range::Prefix(prefix.to_owned()),
            };
        }
        let lower = self.lower.clone().max(Some(self.prefix.clone()));
        let upper = match (self.upper.clone(), prefix_end(&self.prefix)) {
            (Some(upper), Some(end)) => Some(upper.min(end)),
            (upper, end) => upper.or(end),
        };
        Range::Between { lower, upper }
    }

    pub(crate) fn open(&self, store: &impl Read) -> Pages {
        let cursor = store.raw_scan(self.table, &self.range(), self.order);
        Pages {
            table: self.table,
            cursor,
            page: Vec::new(),
            offset: 0,
            page_bytes: FIRST_PAGE_BYTES,
        }
    }
}

/// The lowest text above `key`.
pub(crate) fn successor(mut key: String) -> String {
    key.push('\0');
    key
}

/// The lowest text above all that begin with `prefix`; none if there is none.
fn prefix_end(prefix: &str) -> Option<String> {
    let mut end = prefix.to_owned();
    while let Some(last) = end.pop() {
        // Steps over the surrogates, which are no characters.
        if let Some(next) = (last..=char::MAX).nth(1) {
            end.push(next);
            return Some(end);
        }
    }
    None
}

/// Reads a cursor page by page and hands out rows where they lie.
#[derive(Debug)]
pub(crate) struct Pages {
    pub(crate) table: &'static str,
    cursor: Cursor,
    page: Vec<u8>,
    offset: usize,
    page_bytes: u32,
}

impl Pages {
    /// What `read` makes of the next row; none at the end.
    #[expect(clippy::panic, reason = "only a server that breaks the contract gets here: trap")]
    pub(crate) fn next_with<T>(&mut self, read: impl FnOnce(&str, ValueRef<'_>) -> T) -> Option<T> {
        if self.offset == self.page.len() {
            self.page = self.cursor.next_packed(self.page_bytes);
            self.page_bytes = (self.page_bytes * 4).min(PAGE_BYTES_MAX);
            self.offset = 0;
        }
        let rest = self.page.get(self.offset..)?;
        if rest.is_empty() {
            return None;
        }
        let Some((key, value, row_bytes)) = unpack(rest) else {
            panic!("a page of table `{}` is malformed", self.table);
        };
        self.offset += row_bytes;
        Some(read(key, value))
    }
}

/// The first row of a page and how many bytes it takes; see `cursor.next-packed`
/// in the contract for the form.
fn unpack(page: &[u8]) -> Option<(&str, ValueRef<'_>, usize)> {
    const IS_BYTES: u32 = 1 << 31;
    let (key_bytes, rest) = page.split_first_chunk()?;
    let (value_bytes, rest) = rest.split_first_chunk()?;
    let tagged_bytes = u32::from_le_bytes(*value_bytes);
    let key_bytes = usize::try_from(u32::from_le_bytes(*key_bytes)).ok()?;
    let value_bytes = usize::try_from(tagged_bytes & !IS_BYTES).ok()?;
    let (key, rest) = rest.split_at_checked(key_bytes)?;
    let value = rest.get(..value_bytes)?;
    let value = if tagged_bytes & IS_BYTES == 0 {
        ValueRef::Json(str::from_utf8(value).ok()?)
    } else {
        ValueRef::Bytes(value)
    };
    Some((str::from_utf8(key).ok()?, value, 8 + key_bytes + value_bytes))
}

#[expect(clippy::panic, reason = "the state does not fit the code: it traps")]
pub(crate) fn decode_key<K: Key>(table: &str, key: &str) -> K {
    match key::decode(key) {
        Ok(decoded) => decoded,
        Err(error) => panic!("the key {key:?} of table `{table}` cannot be read: {error}"),
    }
}
