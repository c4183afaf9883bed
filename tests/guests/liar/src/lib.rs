//! A module whose manifest is not JSON. All else about it is in order.
#![cfg(target_arch = "wasm32")]

use chancery_sdk::bindings::chancery::app::types::{Command, Failure, QueryRequest, Value};
use chancery_sdk::bindings::exports::chancery::app::{commands, manifest, queries};

struct Liar;

impl manifest::Guest for Liar {
    fn describe() -> String {
        "{ \"contract\": \"0.1.0\", \"commands\": I am not JSON".to_owned()
    }
}

impl queries::Guest for Liar {
    fn query(_: queries::Snapshot, _: QueryRequest) -> Result<Value, Failure> {
        Ok(Value::Json("null".to_owned()))
    }
}

impl commands::Guest for Liar {
    fn execute(_: commands::Transaction, _: Command) -> Result<Value, Failure> {
        Ok(Value::Json("null".to_owned()))
    }
}

chancery_sdk::bindings::export!(Liar with_types_in chancery_sdk::bindings);
