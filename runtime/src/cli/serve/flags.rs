//! The limits of a server as flags. They stay text here: one parser reads flags,
//! environment and file alike, and knows the ranges.

use clap::Args;

use crate::config::{Key, key};

/// What `chancery serve` may use. A test holds the ranges and defaults in these texts
/// to the truth.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Limits")]
pub(super) struct Limits {
    /// Queries at one time, 1 to 500; more wait for up to 1 s [default: twice the
    /// processors].
    #[arg(long, value_name = "N")]
    queries_max: Option<String>,
    /// Live queries at one time, 0 to 4000; each has a connection, of which there are
    /// 4096 [default: 2000].
    #[arg(long, value_name = "N")]
    live_queries_max: Option<String>,
    /// How often a live query is asked in a second, 1 to 1000, at most [default: 20].
    #[arg(long, value_name = "N")]
    live_queries_rate: Option<String>,
    /// How long a query may run, 1ms to 1h [default: 1s].
    #[arg(long, value_name = "TIME")]
    query_deadline: Option<String>,
    /// Memory of a query's instance, 1MiB to 1GiB [default: 64MiB].
    #[arg(long, value_name = "BYTES")]
    query_memory_max: Option<String>,
    /// How long a command may run, 1ms to 1h; those behind it wait [default: 5s].
    #[arg(long, value_name = "TIME")]
    command_deadline: Option<String>,
    /// Memory of the instance that executes a module's commands, 1MiB to 1GiB
    /// [default: 128MiB].
    #[arg(long, value_name = "BYTES")]
    command_memory_max: Option<String>,
    /// Bytes of an uploaded module, 1KiB to 256MiB [default: 32MiB].
    #[arg(long, value_name = "BYTES")]
    upload_max: Option<String>,
    /// Whether ad-hoc queries are answered, true or false; whoever may connect may read
    /// every table by them [default: true on a loopback address, else false].
    #[arg(long, value_name = "BOOL")]
    adhoc: Option<String>,
    /// Whether a script is evaluated once, in the background, so that instances begin
    /// with what came of it; costs some seconds of one processor for each upload, true or
    /// false [default: true].
    #[arg(long, value_name = "BOOL")]
    script_snapshots: Option<String>,
    /// Where compiled code is kept, so that a restart need not compile again; `nowhere`
    /// for memory alone. It may be removed at any time
    /// [default: chancery/code in the user's directory of caches].
    #[arg(long, value_name = "DIRECTORY")]
    code_cache: Option<String>,
    /// Requests that follow events at one time, of all apps together, 0 to 100000; each
    /// is an open connection, and beyond it they are refused for the moment [default:
    /// 1000].
    #[arg(long, value_name = "N")]
    followers_max: Option<String>,
    /// Commands of an app that wait for their outcome, 1 to 1000000; beyond it they
    /// are refused for the moment [default: 4096].
    #[arg(long, value_name = "N")]
    inbox_max: Option<String>,
    /// Bytes of those commands, 1MiB to 4GiB [default: 64MiB].
    #[arg(long, value_name = "BYTES")]
    inbox_bytes_max: Option<String>,
    /// How many commands may follow from one another through reactions and timers that
    /// are due at once, 1 to 10000; what goes on beyond it feeds itself [default: 64].
    #[arg(long, value_name = "N")]
    chain_depth: Option<String>,
    /// How often a reaction tries an event again before it becomes a dead letter, 0 to
    /// 20 [default: 3].
    #[arg(long, value_name = "N")]
    reaction_retries: Option<String>,
    /// How long it waits before the first of these attempts, 1ms to 1h; four times
    /// longer before each further one, 5 minutes at most [default: 100ms].
    #[arg(long, value_name = "TIME")]
    reaction_pause: Option<String>,
    /// Where webhooks may send, separated by commas: hosts, `*.` and a domain, addresses,
    /// or networks such as 10.0.0.0/8, each with `:` and a port or `:*` unless it is 80.
    /// What is not on the public internet has to be named as an address or network
    /// [default: nowhere].
    #[arg(long, value_name = "TARGETS")]
    webhook_targets: Option<String>,
    /// How long a target may take to answer, 1ms to 1m [default: 10s].
    #[arg(long, value_name = "TIME")]
    webhook_timeout: Option<String>,
    /// How often an event is sent again before it becomes a dead letter, 0 to 100
    /// [default: 10].
    #[arg(long, value_name = "N")]
    webhook_retries: Option<String>,
    /// How long it is waited before the first of these attempts, 1ms to 1h; twice as long
    /// before each further one, 1 hour at most [default: 1s].
    #[arg(long, value_name = "TIME")]
    webhook_pause: Option<String>,
    /// How long ids are remembered, 1h to 720h: so long can a command be sent again
    /// [default: 24h].
    #[arg(long, value_name = "TIME")]
    window: Option<String>,
    /// Bytes of an app's past states for --as-of, 0B to 64GiB [default: 64MiB].
    #[arg(long, value_name = "BYTES")]
    held_bytes_max: Option<String>,
    /// Age of past states, 1s to 24h [default: 1m].
    #[arg(long, value_name = "TIME")]
    held_age_max: Option<String>,
    /// Bytes after which a new log file is begun, 64KiB to 4GiB [default: 256MiB].
    #[arg(long, value_name = "BYTES")]
    segment_bytes: Option<String>,
    /// Bytes of log after which a checkpoint is written, 64KiB to 4GiB: about as much
    /// is replayed at a start [default: 64MiB].
    #[arg(long, value_name = "BYTES")]
    checkpoint_bytes: Option<String>,
    /// How old a checkpoint may become while there is something new, 1s to 24h
    /// [default: 5m].
    #[arg(long, value_name = "TIME")]
    checkpoint_after: Option<String>,
    /// How long receipts are kept, from the window to 87600h; what is older leaves the
    /// disk, but for events [default: 720h].
    #[arg(long, value_name = "TIME")]
    receipts_keep: Option<String>,
    /// How long the inputs of commands are kept, 1h to 87600h; as long as receipts if
    /// not given, 30 days unless those are told otherwise [default: 720h].
    #[arg(long, value_name = "TIME")]
    payloads_keep: Option<String>,
    /// How long events are kept, 1h to forever [default: forever].
    #[arg(long, value_name = "TIME")]
    events_keep: Option<String>,
    /// Bytes a second, on average, that are read again to find damage, 0B to 1GiB
    /// [default: 1MiB].
    #[arg(long, value_name = "BYTES")]
    scrub: Option<String>,
    /// Commands are refused with less than this available on the disk, 0B to 1024GiB
    /// [default: 512MiB].
    #[arg(long, value_name = "BYTES")]
    disk_low: Option<String>,
    /// How long the end may take, 0ms to 1h: what is accepted and not finished by
    /// then is finished at the next start [default: 10s].
    #[arg(long, value_name = "TIME")]
    drain_max: Option<String>,
}

impl Limits {
    /// What the flags set.
    pub(super) fn given(&self) -> Vec<(Key, String)> {
        let flags = [
            (key::QUERIES_MAX, &self.queries_max),
            (key::LIVE_QUERIES_MAX, &self.live_queries_max),
            (key::LIVE_QUERIES_RATE, &self.live_queries_rate),
            (key::QUERY_DEADLINE, &self.query_deadline),
            (key::QUERY_MEMORY_MAX, &self.query_memory_max),
            (key::COMMAND_DEADLINE, &self.command_deadline),
            (key::COMMAND_MEMORY_MAX, &self.command_memory_max),
            (key::UPLOAD_MAX, &self.upload_max),
            (key::ADHOC, &self.adhoc),
            (key::SCRIPT_SNAPSHOTS, &self.script_snapshots),
            (key::CODE_CACHE, &self.code_cache),
            (key::FOLLOWERS_MAX, &self.followers_max),
            (key::INBOX_MAX, &self.inbox_max),
            (key::CHAIN_DEPTH, &self.chain_depth),
            (key::REACTION_RETRIES, &self.reaction_retries),
            (key::REACTION_PAUSE, &self.reaction_pause),
            (key::WEBHOOK_TARGETS, &self.webhook_targets),
            (key::WEBHOOK_TIMEOUT, &self.webhook_timeout),
            (key::WEBHOOK_RETRIES, &self.webhook_retries),
            (key::WEBHOOK_PAUSE, &self.webhook_pause),
            (key::INBOX_BYTES_MAX, &self.inbox_bytes_max),
            (key::WINDOW, &self.window),
            (key::HELD_BYTES_MAX, &self.held_bytes_max),
            (key::HELD_AGE_MAX, &self.held_age_max),
            (key::SEGMENT_BYTES, &self.segment_bytes),
            (key::CHECKPOINT_BYTES, &self.checkpoint_bytes),
            (key::CHECKPOINT_AFTER, &self.checkpoint_after),
            (key::RECEIPTS_KEEP, &self.receipts_keep),
            (key::PAYLOADS_KEEP, &self.payloads_keep),
            (key::EVENTS_KEEP, &self.events_keep),
            (key::SCRUB, &self.scrub),
            (key::DISK_LOW, &self.disk_low),
            (key::DRAIN_MAX, &self.drain_max),
        ];
        flags.into_iter().filter_map(|(key, text)| Some((key, text.clone()?))).collect()
    }
}
