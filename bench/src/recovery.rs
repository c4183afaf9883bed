//! How long a start takes: of an app with many commands after its last checkpoint,
//! and of one with a checkpoint of many rows.
//!
//! The engine is opened in this process, so that nothing else is measured; an app
//! with a module and nothing in it shows what every start costs.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use chancery::checkpoint::AtOnce;
use chancery::clock::Clock;
use chancery::engine::{App, CommandRequest, Engine, Progressed, Settings, Upload};
use chancery::receipts::Receipt;
use chancery::record::Verdict;
use chancery::value::CommandId;
use serde::Serialize;
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::spread::Spread;
use crate::{Plan, machine};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Commands that are on their way at one time.
const FLYING: usize = 512;
/// Rows that one command writes.
const ROWS_AT_ONCE: usize = 5_000;
/// Bytes of a row's value.
const ROW_BYTES: usize = 100;

/// Times to open an app, in milliseconds.
#[derive(Debug, Clone, Serialize)]
pub struct Recovery {
    /// With nothing but its module.
    pub empty_ms: Spread,
    /// Commands since the last checkpoint, of which there was none.
    pub commands: usize,
    /// What the log of them is on disk, in MiB.
    pub log_mib: f64,
    /// With these commands.
    pub replay_ms: Spread,
    /// Rows in the checkpoint.
    pub rows: usize,
    /// What the checkpoint is on disk, in MiB.
    pub checkpoint_mib: f64,
    /// To write it, in milliseconds.
    pub write_ms: f64,
    /// With this checkpoint and nothing after it.
    pub load_ms: Spread,
}

/// Makes the apps and opens each of them some times.
///
/// # Errors
/// If a command does not succeed, or an app is not what it was before.
pub fn run(plan: &Plan, commands: usize, rows: usize) -> anyhow::Result<Recovery> {
    fs::create_dir_all(&plan.data)?;
    let directory = TempDir::with_prefix_in("chancery-bench-", &plan.data)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_stack_size(chancery::server::THREAD_STACK_BYTES)
        .enable_all()
        .build()?;
    let at = |name: &str| settings(&directory.path().join(name));

    crate::note("an app with nothing in it");
    let empty = at("empty");
    runtime.block_on(Opened::new(&empty)?.deploy())?.close();
    let empty_ms = open_some_times(plan, &empty)?;

    crate::note(&format!("{commands} commands without a checkpoint"));
    let replayed = at("commands");
    let opened = runtime.block_on(Opened::new(&replayed)?.deploy())?;
    let add = |n: usize| ("add", json!({ "key": (n % 1_000).to_string(), "amount": 1 }));
    runtime.block_on(opened.submit(commands, add))?;
    opened.close();
    let log_mib = mib(&replayed.data.join("apps/main/log"))?;
    let replay_ms = open_some_times(plan, &replayed)?;

    crate::note(&format!("a checkpoint of {rows} rows"));
    let loaded = at("rows");
    let opened = runtime.block_on(Opened::new(&loaded)?.deploy())?;
    let fill = |n: usize| {
        let count = ROWS_AT_ONCE.min(rows - n * ROWS_AT_ONCE);
        ("fill", json!({ "prefix": format!("{n:06}-"), "count": count, "bytes": ROW_BYTES }))
    };
    runtime.block_on(opened.submit(rows.div_ceil(ROWS_AT_ONCE), fill))?;
    let began = machine::now();
    opened.app.keeper().checkpoint(&mut AtOnce).context("no checkpoint")?;
    let write_ms = began.elapsed().as_secs_f64() * 1e3;
    opened.close();
    let checkpoint_mib = mib(&loaded.data.join("apps/main"))?
        - mib(&loaded.data.join("apps/main/log"))?
        - mib(&loaded.data.join("apps/main/modules"))?;
    let load_ms = open_some_times(plan, &loaded)?;
    Ok(Recovery { empty_ms, commands, log_mib, replay_ms, rows, checkpoint_mib, write_ms, load_ms })
}

pub(crate) fn settings(data: &Path) -> Settings {
    // No checkpoint but the one that is asked for.
    Settings { tended: false, ..Settings::new(data.to_owned()) }
}

/// Opens an app, and closes it in order.
fn open_some_times(plan: &Plan, settings: &Settings) -> anyhow::Result<Spread> {
    let mut took = Vec::new();
    let mut sequences = Vec::new();
    for _ in 0..plan.rounds {
        let began = machine::now();
        let engine = Engine::open(settings.clone(), Clock::system())?;
        took.push(began.elapsed().as_secs_f64() * 1e3);
        let app = engine.app("main")?;
        sequences.push(app.snapshots().current().state.sequence());
        engine.close(PATIENCE);
    }
    ensure!(sequences.windows(2).all(|pair| pair[0] == pair[1]), "{sequences:?}");
    Ok(Spread::of(took))
}

/// An engine with one app.
pub(crate) struct Opened {
    engine: Engine,
    pub(crate) app: Arc<App>,
}

impl Opened {
    pub(crate) fn new(settings: &Settings) -> anyhow::Result<Self> {
        let engine = Engine::open(settings.clone(), Clock::system())?;
        let (app, _) = engine.create(&"main".parse()?)?;
        Ok(Self { engine, app })
    }

    pub(crate) async fn deploy(self) -> anyhow::Result<Self> {
        let module = Upload::Bytes(chancery_tests::guest("probe").into());
        self.app.deploy(&"probe".parse()?, module).await?;
        Ok(self)
    }

    /// Submits so many commands, many at one time.
    pub(crate) async fn submit(
        &self,
        number: usize,
        command: impl Fn(usize) -> (&'static str, Json),
    ) -> anyhow::Result<()> {
        let next = AtomicUsize::new(0);
        let mut clients = Vec::new();
        for _ in 0..FLYING.min(number) {
            clients.push(Box::pin(async {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= number {
                        return anyhow::Ok(());
                    }
                    let (name, input) = command(n);
                    self.succeed(name, &input).await?;
                }
            }));
        }
        for client in join_all(clients).await {
            client?;
        }
        Ok(())
    }

    pub(crate) async fn succeed(&self, name: &str, input: &Json) -> anyhow::Result<()> {
        let receipt = self.execute(name, input).await?;
        let outcome = receipt.outcome.as_ref().context("no outcome")?;
        ensure!(matches!(outcome.verdict, Verdict::Succeeded(_)), "{:?}", outcome.verdict);
        Ok(())
    }

    /// The receipt of a command that was executed.
    pub(crate) async fn execute(&self, name: &str, input: &Json) -> anyhow::Result<Receipt> {
        let request = CommandRequest {
            id: CommandId::new(uuid::Uuid::now_v7())?,
            name: name.to_owned(),
            input: input.to_string().into(),
            basis: None,
            unchanged: Vec::new(),
            caller: None,
            correlation_id: None,
            causation_id: None,
            metadata: "{}".into(),
        };
        let submitted = self.app.submit(request)?;
        let Progressed::Done(receipt) = self.app.progress(&submitted, PATIENCE).await? else {
            anyhow::bail!("a command was only logged");
        };
        Ok(receipt)
    }

    pub(crate) fn close(self) {
        self.engine.close(PATIENCE);
    }
}

/// Polls all of them in one task until each is done.
async fn join_all<F: Future + Unpin>(futures: Vec<F>) -> Vec<F::Output> {
    let mut left: Vec<(F, Option<F::Output>)> =
        futures.into_iter().map(|future| (future, None)).collect();
    std::future::poll_fn(|context| {
        for (future, output) in &mut left {
            if output.is_none()
                && let std::task::Poll::Ready(ready) = std::pin::Pin::new(future).poll(context)
            {
                *output = Some(ready);
            }
        }
        match left.iter().all(|(_, output)| output.is_some()) {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
    left.into_iter().filter_map(|(_, output)| output).collect()
}

/// What is in a directory and below it.
fn mib(directory: &Path) -> anyhow::Result<f64> {
    let mut bytes = 0.0;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        bytes += match entry.file_type()?.is_dir() {
            true => mib(&entry.path())?,
            false => entry.metadata()?.len() as f64 / f64::from(1 << 20),
        };
    }
    Ok(bytes)
}
