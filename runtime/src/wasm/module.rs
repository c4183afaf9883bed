//! A module: compiled, described, and ready to be asked.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use wasmtime::Store;
use wasmtime::component::Instance;

use super::ask::ask;
use super::call::{Answered, QueryCall, ReactCall, Reacted, Stopwatch, to_event};
use super::code::Code;
use super::fault::Fault;
use super::guest::{Guest, Snapshot};
use super::guest_log::Callee;
use super::host::Host;
use super::live::Live;
use super::manifest::Manifest;
use super::outcome::{self, CallError};
use super::refused::Refused;
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
    /// Changes once for a script, when its snapshot is there.
    code: ArcSwap<Code>,
}

impl Module {
    /// Starts an instance, which may take so long, asks it for its manifest, and checks that it exports
    /// what the manifest declares.
    pub(super) fn describe(
        host: &Arc<Host>,
        code: Code,
        hash: Hash,
        upload_bytes: usize,
        deadline: Duration,
    ) -> Result<Self, Refused> {
        let name = "describe".into();
        let callee =
            Callee { kind: "export", name, id: "upload".into(), module: hash.to_string().into() };
        let mut store = host.store(host.settings.describe_budget(deadline), callee);
        let described = code.start_aloud(&mut store, deadline).and_then(|instance| {
            let text = code.describe(&mut store, &instance)?;
            Ok((instance, text))
        });
        let (instance, text) = described.map_err(|error| refused(store.data(), &error))?;
        let manifest = Manifest::parse(&text)?;
        check_exports(&manifest, &code, &mut store, &instance)?;
        let code = ArcSwap::from_pointee(code);
        Ok(Self { host: host.clone(), hash, upload_bytes, manifest, code })
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
        let code = self.code.load();
        let asked = ask(&self.host, &code, callee, snapshot, reads, |store, instance, handle| {
            let Some(queries) = &code.queries else {
                return Err(Fault::Host("the module has no queries".into()).into());
            };
            let queries = queries.load(&mut *store, instance)?;
            queries.call_query(store, handle, &call.to_request())
        })?;
        asked.answered(stopwatch)
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
        self.code.load().queries.is_some()
    }

    /// Whether it exports commands.
    #[must_use]
    pub fn has_commands(&self) -> bool {
        self.code.load().commands.is_some()
    }

    /// What its instances are made from now.
    pub(super) fn code(&self) -> Arc<Code> {
        self.code.load_full()
    }

    /// Whether its instances evaluate a script before they can be called.
    #[must_use]
    pub fn evaluates_script(&self) -> bool {
        self.code.load().is_script()
    }

    /// Evaluates its script once and has instances begin there from now on; how long that
    /// took.
    pub(super) fn initialise(&self) -> Result<Duration, Refused> {
        let stopwatch = Stopwatch::start();
        if let Some(initialised) = self.code.load().initialised(&self.host) {
            self.code.store(Arc::new(initialised?));
        }
        Ok(stopwatch.elapsed())
    }

    fn commands_of(&self, state: State, call: &ReactCall) -> Result<Vec<NewCommand>, CallError> {
        let event = to_event(&call.event);
        let (name, id) = (call.reaction.as_str(), event.id.clone());
        let callee =
            Callee { kind: "reaction", name: name.into(), id, module: call.module.clone() };
        let request_time_ms = event.time_ms;
        let snapshot = Snapshot { state, request_time_ms, asked_time: false, reads: None };
        let code = self.code.load();
        let asked = ask(&self.host, &code, callee, snapshot, None, |store, instance, handle| {
            let Some(reactions) = &code.reactions else {
                return Err(Fault::Host("the module has no reactions".into()).into());
            };
            let reactions = reactions.load(&mut *store, instance)?;
            reactions.call_react(store, handle, name, &event)
        })?;
        outcome::of_reaction(asked.store.data(), asked.returned)
    }
}

/// Whether what the manifest declares can be called, and as the contract says; and
/// whether events reach what is there to be given them.
fn check_exports(
    manifest: &Manifest,
    code: &Code,
    store: &mut Store<Guest>,
    instance: &Instance,
) -> Result<(), Refused> {
    let Manifest { queries, commands, projections, reactions, .. } = manifest;
    must_export("queries", queries.is_empty(), code.queries.is_some())?;
    must_export("commands", commands.is_empty(), code.commands.is_some())?;
    must_export("projections", projections.is_empty(), code.projections.is_some())?;
    must_export("reactions", reactions.is_empty(), code.reactions.is_some())?;
    if !code.is_of_base() {
        must_declare("projections", projections.is_empty(), code.projections.is_some())?;
        must_declare("reactions", reactions.is_empty(), code.reactions.is_some())?;
    }
    let mut loaded = Ok(());
    if let Some(queries) = &code.queries {
        loaded = loaded.and(queries.load(&mut *store, instance).map(drop));
    }
    if let Some(commands) = &code.commands {
        loaded = loaded.and(commands.load(&mut *store, instance).map(drop));
    }
    if let Some(projections) = &code.projections {
        loaded = loaded.and(projections.load(&mut *store, instance).map(drop));
    }
    if let Some(reactions) = &code.reactions {
        loaded = loaded.and(reactions.load(&mut *store, instance).map(drop));
    }
    loaded.map_err(|error| Refused::unlike(&error))
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

fn refused(guest: &Guest, error: &wasmtime::Error) -> Refused {
    if let Some(Fault::Script(error)) = error.downcast_ref() {
        return Refused::Script(error.clone());
    }
    match outcome::of_error(guest, error) {
        CallError::Host(reason) => Refused::Host(reason),
        error @ (CallError::Failed(_) | CallError::Rejected { .. }) => {
            Refused::DescribeFailed(error.to_string())
        }
    }
}
