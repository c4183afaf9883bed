//! An engine, or a single lane, in the process of the test.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chancery::clock::Clock;
use chancery::disk::{Disk, Files};
use chancery::engine::{
    App, At, CommandRequest, Deployment, Engine, Error, PageOf, Progressed, QueryRequest, Settings,
    Submitted, Upload,
};
use chancery::lane::{self, Lane, Submission, Ticket, fingerprint};
use chancery::log::Memory;
use chancery::modules::Modules;
use chancery::receipts::Receipt;
use chancery::record::{Act, Command, Deploy, Outcome, Verdict};
use chancery::snapshot::Reaper;
use chancery::value::{CommandId, Hash, History, Name, Sequence, Value};
use chancery::wasm;
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use uuid::Uuid;

use crate::{guest, new_id, text};

/// How long anything may take before a test gives up.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// An engine with one app, in a directory that goes with it.
#[derive(Debug)]
pub struct Rig {
    /// The engine.
    pub engine: Arc<Engine>,
    /// Its app `main`.
    pub app: Arc<App>,
    /// The time, as the engine sees it.
    pub clock: Clock,
    directory: Arc<TempDir>,
    settings: Settings,
}

impl Rig {
    /// An engine with an empty app.
    #[must_use]
    pub fn start() -> Self {
        Self::with(|_| ())
    }

    /// As [`Rig::start`], with other settings.
    #[must_use]
    pub fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let directory = TempDir::new().expect("a directory");
        let mut settings = Settings::new(directory.path().join("data"));
        change(&mut settings);
        Self::open(Arc::new(directory), settings, Clock::system())
    }

    /// As [`Rig::start`], with a clock of the test's.
    #[must_use]
    pub fn at(clock: Clock) -> Self {
        let directory = TempDir::new().expect("a directory");
        let settings = Settings::new(directory.path().join("data"));
        Self::open(Arc::new(directory), settings, clock)
    }

    /// As [`Rig::at`], with other settings.
    #[must_use]
    pub fn with_clock(clock: Clock, change: impl FnOnce(&mut Settings)) -> Self {
        let directory = TempDir::new().expect("a directory");
        let mut settings = Settings::new(directory.path().join("data"));
        change(&mut settings);
        Self::open(Arc::new(directory), settings, clock)
    }

    /// Closes in order and opens again, with other settings.
    #[must_use]
    pub fn restart_with(self, change: impl FnOnce(&mut Settings)) -> Self {
        self.engine.close(PATIENCE);
        self.open_again(change)
    }

    fn open(directory: Arc<TempDir>, settings: Settings, clock: Clock) -> Self {
        let engine = Engine::open(settings.clone(), clock.clone()).expect("the engine opens");
        let (app, _) = engine.create(&name("main")).expect("an app");
        Self { engine: Arc::new(engine), app, clock, directory, settings }
    }

    /// Closes in order and opens again.
    #[must_use]
    pub fn restart(self) -> Self {
        self.engine.close(PATIENCE);
        self.open_again(|_| ())
    }

    /// Opens again after something was done to the files, or to the settings.
    ///
    /// # Panics
    /// If something still holds the engine.
    #[must_use]
    pub fn open_again(self, change: impl FnOnce(&mut Settings)) -> Self {
        let Self { engine, app, clock, directory, mut settings } = self;
        drop(app);
        let engine = Arc::into_inner(engine).expect("nobody else holds the engine");
        drop(engine);
        change(&mut settings);
        Self::open(directory, settings, clock)
    }

    /// Closes in order, and gives the directory: what a server is given is in `data`.
    ///
    /// # Panics
    /// If something still holds the engine.
    #[must_use]
    pub fn close(self) -> Arc<TempDir> {
        self.engine.close(PATIENCE);
        let Self { engine, app, directory, .. } = self;
        drop(app);
        drop(Arc::into_inner(engine).expect("nobody else holds the engine"));
        directory
    }

    /// The directory of the app.
    #[must_use]
    pub fn app_directory(&self) -> std::path::PathBuf {
        self.directory.path().join("data/apps/main")
    }

    /// Deploys a guest under a name.
    pub async fn deploy(&self, module: &str, guest_name: &str) -> Deployment {
        let upload = Upload::Bytes(guest(guest_name).into());
        let deployment = self.app.deploy(&name(module), upload).await.expect("it is accepted");
        if let Some(receipt) = &deployment.receipt {
            let outcome = receipt.outcome.as_ref().expect("an outcome");
            assert!(matches!(outcome.verdict, Verdict::Succeeded(_)), "{:?}", outcome.verdict);
        }
        deployment
    }

    /// A command as a client would give it.
    #[must_use]
    pub fn request(&self, id: Uuid, command: &str, input: &Json) -> CommandRequest {
        CommandRequest {
            id: CommandId::new(id).expect("an id with a time"),
            name: command.to_owned(),
            input: text(input),
            basis: None,
            unchanged: Vec::new(),
            caller: None,
            correlation_id: None,
            causation_id: None,
            metadata: "{}".into(),
        }
    }

    /// Submits a command and waits for its receipt.
    pub async fn command(&self, command: &str, input: Json) -> Receipt {
        self.command_with(new_id(), command, input).await
    }

    /// As [`Rig::command`], with an id.
    pub async fn command_with(&self, id: Uuid, command: &str, input: Json) -> Receipt {
        let submitted = self.app.submit(self.request(id, command, &input)).expect("a place");
        self.done(&submitted).await
    }

    /// Waits for the receipt of what was submitted.
    pub async fn done(&self, submitted: &Submitted) -> Receipt {
        match self.app.progress(submitted, PATIENCE).await.expect("an answer") {
            Progressed::Done(receipt) => receipt,
            Progressed::Logged { sequence } => panic!("{sequence} was only logged"),
        }
    }

    /// Submits a command that succeeds, and gives its result.
    pub async fn succeed(&self, command: &str, input: Json) -> Json {
        result(&self.command(command, input).await)
    }

    /// Asks a query of the latest state.
    pub async fn query(&self, query: &str, input: Json) -> Json {
        self.query_at(query, input, At::default()).await.expect("an answer")
    }

    /// Asks a query of some state.
    ///
    /// # Errors
    /// What the engine says.
    pub async fn query_at(&self, query: &str, input: Json, at: At) -> Result<Json, Error> {
        let request = QueryRequest {
            name: query,
            input: text(&input),
            at,
            caller: None,
            metadata: "{}".into(),
            request_id: "test".into(),
            known: &[],
        };
        let answer = self.app.query(request).await?;
        Ok(json_of(answer.value.as_ref().expect("a value")))
    }

    /// All rows of a table, with the sequences at which they last changed.
    ///
    /// # Errors
    /// What the engine says.
    pub async fn rows(&self, table: &str) -> Result<Vec<(String, Value, Sequence)>, Error> {
        let page = PageOf { table, prefix: "", after: None, rows_max: 100_000, bytes_max: 1 << 30 };
        Ok(self.app.rows(At::default(), page).await?.rows)
    }

    /// Waits until everything that is logged was executed: after a crash, what had no
    /// outcome runs once the app is open.
    ///
    /// # Panics
    /// If it takes too long.
    pub async fn settle(&self) {
        let settled = async {
            while self.sequence() != self.app.lane().last_sequence().0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(PATIENCE, settled).await.expect("all of it is executed");
    }

    /// The latest published sequence.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.app.snapshots().current().state.sequence().0
    }
}

/// A lane on a log in memory, which fails when told to.
#[derive(Debug)]
pub struct LaneRig {
    /// The lane.
    pub lane: Lane,
    /// Its disk.
    pub disk: Memory,
    host: Arc<wasm::Host>,
    directory: Arc<TempDir>,
    settings: lane::Settings,
}

impl LaneRig {
    /// A lane with the guest `probe`.
    #[must_use]
    pub fn start(settings: lane::Settings) -> Self {
        let directory = Arc::new(TempDir::new().expect("a directory"));
        let disk = Memory::new(History(Uuid::now_v7()));
        let host = wasm::Host::new(wasm::Settings::default()).expect("a host");
        let lane = open(&directory, &disk, &host, settings.clone());
        Self { lane, disk, host, directory, settings }
    }

    /// Lets go of what is not durable and opens another lane on the same disk.
    #[must_use]
    pub fn crash(self) -> Self {
        let Self { lane, disk, host, directory, settings } = self;
        lane.close(Duration::ZERO);
        drop(lane);
        let lane = open(&directory, &disk, &host, settings.clone());
        Self { lane, disk, host, directory, settings }
    }

    /// The directory of its files.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Deploys a guest.
    pub async fn deploy(&self, module: &str, guest_name: &str) -> Receipt {
        let hash = self.lane.modules().keep(&guest(guest_name)).expect("kept");
        let keep = self.lane.modules().load(hash).expect("loaded");
        let act = Act::Deploy(Deploy { module: name(module), hash });
        let id = new_id();
        let submission = Submission {
            id,
            windowed: false,
            fingerprint: Hash::of(id.as_bytes()),
            act,
            admitted: None,
            keep: Some(keep),
            prepared: None,
        };
        self.answer(submission).await
    }

    /// Submits a command.
    ///
    /// # Errors
    /// Why it got no place.
    pub fn submit(&self, id: Uuid, command: &str, input: &Json) -> Result<Ticket, lane::Refusal> {
        self.lane.submit(submission(id, command, input))
    }

    /// Submits a command and waits for its receipt.
    pub async fn command(&self, command: &str, input: Json) -> Receipt {
        self.answer(submission(new_id(), command, &input)).await
    }

    async fn answer(&self, submission: Submission) -> Receipt {
        match self.lane.submit(submission).expect("a place") {
            Ticket::Settled(sequence) => {
                self.lane.receipt(sequence).expect("readable").expect("there")
            }
            Ticket::Flying { flight, .. } => {
                let answered = tokio::time::timeout(PATIENCE, flight.answered()).await;
                match answered.expect("in time") {
                    lane::Answer::Done(receipt) => receipt.clone(),
                    other => panic!("{other:?}"),
                }
            }
        }
    }

    /// The latest published sequence.
    #[must_use]
    pub fn published(&self) -> Sequence {
        self.lane.snapshots().current().state.sequence()
    }
}

/// A command as the engine would submit it.
#[must_use]
pub fn submission(id: Uuid, command: &str, input: &Json) -> Submission {
    let input = text(input);
    let fingerprint = fingerprint::of_command(command, &input);
    let act = Act::Command(Command {
        name: name(command),
        input,
        basis: None,
        unchanged: Vec::new(),
        scheduled_for_ms: None,
        caller: None,
        correlation_id: id.to_string().into(),
        causation_id: None,
        metadata: "{}".into(),
    });
    Submission { id, windowed: true, fingerprint, act, admitted: None, keep: None, prepared: None }
}

fn open(
    directory: &Arc<TempDir>,
    log: &Memory,
    host: &Arc<wasm::Host>,
    settings: lane::Settings,
) -> Lane {
    let files: Arc<dyn Disk> = Arc::new(Files);
    let modules = directory.path().join("modules");
    let modules = Modules::open(Arc::clone(&files), name("main"), modules, Arc::clone(host));
    let parts = lane::Parts {
        disk: files,
        app: name("main"),
        storage: Box::new(log.clone()),
        base: None,
        index: None,
        archive: None,
        postings: None,
        modules: Arc::new(modules.expect("modules")),
        slot: directory.path().join("running"),
        clock: Clock::system(),
        reaper: Reaper::start().expect("a thread"),
    };
    Lane::open(settings, parts, &mut |_| ()).expect("the lane opens")
}

/// A name.
///
/// # Panics
/// If it is none.
#[must_use]
pub fn name(name: &str) -> Name {
    name.parse().expect("a name")
}

/// The outcome in a receipt.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn outcome(receipt: &Receipt) -> &Outcome {
    receipt.outcome.as_ref().expect("an outcome")
}

/// The result in the receipt of what succeeded.
///
/// # Panics
/// If it did not.
#[must_use]
pub fn result(receipt: &Receipt) -> Json {
    match &outcome(receipt).verdict {
        Verdict::Succeeded(value) => json_of(value),
        other => panic!("{other:?}"),
    }
}

/// `succeeded`, or the code of the failure.
#[must_use]
pub fn code(receipt: &Receipt) -> String {
    match &outcome(receipt).verdict {
        Verdict::Succeeded(_) => "succeeded".to_owned(),
        Verdict::Rejected(failure) | Verdict::Failed(failure) => failure.code.to_string(),
    }
}

/// A value as JSON; bytes as their number.
///
/// # Panics
/// If it is not JSON.
#[must_use]
pub fn json_of(value: &Value) -> Json {
    match value {
        Value::Json(text) => serde_json::from_str(text).expect("JSON"),
        Value::Bytes(bytes) => json!({ "bytes": bytes.len() }),
    }
}
