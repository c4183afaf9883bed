//! How values are written: one form for flags, environment, file and messages.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::engine::webhooks::Targets;
use crate::http::{Hosts, Origins};
use crate::value::Name;

/// A value that can be written as one word. `parse(to_text(v))` is `v`.
pub trait Text: Sized {
    /// Reads it.
    ///
    /// # Errors
    /// What it should look like, as the end of a sentence.
    fn parse(text: &str) -> Result<Self, String>;

    /// Writes it.
    fn to_text(&self) -> String;
}

/// How no targets at all, and no directory, are written.
const NOWHERE: &str = "nowhere";

/// A number of bytes, written `64MiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

/// For how long something is kept; none is for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Keep(pub(super) Option<Duration>);

impl PartialOrd for Keep {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        let for_ever = |keep: &Self| keep.0.unwrap_or(Duration::MAX);
        for_ever(self).partial_cmp(&for_ever(other))
    }
}

/// A directory where something is kept; none keeps nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept(pub(super) Option<PathBuf>);

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people on a terminal and in files alike; colours only on a terminal.
    Auto,
    /// One JSON object a line.
    Json,
}

/// The address of a server: `http://`, a host and a port, without a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerUrl(String);

impl ServerUrl {
    /// The address, without a slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for ServerUrl {
    /// Where `chancery serve` listens unless told otherwise.
    fn default() -> Self {
        Self("http://127.0.0.1:7070".to_owned())
    }
}

impl Text for ServerUrl {
    fn parse(text: &str) -> Result<Self, String> {
        const EXPECTED: &str = "an address such as http://127.0.0.1:7070, without a path";
        if text.starts_with("https://") {
            let advice = "this client speaks no TLS yet; use http:// on this machine or a tunnel";
            return Err(advice.to_owned());
        }
        let uri: http::Uri = text.parse().map_err(|_invalid| EXPECTED.to_owned())?;
        let host = uri.host().is_some_and(|host| !host.is_empty());
        let bare = uri.path() == "/" && uri.query().is_none() && !text.contains('@');
        match uri.scheme_str() {
            Some("http") if host && bare => Ok(Self(text.trim_end_matches('/').to_owned())),
            _ => Err(EXPECTED.to_owned()),
        }
    }

    fn to_text(&self) -> String {
        self.0.clone()
    }
}

impl Text for Targets {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            NOWHERE => Ok(Self::default()),
            text => text.parse(),
        }
    }

    fn to_text(&self) -> String {
        match *self == Self::default() {
            true => NOWHERE.to_owned(),
            false => self.to_string(),
        }
    }
}

impl Text for Hosts {
    fn parse(text: &str) -> Result<Self, String> {
        text.parse()
    }

    fn to_text(&self) -> String {
        self.to_string()
    }
}

impl Text for Origins {
    fn parse(text: &str) -> Result<Self, String> {
        text.parse()
    }

    fn to_text(&self) -> String {
        self.to_string()
    }
}

impl Text for Name {
    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|invalid: crate::value::Invalid| invalid.to_string())
    }

    fn to_text(&self) -> String {
        self.to_string()
    }
}

impl Text for SocketAddr {
    fn parse(text: &str) -> Result<Self, String> {
        let address = match text.strip_prefix("localhost:") {
            Some(port) => format!("127.0.0.1:{port}").parse(),
            None => text.parse(),
        };
        let expected = "an address and a port, such as 127.0.0.1:7070; port 0 chooses one";
        address.map_err(|_invalid| expected.to_owned())
    }

    fn to_text(&self) -> String {
        self.to_string()
    }
}

impl Text for PathBuf {
    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("the path of a directory".to_owned());
        }
        Ok(Self::from(text))
    }

    fn to_text(&self) -> String {
        self.display().to_string()
    }
}

impl Text for Kept {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            NOWHERE => Ok(Self(None)),
            text => Ok(Self(Some(PathBuf::parse(text)?))),
        }
    }

    fn to_text(&self) -> String {
        self.0.as_ref().map_or_else(|| NOWHERE.to_owned(), PathBuf::to_text)
    }
}

impl Text for bool {
    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_invalid| "true or false".to_owned())
    }

    fn to_text(&self) -> String {
        self.to_string()
    }
}

impl Text for u32 {
    fn parse(text: &str) -> Result<Self, String> {
        text.replace('_', "").parse().map_err(|_invalid| "a whole number, such as 4096".to_owned())
    }

    fn to_text(&self) -> String {
        self.to_string()
    }
}

impl Text for LogFormat {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "json" => Ok(Self::Json),
            _ => Err("auto or json".to_owned()),
        }
    }

    fn to_text(&self) -> String {
        match self {
            Self::Auto => "auto".to_owned(),
            Self::Json => "json".to_owned(),
        }
    }
}

impl Text for Bytes {
    fn parse(text: &str) -> Result<Self, String> {
        let parsed = scaled(text, BYTE_UNITS).map(Self);
        parsed.ok_or_else(|| "a number of bytes, such as 512KiB, 64MiB or 1GiB".to_owned())
    }

    fn to_text(&self) -> String {
        in_largest_unit(self.0, BYTE_UNITS)
    }
}

impl Text for Duration {
    fn parse(text: &str) -> Result<Self, String> {
        let parsed = scaled(text, TIME_UNITS).map(Self::from_millis);
        parsed.ok_or_else(|| "a time with its unit, such as 500ms, 5s, 10m or 24h".to_owned())
    }

    fn to_text(&self) -> String {
        let ms = u64::try_from(self.as_millis()).unwrap_or(u64::MAX);
        in_largest_unit(ms, TIME_UNITS)
    }
}

impl Text for Keep {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "forever" => Ok(Self(None)),
            _ => match Duration::parse(text) {
                Ok(duration) => Ok(Self(Some(duration))),
                Err(_) => Err("forever, or a time with its unit, such as 720h".to_owned()),
            },
        }
    }

    fn to_text(&self) -> String {
        self.0.map_or_else(|| "forever".to_owned(), |duration| duration.to_text())
    }
}

/// Units and what they are in the smallest, the largest first.
type Units = &'static [(&'static str, u64)];

/// A bare number is bytes; powers of ten would only invite mistakes.
const BYTE_UNITS: Units =
    &[("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1), ("", 1)];
/// No bare numbers: seconds or milliseconds, one would have to know.
const TIME_UNITS: Units = &[("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];

fn scaled(text: &str, units: Units) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '_').unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    let number: u64 = number.replace('_', "").parse().ok()?;
    let (_, scale) = units.iter().find(|(name, _)| *name == unit.trim_start())?;
    number.checked_mul(*scale)
}

fn in_largest_unit(number: u64, units: Units) -> String {
    let fits = units.iter().find(|(_, scale)| number >= *scale && number.is_multiple_of(*scale));
    match fits.or(units.iter().find(|(_, scale)| *scale == 1)) {
        Some((unit, scale)) => format!("{}{unit}", number / scale),
        None => number.to_string(),
    }
}
