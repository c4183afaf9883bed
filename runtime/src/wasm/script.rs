//! JavaScript as text: what is kept of an upload, and how an instance evaluates it.
//!
//! A script runs in the base, a component with a QuickJS engine that the server carries
//! (`guest-sdk/js/base` in the repository). What is uploaded is kept as a JavaScript file
//! whose first line names the base it was accepted with, so that the hash of the file is
//! that of both and a later server runs an old script as it ran before.

mod base;
mod error;
mod loader;
mod places;
mod snapshot;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

pub use self::base::{BASE_HASH, base_bytes, prepare};
pub(super) use self::base::{Base, Bases};
pub use self::error::{ScriptError, ScriptErrorKind};
pub(super) use self::loader::Loader;
pub(super) use self::places::{Places, carrying};
pub(super) use self::snapshot::of_script as snapshot;
use super::refused::Refused;
use crate::value::Hash;

/// A script, in bytes, without its source map: 2 MiB. Fresh instances may have to
/// evaluate it, which at this size takes a good part of a query's deadline.
pub const SCRIPT_BYTES_MAX: usize = 2 << 20;
/// What stacks call a script, in bytes.
pub const FILE_BYTES_MAX: usize = 128;

/// How the file of a script begins; the hash of the base follows.
const HEAD: &str = "// chancery-script base=";
/// How stacks call the files of the SDK, which they leave out.
const SDK: &str = "chancery-sdk/";
/// Before the name of the file.
const FILE: &str = " file=";

/// A script as it was uploaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// The base that evaluates it.
    pub base: Hash,
    /// What stacks call it, such as `shop.js`.
    pub file: String,
    /// One ES module, perhaps with a source map at its end.
    pub source: String,
}

impl Script {
    /// A script for the base of this server, if it may be one.
    ///
    /// # Errors
    /// [`Refused::NotJavaScript`] if it is not text, or a name is not one of a file;
    /// [`Refused::TooLarge`].
    pub fn new(file: &str, upload: &[u8]) -> Result<Self, Refused> {
        let refused = |reason: String| Refused::NotJavaScript { reason };
        if file.starts_with(SDK) {
            return Err(refused(format!("the file's name {file:?} begins as those of the SDK do")));
        }
        let is_plain = |c: char| c.is_alphanumeric() || "._-/@+".contains(c);
        if file.is_empty() || file.len() > FILE_BYTES_MAX || !file.chars().all(is_plain) {
            let reason = format!(
                "the file's name {file:?} cannot be used: 1 to {FILE_BYTES_MAX} bytes of \
                 letters, digits, `.`, `_`, `-`, `/`, `@` and `+`"
            );
            return Err(refused(reason));
        }
        let source = std::str::from_utf8(upload).map_err(|error| {
            let at = error.valid_up_to();
            refused(format!("the script is not UTF-8: byte {at} does not belong there"))
        })?;
        if source.contains('\0') {
            return Err(refused("the script contains a zero byte".to_owned()));
        }
        // What was kept and is sent back as it was.
        let source = Self::parse(upload).map_or(source.into(), |kept| Cow::Owned(kept.source));
        let bytes = places::split(&source).0.len();
        if bytes > SCRIPT_BYTES_MAX {
            return Err(Refused::TooLarge { bytes, bytes_max: SCRIPT_BYTES_MAX });
        }
        let file = file.to_owned();
        Ok(Self { base: *BASE_HASH, file, source: source.into_owned() })
    }

    /// What is kept of it: a JavaScript file, whose hash is that of the module.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let Self { base, file, source } = self;
        format!("{HEAD}{base}{FILE}{file}\n{source}").into_bytes()
    }

    /// Reads what [`Script::to_bytes`] wrote; none if it is something else.
    #[must_use]
    pub fn parse(kept: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(kept).ok()?;
        let (head, source) = text.strip_prefix(HEAD)?.split_once('\n')?;
        let (base, file) = head.split_once(FILE)?;
        let base = base.parse().ok()?;
        Some(Self { base, file: file.to_owned(), source: source.to_owned() })
    }

    /// Whether it is one that [`Script::new`] makes, but for its base.
    pub(super) fn check(&self) -> Result<(), Refused> {
        Self::new(&self.file, self.source.as_bytes()).map(drop)
    }

    /// Whether bytes are what is kept of a script, by how they begin.
    #[must_use]
    pub fn is_kept(bytes: &[u8]) -> bool {
        bytes.starts_with(HEAD.as_bytes())
    }

    /// What is evaluated: the source without its map.
    #[must_use]
    pub fn code(&self) -> &str {
        places::split(&self.source).0
    }

    /// A line of the source, from 1.
    fn line(&self, number: u32) -> Option<&str> {
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        self.source.lines().nth(index)
    }

    /// Where it comes from, if it is a bundle with a map.
    pub(super) fn places(&self) -> Option<Places> {
        Places::read(&self.file, places::split(&self.source).1?)
    }
}
