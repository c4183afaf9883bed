//! Looking at tables.

use super::{App, At, Error, suggest};
use crate::catalog::TableRow;
use crate::snapshot::Snapshot;
use crate::state::{Order, Range};
use crate::value::{Name, Sequence, Value};

/// A table, without its rows.
#[derive(Debug, Clone)]
pub struct TableInfo {
    /// Its name.
    pub name: Name,
    /// Whose it is.
    pub owner: TableRow,
    /// How many rows it has.
    pub rows: u64,
    /// The bytes of its keys and values.
    pub bytes: u64,
}

/// Which rows of a table, and how many at most.
#[derive(Debug, Clone, Copy)]
pub struct PageOf<'a> {
    /// The table's name.
    pub table: &'a str,
    /// What their keys begin with.
    pub prefix: &'a str,
    /// The key to go on after.
    pub after: Option<&'a str>,
    /// Rows of the page.
    pub rows_max: usize,
    /// Bytes of keys and values after which the page ends; it has one row at
    /// least.
    pub bytes_max: usize,
}

/// Some rows of a table, in key order.
#[derive(Debug, Clone)]
pub struct RowPage {
    /// The state they were read from.
    pub sequence: Sequence,
    /// Key, value, and the sequence at which it last changed.
    pub rows: Vec<(String, Value, Sequence)>,
    /// The key to go on after; none at the end.
    pub next: Option<String>,
}

impl App {
    /// All tables that handlers see.
    ///
    /// # Errors
    /// As [`App::snapshot`].
    pub async fn tables(&self, at: At) -> Result<(Sequence, Vec<TableInfo>), Error> {
        let snapshot = self.snapshot(at).await?;
        let infos = snapshot.catalog.tables().iter().map(|(name, owner)| {
            let table = snapshot.state.table(name.as_str());
            let (rows, bytes) = table.map_or((0, 0), |table| (table.rows(), table.bytes()));
            TableInfo { name: name.clone(), owner: owner.clone(), rows, bytes }
        });
        Ok((snapshot.state.sequence(), infos.collect()))
    }

    /// A page of a table's rows under a prefix, after a key.
    ///
    /// # Errors
    /// [`Error::UnknownTable`], or as [`App::snapshot`].
    pub async fn rows(&self, at: At, page: PageOf<'_>) -> Result<RowPage, Error> {
        let snapshot = self.snapshot(at).await?;
        self.known_table(&snapshot, page.table)?;
        let mut range = Range::prefix(page.prefix);
        if let Some(after) = page.after {
            range = range.after(after);
        }
        let found = snapshot.state.table(page.table);
        let found = found.into_iter().flat_map(|table| table.scan(&range, Order::Ascending));
        let (mut rows, mut bytes, mut next) = (Vec::new(), 0, None);
        for row in found {
            if rows.len() >= page.rows_max || bytes >= page.bytes_max {
                next = rows.last().map(|(key, ..): &(String, _, _)| key.clone());
                break;
            }
            let value = row.value.to_owned();
            bytes += row.key.len() + value.len();
            rows.push((row.key.to_owned(), value, row.changed));
        }
        Ok(RowPage { sequence: snapshot.state.sequence(), rows, next })
    }

    /// The value of a key.
    ///
    /// # Errors
    /// [`Error::UnknownTable`], [`Error::UnknownKey`], or as [`App::snapshot`].
    pub async fn value(&self, at: At, table: &str, key: &str) -> Result<(Sequence, Value), Error> {
        let snapshot = self.snapshot(at).await?;
        let name = self.known_table(&snapshot, table)?;
        let sequence = snapshot.state.sequence();
        let value = snapshot.state.table(table).and_then(|table| table.get(key));
        let value = value.map(|value| value.to_owned());
        let unknown = || Error::UnknownKey { table: name, key: key.to_owned(), sequence };
        Ok((sequence, value.ok_or_else(unknown)?))
    }

    pub(super) fn known_table(&self, snapshot: &Snapshot, table: &str) -> Result<Name, Error> {
        let tables = snapshot.catalog.tables();
        let found = tables.get_key_value(table).map(|(name, _)| name.clone());
        found.ok_or_else(|| Error::UnknownTable {
            app: self.name().clone(),
            name: table.to_owned(),
            suggestion: suggest(table, tables.keys().map(Name::as_str)),
        })
    }
}
