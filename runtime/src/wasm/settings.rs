//! What guest code may use of the host: every limit, with default and unit.
//!
//! Limits that nobody has a reason to change are constants beside the code that
//! applies them; those an operator may change are fields of [`Settings`].

use std::path::PathBuf;
use std::time::Duration;

/// How long a query, or a reaction, may run. Long enough for a report, short enough that a
/// looping query gives its thread back while its caller still waits.
pub const QUERY_DEADLINE: Duration = Duration::from_secs(1);
/// How long a command may run, or a projection with one event. It holds up the
/// commands behind it.
pub const COMMAND_DEADLINE: Duration = Duration::from_secs(5);
/// How long a module may take to start and describe itself at upload.
pub const DESCRIBE_DEADLINE: Duration = Duration::from_secs(2);
/// How many times as long a module may take that was accepted before: a machine that is
/// busy, at a start or behind a snapshot, is no reason to refuse what was fit.
pub const ACCEPTED_FACTOR: u32 = 15;
/// Memories and tables of a query's instance together, in bytes.
pub const QUERY_MEMORY_BYTES_MAX: usize = 64 << 20;
/// Memories and tables of a live instance together, in bytes.
pub const COMMAND_MEMORY_BYTES_MAX: usize = 128 << 20;
/// The result of a query, in bytes: it is an HTTP body, and held in memory.
pub const QUERY_OUTPUT_BYTES_MAX: usize = 16 << 20;
/// The result of a command, in bytes: it is kept in the log.
pub const COMMAND_OUTPUT_BYTES_MAX: usize = 1 << 20;
/// An uploaded file, in bytes. QuickJS with an application is below 2 MiB.
pub const UPLOAD_BYTES_MAX: usize = 32 << 20;
/// Instances at one time, live ones and those of queries together. Each takes
/// some 4 GiB of address space and, while it runs, the memory it touches.
pub const INSTANCES_MAX: u32 = 1_000;
/// Calls after which a live instance is replaced, so that a slow leak in a
/// guest never grows into a failing command.
pub const LIVE_CALLS_MAX: u64 = 10_000;
/// Memory at which a live instance is replaced, in bytes: half of what it may
/// have, so that a command rarely meets the limit because of those before it.
pub const LIVE_MEMORY_BYTES_MAX: usize = COMMAND_MEMORY_BYTES_MAX / 2;
/// Cursors a call may have open. A JavaScript guest drops them when it collects.
pub const CURSORS_MAX: usize = 256;

/// See [`Budget::transfer_bytes_max`].
const TRANSFER_BYTES_MIN: usize = 8 << 20;
const TRANSFER_BYTES_MARGIN: usize = 1 << 20;

/// What guest code may use. [`Settings::default`] has the constants above.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long a query or a reaction may run, instantiation included.
    pub query_deadline: Duration,
    /// How long a command may run, or a projection with one event.
    pub command_deadline: Duration,
    /// How long a module may take to start and describe itself.
    pub describe_deadline: Duration,
    /// Memories and tables of a query's instance together, in bytes.
    pub query_memory_bytes_max: usize,
    /// Memories and tables of a live instance together, in bytes.
    pub command_memory_bytes_max: usize,
    /// The result or failure of a query or reaction, in bytes.
    pub query_output_bytes_max: usize,
    /// The result or failure of a command or projection, in bytes.
    pub command_output_bytes_max: usize,
    /// An uploaded file, in bytes.
    pub upload_bytes_max: usize,
    /// Instances at one time.
    pub instances_max: u32,
    /// Calls after which a live instance is replaced.
    pub live_calls_max: u64,
    /// Memory at which a live instance is replaced, in bytes.
    pub live_memory_bytes_max: usize,
    /// Cursors a call may have open.
    pub cursors_max: usize,
    /// Whether scripts are evaluated once, in the background, so that instances begin
    /// with what came of it.
    pub script_snapshots: bool,
    /// Where compiled code is kept for the next start; none keeps it in memory alone. A
    /// directory that others than its owner can write is not used.
    pub code_cache: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            query_deadline: QUERY_DEADLINE,
            command_deadline: COMMAND_DEADLINE,
            describe_deadline: DESCRIBE_DEADLINE,
            query_memory_bytes_max: QUERY_MEMORY_BYTES_MAX,
            command_memory_bytes_max: COMMAND_MEMORY_BYTES_MAX,
            query_output_bytes_max: QUERY_OUTPUT_BYTES_MAX,
            command_output_bytes_max: COMMAND_OUTPUT_BYTES_MAX,
            upload_bytes_max: UPLOAD_BYTES_MAX,
            instances_max: INSTANCES_MAX,
            live_calls_max: LIVE_CALLS_MAX,
            live_memory_bytes_max: LIVE_MEMORY_BYTES_MAX,
            cursors_max: CURSORS_MAX,
            script_snapshots: true,
            code_cache: None,
        }
    }
}

/// What one call may use: the part of [`Settings`] that concerns its kind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    pub(super) deadline: Duration,
    pub(super) memory_bytes_max: usize,
    pub(super) output_bytes_max: usize,
    pub(super) cursors_max: usize,
}

impl Budget {
    /// What one call between guest and host may carry to the host, in bytes:
    /// the result and what surrounds it, but never so little that a page of keys
    /// or a value does not fit.
    pub(super) fn transfer_bytes_max(&self) -> usize {
        self.output_bytes_max.max(TRANSFER_BYTES_MIN).saturating_add(TRANSFER_BYTES_MARGIN)
    }
}

impl Settings {
    pub(super) fn query_budget(&self) -> Budget {
        Budget {
            deadline: self.query_deadline,
            memory_bytes_max: self.query_memory_bytes_max,
            output_bytes_max: self.query_output_bytes_max,
            cursors_max: self.cursors_max,
        }
    }

    pub(super) fn command_budget(&self) -> Budget {
        Budget {
            deadline: self.command_deadline,
            memory_bytes_max: self.command_memory_bytes_max,
            output_bytes_max: self.command_output_bytes_max,
            cursors_max: self.cursors_max,
        }
    }

    /// How long a module that was accepted may take to start.
    pub(super) fn start_deadline(&self) -> Duration {
        self.describe_deadline.saturating_mul(ACCEPTED_FACTOR)
    }

    pub(super) fn describe_budget(&self, deadline: Duration) -> Budget {
        Budget {
            deadline,
            memory_bytes_max: self.query_memory_bytes_max,
            output_bytes_max: super::manifest::MANIFEST_BYTES_MAX,
            cursors_max: 0,
        }
    }
}
