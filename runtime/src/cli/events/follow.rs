//! Following events: shows each as it comes.

use super::super::client::Client;
use super::super::follow::{self, Message};
use super::super::output::Output;
use super::{Error, Event, Events};

pub(super) fn follow(
    events: &Events,
    client: &Client,
    output: &mut Output<'_>,
) -> Result<(), Error> {
    let mut each = |message: Message<'_>| show(message, output);
    match follow::follow(client, || events.wanted(client), &mut each)? {}
}

/// Names of the server's own begin with `$`.
fn show(message: Message<'_>, output: &mut Output<'_>) -> Result<(), Error> {
    if message.name.starts_with('$') {
        return Ok(());
    }
    if output.for_programs() {
        return Ok(output.document(message.data.as_bytes())?);
    }
    match serde_json::from_str::<Event>(message.data) {
        Ok(event) => Ok(output.line(&event.row().join("  "))?),
        // Of a newer server.
        Err(_) => Ok(output.line(message.data)?),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::output::Audience;
    use super::*;

    fn shown(stream: &str) -> (String, Option<String>) {
        let (mut out, mut last) = (Vec::new(), Some("h/0".to_owned()));
        let mut output = Output::new(&mut out, Audience::Programs);
        let mut each = |message: Message<'_>| show(message, &mut output);
        follow::read(stream.as_bytes(), &mut last, &mut each).expect("shown");
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
