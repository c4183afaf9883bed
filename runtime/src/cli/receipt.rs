//! What became of an entry, as people read it.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::json;
use super::output::Output;

/// A receipt. Members that a newer server adds are left unread.
#[derive(Debug, Deserialize)]
pub(super) struct Receipt {
    /// The command's id, or the entry's own.
    pub(super) id: String,
    /// Its place.
    pub(super) sequence: u64,
    /// What was asked: `command`, `deploy`, `remove`, `drop-table`, `erase`,
    /// `schedule`, `cancel-timer`.
    pub(super) kind: String,
    /// Of a command, module or table.
    pub(super) name: String,
    /// How far it has come.
    pub(super) status: String,
    /// When it got its place.
    #[serde(default)]
    pub(super) accepted_at: String,
    /// When a timer was to submit it.
    #[serde(default)]
    scheduled_for: String,
    #[serde(default)]
    module: Option<String>,
    #[serde(default)]
    module_hash: Option<String>,
    #[serde(default)]
    result: Option<Box<RawValue>>,
    #[serde(default)]
    result_base64: Option<String>,
    /// Why it was refused or failed.
    #[serde(default)]
    pub(super) failure: Option<Failure>,
    #[serde(default)]
    events: Vec<Event>,
    #[serde(default)]
    changes: u64,
    #[serde(default)]
    elapsed_us: Option<u64>,
    #[serde(default)]
    erased: bool,
}

/// What a handler said when it refused.
#[derive(Debug, Deserialize)]
pub(super) struct Failure {
    /// For programs.
    pub(super) code: String,
    /// For people.
    pub(super) message: String,
    #[serde(default)]
    details: Option<Box<RawValue>>,
}

/// An event that a command emitted, or would.
#[derive(Debug, Deserialize)]
pub(super) struct Event {
    #[serde(rename = "type")]
    event_type: String,
    #[serde(default)]
    subject: Option<String>,
    #[serde(default)]
    data: Option<Box<RawValue>>,
}

impl Receipt {
    /// Whether it did what was asked.
    pub(super) fn succeeded(&self) -> bool {
        self.status == "succeeded"
    }

    /// Whether it has been executed.
    pub(super) fn is_settled(&self) -> bool {
        self.status != "accepted"
    }

    /// The types of its events, in order.
    pub(super) fn event_types(&self) -> impl Iterator<Item = &str> {
        self.events.iter().map(|event| event.event_type.as_str())
    }

    /// How many rows it changed.
    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    /// The error that a refusal is; none if it is no refusal.
    pub(super) fn refusal(&self) -> Option<super::Error> {
        if self.succeeded() || !self.is_settled() {
            return None;
        }
        let failure = self.failure.as_ref();
        Some(super::Error::Entry {
            message: failure.map_or_else(|| self.status.clone(), |one| one.message.clone()),
            code: failure.map_or_else(|| self.status.clone(), |one| one.code.clone()),
            sequence: self.sequence,
        })
    }

    /// Writes all of it.
    pub(super) fn write(&self, output: &mut Output<'_>) -> std::io::Result<()> {
        output.fields(&[("id", self.id.clone())])?;
        self.write_rest(output)
    }

    /// Writes all but the id, which stands above already.
    pub(super) fn write_rest(&self, output: &mut Output<'_>) -> std::io::Result<()> {
        // What runs no handler takes no time.
        let elapsed = self.elapsed_us.filter(|us| *us > 0);
        output.fields(&[
            ("entry", format!("{}, {} {}", self.sequence, self.kind, self.name)),
            ("status", self.status.clone()),
            ("erased", if self.erased { "yes".to_owned() } else { String::new() }),
            ("accepted", self.accepted_at.clone()),
            ("scheduled", self.scheduled_for.clone()),
            ("module", version(self.module.as_deref(), self.module_hash.as_deref())),
        ])?;
        if let Some(failure) = &self.failure {
            write_failure(failure, output)?;
        }
        let bytes = self.result_base64.as_ref().map(|text| format!("{text} (base64)"));
        let result = self.result.as_ref().map(|json| json::compact(json.get()));
        output.fields(&[("result", result.or(bytes).unwrap_or_default())])?;
        write_events(&self.events, output)?;
        output.fields(&[
            ("changes", counted(self.changes, "row")),
            ("took", elapsed.map(duration).unwrap_or_default()),
        ])
    }

    /// The cells of a list of receipts.
    pub(super) fn row(&self) -> Vec<String> {
        let failure = self.failure.as_ref().map(|failure| failure.code.clone());
        vec![
            self.sequence.to_string(),
            self.accepted_at.clone(),
            format!("{} {}", self.kind, self.name),
            self.status.clone(),
            self.id.clone(),
            failure.unwrap_or_default(),
        ]
    }

    /// The headings above such cells.
    pub(super) const HEADINGS: [&str; 6] = ["entry", "accepted", "what", "status", "id", "code"];
}

pub(super) fn write_failure(failure: &Failure, output: &mut Output<'_>) -> std::io::Result<()> {
    let details = failure.details.as_ref().map(|json| json::compact(json.get()));
    output.fields(&[
        ("failure", format!("{} ({})", failure.message, failure.code)),
        ("details", details.unwrap_or_default()),
    ])
}

pub(super) fn write_events(events: &[Event], output: &mut Output<'_>) -> std::io::Result<()> {
    for event in events {
        let subject = event.subject.as_deref().unwrap_or_default();
        let data = event.data.as_ref().map(|json| json::compact(json.get()));
        let parts = [event.event_type.as_str(), subject, data.as_deref().unwrap_or_default()];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        output.fields(&[("event", parts.join("  "))])?;
    }
    Ok(())
}

/// A module and the beginning of its hash: enough to tell versions apart.
pub(super) fn version(module: Option<&str>, hash: Option<&str>) -> String {
    match (module, hash) {
        (Some(module), Some(hash)) => format!("{module} {}", short(hash)),
        (Some(module), None) => module.to_owned(),
        (None, _) => String::new(),
    }
}

/// The beginning of a hash.
pub(super) fn short(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}

/// A number of things; nothing for none.
pub(super) fn counted(number: u64, noun: &str) -> String {
    match number {
        0 => String::new(),
        1 => format!("1 {noun}"),
        _ => format!("{number} {noun}s"),
    }
}

fn duration(us: u64) -> String {
    match us {
        0..1000 => format!("{us} µs"),
        1000..1_000_000 => format!("{}.{} ms", us / 1000, us % 1000 / 100),
        _ => format!("{}.{} s", us / 1_000_000, us % 1_000_000 / 100_000),
    }
}
