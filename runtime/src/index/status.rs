//! How far an entry has come, in a word. Knows no files.

use crate::record::{Outcome, Verdict};
use crate::value::Invalid;

/// How far an entry has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// Logged; its turn has not come.
    Accepted,
    /// Executed, and its changes are kept.
    Succeeded,
    /// Executed, and refused by its handler.
    Rejected,
    /// Its handler trapped or exceeded a limit.
    Failed,
}

impl Status {
    /// The status of an outcome.
    #[must_use]
    pub fn of(outcome: &Outcome) -> Self {
        match outcome.verdict {
            Verdict::Succeeded(_) => Self::Succeeded,
            Verdict::Rejected(_) => Self::Rejected,
            Verdict::Failed(_) => Self::Failed,
        }
    }

    /// The word for it, in receipts and filters.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Succeeded => "succeeded",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
        }
    }
}

impl std::str::FromStr for Status {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let all = [Self::Accepted, Self::Succeeded, Self::Rejected, Self::Failed];
        let found = all.into_iter().find(|status| status.as_str() == text);
        found.ok_or_else(|| Invalid {
            what: "status",
            reason: format!("`{text}` must be accepted, succeeded, rejected or failed"),
        })
    }
}
