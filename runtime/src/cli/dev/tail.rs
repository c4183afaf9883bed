//! What is executed while a project is served, entry by entry.
//!
//! It is asked for, as any client would: what is new in the list of receipts.

use std::sync::mpsc::Sender;
use std::time::Duration;

use http::Method;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Happened;
use crate::cli::Error;
use crate::cli::client::{Client, Request};
use crate::cli::receipt::Receipt;

/// How often it is asked: at once for a person, and nothing for a server.
const EVERY: Duration = Duration::from_millis(150);
/// How often at least while there is no answer.
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// How many are read at one time.
const PAGE: u32 = 200;
/// How many are shown of those that were executed between two questions: more than a
/// person reads, and as many as a second of work makes.
const SHOWN_MAX: usize = 2000;

/// What there is to be told.
pub(super) enum News {
    /// Something was executed.
    Entry(Box<Entry>),
    /// More was executed at once than is shown.
    Skipped {
        /// What was told last.
        after: u64,
        /// What is told next.
        before: u64,
    },
    /// What is executed cannot be read; it is asked for again, from where it was.
    Lost {
        /// What was told last.
        after: u64,
        /// Why it cannot be read.
        error: Box<Error>,
    },
    /// It can be read again.
    Found,
}

/// What became of an entry.
pub(super) struct Entry {
    /// For people.
    pub(super) receipt: Receipt,
    /// For programs.
    pub(super) document: Box<RawValue>,
}

/// What was executed since, the oldest first.
struct New {
    entries: Vec<Entry>,
    /// Whether there were others before these.
    is_cut: bool,
}

#[derive(Deserialize)]
struct App {
    sequence: u64,
}

#[derive(Deserialize)]
struct Page {
    commands: Vec<Box<RawValue>>,
    next: Option<u64>,
}

/// Tells of every entry from now on, until nobody listens.
pub(super) fn start(client: Client, happened: Sender<Happened>) -> Result<(), Error> {
    let (app, _) = client.read::<App>(client.request(Method::GET, &[]))?;
    let tail = move || {
        follow(&client, app.sequence, |news| happened.send(Happened::News(news)).is_ok());
    };
    let thread = std::thread::Builder::new().name("chancery-tail".into()).spawn(tail);
    let thread =
        thread.map_err(|error| Error::Serve { message: format!("cannot start a thread: {error}") });
    thread.map(drop)
}

/// Tells of every entry after one, for as long as somebody listens.
fn follow(client: &Client, mut last: u64, mut tell: impl FnMut(News) -> bool) {
    let mut pause = EVERY;
    loop {
        let is_lost = pause > EVERY;
        let news = match since(last, client) {
            Ok(new) => {
                pause = EVERY;
                let found = is_lost.then_some(News::Found);
                let before = new.entries.first().map(|entry| entry.receipt.sequence);
                let skipped = before.filter(|_| new.is_cut);
                let skipped = skipped.map(|before| News::Skipped { after: last, before });
                last = new.entries.last().map_or(last, |entry| entry.receipt.sequence);
                let entries = new.entries.into_iter().map(|entry| News::Entry(Box::new(entry)));
                found.into_iter().chain(skipped).chain(entries).collect()
            }
            Err(error) => {
                pause = (pause * 2).min(PAUSE_MAX);
                let lost = || News::Lost { after: last, error: Box::new(error) };
                Vec::from_iter((!is_lost).then(lost))
            }
        };
        if !news.into_iter().all(&mut tell) {
            return;
        }
        std::thread::sleep(pause);
    }
}

/// What was executed after an entry. The server lists the newest first.
fn since(last: u64, client: &Client) -> Result<New, Error> {
    let mut entries = Vec::new();
    let mut before = None;
    let is_cut = 'pages: loop {
        let request: Request<'_> = client.request(Method::GET, &["commands"]);
        let request = request.query("limit", Some(PAGE)).query("before", before);
        let (page, _) = client.read::<Page>(request)?;
        for document in page.commands {
            let Ok(receipt) = serde_json::from_str::<Receipt>(document.get()) else { continue };
            if receipt.sequence <= last {
                break 'pages false;
            }
            entries.push(Entry { receipt, document });
        }
        before = page.next;
        if before.is_none() || entries.len() >= SHOWN_MAX {
            break before.is_some();
        }
    };
    entries.reverse();
    // What follows one that has no outcome yet is told after it.
    let settled = entries.iter().take_while(|entry| entry.receipt.is_settled()).count();
    entries.truncate(settled);
    Ok(New { entries, is_cut })
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::thread::{self, JoinHandle};

    use super::*;
    use crate::cli::client::tests::client;

    /// A server that answers one request after the other, each on a connection of its
    /// own, and ends with what it was asked.
    fn answering(answers: Vec<String>) -> (String, JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let server = format!("http://{}", listener.local_addr().expect("an address"));
        let serving = thread::spawn(move || {
            let answer = |answer: String| {
                let (mut stream, _) = listener.accept().expect("a connection");
                let head = BufReader::new(&stream).lines().map_while(Result::ok);
                let head: Vec<String> = head.take_while(|line| !line.is_empty()).collect();
                stream.write_all(answer.as_bytes()).expect("an answer");
                head.into_iter().next().expect("a request")
            };
            answers.into_iter().map(answer).collect()
        });
        (server, serving)
    }

    fn page(entries: &[(u64, &str)], next: Option<u64>) -> String {
        let receipt = |(sequence, status): &(u64, &str)| {
            serde_json::json!({ "id": "i", "sequence": sequence, "kind": "command", "name": "buy",
                "status": status })
        };
        let commands: Vec<_> = entries.iter().map(receipt).collect();
        let body = serde_json::json!({ "commands": commands, "next": next }).to_string();
        let length = body.len();
        format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}")
    }

    #[test]
    fn what_cannot_be_read_for_a_while_is_told_and_gone_on_with() {
        let body = r#"{"title":"Busy","code":"busy","retry":"later","detail":"too much"}"#;
        let busy = format!(
            "HTTP/1.1 503 Unavailable\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let (done, waits) = ("succeeded", "accepted");
        let (server, serving) = answering(vec![
            page(&[(7, done)], None),
            busy,
            // It breaks off.
            String::new(),
            page(&[(10, done), (9, done)], Some(9)),
            page(&[(8, done), (7, done)], None),
            page(&[(12, waits), (11, done), (10, done)], Some(10)),
        ]);
        let mut told = Vec::new();
        follow(&client(&server), 7, |news| {
            told.push(match news {
                News::Entry(entry) => format!("entry {}", entry.receipt.sequence),
                News::Skipped { after, before } => format!("skipped {after} to {before}"),
                News::Lost { after, error } => format!("lost after {after}: {error}"),
                News::Found => "found".to_owned(),
            });
            told.len() < 6
        });
        let wanted =
            ["lost after 7: too much", "found", "entry 8", "entry 9", "entry 10", "entry 11"];
        assert_eq!(told, wanted);
        let asked = serving.join().expect("requests");
        let asked: Vec<&str> =
            asked.iter().filter_map(|line| line.split(['?', ' ']).nth(2)).collect();
        let first = "limit=200";
        assert_eq!(asked, [first, first, first, first, "limit=200&before=9", first]);
    }
}
