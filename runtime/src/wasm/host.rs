//! The host of all modules: one engine, one linker, one ticking thread.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tracing::warn;
use wasmtime::component::{Component, HasSelf, InstancePre, Linker};
use wasmtime::{Engine, Store};

use super::cache::Cache;
use super::code::Code;
use super::contract::App;
use super::engine::{self, Ticker};
use super::guest::Guest;
use super::guest_log::Callee;
use super::initialiser::Initialiser;
use super::module::Module;
use super::refused::Refused;
use super::script::{self, BASE_HASH, Base, Bases, Script};
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
    /// What was compiled, by earlier processes too.
    cache: Option<Cache>,
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
        let cache = settings.code_cache.as_ref().and_then(|directory| {
            let opened = Cache::open(directory, &engine);
            let path = directory.display();
            opened.inspect_err(|error| warn!(%path, %error, "compiled code is not kept")).ok()
        });
        Ok(Arc::new(Self {
            linker,
            cache,
            compiled: Mutex::default(),
            bases: Bases::default(),
            initialiser: Initialiser::default(),
            _ticker: Ticker::start(&engine)?,
            engine,
            settings,
        }))
    }

    /// Checks an upload, compiles it, and asks it to describe itself. Blocks for
    /// as long as compiling takes: seconds for a large module. One that is in use
    /// is not compiled again.
    ///
    /// # Errors
    /// [`Refused`], with what to do about it.
    pub fn load(self: &Arc<Self>, upload: &[u8]) -> Result<Arc<Module>, Refused> {
        self.load_new(upload, Refused::no_base)
    }

    /// As [`Host::load`]; `kept` reads the base of a script that this server does not
    /// carry.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn load_new(
        self: &Arc<Self>,
        upload: &[u8],
        kept: impl FnOnce(Hash) -> Result<Vec<u8>, Refused>,
    ) -> Result<Arc<Module>, Refused> {
        self.load_within(self.settings.describe_deadline, upload, kept)
    }

    /// As [`Host::load_new`], of what was accepted before: it has more time, since a
    /// machine that is busy is no reason to refuse it.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn load_kept(
        self: &Arc<Self>,
        upload: &[u8],
        kept: impl FnOnce(Hash) -> Result<Vec<u8>, Refused>,
    ) -> Result<Arc<Module>, Refused> {
        self.load_within(self.settings.start_deadline(), upload, kept)
    }

    fn load_within(
        self: &Arc<Self>,
        deadline: Duration,
        upload: &[u8],
        kept: impl FnOnce(Hash) -> Result<Vec<u8>, Refused>,
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
                let code = Code::of_script(base, script, self.settings.start_deadline());
                code.map_err(|error| Refused::unlike(&error))?
            }
            None => {
                let checked = upload::check(upload, self.settings.upload_bytes_max)?;
                let code = Code::new(self.link(&self.compile(&checked)?)?);
                code.with_places(script::Places::carried(&checked))
            }
        };
        let module = Arc::new(Module::describe(self, code, hash, upload.len(), deadline)?);
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
        let base = self.bases.get(self, script.base, Refused::no_base)?;
        let component = script::snapshot(self, &base, script)?;
        Ok(script::carrying(component, &script.file, &script.source))
    }

    /// Has what scripts run in ready, so that the first of them need not wait for it:
    /// compiled by the thread that makes snapshots, at its low priority.
    pub fn prepare_for_scripts(self: &Arc<Self>) {
        self.initialiser.prepare(self);
    }

    /// Whether a script of this server can be evaluated without waiting for what
    /// [`Host::wait_for_scripts`] waits for.
    #[must_use]
    pub fn is_ready_for_scripts(&self) -> bool {
        self.bases.has(*BASE_HASH)
    }

    /// Has what scripts run in ready when it returns, if that can be. Blocks for a second
    /// or two.
    pub fn wait_for_scripts(&self) {
        if let Err(error) = self.own_base() {
            warn!(%error, "scripts cannot be evaluated");
        }
    }

    /// What scripts of this server run in. Blocks for a second or two if it has to be
    /// compiled.
    ///
    /// # Errors
    /// [`Refused::Host`].
    pub(super) fn own_base(&self) -> Result<Arc<Base>, Refused> {
        self.bases.get(self, *BASE_HASH, Refused::no_base)
    }

    /// Compiles a component that has been checked, if nobody has before.
    pub(super) fn compile(&self, component: &[u8]) -> Result<Component, Refused> {
        let Some(cache) = &self.cache else {
            return upload::compile(&self.engine, component);
        };
        if let Some(compiled) = cache.get(&self.engine, component) {
            return Ok(compiled);
        }
        let compiled = upload::compile(&self.engine, component)?;
        cache.put(component, &compiled);
        Ok(compiled)
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
