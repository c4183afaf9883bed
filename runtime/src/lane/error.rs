//! Why a lane cannot be opened.

use std::path::PathBuf;

use crate::value::Name;
use crate::{catalog, index, recovery};

/// Why a lane cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The log cannot be recovered.
    #[error("app `{app}` cannot be recovered")]
    Recovery {
        /// Which app.
        app: Name,
        /// Why.
        source: recovery::Error,
    },
    /// A module that is deployed cannot be loaded.
    #[error("app `{app}` cannot run")]
    Catalog {
        /// Which app.
        app: Name,
        /// Why.
        source: catalog::Error,
    },
    /// The slot file cannot be used.
    #[error("app `{app}`: cannot use {path}")]
    Slot {
        /// Which app.
        app: Name,
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The index cannot be opened.
    #[error("app `{app}`: cannot open the index")]
    Index {
        /// Which app.
        app: Name,
        /// Why.
        source: index::Error,
    },
    /// What is indexed of events cannot be opened or made.
    #[error("app `{app}`: cannot look after its events")]
    Events {
        /// Which app.
        app: Name,
        /// Why.
        source: crate::events::FillError,
    },
    /// The log took no record.
    #[error("app `{app}`: cannot append to the log")]
    Log {
        /// Which app.
        app: Name,
        /// Why.
        source: crate::log::Error,
    },
}
