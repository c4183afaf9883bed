//! What was going on at each step of a disk, for the table.

use std::fmt;
use std::path::Path;

use crate::disk::{Happened, Kind};

/// What a crash cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// An engine being opened on what is there.
    Open,
    /// An app being created.
    Create,
    /// A module being deployed.
    Deploy,
    /// A round being appended.
    Round,
    /// A segment being sealed, or the next one created.
    Seal,
    /// A checkpoint being written.
    Checkpoint,
    /// Segments being removed.
    Trim,
    /// Indexes being written.
    Index,
    /// Bodies being erased.
    Erase,
    /// The end in good order.
    Close,
    /// Recovery from an earlier crash.
    Recovery,
}

impl Phase {
    /// Every one of them.
    pub const ALL: [Self; 11] = [
        Self::Open,
        Self::Create,
        Self::Deploy,
        Self::Round,
        Self::Seal,
        Self::Checkpoint,
        Self::Trim,
        Self::Index,
        Self::Erase,
        Self::Close,
        Self::Recovery,
    ];

    fn of_mark(mark: &str) -> Option<Self> {
        Some(match mark {
            "open" => Self::Open,
            "create" => Self::Create,
            "deploy" => Self::Deploy,
            "checkpoint" => Self::Checkpoint,
            "trim" => Self::Trim,
            "index" => Self::Index,
            "erase" => Self::Erase,
            "close" => Self::Close,
            _ => return None,
        })
    }

    fn of_path(kind: Kind, path: &Path) -> Self {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let parent = path.parent().and_then(Path::file_name).and_then(|name| name.to_str());
        match (parent, kind) {
            _ if name.starts_with("state.") => Self::Checkpoint,
            (Some("modules"), _) => Self::Deploy,
            (Some("index"), _) => Self::Index,
            (Some("events"), _) => Self::Trim,
            (Some("log"), Kind::Remove) if name.ends_with(".redb") => Self::Trim,
            (Some("log"), _) if name.ends_with(".new") => Self::Seal,
            _ if name == "log" => Self::Seal,
            _ if name == "modules" => Self::Deploy,
            _ if name == "index" => Self::Index,
            _ => Self::Round,
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{self:?}").to_lowercase())
    }
}

/// For each step, what it belongs to; none if it changes nothing: a crash there is one
/// at the next step. A crash is counted with the step that it keeps from happening.
#[must_use]
pub fn phases(steps: &[Happened]) -> Vec<Option<Phase>> {
    let mut marks: Vec<Phase> = Vec::new();
    let mut phases: Vec<Option<Phase>> = Vec::with_capacity(steps.len());
    // Where the round before ended: the witness is written then.
    let mut round_end = 0;
    // Whether what the directory of the log has not synced is a removal.
    let mut removed = false;
    for (index, step) in steps.iter().enumerate() {
        let phase = match step {
            Happened::Mark(mark) => {
                if let Some(begun) = mark.strip_prefix('+').and_then(Phase::of_mark) {
                    marks.push(begun);
                } else if mark.starts_with('-') {
                    marks.pop();
                }
                None
            }
            Happened::Did { kind, .. } if !kind.changes() => None,
            Happened::Did { kind, path, .. } => {
                let by_path = match Phase::of_path(*kind, path) {
                    Phase::Seal if removed && *kind == Kind::SyncDirectory => Phase::Trim,
                    by_path => by_path,
                };
                match (by_path, kind) {
                    (Phase::Trim, Kind::Remove) => removed = true,
                    (Phase::Trim, Kind::SyncDirectory) => removed = false,
                    _ => {}
                }
                let is_new = *kind == Kind::Create && by_path == Phase::Seal;
                if is_new && marks.is_empty() {
                    // What led to it: the seal of the segment before.
                    for phase in phases.iter_mut().skip(round_end) {
                        if *phase == Some(Phase::Round) {
                            *phase = Some(Phase::Seal);
                        }
                    }
                }
                if path.ends_with("witness") && *kind == Kind::Write {
                    round_end = index + 1;
                }
                Some(match (marks.last(), by_path) {
                    // Beside a checkpoint, what leads to it and follows from it.
                    (Some(Phase::Checkpoint), Phase::Seal) => by_path,
                    // A segment that has become old, before it can go.
                    (Some(Phase::Trim), Phase::Seal | Phase::Round) => Phase::Seal,
                    // The index forgets what is trimmed.
                    (Some(Phase::Trim), _) => Phase::Trim,
                    (_, Phase::Checkpoint | Phase::Index | Phase::Trim) => by_path,
                    (Some(marked), _) => *marked,
                    (None, _) => by_path,
                })
            }
        };
        phases.push(phase);
    }
    phases
}
