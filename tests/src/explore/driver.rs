//! An engine on a disk, and somebody who uses it and writes down what was said.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use chancery::clock::{Clock, Manual};
use chancery::engine::{App, CommandRequest, Engine, Error, Progressed, Submitted, Upload};
use chancery::lane::Health;
use chancery::receipts::Receipt;
use chancery::record::{Act, Verdict};
use chancery::value::{CommandId, chain_of};
use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IteratorRandom;
use serde_json::{Value as Json, json};
use uuid::{Builder, Uuid};

use super::truth::{Claim, Sent, Truth};
use super::world::{CHANGING, Tuning, World};
use crate::disk::SimDisk;
use crate::rig::name;
use crate::text;

/// How long anything may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// How often somebody who waits looks whether there is something to wait for.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// The time at which all runs begin, in milliseconds since 1970.
pub const EPOCH_MS: u64 = 1_800_000_000_000;

/// An engine, and what was said by it.
pub struct Driver {
    engine: Engine,
    disk: SimDisk,
    runtime: tokio::runtime::Runtime,
    clock: Clock,
    hands: Arc<Manual>,
    world: World,
    truth: Arc<Mutex<Truth>>,
    /// Apps that are watched: what they show has to be durable.
    watched: Arc<Mutex<Vec<Watched>>>,
}

/// An app, and the last sequence that it was seen to show.
type Watched = (Arc<App>, u64);

/// What came of a command, for whoever sent it.
#[derive(Debug, Clone)]
pub enum Got {
    /// A receipt with an outcome.
    Receipt(Receipt),
    /// It was refused or nobody knows; the text says why.
    No {
        /// Whether it may have been logged.
        unknown: bool,
        /// Why.
        reason: String,
    },
}

impl Driver {
    /// Opens an engine on a disk.
    ///
    /// # Errors
    /// What the engine says.
    ///
    /// # Panics
    /// If there is no thread to be had.
    pub fn open(
        world: &World,
        disk: &SimDisk,
        tuning: Tuning,
        now_ms: u64,
        truth: Truth,
    ) -> Result<Self, String> {
        let (clock, hands) = Clock::manual(now_ms);
        let engine =
            Engine::open_with(Arc::clone(&world.host), tuning.settings(disk), clock.clone());
        let engine = engine.map_err(|error| chain_of(&error))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .thread_stack_size(16 << 20)
            .enable_all()
            .build()
            .expect("a runtime");
        let driver = Self {
            engine,
            disk: disk.clone(),
            runtime,
            clock,
            hands,
            world: world.clone(),
            truth: Arc::new(Mutex::new(truth)),
            watched: Arc::default(),
        };
        driver.watch();
        Ok(driver)
    }

    /// The engine.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The disk.
    #[must_use]
    pub fn disk(&self) -> &SimDisk {
        &self.disk
    }

    /// Whether the engine lets go of what is seconds old.
    #[must_use]
    pub fn retains(&self) -> bool {
        self.engine.settings().lane.window < Duration::from_secs(60)
    }

    /// What was said so far.
    #[must_use]
    pub fn truth(&self) -> Truth {
        self.truth.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The hands of the engine's clock.
    #[must_use]
    pub fn hands(&self) -> &Manual {
        &self.hands
    }

    /// The time, in milliseconds since 1970.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.clock.wall_ms()
    }

    /// Has what each app shows written down before each change of the disk: that it
    /// is not durable yet then is no excuse.
    fn watch(&self) {
        for app in self.engine.apps() {
            self.watch_app(app);
        }
        let (truth, watched) = (Arc::clone(&self.truth), Arc::clone(&self.watched));
        let disk = self.disk.clone();
        self.disk.observe(Some(Arc::new(move |_| {
            let mut watched = watched.lock().unwrap_or_else(PoisonError::into_inner);
            for (app, seen) in watched.iter_mut() {
                note_shown(&truth, || disk.position(), app, seen);
            }
        })));
    }

    fn watch_app(&self, app: Arc<App>) {
        let mut seen = 0;
        note_shown(&self.truth, || self.disk.position(), &app, &mut seen);
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.push((app, seen));
    }

    fn claim(&self, app: &str, claim: Claim) {
        let position = self.disk.position();
        let mut truth = self.truth.lock().unwrap_or_else(PoisonError::into_inner);
        truth.claim(position, app, claim);
    }

    /// Creates an app.
    ///
    /// # Errors
    /// What the engine says.
    pub fn create(&self, app: &str) -> Result<(), String> {
        self.disk.mark("+create");
        let created = self.engine.create(&name(app));
        self.disk.mark("-create");
        let (created, _) = created.map_err(|error| chain_of(&error))?;
        self.claim(app, Claim::App(created.snapshots().history()));
        self.watch_app(created);
        Ok(())
    }

    /// Deploys a guest under its own name.
    ///
    /// # Errors
    /// What the engine says.
    pub fn deploy(&self, app: &str, guest: &str) -> Result<(), String> {
        self.deploy_bytes(app, guest, self.world.guest(guest))
    }

    /// Deploys a version of a module that does nothing, under its own name.
    ///
    /// # Errors
    /// What the engine says.
    pub fn deploy_version(&self, app: &str, version: u8) -> Result<(), String> {
        self.deploy_bytes(app, CHANGING, self.world.version(version))
    }

    fn deploy_bytes(&self, app: &str, module: &str, bytes: Bytes) -> Result<(), String> {
        self.disk.mark("+deploy");
        let deployed = self.on(app).and_then(|app| {
            let upload = Upload::Bytes(bytes);
            let deployed = self.runtime.block_on(app.deploy(&name(module), upload));
            deployed.map_err(|error| chain_of(&error))
        });
        self.disk.mark("-deploy");
        if let Some(receipt) = deployed?.receipt {
            self.claim(app, Claim::Receipt(receipt));
        }
        Ok(())
    }

    /// Removes a module.
    ///
    /// # Errors
    /// What the engine says.
    pub fn remove(&self, app: &str, module: &str) -> Result<(), String> {
        let removed = self.on(app).and_then(|app| {
            let removed = self.runtime.block_on(app.remove(module));
            removed.map_err(|error| chain_of(&error))
        });
        self.claim(app, Claim::Receipt(removed?));
        Ok(())
    }

    /// Erases one of the commands that were answered, if there is any.
    pub fn erase_one(&self, app: &str, random: &mut StdRng) {
        let truth = self.truth();
        let commands = truth.all().filter_map(|(of, claim)| match claim {
            Claim::Receipt(receipt) if of == app => match receipt.entry.act {
                Act::Command(_) => Some(receipt.entry.id),
                _ => None,
            },
            _ => None,
        });
        let (Some(id), Ok(app)) = (commands.choose(random), self.on(app)) else { return };
        {
            let mut truth = self.truth.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::make_mut(&mut truth.erased).insert(id);
        }
        if let Ok(receipt) = self.runtime.block_on(app.erase(id)) {
            self.claim(app.name().as_str(), Claim::Receipt(receipt));
        }
    }

    /// Sends commands, all at once, and waits for all of them.
    pub fn submit(&self, sent: &[Sent]) -> Vec<Got> {
        self.submit_while(sent, || ())
    }

    /// As [`Driver::submit`], doing something between sending and waiting.
    pub fn submit_while(&self, sent: &[Sent], act: impl FnOnce()) -> Vec<Got> {
        let submitted: Vec<_> = sent.iter().map(|sent| self.begin(sent)).collect();
        act();
        let waited = sent.iter().zip(submitted).map(|(sent, submitted)| {
            let submitted = submitted?;
            let progressed =
                self.on(&sent.app).map_err(|reason| Got::No { unknown: false, reason })?;
            match self.runtime.block_on(progressed.progress(&submitted, PATIENCE)) {
                Ok(Progressed::Done(receipt)) => {
                    self.claim(&sent.app, Claim::Receipt(receipt.clone()));
                    Ok(Got::Receipt(receipt))
                }
                Ok(Progressed::Logged { sequence }) => {
                    Err(Got::No { unknown: true, reason: format!("only logged, as {sequence}") })
                }
                Err(error) => Err(refused(&error)),
            }
        });
        waited.map(|got| got.unwrap_or_else(|no| no)).collect()
    }

    fn begin(&self, sent: &Sent) -> Result<Submitted, Got> {
        self.truth.lock().unwrap_or_else(PoisonError::into_inner).send(sent.clone());
        let app = self.on(&sent.app).map_err(|reason| Got::No { unknown: false, reason })?;
        app.submit(request(sent)).map_err(|error| refused(&error))
    }

    /// As [`Driver::submit`], of one that was never sent before: if it is said not to
    /// be logged, it must not be.
    pub fn submit_new(&self, sent: &Sent) -> Got {
        let got = self.submit(std::slice::from_ref(sent)).remove(0);
        if matches!(got, Got::No { unknown: false, .. }) {
            self.claim(&sent.app, Claim::NotLogged(sent.id));
        }
        got
    }

    /// Waits until all that is sequenced is executed and can be seen.
    ///
    /// # Errors
    /// If that takes too long.
    pub fn settle(&self, app: &App) -> Result<u64, String> {
        let mut patience = PATIENCE;
        loop {
            // Asked again each time: a round that fails takes its sequences along.
            let last = app.lane().last_sequence();
            let waited = tokio_timeout(LOOK_AGAIN, app.snapshots().wait_for(last));
            let waited = self.runtime.block_on(waited);
            let (health, cost) = match app.lane().health() {
                Health::Stopped(reason) => return Err(reason),
                // A disk that fails for ever is not waited for for long.
                Health::Recovering(reason) => (reason, 10 * LOOK_AGAIN),
                _ if waited.is_ok() => return Ok(last.0),
                health => (format!("{health:?}"), LOOK_AGAIN),
            };
            patience = patience.saturating_sub(cost);
            if patience.is_zero() {
                return Err(format!("{last} is never executed: {health}"));
            }
        }
    }

    /// Closes in order.
    ///
    /// # Errors
    /// If an app goes on nevertheless.
    pub fn close(self) -> Result<(), String> {
        self.disk.mark("+close");
        self.end(PATIENCE);
        self.disk.mark("-close");
        for app in self.engine.apps() {
            let health = app.lane().health();
            if health != Health::Draining && !matches!(health, Health::Stopped(_)) {
                return Err(format!("app {} was closed and is {health:?}", app.name()));
            }
        }
        Ok(())
    }

    /// Closes while time passes: by a clock that stands, waiting has no end.
    fn end(&self, within: Duration) {
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let ticking = scope.spawn(|| {
                while !over.load(Ordering::Acquire) {
                    std::thread::park_timeout(LOOK_AGAIN);
                    self.hands.advance(LOOK_AGAIN);
                }
            });
            self.engine.close(within);
            over.store(true, Ordering::Release);
            ticking.thread().unpark();
        });
    }

    /// An app.
    ///
    /// # Errors
    /// If there is none of that name.
    pub fn on(&self, app: &str) -> Result<Arc<App>, String> {
        self.engine.app(app).map_err(|error| chain_of(&error))
    }
}

impl Drop for Driver {
    /// As if the process had ended: nothing reaches the disk any more.
    fn drop(&mut self) {
        self.disk.observe(None);
        self.disk.end();
        self.watched.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.end(Duration::ZERO);
    }
}

async fn tokio_timeout<T>(wait: Duration, future: impl Future<Output = T>) -> Result<T, ()> {
    tokio::time::timeout(wait, future).await.map_err(drop)
}

/// The position is asked for after the state: what is shown has to be durable by then,
/// and another thread may have made it so a moment ago.
fn note_shown(truth: &Mutex<Truth>, position: impl FnOnce() -> u64, app: &App, seen: &mut u64) {
    let shown = app.snapshots().current().state.sequence().0;
    if shown > *seen {
        *seen = shown;
        let position = position();
        let mut truth = truth.lock().unwrap_or_else(PoisonError::into_inner);
        truth.claim(position, app.name().as_str(), Claim::Shown(shown));
    }
}

fn refused(error: &Error) -> Got {
    let unknown = matches!(error, Error::OutcomeUnknown { .. });
    Got::No { unknown, reason: chain_of(error) }
}

/// The command as the engine takes it.
#[must_use]
pub fn request(sent: &Sent) -> CommandRequest {
    CommandRequest {
        id: CommandId::new(sent.id).expect("an id with a time"),
        name: sent.name.clone(),
        input: text(&sent.input),
        basis: None,
        unchanged: Vec::new(),
        caller: None,
        correlation_id: None,
        causation_id: None,
        metadata: "{}".into(),
    }
}

/// A new id with this time in it.
#[must_use]
pub fn id_at(ms: u64, random: &mut StdRng) -> Uuid {
    Builder::from_unix_timestamp_millis(ms, &random.random()).into_uuid()
}

/// A command for the guest `probe`.
#[must_use]
pub fn random_command(app: &str, now_ms: u64, random: &mut StdRng) -> Sent {
    let key = format!("k{}", random.random_range(0..12));
    let number = random.random_range(0..1000);
    let (name, input) = match random.random_range(0..20) {
        0..8 => ("add", json!({ "key": key, "amount": number })),
        8..12 => ("append", json!({ "key": key, "text": format!("{number},") })),
        12..14 => {
            ("put", json!({ "key": key, "value": { "n": number, "big": "y".repeat(number) } }))
        }
        14..16 => ("delete", json!({ "key": key })),
        16 => ("fill", json!({ "prefix": key, "count": number / 50, "bytes": 40 })),
        17 => ("emit", json!({ "type": "probe.emitted", "subject": key, "data": number })),
        18 => (
            "reject",
            json!({ "code": "as-told", "message": "no", "details": null, "event": null }),
        ),
        _ => (
            "reject",
            json!({ "code": "as-told", "message": "no", "details": null, "event": "no" }),
        ),
    };
    Sent { app: app.to_owned(), id: id_at(now_ms, random), name: name.to_owned(), input }
}

/// What a receipt says, for the model.
pub(super) fn said(verdict: &Verdict) -> crate::model::Said {
    use crate::model::Said;
    match verdict {
        Verdict::Succeeded(value) => Said::Succeeded(json_of(value.as_bytes())),
        Verdict::Rejected(failure) => Said::Rejected(failure.code.to_string()),
        Verdict::Failed(failure) => Said::Failed(failure.code.to_string()),
    }
}

pub(super) fn json_of(bytes: &[u8]) -> Json {
    serde_json::from_slice(bytes).unwrap_or(Json::Null)
}
