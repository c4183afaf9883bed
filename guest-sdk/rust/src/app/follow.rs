//! What an app does with events.

use std::fmt;

use super::{TableDeclaration, is_kebab_of, kebab};
use crate::{Event, NewCommand, Rejection, Snapshot, View};

/// A projection: tables that are derived from events.
#[derive(Debug)]
pub struct ProjectionEntry {
    /// Its name, as an identifier.
    pub name: &'static str,
    /// What its tables hold.
    pub description: &'static str,
    /// Under another number the server builds the tables anew.
    pub version: u32,
    /// Its tables, with their indexes.
    pub tables: fn() -> Vec<TableDeclaration>,
    /// What is done with which events.
    pub on: &'static [On<fn(&mut View, Event<String>) -> Result<(), Rejection>>],
}

/// A reaction: commands that follow from events.
#[derive(Debug)]
pub struct ReactionEntry {
    /// Its name, as an identifier.
    pub name: &'static str,
    /// What it is for.
    pub description: &'static str,
    /// Where it begins when it is new.
    pub from: Begin,
    /// What follows from which events.
    pub on: &'static [On<fn(&Snapshot, Event<String>) -> Result<Vec<NewCommand>, Rejection>>],
}

/// Where a new reaction begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Begin {
    /// With the first event after its deployment.
    #[default]
    Now,
    /// With the first event of the app.
    Start,
}

/// What is done with the events that a pattern means.
pub struct On<R> {
    /// Such as `order.*`.
    pub pattern: &'static str,
    /// Parses the data and calls the function.
    pub run: R,
}

impl ProjectionEntry {
    /// The name the server knows, in kebab-case.
    pub fn kebab_name(&self) -> String {
        kebab(self.name)
    }

    pub(crate) fn is_named(&self, name: &str) -> bool {
        is_kebab_of(self.name, name)
    }
}

impl ReactionEntry {
    /// The name the server knows, in kebab-case.
    pub fn kebab_name(&self) -> String {
        kebab(self.name)
    }

    pub(crate) fn is_named(&self, name: &str) -> bool {
        is_kebab_of(self.name, name)
    }
}

impl<R> fmt::Debug for On<R> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("On").field(&self.pattern).finish()
    }
}
