//! `chancery tables`: looks at the state.

use clap::Args;
use http::Method;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::client::{Client, Request};
use super::output::Output;
use super::query::write_value;
use super::receipt::Receipt;
use super::{Error, json};

/// Lists tables, the rows of one, or shows one value.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  chancery tables
  chancery tables orders --prefix 2026/ --limit 100
  chancery tables products lamp")]
pub(super) struct Tables {
    /// The table whose rows are listed.
    table: Option<String>,
    /// The key whose value is shown.
    #[arg(conflicts_with_all = ["prefix", "after", "limit"])]
    key: Option<String>,
    /// Only keys that begin so [default: all].
    #[arg(long, requires = "table", value_name = "TEXT", allow_hyphen_values = true)]
    prefix: Option<String>,
    /// Only keys after this one [default: from the first].
    #[arg(long, requires = "table", value_name = "KEY", allow_hyphen_values = true)]
    after: Option<String>,
    /// How many rows, 1 to 1000, in the order of keys [default: 50].
    #[arg(long, requires = "table", value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: Option<u32>,
    /// Waits until this sequence is visible, 5 s at most [default: what is visible
    /// now].
    #[arg(long, value_name = "SEQUENCE")]
    at_least: Option<u64>,
    /// Reads the state as of exactly this sequence, if it is still held [default:
    /// the latest].
    #[arg(long, value_name = "SEQUENCE")]
    as_of: Option<u64>,
    /// Drops the table, with all its rows. Only a table that no module declares
    /// can be dropped.
    #[arg(long, requires = "table")]
    #[arg(conflicts_with_all = ["key", "prefix", "after", "limit", "at_least", "as_of"])]
    drop: bool,
}

const LIMIT: u32 = 50;

#[derive(Deserialize)]
struct List {
    tables: Vec<Table>,
}

#[derive(Deserialize)]
struct Table {
    name: String,
    owner: Option<String>,
    #[serde(default)]
    orphan_of: Option<String>,
    rows: u64,
    bytes: u64,
}

#[derive(Deserialize)]
struct Page {
    rows: Vec<Row>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Row {
    key: String,
    #[serde(default)]
    value: Option<Box<RawValue>>,
    #[serde(default)]
    value_base64: Option<String>,
    changed: u64,
}

impl Tables {
    pub(super) fn run(&self, client: &Client, output: &mut Output<'_>) -> Result<(), Error> {
        match (&self.table, &self.key) {
            (Some(table), _) if self.drop => drop_table(table, client, output),
            (Some(table), Some(key)) => self.value(table, key, client, output),
            (Some(table), None) => self.rows(table, client, output),
            (None, _) => self.list(client, output),
        }
    }

    fn reading<'a>(&self, client: &Client, segments: &[&str]) -> Request<'a> {
        client
            .request(Method::GET, segments)
            .query("at_least", self.at_least)
            .query("as_of", self.as_of)
    }

    fn list(&self, client: &Client, output: &mut Output<'_>) -> Result<(), Error> {
        let (list, answer) = client.read::<List>(self.reading(client, &["tables"]))?;
        super::tell_sequence(&answer);
        if output.for_programs() {
            return Ok(output.document(&answer.body)?);
        }
        let rows: Vec<_> = list.tables.iter().map(Table::row).collect();
        Ok(output.table(&["table", "rows", "bytes", "owner"], &rows)?)
    }

    fn rows(&self, table: &str, client: &Client, output: &mut Output<'_>) -> Result<(), Error> {
        let request = self
            .reading(client, &["tables", table])
            .query("prefix", self.prefix.as_deref())
            .query("after", self.after.as_deref())
            .query("limit", Some(self.limit.unwrap_or(LIMIT)));
        let (page, answer) = client.read::<Page>(request)?;
        super::tell_sequence(&answer);
        if output.for_programs() {
            return Ok(output.document(&answer.body)?);
        }
        let rows: Vec<_> = page.rows.iter().map(Row::row).collect();
        output.table(&["key", "changed", "value"], &rows)?;
        match page.next {
            Some(next) => Ok(output.line(&format!("more: --after {}", super::shell::word(&next)))?),
            None => Ok(()),
        }
    }

    fn value(
        &self,
        table: &str,
        key: &str,
        client: &Client,
        output: &mut Output<'_>,
    ) -> Result<(), Error> {
        let answer = client.send(self.reading(client, &["tables", table, key]))?;
        super::tell_sequence(&answer);
        write_value(&answer, output)
    }
}

impl Table {
    fn row(&self) -> Vec<String> {
        let owner = match (&self.owner, &self.orphan_of) {
            (Some(owner), _) => owner.clone(),
            (None, Some(former)) => format!("none, formerly {former}"),
            (None, None) => "none".to_owned(),
        };
        vec![self.name.clone(), self.rows.to_string(), self.bytes.to_string(), owner]
    }
}

impl Row {
    fn row(&self) -> Vec<String> {
        let value = match (&self.value, &self.value_base64) {
            (Some(json), _) => json::compact(json.get()),
            (None, Some(text)) => format!("{text} (base64)"),
            (None, None) => "null".to_owned(),
        };
        vec![self.key.clone(), self.changed.to_string(), value]
    }
}

fn drop_table(table: &str, client: &Client, output: &mut Output<'_>) -> Result<(), Error> {
    let request = client.request(Method::DELETE, &["tables", table]);
    let (receipt, answer) = client.read::<Receipt>(request)?;
    if output.for_programs() {
        output.document(&answer.body)?;
    } else if receipt.succeeded() {
        output.headline(&format!("dropped {table}"))?;
        receipt.write(output)?;
    }
    receipt.refusal().map_or(Ok(()), Err)
}
