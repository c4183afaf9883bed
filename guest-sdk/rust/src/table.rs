//! Typed tables.

use std::fmt;
use std::marker::PhantomData;

use crate::key::{self, AsKey, KEY_BYTES_MAX, Key};
use crate::{Codec, Json, Packed, Read, Scan, Value, ValueRef, Write};

/// An ordered table from keys of `K` to values of `V`.
///
/// A table is a constant; the rows are in the state it is used with.
///
/// ```
/// use chancery_sdk::{Rejection, Table, Transaction};
///
/// const VISITS: Table<String, u64> = Table::new("visits");
///
/// fn visit(tx: &mut Transaction, page: String) -> Result<u64, Rejection> {
///     let n_visits = VISITS.get(tx, &page).unwrap_or(0) + 1;
///     VISITS.put(tx, &page, &n_visits);
///     Ok(n_visits)
/// }
/// ```
///
/// Every method traps if no module of the app declares the table, or if a row
/// does not decode: then the state was written by other code, and a migration is
/// missing.
pub struct Table<K, V, C = Json> {
    name: &'static str,
    is_adopted: bool,
    types: Types<K, V, C>,
}

/// Types that something deals with and does not hold.
pub(crate) type Types<K, V, C> = PhantomData<fn() -> (K, V, C)>;

/// A table whose values are packed bytes instead of JSON.
///
/// ```
/// use chancery_sdk::BytesTable;
///
/// const THUMBNAILS: BytesTable<u64, Vec<u8>> = BytesTable::new("thumbnails");
/// # assert_eq!(THUMBNAILS.name(), "thumbnails");
/// ```
pub type BytesTable<K, V> = Table<K, V, Packed>;

impl<K, V, C> Table<K, V, C> {
    /// The table of this name: 1 to 64 lower-case letters, digits and hyphens,
    /// beginning with a letter.
    pub const fn new(name: &'static str) -> Self {
        Self { name, is_adopted: false, types: PhantomData }
    }

    /// Takes the table over, rows and all, if a module that is gone or no longer
    /// declares it has left it behind.
    #[must_use]
    pub const fn adopt(self) -> Self {
        Self { name: self.name, is_adopted: true, types: PhantomData }
    }

    /// The table's name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) const fn is_adopted(&self) -> bool {
        self.is_adopted
    }
}

impl<K: Key, V, C: Codec<V>> Table<K, V, C> {
    /// Sets the value of a key.
    ///
    /// Traps if the key is longer than 1,024 bytes or the value than 1 MiB.
    pub fn put<Q: AsKey<K> + ?Sized>(&self, store: &mut impl Write, key: &Q, value: &V) {
        let key = key::encode(key);
        let value = self.encode(&key, value);
        store.raw_put(self.name, &key, &value);
    }

    /// Removes a key. Removing one that is absent changes nothing.
    pub fn delete<Q: AsKey<K> + ?Sized>(&self, store: &mut impl Write, key: &Q) {
        let key = key::encode(key);
        if is_possible(&key) {
            store.raw_delete(self.name, &key);
        }
    }

    /// The value of a key, or none.
    pub fn get<Q: AsKey<K> + ?Sized>(&self, store: &impl Read, key: &Q) -> Option<V> {
        let key = key::encode(key);
        let value = self.raw_get(store, &key)?;
        Some(self.decode(&key, value.as_ref()))
    }

    /// The values of many keys, in the order asked, in one call to the server.
    pub fn get_many<Q: AsKey<K>>(&self, store: &impl Read, keys: &[Q]) -> Vec<Option<V>> {
        let keys: Vec<String> = keys.iter().map(|key| key::encode(key)).collect();
        let values = store.raw_get_many(self.name, &keys);
        let rows = keys.iter().zip(values);
        rows.map(|(key, value)| Some(self.decode(key, value?.as_ref()))).collect()
    }

    /// Whether the key has a value.
    pub fn contains<Q: AsKey<K> + ?Sized>(&self, store: &impl Read, key: &Q) -> bool {
        self.raw_get(store, &key::encode(key)).is_some()
    }

    /// How many rows there are. Reads none of them.
    pub fn count(&self, store: &impl Read) -> u64 {
        self.scan(store).count()
    }

    /// The rows in the order of their keys; see [`Scan`] for parts of them.
    pub fn scan<'s, R: Read>(&self, store: &'s R) -> Scan<'s, R, K, V, C> {
        Scan::new(store, self.name)
    }
}

impl<K, V, C: Codec<V>> Table<K, V, C> {
    /// A key that is too long for a table is in none: it came from a client, and
    /// asking for it is no mistake.
    pub(crate) fn raw_get(&self, store: &impl Read, key: &str) -> Option<Value> {
        if is_possible(key) { store.raw_get(self.name, key) } else { None }
    }

    #[expect(clippy::panic, reason = "a mistake in the handler: it traps")]
    pub(crate) fn encode(&self, key: &str, value: &V) -> Value {
        match C::encode(value) {
            Ok(value) => value,
            Err(error) => panic!("{:?} of table `{}` cannot be written: {error}", key, self.name),
        }
    }

    pub(crate) fn decode(&self, key: &str, value: ValueRef<'_>) -> V {
        decode::<V, C>(self.name, key, value)
    }
}

#[expect(clippy::panic, reason = "the state does not fit the code: it traps")]
pub(crate) fn decode<V, C: Codec<V>>(table: &str, key: &str, value: ValueRef<'_>) -> V {
    match C::decode(value) {
        Ok(value) => value,
        Err(error) => panic!("{key:?} of table `{table}` cannot be read: {error}"),
    }
}

fn is_possible(key: &str) -> bool {
    key.len() <= KEY_BYTES_MAX
}

// By hand, since derives would ask the same of `K`, `V` and `C`.
impl<K, V, C> Clone for Table<K, V, C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K, V, C> Copy for Table<K, V, C> {}

impl<K, V, C> fmt::Debug for Table<K, V, C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Table").field(&self.name).finish()
    }
}

/// What a test harness needs of a table, indexed or not.
pub trait Keyed {
    /// The type of the keys.
    type Key: Key;
    /// The type of the values.
    type Value;

    /// The table's name.
    fn name(&self) -> &'static str;

    /// As [`Table::put`].
    fn put_row<Q>(&self, store: &mut impl Write, key: &Q, value: &Self::Value)
    where
        Q: AsKey<Self::Key> + ?Sized;

    /// The value as a row would hold it.
    fn encode_row(&self, value: &Self::Value) -> Value;
}

impl<K: Key, V, C: Codec<V>> Keyed for Table<K, V, C> {
    type Key = K;
    type Value = V;

    fn name(&self) -> &'static str {
        self.name
    }

    fn put_row<Q: AsKey<K> + ?Sized>(&self, store: &mut impl Write, key: &Q, value: &V) {
        self.put(store, key, value);
    }

    fn encode_row(&self, value: &V) -> Value {
        self.encode("a row", value)
    }
}
