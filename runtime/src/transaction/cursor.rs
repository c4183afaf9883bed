//! A place in a scan, in the three forms in which guests take pages.
//!
//! A cursor holds no borrow: it remembers what is left of its range and looks it
//! up again for each page, so that a page shows the writes made before it was
//! asked for.

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;

use super::read::Read;
use super::refusal::Refusal;
use crate::state::{Order, Range, RowRef, ValueRef};

/// The most rows of one page.
pub const PAGE_ROWS_MAX: usize = 10_000;
/// The most bytes of one page, unless a single row is larger.
pub const PAGE_BYTES_MAX: usize = 4 << 20;

/// A place in a scan.
#[derive(Clone, Debug)]
pub struct Cursor {
    table: String,
    /// What has not been given out yet.
    remaining: Range,
    order: Order,
}

impl Cursor {
    /// A cursor at the start of a range.
    ///
    /// # Errors
    /// [`Refusal::UnknownTable`].
    pub fn new(
        read: &(impl Read + ?Sized),
        table: &str,
        range: Range,
        order: Order,
    ) -> Result<Self, Refusal> {
        read.table(table)?;
        Ok(Self { table: table.to_owned(), remaining: range, order })
    }

    /// The next rows, at most `rows_max` and about `bytes_max`, but at least one
    /// if there is one; none means the end. `make` turns each into what the
    /// caller needs, so that it is copied once.
    ///
    /// # Errors
    /// [`Refusal::UnknownTable`] if the table has gone since.
    pub fn next_rows<T>(
        &mut self,
        read: &(impl Read + ?Sized),
        rows_max: usize,
        bytes_max: usize,
        mut make: impl FnMut(RowRef<'_>) -> T,
    ) -> Result<Vec<T>, Refusal> {
        let mut page = Vec::new();
        let rows_max = rows_max.clamp(1, PAGE_ROWS_MAX);
        self.next_page(read, bytes_max, row_bytes, |row| {
            page.push(make(row));
            page.len() < rows_max
        })?;
        Ok(page)
    }

    /// The next rows in packed form, about `bytes_max` long; empty at the end.
    ///
    /// # Errors
    /// [`Refusal::UnknownTable`] if the table has gone since.
    pub fn next_packed(
        &mut self,
        read: &(impl Read + ?Sized),
        bytes_max: usize,
    ) -> Result<Vec<u8>, Refusal> {
        let bytes_max = bytes_max.clamp(1, PAGE_BYTES_MAX);
        let mut page = Vec::new();
        let last = read.table(&self.table)?.pack(&self.remaining, self.order, bytes_max, &mut page);
        self.advance(last.as_deref());
        Ok(page)
    }

    /// The next rows as a JSON array of `[key, value]` pairs, about `bytes_max`
    /// long; `[]` at the end. Bytes appear as `{"$bytes": "<base64>"}`.
    ///
    /// # Errors
    /// [`Refusal::UnknownTable`] if the table has gone since.
    pub fn next_json(
        &mut self,
        read: &(impl Read + ?Sized),
        bytes_max: usize,
    ) -> Result<String, Refusal> {
        let mut page = String::from("[");
        self.next_page(read, bytes_max, json_bytes, |row| {
            if page.len() > 1 {
                page.push(',');
            }
            push_json(row, &mut page);
            true
        })?;
        page.push(']');
        Ok(page)
    }

    /// What has not been given out yet.
    #[must_use]
    pub fn remaining(&self) -> &Range {
        &self.remaining
    }

    /// The table, and the part of it that the last page depended on, where `before`
    /// is what remained before it. The row after the page is part of that: whether it is
    /// there, and how long it is, decides where a page ends.
    ///
    /// # Errors
    /// [`Refusal::UnknownTable`] if the table has gone since.
    pub fn read_of(
        &self,
        read: &(impl Read + ?Sized),
        before: Range,
    ) -> Result<(&str, Range), Refusal> {
        let view = read.table(&self.table)?;
        let next = view.scan(&self.remaining, self.order).next();
        let read = match next {
            Some(next) => before.through(next.key, self.order),
            None => before,
        };
        Ok((&self.table, read))
    }

    /// Gives rows to `each` until it has enough, `bytes_max` is reached by what
    /// `bytes_of` says of each, or the range ends; then moves on.
    fn next_page(
        &mut self,
        read: &(impl Read + ?Sized),
        bytes_max: usize,
        bytes_of: fn(&RowRef<'_>) -> usize,
        mut each: impl FnMut(RowRef<'_>) -> bool,
    ) -> Result<(), Refusal> {
        let bytes_max = bytes_max.clamp(1, PAGE_BYTES_MAX);
        let (mut bytes, mut last) = (0, None);
        for row in read.table(&self.table)?.scan(&self.remaining, self.order) {
            bytes += bytes_of(&row);
            if last.is_some() && bytes > bytes_max {
                break;
            }
            last = Some(row.key);
            if !each(row) {
                break;
            }
        }
        self.advance(last);
        Ok(())
    }

    /// Leaves out what has been given out. After the end the range stays as it
    /// is: rows written into it later are rows of the next page.
    fn advance(&mut self, last: Option<&str>) {
        if let Some(last) = last {
            self.remaining = std::mem::take(&mut self.remaining).beyond(last, self.order);
        }
    }
}

fn row_bytes(row: &RowRef<'_>) -> usize {
    row.key.len() + row.value.as_bytes().len()
}

/// How long a row will be as JSON, but for what must be escaped in its key.
fn json_bytes(row: &RowRef<'_>) -> usize {
    let value_bytes = match row.value {
        ValueRef::Json(text) => text.len(),
        ValueRef::Bytes(bytes) => r#"{"$bytes":""}"#.len() + bytes.len().div_ceil(3) * 4,
    };
    r#"["",],"#.len() + row.key.len() + value_bytes
}

fn push_json(row: RowRef<'_>, out: &mut String) {
    out.push('[');
    push_string(row.key, out);
    out.push(',');
    match row.value {
        ValueRef::Json(text) => out.push_str(text),
        ValueRef::Bytes(bytes) => {
            let encoded = Base64Display::new(bytes, &STANDARD);
            out.push_str(&format!(r#"{{"$bytes":"{encoded}"}}"#));
        }
    }
    out.push(']');
}

/// Appends a JSON string. Keys rarely have anything to escape.
fn push_string(text: &str, out: &mut String) {
    if text.bytes().any(|c| c < b' ' || c == b'"' || c == b'\\') {
        out.push_str(&serde_json::Value::from(text).to_string());
    } else {
        out.push('"');
        out.push_str(text);
        out.push('"');
    }
}
