//! What the base exports beside what every module does: `chancery:script/loader`.

use wasmtime::Store;
use wasmtime::component::{Component, ComponentExportIndex, Instance, Resource};

use super::{Script, ScriptError};
use crate::wasm::contract;
use crate::wasm::contract::types::{Failure, QueryRequest, Value};
use crate::wasm::fault::Fault;
use crate::wasm::guest::Guest;

/// Described in `guest-sdk/js/base/wit`.
const INTERFACE: &str = "chancery:script/loader@0.1.0";

/// Where `load` is.
pub(in crate::wasm) struct Loader(ComponentExportIndex);

/// Where `adhoc` is.
pub(in crate::wasm) struct Adhoc(ComponentExportIndex);

impl Loader {
    pub(in crate::wasm) fn of(component: &Component) -> wasmtime::Result<Self> {
        find(component, "load").map(Self)
    }

    /// Evaluates a script that was accepted before: it can fail for want of time or
    /// memory, but not by itself.
    pub(in crate::wasm) fn load(
        &self,
        store: &mut Store<Guest>,
        instance: &Instance,
        script: &Script,
    ) -> wasmtime::Result<()> {
        let loaded = self.try_load(store, instance, script)?;
        loaded.map_err(|error| Fault::Script(error).into())
    }

    /// Evaluates a script.
    pub(in crate::wasm) fn try_load(
        &self,
        store: &mut Store<Guest>,
        instance: &Instance,
        script: &Script,
    ) -> wasmtime::Result<Result<(), Box<ScriptError>>> {
        type Loaded = (Result<(), Failure>,);
        let load = instance.get_typed_func::<(&str, &str), Loaded>(&mut *store, self.0)?;
        let (loaded,) = load.call(store, (&script.file, script.code()))?;
        Ok(loaded.map_err(|failure| Box::new(ScriptError::new(script, &failure))))
    }
}

impl Adhoc {
    pub(in crate::wasm) fn of(component: &Component) -> wasmtime::Result<Self> {
        find(component, "adhoc").map(Self)
    }

    /// Answers a question that is a script itself.
    pub(in crate::wasm) fn call(
        &self,
        store: &mut Store<Guest>,
        instance: &Instance,
        snapshot: Resource<contract::Snapshot>,
        source: &str,
        request: &QueryRequest,
    ) -> wasmtime::Result<Result<Value, Failure>> {
        type Parameters<'a> = (Resource<contract::Snapshot>, &'a str, &'a QueryRequest);
        type Answered = (Result<Value, Failure>,);
        let call = instance.get_typed_func::<Parameters<'_>, Answered>(&mut *store, self.0)?;
        Ok(call.call(store, (snapshot, source, request))?.0)
    }
}

/// Makes engine, prelude and SDK in an instance.
pub(super) fn prepare(store: &mut Store<Guest>, instance: &Instance) -> wasmtime::Result<()> {
    let interface = instance.get_export_index(&mut *store, None, INTERFACE);
    let prepare = interface
        .and_then(|interface| instance.get_export_index(&mut *store, Some(&interface), "prepare"));
    let prepare = prepare.ok_or_else(|| missing("prepare"))?;
    instance.get_typed_func::<(), ()>(&mut *store, prepare)?.call(store, ())
}

fn find(component: &Component, function: &str) -> wasmtime::Result<ComponentExportIndex> {
    let interface = component.get_export_index(None, INTERFACE);
    let found =
        interface.and_then(|interface| component.get_export_index(Some(&interface), function));
    found.ok_or_else(|| missing(function))
}

fn missing(function: &str) -> wasmtime::Error {
    wasmtime::Error::msg(format!("the base does not export `{INTERFACE}` with `{function}`"))
}
