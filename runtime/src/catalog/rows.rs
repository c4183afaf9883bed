//! The rows of the system tables behind a catalog, but for those of projections.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Error;
use crate::state::{Order, Range, State, ValueRef};
use crate::value::{ChangeSet, Hash, Key, Name, Sequence, Value};

/// The names of the system tables of a catalog.
pub mod table_names {
    use crate::value::Name;

    pub(super) const MODULES: &str = "$modules";

    /// Module name to the version that is live.
    #[must_use]
    pub fn modules() -> Name {
        Name::system(MODULES)
    }

    /// Module name, `/` and sequence to the version deployed by that entry.
    #[must_use]
    pub fn versions() -> Name {
        Name::system("$versions")
    }

    /// Table name to its owner.
    #[must_use]
    pub fn tables() -> Name {
        Name::system("$tables")
    }

    /// Projection name to what is known of it.
    #[must_use]
    pub fn projections() -> Name {
        Name::system("$projections")
    }
}

/// Whether what an entry changed are the modules of the app.
#[must_use]
pub fn is_deployment(changes: &ChangeSet) -> bool {
    changes.tables.iter().any(|table| table.table.as_str() == table_names::MODULES)
}

/// One version of a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleRow {
    /// The SHA-256 of the uploaded bytes.
    pub hash: Hash,
    /// The entry that deployed it.
    pub sequence: Sequence,
    /// When that was, in milliseconds since 1970.
    pub time_ms: u64,
}

/// Whose a table is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TableRow {
    /// A module declares it, and alone may write it.
    Owner(String),
    /// No module declares it any more; it can be read, adopted or dropped.
    Orphan {
        /// The module that declared it last.
        of: String,
        /// The entry since which nobody does.
        since: u64,
    },
}

#[derive(Serialize, Deserialize)]
struct ModuleJson {
    hash: String,
    sequence: u64,
    time_ms: u64,
}

impl ModuleRow {
    /// The row as it is stored.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let (hash, sequence) = (self.hash.to_string(), self.sequence.0);
        to_json(&ModuleJson { hash, sequence, time_ms: self.time_ms })
    }

    /// The key of this version in `$versions`.
    ///
    /// # Errors
    /// Never, for names and sequences this server gives.
    pub fn version_key(&self, module: &Name) -> Result<Key, crate::value::Invalid> {
        Key::new(&format!("{module}/{:020}", self.sequence.0))
    }
}

impl TableRow {
    /// The row as it is stored.
    #[must_use]
    pub fn to_value(&self) -> Value {
        to_json(self)
    }

    /// The module that may write the table.
    #[must_use]
    pub fn owner(&self) -> Option<&str> {
        match self {
            Self::Owner(module) => Some(module),
            Self::Orphan { .. } => None,
        }
    }
}

pub(super) fn to_json(row: &impl Serialize) -> Value {
    // Strings and integers: there is nothing in a row that could not be written.
    Value::Json(serde_json::to_string(row).unwrap_or_default().into())
}

/// The version of each module that is live.
pub(crate) fn read_modules(state: &State) -> Result<Vec<(Name, ModuleRow)>, Error> {
    let table = table_names::modules();
    read(state, &table, "", |name, row: ModuleJson| {
        Ok((Name::parse_stored(name)?, parse_module(&row)?))
    })
}

/// The versions of a module that were ever deployed, the oldest first.
pub(crate) fn read_versions(state: &State, module: &Name) -> Result<Vec<ModuleRow>, Error> {
    let prefix = format!("{module}/");
    read(state, &table_names::versions(), &prefix, |_, row: ModuleJson| parse_module(&row))
}

pub(super) fn read_tables(state: &State) -> Result<BTreeMap<Name, TableRow>, Error> {
    let table = table_names::tables();
    let rows = read(state, &table, "", |name, row: TableRow| Ok((Name::parse_stored(name)?, row)));
    rows.map(|rows| rows.into_iter().collect())
}

fn parse_module(row: &ModuleJson) -> Result<ModuleRow, crate::value::Invalid> {
    let hash = row.hash.parse()?;
    Ok(ModuleRow { hash, sequence: Sequence(row.sequence), time_ms: row.time_ms })
}

pub(super) fn read<J: DeserializeOwned, T>(
    state: &State,
    table: &Name,
    prefix: &str,
    parse: impl Fn(&str, J) -> Result<T, crate::value::Invalid>,
) -> Result<Vec<T>, Error> {
    let Some(rows) = state.table(table.as_str()) else {
        return Ok(Vec::new());
    };
    let range = Range::prefix(prefix);
    let rows = rows.scan(&range, Order::Ascending).map(|row| {
        let unreadable =
            |reason| Error::Row { table: table.clone(), key: row.key.to_owned(), reason };
        let ValueRef::Json(text) = row.value else {
            return Err(unreadable("it is not JSON".to_owned()));
        };
        let json = serde_json::from_str(text).map_err(|error| unreadable(error.to_string()))?;
        parse(row.key, json).map_err(|error| unreadable(error.to_string()))
    });
    rows.collect()
}
