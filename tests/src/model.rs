//! What applications must do, said again in a few lines of plain maps. Shares no
//! code with the server.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

/// What came of a command.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    /// It succeeded with this result.
    Succeeded(Json),
    /// Its handler, or the server before it ran, refused with this code.
    Rejected(String),
    /// Its handler failed with this code.
    Failed(String),
}

/// An application that runs one command after another.
pub trait Model {
    /// Executes a command; none if the model does not know what it answers, but only
    /// what it changes.
    fn execute(&mut self, name: &str, input: &Json) -> Option<Said>;

    /// Answers a query.
    fn ask(&self, name: &str, input: &Json) -> Json;
}

/// The guest `probe`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Probe {
    /// Its table `items`.
    pub items: BTreeMap<String, Json>,
    /// Its table `counters`.
    pub counters: BTreeMap<String, i64>,
    /// How many events it has emitted.
    pub events: u64,
}

impl Model for Probe {
    fn execute(&mut self, name: &str, input: &Json) -> Option<Said> {
        let text = |field: &str| input[field].as_str().unwrap_or_default().to_owned();
        let key = text("key");
        let result = match name {
            "put" => {
                self.items.insert(key, input["value"].clone());
                json!(null)
            }
            "add" => {
                let counter = self.counters.entry(key).or_default();
                *counter += input["amount"].as_i64().expect("a number");
                json!(counter)
            }
            "append" => {
                let before = self.items.get(&key).and_then(Json::as_str).unwrap_or_default();
                let after = json!(format!("{before}{}", text("text")));
                self.items.insert(key, after.clone());
                after
            }
            "delete" => json!(self.items.remove(&key).is_some()),
            "fill" => {
                let (count, bytes) = (input["count"].as_u64()?, input["bytes"].as_u64()?);
                let value = json!("x".repeat(bytes as usize));
                for number in 0..count {
                    self.items.insert(format!("{}{number:08}", text("prefix")), value.clone());
                }
                json!(count)
            }
            "emit" => {
                self.events += 1;
                return None;
            }
            "reject" => {
                self.events += u64::from(input["event"].is_string());
                return Some(Said::Rejected(text("code")));
            }
            other => panic!("the model does not know `{other}`"),
        };
        Some(Said::Succeeded(result))
    }

    fn ask(&self, name: &str, input: &Json) -> Json {
        match name {
            "get" => {
                let key = input["key"].as_str().unwrap_or_default();
                self.items.get(key).cloned().unwrap_or(Json::Null)
            }
            "count" => json!(self.items.len()),
            "sum" => json!(self.counters.values().sum::<i64>()),
            other => panic!("the model does not know `{other}`"),
        }
    }
}
