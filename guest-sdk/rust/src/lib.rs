#![doc = include_str!("../README.md")]
//!
//! # Where to look
//!
//! - [`app!`]: declares a module and its handlers.
//! - [`Transaction`], [`Snapshot`], [`View`]: what handlers are given.
//! - [`NewEvent`], [`Event`]: facts, as they are stated and as they are on record.
//! - [`Table`], [`Indexed`], [`Scan`]: the state, typed.
//! - [`key`]: how keys are written.
//! - [`Rejection`], [`reject`]: how a handler refuses.
//! - [`testing`]: handlers under plain `cargo test`.

mod app;
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub mod bindings;
mod codec;
mod command;
#[doc(hidden)]
pub mod dispatch;
mod event;
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub mod glue;
mod host;
mod index;
pub mod key;
pub mod log;
mod manifest;
mod pattern;
mod rejection;
mod scan;
mod store;
mod table;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
mod value;

pub use app::{
    App, Begin, CommandEntry, Declare, Definition, EventEntry, Handler, On, ProjectionEntry,
    QueryEntry, ReactionEntry, TableDeclaration, TableEntry,
};
pub use codec::{Codec, CodecError, Json, Pack, Packed};
pub use command::{Command, NewCommand, QueryRequest};
pub use event::{Event, NewEvent};
pub use index::{Index, IndexScan, Indexed, Maintain};
pub use rejection::{Rejection, reject};
pub use scan::{Rows, Scan};
pub use store::{Cursor, Read, Snapshot, Transaction, View, Write};
pub use table::{BytesTable, Keyed, Table};
pub use value::{Order, Range, Value, ValueRef};
