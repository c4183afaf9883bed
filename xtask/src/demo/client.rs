//! A client of the server, as any program could write it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value as Json, json};
use ureq::http::Request;
use uuid::Uuid;

/// A client with connections of its own.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    agent: ureq::Agent,
    base: String,
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    /// Its status.
    pub(crate) status: u16,
    /// Its body, as it came.
    pub(crate) body: Vec<u8>,
    /// Whether it repeats an answer that was there before.
    pub(crate) is_replayed: bool,
}

/// A command with its id: sending it again is the same command.
#[derive(Debug, Clone)]
pub(crate) struct Command {
    /// Made by the client, with the time in it.
    pub(crate) id: Uuid,
    /// The command's name.
    pub(crate) name: &'static str,
    /// Its input.
    pub(crate) input: Json,
}

impl Client {
    /// A client of the server at an address.
    pub(crate) fn new(address: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            // Shorter than the server keeps a connection on which nothing happens.
            .max_idle_age(Duration::from_secs(5))
            .build();
        Self { agent: config.into(), base: format!("http://{address}") }
    }

    /// The address that paths are appended to.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// Sends a request. An error means that there was no answer.
    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Result<Reply> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = match body {
            Some(body) => self.agent.run(request.body(body)?)?,
            None => self.agent.run(request.body(())?)?,
        };
        Ok(Reply {
            status: response.status().as_u16(),
            is_replayed: response.headers().contains_key("idempotent-replayed"),
            body: response.body_mut().read_to_vec()?,
        })
    }

    /// `GET`.
    pub(crate) fn get(&self, path: &str) -> Result<Reply> {
        self.send("GET", path, &[], None)
    }

    /// `PUT` without a body.
    pub(crate) fn create(&self, path: &str) -> Result<Reply> {
        self.send("PUT", path, &[], Some(&[]))
    }

    /// Submits a command and waits for what becomes of it.
    pub(crate) fn submit(&self, app: &str, command: &Command) -> Result<Reply> {
        let path = format!("/v1/apps/{app}/commands/{}", command.id);
        let body = json!({ "name": command.name, "input": command.input }).to_string();
        let headers = [("content-type", "application/json"), ("prefer", "wait=60")];
        self.send("PUT", &path, &headers, Some(body.as_bytes()))
    }

    /// Submits a command that has to succeed, and gives its result.
    pub(crate) fn succeed(&self, app: &str, name: &'static str, input: Json) -> Result<Json> {
        let reply = self.submit(app, &Command::new(name, input))?;
        let mut receipt = reply.expect(200).with_context(|| format!("{app}: {name}"))?;
        receipt.get_mut("result").map(Json::take).context("a receipt without a result")
    }

    /// Asks a query.
    pub(crate) fn query(&self, app: &str, query: &str, input: &Json) -> Result<Json> {
        let path = format!("/v1/apps/{app}/queries/{query}");
        let headers = [("content-type", "application/json")];
        let reply = self.send("POST", &path, &headers, Some(input.to_string().as_bytes()))?;
        reply.expect(200).with_context(|| format!("{app}: {query}"))
    }

    /// How many entries an app has had.
    pub(crate) fn sequence(&self, app: &str) -> Result<u64> {
        number(&self.get(&format!("/v1/apps/{app}"))?.expect(200)?, "sequence")
    }
}

impl Reply {
    /// The body.
    pub(crate) fn json(&self) -> Result<Json> {
        serde_json::from_slice(&self.body).with_context(|| format!("not JSON: {}", self.text()))
    }

    /// The body, if the status is the expected one.
    pub(crate) fn expect(&self, status: u16) -> Result<Json> {
        ensure!(self.status == status, "{status} expected, {}: {}", self.status, self.text());
        self.json()
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Command {
    /// A command that was never sent before.
    pub(crate) fn new(name: &'static str, input: Json) -> Self {
        Self { id: Uuid::now_v7(), name, input }
    }
}

/// A member that is a whole number.
pub(crate) fn number(object: &Json, member: &str) -> Result<u64> {
    let number = object.get(member).and_then(Json::as_u64);
    number.with_context(|| format!("no number `{member}` in {object}"))
}

/// A member that is text, or nothing.
pub(crate) fn text<'a>(object: &'a Json, member: &str) -> &'a str {
    object.get(member).and_then(Json::as_str).unwrap_or_default()
}
