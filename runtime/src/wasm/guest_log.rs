//! Lines that guests write for the people who run the server, cut and counted.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use tracing::{debug, error, info, trace, warn};

use super::contract::chancery::app::log::Level;
use super::script::Places;

/// A line, in bytes; the rest is cut off.
const LINE_BYTES_MAX: usize = 8 << 10;
/// Lines of a call; the rest are dropped and counted.
const LINES_MAX: u32 = 100;
/// How much of its last error line goes into the message of a trap, in bytes.
/// The message is kept in the log and sent to the client.
const LAST_WORDS_BYTES_MAX: usize = 1 << 10;

/// Which handler is called, and for what. Messages and log lines name it.
#[derive(Clone, Debug)]
pub(super) struct Callee {
    /// `query`, `command`, or `export` for `describe`.
    pub(super) kind: &'static str,
    pub(super) name: Arc<str>,
    /// The id of the command or of the query's request.
    pub(super) id: Arc<str>,
    /// The app and module, such as `main/shop`.
    pub(super) module: Arc<str>,
}

impl fmt::Display for Callee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} `{}`", self.kind, self.name)
    }
}

/// What one instance writes.
#[derive(Debug)]
pub(super) struct GuestLog {
    callee: Callee,
    lines: u32,
    dropped: u32,
    /// Whether lines are not written, but for the one that a trap's message quotes.
    pub(super) is_mute: bool,
    /// The last line at error level in this call: where a Rust guest panics, its
    /// SDK writes the panic's message here before it traps.
    last_error: Option<String>,
}

impl GuestLog {
    pub(super) fn new(callee: Callee) -> Self {
        Self { callee, lines: 0, dropped: 0, is_mute: false, last_error: None }
    }

    /// A call begins.
    pub(super) fn begin(&mut self, callee: Callee) {
        *self = Self::new(callee);
    }

    /// A script was evaluated, and the call itself begins: its lines are written, and what
    /// was said before is not the reason for what goes wrong now.
    pub(super) fn evaluated(&mut self) {
        self.is_mute = false;
        self.last_error = None;
    }

    /// A call has ended: says how many lines were dropped.
    pub(super) fn end(&mut self) {
        if self.dropped > 0 {
            let Callee { name, id, module, .. } = &self.callee;
            let dropped = std::mem::take(&mut self.dropped);
            warn!(target: "guest", %module, %name, %id, dropped, "too many lines in one call");
        }
    }

    /// Writes a line; an error's names places in the files that a script was made from.
    pub(super) fn write(&mut self, level: Level, message: &str, places: Option<&Places>) {
        let message = cut(message, LINE_BYTES_MAX);
        let named = match (level, places) {
            (Level::Error, Some(places)) => Cow::Owned(places.name_in(message)),
            _ => Cow::Borrowed(message),
        };
        if let Level::Error = level {
            self.last_error = Some(cut(&named, LAST_WORDS_BYTES_MAX).to_owned());
        }
        if self.is_mute {
            return;
        }
        if self.lines >= LINES_MAX {
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        self.lines += 1;
        let Callee { name, id, module, .. } = &self.callee;
        let message = cut(&named, LINE_BYTES_MAX);
        match level {
            Level::Trace => trace!(target: "guest", %module, %name, %id, "{message}"),
            Level::Debug => debug!(target: "guest", %module, %name, %id, "{message}"),
            Level::Info => info!(target: "guest", %module, %name, %id, "{message}"),
            Level::Warn => warn!(target: "guest", %module, %name, %id, "{message}"),
            Level::Error => error!(target: "guest", %module, %name, %id, "{message}"),
        }
    }

    pub(super) fn callee(&self) -> &Callee {
        &self.callee
    }

    pub(super) fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }
}

fn cut(text: &str, bytes_max: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes_max)).unwrap_or(text)
}
