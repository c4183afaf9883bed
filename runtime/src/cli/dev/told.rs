//! What a person sees while a project is served; programs get a JSON document a line.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use serde_json::{Value as Json, json};

use super::tail::{Entry, News};
use crate::cli::Error;
use crate::cli::deploy::Deployed;
use crate::cli::output::{Output, bytes, clean};
use crate::cli::project::{Module, Project};
use crate::cli::receipt::{counted, short};
use crate::cli::version::VERSION;
use crate::value::Name;

const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();

/// Modules that were in place at the start.
pub(super) struct Standing {
    /// That of the project.
    pub(super) own: Option<String>,
    /// All of them.
    pub(super) modules: Vec<String>,
}

pub(super) fn started(
    url: &str,
    app: &Name,
    data: &Path,
    project: &Project,
    output: &mut Output<'_>,
) -> Result<(), Error> {
    let data = std::path::absolute(data).unwrap_or_else(|_| data.to_owned());
    let data = data.display().to_string();
    let api = format!("{url}/v1/apps/{app}");
    let watching = project.root().display().to_string();
    if output.for_programs() {
        let document = json!({ "type": "serving", "version": VERSION, "address": url, "api": api,
            "app": app.as_str(), "data": data, "watching": watching });
        return line(&document, output);
    }
    output.headline(&format!("chancery {VERSION}"))?;
    output.fields(&[
        ("API", api),
        ("ready", format!("{url}/readyz")),
        ("data", data),
        ("watching", format!("{watching} ({})", project.language())),
    ])?;
    Ok(output.line("Ctrl-C ends it; what was acknowledged is kept")?)
}

pub(super) fn live(
    module: &Module,
    deployed: &Deployed,
    took: Duration,
    output: &mut Output<'_>,
) -> Result<(), Error> {
    let plan = &deployed.plan;
    let sequence = deployed.receipt.as_ref().map(|receipt| receipt.sequence);
    if output.for_programs() {
        let document = json!({ "type": "live", "module": plan.module, "hash": plan.hash,
            "sequence": sequence, "unchanged": plan.unchanged, "bytes": module.bytes.len(),
            "took_ms": u64::try_from(took.as_millis()).unwrap_or(u64::MAX) });
        return line(&document, output);
    }
    let length = bytes(u64::try_from(module.bytes.len()).unwrap_or(u64::MAX));
    let (name, version) = (&plan.module, short(&plan.hash));
    let what = match sequence {
        None => format!("{name} {version}, as before ({length})"),
        Some(n) => format!("{name} {version} as entry {n} in {} ms ({length})", took.as_millis()),
    };
    marked(GOOD, "live", &what, output)?;
    Ok(plan.write(output)?)
}

pub(super) fn unchanged(output: &mut Output<'_>) -> Result<(), Error> {
    match output.for_programs() {
        true => line(&json!({ "type": "unchanged" }), output),
        false => marked(GOOD, "live", "as before; nothing was changed", output),
    }
}

pub(super) fn broken(
    error: &Error,
    live: Option<&Name>,
    standing: &Standing,
    output: &mut Output<'_>,
) -> Result<(), Error> {
    if output.for_programs() {
        let live = live.map(Name::as_str).or(standing.own.as_deref());
        let document = json!({ "type": "broken", "problem": problem(error), "live": live });
        return line(&document, output);
    }
    let mut text = Vec::new();
    error.write(&mut text)?;
    output.raw(&text)?;
    let what = match (live, &standing.own) {
        (Some(name), _) => format!("the version of {name} before this edit stays in place"),
        (None, Some(name)) => format!("the version of {name} from before stays in place"),
        (None, None) if standing.modules.is_empty() => {
            "nothing is in place yet; mend it and save it".to_owned()
        }
        (None, None) => {
            let others = standing.modules.join(", ");
            format!("what was in place before stays so: {others}; mend it and save it")
        }
    };
    marked(BAD, "broken", &what, output)
}

pub(super) fn news(news: &News, output: &mut Output<'_>) -> Result<(), Error> {
    match news {
        News::Entry(one) => entry(one, output),
        News::Skipped { after, before } => {
            if output.for_programs() {
                let document = json!({ "type": "skipped", "after": after, "before": before });
                return line(&document, output);
            }
            let what = format!(
                "more than can be shown; `chancery commands` has those between {after} and {before}"
            );
            marked(BAD, "skipped", &what, output)
        }
        News::Lost { after, error } => {
            if output.for_programs() {
                let problem = problem(error);
                let document = json!({ "type": "lost", "after": after, "problem": problem });
                return line(&document, output);
            }
            let what = format!(
                "what is executed cannot be shown: {error}; it is shown from {after} on as soon as \
                 it can be read"
            );
            marked(BAD, "lost", &what, output)
        }
        News::Found if output.for_programs() => line(&json!({ "type": "found" }), output),
        News::Found => marked(GOOD, "found", "what is executed can be shown again", output),
    }
}

/// An error as programs get it.
fn problem(error: &Error) -> Json {
    serde_json::from_slice(&error.document().unwrap_or_default()).unwrap_or_default()
}

fn entry(entry: &Entry, output: &mut Output<'_>) -> Result<(), Error> {
    let Entry { receipt, document } = entry;
    // What was deployed from here was told already.
    if receipt.kind == "deploy" {
        return Ok(());
    }
    if output.for_programs() {
        let text = format!("{{\"type\":\"entry\",\"receipt\":{}}}", document.get());
        return Ok(output.document(text.as_bytes())?);
    }
    let time = receipt.accepted_at.get(11..19).unwrap_or_default();
    let what = match &receipt.failure {
        Some(failure) => format!("{} {}: {}", receipt.status, failure.code, failure.message),
        None => receipt.status.clone(),
    };
    let mut parts = vec![what];
    parts.extend(receipt.event_types().map(str::to_owned));
    parts.push(counted(receipt.changes(), "row"));
    parts.retain(|part| !part.is_empty());
    let (kind, name) = (&receipt.kind, &receipt.name);
    let what = format!("{} {kind} {name}: {}", receipt.sequence, parts.join(", "));
    match receipt.succeeded() {
        true => marked(Style::new().dimmed(), time, &what, output),
        false => marked(BAD, time, &what, output),
    }
}

pub(super) fn ended(output: &mut Output<'_>) -> Result<(), Error> {
    match output.for_programs() {
        true => line(&json!({ "type": "ended" }), output),
        false => Ok(output.line("ended; `chancery dev` goes on with the same data")?),
    }
}

fn line(document: &Json, output: &mut Output<'_>) -> Result<(), Error> {
    Ok(output.document(document.to_string().as_bytes())?)
}

/// A line that begins with a word in a style.
fn marked(style: Style, word: &str, what: &str, output: &mut Output<'_>) -> Result<(), Error> {
    let mut text = Vec::new();
    writeln!(text, "{style}{:<10}{style:#} {}", clean(word), clean(what))?;
    Ok(output.raw(&text)?)
}
