//! Lines for the people who run the server.
//!
//! The server writes the module and the id of the command or query beside each
//! line, cuts lines over 8 KiB, and drops what comes after 100 lines in a call.
//! In native tests lines go to standard error, which cargo shows for a test
//! that fails.
//!
//! ```
//! use chancery_sdk::log;
//!
//! log::info(format!("{} movies loaded", 3_201));
//! ```

use crate::host;

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Each step.
    Trace,
    /// What helps to find a fault.
    Debug,
    /// What is worth knowing.
    Info,
    /// What may become a fault.
    Warn,
    /// What went wrong.
    Error,
}

/// Writes a line at a level.
pub fn write(level: Level, message: impl AsRef<str>) {
    host::log(level, message.as_ref());
}

/// Writes a line about a single step.
pub fn trace(message: impl AsRef<str>) {
    write(Level::Trace, message);
}

/// Writes a line that helps to find a fault.
pub fn debug(message: impl AsRef<str>) {
    write(Level::Debug, message);
}

/// Writes a line that is worth knowing.
pub fn info(message: impl AsRef<str>) {
    write(Level::Info, message);
}

/// Writes a line about what may become a fault.
pub fn warn(message: impl AsRef<str>) {
    write(Level::Warn, message);
}

/// Writes a line about what went wrong.
pub fn error(message: impl AsRef<str>) {
    write(Level::Error, message);
}
