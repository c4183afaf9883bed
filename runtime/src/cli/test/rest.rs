//! Whether an app has come to rest: whether anything follows by itself from what was done.

use serde::Deserialize;

use http::Method;

use crate::cli::Error;
use crate::cli::client::Client;

#[derive(Deserialize)]
struct App {
    sequence: u64,
}

#[derive(Deserialize)]
struct Reactions {
    reactions: Vec<Reaction>,
}

#[derive(Deserialize)]
struct Reaction {
    status: String,
    on: Vec<String>,
    position: u64,
}

#[derive(Deserialize)]
struct Events {
    events: Vec<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Timers {
    timers: Vec<Timer>,
}

#[derive(Deserialize)]
struct Timer {
    due: String,
}

#[derive(Deserialize)]
struct Accepted {
    commands: Vec<serde::de::IgnoredAny>,
}

/// The last entry of an app.
pub(super) fn sequence(client: &Client) -> Result<u64, Error> {
    let (app, _) = client.read::<App>(client.request(Method::GET, &[]))?;
    Ok(app.sequence)
}

/// Whether nothing is left to be done at this time. Answers that were given while
/// something happened say nothing.
pub(super) fn has_come(client: &Client, now_ms: u64) -> Result<bool, Error> {
    let before = sequence(client)?;
    let rests = executed(client)? && fired(client, now_ms)? && reacted(client)?;
    Ok(rests && sequence(client)? == before)
}

fn executed(client: &Client) -> Result<bool, Error> {
    let request = client.request(Method::GET, &["commands"]);
    let request = request.query("status", Some("accepted")).query("limit", Some(1));
    let (page, _) = client.read::<Accepted>(request)?;
    Ok(page.commands.is_empty())
}

fn fired(client: &Client, now_ms: u64) -> Result<bool, Error> {
    let request = client.request(Method::GET, &["timers"]).query("limit", Some(1));
    let (page, _) = client.read::<Timers>(request)?;
    let now_ms = i64::try_from(now_ms).unwrap_or(i64::MAX);
    // They come in the order in which they are due.
    let Some(first) = page.timers.first() else { return Ok(true) };
    let due: Option<jiff::Timestamp> = first.due.parse().ok();
    Ok(due.is_none_or(|due| due.as_millisecond() > now_ms))
}

/// A reaction is where the last event is that concerned it.
fn reacted(client: &Client) -> Result<bool, Error> {
    let request = client.request(Method::GET, &["reactions"]);
    let (list, _) = client.read::<Reactions>(request)?;
    for reaction in list.reactions.iter().filter(|reaction| reaction.status == "running") {
        let mut request = client
            .request(Method::GET, &["events"])
            .query("after", Some(reaction.position))
            .query("limit", Some(1));
        for pattern in &reaction.on {
            request = request.query("type", Some(pattern));
        }
        let (page, _) = client.read::<Events>(request)?;
        if !page.events.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}
