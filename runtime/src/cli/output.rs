//! Standard output: tables and fields for people, one JSON document for programs.
//!
//! Whoever writes here need not know whether a terminal is at the other end: styles
//! are written always and taken out by the stream when nobody sees them.

use std::io::{self, IsTerminal, Write};

use anstyle::Style;

use super::json;

/// Headings and labels.
pub(super) const FAINT: Style = Style::new().dimmed();
/// What the eye should find first.
pub(super) const STRONG: Style = Style::new().bold();
/// How much of a long last column a person sees; arbitrary, and all of it is in
/// the JSON.
const LAST_COLUMN_CHARS_MAX: usize = 100;

/// For whom output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Audience {
    /// People.
    People,
    /// Programs: one JSON document.
    Programs,
}

/// Where the answer to a command line goes.
pub(super) struct Output<'a> {
    out: &'a mut dyn Write,
    audience: Audience,
    terminal: bool,
}

impl<'a> Output<'a> {
    /// An output to anywhere.
    pub(super) fn new(out: &'a mut dyn Write, audience: Audience) -> Self {
        let terminal = io::stdout().is_terminal();
        Self { out, audience, terminal }
    }

    /// Writes a document for programs, as it came.
    pub(super) fn document(&mut self, json: &[u8]) -> io::Result<()> {
        self.out.write_all(json)?;
        if !json.ends_with(b"\n") {
            self.out.write_all(b"\n")?;
        }
        self.out.flush()
    }

    /// Writes bytes that only programs understand.
    pub(super) fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.out.flush()
    }

    /// Writes a JSON value over several lines.
    pub(super) fn value(&mut self, json: &str) -> io::Result<()> {
        self.line(&json::indented(json))
    }

    /// Writes a line.
    pub(super) fn line(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{}", clean(text))?;
        self.out.flush()
    }

    /// Writes a line in bold.
    pub(super) fn headline(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{STRONG}{}{STRONG:#}", clean(text))?;
        self.out.flush()
    }

    /// Writes labels and what they stand for, one a line. Empty ones are left out.
    pub(super) fn fields(&mut self, fields: &[(&str, String)]) -> io::Result<()> {
        for (label, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
            writeln!(self.out, "{FAINT}{label:<10}{FAINT:#} {}", clean(value))?;
        }
        self.out.flush()
    }

    /// Writes rows under headings; nothing but `none` if there are none.
    pub(super) fn table(&mut self, headings: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
        if rows.is_empty() {
            return self.line("none");
        }
        let columns: Vec<Column> =
            (0..headings.len()).map(|n| Column::of(headings, rows, n)).collect();
        let headings: Vec<String> = headings.iter().map(|text| text.to_uppercase()).collect();
        writeln!(self.out, "{FAINT}{}{FAINT:#}", self.row(&columns, &headings))?;
        for row in rows {
            writeln!(self.out, "{}", self.row(&columns, row))?;
        }
        self.out.flush()
    }

    /// Whether programs read it.
    pub(super) fn for_programs(&self) -> bool {
        self.audience == Audience::Programs
    }

    /// For whom it is.
    pub(super) fn audience(&self) -> Audience {
        self.audience
    }

    /// Whether it ends on a terminal.
    pub(super) fn on_terminal(&self) -> bool {
        self.terminal
    }

    fn row(&self, columns: &[Column], cells: &[String]) -> String {
        let mut row = String::new();
        for (n, (column, cell)) in columns.iter().zip(cells).enumerate() {
            let cell = clean(cell);
            let width = column.width;
            match (column.numbers, n + 1 == columns.len()) {
                (true, _) => row.push_str(&format!("{cell:>width$}")),
                (false, true) if self.terminal => row.push_str(&shortened(&cell)),
                (false, true) => row.push_str(&cell),
                (false, false) => row.push_str(&format!("{cell:<width$}")),
            }
            if n + 1 < columns.len() {
                row.push_str("  ");
            }
        }
        row.truncate(row.trim_end().len());
        row
    }
}

impl std::fmt::Debug for Output<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Output").field("audience", &self.audience).finish_non_exhaustive()
    }
}

struct Column {
    width: usize,
    /// Numbers stand on the right, so that their digits line up.
    numbers: bool,
}

impl Column {
    fn of(headings: &[&str], rows: &[Vec<String>], n: usize) -> Self {
        let cells = || rows.iter().filter_map(|row| row.get(n));
        let heading = headings.get(n).map_or(0, |heading| heading.chars().count());
        let widest = cells().map(|cell| clean(cell).chars().count()).max().unwrap_or(0);
        let is_number = |cell: &String| cell.chars().all(|c| c.is_ascii_digit());
        Self { width: widest.max(heading), numbers: cells().all(is_number) }
    }
}

/// Text of others as it may be shown: a control character could move the cursor or
/// recolour what follows.
pub(super) fn clean(text: &str) -> String {
    let harmless = |c: char| !c.is_control() || c == '\n';
    if text.chars().all(harmless) {
        return text.to_owned();
    }
    let shown = |c: char| if harmless(c) { c.to_string() } else { c.escape_default().to_string() };
    text.chars().map(shown).collect()
}

/// A number of bytes as people read it.
pub(super) fn bytes(bytes: u64) -> String {
    let units = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    match units.into_iter().find(|(_, unit)| bytes >= *unit) {
        Some((name, unit)) => format!("{:.1} {name}", bytes as f64 / unit as f64),
        None => format!("{bytes} bytes"),
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LAST_COLUMN_CHARS_MAX) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Output<'_>) -> io::Result<()>) -> String {
        let mut stream = anstream::StripStream::new(Vec::new());
        let mut output = Output { out: &mut stream, audience: Audience::People, terminal: false };
        write(&mut output).expect("a vector takes everything");
        String::from_utf8(stream.into_inner()).expect("text")
    }

    #[test]
    fn columns_line_up_and_numbers_stand_on_the_right() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let rows = [row(["products", "9", "shop"]), row(["orders", "1200", "shop, bank"])];
        insta::assert_snapshot!(
            written(|output| output.table(&["table", "rows", "owner"], &rows)),
            @r"
        TABLE     ROWS  OWNER
        products     9  shop
        orders    1200  shop, bank
        "
        );
        insta::assert_snapshot!(written(|output| output.table(&["table"], &[])), @"none");
    }

    #[test]
    fn fields_without_a_value_are_left_out() {
        let fields = [("status", "succeeded".to_owned()), ("events", String::new())];
        insta::assert_snapshot!(written(|output| output.fields(&fields)), @"status     succeeded");
    }

    #[test]
    fn text_of_others_cannot_move_the_cursor() {
        insta::assert_snapshot!(written(|output| output.line("a\u{1b}[2Jb\tc\u{9b}d")), @r"a\u{1b}[2Jb\tc\u{9b}d");
    }
}
