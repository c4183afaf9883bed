//! A module that behaves as badly as it can, one way for each name. Only `ok` is
//! what it says. The server must survive all of it.
//!
//! Written on the bare bindings, so that nothing stands between it and the server.
#![cfg(target_arch = "wasm32")]

mod misuse;
mod resources;

use chancery_sdk::bindings::chancery::app::types::{Command, Failure, QueryRequest, Value};
use chancery_sdk::bindings::exports::chancery::app::commands::Transaction;
use chancery_sdk::bindings::exports::chancery::app::queries::Snapshot;
use chancery_sdk::bindings::exports::chancery::app::{commands, manifest, queries};

/// The only table it owns.
const TABLE: &str = "t";

/// What it can be asked for, as a query and as a command.
const BOTH: &[&str] = &[
    "ok",
    "loop",
    "trap",
    "allocate",
    "recurse",
    "invalid-json",
    "gigabyte",
    "huge-key",
    "undeclared-table",
    "stash",
    "use-stashed",
    "stash-cursor",
    "use-stashed-cursor",
    "many-handles",
    "many-logs",
    "bad-failure-code",
    "bad-details",
];

/// What only a command can try.
const COMMANDS: &[&str] = &[
    "huge-value",
    "foreign-table",
    "write-invalid-json",
    "many-events",
    "many-writes",
    "bad-event-type",
    "write-then-trap",
];

struct Hostile;

impl manifest::Guest for Hostile {
    fn describe() -> String {
        let members = |names: &mut dyn Iterator<Item = &&str>| {
            let member = |name: &&str| format!(r#""{name}":{{"input":true,"output":true}}"#);
            names.map(member).collect::<Vec<_>>().join(",")
        };
        let queries = members(&mut BOTH.iter());
        let commands = members(&mut BOTH.iter().chain(COMMANDS));
        format!(
            r#"{{"contract":"0.1.0","description":"Misbehaves.","tables":{{"{TABLE}":{{}}}},
            "queries":{{{queries}}},"commands":{{{commands}}}}}"#
        )
    }
}

impl queries::Guest for Hostile {
    fn query(snapshot: Snapshot, request: QueryRequest) -> Result<Value, Failure> {
        match request.name.as_str() {
            "huge-key" => misuse::read_huge_key(&snapshot),
            "undeclared-table" => misuse::read_undeclared(&snapshot),
            "stash" => misuse::stash_snapshot(snapshot),
            "use-stashed" => misuse::use_snapshot(),
            "stash-cursor" => misuse::stash_cursor(misuse::cursor_of_snapshot(&snapshot)),
            "many-handles" => resources::many_handles(|| misuse::cursor_of_snapshot(&snapshot)),
            name => either(name),
        }
    }
}

impl commands::Guest for Hostile {
    fn execute(transaction: Transaction, command: Command) -> Result<Value, Failure> {
        match command.name.as_str() {
            "huge-key" => misuse::write_huge_key(&transaction),
            "huge-value" => misuse::write_huge_value(&transaction),
            "undeclared-table" => misuse::write_undeclared(&transaction),
            "foreign-table" => misuse::write_foreign(&transaction),
            "write-invalid-json" => misuse::write_invalid_json(&transaction),
            "write-then-trap" => misuse::write_then_trap(&transaction),
            "bad-event-type" => misuse::emit_bad_type(&transaction),
            "stash" => misuse::stash_transaction(transaction),
            "use-stashed" => misuse::use_transaction(),
            "stash-cursor" => misuse::stash_cursor(misuse::cursor_of_transaction(&transaction)),
            "many-handles" => {
                resources::many_handles(|| misuse::cursor_of_transaction(&transaction))
            }
            "many-events" => resources::many_events(&transaction),
            "many-writes" => resources::many_writes(&transaction),
            name => either(name),
        }
    }
}

/// What needs no handle to the state.
fn either(name: &str) -> Result<Value, Failure> {
    match name {
        "ok" => Ok(json("\"ok\"")),
        "loop" => resources::spin(),
        "trap" => misuse::trap(),
        "allocate" => resources::allocate(),
        "recurse" => Ok(json(&resources::recurse(0).to_string())),
        "invalid-json" => Ok(json("{oops")),
        "gigabyte" => Ok(Value::Bytes(resources::as_much_as_possible())),
        "use-stashed-cursor" => misuse::use_cursor(),
        "many-logs" => resources::many_logs(),
        "bad-failure-code" => Err(failure("Not In Kebab-Case!", None)),
        "bad-details" => Err(failure("bad-details", Some("{oops"))),
        _ => Err(failure("unknown-name", None)),
    }
}

fn json(text: &str) -> Value {
    Value::Json(text.to_owned())
}

fn failure(code: &str, details: Option<&str>) -> Failure {
    Failure {
        code: code.to_owned(),
        message: "It had to be.".to_owned(),
        details: details.map(str::to_owned),
        events: Vec::new(),
    }
}

chancery_sdk::bindings::export!(Hostile with_types_in chancery_sdk::bindings);
