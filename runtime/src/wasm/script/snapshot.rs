//! Instances as they are after they did something, made into components that begin there.
//!
//! This is what `wasmtime-wizer` does: it adds exports that give away memories and
//! globals, and after the call writes their contents into the component as its data.

use std::sync::OnceLock;

use futures_util::FutureExt;
use wasmtime::Store;
use wasmtime::component::{Component, Instance, InstancePre, Lift, WasmList};
use wasmtime_wizer::{ComponentInstanceState, Wizer};

use super::Script;
use super::base::Base;
use super::loader::Loader;
use crate::wasm::Host;
use crate::wasm::guest::Guest;
use crate::wasm::guest_log::Callee;
use crate::wasm::refused::Refused;

/// The base with a script evaluated.
///
/// # Errors
/// [`Refused`]. A script that was accepted gives none but for want of memory or time.
pub(in crate::wasm) fn of_script(
    host: &Host,
    base: &Base,
    script: &Script,
) -> Result<Vec<u8>, Refused> {
    of(host, &base.bytes, &base.instrumented, |store, instance, component| {
        let loader = Loader::of(component).map_err(failed)?;
        let loaded = loader.try_load(store, instance, script).map_err(failed)?;
        loaded.map_err(Refused::Script)
    })
}

/// The component that begins where `act` ends, in an instance of a component whose
/// memories and globals are all its state: tables must not change.
pub(super) fn of(
    host: &Host,
    component: &[u8],
    instrumented: &OnceLock<InstancePre<Guest>>,
    act: impl FnOnce(&mut Store<Guest>, &Instance, &Component) -> Result<(), Refused>,
) -> Result<Vec<u8>, Refused> {
    let wizer = Wizer::new();
    let (context, wasm) = wizer.instrument_component(component).map_err(failed)?;
    let pre = match instrumented.get() {
        Some(pre) => pre,
        None => {
            let pre = host.link(&host.compile(&wasm)?)?;
            instrumented.get_or_init(|| pre)
        }
    };
    let callee = Callee {
        kind: "export",
        name: "load".into(),
        id: "snapshot".into(),
        module: "script".into(),
    };
    let mut store =
        host.store(host.settings.describe_budget(host.settings.start_deadline()), callee);
    let instance = pre.instantiate(&mut store).map_err(failed)?;
    act(&mut store, &instance, pre.component())?;
    // What follows only reads, but all there is.
    store.set_hostcall_fuel(usize::MAX);
    store.set_epoch_deadline(u64::MAX / 2);
    let mut reader = Reader { store: &mut store, instance };
    let written = wizer.snapshot_component(&context, &mut reader).now_or_never();
    let Some(written) = written else {
        unreachable!("nothing in it waits: the reader's calls return when they are made");
    };
    written.map_err(failed)
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn failed(error: wasmtime::Error) -> Refused {
    Refused::Host(format!("could not make a snapshot of the script: {error:#}"))
}

/// Reads the state of an instance through the exports that wizer added.
struct Reader<'a> {
    store: &'a mut Store<Guest>,
    instance: Instance,
}

impl Reader<'_> {
    fn call<R: Lift + 'static>(&mut self, interface: &str, function: &str) -> R {
        let Self { store, instance } = self;
        let interface = instance.get_export_index(&mut **store, None, interface);
        let function = interface.and_then(|interface| {
            instance.get_export_index(&mut **store, Some(&interface), function)
        });
        let read = function
            .ok_or_else(|| wasmtime::Error::msg("not exported"))
            .and_then(|function| instance.get_typed_func::<(), (R,)>(&mut **store, function))
            .and_then(|function| function.call(&mut **store, ()));
        match read {
            Ok((read,)) => read,
            Err(error) => {
                unreachable!("wizer added functions that return what is there: {error:#}")
            }
        }
    }
}

impl ComponentInstanceState for Reader<'_> {
    async fn call_func_ret_list_u8(
        &mut self,
        instance: &str,
        func: &str,
        contents: impl FnOnce(&[u8]) + Send,
    ) {
        let list: WasmList<u8> = self.call(instance, func);
        contents(list.as_le_slice(&*self.store));
    }

    async fn call_func_ret_s32(&mut self, instance: &str, func: &str) -> i32 {
        self.call(instance, func)
    }

    async fn call_func_ret_s64(&mut self, instance: &str, func: &str) -> i64 {
        self.call(instance, func)
    }

    async fn call_func_ret_f32(&mut self, instance: &str, func: &str) -> u32 {
        self.call::<f32>(instance, func).to_bits()
    }

    async fn call_func_ret_f64(&mut self, instance: &str, func: &str) -> u64 {
        self.call::<f64>(instance, func).to_bits()
    }
}
