//! The host of all modules: one engine, one linker, one ticking thread.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use wasmtime::component::{Component, HasSelf, InstancePre, Linker};
use wasmtime::{Engine, Store};

use super::code::Code;
use super::contract::App;
use super::engine::{self, Ticker};
use super::guest::Guest;
use super::guest_log::Callee;
use super::initialiser::Initialiser;
use super::module::Module;
use super::refused::Refused;
use super::script::{self, Bases, Script};
use super::settings::{Budget, Settings};
use super::upload;
use crate::value::Hash;

/// Handles an instance may hold. Each costs the host some tens of bytes, and a
/// guest that collects its garbage late holds more than it uses.
const HANDLES_MAX: usize = 2_000;

/// Why there is no host.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// wasmtime does not work here, or not with these settings.
    #[error("could not set up the WebAssembly engine: {0}")]
    Engine(String),
    /// There is no thread to be had.
    #[error("could not start the thread that watches deadlines")]
    Ticker(#[source] std::io::Error),
}

/// Hosts modules. One for each process: instances of all apps share its pool.
///
/// Guests run on the thread that calls them, with up to 2 MiB of stack of their
/// own and the host's functions above it. Call from threads with at least 8 MiB:
/// a thread whose own stack ends before the guest's limit ends the process.
pub struct Host {
    pub(super) settings: Settings,
    pub(super) engine: Engine,
    linker: Linker<Guest>,
    /// What is compiled, for as long as somebody uses it: apps, and engines of one
    /// process, that have the same module share its code.
    compiled: Mutex<HashMap<Hash, Weak<Module>>>,
    /// What scripts run in.
    pub(super) bases: Bases,
    pub(super) initialiser: Initialiser,
    /// Stops when the host goes.
    _ticker: Ticker,
}

impl Host {
    /// A host with nothing loaded.
    ///
    /// # Errors
    /// [`Error`], if this machine or these settings do not allow it.
    pub fn new(settings: Settings) -> Result<Arc<Self>, Error> {
        let engine = engine::engine(&settings)?;
        let linker = linker(&engine).map_err(|error| Error::Engine(format!("{error:#}")))?;
        let (compiled, bases) = (Mutex::default(), Bases::default());
        let initialiser = Initialiser::default();
        let _ticker = Ticker::start(&engine)?;
        Ok(Arc::new(Self { settings, engine, linker, compiled, bases, initialiser, _ticker }))
    }

    /// Checks an upload, compiles it, and asks it to describe itself. Blocks for
    /// as long as compiling takes: seconds for a large module. One that is in use
    /// is not compiled again.
    ///
    /// # Errors
    /// [`Refused`], with what to do about it.
    pub fn load(self: &Arc<Self>, upload: &[u8]) -> Result<Arc<Module>, Refused> {
        self.load_kept(upload, |_| None)
    }

    /// As [`Host::load`], of what was kept; `kept` reads the base of a script that this
    /// server does not carry.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn load_kept(
        self: &Arc<Self>,
        upload: &[u8],
        kept: impl FnOnce(Hash) -> Option<Vec<u8>>,
    ) -> Result<Arc<Module>, Refused> {
        let hash = Hash::of(upload);
        let known = self.compiled().get(&hash).and_then(Weak::upgrade);
        if let Some(module) = known {
            return Ok(module);
        }
        let code = match Script::parse(upload) {
            Some(script) => {
                script.check()?;
                let base = self.bases.get(self, script.base, kept)?;
                let code = Code::of_script(base, script);
                code.map_err(|error| Refused::unlike(&error))?
            }
            None => {
                let checked = upload::check(upload, self.settings.upload_bytes_max)?;
                let code = Code::new(self.link(&upload::compile(&self.engine, &checked)?)?);
                code.with_places(script::Places::carried(&checked))
            }
        };
        let module = Arc::new(Module::describe(self, code, hash, upload.len())?);
        let mut compiled = self.compiled();
        compiled.retain(|_, module| module.strong_count() > 0);
        compiled.insert(hash, Arc::downgrade(&module));
        drop(compiled);
        if self.settings.script_snapshots {
            self.initialiser.initialise(&module);
        }
        Ok(module)
    }

    /// The component that a script is the same as: the base with the script evaluated.
    /// Takes as long as compiling the base, twice.
    ///
    /// # Errors
    /// [`Refused`], as for an upload of the script.
    pub fn component_of(&self, script: &Script) -> Result<Vec<u8>, Refused> {
        let base = self.bases.get(self, script.base, |_| None)?;
        let component = script::snapshot(self, &base, script)?;
        Ok(script::carrying(component, &script.file, &script.source))
    }

    /// Compiled code with what it imports.
    pub(super) fn link(&self, component: &Component) -> Result<InstancePre<Guest>, Refused> {
        self.linker.instantiate_pre(component).map_err(|error| Refused::unlike(&error))
    }

    fn compiled(&self) -> MutexGuard<'_, HashMap<Hash, Weak<Module>>> {
        self.compiled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A store for one instance, with its limits set and its deadline running.
    pub(super) fn store(&self, budget: Budget, callee: Callee) -> Store<Guest> {
        let mut store = Store::new(&self.engine, Guest::new(budget, callee));
        store.limiter(|guest| &mut guest.limiter);
        store.set_hostcall_fuel(budget.transfer_bytes_max());
        store.set_max_component_handles(HANDLES_MAX);
        store.set_epoch_deadline(engine::ticks(budget.deadline));
        store
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("settings", &self.settings).finish_non_exhaustive()
    }
}

fn linker(engine: &Engine) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    App::add_to_linker::<_, HasSelf<Guest>>(&mut linker, |guest| guest)?;
    Ok(linker)
}
