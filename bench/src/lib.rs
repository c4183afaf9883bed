//! What Chancery costs, measured beside what it cannot be faster than.
//!
//! Two comparisons. A point query in a fresh instance, over HTTP, beside a bare
//! axum route of the same server; durable transfers beside the raw syncs of the
//! same disk. Both sides of a comparison take turns within one run, because on a
//! shared machine only their ratio means anything.
//!
//! The server runs in a process of its own, the driver in this one, on the same
//! cores. A run in which anything failed reports nothing.
//!
//! Not among the lints of the other packages: those against printing, panics and
//! casts, because this is a program for people that ends when something is wrong,
//! and its numbers are rounded for display.

mod bank;
mod disk;
pub mod events;
pub mod growth;
mod load;
pub mod machine;
pub mod point_query;
pub mod projection;
pub mod recovery;
pub mod report;
pub mod scripts;
pub mod serve;
mod server;
pub mod spread;
pub mod transfer;
mod wire;

use std::path::PathBuf;
use std::time::Duration;

/// What a run is to do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The program whose `serve` is the server: this package's own.
    pub program: PathBuf,
    /// Where the data goes, in a directory that is removed afterwards. Transfers
    /// and raw syncs both happen here.
    pub data: PathBuf,
    /// How often the sides take turns.
    pub rounds: usize,
    /// How long each turn lasts.
    pub turn: Duration,
    /// Connections of the point query, one row of the report for each.
    pub connections: Vec<usize>,
    /// Clients that wait for their transfers.
    pub clients: usize,
    /// Accounts of the bank.
    pub accounts: usize,
}

/// What a person wants to see while it runs; the report is elsewhere.
fn note(what: &str) {
    eprintln!("{what} …");
}
