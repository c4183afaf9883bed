//! From a name and a JSON text to a typed function and back.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::app::Definition;
use crate::command::{parse_input, to_json};
use crate::{Rejection, Snapshot, Transaction, Value};

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
