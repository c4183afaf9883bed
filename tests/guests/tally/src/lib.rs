//! A module with a projection, and events that the projection cannot take, for the
//! server's own tests. What differs from version to version is in its manifest, so that
//! a test can change it in the bytes of the module: the version of the projection, and
//! whether it was mended.
#![cfg(target_arch = "wasm32")]

use std::hint::black_box;

use chancery_sdk::bindings::chancery::app::types::{
    Command, Event, Failure, NewEvent, QueryRequest, Value,
};
use chancery_sdk::bindings::exports::chancery::app::{commands, manifest, queries};
use chancery_sdk::bindings::projecting::exports::chancery::app::projections;
use serde_json::{Value as Json, json};

const MANIFEST: &str = r#"{
  "contract": "0.1.0",
  "description": "It was mended 0 times.",
  "tables": { "totals": {}, "latest": {}, "other": {} },
  "queries": { "ask": {} },
  "commands": { "note": {}, "refuse": {}, "meddle": {} },
  "projections": {
    "tally": { "version": 1, "on": ["item.**"], "tables": ["totals", "latest"] }
  }
}"#;

struct Tally;

/// Whether the manifest says so: looked up when it runs, so that other bytes count.
fn says(what: &str) -> bool {
    black_box(MANIFEST).contains(black_box(what))
}

impl manifest::Guest for Tally {
    fn describe() -> String {
        black_box(MANIFEST).to_owned()
    }
}

impl queries::Guest for Tally {
    fn query(_: queries::Snapshot, _: QueryRequest) -> Result<Value, Failure> {
        Ok(Value::Json("null".to_owned()))
    }
}

impl commands::Guest for Tally {
    fn execute(tx: commands::Transaction, command: Command) -> Result<Value, Failure> {
        let input: Json = serde_json::from_str(&command.input).unwrap_or_default();
        let events = events(&input);
        match command.name.as_str() {
            "meddle" => tx.put("totals", "meddled", &Value::Json("1".to_owned())),
            "refuse" => return Err(Failure { events, ..failure("refused") }),
            _ => events.iter().for_each(|event| {
                tx.emit(event);
            }),
        }
        Ok(Value::Json("null".to_owned()))
    }
}

/// `{"type": …, "subject": …, "data": …, "times": …}`, or an array of these.
fn events(input: &Json) -> Vec<NewEvent> {
    let each = input.as_array().cloned().unwrap_or_else(|| vec![input.clone()]);
    let event = |input: &Json| NewEvent {
        event_type: input.get("type").and_then(Json::as_str).unwrap_or("item.added").to_owned(),
        subject: input.get("subject").and_then(Json::as_str).map(str::to_owned),
        data: input.get("data").unwrap_or(&Json::Null).to_string(),
    };
    let times = |input: &Json| input.get("times").and_then(Json::as_u64).unwrap_or(1);
    each.iter().flat_map(|input| (0..times(input)).map(move |_| event(input))).collect()
}

impl projections::Guest for Tally {
    fn project(view: projections::View, _: String, event: Event) -> Result<(), Failure> {
        if event.event_type == "item.bad" && !says("mended 1 times") {
            return misbehave(&view, &event.data);
        }
        let subject = event.subject.as_deref().unwrap_or("none");
        let added = serde_json::from_str::<Json>(&event.data).unwrap_or_default();
        let added = added.as_u64().unwrap_or(0);
        let weight = if says("\"version\": 2") { 2 } else { 1 };
        let before = view.get("totals", subject);
        let before: Json = match &before {
            Some(Value::Json(text)) => serde_json::from_str(text).unwrap_or_default(),
            _ => Json::Null,
        };
        let number = |name| before.get(name).and_then(Json::as_u64).unwrap_or(0);
        let total = json!({
            "count": number("count") + 1,
            "sum": number("sum") + added * weight,
            "last": event.position,
            "of": [event.command_id, event.sequence, event.time_ms, event.correlation_id],
        });
        view.put("totals", subject, &Value::Json(total.to_string()));
        // The last ten events, and none that is older: rows come and go.
        view.put("latest", &format!("{:020}", event.position), &Value::Bytes(event.id.into()));
        for old in event.position.saturating_sub(14)..event.position.saturating_sub(9) {
            view.delete("latest", &format!("{old:020}"));
        }
        if event.event_type == "item.cleared" {
            view.delete("totals", subject);
        }
        Ok(())
    }
}

/// What the data of the event says. It writes something first.
fn misbehave(view: &projections::View, data: &str) -> Result<(), Failure> {
    view.put("totals", "misbehaved", &Value::Json("1".to_owned()));
    match data {
        "\"loop\"" => loop {
            black_box(());
        },
        "\"foreign\"" => view.put("other", "k", &Value::Json("1".to_owned())),
        "\"read\"" => drop(view.get("other", "k")),
        "\"write\"" => {
            for key in 0_u64.. {
                view.put("totals", &format!("{key}"), &Value::Json("1".to_owned()));
            }
        }
        "\"err\"" => return Err(failure("not-understood")),
        #[expect(clippy::panic, reason = "to trap is what it is for")]
        _ => panic!("told to trap"),
    }
    Ok(())
}

fn failure(code: &str) -> Failure {
    let message = format!("it is {code}");
    Failure { code: code.to_owned(), message, details: None, events: Vec::new() }
}

chancery_sdk::bindings::export!(Tally with_types_in chancery_sdk::bindings);
chancery_sdk::bindings::projecting::export_projections!(
    Tally with_types_in chancery_sdk::bindings::projecting
);
