//! A target of webhooks: a small HTTP server that answers as a test says, and keeps
//! what it was sent.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

/// How long is waited for what should come.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a target says to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Says {
    /// A status.
    Status(u16),
    /// A status, and a line of the head.
    With(u16, String),
    /// Nothing, and the connection stays open.
    Nothing,
    /// Nothing, and the connection is closed.
    Hangup,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Received {
    /// The path, with the query.
    pub path: String,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Json,
    /// What was said to it.
    pub answered: Says,
}

impl Received {
    /// A header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(header, _)| header == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The position of the event in it.
    ///
    /// # Panics
    /// If there is none.
    #[must_use]
    pub fn position(&self) -> u64 {
        let text = self.header("chancery-event-position").expect("a position");
        text.parse().expect("a number")
    }
}

type Answers = Box<dyn FnMut(&Received) -> Says + Send>;

/// The server. Its threads end with the process.
#[derive(Clone)]
pub struct Target {
    address: SocketAddr,
    answers: Arc<Mutex<Answers>>,
    received: Arc<Mutex<Vec<Received>>>,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Target({})", self.address)
    }
}

impl Target {
    /// A target that says yes to everything.
    ///
    /// # Panics
    /// If it cannot listen.
    #[must_use]
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let answers: Answers = Box::new(|_| Says::Status(204));
        let answers = Arc::new(Mutex::new(answers));
        let target = Self { address, answers, received: Arc::default() };
        let serving = target.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let serving = serving.clone();
                // Whoever breaks off is done.
                std::thread::spawn(move || serving.serve(stream).unwrap_or_default());
            }
        });
        target
    }

    /// From now on it says this.
    pub fn says(&self, answers: impl FnMut(&Received) -> Says + Send + 'static) {
        *lock(&self.answers) = Box::new(answers);
    }

    /// Its address, and a path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// All it was sent, in order.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        lock(&self.received).clone()
    }

    /// The positions of the events that it was sent, in order.
    #[must_use]
    pub fn positions(&self) -> Vec<u64> {
        self.received().iter().map(Received::position).collect()
    }

    /// Waits until it was sent so many.
    ///
    /// # Panics
    /// If it is not.
    #[must_use]
    pub fn wait_for(&self, requests: usize) -> Vec<Received> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let received = self.received();
            if received.len() >= requests {
                return received;
            }
            assert!(Instant::now() < deadline, "{} of {requests} came", received.len());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut answering = stream.try_clone()?;
        let mut stream = BufReader::new(stream);
        while let Some(mut received) = read(&mut stream)? {
            // One at a time, so that the order of what is kept is that of the answers.
            let mut answers = lock(&self.answers);
            let says = answers(&received);
            received.answered = says.clone();
            lock(&self.received).push(received);
            drop(answers);
            let (status, line) = match says {
                Says::Status(status) => (status, String::new()),
                Says::With(status, line) => (status, format!("{line}\r\n")),
                // Until the other side closes it.
                Says::Nothing => return stream.read_to_end(&mut Vec::new()).map(drop),
                Says::Hangup => return Ok(()),
            };
            let body = if status == 204 { "" } else { "Content-Length: 2\r\n\r\nok" };
            let end = if status == 204 { "\r\n" } else { "" };
            write!(answering, "HTTP/1.1 {status} So\r\n{line}{body}{end}")?;
        }
        Ok(())
    }
}

/// The next request; none at the end.
fn read(stream: &mut impl BufRead) -> std::io::Result<Option<Received>> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let path = lines.first().and_then(|line| line.split(' ').nth(1)).unwrap_or_default().to_owned();
    let headers = lines.iter().skip(1).filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    let headers: Vec<_> = headers.collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.and_then(|(_, text)| text.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    let body = serde_json::from_slice(&body).unwrap_or_default();
    Ok(Some(Received { path, headers, body, answered: Says::Nothing }))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
