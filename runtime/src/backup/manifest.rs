//! `backup.json`: what is in a backup. Does no I/O.
//!
//! Paths in it are of one or two segments, of the kinds of files that an app has:
//! whatever else somebody wrote there is refused, so that nothing is read or written
//! outside of the directories that are meant.

use std::path::Path;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Error;
use crate::checkpoint::Generation;
use crate::value::{Hash, History, Name, Sequence};

/// The name of the file.
pub const MANIFEST: &str = "backup.json";
/// The version of the layout that this server writes, and the only one it reads.
const FORMAT_VERSION: u64 = 1;
/// The directories whose files are copied.
pub(super) const DIRECTORIES: [&str; 3] = ["log", "modules", "events"];

/// What is in a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Of which app.
    pub app: Name,
    /// Of which history its last round is.
    pub history: History,
    /// The last entry in it.
    pub entry: Sequence,
    /// The last outcome in it; entries after it are executed when it is restored.
    pub outcome: Sequence,
    /// Its last round.
    pub round: u64,
    /// When it was made, in milliseconds since 1970.
    pub time_ms: u64,
    /// The version of the server that made it.
    pub server: String,
    /// Its files.
    pub files: Vec<FileOf>,
}

/// A file of a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileOf {
    /// Its path in the backup, with `/`.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// The hash of its bytes.
    pub hash: Hash,
}

#[derive(Serialize, Deserialize)]
struct ManifestJson {
    format: u64,
    app: String,
    history: Uuid,
    sequence: u64,
    outcome: u64,
    round: u64,
    time: String,
    server: String,
    files: Vec<FileJson>,
}

#[derive(Deserialize)]
struct FormatJson {
    format: u64,
}

#[derive(Serialize, Deserialize)]
struct FileJson {
    path: String,
    bytes: u64,
    sha256: String,
}

impl Manifest {
    /// Bytes of all files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let file = |file: &FileOf| FileJson {
            path: file.path.clone(),
            bytes: file.bytes,
            sha256: file.hash.to_string(),
        };
        let json = ManifestJson {
            format: FORMAT_VERSION,
            app: self.app.to_string(),
            history: self.history.0,
            sequence: self.entry.0,
            outcome: self.outcome.0,
            round: self.round,
            time: time_text(self.time_ms),
            server: self.server.clone(),
            files: self.files.iter().map(file).collect(),
        };
        // Strings and integers: there is nothing in it that could not be written.
        let mut text = serde_json::to_vec_pretty(&json).unwrap_or_default();
        text.push(b'\n');
        text
    }

    /// What the bytes of the file at `path` say.
    pub(super) fn decode(path: &Path, bytes: &[u8]) -> Result<Self, Error> {
        let wrong = |what: String| Error::Manifest { path: path.into(), what };
        let unreadable = |error: serde_json::Error| wrong(format!("it cannot be read: {error}"));
        // The version first: what else there is, is another's to define.
        let found = serde_json::from_slice::<FormatJson>(bytes).map_err(unreadable)?.format;
        if found != FORMAT_VERSION {
            return Err(Error::UnknownFormat { path: path.into(), found });
        }
        let json: ManifestJson = serde_json::from_slice(bytes).map_err(unreadable)?;
        let invalid = |error: crate::value::Invalid| wrong(error.to_string());
        let time: jiff::Timestamp = json.time.parse().map_err(|error| wrong(format!("{error}")))?;
        let mut files = Vec::with_capacity(json.files.len());
        for file in json.files {
            if !is_ours(&file.path) {
                return Err(wrong(format!("`{}` is no file of an app", file.path.escape_debug())));
            }
            let hash = file.sha256.parse().map_err(invalid)?;
            files.push(FileOf { path: file.path, bytes: file.bytes, hash });
        }
        Ok(Self {
            app: json.app.parse().map_err(invalid)?,
            history: History(json.history),
            entry: Sequence(json.sequence),
            outcome: Sequence(json.outcome),
            round: json.round,
            time_ms: u64::try_from(time.as_millisecond()).unwrap_or_default(),
            server: json.server,
            files,
        })
    }
}

/// A time as it stands in names: `20261121T163524Z`.
pub(super) fn time_in_name(time_ms: u64) -> String {
    let text = time_text(time_ms / 1000 * 1000);
    text.chars().filter(|c| !matches!(c, '-' | ':')).collect()
}

fn time_text(time_ms: u64) -> String {
    let time = i64::try_from(time_ms).ok();
    let time = time.and_then(|time| jiff::Timestamp::from_millisecond(time).ok());
    time.unwrap_or_default().to_string()
}

/// Whether this is a path that a backup writes.
fn is_ours(path: &str) -> bool {
    let is_plain = |name: &str| {
        let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        !name.is_empty() && !name.starts_with('.') && name.chars().all(known)
    };
    match path.split_once('/') {
        None => Generation::BOTH.iter().any(|generation| generation.file_name() == path),
        Some((directory, name)) => DIRECTORIES.contains(&directory) && is_plain(name),
    }
}
