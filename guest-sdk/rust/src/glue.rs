//! The exports of the contract, for any app. Only WebAssembly has them.

use std::marker::PhantomData;
use std::panic::{self, PanicHookInfo};
use std::sync::Once;

use crate::bindings::chancery::app::{store, types};
use crate::bindings::exports::chancery::app::{commands, manifest, queries};
use crate::bindings::projecting::exports::chancery::app::projections;
use crate::bindings::reacting::exports::chancery::app::reactions;
use crate::{
    App, Command, Event, QueryRequest, Rejection, Snapshot, Transaction, Value, View, host, log,
};

/// What [`app!`](crate::app!) exports.
#[derive(Debug)]
pub struct Component<A>(PhantomData<A>);

impl<A: App> manifest::Guest for Component<A> {
    fn describe() -> String {
        report_panics();
        crate::manifest::describe(A::DEFINITION)
    }
}

impl<A: App> queries::Guest for Component<A> {
    fn query(
        snapshot: store::Snapshot,
        request: types::QueryRequest,
    ) -> Result<types::Value, types::Failure> {
        report_panics();
        let types::QueryRequest { name, input, caller, metadata } = request;
        let request = QueryRequest { name, input, caller, metadata };
        let snapshot = Snapshot::new(host::Snapshot(snapshot), request);
        export(A::DEFINITION.query(&snapshot))
    }
}

impl<A: App> commands::Guest for Component<A> {
    fn execute(
        transaction: store::Transaction,
        command: types::Command,
    ) -> Result<types::Value, types::Failure> {
        report_panics();
        let mut transaction = Transaction::new(host::Transaction(transaction), command.into());
        export(A::DEFINITION.execute(&mut transaction))
    }
}

impl<A: App> projections::Guest for Component<A> {
    fn project(view: store::View, name: String, event: types::Event) -> Result<(), types::Failure> {
        report_panics();
        let mut view = View::new(host::View(view));
        let projected = A::DEFINITION.project(&mut view, &name, event.into());
        projected.map_err(types::Failure::from)
    }
}

impl<A: App> reactions::Guest for Component<A> {
    fn react(
        snapshot: store::Snapshot,
        name: String,
        event: types::Event,
    ) -> Result<Vec<types::NewCommand>, types::Failure> {
        report_panics();
        let snapshot = Snapshot::new(host::Snapshot(snapshot), QueryRequest::of_reaction(&name));
        let reacted = A::DEFINITION.react(&snapshot, &name, event.into());
        let commands = reacted.map_err(types::Failure::from)?;
        Ok(commands.into_iter().map(types::NewCommand::from).collect())
    }
}

fn export(result: Result<Value, Rejection>) -> Result<types::Value, types::Failure> {
    result.map(types::Value::from).map_err(types::Failure::from)
}

/// A panic becomes a trap, which says nothing; the log line says why.
fn report_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        panic::set_hook(Box::new(|info: &PanicHookInfo<'_>| {
            let message = info.payload_as_str().unwrap_or("a panic without a message");
            match info.location() {
                Some(place) => log::error(format!("{message} ({place})")),
                None => log::error(message),
            }
        }));
    });
}

impl From<types::Command> for Command {
    fn from(command: types::Command) -> Self {
        Self {
            id: command.id,
            name: command.name,
            input: command.input,
            sequence: command.sequence,
            time_ms: command.time_ms,
            scheduled_for_ms: command.scheduled_for_ms,
            basis: command.basis,
            caller: command.caller,
            correlation_id: command.correlation_id,
            causation_id: command.causation_id,
            metadata: command.metadata,
        }
    }
}

impl From<types::Event> for Event<String> {
    fn from(event: types::Event) -> Self {
        Self {
            position: event.position,
            id: event.id,
            event_type: event.event_type,
            subject: event.subject,
            time_ms: event.time_ms,
            data: event.data,
            sequence: event.sequence,
            command_id: event.command_id,
            correlation_id: event.correlation_id,
            causation_id: event.causation_id,
            module_hash: event.module_hash,
            metadata: event.metadata,
        }
    }
}

impl From<Rejection> for types::Failure {
    fn from(rejection: Rejection) -> Self {
        let Rejection { code, message, details, events } = rejection;
        let events = events.into_iter().map(types::NewEvent::from).collect();
        Self { code, message, details, events }
    }
}
