//! A site of its own origin: one page, the client that it imports, and an ear for what the
//! page saw.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::Value as Json;

/// How long a browser may take for all of it, on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(180);

pub(super) struct Site {
    url: String,
    page: Arc<Mutex<String>>,
    saw: Receiver<String>,
}

impl Site {
    /// Begins to listen; there is no page yet.
    pub(super) fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let page = Arc::new(Mutex::new(String::new()));
        let (told, saw) = channel();
        let served = Arc::clone(&page);
        // Browsers open connections that they may never use.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (page, told) = (Arc::clone(&served), told.clone());
                thread::spawn(move || answer(stream, &page, &told));
            }
        });
        Self { url, page, saw }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn serve(&self, page: &str) {
        page.clone_into(&mut self.page.lock().expect("nobody panicked"));
    }

    /// What the page saw.
    pub(super) fn saw(&self) -> Json {
        let text = self.saw.recv_timeout(PATIENCE).expect("the page says what it saw");
        serde_json::from_str(&text).expect("JSON")
    }
}

/// One request on each connection.
fn answer(stream: TcpStream, page: &Mutex<String>, told: &Sender<String>) {
    let mut stream = BufReader::new(stream);
    let mut head = Vec::new();
    for line in stream.by_ref().lines().map_while(Result::ok) {
        if line.is_empty() {
            break;
        }
        head.push(line);
    }
    let Some((method, path)) = head.first().and_then(|line| {
        let mut words = line.split(' ');
        Some((words.next()?, words.next()?))
    }) else {
        return;
    };
    let length = head.iter().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("content-length").then(|| value.parse().ok())?
    });
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).expect("a whole body");
    let (status, kind, text) = match (method, path) {
        ("GET", "/") => ("200 OK", "text/html", page.lock().expect("a page").clone()),
        ("POST", "/saw") => {
            told.send(String::from_utf8(body).expect("text")).unwrap_or(());
            ("204 No Content", "text/plain", String::new())
        }
        _ => match client(path) {
            Some(source) => ("200 OK", "text/javascript", source),
            None => ("404 Not Found", "text/plain", String::new()),
        },
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}; charset=utf-8\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        text.len()
    );
    let stream = stream.get_mut();
    // A browser that has gone needs no answer.
    drop(stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(text.as_bytes())));
}

/// A file of the client, as npm would have it.
fn client(path: &str) -> Option<String> {
    let file = path.strip_prefix("/chancery-client/")?;
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../guest-sdk/js/client/src");
    let is_plain = file.chars().all(|c| c.is_ascii_lowercase() || c == '.');
    std::fs::read_to_string(sources.join(file)).ok().filter(|_| is_plain)
}
