//! The words of the data model, as types that cannot be wrong, and their limits.
//!
//! Everything else builds on this module; it knows no other module of the
//! crate, does no I/O and asks no clock.

mod derived;
mod event;
mod pattern;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use uuid::Uuid;

pub use self::derived::derived;
pub use self::event::{Event, StoredEvent};
pub use self::pattern::{EVENT_TYPE_BYTES_MAX, Pattern, is_event_type};

/// The longest name of an app, module, table, query or command, in bytes. Names
/// appear in paths and log lines; 64 is what fits there.
pub const NAME_BYTES_MAX: usize = 64;
/// The longest key of a table, in bytes.
pub const KEY_BYTES_MAX: usize = 1024;
/// The largest value of a table, in bytes.
pub const VALUE_BYTES_MAX: usize = 1 << 20;
/// Numbers shown to guests stay below this, the largest integer that a double
/// holds exactly.
pub const GUEST_INTEGER_MAX: u64 = (1 << 53) - 1;

/// Why a piece of text is not the name, id or key it was taken for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {reason}")]
pub struct Invalid {
    /// The kind of thing it should have been.
    pub what: &'static str,
    /// What is wrong with it.
    pub reason: String,
}

/// The name of an app, module, query, command or table: 1 to 64 lower-case
/// letters, digits and hyphens, beginning with a letter.
///
/// System tables, which no client can name in a manifest, begin with `$`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Arc<str>);

impl Name {
    /// The name of a system table. Only for constants of this crate.
    #[must_use]
    pub fn system(name: &'static str) -> Self {
        debug_assert!(name.starts_with('$'));
        Self(name.into())
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this names a table of the server's own.
    #[must_use]
    pub fn is_system(&self) -> bool {
        self.0.starts_with('$')
    }

    /// The system table in which another is being built that is to take this one's
    /// place.
    #[must_use]
    pub fn next_table(&self) -> Self {
        Self(format!("{NEXT}{self}").into())
    }

    /// Reads back a name that this server wrote, which may be a system table's.
    ///
    /// # Errors
    /// [`Invalid`] if it is neither a name, nor `$` or `$next/` and a name.
    pub fn parse_stored(text: &str) -> Result<Self, Invalid> {
        let name = text.strip_prefix(NEXT).or_else(|| text.strip_prefix('$'));
        check_name(name.unwrap_or(text))?;
        Ok(Self(text.into()))
    }
}

/// What the names of tables begin with that are being built.
const NEXT: &str = "$next/";

impl FromStr for Name {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        check_name(text)?;
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

impl std::borrow::Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

fn check_name(text: &str) -> Result<(), Invalid> {
    let invalid = |reason: String| Err(Invalid { what: "name", reason });
    if text.is_empty() || text.len() > NAME_BYTES_MAX {
        return invalid(format!("must have 1 to {NAME_BYTES_MAX} bytes, not {}", text.len()));
    }
    if !text.starts_with(|c: char| c.is_ascii_lowercase()) {
        return invalid(format!("`{text}` must begin with a lower-case letter"));
    }
    let stray = |c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if let Some(c) = text.chars().find(|&c| stray(c)) {
        return invalid(format!(
            "`{text}` has {c:?}; lower-case letters, digits and `-` are allowed"
        ));
    }
    Ok(())
}

/// An entry's place in its app's log, from 1, without gaps; 0 stands for the
/// state before the first entry.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Sequence(pub u64);

impl Sequence {
    /// The place after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An event's place among its app's events, from 1, without gaps.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Position(pub u64);

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One line of sequences of one app; new when an app is created or restored, so
/// that numbers of two lines are never taken for each other.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct History(pub Uuid);

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The id a client gives its command: a UUID that carries the time at which it
/// was made, so that one too old to be remembered can be told from a new one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct CommandId {
    uuid: Uuid,
    time_ms: u64,
}

impl CommandId {
    /// The UUID.
    #[must_use]
    pub fn uuid(self) -> Uuid {
        self.uuid
    }

    /// The time in it, in milliseconds since 1970.
    #[must_use]
    pub fn time_ms(self) -> u64 {
        self.time_ms
    }

    /// Takes a UUID as an id if its version carries a time that clients may set.
    ///
    /// # Errors
    /// [`Invalid`] for every version but 1, 6 and 7.
    pub fn new(uuid: Uuid) -> Result<Self, Invalid> {
        let invalid = |reason: String| Err(Invalid { what: "command id", reason });
        let advice = "use version 7 (or 6, or 1)";
        if uuid.get_variant() != uuid::Variant::RFC4122 {
            return invalid(format!("is not a UUID of the variant of RFC 9562; {advice}"));
        }
        match (uuid.get_version_num(), uuid.get_timestamp()) {
            (1 | 6 | 7, Some(time)) => {
                let (seconds, nanos) = time.to_unix();
                let time_ms = seconds.saturating_mul(1000) + u64::from(nanos / 1_000_000);
                Ok(Self { uuid, time_ms })
            }
            (2, _) => {
                invalid(format!("is a UUID of version 2, whose clock is too coarse; {advice}"))
            }
            (8, _) => invalid(format!("is a UUID of version 8, kept for the server; {advice}")),
            (n @ 3..=5, _) => {
                invalid(format!("is a UUID of version {n}, which has no time in it; {advice}"))
            }
            _ => invalid(format!("is not a UUID of a known version; {advice}")),
        }
    }
}

impl FromStr for CommandId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        match Uuid::try_parse(text) {
            Ok(uuid) => Self::new(uuid),
            Err(error) => Err(Invalid {
                what: "command id",
                reason: format!("`{}` is not a UUID: {error}", text.escape_debug()),
            }),
        }
    }
}

impl fmt::Display for CommandId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.uuid.fmt(f)
    }
}

/// A SHA-256, shown in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// The hash of some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

/// A SHA-256 of bytes that come in pieces.
#[derive(Debug, Clone, Default)]
pub struct Hasher(Sha256);

impl Hasher {
    /// Adds the next piece.
    pub fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash of all pieces.
    #[must_use]
    pub fn finish(self) -> Hash {
        Hash(self.0.finalize().into())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for Hash {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = || Invalid { what: "hash", reason: "must be 64 hexadecimal digits".into() };
        if text.len() != 64 || !text.is_ascii() {
            return Err(invalid());
        }
        let mut hash = [0; 32];
        for (byte, digits) in hash.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(digits).unwrap_or_default();
            // A sign would pass `from_str_radix`.
            if !digits.bytes().all(|c| c.is_ascii_hexdigit()) {
                return Err(invalid());
            }
            *byte = u8::from_str_radix(digits, 16).unwrap_or_default();
        }
        Ok(Self(hash))
    }
}

/// A key of a table: 1 to 1,024 bytes of UTF-8, ordered by its bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Key(Arc<str>);

impl Key {
    /// A key of this text.
    ///
    /// # Errors
    /// [`Invalid`] if it is empty or too long.
    pub fn new(text: &str) -> Result<Self, Invalid> {
        if text.is_empty() || text.len() > KEY_BYTES_MAX {
            let reason = format!("must have 1 to {KEY_BYTES_MAX} bytes, not {}", text.len());
            return Err(Invalid { what: "key", reason });
        }
        Ok(Self(text.into()))
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for Key {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A value of a table, or the result of a handler.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// One well-formed JSON document.
    Json(Arc<str>),
    /// Bytes that only handlers understand.
    Bytes(Arc<[u8]>),
}

impl Value {
    /// Its length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// Whether it has no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its bytes, whatever they mean.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Json(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }
}

/// What one entry changed: for each table the keys it set and removed. Puts and
/// deletes are absolute, so applying a change set twice is applying it once.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct ChangeSet {
    /// In the order of table names and, within a table, of keys; each key once.
    pub tables: Vec<TableChanges>,
}

impl ChangeSet {
    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// Adds what else changes in a table. Rows replace those of the same key.
    ///
    /// # Panics
    /// If both say what becomes of the table as a whole.
    pub fn add(&mut self, more: TableChanges) {
        let at = match self.tables.binary_search_by(|changes| changes.table.cmp(&more.table)) {
            Err(at) => return self.tables.insert(at, more),
            Ok(at) => at,
        };
        let Some(changes) = self.tables.get_mut(at) else { return };
        assert_eq!(more.lifecycle, Lifecycle::Kept, "table {} changes twice", more.table);
        let mut rows: BTreeMap<_, _> = std::mem::take(&mut changes.rows).into_iter().collect();
        rows.extend(more.rows);
        changes.rows = rows.into_iter().collect();
    }

    /// Adds all of another change set, table by table.
    ///
    /// # Panics
    /// As [`ChangeSet::add`].
    pub fn join(&mut self, more: Self) {
        more.tables.into_iter().for_each(|changes| self.add(changes));
    }

    /// How many keys are set or removed.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.tables.iter().map(|table| table.rows.len()).sum()
    }
}

/// The part of a change set that concerns one table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TableChanges {
    /// The table's name.
    pub table: Name,
    /// Whether the table is created, dropped, or kept.
    pub lifecycle: Lifecycle,
    /// New values, or none for a key that is removed, in key order.
    pub rows: Vec<(Key, Option<Value>)>,
}

/// What a change set does to a table as a whole, before its rows apply.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Lifecycle {
    /// It is there and stays.
    Kept,
    /// It is there afterwards, empty if it was not there before.
    Created,
    /// It is gone, with all its rows.
    Dropped,
    /// It has the rows of another table instead of its own, and the other is gone.
    /// All its rows count as changed.
    Moved {
        /// The other.
        from: Name,
    },
}

/// Why a handler refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// For programs, in kebab-case.
    pub code: Arc<str>,
    /// For people.
    pub message: Arc<str>,
    /// A JSON document.
    pub details: Option<Arc<str>>,
}

/// An error and its causes in one line, for logs and for people.
#[must_use]
pub fn chain_of(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
