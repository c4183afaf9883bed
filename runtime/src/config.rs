//! What can be set, and where each value came from.
//!
//! Flags win over the environment, the environment over `chancery.toml`, the file
//! over the defaults. Every value keeps its source, so that a message about it can
//! name the place to change, and `chancery config show` can answer "why is it that?".
//!
//! Nothing here opens a socket or touches the data directory: what is wrong with a
//! configuration is known before anything starts. Default values are those of the
//! modules they configure; this one only knows their ranges.

mod file;
pub mod key;
mod serve;
#[cfg(test)]
mod tests;
mod text;

use std::fmt;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

pub use file::File;
pub use key::Key;
pub use serve::Serve;
pub use text::{Bytes, LogFormat, ServerUrl, Text};

use crate::value::Name;

/// The file that is read from the working directory if it is there.
pub const FILE_NAME: &str = "chancery.toml";
/// The app that is meant when nobody names one.
const DEFAULT_APP: &str = "main";

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The command line.
    Flag(String),
    /// A variable of the environment.
    Environment(String),
    /// A line of the configuration file.
    File {
        /// Which file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    /// Nobody set it.
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::Environment(variable) => write!(f, "environment {variable}"),
            Self::File { path, line } => write!(f, "{}, line {line}", path.display()),
            Self::Default => write!(f, "default"),
        }
    }
}

/// A value and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// Who set it.
    pub source: Source,
}

/// A setting as `config show` lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// What was set.
    pub key: Key,
    /// To what, as one would write it.
    pub value: String,
    /// By whom.
    pub source: Source,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read {path}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{path}, line {line}: {message}")]
    Syntax {
        /// Which file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What the parser said.
        message: String,
    },
    /// The file sets something that does not exist.
    #[error("{path}, line {line}: there is no setting `{key}`{}", did_you_mean(.suggestion.as_deref()))]
    UnknownKey {
        /// Which file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What it sets.
        key: String,
        /// The nearest that exists.
        suggestion: Option<String>,
    },
    /// A value is not of the right kind or out of its range.
    #[error("`{key}` cannot be `{value}` ({origin}): {reason}")]
    Value {
        /// Which setting.
        key: Key,
        /// What it was set to.
        value: String,
        /// By whom.
        origin: Source,
        /// What it should be.
        reason: String,
    },
}

/// What flags, environment and file say, to be asked for one setting after another.
#[derive(Debug, Default)]
pub struct Layers {
    flags: Vec<(Key, String)>,
    environment: Vec<(String, String)>,
    file: File,
    shown: Vec<Shown>,
}

/// What every command that talks to a server has to know.
#[derive(Debug, Clone)]
pub struct Client {
    /// Where the server is.
    pub server: ServerUrl,
    /// The app that is meant.
    pub app: Name,
}

impl Layers {
    /// The layers, the strongest first. Of the environment only what begins with
    /// `CHANCERY_` matters.
    #[must_use]
    pub fn new(
        flags: Vec<(Key, String)>,
        environment: impl IntoIterator<Item = (String, String)>,
        file: File,
    ) -> Self {
        let ours = |(name, _): &(String, String)| name.starts_with(key::ENVIRONMENT_PREFIX);
        let environment = environment.into_iter().filter(ours).collect();
        Self { flags, environment, file, shown: Vec::new() }
    }

    /// A setting; the default if nobody set it.
    ///
    /// # Errors
    /// [`Error::Value`] if it was set to something it cannot be.
    pub fn setting<T: Text>(&mut self, key: Key, default: T) -> Result<Setting<T>, Error> {
        let setting = match self.find(key) {
            None => Setting { value: default, source: Source::Default },
            Some((text, source)) => parse(key, &text, source)?,
        };
        self.show(key, &setting);
        Ok(setting)
    }

    /// A setting that has to lie in a range.
    ///
    /// # Errors
    /// [`Error::Value`], which names the range.
    pub fn within<T: Text + PartialOrd>(
        &mut self,
        key: Key,
        default: T,
        range: RangeInclusive<T>,
    ) -> Result<T, Error> {
        let Setting { value, source } = self.setting(key, default)?;
        // A default is the word of the module it configures.
        if source == Source::Default || range.contains(&value) {
            return Ok(value);
        }
        let (least, most) = (range.start().to_text(), range.end().to_text());
        let reason = format!("from {least} to {most}");
        Err(Error::Value { key, value: value.to_text(), origin: source, reason })
    }

    /// Where the server is and which app is meant.
    ///
    /// # Errors
    /// [`Error::Value`] if either cannot be.
    pub fn client(&mut self) -> Result<Client, Error> {
        let server = self.setting(key::SERVER, ServerUrl::default())?.value;
        Ok(Client { server, app: self.app()? })
    }

    /// The app that is meant, and that a new server has from the start.
    ///
    /// # Errors
    /// [`Error::Value`] if it is no name.
    pub fn app(&mut self) -> Result<Name, Error> {
        let default = || (DEFAULT_APP.to_owned(), Source::Default);
        let (text, source) = self.find(key::APP).unwrap_or_else(default);
        let setting = parse(key::APP, &text, source)?;
        self.show(key::APP, &setting);
        Ok(setting.value)
    }

    /// How log lines look.
    ///
    /// # Errors
    /// [`Error::Value`] if it is no format.
    pub fn log_format(&mut self) -> Result<LogFormat, Error> {
        Ok(self.setting(key::LOG_FORMAT, LogFormat::Auto)?.value)
    }

    /// What has been asked for until now.
    #[must_use]
    pub fn shown(&self) -> &[Shown] {
        &self.shown
    }

    fn show<T: Text>(&mut self, key: Key, setting: &Setting<T>) {
        let (value, source) = (setting.value.to_text(), setting.source.clone());
        self.shown.push(Shown { key, value, source });
    }

    fn find(&self, key: Key) -> Option<(String, Source)> {
        if let Some((_, text)) = self.flags.iter().find(|(flag, _)| *flag == key) {
            return Some((text.clone(), Source::Flag(key.flag())));
        }
        let variable = key.variable();
        // An empty variable is how a shell unsets one for a single command.
        let set =
            self.environment.iter().find(|(name, text)| *name == variable && !text.is_empty());
        if let Some((_, text)) = set {
            return Some((text.clone(), Source::Environment(variable)));
        }
        self.file.get(key)
    }
}

/// The file to read: the one that was named, or the one in the working directory
/// if there is one.
///
/// # Errors
/// [`Error`] if it is named and not there, or is not a configuration.
pub fn read(named: Option<&Path>) -> Result<File, Error> {
    let path = named.unwrap_or(Path::new(FILE_NAME));
    match std::fs::read_to_string(path) {
        Ok(text) => File::parse(path, &text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && named.is_none() => {
            Ok(File::default())
        }
        Err(source) => Err(Error::Unreadable { path: path.to_owned(), source }),
    }
}

fn parse<T: Text>(key: Key, text: &str, source: Source) -> Result<Setting<T>, Error> {
    match T::parse(text) {
        Ok(value) => Ok(Setting { value, source }),
        Err(reason) => Err(Error::Value { key, value: text.to_owned(), origin: source, reason }),
    }
}

fn did_you_mean(suggestion: Option<&str>) -> String {
    suggestion.map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}
