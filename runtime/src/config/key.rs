//! The names of all settings.
//!
//! One name serves all layers: `query-deadline` is the flag `--query-deadline`, the
//! variable `CHANCERY_QUERY_DEADLINE`, and the key `query-deadline` of the file's
//! `[serve]` table.

use std::fmt;

/// What the name of every variable begins with.
pub const ENVIRONMENT_PREFIX: &str = "CHANCERY_";

/// The name of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// The table of the file it stands in.
    pub table: Table,
    /// Its name in that table.
    pub name: &'static str,
}

/// A table of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    /// What stands before any table: settings of every command.
    Top,
    /// `[serve]`.
    Serve,
}

impl Table {
    /// The table's name; none for what stands before any.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::Top => None,
            Self::Serve => Some("serve"),
        }
    }
}

impl Key {
    /// The flag that sets it.
    #[must_use]
    pub fn flag(self) -> String {
        format!("--{}", self.name)
    }

    /// The variable that sets it.
    #[must_use]
    pub fn variable(self) -> String {
        let name = self.name.replace('-', "_").to_ascii_uppercase();
        format!("{ENVIRONMENT_PREFIX}{name}")
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.table.name() {
            None => f.write_str(self.name),
            Some(table) => write!(f, "{table}.{}", self.name),
        }
    }
}

const fn top(name: &'static str) -> Key {
    Key { table: Table::Top, name }
}

const fn serve(name: &'static str) -> Key {
    Key { table: Table::Serve, name }
}

/// Where the server is.
pub const SERVER: Key = top("server");
/// The app that is meant.
pub const APP: Key = top("app");
/// How log lines look.
pub const LOG_FORMAT: Key = top("log-format");

/// The address to listen on.
pub const LISTEN: Key = serve("listen");
/// The data directory.
pub const DATA: Key = serve("data");
/// Where backups are written.
pub const BACKUPS: Key = serve("backups");
/// Whether others than this machine may connect.
pub const INSECURE_BIND: Key = serve("insecure-bind");
/// By which names the server may be asked.
pub const HOSTS: Key = serve("hosts");
/// Pages of which origins may use it.
pub const CORS_ORIGINS: Key = serve("cors-origins");
/// How long to wait at the end for what has been accepted.
pub const DRAIN_MAX: Key = serve("drain-max");
/// Queries at one time.
pub const QUERIES_MAX: Key = serve("queries-max");
/// Live queries at one time.
pub const LIVE_QUERIES_MAX: Key = serve("live-queries-max");
/// How often a live query is asked in a second.
pub const LIVE_QUERIES_RATE: Key = serve("live-queries-rate");
/// How long a query may run.
pub const QUERY_DEADLINE: Key = serve("query-deadline");
/// How long a command may run.
pub const COMMAND_DEADLINE: Key = serve("command-deadline");
/// Memory of a query.
pub const QUERY_MEMORY_MAX: Key = serve("query-memory-max");
/// Memory of a module's live instance.
pub const COMMAND_MEMORY_MAX: Key = serve("command-memory-max");
/// Bytes of an upload.
pub const UPLOAD_MAX: Key = serve("upload-max");
/// Requests that follow events.
pub const FOLLOWERS_MAX: Key = serve("followers-max");
/// Commands that wait.
pub const INBOX_MAX: Key = serve("inbox-max");
/// Commands that follow from one another at once.
pub const CHAIN_DEPTH: Key = serve("chain-depth");
/// Further attempts of a reaction at an event.
pub const REACTION_RETRIES: Key = serve("reaction-retries");
/// The pause before the first of them.
pub const REACTION_PAUSE: Key = serve("reaction-pause");
/// Bytes of commands that wait.
pub const INBOX_BYTES_MAX: Key = serve("inbox-bytes-max");
/// How long ids are remembered.
pub const WINDOW: Key = serve("window");
/// Bytes of past states.
pub const HELD_BYTES_MAX: Key = serve("held-bytes-max");
/// Age of past states.
pub const HELD_AGE_MAX: Key = serve("held-age-max");
/// The size of a log file.
pub const SEGMENT_BYTES: Key = serve("segment-bytes");
/// Bytes of log after which a checkpoint is written.
pub const CHECKPOINT_BYTES: Key = serve("checkpoint-bytes");
/// Age of a checkpoint after which another is written.
pub const CHECKPOINT_AFTER: Key = serve("checkpoint-after");
/// How long receipts are kept.
pub const RECEIPTS_KEEP: Key = serve("receipts-keep");
/// How long inputs are kept.
pub const PAYLOADS_KEEP: Key = serve("payloads-keep");
/// How long events are kept.
pub const EVENTS_KEEP: Key = serve("events-keep");
/// How much is read again, in a second.
pub const SCRUB: Key = serve("scrub");
/// Where webhooks may send.
pub const WEBHOOK_TARGETS: Key = serve("webhook-targets");
/// How long a target may take.
pub const WEBHOOK_TIMEOUT: Key = serve("webhook-timeout");
/// Further attempts at a delivery.
pub const WEBHOOK_RETRIES: Key = serve("webhook-retries");
/// The pause before the first of them.
pub const WEBHOOK_PAUSE: Key = serve("webhook-pause");
/// Whether ad-hoc queries are answered.
pub const ADHOC: Key = serve("adhoc");
/// Whether scripts are evaluated once, in the background.
pub const SCRIPT_SNAPSHOTS: Key = serve("script-snapshots");
/// Where compiled code is kept.
pub const CODE_CACHE: Key = serve("code-cache");
/// How much room on the disk is too little.
pub const DISK_LOW: Key = serve("disk-low");

/// All of them, in the order in which they are shown.
pub const ALL: &[Key] = &[
    SERVER,
    APP,
    LOG_FORMAT,
    LISTEN,
    DATA,
    BACKUPS,
    INSECURE_BIND,
    HOSTS,
    CORS_ORIGINS,
    DRAIN_MAX,
    QUERIES_MAX,
    LIVE_QUERIES_MAX,
    LIVE_QUERIES_RATE,
    QUERY_DEADLINE,
    COMMAND_DEADLINE,
    QUERY_MEMORY_MAX,
    COMMAND_MEMORY_MAX,
    UPLOAD_MAX,
    ADHOC,
    SCRIPT_SNAPSHOTS,
    CODE_CACHE,
    FOLLOWERS_MAX,
    INBOX_MAX,
    CHAIN_DEPTH,
    REACTION_RETRIES,
    REACTION_PAUSE,
    WEBHOOK_TARGETS,
    WEBHOOK_TIMEOUT,
    WEBHOOK_RETRIES,
    WEBHOOK_PAUSE,
    INBOX_BYTES_MAX,
    WINDOW,
    HELD_BYTES_MAX,
    HELD_AGE_MAX,
    SEGMENT_BYTES,
    CHECKPOINT_BYTES,
    CHECKPOINT_AFTER,
    RECEIPTS_KEEP,
    PAYLOADS_KEEP,
    EVENTS_KEEP,
    SCRUB,
    DISK_LOW,
];
