//! Chancery: a server that hosts applications written as WebAssembly components.
//!
//! The modules, in reading order. Each may name only those above it; a test
//! holds them to it.
//!
//! - [`value`]: names, keys, values, change sets: the words of the data model.
//! - [`clock`]: the one place that asks the time.
//! - [`disk`]: files and directories, and what a crash leaves of them.
//! - [`pages`]: one redb file on a disk.
//! - [`state`]: tables as persistent maps of packed blocks.
//! - [`transaction`]: staged changes over a state.
//! - [`watch`]: what queries read, and whom a change concerns.
//! - [`record`]: the bytes of the log, without I/O.
//! - [`log`]: where rounds of records are kept, and what that promises.
//! - [`wasm`]: modules: checking, compiling and calling them within limits.
//! - [`schema`]: inputs and events checked against JSON Schemas.
//! - [`modules`]: uploaded modules, on disk and compiled.
//! - [`catalog`]: which module owns which command, query, table and handler of events.
//! - [`projection`]: events folded into the tables of a projection.
//! - [`snapshot`]: the published state, and past ones still held.
//! - [`checkpoint`]: the state on disk, in two generations.
//! - [`index`]: ids and places of entries, on disk.
//! - [`ids`]: which ids were seen, and which are out of the window.
//! - [`receipts`]: what became of each entry.
//! - [`archive`]: the events of what was trimmed from the log.
//! - [`events`]: the events of an app, wherever they are kept.
//! - [`recovery`]: from the log back to a state.
//! - [`lane`]: sequencer, executor and committer of one app.
//! - [`worker`]: what is done beside the lane of an app.
//! - [`keeper`]: checkpoints, and what may be forgotten, while an app runs.
//! - [`verify`]: the files of an app, checked without touching them.
//! - [`backup`]: copies of an app, made while it runs, and put back.
//! - [`engine`]: apps, queries, commands, deployments; no HTTP.
//! - [`http`]: the engine over HTTP.
//! - [`delivery`]: events sent to the targets of webhooks.
//! - [`server`]: opens, recovers, listens, drains.
//! - [`config`]: what can be set, and where each value came from.
//! - [`cli`]: the command line.

pub mod archive;
pub mod backup;
pub mod catalog;
pub mod checkpoint;
pub mod cli;
pub mod clock;
pub mod config;
pub mod delivery;
pub mod disk;
pub mod engine;
pub mod events;
pub mod http;
pub mod ids;
pub mod index;
pub mod keeper;
pub mod lane;
pub mod log;
pub mod modules;
pub mod pages;
pub mod projection;
pub mod receipts;
pub mod record;
pub mod recovery;
pub mod schema;
pub mod server;
pub mod snapshot;
pub mod state;
pub mod transaction;
pub mod value;
pub mod verify;
pub mod wasm;
pub mod watch;
pub mod worker;
