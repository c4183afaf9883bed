//! A module: compiled, described, and ready to be asked.

use std::fmt;
use std::sync::Arc;

use wasmtime::Store;
use wasmtime::component::{Instance, InstancePre, Resource};

use super::call::{Answered, QueryCall, Stopwatch};
use super::contract::exports::chancery::app::{commands, manifest, queries};
use super::contract::types;
use super::fault::Fault;
use super::guest::{Guest, Snapshot};
use super::guest_log::Callee;
use super::host::Host;
use super::live::Live;
use super::manifest::Manifest;
use super::outcome::{self, CallError};
use super::refused::Refused;
use super::settings::Budget;
use crate::state::State;
use crate::value::Hash;

/// One version of a module. Its instances are made from it, and it keeps none.
pub struct Module {
    pub(super) host: Arc<Host>,
    hash: Hash,
    upload_bytes: usize,
    manifest: Manifest,
    pre: InstancePre<Guest>,
    queries: Option<queries::GuestIndices>,
    pub(super) commands: Option<commands::GuestIndices>,
}

impl Module {
    /// Starts an instance, asks it for its manifest, and checks that it exports
    /// what the manifest declares.
    pub(super) fn describe(
        host: &Arc<Host>,
        pre: InstancePre<Guest>,
        hash: Hash,
        upload_bytes: usize,
    ) -> Result<Self, Refused> {
        let name = "describe".into();
        let callee =
            Callee { kind: "export", name, id: "upload".into(), module: hash.to_string().into() };
        let mut store = host.store(host.settings.describe_budget(), callee);
        let (instance, text) =
            describe(&pre, &mut store).map_err(|error| refused(store.data(), &error))?;
        let module = Self {
            host: host.clone(),
            hash,
            upload_bytes,
            manifest: Manifest::parse(&text)?,
            queries: queries::GuestIndices::new(&pre).ok(),
            commands: commands::GuestIndices::new(&pre).ok(),
            pre,
        };
        module.check_exports(&mut store, &instance)?;
        Ok(module)
    }

    /// Answers a query from a state, in a fresh instance.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn query(&self, state: State, call: &QueryCall) -> Result<Answered, CallError> {
        let stopwatch = Stopwatch::start();
        let name = call.name.as_str().into();
        let id = call.request_id.clone();
        let callee = Callee { kind: "query", name, id, module: call.module.clone() };
        let (mut store, instance) = self.start(self.host.settings.query_budget(), callee)?;
        let snapshot = Snapshot { state, request_time_ms: call.request_time_ms, asked_time: false };
        let returned = self.ask(&mut store, &instance, snapshot, call);
        let guest = store.data_mut();
        let asked_time = guest.take_snapshot().is_some_and(|snapshot| snapshot.asked_time);
        let value = match returned {
            Ok(returned) => outcome::of_return(guest, returned)?,
            Err(error) => return Err(outcome::of_error(guest, &error)),
        };
        Ok(Answered { value, asked_time, elapsed: stopwatch.elapsed() })
    }

    /// A live instance for commands, started at the first one.
    #[must_use]
    pub fn instance(self: &Arc<Self>) -> Live {
        Live::new(self.clone())
    }

    /// The SHA-256 of the uploaded bytes.
    #[must_use]
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// What it says of itself.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The length of the upload, in bytes.
    #[must_use]
    pub fn upload_bytes(&self) -> usize {
        self.upload_bytes
    }

    /// Whether it exports queries.
    #[must_use]
    pub fn has_queries(&self) -> bool {
        self.queries.is_some()
    }

    /// Whether it exports commands.
    #[must_use]
    pub fn has_commands(&self) -> bool {
        self.commands.is_some()
    }

    /// An instance with a store of its own.
    pub(super) fn start(
        &self,
        budget: Budget,
        callee: Callee,
    ) -> Result<(Store<Guest>, Instance), CallError> {
        let mut store = self.host.store(budget, callee);
        match self.pre.instantiate(&mut store) {
            Ok(instance) => Ok((store, instance)),
            Err(error) => Err(outcome::of_error(store.data(), &error)),
        }
    }

    fn ask(
        &self,
        store: &mut Store<Guest>,
        instance: &Instance,
        snapshot: Snapshot,
        call: &QueryCall,
    ) -> wasmtime::Result<Result<types::Value, types::Failure>> {
        let Some(queries) = &self.queries else {
            return Err(Fault::Host("the module has no queries".into()).into());
        };
        let queries = queries.load(&mut *store, instance)?;
        let handle = Resource::new_own(store.data_mut().grant_snapshot(snapshot)?);
        queries.call_query(store, handle, &call.to_request())
    }

    /// Whether what the manifest declares can be called, and as the contract says.
    fn check_exports(&self, store: &mut Store<Guest>, instance: &Instance) -> Result<(), Refused> {
        let missing = |path: &str| Refused::InvalidManifest {
            path: path.into(),
            reason: format!(
                "is not empty, but the component does not export `chancery:app/{path}`"
            ),
        };
        if self.queries.is_none() && !self.manifest.queries.is_empty() {
            return Err(missing("queries"));
        }
        if self.commands.is_none() && !self.manifest.commands.is_empty() {
            return Err(missing("commands"));
        }
        if let Some(queries) = &self.queries {
            queries.load(&mut *store, instance).map_err(|error| Refused::unlike(&error))?;
        }
        if let Some(commands) = &self.commands {
            commands.load(store, instance).map_err(|error| Refused::unlike(&error))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Module").field("hash", &self.hash).finish_non_exhaustive()
    }
}

fn describe(
    pre: &InstancePre<Guest>,
    store: &mut Store<Guest>,
) -> wasmtime::Result<(Instance, String)> {
    let instance = pre.instantiate(&mut *store)?;
    let manifest = manifest::GuestIndices::new(pre)?.load(&mut *store, &instance)?;
    let text = manifest.call_describe(store)?;
    Ok((instance, text))
}

fn refused(guest: &Guest, error: &wasmtime::Error) -> Refused {
    match outcome::of_error(guest, error) {
        CallError::Host(reason) => Refused::Host(reason),
        error @ (CallError::Failed(_) | CallError::Rejected { .. }) => {
            Refused::DescribeFailed(error.to_string())
        }
    }
}
