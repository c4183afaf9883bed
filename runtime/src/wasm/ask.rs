//! Handlers that read: each call in a fresh instance, over a snapshot.

use std::sync::Arc;

use wasmtime::Store;
use wasmtime::component::{Instance, Resource};

use super::call::{AdhocCall, Answered, Stopwatch};
use super::code::Code;
use super::contract::{self, types};
use super::guest::{Guest, Snapshot};
use super::guest_log::Callee;
use super::host::Host;
use super::outcome::{self, CallError};
use crate::state::State;
use crate::watch::Reads;

/// What a handler returned, and the store of its instance.
pub(super) struct Asked<T> {
    pub(super) store: Store<Guest>,
    pub(super) returned: Result<T, types::Failure>,
    asked_time: bool,
}

impl Asked<types::Value> {
    /// The answer, checked.
    pub(super) fn answered(self, stopwatch: Stopwatch) -> Result<Answered, CallError> {
        let value = outcome::of_return(self.store.data(), self.returned)?;
        Ok(Answered { value, asked_time: self.asked_time, elapsed: stopwatch.elapsed() })
    }
}

/// Calls a handler within the limits of a query; what it has read is noted, whatever comes
/// of it.
pub(super) fn ask<T>(
    host: &Host,
    code: &Code,
    callee: Callee,
    snapshot: Snapshot,
    reads: Option<&mut Reads>,
    call: impl FnOnce(
        &mut Store<Guest>,
        &Instance,
        Resource<contract::Snapshot>,
    ) -> wasmtime::Result<Result<T, types::Failure>>,
) -> Result<Asked<T>, CallError> {
    let mut store = host.store(host.settings.query_budget(), callee);
    let started = code.start(&mut store);
    let instance = started.map_err(|error| outcome::of_error(store.data(), &error))?;
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

impl Host {
    /// Answers a question that is a script itself, in a fresh instance of the base. The
    /// first one compiles the base, which takes a second or two.
    ///
    /// # Errors
    /// [`CallError`].
    pub fn adhoc(&self, state: State, call: &AdhocCall) -> Result<Answered, CallError> {
        let stopwatch = Stopwatch::start();
        let base = self.own_base().map_err(|refused| CallError::Host(refused.to_string()))?;
        let (name, id) = (Arc::clone(&call.name), Arc::clone(&call.request_id));
        let callee = Callee { kind: "ad-hoc query", name, id, module: Arc::clone(&call.app) };
        let snapshot = Snapshot {
            state,
            request_time_ms: call.request_time_ms,
            asked_time: false,
            reads: None,
        };
        let asked = ask(self, &base.code, callee, snapshot, None, |store, instance, handle| {
            base.adhoc.call(store, instance, handle, &call.source, &call.to_request())
        })?;
        asked.answered(stopwatch)
    }
}
