//! Closed-loop load: each connection sends its next request when it has the
//! answer to the one before.
//!
//! The driver has one thread. It is never more than one of the cores' worth, and
//! when it is that, both sides of a comparison are bounded by it alike; `cpu_us`
//! of a measurement says what the server itself needed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use hdrhistogram::Histogram;
use tokio::task::JoinSet;

use crate::machine;
use crate::server::Server;
use crate::wire::{Connection, Reply};

/// What one connection asks, and what it takes for an answer.
pub(crate) trait Ask: Send + 'static {
    /// The next request.
    fn next(&mut self) -> &[u8];

    /// Refuses what is not the answer to it.
    fn check(&self, reply: &Reply<'_>) -> anyhow::Result<()>;
}

/// When a turn is over.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Until {
    Elapsed(Duration),
    Requests(u64),
}

/// What a turn came to.
#[derive(Debug)]
pub(crate) struct Turn {
    pub(crate) requests: u64,
    pub(crate) per_second: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    /// Processor time of the server, all its threads, for each request.
    pub(crate) cpu_us: f64,
}

/// Runs one turn.
pub(crate) fn turn<A: Ask>(
    server: &Server,
    connections: usize,
    until: Until,
    ask: impl Fn(usize) -> A,
) -> anyhow::Result<Turn> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let asks: Vec<A> = (0..connections).map(ask).collect();
    let cpu_before = server.cpu_seconds()?;
    let (latencies, elapsed) = runtime.block_on(drive(server.address(), asks, until))?;
    let cpu = server.cpu_seconds()? - cpu_before;
    let requests = latencies.len();
    let us = |quantile| latencies.value_at_quantile(quantile) as f64 / 1e3;
    Ok(Turn {
        requests,
        per_second: requests as f64 / elapsed.as_secs_f64(),
        p50_us: us(0.5),
        p99_us: us(0.99),
        cpu_us: cpu * 1e6 / requests.max(1) as f64,
    })
}

async fn drive<A: Ask>(
    address: SocketAddr,
    asks: Vec<A>,
    until: Until,
) -> anyhow::Result<(Histogram<u64>, Duration)> {
    let left = Arc::new(AtomicU64::new(match until {
        Until::Requests(requests) => requests,
        Until::Elapsed(_) => u64::MAX,
    }));
    let mut open = Vec::new();
    for ask in asks {
        open.push((Connection::open(address).await?, ask));
    }
    let start = machine::now();
    let deadline = match until {
        Until::Elapsed(duration) => Some(start + duration),
        Until::Requests(_) => None,
    };
    let mut tasks = JoinSet::new();
    for (connection, ask) in open {
        tasks.spawn(run(connection, ask, deadline, Arc::clone(&left)));
    }
    let mut latencies = histogram()?;
    while let Some(ended) = tasks.join_next().await {
        latencies.add(ended.context("a connection panicked")??)?;
    }
    Ok((latencies, start.elapsed()))
}

async fn run<A: Ask>(
    mut connection: Connection,
    mut ask: A,
    deadline: Option<Instant>,
    left: Arc<AtomicU64>,
) -> anyhow::Result<Histogram<u64>> {
    let mut latencies = histogram()?;
    let more = |left: u64| left.checked_sub(1);
    let mut now = machine::now();
    while deadline.is_none_or(|deadline| now < deadline)
        && left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    {
        let reply = connection.exchange(ask.next()).await?;
        let answered = machine::now();
        ask.check(&reply)?;
        latencies.record(u64::try_from((answered - now).as_nanos())?)?;
        now = answered;
    }
    Ok(latencies)
}

/// Nanoseconds up to a minute, to three digits.
fn histogram() -> anyhow::Result<Histogram<u64>> {
    Ok(Histogram::new_with_bounds(1, 60_000_000_000, 3)?)
}
