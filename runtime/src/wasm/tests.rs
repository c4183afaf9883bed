//! Modules, well and badly behaved, from upload to outcome.
//!
//! The guests are core modules in WebAssembly text, to which the contract's
//! description is added as a compiler would: see `guests`. What needs a language
//! and an SDK is in the integration tests.

mod calls;
mod followers;
pub(crate) mod guests;
mod handles;
mod limits;
mod uploads;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::{
    Answered, CallError, CommandCall, Executed, Host, Live, Module, ProjectCall, QueryCall,
    ReactCall, Settings,
};
use crate::state::{State, Step};
use crate::transaction::{Chain, Context, Limits, NewCommand, Transaction};
use crate::value::{ChangeSet, Lifecycle, Position, Sequence, StoredEvent, TableChanges, Value};

/// Settings with few instances, since each test has a pool of its own.
fn settings() -> Settings {
    Settings { instances_max: 8, ..Settings::default() }
}

fn load(settings: Settings, upload: &[u8]) -> Arc<Module> {
    let host = Host::new(settings).expect("this machine can host modules");
    host.load(upload).expect("the upload is a module")
}

/// The state after a deployment: the module's tables, empty.
fn deployed(module: &Module) -> State {
    let created = |table: &_| TableChanges {
        table: Clone::clone(table),
        lifecycle: Lifecycle::Created,
        rows: Vec::new(),
    };
    let tables = module.manifest().tables.keys().map(created).collect();
    let step = Step { sequence: Sequence(1), time_ms: 1_000, position: Position(0) };
    let mut state = State::empty();
    state.apply(step, &ChangeSet { tables });
    state
}

fn query(module: &Module) -> Result<Answered, CallError> {
    let call = QueryCall {
        module: "main/test".into(),
        name: "ask".parse().expect("a name"),
        input: "null".into(),
        caller: None,
        metadata: "{}".into(),
        request_time_ms: 2_000,
        request_id: "request-1".into(),
    };
    module.query(deployed(module), &call)
}

fn command() -> CommandCall {
    CommandCall {
        module: "main/test".into(),
        id: Uuid::from_u128(7),
        name: "do".parse().expect("a name"),
        input: "null".into(),
        sequence: Sequence(2),
        time_ms: 2_000,
        scheduled_for_ms: None,
        basis: None,
        caller: None,
        correlation_id: "correlation-1".into(),
        causation_id: None,
        metadata: "{}".into(),
    }
}

fn execute(live: &mut Live) -> Result<Value, CallError> {
    let command = command();
    let transaction = Transaction::new(deployed(live.module()), context(live.module()));
    let executed = live.execute(transaction, &command);
    assert_eq!(executed.transaction.command_id(), command.id, "it is given back");
    executed.result
}

fn context(module: &Module) -> Context {
    let command = command();
    Context {
        sequence: command.sequence,
        time_ms: command.time_ms,
        command_id: command.id,
        writable: Arc::new(module.manifest().tables.keys().cloned().collect::<BTreeSet<_>>()),
        limits: Limits::default(),
        chain: Chain::default(),
    }
}

/// The fifth event of an app, of the time 3,000.
fn event() -> Arc<StoredEvent> {
    Arc::new(StoredEvent {
        position: Position(5),
        id: Uuid::from_u128(8),
        event_type: "thing.done".into(),
        subject: None,
        data: "null".into(),
        sequence: Sequence(2),
        time_ms: 3_000,
        command_id: Uuid::from_u128(7),
        correlation_id: "correlation-1".into(),
        causation_id: None,
        module: Some("test".parse().expect("a name")),
        module_hash: None,
        depth: 0,
        erased: false,
    })
}

fn project(live: &mut Live) -> Executed {
    let view = Transaction::for_view(deployed(live.module()), context(live.module()));
    let projection = "p".parse().expect("a name");
    live.project(view, &ProjectCall { module: "main/test".into(), projection, event: event() })
}

fn react(module: &Module) -> Result<Vec<NewCommand>, CallError> {
    let reaction = "r".parse().expect("a name");
    let call = ReactCall { module: "main/test".into(), reaction, event: event() };
    module.react(deployed(module), &call).result
}

/// The code and message of a failure.
fn failed<T: std::fmt::Debug>(result: Result<T, CallError>) -> (String, String) {
    match result {
        Err(CallError::Failed(failure)) => (failure.code.to_string(), failure.message.to_string()),
        other => panic!("not failed: {other:?}"),
    }
}

fn json(value: &Value) -> &str {
    match value {
        Value::Json(text) => text,
        Value::Bytes(bytes) => panic!("bytes: {bytes:?}"),
    }
}

const SOON: Duration = Duration::from_millis(50);
