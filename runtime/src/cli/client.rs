//! The HTTP client: one request, one answer, and an honest word when there is none.
//!
//! It follows no redirects, uses no proxy and never repeats a request by itself:
//! whoever asked knows whether that is safe.

#[cfg(test)]
pub(super) mod tests;

use std::io::{self, Write};
use std::time::Duration;

use http::{HeaderMap, Method};
use ureq::{Agent, AsSendBody};

use super::output::clean;
use super::problem::Problem;
use crate::config;
use crate::value::Name;

/// How long a connection may take: a server on this machine or in its network.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// How long an answer may take beyond what was asked for. The server itself gives
/// up sooner: an upload is waited for 60 s, a disk 30 s.
const ANSWER_MAX: Duration = Duration::from_secs(100);
/// The largest answer. Results of queries are below 16 MiB unless a server was
/// told otherwise.
const ANSWER_BYTES_MAX: u64 = 256 << 20;
/// How much of an answer that cannot be understood is shown.
const ODD_CHARS_MAX: usize = 200;

/// A client of one app on one server.
#[derive(Debug)]
pub(super) struct Client {
    agent: Agent,
    server: String,
    app: Name,
}

/// A request, put together part by part.
#[derive(Debug)]
pub(super) struct Request<'a> {
    method: Method,
    path: String,
    query: Vec<String>,
    headers: Vec<(&'static str, String)>,
    body: Option<&'a [u8]>,
    patience: Duration,
    /// Whether it can change anything.
    change: bool,
}

/// An answer with a status of 200 to 299.
#[derive(Debug)]
pub(super) struct Answer {
    /// The status.
    pub(super) status: u16,
    /// The body.
    pub(super) body: Vec<u8>,
    headers: HeaderMap,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// Nothing was sent.
    #[error("cannot reach the server at {server}: {reason}")]
    Unreachable {
        /// Which server.
        server: String,
        /// What happened.
        reason: String,
    },
    /// The request may have arrived.
    #[error("no answer from {server}: {reason}")]
    Lost {
        /// Which server.
        server: String,
        /// What happened.
        reason: String,
        /// Whether it could have changed anything.
        change: bool,
    },
    /// The answer is not one of Chancery's.
    #[error("the answer from {server} cannot be understood (status {status}): {reason}")]
    Odd {
        /// Which server.
        server: String,
        /// Its status.
        status: u16,
        /// What is odd.
        reason: String,
    },
}

impl<'a> Request<'a> {
    /// A request to a path, given by its segments.
    pub(super) fn new(method: Method, segments: &[&str]) -> Self {
        let encoded: Vec<String> = segments.iter().map(|segment| encoded(segment)).collect();
        let path = format!("/{}", encoded.join("/"));
        let (query, headers) = (Vec::new(), Vec::new());
        let change = !method.is_safe();
        Self { method, path, query, headers, body: None, patience: ANSWER_MAX, change }
    }

    /// Adds a parameter, if there is one.
    pub(super) fn query(mut self, name: &str, value: Option<impl ToString>) -> Self {
        let pair = value.map(|value| format!("{name}={}", encoded(&value.to_string())));
        self.query.extend(pair);
        self
    }

    /// Adds a header.
    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Adds a body.
    pub(super) fn body(self, content_type: &str, body: &'a [u8]) -> Self {
        let mut request = self.header("content-type", content_type);
        request.body = Some(body);
        request
    }

    /// Says that it only reads or tries, so that nothing is in doubt if the answer is
    /// lost.
    pub(super) fn changing_nothing(mut self) -> Self {
        self.change = false;
        self
    }

    /// Waits this much longer for the answer.
    pub(super) fn patience(mut self, more: Duration) -> Self {
        self.patience += more;
        self
    }
}

impl Client {
    /// A client; it connects when it is first asked for something.
    pub(super) fn new(client: config::Client) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .timeout_connect(Some(CONNECT_MAX))
            .user_agent(concat!("chancery/", env!("CARGO_PKG_VERSION")))
            .build();
        let server = client.server.as_str().to_owned();
        Self { agent: config.new_agent(), server, app: client.app }
    }

    /// The app that is meant.
    pub(super) fn app(&self) -> &Name {
        &self.app
    }

    /// A request to a path below the app's.
    pub(super) fn request<'a>(&self, method: Method, segments: &[&str]) -> Request<'a> {
        let app = ["v1", "apps", self.app.as_str()];
        Request::new(method, &[&app, segments].concat())
    }

    /// Sends a request and waits for its answer.
    ///
    /// # Errors
    /// [`super::Error::Problem`] if the server refuses, [`super::Error::Client`] if
    /// there is no answer that could be understood.
    pub(super) fn send(&self, request: Request<'_>) -> Result<Answer, super::Error> {
        let change = request.change;
        let response = self.run(request).map_err(|error| self.no_answer(&error, change))?;
        self.answer(response, change)
    }

    fn answer(
        &self,
        response: http::Response<ureq::Body>,
        change: bool,
    ) -> Result<Answer, super::Error> {
        let (parts, mut body) = response.into_parts();
        let body = body.with_config().limit(ANSWER_BYTES_MAX).read_to_vec();
        let body = body.map_err(|error| self.no_answer(&error, change))?;
        let status = parts.status.as_u16();
        let answer = Answer { status, body, headers: parts.headers };
        if parts.status.is_success() {
            return Ok(answer);
        }
        let retry_after = answer.header("retry-after").and_then(|text| text.parse().ok());
        match Problem::parse(&answer.body, status, retry_after) {
            Some(problem) => Err(super::Error::Problem(Box::new(problem))),
            None => Err(self.odd(&answer, &beginning(&answer.body)).into()),
        }
    }

    /// Sends a request whose answer may go on for so long, and gives its body.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub(super) fn stream(
        &self,
        request: Request<'_>,
        at_most: Duration,
    ) -> Result<impl io::Read, super::Error> {
        let request = request.patience(at_most);
        let response = self.run(request).map_err(|error| self.no_answer(&error, false))?;
        if response.status().is_success() {
            return Ok(response.into_body().into_reader());
        }
        match self.answer(response, false) {
            Ok(answer) => Err(self.odd(&answer, "it is no stream").into()),
            Err(error) => Err(error),
        }
    }

    /// Sends a request and reads its answer as JSON of a certain shape.
    ///
    /// # Errors
    /// As [`Client::send`]; an answer of another shape is odd.
    pub(super) fn read<T: serde::de::DeserializeOwned>(
        &self,
        request: Request<'_>,
    ) -> Result<(T, Answer), super::Error> {
        let answer = self.send(request)?;
        Ok((self.parsed(&answer)?, answer))
    }

    /// An answer's body as JSON of a certain shape.
    ///
    /// # Errors
    /// [`Error::Odd`] if it has another.
    pub(super) fn parsed<T: serde::de::DeserializeOwned>(
        &self,
        answer: &Answer,
    ) -> Result<T, Error> {
        serde_json::from_slice(&answer.body).map_err(|error| self.odd(answer, &error.to_string()))
    }

    fn run(&self, request: Request<'_>) -> Result<http::Response<ureq::Body>, ureq::Error> {
        let mut url = format!("{}{}", self.server, request.path);
        if !request.query.is_empty() {
            url = format!("{url}?{}", request.query.join("&"));
        }
        // Without a length a body of none would be sent in chunks.
        let bodily = [Method::PUT, Method::POST].contains(&request.method);
        let empty = bodily.then_some(&[][..]);
        let mut builder = http::Request::builder().method(request.method).uri(url);
        for (name, value) in request.headers {
            builder = builder.header(name, value);
        }
        match request.body.or(empty) {
            Some(body) => self.run_with(builder.body(body)?, request.patience),
            None => self.run_with(builder.body(())?, request.patience),
        }
    }

    fn run_with<B: AsSendBody>(
        &self,
        request: http::Request<B>,
        patience: Duration,
    ) -> Result<http::Response<ureq::Body>, ureq::Error> {
        let configured = self.agent.configure_request(request);
        self.agent.run(configured.timeout_global(Some(patience)).build())
    }

    fn no_answer(&self, error: &ureq::Error, change: bool) -> Error {
        let server = self.server.clone();
        match explained(error) {
            (Sent::No, reason) => Error::Unreachable { server, reason },
            (Sent::Perhaps, reason) => Error::Lost { server, reason, change },
        }
    }

    fn odd(&self, answer: &Answer, reason: &str) -> Error {
        let (server, reason) = (self.server.clone(), reason.to_owned());
        Error::Odd { server, status: answer.status, reason }
    }
}

impl Answer {
    /// A header's text, if it has one.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl Error {
    /// A word for programs.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "unreachable",
            Self::Lost { .. } => "no-answer",
            Self::Odd { .. } => "odd-answer",
        }
    }

    /// Writes what became of the request, and what to do.
    pub(super) fn write_rest(&self, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Self::Unreachable { .. } => {
                writeln!(out, "  nothing was sent")?;
                let start = "`chancery serve` starts a server, `chancery dev` one for a project";
                writeln!(out, "  {start}; --server names another")
            }
            Self::Lost { change: true, .. } => {
                writeln!(out, "  whether it was done is not known; look before you try again")
            }
            Self::Lost { change: false, .. } => writeln!(out, "  nothing was changed; try again"),
            Self::Odd { .. } => writeln!(out, "  is this a Chancery server of the same version?"),
        }
    }
}

/// Whether a request that has no answer may have arrived.
enum Sent {
    No,
    Perhaps,
}

/// What happened, in words of the system where it has some.
fn explained(error: &ureq::Error) -> (Sent, String) {
    use io::ErrorKind;
    match error {
        ureq::Error::HostNotFound => (Sent::No, "there is no such host".to_owned()),
        ureq::Error::ConnectionFailed | ureq::Error::BadUri(_) | ureq::Error::Http(_) => {
            (Sent::No, error.to_string())
        }
        ureq::Error::Timeout(ureq::Timeout::Resolve | ureq::Timeout::Connect) => {
            (Sent::No, format!("no connection within {} s", CONNECT_MAX.as_secs()))
        }
        ureq::Error::Timeout(_) => (Sent::Perhaps, "it took too long".to_owned()),
        ureq::Error::Io(error) => match error.kind() {
            // These can only come before a byte is sent.
            ErrorKind::ConnectionRefused
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::AddrNotAvailable
            | ErrorKind::PermissionDenied => (Sent::No, error.to_string()),
            ErrorKind::UnexpectedEof
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe => (Sent::Perhaps, "the connection was closed".to_owned()),
            _ => (Sent::Perhaps, error.to_string()),
        },
        _ => (Sent::Perhaps, error.to_string()),
    }
}

/// A segment or parameter as it stands in a URL (RFC 3986, section 2.3).
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn beginning(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let shown: String = text.chars().take(ODD_CHARS_MAX).collect();
    match shown.is_empty() {
        true => "it is empty".to_owned(),
        false => clean(&shown),
    }
}
