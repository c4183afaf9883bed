//! How a row's value becomes JSON or bytes.
//!
//! JSON is the default: a person can read it in a browser. Packed bytes are for
//! tables that are scanned often, where parsing JSON would be most of the work.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Value, ValueRef};

/// A way to write values of `V` into a table and to read them back.
pub trait Codec<V> {
    /// The value as the table holds it.
    ///
    /// # Errors
    ///
    /// If the value cannot be represented. The table traps: it is a mistake in
    /// the handler.
    fn encode(value: &V) -> Result<Value, CodecError>;

    /// The value that a row holds.
    ///
    /// # Errors
    ///
    /// If the row was written by something else. The table traps: the state does
    /// not fit the code, and a migration was forgotten.
    fn decode(value: ValueRef<'_>) -> Result<V, CodecError>;
}

/// Why a value could not be written or read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodecError(String);

impl CodecError {
    /// An error with this text.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for CodecError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for CodecError {}

/// Values as JSON, by serde.
#[derive(Clone, Copy, Debug)]
pub enum Json {}

impl<V: Serialize + DeserializeOwned> Codec<V> for Json {
    fn encode(value: &V) -> Result<Value, CodecError> {
        match serde_json::to_string(value) {
            Ok(text) => Ok(Value::Json(text)),
            Err(error) => Err(CodecError::new(error.to_string())),
        }
    }

    fn decode(value: ValueRef<'_>) -> Result<V, CodecError> {
        match value {
            ValueRef::Json(text) => {
                serde_json::from_str(text).map_err(|error| CodecError::new(error.to_string()))
            }
            ValueRef::Bytes(_) => Err(CodecError::new("the row holds bytes, not JSON")),
        }
    }
}

/// Values as bytes, by [`Pack`].
#[derive(Clone, Copy, Debug)]
pub enum Packed {}

impl<V: Pack> Codec<V> for Packed {
    fn encode(value: &V) -> Result<Value, CodecError> {
        let mut bytes = Vec::new();
        value.pack(&mut bytes);
        Ok(Value::Bytes(bytes))
    }

    fn decode(value: ValueRef<'_>) -> Result<V, CodecError> {
        match value {
            ValueRef::Bytes(bytes) => V::unpack(bytes),
            ValueRef::Json(_) => Err(CodecError::new("the row holds JSON, not bytes")),
        }
    }
}

/// A type with a compact form of its own, for a [`BytesTable`](crate::BytesTable).
///
/// ```
/// use chancery_sdk::{CodecError, Pack};
///
/// struct Point {
///     x: i32,
///     y: i32,
/// }
///
/// impl Pack for Point {
///     fn pack(&self, bytes: &mut Vec<u8>) {
///         bytes.extend(self.x.to_le_bytes());
///         bytes.extend(self.y.to_le_bytes());
///     }
///
///     fn unpack(bytes: &[u8]) -> Result<Self, CodecError> {
///         let ([x, y], []) = bytes.as_chunks::<4>() else {
///             return Err(CodecError::new("a point is 8 bytes"));
///         };
///         Ok(Self { x: i32::from_le_bytes(*x), y: i32::from_le_bytes(*y) })
///     }
/// }
/// ```
pub trait Pack: Sized {
    /// Appends the compact form.
    fn pack(&self, bytes: &mut Vec<u8>);

    /// Reads the compact form, which is all of `bytes`.
    ///
    /// # Errors
    ///
    /// If `bytes` is not what [`pack`](Self::pack) writes.
    fn unpack(bytes: &[u8]) -> Result<Self, CodecError>;
}

impl Pack for Vec<u8> {
    fn pack(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(self);
    }

    fn unpack(bytes: &[u8]) -> Result<Self, CodecError> {
        Ok(bytes.to_vec())
    }
}
