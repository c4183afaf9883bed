//! Apps, queries, commands and deployments, as any way in may ask for them.
//!
//! It knows nothing of HTTP. What it refuses it refuses before anything is
//! logged; what the lane refuses comes back as the lane's word.

mod adhoc;
mod app;
mod backup;
mod command;
mod consumers;
mod dead_letters;
mod deploy;
mod erase;
mod error;
mod events;
mod gates;
mod live;
mod opening;
mod projections;
mod query;
mod reactions;
mod room;
mod table;
mod timers;
mod trace;
mod upkeep;
pub mod webhooks;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub use adhoc::AdhocRequest;
pub use app::{App, At};
pub use backup::BackedUp;
pub use command::{CommandRequest, DryRun, Progressed, ReceiptPage, Submitted};
pub use consumers::{Batch, CONSUMERS_MAX};
pub use dead_letters::{DeadLetter, LetterPage};
pub use deploy::{Deployment, Upload};
pub use error::{Error, suggest};
pub use events::Wanted;
pub use live::{Live, LiveFigures, LiveRequest, Update};
pub use opening::{Progress, Stage};
pub use projections::{ProjectionInfo, Standing};
pub use query::{Answer, QueryRequest};
pub use reactions::{ReactionInfo, ReactionList, ReactionSettings, Reactor, Trouble};
pub use table::{PageOf, RowPage, TableInfo};
pub use timers::{Pump, TimerPage};
pub use trace::{Trace, TraceItem, Traced};
pub use webhooks::{NotAllowed, WebhookSettings};

use tokio::sync::watch;

use gates::Gates;
use opening::{Apps, Opening};
use upkeep::Upkeep;

use crate::clock::Clock;
use crate::disk::{self, Disk, Files, Lock};
use crate::snapshot::Reaper;
use crate::value::{Name, chain_of};
use crate::{keeper, lane, log, wasm};

/// Apps of one server, at most. Each open app has a file or two open.
pub const APPS_MAX: usize = 1_000;

/// What a server may use.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What everything is kept on.
    pub disk: Arc<dyn Disk>,
    /// Where everything is kept.
    pub data: PathBuf,
    /// Where backups are written.
    pub backups: PathBuf,
    /// What guests may use.
    pub wasm: wasm::Settings,
    /// What each app's lane may use.
    pub lane: lane::Settings,
    /// How each app's log is kept.
    pub log: log::segments::Limits,
    /// How reactions are treated that fail.
    pub reactions: ReactionSettings,
    /// What webhooks may do.
    pub webhooks: WebhookSettings,
    /// When checkpoints are written, and what is kept.
    pub keeper: keeper::Settings,
    /// Whether a thread looks after the files; without, whoever has an app does.
    pub tended: bool,
    /// With less than this available on the disk, in bytes, commands are refused.
    pub disk_low_bytes: u64,
    /// Queries that run at one time.
    pub queries_max: usize,
    /// Queries that wait for their turn, at most.
    pub queries_waiting_max: usize,
    /// How long a query waits for its turn.
    pub query_wait_max: Duration,
    /// Live queries at one time, of all apps together.
    pub live_queries_max: usize,
    /// How often one of them is asked again in a second, at most.
    pub live_queries_rate: u32,
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
            disk: Arc::new(Files),
            backups: data.join("backups"),
            data,
            wasm: wasm::Settings::default(),
            lane: lane::Settings::default(),
            log: log::segments::Limits::default(),
            reactions: ReactionSettings::default(),
            webhooks: WebhookSettings::default(),
            keeper: keeper::Settings::default(),
            tended: true,
            // Room to seal, to index and to checkpoint what was accepted.
            disk_low_bytes: 512 << 20,
            // More would only take turns on the same cores.
            queries_max: cores * 2,
            queries_waiting_max: 1024,
            query_wait_max: Duration::from_secs(1),
            // Half of the connections that a server takes: each has one.
            live_queries_max: 2000,
            // More than that nobody sees.
            live_queries_rate: 20,
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
    apps: Arc<Apps>,
    opening: Opening,
    /// Ends with the engine.
    upkeep: Option<Upkeep>,
    /// Held while an app is created, which takes some syncs.
    creating: Mutex<()>,
    /// Set when the apps are to be closed, those too that are still being opened.
    closing: AtomicBool,
    /// Held for as long as the engine lives, or a thread of it: one server to a directory.
    _lock: Arc<Lock>,
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
    /// As for [`Engine::new`] and [`Engine::recover`].
    pub fn open(settings: Settings, clock: Clock) -> Result<Self, Error> {
        let engine = Self::new(settings, clock)?;
        engine.recover()?;
        Ok(engine)
    }

    /// As [`Engine::open`], with a host that other engines of this process may use
    /// too: its settings count, not `settings.wasm`.
    ///
    /// # Errors
    /// As [`Engine::open`].
    pub fn open_with(
        host: Arc<wasm::Host>,
        settings: Settings,
        clock: Clock,
    ) -> Result<Self, Error> {
        let engine = Self::with(host, settings, clock)?;
        engine.recover()?;
        Ok(engine)
    }

    /// Takes a data directory, and opens none of its apps.
    ///
    /// # Errors
    /// [`Error::InUse`] if another server has it, [`Error::Io`], [`Error::Host`].
    pub fn new(settings: Settings, clock: Clock) -> Result<Self, Error> {
        let host = wasm::Host::new(settings.wasm.clone());
        let host = host.map_err(|error| Error::Host(chain_of(&error)))?;
        Self::with(host, settings, clock)
    }

    fn with(host: Arc<wasm::Host>, settings: Settings, clock: Clock) -> Result<Self, Error> {
        let apps_directory = settings.data.join("apps");
        let disk = Arc::clone(&settings.disk);
        disk::create_directories(&*disk, &apps_directory)
            .map_err(|source| io_error("create", &apps_directory, source))?;
        sync(&*disk, &settings.data)?;
        sync(&*disk, &apps_directory)?;
        let lock = Arc::new(lock(&*disk, &settings.data)?);
        let reaper = Reaper::start().map_err(|error| Error::Host(error.to_string()))?;
        let gates = Arc::new(Gates::new(&settings));
        let apps = Arc::new(Apps::default());
        let upkeep = match settings.tended {
            true => Some(Upkeep::start(&settings, &clock, &apps, &gates, &lock)?),
            false => None,
        };
        let opening = Opening::of(names_in(&*disk, &apps_directory)?);
        let creating = Mutex::default();
        Ok(Self {
            settings,
            clock,
            host,
            reaper,
            gates,
            apps,
            opening,
            upkeep,
            creating,
            closing: AtomicBool::new(false),
            _lock: lock,
        })
    }

    /// Recovers every app, one after another. Each is there as soon as its state is.
    ///
    /// # Errors
    /// [`Error::Lane`] or [`Error::Checkpoint`] if an app cannot be recovered: it
    /// should not be served then, nor the others.
    pub fn recover(&self) -> Result<(), Error> {
        while let Some(name) = self.opening.next() {
            let started = self.clock.elapsed();
            let app = self.open_app(&name, &mut |progress| {
                self.opening.note(&name, progress, &self.clock);
            })?;
            tracing::info!(
                app = %name,
                sequence = %app.snapshots().current().state.sequence(),
                ms = self.clock.elapsed().saturating_sub(started).as_millis(),
                "recovered"
            );
            let app = Arc::new(app);
            self.apps.insert(name.clone(), Arc::clone(&app));
            self.gates.webhooks.ring();
            self.opening.done(&name);
            if self.closing.load(Ordering::Acquire) {
                app.close(Duration::ZERO);
                break;
            }
        }
        Ok(())
    }

    /// Has what scripts run in ready before the first of them comes, where compiled code
    /// is kept: elsewhere each start would pay for what it may never need.
    pub fn prepare_for_scripts(&self) {
        if self.settings.wasm.code_cache.is_some() {
            self.host.prepare_for_scripts();
        }
    }

    /// The apps that are still being opened, and how far each has come.
    #[must_use]
    pub fn opening(&self) -> Vec<(Name, Progress)> {
        self.opening.all()
    }

    /// Creates an app, or finds the one of that name.
    ///
    /// # Errors
    /// [`Error::TooManyApps`], or what the disk refused.
    pub fn create(&self, name: &Name) -> Result<(Arc<App>, Existed), Error> {
        // One at a time; the apps there are can be found meanwhile.
        let _turn = self.creating.lock().unwrap_or_else(PoisonError::into_inner);
        match self.app(name.as_str()) {
            Ok(app) => return Ok((app, Existed::Yes)),
            Err(error @ Error::Opening { .. }) => return Err(error),
            Err(_) => {}
        }
        self.gates.room.check()?;
        if self.apps().len() >= APPS_MAX {
            return Err(Error::TooManyApps { max: APPS_MAX });
        }
        // It is there already if it could be made and then not opened.
        let (disk, directory) = (&self.settings.disk, self.directory(name));
        let is_there = disk.exists(&directory);
        if !is_there.map_err(|source| io_error("find", &directory, source))? {
            App::create(disk, &directory, &self.settings.log)?;
        }
        let app = Arc::new(self.open_app(name, &mut |_| ())?);
        self.apps.insert(name.clone(), Arc::clone(&app));
        self.gates.webhooks.ring();
        tracing::info!(app = %name, history = %app.snapshots().history(), "created");
        Ok((app, Existed::No))
    }

    /// Closes all apps in order; waits for what is sequenced as long as `within`,
    /// over all of them.
    pub fn close(&self, within: Duration) {
        let deadline = self.clock.elapsed() + within;
        if let Some(upkeep) = &self.upkeep {
            upkeep.stop();
        }
        // All of them at once: none takes more while another finishes.
        self.closing.store(true, Ordering::Release);
        self.apps().iter().for_each(|app| app.lane().drain());
        for app in self.apps() {
            let left = deadline.saturating_sub(self.clock.elapsed());
            app.close(left);
        }
    }

    /// Ends the answers that follow events and those of live queries, which would go on
    /// for ever.
    pub fn let_go(&self) {
        for app in self.apps() {
            app.events().let_go();
            app.snapshots().watchers().let_go();
        }
    }

    /// An app by its name.
    ///
    /// # Errors
    /// [`Error::Opening`] if it is not recovered yet; [`Error::UnknownApp`], with the
    /// nearest name.
    pub fn app(&self, name: &str) -> Result<Arc<App>, Error> {
        if let Some(app) = self.apps.get(name) {
            return Ok(app);
        }
        self.opening.check(name)?;
        // It may have been recovered between the two.
        self.apps.get(name).ok_or_else(|| self.apps.unknown(name))
    }

    /// All apps that are open, by name.
    #[must_use]
    pub fn apps(&self) -> Vec<Arc<App>> {
        self.apps.all()
    }

    /// Changes when there may be a webhook more or less, or another than before, and when
    /// something has become of a letter of one.
    #[must_use]
    pub fn webhooks_changed(&self) -> watch::Receiver<()> {
        self.gates.webhooks.listen()
    }

    /// What the server may use.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    fn open_app(&self, name: &Name, told: &mut dyn FnMut(Progress)) -> Result<App, Error> {
        App::open(
            name,
            &self.directory(name),
            &self.settings,
            self.clock.clone(),
            &self.host,
            self.reaper.clone(),
            Arc::clone(&self.gates),
            told,
        )
    }

    fn directory(&self, name: &Name) -> PathBuf {
        self.settings.data.join("apps").join(name.as_str())
    }
}

/// Takes a data directory for this process: a second server on the same files would
/// destroy them.
///
/// # Errors
/// [`Error::InUse`], [`Error::Io`].
pub fn lock(disk: &dyn Disk, data: &Path) -> Result<Lock, Error> {
    let path = data.join("lock");
    disk.lock(&path).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => Error::InUse { data: data.to_owned() },
        _ => io_error("lock", &path, error),
    })
}

/// Makes what is in a directory survive a power cut.
fn sync(disk: &dyn Disk, directory: &Path) -> Result<(), Error> {
    let synced = disk.sync_directory(directory);
    synced.map_err(|source| io_error("sync", directory, source))
}

fn names_in(disk: &dyn Disk, directory: &Path) -> Result<Vec<Name>, Error> {
    let paths = disk.list(directory).map_err(|source| io_error("read", directory, source))?;
    let mut names = Vec::new();
    for path in paths {
        let file_name = path.file_name().unwrap_or(path.as_os_str());
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

fn io_error(action: &'static str, path: &Path, source: io::Error) -> Error {
    Error::Io { action, path: path.to_owned(), source }
}
