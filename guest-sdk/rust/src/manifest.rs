//! The document in which a module says what it is.

#[cfg(test)]
mod tests;

use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::app::{Begin, Definition, Handler, On};

/// The version of the contract this SDK is written for.
const CONTRACT: &str = "0.1.0";

/// The manifest, as JSON text.
pub(crate) fn describe(definition: &Definition) -> String {
    let mut manifest = json!({
        "contract": CONTRACT,
        "description": prose(definition.description),
        "tables": tables(definition),
        "queries": handlers(definition.queries),
        "commands": handlers(definition.all_commands()),
        "events": events(definition),
        "projections": projections(definition),
        "reactions": reactions(definition),
    });
    if let (Some(command), Value::Object(members)) = (&definition.on_deploy, &mut manifest) {
        members.insert("on_deploy".to_owned(), command.kebab_name().into());
    }
    manifest.to_string()
}

fn tables(definition: &Definition) -> Map<String, Value> {
    let mut tables = Map::new();
    for entry in definition.tables {
        for table in (entry.declare)() {
            let description = match table.index_of {
                Some(indexed) => format!("An index of `{indexed}`, kept by the SDK."),
                None => prose(entry.description),
            };
            let members = json!({ "description": description, "adopt": table.is_adopted });
            tables.insert(table.name.to_owned(), members);
        }
    }
    tables
}

fn handlers<'a, R: 'a>(handlers: impl IntoIterator<Item = &'a Handler<R>>) -> Map<String, Value> {
    let mut members = Map::new();
    for handler in handlers {
        let input = (handler.input)(&mut for_reading());
        let output = (handler.output)(&mut for_writing());
        let description = match prose(handler.description) {
            text if text.is_empty() => own_description(&input),
            text => text,
        };
        let member = json!({ "description": description, "input": input, "output": output });
        members.insert(handler.kebab_name(), member);
    }
    members
}

fn events(definition: &Definition) -> Map<String, Value> {
    let mut events = Map::new();
    for event in definition.events {
        let schema = (event.schema)(&mut for_writing());
        let description = match prose(event.description) {
            text if text.is_empty() => own_description(&schema),
            text => text,
        };
        let member = json!({ "description": description, "schema": schema });
        events.insert(event.event_type.to_owned(), member);
    }
    events
}

fn projections(definition: &Definition) -> Map<String, Value> {
    let projections = definition.projections.iter().map(|projection| {
        let tables: Vec<_> = (projection.tables)().iter().map(|table| table.name).collect();
        let members = json!({
            "description": prose(projection.description),
            "version": projection.version,
            "on": patterns(projection.on),
            "tables": tables,
        });
        (projection.kebab_name(), members)
    });
    projections.collect()
}

fn reactions(definition: &Definition) -> Map<String, Value> {
    let reactions = definition.reactions.iter().map(|reaction| {
        let members = json!({
            "description": prose(reaction.description),
            "on": patterns(reaction.on),
            "from": match reaction.from {
                Begin::Now => "now",
                Begin::Start => "start",
            },
        });
        (reaction.kebab_name(), members)
    });
    reactions.collect()
}

fn patterns<R>(on: &[On<R>]) -> Vec<&'static str> {
    on.iter().map(|on| on.pattern).collect()
}

fn for_reading() -> SchemaGenerator {
    SchemaSettings::draft2020_12().for_deserialize().into_generator()
}

fn for_writing() -> SchemaGenerator {
    SchemaSettings::draft2020_12().for_serialize().into_generator()
}

/// What schemars took from the type's documentation.
fn own_description(schema: &Schema) -> String {
    let description = schema.get("description").and_then(Value::as_str);
    description.unwrap_or_default().to_owned()
}

/// Documentation as running text: its lines joined, its paragraphs kept.
fn prose(documentation: &str) -> String {
    let mut text = String::new();
    for line in documentation.trim().lines().map(str::trim) {
        match line {
            "" => text.push_str("\n\n"),
            _ if text.is_empty() || text.ends_with('\n') => text.push_str(line),
            _ => {
                text.push(' ');
                text.push_str(line);
            }
        }
    }
    text
}
