//! A client of server-sent events.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value as Json;

use crate::Server;

/// How long a client waits for a line.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection over which messages come.
#[derive(Debug)]
pub struct Stream {
    lines: BufReader<TcpStream>,
    /// The id of the last message, or of a comment after it.
    pub id: String,
}

/// One message as it came.
#[derive(Debug, Clone)]
pub struct Message {
    /// What it is called.
    pub name: String,
    /// What it says.
    pub data: Json,
}

impl Stream {
    /// Asks for a stream; the path is below that of the app `main`.
    ///
    /// # Panics
    /// If it is not given.
    #[must_use]
    #[track_caller]
    pub fn open(server: &Server, path: &str, id: Option<&str>) -> Self {
        Self::request(server, "GET", path, id, "")
    }

    /// As [`Stream::open`], by any method, with a body of JSON.
    ///
    /// # Panics
    /// As [`Stream::open`].
    #[must_use]
    #[track_caller]
    pub fn request(
        server: &Server,
        method: &str,
        path: &str,
        id: Option<&str>,
        body: &str,
    ) -> Self {
        let mut stream = TcpStream::connect(server.address()).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let last = id.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
        let length = body.len();
        write!(
            stream,
            "{method} /v1/apps/main{path} HTTP/1.1\r\nHost: localhost\r\n\
             Accept: text/event-stream\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n{last}\r\n{body}"
        )
        .expect("sent");
        let id = id.unwrap_or_default().to_owned();
        let mut stream = Self { lines: BufReader::new(stream), id };
        let status = stream.line().expect("a status");
        assert!(status.starts_with("HTTP/1.1 200"), "{status}");
        while stream.line().is_some_and(|line| !line.is_empty()) {}
        stream
    }

    /// A query that stays open.
    ///
    /// # Panics
    /// As [`Stream::open`].
    #[must_use]
    #[track_caller]
    pub fn query(server: &Server, name: &str, input: &Json, more: &str) -> Self {
        let input = input.to_string();
        let input: String = input.bytes().map(|byte| format!("%{byte:02X}")).collect();
        Self::open(server, &format!("/queries/{name}?input={input}{more}"), None)
    }

    /// The next message; none at the end. What is between, the sizes of chunks and
    /// comments, has no field's name.
    ///
    /// # Panics
    /// If nothing comes for a minute, or what comes is no message.
    pub fn message(&mut self) -> Option<Message> {
        let (mut name, mut data) = (String::new(), None);
        loop {
            let line = self.line()?;
            match line.split_once(": ") {
                Some(("id", id)) => id.clone_into(&mut self.id),
                Some(("event", event)) => event.clone_into(&mut name),
                Some(("data", text)) => data = Some(serde_json::from_str(text).expect("JSON")),
                // The end of a message, if there is one.
                _ if line.is_empty() => {
                    if let Some(data) = data.take() {
                        return Some(Message { name, data });
                    }
                }
                _ => {}
            }
        }
    }

    /// The number in the id of the last message.
    ///
    /// # Panics
    /// If it has none.
    #[must_use]
    pub fn number(&self) -> u64 {
        let (_, number) = self.id.split_once('/').expect("a history and a number");
        number.parse().expect("a number")
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.lines.read_line(&mut line).expect("a line");
        (read > 0).then(|| line.trim_end().to_owned())
    }
}
