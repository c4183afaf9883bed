//! Webhooks: where events are sent, and how far that has come, as rows of the system
//! table `$webhooks`, by name.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Error, Filter};
use crate::state::{Order, Range, State, ValueRef};
use crate::value::{History, Invalid, Name, Pattern, Position, Value};

/// Somebody outside who is sent events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// The address.
    pub url: Arc<str>,
    /// Which events it is sent.
    pub filter: Filter,
    /// The last event that was delivered, left behind as a dead letter, or not wanted.
    pub position: Position,
    /// Whether somebody has stopped it for a while.
    pub is_paused: bool,
    /// The history of the app when somebody last said that events are to be sent. In
    /// another, that of a restored backup, nothing is.
    pub history: History,
    /// Another number whenever somebody says where it is to begin, though it be where it
    /// is already.
    pub placed: u64,
    /// When somebody last changed it, in milliseconds since 1970.
    pub time_ms: u64,
}

#[derive(Serialize, Deserialize)]
struct Row {
    url: Arc<str>,
    position: u64,
    types: Vec<String>,
    subject: Option<Arc<str>>,
    paused: bool,
    history: Uuid,
    placed: u64,
    time_ms: u64,
}

impl Webhook {
    /// The table.
    #[must_use]
    pub fn table() -> Name {
        Name::system("$webhooks")
    }

    /// The webhook of a name, and its row as it stands.
    ///
    /// # Errors
    /// [`Error::Webhook`] if the row cannot be understood.
    pub fn find(state: &State, name: &str) -> Result<Option<(Self, Value)>, Error> {
        let table = state.table(Self::table().as_str());
        let Some(row) = table.and_then(|table| table.get(name)) else { return Ok(None) };
        Ok(Some((Self::read(name, row)?, row.to_owned())))
    }

    /// All of an app, by name.
    ///
    /// # Errors
    /// As for [`Webhook::find`].
    pub fn all(state: &State) -> Result<Vec<(String, Self)>, Error> {
        let table = state.table(Self::table().as_str()).into_iter();
        let rows = table.flat_map(|table| table.scan(&Range::all(), Order::Ascending));
        rows.map(|row| Ok((row.key.to_owned(), Self::read(row.key, row.value)?))).collect()
    }

    /// The names of all, those too whose rows cannot be understood.
    pub fn names(state: &State) -> impl Iterator<Item = Name> + '_ {
        let table = state.table(Self::table().as_str()).into_iter();
        let rows = table.flat_map(|table| table.scan(&Range::all(), Order::Ascending));
        rows.filter_map(|row| row.key.parse().ok())
    }

    /// The row of it.
    #[must_use]
    pub fn row(&self) -> Value {
        let row = Row {
            url: Arc::clone(&self.url),
            position: self.position.0,
            types: self.filter.types.iter().map(ToString::to_string).collect(),
            subject: self.filter.subject.clone(),
            paused: self.is_paused,
            history: self.history.0,
            placed: self.placed,
            time_ms: self.time_ms,
        };
        // Texts and numbers serialise.
        Value::Json(serde_json::to_string(&row).unwrap_or_default().into())
    }

    fn read(name: &str, row: ValueRef<'_>) -> Result<Self, Error> {
        let refuse = |reason: String| Error::Webhook { name: name.to_owned(), reason };
        let ValueRef::Json(text) = row else { return Err(refuse("it is no JSON".to_owned())) };
        let row: Row = serde_json::from_str(text).map_err(|error| refuse(error.to_string()))?;
        let types = row.types.iter().map(|text| text.parse::<Pattern>()).collect::<Result<_, _>>();
        let types = types.map_err(|error: Invalid| refuse(error.to_string()))?;
        Ok(Self {
            url: row.url,
            filter: Filter { types, subject: row.subject },
            position: Position(row.position),
            is_paused: row.paused,
            history: History(row.history),
            placed: row.placed,
            time_ms: row.time_ms,
        })
    }
}
