//! The composition root: opens what is on disk, listens, serves, and drains.
//!
//! It owns the socket, the threads and the order in which things start and end.
//! What a request means is [`http`](mod@crate::http)'s business, and what the process
//! does about signals and exit codes is `main`'s.

mod accept;
mod beat;
mod connection;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

use crate::clock::Clock;
use crate::delivery::Deliveries;
use crate::engine::{self, Engine};
use crate::http;
pub use crate::http::FOLLOWERS_MAX;
use crate::value::Name;

/// Stack of every thread that may run a guest, in bytes. A guest may use 2 MiB of
/// it, and the compiler recurses over what is uploaded; address space costs
/// nothing until it is used.
pub const THREAD_STACK_BYTES: usize = 16 << 20;
/// Threads for blocking work: compiling, pages of receipts, closing.
pub const BLOCKING_THREADS_MAX: usize = 64;
/// How long connections and lanes may take to end, by default.
pub const DRAIN_MAX: Duration = Duration::from_secs(10);

/// What a server is started with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where to listen; port 0 takes any that is free.
    pub listen: SocketAddr,
    /// What apps may use, and where they are.
    pub engine: engine::Settings,
    /// What requests may use.
    pub http: http::Settings,
    /// How long the end may take: requests, commands and closing together.
    pub drain_max: Duration,
    /// The app that is created at the start if it is missing.
    pub default_app: Name,
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The data cannot be opened.
    #[error("cannot open the data")]
    Engine(#[from] engine::Error),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The system gives no thread.
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
    /// Opening the data panicked.
    #[error("opening the data failed: {0}")]
    Opening(String),
}

/// What opening everything found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Each app, by name.
    pub apps: Vec<AppSummary>,
}

/// What opening one app found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppSummary {
    /// Its name.
    pub name: Name,
    /// The last sequence that has an outcome.
    pub sequence: u64,
    /// Its modules, all of which load.
    pub modules: Vec<Name>,
}

/// How a server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// Everything was answered, and every log was closed in order.
    Whole,
    /// Time was up before: what was logged is finished at the next start.
    CutShort,
}

/// A server that listens; nothing is accepted until it runs.
#[derive(Debug)]
pub struct Server {
    engine: Arc<Engine>,
    /// Recovers the apps; none once it is known how that ended.
    recovery: Option<JoinHandle<Result<(), engine::Error>>>,
    listener: TcpListener,
    address: SocketAddr,
    http: http::Settings,
    drain_max: Duration,
    clock: Clock,
    /// Served beside its own.
    routes: Router,
}

/// The threads of a server. Queries run on the threads that serve, so there are
/// as many more as queries may run at one time: the others are always free for
/// commands and for `/healthz`.
///
/// # Errors
/// If the system does not give them.
pub fn runtime(settings: &Settings) -> io::Result<Runtime> {
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    Builder::new_multi_thread()
        .thread_name("chancery-worker")
        .worker_threads(cores + settings.engine.queries_max)
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .thread_stack_size(THREAD_STACK_BYTES)
        .enable_all()
        .build()
}

/// Opens everything, as a start would, and listens to nobody.
///
/// # Errors
/// What a start would fail with.
pub fn check(settings: &Settings, clock: Clock) -> Result<Summary, Error> {
    // A misspelt directory is not one in which all is well.
    let apps = settings.engine.data.join("apps");
    if !apps.is_dir() {
        let source = io::ErrorKind::NotFound.into();
        return Err(engine::Error::Io { action: "find", path: apps, source }.into());
    }
    let engine = Engine::open(settings.engine.clone(), clock)?;
    let apps = engine.apps();
    let apps = apps.iter().map(|app| {
        let snapshot = app.snapshots().current();
        AppSummary {
            name: app.name().clone(),
            sequence: snapshot.state.sequence().0,
            modules: snapshot.catalog.modules().map(|module| module.name.clone()).collect(),
        }
    });
    let summary = Summary { apps: apps.collect() };
    engine.close(settings.drain_max);
    Ok(summary)
}

impl Server {
    /// Takes the data, listens, and begins to recover the apps. Whoever connects is
    /// told how far that has come, and is served what is there.
    ///
    /// # Errors
    /// [`Error`]; the socket is opened only if nobody else has the data.
    pub async fn bind(settings: Settings, clock: Clock) -> Result<Self, Error> {
        let Settings { listen, engine, http, drain_max, default_app } = settings;
        let engine_clock = clock.clone();
        let taking = spawn_blocking(move || Engine::new(engine, engine_clock));
        let engine = taking.await.map_err(|error| Error::Opening(error.to_string()))??;
        let engine = Arc::new(engine);
        let refused = |source| Error::Listen { address: listen, source };
        let listener = TcpListener::bind(listen).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        engine.prepare_for_scripts();
        let recovering = Arc::clone(&engine);
        let recovery = spawn_blocking(move || {
            recovering.recover()?;
            recovering.create(&default_app).map(drop)
        });
        let (recovery, routes) = (Some(recovery), Router::new());
        Ok(Self { engine, recovery, listener, address, http, drain_max, clock, routes })
    }

    /// As [`Server::bind`], and waits until every app is recovered and the default
    /// app is there.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn start(settings: Settings, clock: Clock) -> Result<Self, Error> {
        let mut server = Self::bind(settings, clock).await?;
        recovered(server.recovery.take()).await?;
        Ok(server)
    }

    /// Serves more routes from the same socket, without what surrounds its own.
    /// The benchmark compares itself with one; none may be among its own.
    #[must_use]
    pub fn with_routes(mut self, routes: Router) -> Self {
        self.routes = self.routes.merge(routes);
        self
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its apps.
    #[must_use]
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Serves until `shutdown` is done, then drains: no more connections, the
    /// requests at hand answered, the lanes closed.
    ///
    /// # Errors
    /// As for [`Server::run_with`].
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<Drained, Error> {
        self.run_with(shutdown, |_| ()).await
    }

    /// As [`Server::run`]; `ready` is called once every app is recovered.
    ///
    /// # Errors
    /// [`Error::Thread`]; [`Error::Engine`] if an app cannot be recovered, when the
    /// server ends: it would serve less than it should.
    pub async fn run_with(
        mut self,
        shutdown: impl Future<Output = ()>,
        ready: impl FnOnce(&Engine),
    ) -> Result<Drained, Error> {
        let router = http::router(Arc::clone(&self.engine), self.http, self.clock.clone());
        let router = router.merge(self.routes);
        let (engine, recovery) = (&self.engine, self.recovery.take());
        let mut failed = None;
        let recovering = async {
            match recovered(recovery).await {
                Ok(()) => {
                    ready(engine);
                    std::future::pending().await
                }
                Err(error) => failed = Some(error),
            }
        };
        let end = async {
            tokio::select! {
                () = shutdown => {}
                () = recovering => {}
            }
        };
        let mut deliveries = Deliveries::start(engine);
        let connections = accept::serve(self.listener, router, end).await;
        let mut connections = connections.map_err(Error::Thread)?;
        if let Some(error) = failed {
            connections.abort();
            return Err(error);
        }
        tracing::info!(connections = connections.len(), "draining");
        deliveries.stop();
        self.engine.let_go();
        let deadline = self.clock.elapsed() + self.drain_max;
        let left = || deadline.saturating_sub(self.clock.elapsed());
        // Half of the time for requests to end by themselves. Those that wait for
        // a slow command are answered when its lane is closed.
        let ended = async { tokio::join!(connections.ended(), deliveries.ended()) };
        let ended = timeout(left() / 2, ended).await.is_ok();
        drop(deliveries);
        let (engine, within) = (Arc::clone(&self.engine), left());
        let closing = spawn_blocking(move || engine.close(within));
        let closed = matches!(timeout(left(), closing).await, Ok(Ok(())));
        let ended = ended || timeout(left(), connections.ended()).await.is_ok();
        connections.abort();
        match ended && closed {
            true => Ok(Drained::Whole),
            false => Ok(Drained::CutShort),
        }
    }
}

/// Waits for the apps, if they are still being recovered.
async fn recovered(recovery: Option<JoinHandle<Result<(), engine::Error>>>) -> Result<(), Error> {
    match recovery {
        None => Ok(()),
        Some(recovery) => match recovery.await {
            Ok(recovered) => Ok(recovered?),
            Err(error) => Err(Error::Opening(error.to_string())),
        },
    }
}
