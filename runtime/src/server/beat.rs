//! A beat that keeps the runtime's other threads looking for work.
//!
//! One thread of the runtime at a time waits for sockets and timers. When a
//! request arrives that thread takes it up, and if it is the only one nobody is
//! woken to wait in its place: were it a query that runs for a second, no socket
//! would be looked at for a second, `/healthz` among them, with every other
//! thread idle. Tokio has a setting against that, which is not stable. So, as long
//! as there are connections, something is given to the runtime a hundred times a
//! second; whichever thread takes it goes on to wait for sockets.

use std::io;
use std::sync::Weak;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Semaphore;

/// The longest a query holds up what arrives: as often as guests' deadlines are
/// looked at, and as cheap.
const BEAT: Duration = Duration::from_millis(10);

/// The thread that beats; it stops when this is dropped.
#[derive(Debug)]
pub(super) struct Beat {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Beat {
    /// Beats while fewer than `slots_max` slots are free.
    pub(super) fn start(
        runtime: Handle,
        slots: Weak<Semaphore>,
        slots_max: usize,
    ) -> io::Result<Self> {
        let (stop, stopped) = channel();
        let thread = Builder::new()
            .name("chancery-beat".into())
            .spawn(move || beat(&runtime, &slots, slots_max, &stopped))?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Beat {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It cannot panic; if it did, nothing is left to be done about it.
            drop(thread.join());
        }
    }
}

fn beat(runtime: &Handle, slots: &Weak<Semaphore>, slots_max: usize, stopped: &Receiver<()>) {
    while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(BEAT) {
        let Some(slots) = slots.upgrade() else {
            return;
        };
        // The accept loop holds one while it waits.
        if slots.available_permits() + 1 < slots_max {
            drop(runtime.spawn(async {}));
        }
    }
}
