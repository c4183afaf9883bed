//! Following a stream of server-sent events: reads what the server sends, and takes it up
//! again when the connection is lost, from the message that came last.

use std::convert::Infallible;
use std::io::{BufRead, BufReader, IsTerminal, Write};
use std::time::Duration;

use super::client::{self, Client, Request};
use super::{Error, output};

/// A connection that has died unnoticed is given up after so long; one that lives is
/// taken up again, and nobody notices.
const CONNECTION_MAX: Duration = Duration::from_secs(10 * 60);
/// How long to wait before connecting again, at first, and at most.
const WAITS: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(8));

/// One message of a stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct Message<'a> {
    /// None if it was sent without one.
    pub(super) id: Option<&'a str>,
    /// What it is called.
    pub(super) name: &'a str,
    /// What it says.
    pub(super) data: &'a str,
}

/// Asks for a stream and gives `each` its messages, connection after connection.
///
/// # Errors
/// What `each` refuses, and what the server says that does not pass by itself.
pub(super) fn follow<'a>(
    client: &Client,
    request: impl Fn() -> Request<'a>,
    each: &mut dyn FnMut(Message<'_>) -> Result<(), Error>,
) -> Result<Infallible, Error> {
    let mut last: Option<String> = None;
    let mut wait = WAITS.0;
    // Until the first connection what is wrong is wrong with the command line.
    let mut has_connected = false;
    loop {
        let mut request = request().header("accept", "text/event-stream");
        if let Some(last) = &last {
            request = request.header("last-event-id", last);
        }
        match client.stream(request, CONNECTION_MAX) {
            Ok(stream) => {
                has_connected = true;
                let before = last.clone();
                read(BufReader::new(stream), &mut last, each)?;
                if last != before {
                    wait = WAITS.0;
                }
            }
            Err(error) if has_connected && may_pass(&error) => tell(&error),
            Err(error) => return Err(error),
        }
        std::thread::sleep(wait);
        wait = (wait * 2).min(WAITS.1);
    }
}

fn may_pass(error: &Error) -> bool {
    match error {
        Error::Client(client::Error::Odd { .. }) => false,
        Error::Client(_) => true,
        Error::Problem(problem) => problem.may_pass(),
        _ => false,
    }
}

/// Reads messages until the connection ends, however it does.
pub(super) fn read(
    stream: impl BufRead,
    last: &mut Option<String>,
    each: &mut dyn FnMut(Message<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    let (mut id, mut name, mut data) = (None, String::new(), String::new());
    for line in stream.lines() {
        let Ok(line) = line else { return Ok(()) };
        match line.split_once(": ").unwrap_or((&line, "")) {
            ("id", text) => id = Some(text.to_owned()),
            ("event", text) => text.clone_into(&mut name),
            ("data", text) => data.push_str(text),
            ("", "") => {
                // What was given out was taken; if that fails it was not.
                if !data.is_empty() {
                    each(Message { id: id.as_deref(), name: &name, data: &data })?;
                }
                *last = id.take().or(last.take());
                name.clear();
                data.clear();
            }
            _ => {}
        }
    }
    Ok(())
}

/// Standard output has what was asked for and nothing else.
fn tell(error: &Error) {
    if std::io::stderr().is_terminal() {
        let style = output::FAINT;
        let mut stderr = anstream::stderr().lock();
        let text = output::clean(&error.to_string());
        drop(writeln!(stderr, "{style}{text}; trying again{style:#}"));
    }
}
