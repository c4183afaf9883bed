//! Following events: reads what the server sends, and takes it up again when the
//! connection is lost, from the event that came last.

use std::io::{BufRead, BufReader, IsTerminal, Write};
use std::time::Duration;

use super::super::client::{self, Client};
use super::super::output::{self, Output};
use super::{Error, Event, Events};

/// A connection that has died unnoticed is given up after so long; one that lives is
/// taken up again, and nobody notices.
const CONNECTION_MAX: Duration = Duration::from_secs(10 * 60);
/// How long to wait before connecting again, at first, and at most.
const WAITS: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(8));

pub(super) fn follow(
    events: &Events,
    client: &Client,
    output: &mut Output<'_>,
) -> Result<(), Error> {
    let mut last: Option<String> = None;
    let mut wait = WAITS.0;
    // Until the first connection what is wrong is wrong with the command line.
    let mut has_connected = false;
    loop {
        let mut request = events.wanted(client).header("accept", "text/event-stream");
        if let Some(last) = &last {
            request = request.header("last-event-id", last);
        }
        match client.stream(request, CONNECTION_MAX) {
            Ok(stream) => {
                has_connected = true;
                let before = last.clone();
                read(BufReader::new(stream), &mut last, output)?;
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

/// Reads frames until the connection ends, however it does.
fn read(
    stream: impl BufRead,
    last: &mut Option<String>,
    output: &mut Output<'_>,
) -> Result<(), Error> {
    let (mut id, mut name, mut data) = (None, String::new(), String::new());
    for line in stream.lines() {
        let Ok(line) = line else { return Ok(()) };
        match line.split_once(": ").unwrap_or((&line, "")) {
            ("id", text) => id = Some(text.to_owned()),
            ("event", text) => text.clone_into(&mut name),
            ("data", text) => data.push_str(text),
            ("", "") => {
                // What is shown was taken; if showing fails it is not.
                if !data.is_empty() && !name.starts_with('$') {
                    show(&data, output)?;
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

fn show(data: &str, output: &mut Output<'_>) -> Result<(), Error> {
    if output.for_programs() {
        return Ok(output.document(data.as_bytes())?);
    }
    match serde_json::from_str::<Event>(data) {
        Ok(event) => Ok(output.line(&event.row().join("  "))?),
        // Of a newer server.
        Err(_) => Ok(output.line(data)?),
    }
}

/// Standard output has events and nothing else.
fn tell(error: &Error) {
    if std::io::stderr().is_terminal() {
        let style = output::FAINT;
        let mut stderr = anstream::stderr().lock();
        let text = output::clean(&error.to_string());
        drop(writeln!(stderr, "{style}{text}; trying again{style:#}"));
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::output::Audience;
    use super::*;

    fn shown(stream: &str) -> (String, Option<String>) {
        let (mut out, mut last) = (Vec::new(), Some("h/0".to_owned()));
        let mut output = Output::new(&mut out, Audience::Programs);
        read(stream.as_bytes(), &mut last, &mut output).expect("shown");
        (String::from_utf8(out).expect("text"), last)
    }

    #[test]
    fn frames_are_shown_and_what_came_last_is_kept() {
        let (text, last) = shown(
            "id: h/1\nevent: a\ndata: {\"n\":1}\n\nid: h/1\nevent: $caught-up\ndata: {}\n\n\
             : still here\nid: h/7\n\nid: h/8\nevent: b\ndata: {\"n\":8}\n\nid: h/9\nevent: c\n",
        );
        assert_eq!(text, "{\"n\":1}\n{\"n\":8}\n");
        assert_eq!(last.as_deref(), Some("h/8"), "what was cut off comes again");
    }

    #[test]
    fn nothing_is_lost_before_the_first_frame() {
        assert_eq!(shown("id: h/1\nevent: a\n"), (String::new(), Some("h/0".to_owned())));
    }
}
