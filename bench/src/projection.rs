//! How quickly a projection is built that is new to an app with many events, and what
//! commands take meanwhile.
//!
//! The engine is opened in this process; one client submits commands, one after
//! another, before the module with the projection is deployed, while it is built, and
//! while it is kept up.

use std::fmt;
use std::fs;
use std::time::Duration;

use anyhow::{Context, ensure};
use chancery::engine::{Standing, Upload};
use chancery_tests::guest;
use serde::Serialize;
use serde_json::json;
use tempfile::TempDir;

use crate::recovery::{Opened, settings};
use crate::{Plan, machine};

/// Events that one command emits while the history is made.
const EVENTS_AT_ONCE: usize = 1_000;
/// Commands of one client before and after the build.
const COMMANDS: usize = 500;

/// What building took, and what commands took.
#[derive(Debug, Clone, Serialize)]
pub struct Projection {
    /// Events there were.
    pub events: usize,
    /// From the deployment until the tables were live, in seconds.
    pub seconds: f64,
    /// Events a second.
    pub rate: f64,
    /// Of one client without a projection.
    pub before: Latency,
    /// While it was built.
    pub meanwhile: Latency,
    /// While it was kept up.
    pub after: Latency,
}

/// How long commands took, in milliseconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Latency {
    /// How many.
    pub commands: usize,
    /// The one in the middle.
    pub median: f64,
    /// Of a hundred, the slowest but one.
    pub p99: f64,
    /// The slowest.
    pub max: f64,
}

impl Latency {
    fn of(mut measured: Vec<f64>) -> Self {
        measured.sort_by(f64::total_cmp);
        let at = |share: usize| {
            let index = measured.len().saturating_sub(1) * share / 100;
            measured.get(index).copied().unwrap_or_default()
        };
        Self { commands: measured.len(), median: at(50), p99: at(99), max: at(100) }
    }
}

impl fmt::Display for Projection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { events, seconds, rate, .. } = self;
        writeln!(f, "\nA projection that is new to an app with {events} events")?;
        writeln!(f, "{:16} {seconds:.2} s, {rate:.0} events/s", "built in")?;
        let all = [("before", self.before), ("meanwhile", self.meanwhile), ("after", self.after)];
        for (when, Latency { commands, median, p99, max }) in all {
            writeln!(
                f,
                "{when:16} {commands} commands of one client: median {median:.2} ms, p99 {p99:.2} \
                 ms, max {max:.2} ms"
            )?;
        }
        Ok(())
    }
}

/// Makes the events, deploys the projection, and waits for it.
///
/// # Errors
/// If a command does not succeed, or the projection is parked.
pub fn run(plan: &Plan, events: usize) -> anyhow::Result<Projection> {
    fs::create_dir_all(&plan.data)?;
    let directory = TempDir::with_prefix_in("chancery-bench-", &plan.data)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_stack_size(chancery::server::THREAD_STACK_BYTES)
        .enable_all()
        .build()?;
    runtime.block_on(measure(&directory, events))
}

async fn measure(directory: &TempDir, events: usize) -> anyhow::Result<Projection> {
    let opened = Opened::new(&settings(directory.path()))?.deploy().await?;
    crate::note(&format!("{events} events"));
    let with = guest("tally");
    let mut without = with.clone();
    // Its manifest is text in the module: a projection of events that there are none of.
    let text = b"[\"item.**\"]";
    let at = with.windows(text.len()).position(|found| found == text).context("its manifest")?;
    without.splice(at..at + text.len(), *b"[\"none.**\"]");
    let deploy = async |bytes: Vec<u8>, module: &str| {
        opened.app.deploy(&module.parse()?, Upload::Bytes(bytes.into())).await?;
        anyhow::Ok(())
    };
    deploy(without, "tally").await?;
    let many = |n: usize| {
        let left = (events - n * EVENTS_AT_ONCE).min(EVENTS_AT_ONCE);
        ("note", json!({ "subject": format!("s{}", n % 1_000), "data": n, "times": left }))
    };
    opened.submit(events.div_ceil(EVENTS_AT_ONCE), many).await?;
    let before = timed(&opened, |n| n < COMMANDS).await?;
    opened.app.remove("tally").await?;

    crate::note("a projection of them");
    let began = machine::now();
    deploy(with, "tally").await?;
    let is_live = || {
        let status = opened.app.projection("tally").map(|(_, info)| info.status);
        matches!(status, Ok(Standing::Live))
    };
    let meanwhile = timed(&opened, |_| !is_live()).await?;
    let seconds = began.elapsed().as_secs_f64();
    let after = timed(&opened, |n| n < COMMANDS).await?;
    ensure!(is_live(), "it is parked");
    opened.close();
    Ok(Projection {
        events,
        seconds,
        rate: events as f64 / seconds,
        before: Latency::of(before),
        meanwhile: Latency::of(meanwhile),
        after: Latency::of(after),
    })
}

/// Commands one after another, each of which emits an event, and how long they took.
async fn timed(opened: &Opened, more: impl Fn(usize) -> bool) -> anyhow::Result<Vec<f64>> {
    let mut took = Vec::new();
    while more(took.len()) {
        let event = json!({ "type": "item.added", "subject": "one", "data": 1 });
        let began = machine::now();
        let done = opened.succeed("emit", &event);
        tokio::time::timeout(Duration::from_secs(60), done).await??;
        took.push(began.elapsed().as_secs_f64() * 1e3);
    }
    Ok(took)
}
