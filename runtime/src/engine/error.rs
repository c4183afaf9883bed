//! Why the engine refuses, and who must act.

use std::path::PathBuf;

use super::{NotAllowed, Progress};
use crate::catalog::Conflict;
use crate::lane::reactions::Addressee;
use crate::value::{Failure, Invalid, Name, Position, Sequence};
use crate::{
    backup, checkpoint, events, lane, log, modules, receipts, schema, snapshot, transaction, wasm,
};

/// What the engine does not do, and why.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    // The caller must ask for something else.
    /// No app has that name.
    #[error("there is no app `{name}`{}", did_you_mean(.suggestion.as_deref()))]
    UnknownApp {
        /// What was asked for.
        name: String,
        /// The nearest name.
        suggestion: Option<String>,
    },
    /// No module of the app has that query.
    #[error("app `{app}` has no query `{name}`{}", did_you_mean(.suggestion.as_deref()))]
    UnknownQuery {
        /// Of which app.
        app: Name,
        /// What was asked for.
        name: String,
        /// The nearest name.
        suggestion: Option<String>,
    },
    /// No module of the app has that command.
    #[error("app `{app}` has no command `{name}`{}", did_you_mean(.suggestion.as_deref()))]
    UnknownCommand {
        /// Of which app.
        app: Name,
        /// What was asked for.
        name: String,
        /// The nearest name.
        suggestion: Option<String>,
    },
    /// The app has no such module.
    #[error("app `{app}` has no module `{name}`{}", did_you_mean(.suggestion.as_deref()))]
    UnknownModule {
        /// Of which app.
        app: Name,
        /// What was asked for.
        name: String,
        /// The nearest name.
        suggestion: Option<String>,
    },
    /// The app has no such projection.
    #[error("app `{app}` has no projection `{name}`{}", did_you_mean(.suggestion.as_deref()))]
    UnknownProjection {
        /// Of which app.
        app: Name,
        /// What was asked for.
        name: String,
        /// The nearest name.
        suggestion: Option<String>,
    },
    /// The app has no such table.
    #[error("app `{app}` has no table `{name}`{}", did_you_mean(.suggestion.as_deref()))]
    UnknownTable {
        /// Of which app.
        app: Name,
        /// What was asked for.
        name: String,
        /// The nearest name.
        suggestion: Option<String>,
    },
    /// The table has no such key.
    #[error("table `{table}` has no key `{key}` as of {sequence}")]
    UnknownKey {
        /// Of which table.
        table: Name,
        /// What was asked for.
        key: String,
        /// In which state.
        sequence: Sequence,
    },
    /// No command has that id.
    #[error("no command with id {id} is known; it was never logged, or its receipt has expired")]
    UnknownReceipt {
        /// What was asked for.
        id: uuid::Uuid,
    },
    /// No timer with that id is waiting.
    #[error(
        "no timer {id} is waiting: it has fired, was cancelled, or never was; whether it fired is \
         in the receipt of the command with that id"
    )]
    UnknownTimer {
        /// What was asked for.
        id: uuid::Uuid,
    },
    /// The app has no such reaction.
    #[error("app `{app}` has no reaction `{name}`{}", did_you_mean(.suggestion.as_deref()))]
    UnknownReaction {
        /// Of which app.
        app: Name,
        /// What was asked for.
        name: String,
        /// The nearest name.
        suggestion: Option<String>,
    },
    /// A module declares the reaction.
    #[error(
        "reaction `{name}` belongs to a module that is deployed; only the place of one that no \
         module declares is dropped"
    )]
    ReactionInUse {
        /// Which reaction.
        name: Name,
    },
    /// The reaction or webhook has no dead letter there.
    #[error(
        "{} has no dead letter at {position}: it was handled or dropped, or never failed",
        .addressee.told()
    )]
    UnknownDeadLetter {
        /// Of which reaction or webhook.
        addressee: Addressee,
        /// What was asked for.
        position: Position,
    },
    /// The letter has not failed, but waits.
    #[error(
        "the event at {position} has not failed: it waits behind an earlier dead letter of {} \
         about the same subject; retry or drop that one",
        .addressee.told()
    )]
    LetterWaits {
        /// Of which reaction or webhook.
        addressee: Addressee,
        /// Which.
        position: Position,
    },
    /// The entry with that id is not a command.
    #[error("{id} is not the id of a command; only commands can be erased")]
    NotErasable {
        /// What was asked for.
        id: uuid::Uuid,
    },
    /// A name, id or key that cannot be one.
    #[error("{0}")]
    Invalid(#[from] Invalid),
    /// The input is not JSON, or does not fit.
    #[error("{0}")]
    Input(#[from] schema::Refused),
    /// A command that cannot be submitted later.
    #[error("{0}")]
    Unschedulable(#[from] transaction::Refusal),
    /// The sequence has not been given out.
    #[error("sequence {asked} has not been given out; the last is {last}")]
    Ahead {
        /// What was asked for.
        asked: Sequence,
        /// The last sequence.
        last: Sequence,
    },
    /// The event has not been emitted.
    #[error("event {asked} has not been emitted; the last is {last}")]
    EventAhead {
        /// What was asked for.
        asked: Position,
        /// The last event; 0 if there is none.
        last: Position,
    },
    /// No event has this position, or it is not kept any more.
    #[error("there is no event {asked}; those from {first} to {last} are kept")]
    UnknownEvent {
        /// What was asked for.
        asked: Position,
        /// The first that is kept.
        first: Position,
        /// The last.
        last: Position,
    },
    /// No event has this id, or it is not kept any more.
    #[error("there is no event with the id {id} among those that are kept, {first} to {last}")]
    UnknownEventId {
        /// What was asked for.
        id: uuid::Uuid,
        /// The first that is kept.
        first: Position,
        /// The last.
        last: Position,
    },
    /// The app has no such consumer.
    #[error("app `{app}` has no consumer `{name}`{}", did_you_mean(.suggestion.as_deref()))]
    UnknownConsumer {
        /// Of which app.
        app: Name,
        /// What was asked for.
        name: String,
        /// The nearest name.
        suggestion: Option<String>,
    },
    /// As many consumers as there may be.
    #[error("this app has {max} consumers, as many as it may have; remove one that is not needed")]
    TooManyConsumers {
        /// The limit.
        max: usize,
    },
    /// The app has no such webhook.
    #[error("app `{app}` has no webhook `{name}`{}", did_you_mean(.suggestion.as_deref()))]
    UnknownWebhook {
        /// Of which app.
        app: Name,
        /// What was asked for.
        name: String,
        /// The nearest name.
        suggestion: Option<String>,
    },
    /// As many webhooks as there may be.
    #[error("this app has {max} webhooks, as many as it may have; remove one that is not needed")]
    TooManyWebhooks {
        /// The limit.
        max: usize,
    },
    /// Nothing can be sent to this address.
    #[error("{0}")]
    WebhookUrl(String),
    /// The operator does not allow this target.
    #[error("{0}")]
    TargetNotAllowed(NotAllowed),
    /// Nothing has this correlation.
    #[error(
        "nothing is known to have the correlation id `{id}`; it is the id of a command, or what its \
         client gave as `correlation_id`"
    )]
    UnknownTrace {
        /// What was asked for.
        id: String,
    },
    /// Events that are not kept any more.
    #[error(
        "events after {asked} are not kept any more; the first that is kept is {first}: go on with \
         `after={}`, and count those between as missed",
        before(*.first)
    )]
    EventsGone {
        /// What was asked for.
        asked: Position,
        /// The first that is kept.
        first: Position,
    },
    /// A consumer was away for longer than events are kept.
    #[error(
        "consumer `{name}` has come to {position}, and the events after it are not kept any more; \
         the first that is kept is {first}: count those between as missed, and move the consumer \
         there with `PUT …/consumers/{name}?after={}`, and its filter if it has one",
        before(*.first)
    )]
    ConsumerMissed {
        /// Which consumer.
        name: String,
        /// The last event it acknowledged.
        position: Position,
        /// The first that is kept.
        first: Position,
    },
    /// A projection whose tables have more in them than could be built.
    #[error(
        "events before {first} are not kept any more, and the tables of projection `{name}` have \
         seen those from {from} on: built anew, they would lack what follows from them; they stay \
         as they are, and a new version of it would be built from {first} on"
    )]
    RebuildGone {
        /// Which projection.
        name: Name,
        /// The first event that its tables have seen.
        from: Position,
        /// The first that is kept.
        first: Position,
    },
    /// A past state that cannot be had.
    #[error("{0}")]
    Unavailable(snapshot::Unavailable),
    /// The upload is no module.
    #[error("{0}")]
    Upload(#[from] wasm::Refused),
    /// The module cannot be beside the others.
    #[error("{}", lines(.0))]
    Conflicts(Vec<Conflict>),
    /// As many apps as there may be.
    #[error("this server has {max} apps, as many as it may have")]
    TooManyApps {
        /// The limit.
        max: usize,
    },

    // The handler's word.
    /// The query's handler refused.
    #[error("query `{name}` refused: {}", .failure.message)]
    QueryRejected {
        /// Which query.
        name: String,
        /// What its handler said.
        failure: Failure,
    },
    /// The query's handler trapped or exceeded a limit.
    #[error("query `{name}` failed: {}", .failure.message)]
    QueryFailed {
        /// Which query.
        name: String,
        /// What happened.
        failure: Failure,
    },

    // Nobody must act, but wait.
    /// The lane takes no entry now, or not this one.
    #[error(transparent)]
    Lane(#[from] lane::Error),
    /// The sequencer gave no place.
    #[error("{0}")]
    Refused(#[from] lane::Refusal),
    /// The app is being read from disk.
    #[error("app `{app}` is being opened: {}, {} %; try again in a moment", .progress.stage, .progress.percent)]
    Opening {
        /// Which app.
        app: Name,
        /// How far it has come.
        progress: Progress,
    },
    /// The disk is nearly full.
    #[error(
        "the disk is nearly full: {available} bytes are available, and commands are taken again \
         with {needed}; free some space"
    )]
    DiskLow {
        /// Bytes that are available.
        available: u64,
        /// Bytes that have to be.
        needed: u64,
    },
    /// A copy of so many bytes would leave too little of the disk.
    #[error(
        "a backup takes about {bytes} bytes, and there should be {needed} to make it: \
         {available} are available; free some space, or remove older backups"
    )]
    NoRoom {
        /// What the copy takes.
        bytes: u64,
        /// Bytes that are available.
        available: u64,
        /// Bytes that have to be.
        needed: u64,
    },
    /// Too many queries or uploads at one time.
    #[error("too many {what} at one time; try again in a moment")]
    Busy {
        /// Of what.
        what: &'static str,
    },
    /// The sequence is on its way and took too long.
    #[error("sequence {asked} is logged and not yet visible; the latest is {latest}")]
    NotVisible {
        /// What was asked for.
        asked: Sequence,
        /// The latest that is visible.
        latest: Sequence,
    },
    /// Whether it was logged is not known.
    #[error(
        "whether the command was logged is not known ({reason}); send it again with the same id"
    )]
    OutcomeUnknown {
        /// What failed.
        reason: String,
    },
    /// It was sequenced, and certainly not logged.
    #[error("the command was not logged ({reason}); send it again with the same id")]
    NotLogged {
        /// What failed.
        reason: String,
    },

    // Whoever runs the server must act.
    /// Another server uses the data directory.
    #[error("{data} is in use by another server; stop it, or choose another directory with --data")]
    InUse {
        /// Which directory.
        data: PathBuf,
    },
    /// The checkpoints of an app cannot be read.
    #[error("app `{app}`: cannot read the checkpoints")]
    Checkpoint {
        /// Which app.
        app: Name,
        /// Why.
        source: checkpoint::Error,
    },
    /// The log of a new app cannot be made.
    #[error("cannot create the log")]
    Log(#[source] log::Error),
    /// A module's file cannot be used.
    #[error("cannot use the module")]
    Modules(#[source] modules::Error),
    /// There is no backup.
    #[error("cannot make a backup")]
    Backup(#[source] backup::Error),
    /// Events cannot be read.
    #[error("cannot read events")]
    Events(#[from] events::Error),
    /// A receipt cannot be read.
    #[error("cannot read the receipt")]
    Receipt(#[from] receipts::Error),
    /// A system table cannot be read.
    #[error("cannot read the modules")]
    Catalog(#[from] crate::catalog::Error),
    /// The disk refused.
    #[error("cannot {action} {path}")]
    Io {
        /// What was being done.
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// What the host could not do.
    #[error("{0}")]
    Host(String),
}

/// The nearest of some names, if one is near enough to be a slip.
#[must_use]
pub fn suggest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<String> {
    const SIMILARITY_MIN: f64 = 0.8;
    let scored = names.map(|candidate| (strsim::jaro_winkler(name, candidate), candidate));
    let nearest = scored.max_by(|(one, _), (other, _)| one.total_cmp(other))?;
    (nearest.0 >= SIMILARITY_MIN).then(|| nearest.1.to_owned())
}

fn did_you_mean(suggestion: Option<&str>) -> String {
    suggestion.map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

/// Where one goes on who begins with this event.
fn before(first: Position) -> u64 {
    first.0.saturating_sub(1)
}

fn lines(conflicts: &[Conflict]) -> String {
    let lines: Vec<_> = conflicts.iter().map(ToString::to_string).collect();
    lines.join("; ")
}
