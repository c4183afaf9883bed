//! Chancery: a server that hosts applications written as WebAssembly components.
//!
//! The modules, in reading order. Each may name only those above it; a test
//! holds them to it.
//!
//! - [`value`]: names, keys, values, change sets: the words of the data model.
//! - [`config`]: what can be set, with defaults, limits and units.
//! - [`clock`]: the one place that asks the time.
//! - [`state`]: tables as persistent maps of packed blocks.
//! - [`transaction`]: staged changes over a state.
//! - [`snapshot`]: the published state, and past ones still held.
//! - [`record`]: the bytes of the log, without I/O.
//! - [`log`]: where rounds of records are kept, and what that promises.
//! - [`wasm`]: modules: checking, compiling and calling them within limits.
//! - [`catalog`]: which module owns which command, query and table.
//! - [`recovery`]: from the log back to a state.
//! - [`lane`]: sequencer, executor and committer of one app.
//! - [`engine`]: apps, queries, commands, deployments; no HTTP.
//! - [`http`]: the engine over HTTP.
//! - [`server`]: opens, recovers, listens, drains.

pub mod catalog;
pub mod clock;
pub mod config;
pub mod engine;
pub mod http;
pub mod lane;
pub mod log;
pub mod record;
pub mod recovery;
pub mod server;
pub mod snapshot;
pub mod state;
pub mod transaction;
pub mod value;
pub mod wasm;
