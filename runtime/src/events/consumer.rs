//! Consumers: how far programs outside have come, as rows of the system table
//! `$consumers`, by name.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Error, Filter};
use crate::state::{Order, Range, State, ValueRef};
use crate::value::{Invalid, Name, Pattern, Position, Value};

/// Somebody who reads events in batches, and says how far it has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consumer {
    /// The last event that was acknowledged, or skipped because it was not wanted.
    pub position: Position,
    /// Which events it is given.
    pub filter: Filter,
    /// When it last moved or was changed, in milliseconds since 1970.
    pub time_ms: u64,
}

#[derive(Serialize, Deserialize)]
struct Row {
    position: u64,
    types: Vec<String>,
    subject: Option<Arc<str>>,
    time_ms: u64,
}

impl Consumer {
    /// The table.
    #[must_use]
    pub fn table() -> Name {
        Name::system("$consumers")
    }

    /// The consumer of a name, and its row as it stands.
    ///
    /// # Errors
    /// [`Error::Consumer`] if the row cannot be understood.
    pub fn find(state: &State, name: &str) -> Result<Option<(Self, Value)>, Error> {
        let table = state.table(Self::table().as_str());
        let Some(row) = table.and_then(|table| table.get(name)) else { return Ok(None) };
        let value = match row {
            ValueRef::Json(text) => Value::Json(text.into()),
            ValueRef::Bytes(bytes) => Value::Bytes(bytes.into()),
        };
        Ok(Some((Self::read(name, &row)?, value)))
    }

    /// All of an app, by name.
    ///
    /// # Errors
    /// As for [`Consumer::find`].
    pub fn all(state: &State) -> Result<Vec<(String, Self)>, Error> {
        let Some(table) = state.table(Self::table().as_str()) else { return Ok(Vec::new()) };
        let rows = table.scan(&Range::prefix(""), Order::Ascending);
        rows.map(|row| Ok((row.key.to_owned(), Self::read(row.key, &row.value)?))).collect()
    }

    /// The row of it.
    #[must_use]
    pub fn row(&self) -> Value {
        let row = Row {
            position: self.position.0,
            types: self.filter.types.iter().map(ToString::to_string).collect(),
            subject: self.filter.subject.clone(),
            time_ms: self.time_ms,
        };
        Value::Json(serde_json::to_string(&row).unwrap_or_default().into())
    }

    fn read(name: &str, row: &ValueRef<'_>) -> Result<Self, Error> {
        let refuse = |reason: String| Error::Consumer { name: name.to_owned(), reason };
        let ValueRef::Json(text) = row else { return Err(refuse("it is no JSON".to_owned())) };
        let row: Row = serde_json::from_str(text).map_err(|error| refuse(error.to_string()))?;
        let types = row.types.iter().map(|text| text.parse::<Pattern>()).collect::<Result<_, _>>();
        let types = types.map_err(|error: Invalid| refuse(error.to_string()))?;
        let filter = Filter { types, subject: row.subject };
        Ok(Self { position: Position(row.position), filter, time_ms: row.time_ms })
    }
}
