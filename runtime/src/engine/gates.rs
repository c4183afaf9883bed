//! Who may run how much at one time, over all apps of a server.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::Settings;
use super::room::Room;
use super::webhooks::Bell;

/// What everybody shares.
#[derive(Debug)]
pub(super) struct Gates {
    pub(super) queries: Semaphore,
    /// Those that wait for one of them.
    pub(super) queries_waiting: Semaphore,
    pub(super) query_wait_max: Duration,
    /// One permit for each live query; held as long as its client listens.
    pub(super) live: Arc<Semaphore>,
    /// Those of the turns of queries that live ones may have.
    pub(super) live_turns: Semaphore,
    pub(super) live_rate_max: u32,
    /// Shared with the threads that compile: they go on when their client goes.
    pub(super) compiles: Arc<Semaphore>,
    pub(super) compiles_in: Arc<Semaphore>,
    /// Rings for those who deliver.
    pub(super) webhooks: Bell,
    /// Whether anything may be logged.
    pub(super) room: Room,
}

impl Gates {
    pub(super) fn new(settings: &Settings) -> Self {
        let compiles_in = settings.compiles_max + settings.compiles_waiting_max;
        Self {
            queries: Semaphore::new(settings.queries_max),
            queries_waiting: Semaphore::new(settings.queries_waiting_max),
            query_wait_max: settings.query_wait_max,
            live: Arc::new(Semaphore::new(settings.live_queries_max)),
            live_turns: Semaphore::new(settings.queries_max.div_ceil(2)),
            live_rate_max: settings.live_queries_rate,
            compiles: Arc::new(Semaphore::new(settings.compiles_max)),
            compiles_in: Arc::new(Semaphore::new(compiles_in)),
            webhooks: Bell::new(),
            room: Room::new(settings.disk_low_bytes),
        }
    }
}
