//! What a module says of itself: the document that `describe` returns, parsed
//! into something that cannot be wrong.
//!
//! Knows nothing of WebAssembly, and does not compile schemas: they are kept as
//! text for `catalog`.

mod object;
mod parse;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::value::{Name, Pattern};

/// The version of the contract in `wit/`, to which `contract` must be compatible.
pub const CONTRACT: &str = "0.1.0";
/// The whole document, in bytes.
pub const MANIFEST_BYTES_MAX: usize = 1 << 20;
/// Tables of a module.
pub const TABLES_MAX: usize = 256;
/// Queries, and again commands, of a module.
pub const HANDLERS_MAX: usize = 1_000;
/// Event types of a module.
pub const EVENTS_MAX: usize = 1_000;
/// Projections, and again reactions, of a module. Each event is offered to all.
pub const FOLLOWERS_MAX: usize = 100;
/// Patterns of one projection or reaction.
pub const PATTERNS_MAX: usize = 64;
/// The highest version of a projection.
pub const VERSION_MAX: u32 = i32::MAX as u32;
/// A description, in bytes: some paragraphs.
pub const DESCRIPTION_BYTES_MAX: usize = 4 << 10;
/// One JSON Schema, in bytes. Compiling one takes time that grows with it.
pub const SCHEMA_BYTES_MAX: usize = 64 << 10;

/// What a module offers and owns.
#[derive(Clone, Debug, Serialize)]
pub struct Manifest {
    /// The version of the contract it was written for.
    pub contract: String,
    /// For people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The tables it owns.
    #[serde(serialize_with = "by_name")]
    pub tables: BTreeMap<Name, Table>,
    /// The queries it answers.
    #[serde(serialize_with = "by_name")]
    pub queries: BTreeMap<Name, Handler>,
    /// The commands it executes.
    #[serde(serialize_with = "by_name")]
    pub commands: BTreeMap<Name, Handler>,
    /// The types of events it emits.
    pub events: BTreeMap<Arc<str>, EventType>,
    /// The tables it derives from events, and from which.
    #[serde(serialize_with = "by_name")]
    pub projections: BTreeMap<Name, Projection>,
    /// What it has follow from events.
    #[serde(serialize_with = "by_name")]
    pub reactions: BTreeMap<Name, Reaction>,
    /// The command to run when it is deployed; one of `commands`.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "name")]
    pub on_deploy: Option<Name>,
}

/// A table a module owns.
#[derive(Clone, Debug, Serialize)]
pub struct Table {
    /// For people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Whether to take over a table that another module left behind.
    pub adopt: bool,
}

/// A query or command.
#[derive(Clone, Debug, Serialize)]
pub struct Handler {
    /// For people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The JSON Schema of its input; none if any JSON will do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<Arc<RawValue>>,
    /// The JSON Schema of its result; for people and programs, not enforced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Arc<RawValue>>,
}

/// A type of event.
#[derive(Clone, Debug, Serialize)]
pub struct EventType {
    /// For people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The JSON Schema that its data must fit; none if any JSON will do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<Arc<RawValue>>,
}

/// Tables that are derived from events, and can be built anew from them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Projection {
    /// For people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Which code made the tables, 1 to [`VERSION_MAX`]: under another number they
    /// are built anew.
    pub version: u32,
    /// Which events it is given; 1 to [`PATTERNS_MAX`].
    #[serde(serialize_with = "patterns")]
    pub on: Vec<Pattern>,
    /// The tables it writes, one at least; each of the module's `tables`, and of no
    /// other projection. Commands do not write them.
    #[serde(serialize_with = "names")]
    pub tables: BTreeSet<Name>,
}

/// What follows from events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reaction {
    /// For people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Which events it is given; 1 to [`PATTERNS_MAX`].
    #[serde(serialize_with = "patterns")]
    pub on: Vec<Pattern>,
    /// Where it begins when it is new.
    pub from: Begin,
}

/// Where a new reaction begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Begin {
    /// With the first event after its deployment.
    #[default]
    Now,
    /// With the first event of the app.
    Start,
}

impl Projection {
    /// Whether it is given events of this type.
    #[must_use]
    pub fn is_on(&self, event_type: &str) -> bool {
        self.on.iter().any(|pattern| pattern.matches(event_type))
    }
}

impl Reaction {
    /// Whether it is given events of this type.
    #[must_use]
    pub fn is_on(&self, event_type: &str) -> bool {
        self.on.iter().any(|pattern| pattern.matches(event_type))
    }
}

impl Manifest {
    /// The tables that its commands may write: those of no projection.
    pub fn writable_tables(&self) -> impl Iterator<Item = &Name> {
        let derived = |table: &&Name| self.projections.values().any(|p| p.tables.contains(*table));
        self.tables.keys().filter(move |table| !derived(table))
    }

    /// The manifest as JSON: members in a fixed order, names sorted, nothing
    /// that is absent, schemas as the module wrote them.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Names and text serialise; there is nothing else in it.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Whether this server serves modules built for a version of the contract: those
/// of its own minor version, since before 1.0.0 the next one may break.
pub(super) fn is_compatible(version: &str) -> bool {
    let line = |version: &str| version.rsplit_once('.').map(|(line, _)| line.to_owned());
    line(version).is_some() && line(version) == line(CONTRACT)
}

fn by_name<T, S>(map: &BTreeMap<Name, T>, serializer: S) -> Result<S::Ok, S::Error>
where
    T: Serialize,
    S: Serializer,
{
    serializer.collect_map(map.iter().map(|(name, value)| (name.as_str(), value)))
}

fn names<S: Serializer>(names: &BTreeSet<Name>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(names.iter().map(Name::as_str))
}

fn patterns<S: Serializer>(patterns: &[Pattern], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(patterns.iter().map(Pattern::as_str))
}

#[expect(clippy::ref_option, reason = "serde's signature")]
fn name<S: Serializer>(name: &Option<Name>, serializer: S) -> Result<S::Ok, S::Error> {
    name.as_ref().map(Name::as_str).serialize(serializer)
}
