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
/// How many are read at one time. Of more than that in one interval only the last are
/// shown.
const PAGE: u32 = 200;

/// What became of an entry.
pub(super) struct Entry {
    /// For people.
    pub(super) receipt: Receipt,
    /// For programs.
    pub(super) document: Box<RawValue>,
}

#[derive(Deserialize)]
struct App {
    sequence: u64,
}

#[derive(Deserialize)]
struct Page {
    commands: Vec<Box<RawValue>>,
}

/// Tells of every entry from now on, until nobody listens.
pub(super) fn start(client: Client, happened: Sender<Happened>) -> Result<(), Error> {
    let (app, _) = client.read::<App>(client.request(Method::GET, &[]))?;
    let mut last = app.sequence;
    let tail = move || {
        // A server that is gone has nothing to tell; whoever waits for it ends too.
        while let Ok(entries) = after(last, &client) {
            for entry in entries {
                last = entry.receipt.sequence;
                if happened.send(Happened::Entry(Box::new(entry))).is_err() {
                    return;
                }
            }
            std::thread::sleep(EVERY);
        }
    };
    let thread = std::thread::Builder::new().name("chancery-tail".into()).spawn(tail);
    let thread =
        thread.map_err(|error| Error::Serve { message: format!("cannot start a thread: {error}") });
    thread.map(drop)
}

/// What was executed after an entry, the oldest first.
fn after(last: u64, client: &Client) -> Result<Vec<Entry>, Error> {
    let request: Request<'_> = client.request(Method::GET, &["commands"]);
    let (page, _) = client.read::<Page>(request.query("limit", Some(PAGE)))?;
    let mut entries = Vec::new();
    for document in page.commands {
        let Ok(receipt) = serde_json::from_str::<Receipt>(document.get()) else { continue };
        if receipt.sequence <= last {
            break;
        }
        entries.push(Entry { receipt, document });
    }
    entries.reverse();
    // What follows one that has no outcome yet is told after it.
    let settled = entries.iter().take_while(|entry| entry.receipt.is_settled()).count();
    entries.truncate(settled);
    Ok(entries)
}
