//! The component that runs scripts: QuickJS with the SDK and its prelude in it.
//!
//! - [`engine`]: makes the engine, evaluates scripts.
//! - [`modules`]: what scripts may import.
//! - [`host`]: what the SDK calls, for the state that the current call was given.
//! - [`call`]: takes a call to the SDK, and what comes of it back.
//! - [`clock`]: the time that `Date` sees.
//!
//! Most decisions are made in JavaScript (`../src`), where tests reach them without
//! WebAssembly; this crate only carries values over.

mod bindings;
mod call;
mod clock;
mod engine;
mod host;
mod load;
mod modules;

use bindings::chancery::app::store::{Snapshot, Transaction, View};
use bindings::chancery::app::types::{Command, Event, Failure, NewCommand, QueryRequest, Value};
use bindings::exports::chancery::app::{commands, manifest, projections, queries, reactions};
use bindings::exports::chancery::script::loader;
use host::Handle;

/// What the component exports.
#[derive(Debug)]
struct Base;

bindings::export!(Base with_types_in bindings);

impl loader::Guest for Base {
    fn prepare() {
        engine::prepare();
    }

    fn load(name: String, source: String) -> Result<(), Failure> {
        load::load(name, source)
    }

    fn adhoc(snapshot: Snapshot, source: String, request: QueryRequest) -> Result<Value, Failure> {
        let _open = host::open(Handle::Snapshot(snapshot));
        load::adhoc(&source, request)
    }
}

impl manifest::Guest for Base {
    fn describe() -> String {
        call::describe()
    }
}

impl queries::Guest for Base {
    fn query(snapshot: Snapshot, request: QueryRequest) -> Result<Value, Failure> {
        let _open = host::open(Handle::Snapshot(snapshot));
        call::query(request)
    }
}

impl commands::Guest for Base {
    fn execute(transaction: Transaction, command: Command) -> Result<Value, Failure> {
        let _open = host::open(Handle::Transaction(transaction));
        call::execute(command)
    }
}

impl projections::Guest for Base {
    fn project(view: View, name: String, event: Event) -> Result<(), Failure> {
        let _open = host::open(Handle::View(view));
        call::project(name, event)
    }
}

impl reactions::Guest for Base {
    fn react(snapshot: Snapshot, name: String, event: Event) -> Result<Vec<NewCommand>, Failure> {
        let _open = host::open(Handle::Snapshot(snapshot));
        call::react(name, event)
    }
}
