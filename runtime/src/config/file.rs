//! The configuration file: TOML, every key known, every value with its line.

use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::key::{self, Key, Table};
use super::{Error, Source};
use crate::engine::suggest;

/// What a file sets. The default sets nothing.
#[derive(Debug, Default)]
pub struct File {
    path: PathBuf,
    set: Vec<Line>,
}

#[derive(Debug)]
struct Line {
    key: Key,
    text: String,
    number: usize,
}

impl File {
    /// Reads a file's text.
    ///
    /// # Errors
    /// [`Error`] if it is not TOML, or sets what does not exist.
    pub fn parse(path: &Path, text: &str) -> Result<Self, Error> {
        let document = DeTable::parse(text).map_err(|error| Error::Syntax {
            path: path.to_owned(),
            line: error.span().map_or(1, |span| line_of(text, span.start)),
            message: error.message().to_owned(),
        })?;
        let mut file = Self { path: path.to_owned(), set: Vec::new() };
        for (name, value) in document.get_ref() {
            match (name.get_ref().as_ref(), value.get_ref()) {
                ("serve", DeValue::Table(table)) => {
                    for (name, value) in table {
                        file.add(Table::Serve, text, name.get_ref(), value)?;
                    }
                }
                (name, _) => file.add(Table::Top, text, name, value)?,
            }
        }
        Ok(file)
    }

    /// What it sets a key to, as text, and where.
    #[must_use]
    pub fn get(&self, key: Key) -> Option<(String, Source)> {
        let line = self.set.iter().find(|line| line.key == key)?;
        let source = Source::File { path: self.path.clone(), line: line.number };
        Some((line.text.clone(), source))
    }

    fn add(
        &mut self,
        table: Table,
        text: &str,
        name: &str,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<(), Error> {
        let number = line_of(text, value.span().start);
        let known = key::ALL.iter().find(|key| key.table == table && key.name == name);
        let Some(&key) = known else { return Err(self.unknown(table, name, number)) };
        // Numbers in the words of the file: whoever reads the setting parses them.
        let value_text = match value.get_ref() {
            DeValue::String(string) => string.to_string(),
            DeValue::Integer(integer) if integer.radix() == 10 => integer.as_str().to_owned(),
            DeValue::Boolean(boolean) => boolean.to_string(),
            other => {
                let origin = Source::File { path: self.path.clone(), line: number };
                let value = text.get(value.span()).unwrap_or_default().to_owned();
                let reason = format!("a string, number or boolean, not {}", other.type_str());
                return Err(Error::Value { key, value, origin, reason });
            }
        };
        self.set.push(Line { key, text: value_text, number });
        Ok(())
    }

    fn unknown(&self, table: Table, name: &str, line: usize) -> Error {
        let asked = match table.name() {
            None => name.to_owned(),
            Some(table) => format!("{table}.{name}"),
        };
        // By the bare name, so that a key in the wrong table is found as well.
        let nearest = suggest(name, key::ALL.iter().map(|key| key.name));
        let key = key::ALL.iter().find(|key| Some(key.name) == nearest.as_deref());
        let suggestion = key.map(ToString::to_string);
        Error::UnknownKey { path: self.path.clone(), line, key: asked, suggestion }
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().iter().take(offset);
    1 + before.filter(|&&byte| byte == b'\n').count()
}
