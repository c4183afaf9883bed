//! Modules: checking, compiling and calling them within limits.
//!
//! Wraps wasmtime to make it smaller: the rest of the server sees a [`Host`]
//! that loads uploads, a [`Module`] that answers queries and reacts to events, and
//! a [`Live`] instance that executes commands and projects events. It knows no log, no lane and no HTTP; only this module
//! names wasmtime and its kin.
//!
//! What runs where: a call runs on the thread that makes it and blocks it until
//! the handler returns or its deadline passes. Guests reach what the handle they
//! are given reaches, and nothing else (I8); whatever they do, the call ends with
//! a result, a rejection, or a failure that says which limit was met (I10, I12).

mod ask;
mod cache;
mod call;
mod code;
mod contract;
mod engine;
mod fault;
mod guest;
mod guest_log;
mod handles;
mod host;
mod imports;
mod initialiser;
mod limiter;
mod live;
pub mod manifest;
mod module;
mod outcome;
mod refused;
pub mod script;
pub mod settings;
#[cfg(test)]
pub(crate) mod tests;
mod upload;

pub use self::call::{
    AdhocCall, Answered, CommandCall, Executed, ProjectCall, QueryCall, ReactCall, Reacted,
};
pub use self::host::{Error, Host};
pub use self::live::Live;
pub use self::manifest::{
    Begin, CONTRACT, EventType, Handler, Manifest, Projection, Reaction, Table,
};
pub use self::module::Module;
pub use self::outcome::CallError;
pub use self::refused::Refused;
pub use self::script::Script;
pub use self::settings::Settings;
pub use self::upload::{Inspected, inspect};
