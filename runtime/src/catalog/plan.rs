//! What deploying a module would change, found without changing anything.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;
use serde_json::value::RawValue;

use super::{Catalog, Deployed, TableRow, Which};
use crate::value::Name;
use crate::wasm::{Handler, Projection, Reaction};

/// Modules of an app, at most. Each keeps an instance of the server's pool while
/// its app is busy.
pub(super) const MODULES_MAX: usize = 100;

/// What deploying a module changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The module's name.
    pub module: String,
    /// The version to be deployed.
    pub hash: String,
    /// The version it replaces.
    pub replaces: Option<String>,
    /// Whether that is the same version, so that there is nothing to do.
    pub unchanged: bool,
    /// What becomes of its commands.
    pub commands: Delta,
    /// What becomes of its queries.
    pub queries: Delta,
    /// What becomes of its tables.
    pub tables: TablePlan,
    /// What becomes of its projections.
    pub projections: ProjectionPlan,
    /// What becomes of its reactions.
    pub reactions: Delta,
    /// The command that runs as part of the deployment.
    pub on_deploy: Option<String>,
}

/// How a set of handlers changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Delta {
    /// Not there before.
    pub added: Vec<String>,
    /// There before with another description or schema, or on other events.
    pub changed: Vec<String>,
    /// Not there any more.
    pub removed: Vec<String>,
}

/// How a module's tables change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TablePlan {
    /// New and empty.
    pub created: Vec<String>,
    /// Taken over with their rows; nobody owned them.
    pub adopted: Vec<String>,
    /// Declared no more; their rows stay, readable.
    pub orphaned: Vec<String>,
    /// Declared no more, and written by the build of a projection that serves until the
    /// next one is complete: orphaned then.
    pub released: Vec<String>,
}

/// How a module's projections change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ProjectionPlan {
    /// New; built from all events there are.
    pub added: Vec<String>,
    /// There before with another version; built anew while that one serves.
    pub rebuilt: Vec<String>,
    /// Not there any more.
    pub removed: Vec<String>,
}

/// Why a module cannot be deployed beside the others.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// Two modules would own one name.
    #[error(
        "{kind} `{name}` belongs to module `{owner}`; choose another name, or remove it there first"
    )]
    Taken {
        /// `command`, `query`, `table`, `projection` or `reaction`.
        kind: &'static str,
        /// The name both want.
        name: Name,
        /// Who has it.
        owner: String,
    },
    /// As many modules as an app may have.
    #[error("the app has {MODULES_MAX} modules, as many as it may have; remove one first")]
    TooMany,
    /// A table with rows of a module that no longer declares it.
    #[error(
        "table `{table}` is left over from module `{of}`; say `\"adopt\": true` at the table in the \
         manifest to take it over with its rows, or drop it first"
    )]
    NotAdopted {
        /// Which table.
        table: Name,
        /// Whose it was.
        of: String,
    },
    /// A projection whose tables would not be what the new code makes of the events.
    #[error(
        "projection `{projection}` has other patterns or other tables than before and still is \
         version {version}; give it another version, so that it is built anew"
    )]
    SameVersion {
        /// Which projection.
        projection: Name,
        /// Its version, before and now.
        version: u32,
    },
    /// A table that the build of a projection writes which serves for the time being.
    #[error(
        "table `{table}` is still written by projection `{projection}`, which serves until version \
         {version} of it is built; deploy first without this table, wait until `GET \
         …/projections/{projection}` shows that version as `live`, and then deploy with it"
    )]
    StillWritten {
        /// Which table.
        table: Name,
        /// Which projection.
        projection: Name,
        /// The version that is to be built.
        version: u32,
    },
}

impl Catalog {
    /// What deploying a module would change.
    ///
    /// # Errors
    /// Everything that stands in the way.
    pub fn plan(&self, deployed: &Deployed) -> Result<Plan, Vec<Conflict>> {
        let before = self.modules.get(&deployed.name);
        let conflicts = self.conflicts(deployed);
        if !conflicts.is_empty() {
            return Err(conflicts);
        }
        let unchanged = before.is_some_and(|before| before.hash() == deployed.hash());
        let (manifest, nothing) = (deployed.manifest(), BTreeMap::new());
        let on_deploy = manifest.on_deploy.as_ref().filter(|_| !unchanged);
        let old = before.map(|before| before.manifest());
        Ok(Plan {
            module: deployed.name.to_string(),
            hash: deployed.hash().to_string(),
            replaces: before.map(|before| before.hash().to_string()),
            unchanged,
            commands: delta(old.map_or(&nothing, |old| &old.commands), &manifest.commands),
            queries: delta(old.map_or(&nothing, |old| &old.queries), &manifest.queries),
            tables: self.table_plan(deployed),
            projections: projection_plan(old.map(|old| &old.projections), &manifest.projections),
            reactions: reaction_delta(old.map(|old| &old.reactions), &manifest.reactions),
            on_deploy: on_deploy.map(Name::to_string),
        })
    }

    fn conflicts(&self, deployed: &Deployed) -> Vec<Conflict> {
        let mut conflicts = Vec::new();
        let own = deployed.name.as_str();
        let manifest = deployed.manifest();
        if !self.modules.contains_key(&deployed.name) && self.modules.len() >= MODULES_MAX {
            conflicts.push(Conflict::TooMany);
        }
        let mut taken = |kind, name: &Name, owner: Option<&str>| match owner {
            Some(owner) if owner != own => {
                let (name, owner) = (name.clone(), owner.to_owned());
                conflicts.push(Conflict::Taken { kind, name, owner });
            }
            _ => {}
        };
        for name in deployed.open_commands() {
            taken("command", name, self.commands.get(name).map(|owner| owner.name.as_str()));
        }
        for name in manifest.queries.keys() {
            taken("query", name, self.queries.get(name).map(|owner| owner.name.as_str()));
        }
        for name in manifest.tables.keys() {
            taken("table", name, self.tables.get(name).and_then(TableRow::owner));
        }
        for name in manifest.projections.keys() {
            let owner = self.projections.get(name);
            taken("projection", name, owner.map(|owner| owner.name.as_str()));
        }
        for name in manifest.reactions.keys() {
            taken("reaction", name, self.reactions.get(name).map(|owner| owner.name.as_str()));
        }
        for (name, projection) in &manifest.projections {
            let before = self.modules.get(own).and_then(|it| it.manifest().projections.get(name));
            let is_other = |before: &Projection| {
                before.on != projection.on || before.tables != projection.tables
            };
            let version = projection.version;
            if before.is_some_and(|before| before.version == version && is_other(before)) {
                conflicts.push(Conflict::SameVersion { projection: name.clone(), version });
            }
        }
        for (projection, table) in self.left_out(deployed) {
            if let Some(declared) = manifest.projections.get(projection)
                && deployed.tables.contains(table)
            {
                let (table, projection) = (table.clone(), projection.clone());
                let version = declared.version;
                conflicts.push(Conflict::StillWritten { table, projection, version });
            }
        }
        for (table, declared) in &manifest.tables {
            // A module takes its own back without being asked: a rollback must
            // find its tables again.
            match self.tables.get(table) {
                Some(TableRow::Orphan { of, .. }) if of != own && !declared.adopt => {
                    conflicts.push(Conflict::NotAdopted { table: table.clone(), of: of.clone() });
                }
                _ => {}
            }
        }
        conflicts
    }

    fn table_plan(&self, deployed: &Deployed) -> TablePlan {
        let mut plan = TablePlan::default();
        for table in deployed.tables.iter() {
            match self.tables.get(table) {
                None => plan.created.push(table.to_string()),
                Some(TableRow::Orphan { .. }) => plan.adopted.push(table.to_string()),
                Some(TableRow::Owner(_)) => {}
            }
        }
        let left_out: BTreeSet<_> = self.left_out(deployed).map(|(_, table)| table).collect();
        for table in self.owned_by(&deployed.name).difference(&deployed.tables) {
            match left_out.contains(table) {
                true => plan.released.push(table.to_string()),
                false => plan.orphaned.push(table.to_string()),
            }
        }
        plan
    }

    /// The tables that a projection of the module leaves out, and that its live build
    /// goes on writing until the next one takes its place; each with the projection.
    fn left_out<'a>(
        &'a self,
        deployed: &'a Deployed,
    ) -> impl Iterator<Item = (&'a Name, &'a Name)> {
        let declared = deployed.manifest().projections.iter();
        declared.flat_map(|(name, declared)| {
            let live = self.projecting_of(name.as_str());
            let live = live.filter(|live| live.row.module == deployed.name);
            let tables = live.and_then(|live| live.tables(Which::Live));
            let tables = tables.into_iter().flat_map(|tables| tables.iter());
            tables.filter(|table| !declared.tables.contains(*table)).map(move |table| (name, table))
        })
    }

    /// The tables that a module owns.
    #[must_use]
    pub fn owned_by(&self, module: &Name) -> BTreeSet<Name> {
        let owned = self.tables.iter().filter(|(_, row)| row.owner() == Some(module.as_str()));
        owned.map(|(table, _)| table.clone()).collect()
    }
}

fn projection_plan(
    old: Option<&BTreeMap<Name, Projection>>,
    new: &BTreeMap<Name, Projection>,
) -> ProjectionPlan {
    let mut plan = ProjectionPlan::default();
    for (name, projection) in new {
        match old.and_then(|old| old.get(name)) {
            None => plan.added.push(name.to_string()),
            Some(before) if before.version != projection.version => {
                plan.rebuilt.push(name.to_string());
            }
            Some(_) => {}
        }
    }
    plan.removed = removed(old, new);
    plan
}

fn reaction_delta(old: Option<&BTreeMap<Name, Reaction>>, new: &BTreeMap<Name, Reaction>) -> Delta {
    let mut delta = Delta::default();
    for (name, reaction) in new {
        match old.and_then(|old| old.get(name)) {
            None => delta.added.push(name.to_string()),
            Some(before) if before != reaction => delta.changed.push(name.to_string()),
            Some(_) => {}
        }
    }
    delta.removed = removed(old, new);
    delta
}

/// The names that are no longer there.
fn removed<T>(old: Option<&BTreeMap<Name, T>>, new: &BTreeMap<Name, T>) -> Vec<String> {
    let old = old.into_iter().flat_map(BTreeMap::keys);
    old.filter(|name| !new.contains_key(*name)).map(Name::to_string).collect()
}

fn delta(old: &BTreeMap<Name, Handler>, new: &BTreeMap<Name, Handler>) -> Delta {
    let mut delta = Delta::default();
    for (name, handler) in new {
        match old.get(name) {
            None => delta.added.push(name.to_string()),
            Some(before) if !same(before, handler) => delta.changed.push(name.to_string()),
            Some(_) => {}
        }
    }
    delta.removed = removed(Some(old), new);
    delta
}

fn same(one: &Handler, other: &Handler) -> bool {
    let texts = |handler: &Handler| {
        let text = |schema: &Option<Arc<RawValue>>| schema.as_ref().map(|s| s.get().to_owned());
        (text(&handler.input), text(&handler.output))
    };
    one.description == other.description && texts(one) == texts(other)
}
