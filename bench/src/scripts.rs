//! What a handler costs as a script, before and after the snapshot of it, and as a component
//! made of it, beside the same handler in Rust: the example `shop` in both languages.
//!
//! The engine is opened in this process. Larger scripts are the same one with functions
//! that nothing calls.

mod memory;

use std::fmt;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use chancery::engine::{At, QueryRequest, Settings, Upload};
use chancery::record::Verdict;
use chancery::wasm::{self, Host, Script};
use chancery_tests::guest;
use serde::Serialize;
use serde_json::json;
use tempfile::TempDir;

use crate::recovery::{Opened, settings};
use crate::spread::Spread;
use crate::{Plan, machine};

/// Sizes of scripts, in KiB; the first is that of the example as it is.
const SIZES: [usize; 3] = [1, 44, 177];
/// Queries, and again commands, of one round.
const CALLS: usize = 200;
/// How long a snapshot may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Each way in which the shop was measured.
#[derive(Debug, Clone, Serialize)]
pub struct Scripts {
    /// In Rust first.
    pub ways: Vec<Way>,
}

/// One way.
#[derive(Debug, Clone, Serialize)]
pub struct Way {
    /// Language, size, and whether the snapshot is there.
    pub name: String,
    /// From the upload to the first answer of a query, in milliseconds; none after the
    /// snapshot, which comes later.
    pub live_ms: Option<f64>,
    /// From then until the snapshot was in place, in milliseconds.
    pub snapshot_ms: Option<f64>,
    /// A query in a fresh instance, in microseconds.
    pub query_us: Spread,
    /// A command in the live instance, without the log, in microseconds.
    pub command_us: Spread,
    /// Memory of a live instance, in KiB.
    pub instance_kib: f64,
}

impl fmt::Display for Scripts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nThe shop as a module in Rust and as a script, µs")?;
        let (query, command) = ("a query, fresh", "a command, live");
        writeln!(
            f,
            "{:28} {query:>24} {command:>24} {:>10} {:>12} {:>14}",
            "", "live ms", "snapshot ms", "instance KiB"
        )?;
        let ms = |time: Option<f64>| time.map_or_else(String::new, |ms| format!("{ms:.0}"));
        for Way { name, live_ms, snapshot_ms, query_us, command_us, instance_kib } in &self.ways {
            let (live, snapshot) = (ms(*live_ms), ms(*snapshot_ms));
            let (query, command) = (query_us.to_string(), command_us.to_string());
            write!(f, "{name:28} {query:>24} {command:>24} {live:>10} {snapshot:>12}")?;
            writeln!(f, " {instance_kib:>14.0}")?;
        }
        Ok(())
    }
}

/// Measures each way, one after another: they would share the compiler's time otherwise.
///
/// # Errors
/// If an answer is not what it must be.
pub fn run(plan: &Plan) -> anyhow::Result<Scripts> {
    fs::create_dir_all(&plan.data)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_stack_size(chancery::server::THREAD_STACK_BYTES)
        .enable_all()
        .build()?;
    runtime.block_on(measure(plan))
}

async fn measure(plan: &Plan) -> anyhow::Result<Scripts> {
    let mut ways = Vec::new();
    crate::note("the shop in Rust");
    ways.push(kept("Rust".to_owned(), plan, guest("shop")).await?);
    for size in SIZES {
        let name = format!("script, {size} KiB");
        crate::note(&format!("the shop as a {name}"));
        let script = Script::new("shop.js", padded(size)?.as_bytes())?;
        ways.push(evaluated(name.clone(), plan, &script.to_bytes()).await?);
        ways.push(initialised(format!("{name}, snapshot"), plan, &script.to_bytes()).await?);
        if size == SIZES[0] {
            let component = host(true)?.component_of(&script)?;
            ways.push(kept("component of the script".to_owned(), plan, component).await?);
        }
    }
    Ok(Scripts { ways })
}

fn host(script_snapshots: bool) -> anyhow::Result<Arc<Host>> {
    Ok(Host::new(wasm::Settings { script_snapshots, ..wasm::Settings::default() })?)
}

/// A module that is measured as it was uploaded.
async fn kept(name: String, plan: &Plan, module: Vec<u8>) -> anyhow::Result<Way> {
    let instance_kib = memory::of_instance(&host(false)?, &module, false)?;
    let directory = TempDir::with_prefix_in("chancery-bench-", &plan.data)?;
    let opened = Opened::new(&settings(directory.path()))?;
    let live_ms = Some(put(&opened, module).await?);
    let (query_us, command_us) = calls(plan, &opened).await?;
    opened.close();
    Ok(Way { name, live_ms, snapshot_ms: None, query_us, command_us, instance_kib })
}

/// A script that each instance evaluates.
async fn evaluated(name: String, plan: &Plan, script: &[u8]) -> anyhow::Result<Way> {
    let instance_kib = memory::of_instance(&host(false)?, script, false)?;
    let directory = TempDir::with_prefix_in("chancery-bench-", &plan.data)?;
    let mut settings: Settings = settings(directory.path());
    settings.wasm.script_snapshots = false;
    let opened = Opened::new(&settings)?;
    // The base is compiled with the first script of a process.
    put(&opened, Script::new("other.js", script)?.to_bytes()).await?;
    let live_ms = Some(put(&opened, script.to_vec()).await?);
    let (query_us, command_us) = calls(plan, &opened).await?;
    opened.close();
    Ok(Way { name, live_ms, snapshot_ms: None, query_us, command_us, instance_kib })
}

/// A script when its snapshot is there.
async fn initialised(name: String, plan: &Plan, script: &[u8]) -> anyhow::Result<Way> {
    let instance_kib = memory::of_instance(&host(true)?, script, true)?;
    let directory = TempDir::with_prefix_in("chancery-bench-", &plan.data)?;
    let opened = Opened::new(&settings(directory.path()))?;
    put(&opened, script.to_vec()).await?;
    let snapshot_ms = Some(wait(&opened).await?);
    let (query_us, command_us) = calls(plan, &opened).await?;
    opened.close();
    Ok(Way { name, live_ms: None, snapshot_ms, query_us, command_us, instance_kib })
}

/// The example with functions that nothing calls, so that it is so long.
fn padded(size_kib: usize) -> anyhow::Result<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/shop-js/shop.js");
    let mut script = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let mut n = 0;
    while script.len() < size_kib << 10 {
        n += 1;
        writeln!(
            script,
            "function unused{n}(a, b) {{ if (a > {n}) return {{ a, b: [b, \"{n}\"] }}; return a * b; }}"
        )?;
    }
    Ok(script)
}

/// Deploys the shop; milliseconds until the first answer.
async fn put(opened: &Opened, module: Vec<u8>) -> anyhow::Result<f64> {
    let began = machine::now();
    opened.app.deploy(&"shop".parse()?, Upload::Bytes(module.into())).await?;
    ensure!(ask(opened, "orders-of").await? == "[]", "nobody has bought anything");
    Ok(began.elapsed().as_secs_f64() * 1e3)
}

/// Milliseconds until the snapshot is in place.
async fn wait(opened: &Opened) -> anyhow::Result<f64> {
    let began = machine::now();
    while opened.app.deployed("shop")?.module.evaluates_script() {
        ensure!(began.elapsed() < PATIENCE, "no snapshot was made");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Ok(began.elapsed().as_secs_f64() * 1e3)
}

async fn ask(opened: &Opened, name: &str) -> anyhow::Result<String> {
    let request = QueryRequest {
        name,
        input: r#"{"product":"lamp"}"#.into(),
        at: At::default(),
        caller: None,
        metadata: "{}".into(),
        request_id: "bench".into(),
        known: &[],
    };
    let answer = opened.app.query(request).await?;
    let value = answer.value.context("an answer")?;
    Ok(std::str::from_utf8(value.as_bytes())?.to_owned())
}

/// Queries in fresh instances and commands in a live one, microseconds each.
async fn calls(plan: &Plan, opened: &Opened) -> anyhow::Result<(Spread, Spread)> {
    let lamps = json!({ "product": "lamp", "name": "Lamp", "quantity": 1_000_000 });
    opened.succeed("add-product", &lamps).await?;
    let (mut queries, mut commands) = (Vec::new(), Vec::new());
    for _ in 0..plan.rounds {
        let began = machine::now();
        for _ in 0..CALLS {
            let answer = ask(opened, "stock-of").await?;
            ensure!(answer.contains("Lamp"), "{answer}");
        }
        queries.push(began.elapsed().as_secs_f64() * 1e6 / CALLS as f64);
        let mut elapsed_us = 0;
        for _ in 0..CALLS {
            elapsed_us += buy(opened).await?;
        }
        commands.push(elapsed_us as f64 / CALLS as f64);
    }
    Ok((Spread::of(queries), Spread::of(commands)))
}

/// Buys a lamp; how long the handler ran, in microseconds.
async fn buy(opened: &Opened) -> anyhow::Result<u64> {
    let receipt = opened.execute("buy-product", &json!({ "product": "lamp" })).await?;
    let outcome = receipt.outcome.as_ref().context("no outcome")?;
    ensure!(matches!(outcome.verdict, Verdict::Succeeded(_)), "{:?}", outcome.verdict);
    Ok(outcome.elapsed_us)
}
