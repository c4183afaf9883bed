//! A server in this process, for what is a client of it: `dev` and `test`.

use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

use super::{SHUTDOWN_MAX, failed, settings, stop};
use crate::cli::Error;
use crate::cli::client::Client;
use crate::clock::{Clock, Manual};
use crate::config::{self, Text};
use crate::server::{self, Server};
use crate::value::Name;

/// A server that ends when this is dropped: in order, as with a signal.
#[derive(Debug)]
pub(in crate::cli) struct Local {
    address: SocketAddr,
    clock: Clock,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// The hands of a server's clock that only moves when told to.
#[derive(Debug)]
pub(in crate::cli) struct Hands(Arc<Manual>);

/// What is done when a signal asks the process to end.
pub(in crate::cli) type OnSignal = Box<dyn FnOnce() + Send>;

impl Local {
    /// Starts a server, and waits until its apps are there.
    ///
    /// # Errors
    /// What `chancery serve` would refuse to start with.
    pub(in crate::cli) fn start(
        configuration: config::Serve,
        on_signal: OnSignal,
    ) -> Result<Self, Error> {
        Self::launch(configuration, Clock::system(), Some(on_signal))
    }

    /// As [`Local::start`], for tests: its clock stands still until somebody moves it, and
    /// a signal ends the process at once.
    ///
    /// # Errors
    /// As for [`Local::start`].
    pub(in crate::cli) fn standing_still(
        configuration: config::Serve,
        wall_ms: u64,
    ) -> Result<(Self, Hands), Error> {
        let (clock, hands) = Clock::manual(wall_ms);
        Ok((Self::launch(configuration, clock, None)?, Hands(hands)))
    }

    fn launch(
        configuration: config::Serve,
        clock: Clock,
        on_signal: Option<OnSignal>,
    ) -> Result<Self, Error> {
        let settings = settings(configuration);
        let runtime = server::runtime(&settings).map_err(|error| failed(&error))?;
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = mpsc::channel();
        let own = clock.clone();
        let serve = move || {
            runtime.block_on(serve(settings, own, on_signal, stopped, &tell));
            runtime.shutdown_timeout(SHUTDOWN_MAX);
        };
        let thread = std::thread::Builder::new().name("chancery-local".into()).spawn(serve);
        let thread = thread.map_err(|error| failed(&error))?;
        let ended = || Error::Serve { message: "the server has ended".to_owned() };
        let address = told.recv().map_err(|mpsc::RecvError| ended())??;
        Ok(Self { address, clock, stop: Some(stop), thread: Some(thread) })
    }

    /// Time since it was started.
    pub(in crate::cli) fn elapsed(&self) -> Duration {
        self.clock.elapsed()
    }

    /// Where it listens.
    pub(in crate::cli) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A client of one of its apps.
    ///
    /// # Errors
    /// Never: the address is one.
    pub(in crate::cli) fn client(&self, app: Name) -> Result<Client, Error> {
        let server = Text::parse(&self.url()).map_err(|message| Error::Serve { message })?;
        Ok(Client::new(config::Client { server, app }))
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // It may have ended by itself, and then hears nothing.
            stop.send(()).unwrap_or(());
        }
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

impl Hands {
    /// Lets time pass.
    pub(in crate::cli) fn advance(&self, by: Duration) {
        self.0.advance(by);
    }

    /// Sets the date, in milliseconds since 1970.
    pub(in crate::cli) fn set(&self, wall_ms: u64) {
        self.0.set_wall(wall_ms);
    }
}

async fn serve(
    settings: server::Settings,
    clock: Clock,
    on_signal: Option<OnSignal>,
    stopped: oneshot::Receiver<()>,
    tell: &mpsc::Sender<Result<SocketAddr, Error>>,
) {
    let started = async {
        if let Some(on_signal) = on_signal {
            let signals = stop::Signals::listen().map_err(|error| failed(&error))?;
            drop(tokio::spawn(async {
                signals.first().await;
                on_signal();
            }));
        }
        Server::start(settings, clock).await.map_err(|error| failed(&error))
    };
    let (server, answer) = match started.await {
        Ok(server) => {
            let address = server.address();
            (Some(server), Ok(address))
        }
        Err(error) => (None, Err(error)),
    };
    // Whoever started it waits for this word.
    drop(tell.send(answer));
    if let Some(server) = server {
        let ended = server.run(async { drop(stopped.await) }).await;
        if let Err(error) = ended {
            tracing::error!(error = %crate::value::chain_of(&error), "the server has ended");
        }
    }
}
