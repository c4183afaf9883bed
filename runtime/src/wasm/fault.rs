//! Why the host stops a guest: the errors that host functions and limits raise,
//! kept apart from the traps of WebAssembly itself.

use super::script::ScriptError;
use crate::transaction::Refusal;

/// What a guest did that the host does not go along with.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// The store would not have it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("it used a handle of an earlier call; handles are given for one call")]
    StaleHandle,
    #[error("it needs more than {bytes_max} bytes of memory")]
    MemoryLimit { bytes_max: usize },
    #[error("its tables need more than {elements_max} elements")]
    TableLimit { elements_max: usize },
    #[error("it has more than {cursors_max} cursors open; drop those that are done with")]
    TooManyCursors { cursors_max: usize },
    #[error("it has used up the {max} handles of an instance")]
    TooManyHandles { max: u32 },
    #[error("it asked for {keys} keys in one call; at most {keys_max} are allowed")]
    TooManyKeys { keys: usize, keys_max: usize },
    #[error("it asked for {bytes} bytes in one call; at most {bytes_max} are allowed")]
    TooManyBytes { bytes: usize, bytes_max: usize },
    /// A script that cannot be evaluated.
    #[error("{0}")]
    Script(Box<ScriptError>),
    /// Not the guest's doing, and never recorded as if it were.
    #[error("{0}")]
    Host(String),
}

impl Fault {
    /// The code of the failure it becomes; none if it is the host's own.
    pub(super) fn code(&self) -> Option<&'static str> {
        match self {
            Self::Refused(refusal) => Some(refusal.code()),
            Self::StaleHandle => Some("stale-handle"),
            Self::MemoryLimit { .. } | Self::TableLimit { .. } => Some("memory-limit"),
            Self::TooManyCursors { .. } | Self::TooManyHandles { .. } => Some("handle-limit"),
            Self::TooManyKeys { .. } => Some("too-many-keys"),
            Self::TooManyBytes { .. } => Some("too-many-bytes"),
            Self::Script(_) => Some("script-failed"),
            Self::Host(_) => None,
        }
    }
}
