//! Keys: values as text that sorts as the values do.
//!
//! A table is ordered by the bytes of its keys, and a key is text that a person
//! meets in URLs and listings. So the encoding is made to be read:
//!
//! | component | text | example |
//! |---|---|---|
//! | text | itself; U+0000 to U+000A become LF and one of `0`–`9`, `:` | `lamp` |
//! | integer ≥ 0 | a letter for the number of digits (`A` 1, `B` 2, …), the digits | 7 `A7`, 1994 `D1994` |
//! | integer < 0 | `-`, a letter counted back from `z`, each digit taken from 9 | -42 `-y57` |
//! | `bool` | `false` or `true` | `true` |
//! | `Uuid` (feature `uuid`) | its usual form in lower case | `0190d5c0-…` |
//!
//! The components of a tuple are joined by a tab, which is lower than anything a
//! component can contain: `("bob", 7)` is `bob⇥A7`. Tuples within tuples are
//! flattened. The one key that would be empty, that of an empty text alone, is a
//! single tab. All integer types share one form, so a `u32` in a key may become
//! a `u64` without rewriting the table.
//!
//! From this follows, and is tested:
//! - encoded keys compare as the values do, component by component;
//! - decoding gives back the value, and only text made by encoding decodes;
//! - the keys whose first components are given are exactly those that begin
//!   with these components and a tab.

mod integer;
#[cfg(test)]
mod tests;
mod tuple;
#[cfg(test)]
mod vectors;

use std::fmt;

pub(crate) use tuple::components;

/// Below everything a component can contain, so that the shorter of two texts
/// sorts first whatever follows it.
const SEPARATOR: char = '\t';

/// Begins what stands for a character up to itself; sorts just above the
/// separator and below all that stands for itself.
const ESCAPE: char = '\n';

/// The longest key a table takes.
pub(crate) const KEY_BYTES_MAX: usize = 1_024;

/// Something that can be written as a key or a part of one.
pub trait Encode {
    /// Appends the components.
    fn encode(&self, key: &mut KeyWriter);
}

/// A type that can be the key of a table.
pub trait Key: Encode + Sized {
    /// Takes the components off the front.
    ///
    /// # Errors
    ///
    /// If the text is not what [`Encode::encode`] writes.
    fn decode(parts: &mut KeyReader<'_>) -> Result<Self, KeyError>;
}

/// Something that is written as the same text as the key type `K`: `&str` for
/// `String`, `(&str, u32)` for `(String, u32)`.
pub trait AsKey<K: Key>: Encode {}

/// What the keys of type `K` may begin with: some of the first components of a
/// tuple, or the beginning of a text.
pub trait Prefix<K: Key> {
    /// The text with which exactly the matching keys begin.
    fn encode_prefix(&self) -> String;
}

/// The text of a key.
///
/// ```
/// use chancery_sdk::key;
///
/// assert_eq!(key::encode("lamp"), "lamp");
/// assert_eq!(key::encode(&("bob", 42_u32)), "bob\tB42");
/// ```
pub fn encode(key: &(impl Encode + ?Sized)) -> String {
    let mut writer = KeyWriter::default();
    key.encode(&mut writer);
    if writer.text.is_empty() {
        writer.text.push(SEPARATOR);
    }
    writer.text
}

/// The key that a text stands for.
///
/// ```
/// use chancery_sdk::key;
///
/// assert_eq!(key::decode::<(String, u32)>("bob\tB42"), Ok(("bob".to_owned(), 42)));
/// assert!(key::decode::<u32>("42").is_err());
/// ```
///
/// # Errors
///
/// If the text is not what [`encode`] gives for any `K`.
pub fn decode<K: Key>(text: &str) -> Result<K, KeyError> {
    if text.is_empty() {
        return Err(KeyError("no key is empty"));
    }
    let mut parts = KeyReader { rest: Some(text) };
    let key = K::decode(&mut parts)?;
    match parts.rest {
        None => Ok(key),
        // An empty text alone.
        Some("") if text.len() == 1 => Ok(key),
        Some(_) => Err(KeyError("more components than the type has")),
    }
}

/// Collects the components of a key.
#[derive(Debug, Default)]
pub struct KeyWriter {
    text: String,
    // Not to be seen from `text`: the first component may be empty.
    n_parts: usize,
}

impl KeyWriter {
    /// Where the next component goes, after a separator if it is not the first.
    fn next_part(&mut self) -> &mut String {
        if self.n_parts > 0 {
            self.text.push(SEPARATOR);
        }
        self.n_parts += 1;
        &mut self.text
    }
}

/// Gives out the components of a key.
#[derive(Debug)]
pub struct KeyReader<'a> {
    rest: Option<&'a str>,
}

impl<'a> KeyReader<'a> {
    fn next_part(&mut self) -> Result<&'a str, KeyError> {
        let rest = self.rest.take().ok_or(KeyError("fewer components than the type has"))?;
        match rest.split_once(SEPARATOR) {
            Some((part, after)) => {
                self.rest = Some(after);
                Ok(part)
            }
            None => Ok(rest),
        }
    }
}

/// Why a text is not a key of some type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyError(&'static str);

impl fmt::Display for KeyError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0)
    }
}

impl std::error::Error for KeyError {}

impl Encode for str {
    fn encode(&self, key: &mut KeyWriter) {
        escape(self, key.next_part());
    }
}

impl AsKey<String> for str {}

impl Prefix<String> for str {
    fn encode_prefix(&self) -> String {
        let mut text = String::with_capacity(self.len());
        escape(self, &mut text);
        text
    }
}

impl Encode for String {
    fn encode(&self, key: &mut KeyWriter) {
        self.as_str().encode(key);
    }
}

impl Key for String {
    fn decode(parts: &mut KeyReader<'_>) -> Result<Self, KeyError> {
        unescape(parts.next_part()?)
    }
}

impl AsKey<Self> for String {}

impl Prefix<Self> for String {
    fn encode_prefix(&self) -> String {
        self.as_str().encode_prefix()
    }
}

impl Encode for bool {
    fn encode(&self, key: &mut KeyWriter) {
        key.next_part().push_str(if *self { "true" } else { "false" });
    }
}

impl Key for bool {
    fn decode(parts: &mut KeyReader<'_>) -> Result<Self, KeyError> {
        match parts.next_part()? {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(KeyError("not a bool")),
        }
    }
}

impl AsKey<Self> for bool {}

#[cfg(feature = "uuid")]
impl Encode for uuid::Uuid {
    fn encode(&self, key: &mut KeyWriter) {
        let mut buffer = Self::encode_buffer();
        key.next_part().push_str(self.hyphenated().encode_lower(&mut buffer));
    }
}

#[cfg(feature = "uuid")]
impl Key for uuid::Uuid {
    fn decode(parts: &mut KeyReader<'_>) -> Result<Self, KeyError> {
        let part = parts.next_part()?;
        match Self::try_parse(part) {
            // Other spellings parse, but the encoder does not write them.
            Ok(id) if encode(&id) == part => Ok(id),
            Ok(_) | Err(_) => Err(KeyError("not a UUID in lower case")),
        }
    }
}

#[cfg(feature = "uuid")]
impl AsKey<Self> for uuid::Uuid {}

impl<T: Encode + ?Sized> Encode for &T {
    fn encode(&self, key: &mut KeyWriter) {
        (**self).encode(key);
    }
}

impl<K: Key, T: AsKey<K> + ?Sized> AsKey<K> for &T {}

fn escape(text: &str, into: &mut String) {
    if text.bytes().all(|byte| byte > b'\n') {
        into.push_str(text);
        return;
    }
    for character in text.chars() {
        if character > ESCAPE {
            into.push(character);
        } else {
            into.push(ESCAPE);
            // U+0000 to U+000A become `0` to `:`, in this order.
            into.extend(char::from_u32(u32::from(character) + u32::from('0')));
        }
    }
}

fn unescape(part: &str) -> Result<String, KeyError> {
    let mut text = String::with_capacity(part.len());
    let mut characters = part.chars();
    while let Some(character) = characters.next() {
        match character {
            ESCAPE => match characters.next() {
                Some(code @ '0'..=':') => {
                    text.extend(char::from_u32(u32::from(code) - u32::from('0')));
                }
                Some(_) | None => return Err(KeyError("an escape that stands for nothing")),
            },
            '\0'..ESCAPE => return Err(KeyError("a control character that is not escaped")),
            _ => text.push(character),
        }
    }
    Ok(text)
}
