//! From a name and a JSON text to a typed function and back.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::app::{Definition, On};
use crate::command::{parse_input, to_json};
use crate::{Event, NewCommand, Rejection, Snapshot, Transaction, Value, View, pattern};

impl Definition {
    /// Answers the question that the snapshot came with.
    pub(crate) fn query(&self, snapshot: &Snapshot) -> Result<Value, Rejection> {
        let name = &snapshot.request().name;
        match self.queries.iter().find(|query| query.is_named(name)) {
            Some(query) => (query.run)(snapshot),
            None => Err(Rejection::new("unknown-query", format!("There is no query `{name}`."))),
        }
    }

    /// Executes the command that the transaction came with.
    pub(crate) fn execute(&self, transaction: &mut Transaction) -> Result<Value, Rejection> {
        let name = &transaction.command().name;
        match self.all_commands().find(|command| command.is_named(name)) {
            Some(command) => (command.run)(transaction),
            None => {
                Err(Rejection::new("unknown-command", format!("There is no command `{name}`.")))
            }
        }
    }
}

impl Definition {
    /// Folds an event into a projection's tables.
    pub(crate) fn project(
        &self,
        view: &mut View,
        name: &str,
        event: Event<String>,
    ) -> Result<(), Rejection> {
        let projection = self.projections.iter().find(|projection| projection.is_named(name));
        let on = projection.map(|projection| projection.on).ok_or_else(|| unknown(name))?;
        match meant(on, &event.event_type) {
            Some(on) => (on.run)(view, event),
            None => Ok(()),
        }
    }

    /// The commands that a reaction wants because of an event.
    pub(crate) fn react(
        &self,
        snapshot: &Snapshot,
        name: &str,
        event: Event<String>,
    ) -> Result<Vec<NewCommand>, Rejection> {
        let reaction = self.reactions.iter().find(|reaction| reaction.is_named(name));
        let on = reaction.map(|reaction| reaction.on).ok_or_else(|| unknown(name))?;
        match meant(on, &event.event_type) {
            Some(on) => (on.run)(snapshot, event),
            None => Ok(Vec::new()),
        }
    }
}

/// The first whose pattern means the type.
fn meant<'a, R>(on: &'a [On<R>], event_type: &str) -> Option<&'a On<R>> {
    on.iter().find(|on| pattern::matches(on.pattern, event_type))
}

fn unknown(name: &str) -> Rejection {
    Rejection::new("unknown-handler", format!("There is no `{name}` to give events to."))
}

/// Calls a projection's function.
///
/// # Errors
///
/// What the function gives; `invalid-event` if the data are no `D`.
pub fn project<D, E>(
    view: &mut View,
    event: Event<String>,
    function: impl Fn(&mut View, Event<D>) -> Result<(), E>,
) -> Result<(), Rejection>
where
    D: DeserializeOwned,
    E: Into<Rejection>,
{
    match event.decode()? {
        Some(event) => function(view, event).map_err(Into::into),
        None => Ok(()),
    }
}

/// Calls a reaction's function.
///
/// # Errors
///
/// What the function gives; `invalid-event` if the data are no `D`.
pub fn react<D, C, E>(
    snapshot: &Snapshot,
    event: Event<String>,
    function: impl Fn(&Snapshot, Event<D>) -> Result<C, E>,
) -> Result<Vec<NewCommand>, Rejection>
where
    D: DeserializeOwned,
    C: IntoIterator<Item = NewCommand>,
    E: Into<Rejection>,
{
    match event.decode()? {
        Some(event) => Ok(function(snapshot, event).map_err(Into::into)?.into_iter().collect()),
        None => Ok(Vec::new()),
    }
}

/// Calls a query's function.
///
/// # Errors
///
/// What the function gives; `invalid-input` if the input is not an `I`.
pub fn query<I, O, E>(
    snapshot: &Snapshot,
    function: impl Fn(&Snapshot, I) -> Result<O, E>,
) -> Result<Value, Rejection>
where
    I: DeserializeOwned,
    O: Serialize,
    E: Into<Rejection>,
{
    let input = parse_input(&snapshot.request().input)?;
    let output = function(snapshot, input).map_err(Into::into)?;
    Ok(Value::Json(to_json(&output)))
}

/// Calls a command's function.
///
/// # Errors
///
/// What the function gives; `invalid-input` if the input is not an `I`.
pub fn command<I, O, E>(
    transaction: &mut Transaction,
    function: impl Fn(&mut Transaction, I) -> Result<O, E>,
) -> Result<Value, Rejection>
where
    I: DeserializeOwned,
    O: Serialize,
    E: Into<Rejection>,
{
    let input = parse_input(&transaction.command().input)?;
    let output = function(transaction, input).map_err(Into::into)?;
    Ok(Value::Json(to_json(&output)))
}

// The functions below are never called: they are where a function's types come from.

/// The schema of a query's input.
pub fn query_input<I: JsonSchema, O, E>(
    generator: &mut SchemaGenerator,
    _: impl Fn(&Snapshot, I) -> Result<O, E>,
) -> Schema {
    schema::<I>(generator)
}

/// The schema of a query's result.
pub fn query_output<I, O: JsonSchema, E>(
    generator: &mut SchemaGenerator,
    _: impl Fn(&Snapshot, I) -> Result<O, E>,
) -> Schema {
    schema::<O>(generator)
}

/// The schema of a command's input.
pub fn command_input<I: JsonSchema, O, E>(
    generator: &mut SchemaGenerator,
    _: impl Fn(&mut Transaction, I) -> Result<O, E>,
) -> Schema {
    schema::<I>(generator)
}

/// The schema of a command's result.
pub fn command_output<I, O: JsonSchema, E>(
    generator: &mut SchemaGenerator,
    _: impl Fn(&mut Transaction, I) -> Result<O, E>,
) -> Schema {
    schema::<O>(generator)
}

/// The schema of a type, with all it refers to inside.
pub fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.root_schema_for::<T>()
}
