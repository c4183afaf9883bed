//! A module: compiled, described, and ready to be asked.

use std::fmt;
use std::sync::Arc;

use wasmtime::Store;
use wasmtime::component::{Instance, InstancePre, Resource};

use super::call::{Answered, QueryCall, ReactCall, Reacted, Stopwatch, to_event};
use super::contract::exports::chancery::app::{
    commands, manifest, projections, queries, reactions,
};
use super::contract::{self, types};
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
use crate::transaction::NewCommand;
use crate::value::Hash;
use crate::watch::Reads;

/// One version of a module. Its instances are made from it, and it keeps none.
pub struct Module {
    pub(super) host: Arc<Host>,
    hash: Hash,
    upload_bytes: usize,
    manifest: Manifest,
    pre: InstancePre<Guest>,
    queries: Option<queries::GuestIndices>,
    pub(super) commands: Option<commands::GuestIndices>,
    pub(super) projections: Option<projections::GuestIndices>,
    reactions: Option<reactions::GuestIndices>,
}

/// A handler that reads: what it returned, and the store of its instance.
struct Asked<T> {
    store: Store<Guest>,
    returned: Result<T, types::Failure>,
    asked_time: bool,
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
            projections: projections::GuestIndices::new(&pre).ok(),
            reactions: reactions::GuestIndices::new(&pre).ok(),
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
        self.query_noting(state, call, None)
    }

    /// As [`Module::query`], and notes what it read of the state, whatever comes of
    /// it: another state in which all of that is the same gives the same answer, but for
    /// the time of the request.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn query_noting(
        &self,
        state: State,
        call: &QueryCall,
        reads: Option<&mut Reads>,
    ) -> Result<Answered, CallError> {
        let stopwatch = Stopwatch::start();
        let name = call.name.as_str().into();
        let id = call.request_id.clone();
        let callee = Callee { kind: "query", name, id, module: call.module.clone() };
        let snapshot = Snapshot {
            state,
            request_time_ms: call.request_time_ms,
            asked_time: false,
            reads: reads.is_some().then(Reads::default),
        };
        let asked = self.ask(callee, snapshot, reads, |store, instance, handle| {
            let Some(queries) = &self.queries else {
                return Err(Fault::Host("the module has no queries".into()).into());
            };
            let queries = queries.load(&mut *store, instance)?;
            queries.call_query(store, handle, &call.to_request())
        })?;
        let value = outcome::of_return(asked.store.data(), asked.returned)?;
        Ok(Answered { value, asked_time: asked.asked_time, elapsed: stopwatch.elapsed() })
    }

    /// Asks a reaction what follows from an event, in a fresh instance over a state
    /// that includes the event. The limits are those of a query, and the time of the
    /// request is that of the event.
    #[must_use]
    pub fn react(&self, state: State, call: &ReactCall) -> Reacted {
        let stopwatch = Stopwatch::start();
        let result = self.commands_of(state, call);
        Reacted { result, elapsed: stopwatch.elapsed() }
    }

    /// A live instance for commands and projections, started at the first call.
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

    fn commands_of(&self, state: State, call: &ReactCall) -> Result<Vec<NewCommand>, CallError> {
        let event = to_event(&call.event);
        let (name, id) = (call.reaction.as_str(), event.id.clone());
        let callee =
            Callee { kind: "reaction", name: name.into(), id, module: call.module.clone() };
        let request_time_ms = event.time_ms;
        let snapshot = Snapshot { state, request_time_ms, asked_time: false, reads: None };
        let asked = self.ask(callee, snapshot, None, |store, instance, handle| {
            let Some(reactions) = &self.reactions else {
                return Err(Fault::Host("the module has no reactions".into()).into());
            };
            let reactions = reactions.load(&mut *store, instance)?;
            reactions.call_react(store, handle, name, &event)
        })?;
        outcome::of_reaction(asked.store.data(), asked.returned)
    }

    /// Calls a handler that reads, in a fresh instance.
    fn ask<T>(
        &self,
        callee: Callee,
        snapshot: Snapshot,
        reads: Option<&mut Reads>,
        call: impl FnOnce(
            &mut Store<Guest>,
            &Instance,
            Resource<contract::Snapshot>,
        ) -> wasmtime::Result<Result<T, types::Failure>>,
    ) -> Result<Asked<T>, CallError> {
        let (mut store, instance) = self.start(self.host.settings.query_budget(), callee)?;
        let granted = store.data_mut().grant_snapshot(snapshot).map_err(wasmtime::Error::from);
        let returned =
            granted.and_then(|number| call(&mut store, &instance, Resource::new_own(number)));
        let snapshot = store.data_mut().take_snapshot();
        let asked_time = snapshot.as_ref().is_some_and(|it| it.asked_time);
        if let (Some(reads), Some(noted)) = (reads, snapshot.and_then(|it| it.reads)) {
            *reads = noted;
        }
        match returned {
            Ok(returned) => Ok(Asked { store, returned, asked_time }),
            Err(error) => Err(outcome::of_error(store.data(), &error)),
        }
    }

    /// Whether what the manifest declares can be called, and as the contract says;
    /// and whether events reach what is there to be given them.
    fn check_exports(&self, store: &mut Store<Guest>, instance: &Instance) -> Result<(), Refused> {
        let Manifest { queries, commands, projections, reactions, .. } = &self.manifest;
        must_export("queries", queries.is_empty(), self.queries.is_some())?;
        must_export("commands", commands.is_empty(), self.commands.is_some())?;
        must_export("projections", projections.is_empty(), self.projections.is_some())?;
        must_export("reactions", reactions.is_empty(), self.reactions.is_some())?;
        must_declare("projections", projections.is_empty(), self.projections.is_some())?;
        must_declare("reactions", reactions.is_empty(), self.reactions.is_some())?;
        let mut loaded = Ok(());
        if let Some(queries) = &self.queries {
            loaded = loaded.and(queries.load(&mut *store, instance).map(drop));
        }
        if let Some(commands) = &self.commands {
            loaded = loaded.and(commands.load(&mut *store, instance).map(drop));
        }
        if let Some(projections) = &self.projections {
            loaded = loaded.and(projections.load(&mut *store, instance).map(drop));
        }
        if let Some(reactions) = &self.reactions {
            loaded = loaded.and(reactions.load(&mut *store, instance).map(drop));
        }
        loaded.map_err(|error| Refused::unlike(&error))
    }
}

fn must_export(interface: &str, is_empty: bool, is_exported: bool) -> Result<(), Refused> {
    if is_empty || is_exported {
        return Ok(());
    }
    let reason =
        format!("is not empty, but the component does not export `chancery:app/{interface}`");
    Err(Refused::InvalidManifest { path: interface.into(), reason })
}

/// Handlers of events that no event would ever reach: the manifest was forgotten.
fn must_declare(interface: &str, is_empty: bool, is_exported: bool) -> Result<(), Refused> {
    if !is_empty || !is_exported {
        return Ok(());
    }
    let reason = format!(
        "is empty, but the component exports `chancery:app/{interface}`; declare them, or leave \
         out the export"
    );
    Err(Refused::InvalidManifest { path: interface.into(), reason })
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
