//! Why a script does not become a module, with the place in the user's file.

use std::fmt;

use serde::Deserialize;

use super::Script;
use crate::wasm::contract::types::Failure;

/// What is wrong with a script, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptError {
    /// What kind of thing is wrong.
    pub kind: ScriptErrorKind,
    /// What the engine said, or the base.
    pub message: String,
    /// The file as stacks call it.
    pub file: String,
    /// Counted from 1, if it is known.
    pub line: Option<u32>,
    /// Counted from 1, if it is known.
    pub column: Option<u32>,
    /// The text of that line.
    pub source: Option<String>,
}

/// The kinds of things that are wrong with scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScriptErrorKind {
    /// It is not JavaScript.
    Syntax,
    /// It threw when it was evaluated.
    Threw,
    /// Its default export is not what `app()` returns.
    NoApp,
    /// It imports something that is not there.
    UnsupportedImport,
}

/// What the base says beside its message.
#[derive(Debug, Default, Deserialize)]
struct Details {
    line: Option<u32>,
    column: Option<u32>,
}

impl ScriptError {
    pub(super) fn new(script: &Script, failure: &Failure) -> Self {
        let details = failure.details.as_deref().map(serde_json::from_str);
        // What it is without is not shown: the message stands for itself.
        let Details { line, column } = details.and_then(Result::ok).unwrap_or_default();
        let kind = match &*failure.code {
            "syntax-error" => ScriptErrorKind::Syntax,
            "no-app" => ScriptErrorKind::NoApp,
            "unsupported-import" => ScriptErrorKind::UnsupportedImport,
            _ => ScriptErrorKind::Threw,
        };
        let places = script.places();
        let message = match &places {
            Some(places) => places.name_in(&failure.message),
            None => failure.message.as_ref().to_owned(),
        };
        let column_or_first = column.unwrap_or(1);
        let written = places.as_ref().zip(line);
        let found = written.and_then(|(places, line)| {
            let place = places.find(line, column_or_first)?;
            Some((places.line(&place).map(shown), place))
        });
        if let Some((source, place)) = found {
            let file = place.file.to_owned();
            let (line, column) = (Some(place.line), Some(place.column));
            return Self { kind, message, file, line, column, source };
        }
        let source = line.and_then(|line| script.line(line)).map(shown);
        Self { kind, message, file: script.file.clone(), line, column, source }
    }
}

impl std::error::Error for ScriptError {}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if let Some(column) = self.column {
            write!(f, ":{column}")?;
        }
        write!(f, ": {}", self.message)
    }
}

/// How much of a line is shown, in characters: bundles have long ones.
const SHOWN_MAX: usize = 200;

fn shown(line: &str) -> String {
    line.chars().take(SHOWN_MAX).collect()
}
