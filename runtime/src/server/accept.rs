//! The accept loop: a bounded number of connections, each a task.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::beat::Beat;
use super::connection;

/// Connections at one time. Beyond it new ones wait in the listener's backlog,
/// where they cost the kernel's memory and not ours.
pub(super) const CONNECTIONS_MAX: usize = 4096;
/// How long to wait when the system gives no connection, mostly for want of file
/// descriptors: some are given back in that time.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The connections that are left when accepting has ended.
#[derive(Debug)]
pub(super) struct Connections {
    tasks: JoinSet<()>,
    /// Held so that connections which have not looked yet see the stop.
    _stop: watch::Sender<bool>,
    /// Requests at hand still need threads that look for work.
    _beat: Beat,
}

/// Accepts and serves until `shutdown` is done; the listener is closed then, and
/// every connection told to end after the request at hand.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()>,
) -> io::Result<Connections> {
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let beat = Beat::start(Handle::current(), Arc::downgrade(&slots), CONNECTIONS_MAX)?;
    let (stop, stopped) = watch::channel(false);
    let mut tasks = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            Some(ended) = tasks.join_next(), if !tasks.is_empty() => {
                note(ended);
                continue;
            }
            accepted = accept(&listener, &slots) => accepted,
        };
        if let Some((stream, slot)) = accepted {
            let served = connection::serve(stream, router.clone(), stopped.clone());
            tasks.spawn(async move {
                served.await;
                drop(slot);
            });
        }
    }
    stop.send_replace(true);
    Ok(Connections { tasks, _stop: stop, _beat: beat })
}

/// Takes a slot first, and gives it up if the accept is cancelled.
async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let slot = Arc::clone(slots).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _peer)) => Some((stream, slot)),
        Err(error) if is_of_one_connection(&error) => None,
        Err(error) => {
            tracing::warn!(%error, "cannot accept");
            sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

/// Whether only the connection that was to be accepted is at fault.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}

fn note(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a connection's task failed");
    }
}

impl Connections {
    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }

    /// Waits until all have ended.
    pub(super) async fn ended(&mut self) {
        while let Some(ended) = self.tasks.join_next().await {
            note(ended);
        }
    }

    /// Ends them wherever they are.
    pub(super) fn abort(&mut self) {
        self.tasks.abort_all();
    }
}
