//! A client that speaks HTTP as a user's program would.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value as Json;

/// A client of one server.
#[derive(Debug, Clone)]
pub struct Client {
    agent: ureq::Agent,
    base: String,
}

/// What the server said.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Client {
    /// A client of the server at an address such as `127.0.0.1:7070`.
    #[must_use]
    pub fn new(address: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .allow_non_standard_methods(true)
            .build();
        Self { agent: config.into(), base: format!("http://{address}") }
    }

    /// Sends a request.
    ///
    /// # Errors
    /// If there is no answer.
    pub fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Reply, ureq::Error> {
        let mut request =
            ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = match (method, body) {
            // The server may close a connection whose last request it did not read to its
            // end; who reuses it asks again, as RFC 9110 (9.2.2) allows for what is safe.
            ("GET", []) => {
                let request = request.body(())?;
                let first = self.agent.run(request.clone());
                first.or_else(|_closed| self.agent.run(request))?
            }
            ("HEAD" | "DELETE", []) => self.agent.run(request.body(())?)?,
            _ => self.agent.run(request.body(body)?)?,
        };
        let headers = response.headers().iter();
        let headers = headers.map(|(name, value)| {
            (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        });
        let (status, headers) = (response.status().as_u16(), headers.collect());
        let mut body = response.into_body();
        let body = body.with_config().limit(64 << 20).read_to_vec()?;
        Ok(Reply { status, headers, body })
    }

    /// Sends a head as it is and so much of a body, on a connection of its own
    /// that stays open until there is an answer: what no decent client would do.
    ///
    /// # Errors
    /// If there is no answer.
    pub fn send_raw(&self, head: &str, body: &[u8]) -> std::io::Result<Reply> {
        let address = self.base.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        write!(stream, "{head}\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
        stream.write_all(body)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let text = String::from_utf8_lossy(&answer);
        let cut_off = || std::io::Error::other(format!("the answer is cut off: {text}"));
        let (head, body) = text.split_once("\r\n\r\n").ok_or_else(cut_off)?;
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers =
            headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
        Ok(Reply { status: status.ok_or_else(cut_off)?, headers, body: body.into() })
    }

    /// `GET`.
    ///
    /// # Panics
    /// If there is no answer.
    #[must_use]
    pub fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &[], &[]).expect("an answer")
    }

    /// `PUT` of JSON.
    ///
    /// # Panics
    /// If there is no answer.
    #[must_use]
    pub fn put(&self, path: &str, body: &Json) -> Reply {
        let headers = [("content-type", "application/json")];
        self.send("PUT", path, &headers, body.to_string().as_bytes()).expect("an answer")
    }

    /// `POST` of JSON.
    ///
    /// # Panics
    /// If there is no answer.
    #[must_use]
    pub fn post(&self, path: &str, headers: &[(&str, &str)], body: &Json) -> Reply {
        let mut all = vec![("content-type", "application/json")];
        all.extend(headers);
        self.send("POST", path, &all, body.to_string().as_bytes()).expect("an answer")
    }

    /// Uploads a module.
    ///
    /// # Panics
    /// If there is no answer.
    #[must_use]
    pub fn deploy(&self, app: &str, module: &str, bytes: &[u8]) -> Reply {
        let path = format!("/v1/apps/{app}/modules/{module}");
        self.send("PUT", &path, &[("content-type", "application/wasm")], bytes).expect("an answer")
    }

    /// Submits a command with a new id and waits for its outcome.
    #[must_use]
    pub fn command(&self, app: &str, command: &str, input: &Json) -> Reply {
        self.command_with(app, crate::new_id(), command, input)
    }

    /// As [`Client::command`], with an id.
    #[must_use]
    pub fn command_with(&self, app: &str, id: uuid::Uuid, command: &str, input: &Json) -> Reply {
        let body = serde_json::json!({ "name": command, "input": input });
        self.put(&format!("/v1/apps/{app}/commands/{id}"), &body)
    }

    /// Asks a query with a JSON input.
    #[must_use]
    pub fn query(&self, app: &str, query: &str, input: &Json) -> Reply {
        self.post(&format!("/v1/apps/{app}/queries/{query}"), &[], input)
    }
}

impl Reply {
    /// The body as JSON.
    ///
    /// # Panics
    /// If it is not.
    #[must_use]
    pub fn json(&self) -> Json {
        let text = String::from_utf8_lossy(&self.body);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// A header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(header, _)| header == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The code of a problem.
    ///
    /// # Panics
    /// If the body is no problem.
    #[must_use]
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_else(|| panic!("{self:?}")).to_owned()
    }

    /// The body, if the status is the expected one.
    ///
    /// # Panics
    /// If it is another.
    #[track_caller]
    #[must_use]
    pub fn expect(&self, status: u16) -> Json {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status, status, "{text}");
        if self.body.is_empty() { Json::Null } else { self.json() }
    }
}
