//! A live query: shows each result as it comes.

use std::io::Write as _;

use http::Method;
use serde_json::value::RawValue;

use super::super::client::Client;
use super::super::follow::{self, Message};
use super::super::output::Output;
use super::super::problem::Problem;
use super::{Error, Query};

/// The status of a query that is not there, which the message of its end does not have.
const NOT_FOUND: u16 = 404;

pub(super) fn follow(
    query: &Query,
    name: &str,
    input: &str,
    client: &Client,
    output: &mut Output<'_>,
) -> Result<(), Error> {
    let request = || {
        client
            .request(Method::POST, &["queries", name])
            .query("at_least", query.at_least)
            .query("max_rate", query.max_rate)
            .body("application/json", input.as_bytes())
    };
    let mut last = None;
    let mut each = |message: Message<'_>| {
        // Another connection begins with the present answer.
        let answer = (message.name.to_owned(), message.data.to_owned());
        if last.as_ref() == Some(&answer) {
            return Ok(());
        }
        last = Some(answer);
        show(message, output)
    };
    match follow::follow(client, request, &mut each)? {}
}

fn show(message: Message<'_>, output: &mut Output<'_>) -> Result<(), Error> {
    let Message { id, name, data } = message;
    if name == "gone"
        && let Some(problem) = Problem::parse(data.as_bytes(), NOT_FOUND, None)
    {
        return Err(Error::Problem(Box::new(problem)));
    }
    let sequence = id.and_then(|id| Some(id.split_once('/')?.1)).unwrap_or("0");
    if output.for_programs() {
        let data: &RawValue = serde_json::from_str(data).unwrap_or(RawValue::NULL);
        let mut line = Vec::new();
        write!(line, r#"{{"sequence":{sequence},"{name}":{data}}}"#)?;
        return Ok(output.document(&line)?);
    }
    match name {
        "result" => output.headline(&format!("as of entry {sequence}"))?,
        _ => output.headline(&format!("as of entry {sequence}: {name}"))?,
    }
    Ok(output.value(data)?)
}

#[cfg(test)]
mod tests {
    use super::super::super::output::Audience;
    use super::*;

    fn shown(audience: Audience, name: &str, data: &str) -> Result<String, Error> {
        let mut out = Vec::new();
        let message = Message { id: Some("h/7"), name, data };
        show(message, &mut Output::new(&mut out, audience))?;
        Ok(String::from_utf8(out).expect("text"))
    }

    #[test]
    fn programs_get_a_line_and_people_the_entry_too() {
        let line = shown(Audience::Programs, "result", r#"{"left":3}"#).expect("shown");
        assert_eq!(line, "{\"sequence\":7,\"result\":{\"left\":3}}\n");
        let text = shown(Audience::People, "rejected", r#"{"code":"no"}"#).expect("shown");
        assert!(text.contains("as of entry 7: rejected"), "{text}");
        let text = shown(Audience::People, "result", "3").expect("shown");
        assert!(text.contains("as of entry 7") && text.ends_with("3\n"), "{text}");
    }

    #[test]
    fn a_query_that_is_gone_ends_it() {
        let gone = r#"{"code":"unknown-query","title":"gone","detail":"no such query"}"#;
        assert!(matches!(shown(Audience::Programs, "gone", gone), Err(Error::Problem(_))));
    }
}
