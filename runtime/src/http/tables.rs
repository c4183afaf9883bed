//! `/v1/apps/{app}/tables`: looking at the state, and dropping what is left over.

use axum::extract::State;
use axum::response::Response;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::StatusCode;
use serde::Serialize;
use serde_json::value::RawValue;

use super::answer::{self, json, raw, read_from};
use super::at::{IntoApp, OfApp, Segments, take_at};
use super::modules::not_entered;
use super::params::Params;
use super::problem::Problem;
use super::receipt;
use crate::catalog::TableRow;
use crate::engine::{PageOf, TableInfo};
use crate::value::{Sequence, Value};

#[derive(Debug, Serialize)]
struct TablesJson<'a> {
    sequence: u64,
    tables: Vec<TableJson<'a>>,
}

#[derive(Debug, Serialize)]
struct TableJson<'a> {
    name: &'a str,
    owner: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    orphan_of: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    orphan_since: Option<u64>,
    rows: u64,
    bytes: u64,
}

#[derive(Debug, Serialize)]
struct RowsJson<'a> {
    sequence: u64,
    rows: Vec<RowJson<'a>>,
    next: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct RowJson<'a> {
    key: &'a str,
    #[serde(flatten)]
    value: ValueJson<'a>,
    changed: u64,
}

/// One of the two, as the value is.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ValueJson<'a> {
    Value(&'a RawValue),
    ValueBase64(String),
}

impl<'a> ValueJson<'a> {
    pub(super) fn of(value: &'a Value) -> Self {
        match value {
            Value::Json(text) => Self::Value(raw(text)),
            Value::Bytes(bytes) => Self::ValueBase64(BASE64_STANDARD.encode(bytes)),
        }
    }
}

pub(super) async fn list(OfApp(app): OfApp, mut params: Params) -> Result<Response, Problem> {
    let at = take_at(&mut params)?;
    params.finish()?;
    let (sequence, tables) = app.tables(at).await?;
    let body = TablesJson { sequence: sequence.0, tables: tables.iter().map(table).collect() };
    Ok(read_from(&app, sequence, json(StatusCode::OK, &body)))
}

pub(super) async fn rows(
    State(shared): super::State,
    OfApp(app): OfApp,
    Segments((_, table)): Segments<(String, String)>,
    mut params: Params,
) -> Result<Response, Problem> {
    let at = take_at(&mut params)?;
    let prefix = params.text("prefix").unwrap_or_default();
    let after = params.text("after");
    let rows_max = shared.page_limit(&mut params)?;
    params.finish()?;
    let page = PageOf {
        table: &table,
        prefix: &prefix,
        after: after.as_deref(),
        rows_max,
        bytes_max: shared.settings.page_bytes_max,
    };
    let page = app.rows(at, page).await?;
    let rows = page.rows.iter().map(|(key, value, changed)| RowJson {
        key,
        value: ValueJson::of(value),
        changed: changed.0,
    });
    let body =
        RowsJson { sequence: page.sequence.0, rows: rows.collect(), next: page.next.as_deref() };
    Ok(read_from(&app, page.sequence, json(StatusCode::OK, &body)))
}

pub(super) async fn value(
    OfApp(app): OfApp,
    Segments((_, table, key)): Segments<(String, String, String)>,
    mut params: Params,
) -> Result<Response, Problem> {
    let at = take_at(&mut params)?;
    params.finish()?;
    let (sequence, value): (Sequence, Value) = app.value(at, &table, &key).await?;
    Ok(read_from(&app, sequence, answer::value(value)))
}

pub(super) async fn drop_table(
    IntoApp(app): IntoApp,
    Segments((_, table)): Segments<(String, String)>,
    params: Params,
) -> Result<Response, Problem> {
    params.finish()?;
    let receipt = app.drop_table(&table).await.map_err(not_entered)?;
    Ok(receipt::answer(&app, &receipt))
}

impl super::Shared {
    /// Takes `limit`.
    pub(super) fn page_limit(&self, params: &mut Params) -> Result<usize, Problem> {
        let (default, max) = (self.settings.page_default, self.settings.page_max);
        let limit = params.number("limit", 1..=max as u64, default as u64)?;
        // Within a range of `usize`s.
        Ok(usize::try_from(limit).unwrap_or(max))
    }
}

fn table(info: &TableInfo) -> TableJson<'_> {
    let (owner, orphan_of, orphan_since) = match &info.owner {
        TableRow::Owner(owner) => (Some(owner.as_str()), None, None),
        TableRow::Orphan { of, since } => (None, Some(of.as_str()), Some(*since)),
    };
    TableJson {
        name: info.name.as_str(),
        owner,
        orphan_of,
        orphan_since,
        rows: info.rows,
        bytes: info.bytes,
    }
}
