//! The signals that stop a server: the first in order, the second at once.

use std::io;

use tokio::sync::oneshot;

/// The exit code after a second signal, as shells give it for SIGINT.
const INTERRUPTED: i32 = 130;

/// Signals that are being listened to.
pub(super) struct Signals {
    first: oneshot::Receiver<()>,
}

impl Signals {
    /// Listens from now on; has to be called within a runtime.
    pub(super) fn listen() -> io::Result<Self> {
        let mut signals = Sources::new()?;
        let (heard, first) = oneshot::channel();
        tokio::spawn(async move {
            let name = signals.next().await;
            tracing::info!(signal = name, "stopping; a second signal does not wait");
            // Nobody is left to be told while apps are still being recovered, and
            // then the receiver keeps the word until they are.
            if heard.send(()).is_err() {
                return;
            }
            signals.next().await;
            at_once();
        });
        Ok(Self { first })
    }

    /// Waits for the first.
    pub(super) async fn first(self) {
        // A listener that ended has heard nothing to wait for.
        if self.first.await.is_err() {
            tracing::warn!("signals are no longer listened to");
        }
    }
}

/// What was acknowledged is durable, so nothing is lost by not waiting.
#[expect(clippy::exit, reason = "a second signal means now, whatever runs")]
fn at_once() {
    tracing::warn!("stopped at once");
    std::process::exit(INTERRUPTED);
}

#[cfg(unix)]
struct Sources {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Sources {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let interrupt = signal(SignalKind::interrupt())?;
        Ok(Self { interrupt, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}

#[cfg(not(unix))]
struct Sources;

#[cfg(not(unix))]
impl Sources {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> &'static str {
        match tokio::signal::ctrl_c().await {
            Ok(()) => "Ctrl-C",
            // Without signals the server runs until it is killed.
            Err(_) => std::future::pending().await,
        }
    }
}
