//! What is known of an app's projections: rows of the system table `$projections`.
//!
//! A projection has up to two *builds*: the one whose tables are read, and the next
//! one, whose tables are hidden until they take the place of those. A build either
//! keeps up with every command, or has come to some event and goes on from there, or
//! is parked at an event that it could not take.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::rows::{read, read_tables, table_names, to_json};
use super::{Catalog, Deployed, Error, ModuleRow};
use crate::modules::Modules;
use crate::state::State;
use crate::value::{ChangeSet, Hash, Invalid, Key, Name, Position, Sequence, Value};
use crate::wasm::Projection;

/// Which build of a projection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Which {
    /// The one whose tables are read.
    Live,
    /// The one that is to take its place.
    Next,
}

/// What is known of a projection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectionRow {
    /// The module that declares it.
    pub module: Name,
    /// The build whose tables are read; none until the first is complete.
    pub live: Option<Build>,
    /// The build that is to take its place.
    pub next: Option<Build>,
}

/// Tables of a projection, and how far they have come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    /// The version that its manifest gives.
    pub version: u32,
    /// The module that makes it.
    pub hash: Hash,
    /// The first event that it was given, or would have been: 1, unless older ones were
    /// not kept any more when it was begun.
    pub from: Position,
    /// The last event that is in it; none if it keeps up with every command.
    pub position: Option<Position>,
    /// Why it goes no further.
    pub parked: Option<Parked>,
}

/// Why a build goes no further.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parked {
    /// The event that it could not take; the last of them if they are not kept any more.
    pub position: u64,
    /// The entry that emitted the event; 0 if that is not kept any more.
    pub sequence: u64,
    /// When it was parked, in milliseconds since 1970, as entries count it.
    pub time_ms: u64,
    /// What it said, for programs.
    pub code: String,
    /// The same for people.
    pub message: String,
}

#[derive(Serialize, Deserialize)]
struct RowJson {
    module: String,
    live: Option<BuildJson>,
    next: Option<BuildJson>,
}

#[derive(Serialize, Deserialize)]
struct BuildJson {
    version: u32,
    hash: String,
    from: u64,
    position: Option<u64>,
    parked: Option<Parked>,
}

/// A projection as of one sequence, with the code of its builds.
#[derive(Debug, Clone)]
pub struct Projecting {
    /// Its name.
    pub name: Name,
    /// What is known of it.
    pub row: ProjectionRow,
    /// The module that makes the live build.
    live: Option<Arc<Deployed>>,
    /// The module that makes the next one.
    next: Option<Arc<Deployed>>,
}

impl ProjectionRow {
    /// The row as it is stored.
    #[must_use]
    pub fn to_value(&self) -> Value {
        let build = |build: &Build| BuildJson {
            version: build.version,
            hash: build.hash.to_string(),
            from: build.from.0,
            position: build.position.map(|position| position.0),
            parked: build.parked.clone(),
        };
        to_json(&RowJson {
            module: self.module.to_string(),
            live: self.live.as_ref().map(build),
            next: self.next.as_ref().map(build),
        })
    }

    /// One of its builds.
    #[must_use]
    pub fn build(&self, which: Which) -> Option<&Build> {
        match which {
            Which::Live => self.live.as_ref(),
            Which::Next => self.next.as_ref(),
        }
    }

    /// The same, to be changed.
    pub fn build_mut(&mut self, which: Which) -> Option<&mut Build> {
        match which {
            Which::Live => self.live.as_mut(),
            Which::Next => self.next.as_mut(),
        }
    }

    /// The build that is to be advanced after one was: both are in one row, so it is one
    /// after the other, and neither waits for one that never comes to the end.
    #[must_use]
    pub fn unfinished(&self, after: Which) -> Option<Which> {
        let is_unfinished = |which: &Which| self.build(*which).is_some_and(Build::is_unfinished);
        [after.other(), after].into_iter().find(is_unfinished)
    }

    /// The build that was advanced since a row before; if neither was, because there was
    /// nothing to fold, one that has still to be completed.
    #[must_use]
    pub fn advanced_since(&self, before: &Self) -> Which {
        let is_next = match (self.live == before.live, self.next == before.next) {
            (true, true) => self.next.as_ref().is_some_and(Build::is_unfinished),
            (is_same, _) => is_same,
        };
        if is_next { Which::Next } else { Which::Live }
    }

    /// Notes how far a build has come, and why it goes no further if it does not.
    pub fn go_to(&mut self, which: Which, position: Position, parked: Option<Parked>) {
        if let Some(build) = self.build_mut(which) {
            (build.position, build.parked) = (Some(position), parked);
        }
    }

    /// Its builds.
    pub fn builds(&self) -> impl Iterator<Item = &Build> {
        self.live.iter().chain(&self.next)
    }
}

impl Build {
    /// Where it goes on from, if there is something to do.
    #[must_use]
    pub fn unfinished(&self) -> Option<Position> {
        self.position.filter(|_| self.parked.is_none())
    }

    /// Whether there is.
    #[must_use]
    pub fn is_unfinished(&self) -> bool {
        self.unfinished().is_some()
    }
}

impl Which {
    /// Both, the live one first.
    pub const BOTH: [Self; 2] = [Self::Live, Self::Next];

    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Live => Self::Next,
            Self::Next => Self::Live,
        }
    }

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Next => "next",
        }
    }

    /// The table in which a build has what handlers know as `table`.
    #[must_use]
    pub fn place(self, table: &Name) -> Name {
        match self {
            Self::Live => table.clone(),
            Self::Next => table.next_table(),
        }
    }
}

impl Projecting {
    /// The code of a build; none if there is no such build.
    #[must_use]
    pub fn code(&self, which: Which) -> Option<&Arc<Deployed>> {
        match which {
            Which::Live => self.live.as_ref(),
            Which::Next => self.next.as_ref(),
        }
    }

    /// What the manifest of a build's code says of it.
    #[must_use]
    pub fn declared(&self, which: Which) -> Option<&Projection> {
        self.code(which)?.manifest().projections.get(&self.name)
    }

    /// The tables of a build, as handlers know them.
    #[must_use]
    pub fn tables(&self, which: Which) -> Option<&Arc<BTreeSet<Name>>> {
        self.code(which)?.view_tables(self.name.as_str())
    }

    /// Whether one of its builds is on its way.
    #[must_use]
    pub fn is_unfinished(&self) -> bool {
        self.row.builds().any(Build::is_unfinished)
    }

    /// Whether what is read of it is not as new as the rest of the state, and how new
    /// it is then.
    #[must_use]
    pub fn behind(&self) -> Option<Position> {
        match (&self.row.live, &self.row.next) {
            (Some(live), _) => live.position,
            (None, next) => Some(next.as_ref().and_then(|next| next.position).unwrap_or_default()),
        }
    }
}

impl Catalog {
    /// What the projections of a state are and whose its tables, all modules being as
    /// they were.
    ///
    /// # Errors
    /// [`Error`]: the app cannot run until it is mended.
    pub fn with_projections(&self, state: &State, modules: &Modules) -> Result<Self, Error> {
        let projecting = read_projecting(state, modules, &self.modules, &self.projecting)?;
        Ok(Self { projecting, tables: read_tables(state)?, ..self.clone() })
    }

    /// The projection whose live build writes a table, if one does.
    #[must_use]
    pub fn writing(&self, table: &Name) -> Option<&Arc<Projecting>> {
        let writes = |it: &&Arc<Projecting>| {
            it.tables(Which::Live).is_some_and(|tables| tables.contains(table))
        };
        self.projecting.values().find(writes)
    }

    /// All projections that have builds, by name.
    pub fn projecting(&self) -> impl Iterator<Item = &Arc<Projecting>> {
        self.projecting.values()
    }

    /// The projection of that name that has builds.
    #[must_use]
    pub fn projecting_of(&self, name: &str) -> Option<&Arc<Projecting>> {
        self.projecting.get(name)
    }
}

/// Whether changes are about projections.
#[must_use]
pub fn concern_projections(changes: &ChangeSet) -> bool {
    let table = table_names::projections();
    changes.tables.iter().any(|changes| changes.table == table)
}

/// The key of a projection in its table.
///
/// # Errors
/// Never: a name is a key.
pub fn projection_key(name: &Name) -> Result<Key, Invalid> {
    Key::new(name.as_str())
}

/// The row of a projection in a state; none if there is none.
///
/// # Errors
/// [`Error::Row`] if it is not what this server writes.
pub fn read_projection(state: &State, name: &Name) -> Result<Option<ProjectionRow>, Error> {
    // Names are keys of a table of a few rows; another may begin with this one.
    let rows = read_rows(state, name.as_str())?;
    Ok(rows.into_iter().find(|(found, _)| found == name).map(|(_, row)| row))
}

/// The rows of all projections of a state, by name.
///
/// # Errors
/// As [`read_projection`].
pub fn read_projections(state: &State) -> Result<Vec<(Name, ProjectionRow)>, Error> {
    read_rows(state, "")
}

fn read_rows(state: &State, prefix: &str) -> Result<Vec<(Name, ProjectionRow)>, Error> {
    read(state, &table_names::projections(), prefix, |name, row: RowJson| {
        let module = Name::parse_stored(&row.module)?;
        let (live, next) = (row.live.map(parse).transpose()?, row.next.map(parse).transpose()?);
        Ok((Name::parse_stored(name)?, ProjectionRow { module, live, next }))
    })
}

fn parse(build: BuildJson) -> Result<Build, Invalid> {
    let BuildJson { version, hash, from, position, parked } = build;
    let (hash, from, position) = (hash.parse()?, Position(from), position.map(Position));
    Ok(Build { version, hash, from, position, parked })
}

/// The projections of a state. Code that `before` has already is taken from there.
pub(super) fn read_projecting(
    state: &State,
    modules: &Modules,
    deployed: &BTreeMap<Name, Arc<Deployed>>,
    before: &BTreeMap<Name, Arc<Projecting>>,
) -> Result<BTreeMap<Name, Arc<Projecting>>, Error> {
    let mut projecting = BTreeMap::new();
    for (name, row) in read_projections(state)? {
        let before = before.get(&name);
        if let Some(before) = before.filter(|before| before.row == row) {
            projecting.insert(name, Arc::clone(before));
            continue;
        }
        let known = |hash: Hash| {
            let of_before = before.into_iter().flat_map(|it| it.live.iter().chain(&it.next));
            let mut known = deployed.get(&row.module).into_iter().chain(of_before);
            known.find(|known| known.name == row.module && known.hash() == hash).cloned()
        };
        let code = |build: Option<&Build>| -> Result<Option<Arc<Deployed>>, Error> {
            let Some(Build { hash, .. }) = build else { return Ok(None) };
            match known(*hash) {
                Some(known) => Ok(Some(known)),
                None => load(modules, &row.module, *hash).map(Some),
            }
        };
        let (live, next) = (code(row.live.as_ref())?, code(row.next.as_ref())?);
        projecting.insert(name.clone(), Arc::new(Projecting { name, row, live, next }));
    }
    Ok(projecting)
}

/// A version that is not the deployed one any more.
fn load(modules: &Modules, name: &Name, hash: Hash) -> Result<Arc<Deployed>, Error> {
    let module = modules.load(hash);
    let module = module.map_err(|source| Error::Module { name: name.clone(), source })?;
    // Nobody asks when it was deployed.
    let row = ModuleRow { hash, sequence: Sequence(0), time_ms: 0 };
    let deployed = Deployed::new(modules.app(), name.clone(), module, row);
    deployed.map(Arc::new).map_err(|reason| Error::Schema { name: name.clone(), reason })
}
