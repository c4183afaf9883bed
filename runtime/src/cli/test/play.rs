//! Plays a test, step by step, as a client of the app that it has to itself.

use std::time::Duration;

use http::Method;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::format::{Call, Case, Step, Then};
use super::matching::difference;
use super::rest;
use crate::cli::Error;
use crate::cli::client::{Answer, Client};
use crate::cli::serve::local::Hands;

/// How often it is looked whether an app has come to rest, and for how long.
const LOOKS: (u32, Duration) = (12_000, Duration::from_millis(5));
/// As many commands as may follow from one.
const FOLLOWED_MAX: u32 = 1000;

/// Who plays a test.
pub(super) struct Player<'a> {
    client: &'a Client,
    hands: &'a Hands,
    now_ms: u64,
    queries: Vec<String>,
}

/// How a call ended: its status, and result, failure and events as a receipt has them.
struct Ended(Json);

#[derive(Deserialize)]
struct Modules {
    modules: Vec<Offers>,
}

#[derive(Deserialize)]
struct Offers {
    queries: Vec<String>,
}

#[derive(Deserialize)]
struct Receipts {
    commands: Vec<Followed>,
}

#[derive(Deserialize)]
struct Followed {
    sequence: u64,
    kind: String,
    name: String,
}

impl<'a> Player<'a> {
    /// A player for an app whose modules are deployed.
    pub(super) fn new(client: &'a Client, hands: &'a Hands, now_ms: u64) -> Result<Self, Error> {
        let request = client.request(Method::GET, &["modules"]);
        let (list, _) = client.read::<Modules>(request)?;
        let queries = list.modules.into_iter().flat_map(|module| module.queries).collect();
        Ok(Self { client, hands, now_ms, queries })
    }

    /// Plays a test, and gives what is not as it says.
    ///
    /// # Errors
    /// What has nothing to do with the test: the server cannot be reached.
    pub(super) fn play(&mut self, case: &Case) -> Result<Option<String>, Error> {
        for (n, step) in case.0.iter().enumerate() {
            if let Some(problem) = self.step(step)? {
                return Ok(Some(match case.0.len() {
                    1 => problem,
                    _ => format!("step {}: {problem}", n + 1),
                }));
            }
        }
        Ok(None)
    }

    fn step(&mut self, step: &Step) -> Result<Option<String>, Error> {
        for call in &step.given {
            let ended = self.call(call)?;
            if !ended.succeeded() {
                return Ok(Some(format!("given {}: it {}", call.name, ended.told())));
            }
            self.come_to_rest()?;
        }
        let before = rest::sequence(self.client)?;
        if let Some(time) = step.wait {
            self.wait(time)?;
        }
        let Some(call) = &step.when else {
            return self.after(before, &step.then);
        };
        let ended = self.call(call)?;
        self.come_to_rest()?;
        if let Some(problem) = ended.against(&step.then) {
            return Ok(Some(format!("when {}: {problem}", call.name)));
        }
        // The command itself did not follow from anything.
        let before = ended.sequence().unwrap_or(before);
        self.after(before, &step.then)
    }

    /// What is so of the app.
    fn after(&self, before: u64, then: &Then) -> Result<Option<String>, Error> {
        if let Some(expected) = &then.commands {
            let found = self.followed(before)?;
            let problem = difference(&json!(expected), &json!(found), "then commands");
            if problem.is_some() {
                return Ok(problem);
            }
        }
        for (table, rows) in &then.rows.0 {
            for (key, expected) in &rows.0 {
                let place = format!("then rows/{table}/{key}");
                let problem = match (self.row(table, key)?, expected) {
                    (Err(problem), _) => Some(format!("{place}: {problem}")),
                    (Ok(None), Json::Null) => None,
                    (Ok(None), expected) => {
                        Some(format!("{place}: {expected} is expected, and there is no such row"))
                    }
                    (Ok(Some(found)), Json::Null) => {
                        Some(format!("{place}: no row is expected, and it is {found}"))
                    }
                    (Ok(Some(found)), expected) => difference(expected, &found, &place),
                };
                if problem.is_some() {
                    return Ok(problem);
                }
            }
        }
        Ok(None)
    }

    fn call(&self, call: &Call) -> Result<Ended, Error> {
        match self.queries.contains(&call.name) {
            true => self.query(call),
            false => self.command(call),
        }
    }

    fn query(&self, call: &Call) -> Result<Ended, Error> {
        let input = call.input.to_string();
        let request = self
            .client
            .request(Method::POST, &["queries", &call.name])
            .body("application/json", input.as_bytes())
            .changing_nothing();
        match self.client.send(request) {
            Ok(answer) => Ok(Ended(json!({ "status": "succeeded", "result": value(&answer) }))),
            Err(error) => Ended::refused(error),
        }
    }

    fn command(&self, call: &Call) -> Result<Ended, Error> {
        let id = self.id().to_string();
        let body = json!({ "name": call.name, "input": call.input }).to_string();
        let segments = ["commands", id.as_str()];
        let request = self.client.request(Method::PUT, &segments);
        let request = request.header("prefer", "wait=60").patience(Duration::from_secs(60));
        let sent = self.client.send(request.body("application/json", body.as_bytes()));
        // A receipt has the events of a rejection too.
        let receipt = self.client.request(Method::GET, &segments).query("wait", Some(60));
        match (self.client.send(receipt.patience(Duration::from_secs(60))), sent) {
            (Ok(receipt), _) => Ok(Ended(value(&receipt))),
            // It has none: it was refused before it was logged.
            (Err(_), Err(error)) => Ended::refused(error),
            (Err(error), Ok(_)) => Err(error),
        }
    }

    /// An id that was made at the time of the test.
    fn id(&self) -> Uuid {
        let mut random = [0; 10];
        for (to, from) in random.iter_mut().zip(Uuid::now_v7().as_bytes().iter().skip(6)) {
            *to = *from;
        }
        uuid::Builder::from_unix_timestamp_millis(self.now_ms, &random).into_uuid()
    }

    /// Lets time pass, and what is due by then be done.
    fn wait(&mut self, time: Duration) -> Result<(), Error> {
        self.hands.advance(time);
        self.now_ms += u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        // Who looks at the clock looks when something is published, or seconds later.
        let clock = ["consumers", "test-clock"];
        self.client.send(self.client.request(Method::PUT, &clock))?;
        self.client.send(self.client.request(Method::DELETE, &clock))?;
        self.come_to_rest()
    }

    /// Waits until nothing follows any more.
    fn come_to_rest(&self) -> Result<(), Error> {
        let (looks, pause) = LOOKS;
        for _ in 0..looks {
            if rest::has_come(self.client, self.now_ms)? {
                return Ok(());
            }
            std::thread::sleep(pause);
        }
        let message = "what follows from a test does not come to an end; do its reactions feed \
                       themselves?";
        Err(Error::Tests { message: message.to_owned() })
    }

    /// The commands after an entry, in order.
    fn followed(&self, before: u64) -> Result<Vec<String>, Error> {
        let request = self.client.request(Method::GET, &["commands"]);
        let request = request.query("limit", Some(FOLLOWED_MAX));
        let (list, _) = self.client.read::<Receipts>(request)?;
        let commands = list.commands.into_iter().take_while(|entry| entry.sequence > before);
        let commands = commands.filter(|entry| entry.kind == "command").map(|entry| entry.name);
        let mut names: Vec<String> = commands.collect();
        names.reverse();
        Ok(names)
    }

    /// A row's value; none if it is not there, or why that cannot be told.
    fn row(&self, table: &str, key: &str) -> Result<Result<Option<Json>, String>, Error> {
        let request = self.client.request(Method::GET, &["tables", table, key]);
        match self.client.send(request) {
            Ok(answer) => Ok(Ok(Some(value(&answer)))),
            Err(Error::Problem(problem)) if problem.code() == "unknown-key" => Ok(Ok(None)),
            Err(Error::Problem(problem)) => Ok(Err(problem.message())),
            Err(error) => Err(error),
        }
    }
}

/// A body that is JSON; the number of its bytes, if it is not.
fn value(answer: &Answer) -> Json {
    let bytes = || json!({ "bytes": answer.body.len() });
    serde_json::from_slice(&answer.body).unwrap_or_else(|_| bytes())
}

impl Ended {
    fn refused(error: Error) -> Result<Self, Error> {
        let Error::Problem(problem) = error else { return Err(error) };
        let document: Json = serde_json::from_slice(problem.document()).unwrap_or_default();
        let kind = document.get("type").and_then(Json::as_str).unwrap_or_default();
        let status = if kind.ends_with("failed") { "failed" } else { "rejected" };
        let details = document.get("details").or_else(|| document.get("errors"));
        let (code, message) = (problem.code(), problem.message());
        let failure = json!({ "code": code, "message": message, "details": details });
        Ok(Self(json!({ "status": status, "failure": failure })))
    }

    fn member(&self, name: &str) -> &Json {
        self.0.get(name).unwrap_or(&Json::Null)
    }

    fn status(&self) -> &str {
        self.member("status").as_str().unwrap_or_default()
    }

    fn succeeded(&self) -> bool {
        self.status() == "succeeded"
    }

    fn sequence(&self) -> Option<u64> {
        self.member("sequence").as_u64()
    }

    /// How it ended, after "it".
    fn told(&self) -> String {
        let failure = self.member("failure");
        let text = |name: &str| failure.get(name).and_then(Json::as_str).unwrap_or_default();
        match self.status() {
            "succeeded" => format!("succeeded with {}", self.member("result")),
            "failed" => format!("failed ({}): {}", text("code"), text("message")),
            status => format!("was {status} ({}): {}", text("code"), text("message")),
        }
    }

    /// What is not as expected of how it ended. Nothing said means that it succeeds.
    fn against(&self, then: &Then) -> Option<String> {
        let failure = self.member("failure");
        let ended = match (&then.rejected, &then.failed, &then.result) {
            (Some(refusal), _, _) if self.status() == "rejected" => {
                difference(&refusal.0, failure, "rejected")
            }
            (_, Some(refusal), _) if self.status() == "failed" => {
                difference(&refusal.0, failure, "failed")
            }
            (Some(_), _, _) => Some(format!("a rejection is expected, and it {}", self.told())),
            (_, Some(_), _) => Some(format!("a failure is expected, and it {}", self.told())),
            _ if !self.succeeded() => Some(format!("success is expected, and it {}", self.told())),
            (_, _, Some(expected)) => difference(expected, self.member("result"), "result"),
            _ => None,
        };
        ended.or_else(|| {
            let expected = Json::from(then.events.clone()?);
            let none = Json::Array(Vec::new());
            let found = self.0.get("events").unwrap_or(&none);
            difference(&expected, found, "events")
        })
    }
}
