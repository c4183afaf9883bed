//! What a table holds and how much of it a scan covers, as the contract has it.
//!
//! This module must not know about keys or codecs: here a key is text and a
//! value is JSON text or bytes.

/// A value of a table, or the result of a handler.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// One JSON document.
    Json(String),
    /// Anything else; the server does not look inside.
    Bytes(Vec<u8>),
}

impl Value {
    /// The same value, borrowed.
    ///
    /// ```
    /// use chancery_sdk::{Value, ValueRef};
    ///
    /// assert_eq!(Value::Json("7".to_owned()).as_ref(), ValueRef::Json("7"));
    /// ```
    pub fn as_ref(&self) -> ValueRef<'_> {
        match self {
            Self::Json(text) => ValueRef::Json(text),
            Self::Bytes(bytes) => ValueRef::Bytes(bytes),
        }
    }
}

/// A value that is still in the page it came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueRef<'a> {
    /// One JSON document.
    Json(&'a str),
    /// Anything else.
    Bytes(&'a [u8]),
}

/// Which keys a scan or count covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Range {
    /// Every key.
    All,
    /// Keys that begin with this text.
    Prefix(String),
    /// Keys from `lower` on and below `upper`; none means no limit.
    Between {
        /// The lowest key that belongs to the range.
        lower: Option<String>,
        /// The lowest key beyond the range.
        upper: Option<String>,
    },
}

/// In which direction a scan goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// From the lowest key up.
    Ascending,
    /// From the highest key down.
    Descending,
}
