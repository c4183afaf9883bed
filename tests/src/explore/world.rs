//! What all engines of a run share: the host, with the guests compiled once.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use chancery::engine::Settings;
use chancery::wasm;

use crate::disk::SimDisk;
use crate::{guest, guest_version};

/// The guests that are deployed.
const GUESTS: [&str; 2] = ["probe", "bank"];

/// The guest that comes in versions, for deployments: a small one. No command of it
/// is sent.
pub(super) const CHANGING: &str = "hostile";

/// How long things are kept by runs that let go of them.
const RETAINED: Duration = Duration::from_secs(5);

/// A host, and the guests.
#[derive(Debug, Clone)]
pub struct World {
    /// Where guests run.
    pub host: Arc<wasm::Host>,
    guests: BTreeMap<&'static str, Bytes>,
    /// The host forgets what nobody uses.
    compiled: Arc<Mutex<BTreeMap<Bytes, Arc<wasm::Module>>>>,
}

/// What differs between runs, within what an operator may set.
#[derive(Debug, Clone, Copy)]
pub struct Tuning {
    /// Bytes of rounds after which a segment gets a successor.
    pub segment_bytes: u64,
    /// Whether a round waits for the outcomes of its commands: for ever, by a clock
    /// that stands. Not after an unclean stop, when a command waits for its round.
    pub lingers: bool,
    /// Whether what is old is let go of after seconds rather than weeks.
    pub retains: bool,
}

impl World {
    /// Compiles the guests.
    ///
    /// # Panics
    /// If one of them does not load.
    #[must_use]
    pub fn new() -> Self {
        let host = wasm::Host::new(wasm::Settings::default()).expect("a host");
        let guests: BTreeMap<_, _> =
            GUESTS.into_iter().map(|name| (name, Bytes::from(guest(name)))).collect();
        let world = Self { host, guests, compiled: Arc::default() };
        world.guests.values().for_each(|bytes| world.compile(bytes));
        world
    }

    /// The bytes of a version of the guest that changes.
    ///
    /// # Panics
    /// If it does not load.
    #[must_use]
    pub fn version(&self, version: u8) -> Bytes {
        let bytes = Bytes::from(guest_version(CHANGING, version));
        self.compile(&bytes);
        bytes
    }

    /// Compiles what is not compiled, and keeps it.
    fn compile(&self, bytes: &Bytes) {
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if compiled.contains_key(bytes) {
            return;
        }
        // A small stack may not do for a guest that starts.
        let module = std::thread::scope(|scope| {
            let load = || self.host.load(bytes).expect("it loads");
            let builder = std::thread::Builder::new().stack_size(16 << 20);
            builder.spawn_scoped(scope, load).expect("a thread").join().expect("compiled")
        });
        compiled.insert(bytes.clone(), module);
    }

    /// The bytes of a guest.
    #[must_use]
    pub fn guest(&self, name: &str) -> Bytes {
        self.guests[name].clone()
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl Tuning {
    /// The settings of an engine on this disk.
    #[must_use]
    pub fn settings(&self, disk: &SimDisk) -> Settings {
        let mut settings = Settings::new(PathBuf::from("/data"));
        settings.disk = Arc::new(disk.clone());
        settings.log.segment_bytes = self.segment_bytes;
        // What is done, and when, is in the hands of the run.
        settings.tended = false;
        settings.log.cache_bytes = 1 << 20;
        settings.lane.reopen_after = Duration::from_millis(5);
        settings.keeper.scrub_bytes_per_s = 0;
        settings.keeper.erase_after = Duration::ZERO;
        settings.keeper.checkpoint_bytes = 1;
        if self.retains {
            settings.lane.window = RETAINED;
            settings.keeper.receipts_keep = RETAINED;
            settings.keeper.payloads_keep = RETAINED;
        }
        // By a clock that stands this is for ever.
        settings.lane.linger = Duration::from_millis(u64::from(self.lingers));
        settings
    }
}
