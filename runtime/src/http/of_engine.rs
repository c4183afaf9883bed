//! What the engine refuses, as problems: one `match`, and what it needs.
//!
//! Texts of disks and of the host go to the log; clients get the kind of problem
//! and what to do.

use super::code::{self, Code, Retry};
use super::problem::{Outcome, Problem, internal};
use crate::catalog::Conflict;
use crate::engine::Error;
use crate::lane::Refusal;
use crate::snapshot::Unavailable;
use crate::value::{Sequence, chain_of};
use crate::wasm::script::{ScriptError, ScriptErrorKind};
use crate::{backup, modules, receipts, wasm};

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let detail = error.to_string();
        match error {
            Error::UnknownApp { suggestion, .. } => {
                Self::new(code::UNKNOWN_APP, detail).suggestion(suggestion)
            }
            Error::UnknownQuery { suggestion, .. } => {
                Self::new(code::UNKNOWN_QUERY, detail).suggestion(suggestion)
            }
            Error::UnknownCommand { suggestion, .. } => {
                Self::new(code::UNKNOWN_COMMAND, detail).suggestion(suggestion)
            }
            Error::UnknownModule { suggestion, .. } => {
                Self::new(code::UNKNOWN_MODULE, detail).suggestion(suggestion)
            }
            Error::UnknownProjection { suggestion, .. } => {
                Self::new(code::UNKNOWN_PROJECTION, detail).suggestion(suggestion)
            }
            Error::UnknownTable { suggestion, .. } => {
                Self::new(code::UNKNOWN_TABLE, detail).suggestion(suggestion)
            }
            Error::UnknownKey { .. } => Self::new(code::UNKNOWN_KEY, detail),
            Error::UnknownReceipt { .. } => {
                Self::new(code::UNKNOWN_RECEIPT, detail).outcome(Outcome::Unknown)
            }
            Error::UnknownReaction { suggestion, .. } => {
                Self::new(code::UNKNOWN_REACTION, detail).suggestion(suggestion)
            }
            Error::ReactionInUse { .. } => Self::new(code::REACTION_IN_USE, detail),
            Error::UnknownDeadLetter { .. } => Self::new(code::UNKNOWN_DEAD_LETTER, detail),
            Error::LetterWaits { .. } => Self::new(code::LETTER_WAITS, detail),
            Error::UnknownTimer { .. } => Self::new(code::UNKNOWN_TIMER, detail),
            Error::Unschedulable(_) => Self::new(code::INVALID_REQUEST, detail),
            Error::NotErasable { .. } => {
                Self::new(code::NOT_ERASABLE, detail).outcome(Outcome::NotLogged)
            }
            Error::Receipt(receipts::Error::Trimmed { sequence, first }) => {
                of_trimmed(sequence, first, &receipts::Error::Trimmed { sequence, first })
            }
            // Ids and keys are checked before the engine sees them.
            Error::Invalid(_) => Self::new(code::INVALID_NAME, detail),
            Error::Input(refused) => Self::of_input(&refused),
            Error::Ahead { last, .. } => {
                Self::new(code::SEQUENCE_AHEAD, detail).with("last", last.0)
            }
            Error::EventAhead { last, .. } => {
                Self::new(code::EVENT_AHEAD, detail).with("last", last.0)
            }
            Error::UnknownEvent { first, last, .. } | Error::UnknownEventId { first, last, .. } => {
                Self::new(code::UNKNOWN_EVENT, detail).with("first", first.0).with("last", last.0)
            }
            Error::UnknownConsumer { suggestion, .. } => {
                Self::new(code::UNKNOWN_CONSUMER, detail).suggestion(suggestion)
            }
            Error::TooManyConsumers { .. } => Self::new(code::TOO_MANY_CONSUMERS, detail),
            Error::UnknownWebhook { suggestion, .. } => {
                Self::new(code::UNKNOWN_WEBHOOK, detail).suggestion(suggestion)
            }
            Error::TooManyWebhooks { .. } => Self::new(code::TOO_MANY_WEBHOOKS, detail),
            Error::WebhookUrl(reason) => Self::of_member("/url", &reason),
            Error::TargetNotAllowed(_) => Self::new(code::TARGET_NOT_ALLOWED, detail),
            Error::UnknownTrace { .. } => Self::new(code::UNKNOWN_TRACE, detail),
            Error::EventsGone { first, .. }
            | Error::ConsumerMissed { first, .. }
            | Error::RebuildGone { first, .. } => {
                Self::new(code::EVENTS_GONE, detail).with("first", first.0)
            }
            Error::Unavailable(Unavailable::Gone { oldest, .. }) => {
                Self::new(code::SEQUENCE_GONE, detail).with("oldest", oldest.0)
            }
            Error::Unavailable(Unavailable::NotYet { latest, .. })
            | Error::NotVisible { latest, .. } => {
                Self::new(code::NOT_VISIBLE, detail).with("latest", latest.0).retry_soon()
            }
            Error::Upload(refused) => of_upload(&refused),
            Error::Conflicts(conflicts) => of_conflicts(&conflicts, detail),
            Error::TooManyApps { .. } => Self::new(code::TOO_MANY_APPS, detail),
            Error::QueryRejected { failure, .. } => {
                Self::of_handler(code::QUERY_REJECTED, &failure)
            }
            Error::QueryFailed { failure, .. } => Self::of_handler(code::QUERY_FAILED, &failure),
            Error::Refused(refusal) => of_refusal(&refusal),
            Error::Opening { .. } => {
                // The same may have been sent before the server was started.
                Self::new(code::OPENING, detail).outcome(Outcome::Unknown).retry_soon()
            }
            Error::DiskLow { available, needed } => Self::new(code::DISK_LOW, detail)
                .outcome(Outcome::NotLogged)
                .with("available_bytes", available)
                .with("needed_bytes", needed)
                .retry_soon(),
            Error::NoRoom { available, needed, .. } => Self::new(code::DISK_LOW, detail)
                .retry(Retry::Later)
                .with("available_bytes", available)
                .with("needed_bytes", needed)
                .retry_soon(),
            Error::Backup(backup::Error::Exists { path }) => {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                let detail = format!("there is a backup `{name}` already; choose another name");
                Self::new(code::BACKUP_EXISTS, detail)
            }
            Error::Busy { .. } => Self::new(code::BUSY, detail).retry_soon(),
            Error::OutcomeUnknown { reason } => of_lost(code::OUTCOME_UNKNOWN, &reason),
            Error::NotLogged { reason } => of_lost(code::NOT_LOGGED, &reason),
            Error::Modules(modules::Error::Unknown(hash)) => {
                Self::new(code::UNKNOWN_VERSION, modules::Error::Unknown(hash).to_string())
            }
            Error::Modules(modules::Error::Refused { reason, .. }) => of_upload(&reason),
            Error::Lane(_)
            | Error::Checkpoint { .. }
            | Error::Log(_)
            | Error::Events(_)
            | Error::Modules(_)
            | Error::Receipt(_)
            | Error::Catalog(_)
            | Error::Backup(_)
            | Error::Io { .. } => of_disk(&error),
            Error::InUse { .. } | Error::Host(_) => internal(&detail),
        }
    }
}

fn of_disk(error: &Error) -> Problem {
    tracing::error!(error = chain_of(error), "storage problem");
    let what = match error {
        // Its text has a path in it.
        Error::Io { .. } => "the server cannot use its disk".to_owned(),
        error => error.to_string(),
    };
    Problem::new(code::STORAGE, format!("{what}; the server's log says more"))
}

fn of_conflicts(conflicts: &[Conflict], detail: String) -> Problem {
    let conflicts: Vec<_> = conflicts.iter().map(ToString::to_string).collect();
    Problem::new(code::MODULE_CONFLICT, detail).with("conflicts", conflicts)
}

fn of_upload(refused: &wasm::Refused) -> Problem {
    let kind = match refused {
        wasm::Refused::TooLarge { .. } => code::UPLOAD_TOO_LARGE,
        wasm::Refused::NotWasm { .. } => code::NOT_WASM,
        wasm::Refused::InvalidWasm { .. } => code::INVALID_WASM,
        wasm::Refused::NoContract(_) => code::NO_CONTRACT,
        wasm::Refused::ComponentizeFailed(_) => code::COMPONENTIZE_FAILED,
        wasm::Refused::WrongContract(_) => code::WRONG_CONTRACT,
        wasm::Refused::ForeignImports { .. } => code::FOREIGN_IMPORTS,
        wasm::Refused::NoManifest => code::NO_MANIFEST,
        wasm::Refused::TooComplex { .. } => code::TOO_COMPLEX,
        wasm::Refused::CompileFailed(_) => code::COMPILE_FAILED,
        wasm::Refused::DescribeFailed(_) => code::DESCRIBE_FAILED,
        wasm::Refused::InvalidManifest { .. } => code::INVALID_MANIFEST,
        wasm::Refused::NotJavaScript { .. } => code::NOT_JAVASCRIPT,
        wasm::Refused::Script(error) => return of_script(error),
        wasm::Refused::NoBase { .. } => code::NO_BASE,
        wasm::Refused::Host(reason) => {
            tracing::error!(reason, "an upload could not be checked");
            let detail = "the server could not check the module now; its log says more";
            return Problem::new(code::HOST, detail).retry_soon();
        }
    };
    debug_assert_eq!(kind.code, refused.code());
    Problem::new(kind, refused.to_string())
}

/// With the place in the file as members, for editors.
fn of_script(error: &ScriptError) -> Problem {
    let kind = match error.kind {
        ScriptErrorKind::Syntax => code::SYNTAX_ERROR,
        ScriptErrorKind::Threw => code::SCRIPT_FAILED,
        ScriptErrorKind::NoApp => code::NO_APP,
        ScriptErrorKind::UnsupportedImport => code::UNSUPPORTED_IMPORT,
    };
    let mut problem = Problem::new(kind, error.to_string()).with("file", &error.file);
    if let Some(line) = error.line {
        problem = problem.with("line", line);
    }
    if let Some(column) = error.column {
        problem = problem.with("column", column);
    }
    match &error.source {
        Some(source) => problem.with("source", source),
        None => problem,
    }
}

/// What was executed so long ago that its receipt is gone.
fn of_trimmed(sequence: Sequence, first: Sequence, error: &dyn std::error::Error) -> Problem {
    Problem::new(code::RECEIPT_GONE, error.to_string())
        .outcome(Outcome::Executed)
        .with("sequence", sequence.0)
        .with("first", first.0)
}

fn of_refusal(refusal: &Refusal) -> Problem {
    let detail = refusal.to_string();
    let problem = match refusal {
        Refusal::Reused { sequence } => {
            Problem::new(code::ID_REUSED, detail).with("sequence", sequence.0)
        }
        Refusal::Expired { .. } => Problem::new(code::ID_EXPIRED, detail),
        Refusal::Ahead { .. } => Problem::new(code::ID_AHEAD, detail),
        Refusal::BasisAhead { last, .. } => {
            Problem::new(code::BASIS_AHEAD, detail).with("last", last.0)
        }
        Refusal::Trimmed { sequence, first } => return of_trimmed(*sequence, *first, refusal),
        Refusal::Full { .. } => Problem::new(code::INBOX_FULL, detail).retry_soon(),
        Refusal::Unreadable { reason } => {
            tracing::error!(reason, "whether an id was seen cannot be read");
            Problem::new(code::STORAGE, detail)
        }
        // The lane has logged the reasons of these two.
        Refusal::Recovering { .. } => {
            let detail = "the log failed and is being recovered; try again in a moment";
            Problem::new(code::RECOVERING, detail).retry_soon()
        }
        Refusal::Stopped { .. } => {
            let detail = "the app takes no commands until the cause is mended; the server's log \
                          says more";
            Problem::new(code::LANE_STOPPED, detail)
        }
        Refusal::Draining => Problem::new(code::SHUTTING_DOWN, detail).retry_soon(),
    };
    problem.outcome(Outcome::NotLogged)
}

/// What became of a command whose log failed.
fn of_lost(kind: Code, reason: &str) -> Problem {
    tracing::warn!(reason, code = kind.code, "a command was not answered");
    let (detail, outcome) = match kind == code::NOT_LOGGED {
        true => ("the log failed before the command was logged", Outcome::NotLogged),
        false => ("the log failed while the command was being logged", Outcome::Unknown),
    };
    let detail = format!("{detail}; send it again with the same id");
    Problem::new(kind, detail).outcome(outcome).retry_soon()
}
