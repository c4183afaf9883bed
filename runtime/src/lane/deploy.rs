//! Executing the entries that change which modules and tables there are.
//!
//! What they change is rows of system tables, in the same state and the same
//! change sets as everything else: a deployment is durable, visible and
//! reversible by the same rules as a command.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::Shared;
use super::execute::{Executed, Stop, failure};
use super::inbox::Pending;
use super::projections::{stage_deploy, stage_remove};
use super::reactions;
use crate::catalog::{Catalog, Deployed, ModuleRow, Plan, TableRow, table_names};
use crate::modules;
use crate::record::{Deploy, Entry, Verdict};
use crate::state::State;
use crate::transaction::Transaction;
use crate::value::{Hash, Key, Name, Value, chain_of};
use crate::wasm::CommandCall;

impl Shared {
    /// Puts a version of a module in place of the one before, and runs its
    /// `on_deploy` command on what it finds. If that refuses, nothing changes.
    pub(super) fn execute_deploy(
        &self,
        base: State,
        catalog: &Catalog,
        pending: &Pending,
        deploy: &Deploy,
    ) -> Result<Executed, Stop> {
        let entry = &*pending.entry;
        let identity = Some((deploy.module.clone(), deploy.hash));
        let deployed = match self.load(pending, deploy) {
            Ok(deployed) => deployed,
            Err(Unloadable::ByIt(reason)) => {
                return Ok(Executed::rejected(identity, failure("invalid-module", reason, None)));
            }
            Err(Unloadable::ByUs(reason)) => return Err(Stop(reason)),
        };
        let plan = match catalog.plan(&deployed) {
            Ok(plan) => plan,
            Err(conflicts) => {
                let lines: Vec<_> = conflicts.iter().map(ToString::to_string).collect();
                let conflict = failure("module-conflict", lines.join("; "), None);
                return Ok(Executed::rejected(identity, conflict));
            }
        };
        let mut transaction = self.transaction(base, entry, Arc::clone(&deployed.writable));
        if plan.unchanged {
            // The same upload twice, at the same time: its migration ran already.
            return Ok(succeeded(identity, transaction, &plan));
        }
        stage(&mut transaction, entry, &deployed, &plan).map_err(Stop)?;
        stage_deploy(&mut transaction, catalog, &deployed)?;
        reactions::stage_deploy(&mut transaction, &deployed);
        let Some(command) = &deployed.manifest().on_deploy else {
            return Ok(succeeded(identity, transaction, &plan));
        };
        let call = on_deploy_call(&deployed, entry, command);
        let done = deployed.module.instance().execute(transaction, &call);
        let mut executed = Executed::of(&deployed, done)?;
        if let Verdict::Succeeded(result) = &mut executed.verdict {
            *result = plan_value(&plan);
        }
        Ok(executed)
    }

    /// Takes a module away. Its tables stay, orphaned.
    pub(super) fn execute_remove(
        &self,
        base: State,
        catalog: &Catalog,
        entry: &Entry,
        module: &Name,
    ) -> Result<Executed, Stop> {
        let Some(deployed) = catalog.module(module.as_str()) else {
            let message = format!("no module `{module}` is deployed");
            return Ok(Executed::rejected(None, failure("unknown-module", message, None)));
        };
        let identity = Some((module.clone(), deployed.hash()));
        let mut transaction = self.transaction(base, entry, Arc::new(BTreeSet::new()));
        transaction.delete_system(&table_names::modules(), key(module).map_err(Stop)?);
        stage_remove(&mut transaction, catalog, module)?;
        for table in catalog.owned_by(module) {
            put_owner(&mut transaction, &table, &orphan(module, entry)).map_err(Stop)?;
        }
        Ok(done(identity, transaction, nothing()))
    }

    /// Drops a table that no module declares.
    pub(super) fn execute_drop(
        &self,
        base: State,
        catalog: &Catalog,
        entry: &Entry,
        table: &Name,
    ) -> Result<Executed, Stop> {
        let writing = catalog.writing(table).map(|it| &it.name);
        let refusal = match (catalog.tables().get(table), writing) {
            (Some(_), Some(projection)) => Some((
                "table-in-use",
                format!(
                    "table `{table}` is written by projection `{projection}`; deploy its module \
                     without the table, wait until that version is live, and drop it then"
                ),
            )),
            (Some(TableRow::Orphan { .. }), None) => None,
            (Some(TableRow::Owner(owner)), None) => Some((
                "table-in-use",
                format!(
                    "table `{table}` belongs to module `{owner}`; only orphaned tables are dropped"
                ),
            )),
            (None, _) => Some(("unknown-table", format!("there is no table `{table}`"))),
        };
        if let Some((code, message)) = refusal {
            return Ok(Executed::rejected(None, failure(code, message, None)));
        }
        let mut transaction = self.transaction(base, entry, Arc::new(BTreeSet::new()));
        transaction.drop_table(table);
        transaction.delete_system(&table_names::tables(), key(table).map_err(Stop)?);
        Ok(done(None, transaction, nothing()))
    }

    fn load(&self, pending: &Pending, deploy: &Deploy) -> Result<Deployed, Unloadable> {
        let entry = &pending.entry;
        let mut read = || self.modules.load(deploy.hash);
        let is_transient = modules::Error::is_transient;
        let module = self.patiently(pending.generation, "read a module", is_transient, &mut read);
        let module = module.map_err(|error| match &error {
            modules::Error::Refused { reason, .. } if !reason.is_transient() => {
                Unloadable::ByIt(chain_of(&error))
            }
            _ => Unloadable::ByUs(chain_of(&error)),
        })?;
        // Whatever it comes to belongs to a generation that is over.
        let module = module.ok_or_else(|| Unloadable::ByIt("given up".to_owned()))?;
        let row = ModuleRow { hash: deploy.hash, sequence: entry.sequence, time_ms: entry.time_ms };
        Deployed::new(self.modules.app(), deploy.module.clone(), module, row)
            .map_err(Unloadable::ByIt)
    }
}

/// Whose fault it is that a module cannot be had.
enum Unloadable {
    ByIt(String),
    ByUs(String),
}

fn stage(
    transaction: &mut Transaction,
    entry: &Entry,
    deployed: &Deployed,
    plan: &Plan,
) -> Result<(), String> {
    let version = deployed.row.version_key(&deployed.name).map_err(|error| error.to_string())?;
    transaction.put_system(&table_names::versions(), version, deployed.row.to_value());
    transaction.put_system(&table_names::modules(), key(&deployed.name)?, deployed.row.to_value());
    let owner = TableRow::Owner(deployed.name.to_string());
    for table in deployed.tables.iter() {
        // Also for a table that is there already: a lost row would be mended.
        transaction.create_table(table);
        put_owner(transaction, table, &owner)?;
    }
    for table in &plan.tables.orphaned {
        let table: Name =
            table.parse().map_err(|error: crate::value::Invalid| error.to_string())?;
        put_owner(transaction, &table, &orphan(&deployed.name, entry))?;
    }
    Ok(())
}

fn put_owner(transaction: &mut Transaction, table: &Name, row: &TableRow) -> Result<(), String> {
    transaction.put_system(&table_names::tables(), key(table)?, row.to_value());
    Ok(())
}

pub(super) fn orphan(module: &Name, entry: &Entry) -> TableRow {
    TableRow::Orphan { of: module.to_string(), since: entry.sequence.0 }
}

fn key(name: &Name) -> Result<Key, String> {
    Key::new(name.as_str()).map_err(|error| error.to_string())
}

fn on_deploy_call(deployed: &Deployed, entry: &Entry, command: &Name) -> CommandCall {
    CommandCall {
        module: Arc::clone(&deployed.label),
        id: entry.id,
        name: command.clone(),
        input: "{}".into(),
        sequence: entry.sequence,
        time_ms: entry.time_ms,
        scheduled_for_ms: None,
        basis: None,
        caller: None,
        correlation_id: entry.id.to_string().into(),
        causation_id: None,
        metadata: "{}".into(),
    }
}

fn succeeded(identity: Option<(Name, Hash)>, transaction: Transaction, plan: &Plan) -> Executed {
    done(identity, transaction, plan_value(plan))
}

fn plan_value(plan: &Plan) -> Value {
    let plan = serde_json::to_string(plan).unwrap_or_else(|_| "null".to_owned());
    Value::Json(plan.into())
}

fn nothing() -> Value {
    Value::Json("null".into())
}

fn done(identity: Option<(Name, Hash)>, transaction: Transaction, result: Value) -> Executed {
    Executed {
        module: identity,
        verdict: Verdict::Succeeded(result),
        staged: transaction.finish(),
        elapsed: Duration::ZERO,
    }
}
