//! What a client prefers, as RFC 7240 has it: how long to wait, or to keep
//! nothing. Preferences that are not known are ignored, as that RFC says.

use std::time::Duration;

use http::{HeaderMap, StatusCode};

/// The preferences that commands know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Prefer {
    /// How long to wait for the outcome.
    pub(super) wait: Duration,
    respond_async: bool,
    /// Whether to execute the command and keep nothing of it.
    pub(super) dry_run: bool,
    wait_given: bool,
}

impl Prefer {
    /// Reads the fields named `Prefer`.
    pub(super) fn of(headers: &HeaderMap, wait_default: Duration, wait_max: Duration) -> Self {
        let mut wait = None;
        let mut prefer =
            Self { wait: wait_default, respond_async: false, dry_run: false, wait_given: false };
        let fields = headers.get_all("prefer").iter();
        for preference in fields.flat_map(|field| field.to_str().unwrap_or_default().split(',')) {
            // What follows a `;` are parameters, and none is known.
            let preference = preference.split(';').next().unwrap_or_default();
            let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
            let value = value.trim().trim_matches('"');
            match name.trim().to_ascii_lowercase().as_str() {
                // The first of several counts.
                "wait" => wait = wait.or(value.parse().ok()),
                "respond-async" => prefer.respond_async = true,
                "dry-run" => prefer.dry_run = true,
                _ => {}
            }
        }
        match wait {
            Some(seconds) => {
                prefer.wait = Duration::from_secs(seconds).min(wait_max);
                prefer.wait_given = true;
            }
            None if prefer.respond_async => prefer.wait = Duration::ZERO,
            None => {}
        }
        prefer
    }

    /// What `Preference-Applied` says; nothing if nothing was preferred. A client
    /// that wants no outcome gets one all the same if it was there at once.
    pub(super) fn applied(&self, status: StatusCode) -> Option<String> {
        if self.dry_run {
            return Some("dry-run".to_owned());
        }
        let mut applied = Vec::new();
        if self.respond_async && status == StatusCode::ACCEPTED {
            applied.push("respond-async".to_owned());
        }
        if self.wait_given {
            applied.push(format!("wait={}", self.wait.as_secs()));
        }
        (!applied.is_empty()).then(|| applied.join(", "))
    }
}
