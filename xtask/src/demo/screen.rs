//! What a person sees: sections, what was sent and what came back, small tables,
//! and claims, none of which is printed before it was checked.

use std::fmt::{Debug, Display};
use std::io::IsTerminal;
use std::time::Duration;

use anyhow::{Result, bail};
use indicatif::{ProgressBar, ProgressStyle};

/// Texts longer than this end in an ellipsis: lines stay within a terminal.
const TEXT_CHARACTERS_MAX: usize = 96;

/// Standard output.
#[derive(Debug)]
pub(crate) struct Screen {
    colour: bool,
    /// Claims that were checked and printed.
    claims: std::cell::Cell<u32>,
}

impl Screen {
    /// Colour on a terminal, unless its owner wants none.
    pub(crate) fn new() -> Self {
        let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { colour, claims: std::cell::Cell::new(0) }
    }

    /// The beginning of a section.
    pub(crate) fn section(&self, title: &str) {
        println!("\n{}", self.paint("1", title));
    }

    /// Something to know before what follows.
    pub(crate) fn say(&self, text: &str) {
        println!("  {text}");
    }

    /// A line without anything, between what does not belong together.
    pub(crate) fn blank(&self) {
        println!();
    }

    /// A name and what it is.
    pub(crate) fn field(&self, name: &str, value: impl Display) {
        println!("  {}{value}", self.paint("2", &format!("{name:<14}")));
    }

    /// What is sent.
    pub(crate) fn sent(&self, who: &str, request: &str) {
        println!("  {who:<6}{} {}", self.paint("36", "->"), cut(request));
    }

    /// What came back.
    pub(crate) fn came(&self, who: &str, status: u16, answer: &str) {
        let colour = if status < 400 { "32" } else { "33" };
        let status = self.paint(colour, &status.to_string());
        println!("  {who:<6}{} {status} {}", self.paint("36", "<-"), cut(answer));
    }

    /// Rows below a line of titles. Numbers are to the right.
    pub(crate) fn table(&self, titles: &[&str], rows: &[Vec<String>]) {
        let width = |column: usize| {
            let cells = rows.iter().filter_map(|row| row.get(column)).map(String::as_str);
            cells.chain(titles.get(column).copied()).map(|cell| cell.chars().count()).max()
        };
        let widths: Vec<usize> = (0..titles.len()).filter_map(width).collect();
        let is_number = |cell: &str| {
            cell.chars().all(|c| c.is_ascii_digit() || ".,".contains(c)) || cell == "-"
        };
        let numbers: Vec<bool> = (0..titles.len())
            .map(|column| rows.iter().filter_map(|row| row.get(column)).all(|cell| is_number(cell)))
            .collect();
        let line = |cells: &[String]| {
            let cells = cells.iter().zip(&widths).zip(&numbers);
            let cells = cells.map(|((cell, width), is_number)| match is_number {
                true => format!("{cell:>width$}"),
                false => format!("{cell:<width$}"),
            });
            cells.collect::<Vec<_>>().join("  ")
        };
        let titles: Vec<String> = titles.iter().map(ToString::to_string).collect();
        println!("    {}", self.paint("2", line(&titles).trim_end()));
        for row in rows {
            println!("    {}", line(row).trim_end());
        }
    }

    /// A claim, printed if what was found is what has to be.
    ///
    /// # Errors
    /// If it is not: the claim and both values.
    pub(crate) fn claim<T>(&self, text: &str, found: &T, due: &T) -> Result<()>
    where
        T: PartialEq + Debug + ?Sized,
    {
        if found != due {
            let (found, due) = (format!("{found:?}"), format!("{due:?}"));
            bail!(
                "it is not so that {text}:\n  found    {}\n  expected {}",
                cut(&found),
                cut(&due)
            );
        }
        self.checked(text);
        Ok(())
    }

    /// A claim that its caller has checked, in a way that can say more if it fails.
    pub(crate) fn checked(&self, text: &str) {
        println!("  {} {text}", self.paint("32", "✓"));
        self.claims.set(self.claims.get() + 1);
    }

    /// How many claims were checked.
    pub(crate) fn claims(&self) -> u32 {
        self.claims.get()
    }

    /// A bar for something long; on standard error, and only on a terminal.
    pub(crate) fn progress(&self, total: u64, what: &'static str) -> ProgressBar {
        let bar = ProgressBar::new(total).with_message(what);
        let style = ProgressStyle::with_template("  {wide_bar} {human_pos} of {human_len} {msg}");
        match style {
            Ok(style) => bar.with_style(style),
            // A template that is wrong costs its looks alone.
            Err(_) => bar,
        }
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// A number with its thousands apart.
pub(crate) fn thousands(number: impl TryInto<u64>) -> String {
    let digits = number.try_into().map_or_else(|_| "?".to_owned(), |number| number.to_string());
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Cents as a sum of money.
pub(crate) fn money(cents: u64) -> String {
    format!("{}.{:02}", thousands(cents / 100), cents % 100)
}

/// A time, for people.
pub(crate) fn ms(duration: Duration) -> String {
    match duration.as_millis() {
        0..10_000 => format!("{} ms", duration.as_millis()),
        _ => format!("{:.1} s", duration.as_secs_f64()),
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(TEXT_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or(text)),
        None => text.to_owned(),
    }
}
