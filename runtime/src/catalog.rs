//! Which module owns which command, query, table, projection and reaction of an app.
//!
//! The truth is four system tables, changed only by entries of the log; a
//! catalog is what they say as of one sequence, with the compiled modules and
//! schemas at hand. It knows how to plan a change, not how to log one.

mod plan;
mod projections;
mod rows;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

pub use plan::{Conflict, Delta, Plan, ProjectionPlan, TablePlan};
pub use projections::{
    Build, Parked, Projecting, ProjectionRow, Which, concern_projections, projection_key,
    read_projection, read_projections,
};
pub use rows::{ModuleRow, TableRow, is_deployment, table_names};
pub(crate) use rows::{read_modules, read_versions};

use crate::modules::{self, Modules};
use crate::schema::{self, Schema};
use crate::state::State;
use crate::value::{Hash, Name, Sequence};
use crate::wasm::{self, Manifest};

/// What the modules of an app own, as of one sequence.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    modules: BTreeMap<Name, Arc<Deployed>>,
    commands: HashMap<Name, Arc<Deployed>>,
    queries: HashMap<Name, Arc<Deployed>>,
    projections: BTreeMap<Name, Arc<Deployed>>,
    reactions: BTreeMap<Name, Arc<Deployed>>,
    projecting: BTreeMap<Name, Arc<Projecting>>,
    tables: BTreeMap<Name, TableRow>,
}

/// One version of a module, ready to be called.
#[derive(Debug)]
pub struct Deployed {
    /// The module's name.
    pub name: Name,
    /// App and module, such as `main/shop`, for log lines.
    pub label: Arc<str>,
    /// The compiled module.
    pub module: Arc<wasm::Module>,
    /// When and by which entry it was deployed.
    pub row: ModuleRow,
    /// The tables it owns.
    pub tables: Arc<BTreeSet<Name>>,
    /// Those of them that its commands may write: the ones of no projection.
    pub writable: Arc<BTreeSet<Name>>,
    commands: HashMap<Name, Schema>,
    queries: HashMap<Name, Schema>,
    /// Of the events that have one.
    events: HashMap<Arc<str>, Schema>,
    /// The tables of each projection.
    views: BTreeMap<Name, Arc<BTreeSet<Name>>>,
}

/// Why a catalog cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A module that is deployed cannot be loaded.
    #[error("cannot load module `{name}`")]
    Module {
        /// Which module.
        name: Name,
        /// Why.
        source: modules::Error,
    },
    /// A schema that was accepted before is not any more.
    #[error("module `{name}`: {reason}")]
    Schema {
        /// Which module.
        name: Name,
        /// Why.
        reason: String,
    },
    /// A system table holds what this server did not write.
    #[error("system table `{table}` cannot be read at key `{key}`: {reason}")]
    Row {
        /// Which table.
        table: Name,
        /// Which row.
        key: String,
        /// Why.
        reason: String,
    },
}

impl Error {
    /// Whether it may pass by itself.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Module { source, .. } if source.is_transient())
    }
}

impl Catalog {
    /// What the system tables of a state say. Modules that `before` has already
    /// are taken from it.
    ///
    /// # Errors
    /// [`Error`]: the app cannot run until it is mended.
    pub fn of(state: &State, modules: &Modules, before: &Self) -> Result<Self, Error> {
        let mut catalog = Self { tables: rows::read_tables(state)?, ..Self::default() };
        for (name, row) in read_modules(state)? {
            let deployed = match before.modules.get(&name) {
                Some(deployed) if deployed.row == row => Arc::clone(deployed),
                _ => {
                    let module = modules.load(row.hash);
                    let module =
                        module.map_err(|source| Error::Module { name: name.clone(), source })?;
                    let deployed = Deployed::new(modules.app(), name.clone(), module, row);
                    Arc::new(deployed.map_err(|reason| Error::Schema { name, reason })?)
                }
            };
            catalog.add(deployed);
        }
        catalog.projecting =
            projections::read_projecting(state, modules, &catalog.modules, &before.projecting)?;
        Ok(catalog)
    }

    fn add(&mut self, deployed: Arc<Deployed>) {
        for command in deployed.open_commands() {
            self.commands.insert(command.clone(), Arc::clone(&deployed));
        }
        for query in deployed.queries.keys() {
            self.queries.insert(query.clone(), Arc::clone(&deployed));
        }
        for projection in deployed.manifest().projections.keys() {
            self.projections.insert(projection.clone(), Arc::clone(&deployed));
        }
        for reaction in deployed.manifest().reactions.keys() {
            self.reactions.insert(reaction.clone(), Arc::clone(&deployed));
        }
        self.modules.insert(deployed.name.clone(), deployed);
    }

    /// The module that owns a command.
    #[must_use]
    pub fn command(&self, name: &str) -> Option<&Arc<Deployed>> {
        self.commands.get(name)
    }

    /// The module that owns a query.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<&Arc<Deployed>> {
        self.queries.get(name)
    }

    /// The module that declares a projection.
    #[must_use]
    pub fn projection(&self, name: &str) -> Option<&Arc<Deployed>> {
        self.projections.get(name)
    }

    /// The module that declares a reaction.
    #[must_use]
    pub fn reaction(&self, name: &str) -> Option<&Arc<Deployed>> {
        self.reactions.get(name)
    }

    /// A module by its name.
    #[must_use]
    pub fn module(&self, name: &str) -> Option<&Arc<Deployed>> {
        self.modules.get(name)
    }

    /// All modules, by name.
    pub fn modules(&self) -> impl Iterator<Item = &Arc<Deployed>> {
        self.modules.values()
    }

    /// The names of all commands.
    pub fn commands(&self) -> impl Iterator<Item = &Name> {
        self.commands.keys()
    }

    /// The names of all queries.
    pub fn queries(&self) -> impl Iterator<Item = &Name> {
        self.queries.keys()
    }

    /// All projections by name, each with the module that declares it.
    pub fn projections(&self) -> impl Iterator<Item = (&Name, &Arc<Deployed>)> {
        self.projections.iter()
    }

    /// All reactions by name, each with the module that declares it.
    pub fn reactions(&self) -> impl Iterator<Item = (&Name, &Arc<Deployed>)> {
        self.reactions.iter()
    }

    /// All tables that handlers see, and whose they are.
    #[must_use]
    pub fn tables(&self) -> &BTreeMap<Name, TableRow> {
        &self.tables
    }
}

impl Deployed {
    /// A module under a name, with its schemas compiled.
    ///
    /// # Errors
    /// Which schema of the manifest cannot be used, and why.
    pub fn new(
        app: &Name,
        name: Name,
        module: Arc<wasm::Module>,
        row: ModuleRow,
    ) -> Result<Self, String> {
        let manifest = module.manifest();
        let commands = compile("commands", &manifest.commands)?;
        let queries = compile("queries", &manifest.queries)?;
        let events = compile_events(&manifest.events)?;
        let tables = Arc::new(manifest.tables.keys().cloned().collect());
        let writable = Arc::new(manifest.writable_tables().cloned().collect());
        let view = |projection: &wasm::Projection| Arc::new(projection.tables.clone());
        let views = manifest.projections.iter().map(|(name, it)| (name.clone(), view(it)));
        let views = views.collect();
        let label = format!("{app}/{name}").into();
        Ok(Self { name, label, module, row, tables, writable, commands, queries, events, views })
    }

    /// The commands that clients may submit: all but the one that runs when the
    /// module is deployed, which must not run again whenever somebody likes.
    pub fn open_commands(&self) -> impl Iterator<Item = &Name> {
        let reserved = self.manifest().on_deploy.as_ref();
        self.manifest().commands.keys().filter(move |name| Some(*name) != reserved)
    }

    /// The SHA-256 of the uploaded bytes.
    #[must_use]
    pub fn hash(&self) -> Hash {
        self.row.hash
    }

    /// The entry that deployed it.
    #[must_use]
    pub fn since(&self) -> Sequence {
        self.row.sequence
    }

    /// What the module says of itself.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        self.module.manifest()
    }

    /// Checks the input of a command of this module; none if it has no such
    /// command.
    #[must_use]
    pub fn check_command(&self, name: &str, input: &str) -> Option<Result<(), schema::Refused>> {
        self.commands.get(name).map(|schema| schema.check(input))
    }

    /// Checks the data of an event; none if the module does not declare events of
    /// this type, or without a schema.
    #[must_use]
    pub fn check_event(&self, event_type: &str, data: &str) -> Option<Result<(), schema::Refused>> {
        self.events.get(event_type).map(|schema| schema.check(data))
    }

    /// The tables of a projection of this module: what its view shows, and what it
    /// may write. None if it has no such projection.
    #[must_use]
    pub fn view_tables(&self, projection: &str) -> Option<&Arc<BTreeSet<Name>>> {
        self.views.get(projection)
    }

    /// Checks the input of a query of this module; none if it has no such query.
    #[must_use]
    pub fn check_query(&self, name: &str, input: &str) -> Option<Result<(), schema::Refused>> {
        self.queries.get(name).map(|schema| schema.check(input))
    }
}

fn compile(
    kind: &str,
    handlers: &BTreeMap<Name, wasm::Handler>,
) -> Result<HashMap<Name, Schema>, String> {
    let compiled = handlers.iter().map(|(name, handler)| {
        let text = handler.input.as_deref().map_or("true", |schema| schema.get());
        let schema = Schema::compile(text)
            .map_err(|reason| format!("{kind}.{name}.input is not a JSON Schema: {reason}"))?;
        Ok((name.clone(), schema))
    });
    compiled.collect()
}

fn compile_events(
    events: &BTreeMap<Arc<str>, wasm::EventType>,
) -> Result<HashMap<Arc<str>, Schema>, String> {
    let mut compiled = HashMap::new();
    for (event_type, event) in events {
        if let Some(text) = event.schema.as_deref() {
            let schema = Schema::compile(text.get()).map_err(|reason| {
                format!("events.{event_type}.schema is not a JSON Schema: {reason}")
            })?;
            compiled.insert(Arc::clone(event_type), schema);
        }
    }
    Ok(compiled)
}
