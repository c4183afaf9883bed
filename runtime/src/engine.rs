//! Apps, queries, commands and deployments, as any way in may ask for them.
//!
//! It knows nothing of HTTP. What it refuses it refuses before anything is
//! logged; what the lane refuses comes back as the lane's word.

mod app;
mod command;
mod deploy;
mod error;
mod query;
mod table;

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Semaphore;

pub use app::{App, At};
pub use command::{CommandRequest, DryRun, Progressed, ReceiptPage, Submitted};
pub use deploy::{Deployment, Upload};
pub use error::{Error, suggest};
pub use query::{Answer, QueryRequest};
pub use table::{PageOf, RowPage, TableInfo};

use crate::clock::Clock;
use crate::snapshot::Reaper;
use crate::value::{Name, chain_of};
use crate::{lane, log, wasm};

/// Apps of one server, at most. Each open app has a file or two open.
pub const APPS_MAX: usize = 1_000;

/// What a server may use.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where everything is kept.
    pub data: PathBuf,
    /// What guests may use.
    pub wasm: wasm::Settings,
    /// What each app's lane may use.
    pub lane: lane::Settings,
    /// How each app's log is kept.
    pub log: log::segments::Limits,
    /// Queries that run at one time.
    pub queries_max: usize,
    /// Queries that wait for their turn, at most.
    pub queries_waiting_max: usize,
    /// How long a query waits for its turn.
    pub query_wait_max: Duration,
    /// Uploads that are compiled at one time.
    pub compiles_max: usize,
    /// Uploads that wait for their turn, at most.
    pub compiles_waiting_max: usize,
}

impl Settings {
    /// The defaults, for a data directory.
    #[must_use]
    pub fn new(data: PathBuf) -> Self {
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        Self {
            data,
            wasm: wasm::Settings::default(),
            lane: lane::Settings::default(),
            log: log::segments::Limits::default(),
            // More would only take turns on the same cores.
            queries_max: cores * 2,
            queries_waiting_max: 1024,
            query_wait_max: Duration::from_secs(1),
            compiles_max: 1,
            compiles_waiting_max: 8,
        }
    }
}

/// All apps of a server.
#[derive(Debug)]
pub struct Engine {
    settings: Settings,
    clock: Clock,
    host: Arc<wasm::Host>,
    reaper: Reaper,
    gates: Arc<Gates>,
    apps: RwLock<BTreeMap<Name, Arc<App>>>,
    /// Held while an app is created, which takes some syncs.
    creating: Mutex<()>,
    /// Held for as long as the engine lives: one server to a directory.
    _lock: File,
}

/// Who may run how much at one time, over all apps.
#[derive(Debug)]
struct Gates {
    queries: Semaphore,
    /// Those that wait for one of them.
    queries_waiting: Semaphore,
    query_wait_max: Duration,
    /// Shared with the threads that compile: they go on when their client goes.
    compiles: Arc<Semaphore>,
    compiles_in: Arc<Semaphore>,
}

/// Whether an app was there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existed {
    /// It was.
    Yes,
    /// It is new.
    No,
}

impl Engine {
    /// Opens a data directory and recovers every app in it.
    ///
    /// # Errors
    /// [`Error::InUse`] if another server has it, [`Error::Lane`] if an app
    /// cannot be recovered: then nothing is served.
    pub fn open(settings: Settings, clock: Clock) -> Result<Self, Error> {
        let apps_directory = settings.data.join("apps");
        fs::create_dir_all(&apps_directory)
            .map_err(|source| io_error("create", &apps_directory, source))?;
        sync(&settings.data)?;
        sync(&apps_directory)?;
        let lock = lock(&settings.data)?;
        let host = wasm::Host::new(settings.wasm.clone())
            .map_err(|error| Error::Host(chain_of(&error)))?;
        let reaper = Reaper::start().map_err(|error| Error::Host(error.to_string()))?;
        let gates = Arc::new(Gates {
            queries: Semaphore::new(settings.queries_max),
            queries_waiting: Semaphore::new(settings.queries_waiting_max),
            query_wait_max: settings.query_wait_max,
            compiles: Arc::new(Semaphore::new(settings.compiles_max)),
            compiles_in: Arc::new(Semaphore::new(
                settings.compiles_max + settings.compiles_waiting_max,
            )),
        });
        let apps = RwLock::default();
        let creating = Mutex::default();
        let engine = Self { settings, clock, host, reaper, gates, apps, creating, _lock: lock };
        for name in names_in(&apps_directory)? {
            let app = engine.open_app(&name)?;
            tracing::info!(app = %name, sequence = %app.snapshots().current().state.sequence(), "recovered");
            engine.write_apps().insert(name, Arc::new(app));
        }
        Ok(engine)
    }

    /// Creates an app, or finds the one of that name.
    ///
    /// # Errors
    /// [`Error::TooManyApps`], or what the disk refused.
    pub fn create(&self, name: &Name) -> Result<(Arc<App>, Existed), Error> {
        // One at a time; the apps there are can be found meanwhile.
        let _turn = self.creating.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(app) = self.app(name.as_str()) {
            return Ok((app, Existed::Yes));
        }
        if self.apps().len() >= APPS_MAX {
            return Err(Error::TooManyApps { max: APPS_MAX });
        }
        // It is there already if it could be made and then not opened.
        if !self.directory(name).exists() {
            App::create(&self.directory(name), &self.settings.log)?;
        }
        let app = Arc::new(self.open_app(name)?);
        self.write_apps().insert(name.clone(), Arc::clone(&app));
        tracing::info!(app = %name, history = %app.snapshots().history(), "created");
        Ok((app, Existed::No))
    }

    /// Closes all apps in order; waits for what is sequenced as long as `within`,
    /// over all of them.
    pub fn close(&self, within: Duration) {
        let deadline = self.clock.elapsed() + within;
        for app in self.apps() {
            let left = deadline.saturating_sub(self.clock.elapsed());
            app.lane().close(left);
        }
    }

    /// An app by its name.
    ///
    /// # Errors
    /// [`Error::UnknownApp`], with the nearest name.
    pub fn app(&self, name: &str) -> Result<Arc<App>, Error> {
        let apps = self.apps.read().unwrap_or_else(PoisonError::into_inner);
        apps.get(name).cloned().ok_or_else(|| Error::UnknownApp {
            name: name.to_owned(),
            suggestion: suggest(name, apps.keys().map(Name::as_str)),
        })
    }

    /// All apps, by name.
    #[must_use]
    pub fn apps(&self) -> Vec<Arc<App>> {
        let apps = self.apps.read().unwrap_or_else(PoisonError::into_inner);
        apps.values().cloned().collect()
    }

    /// What the server may use.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    fn open_app(&self, name: &Name) -> Result<App, Error> {
        App::open(
            name,
            &self.directory(name),
            &self.settings,
            self.clock.clone(),
            &self.host,
            self.reaper.clone(),
            Arc::clone(&self.gates),
        )
    }

    fn directory(&self, name: &Name) -> PathBuf {
        self.settings.data.join("apps").join(name.as_str())
    }

    fn write_apps(&self) -> std::sync::RwLockWriteGuard<'_, BTreeMap<Name, Arc<App>>> {
        self.apps.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A second server on the same files would destroy them.
fn lock(data: &Path) -> Result<File, Error> {
    let path = data.join("lock");
    let file = File::create(&path).map_err(|source| io_error("create", &path, source))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::InUse { data: data.to_owned() }),
        Err(TryLockError::Error(source)) => Err(io_error("lock", &path, source)),
    }
}

/// Makes what is in a directory survive a power cut.
fn sync(directory: &Path) -> Result<(), Error> {
    let synced = File::open(directory).and_then(|directory| directory.sync_all());
    synced.map_err(|source| io_error("sync", directory, source))
}

fn names_in(directory: &Path) -> Result<Vec<Name>, Error> {
    let failed = |source| io_error("read", directory, source);
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let file_name = entry.map_err(failed)?.file_name();
        match file_name.to_str().map(str::parse) {
            Some(Ok(name)) => names.push(name),
            // Half of an app that was being created when the process died.
            Some(Err(_)) if file_name.to_string_lossy().starts_with('.') => {}
            _ => tracing::warn!(?file_name, "not an app; left alone"),
        }
    }
    names.sort();
    Ok(names)
}

fn io_error(action: &'static str, path: &Path, source: std::io::Error) -> Error {
    Error::Io { action, path: path.to_owned(), source }
}
