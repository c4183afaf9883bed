//! Commands: admitted, sequenced, waited for; or tried without being kept.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::{App, Error, suggest};
use crate::catalog::Deployed;
use crate::lane::{self, Flight, Submission, Ticket, fingerprint};
use crate::receipts::{self, Receipt, Status};
use crate::record::{Act, Command, Entry, Keys, Outcome, Unchanged, Verdict};
use crate::schema;
use crate::snapshot::Snapshot;
use crate::transaction::{Context, Transaction};
use crate::value::{CommandId, Hash, Invalid, KEY_BYTES_MAX, Name, Sequence};

/// How long a client that wants no outcome waits for its command to be durable
/// before it is told that nobody knows.
const LOGGED_WAIT_MAX: Duration = Duration::from_secs(30);

/// A command as a client gives it.
#[derive(Debug, Clone)]
pub struct CommandRequest {
    /// The id the client made.
    pub id: CommandId,
    /// The command's name.
    pub name: String,
    /// A JSON document.
    pub input: Arc<str>,
    /// The sequence the sender looked at.
    pub basis: Option<Sequence>,
    /// What the sender counts on not having changed since.
    pub unchanged: Vec<Unchanged>,
    /// Who submits: a JSON object.
    pub caller: Option<Arc<str>>,
    /// Shared by everything that follows; the id if the client gives none.
    pub correlation_id: Option<Arc<str>>,
    /// What the command follows from.
    pub causation_id: Option<Arc<str>>,
    /// Further facts: a JSON object.
    pub metadata: Arc<str>,
}

/// A command that has a place.
#[derive(Debug, Clone)]
pub enum Submitted {
    /// It is on its way.
    Flying {
        /// The way.
        flight: Arc<Flight>,
        /// Whether it had its place before.
        replayed: bool,
    },
    /// It was answered before.
    Settled(Receipt),
}

/// How far a command came while somebody waited.
#[derive(Debug, Clone)]
pub enum Progressed {
    /// It has a receipt with an outcome.
    Done(Receipt),
    /// It is durable, and will be executed.
    Logged {
        /// Its place.
        sequence: Sequence,
    },
}

/// What a command would do.
#[derive(Debug, Clone)]
pub struct DryRun {
    /// The state it was tried on.
    pub on: Sequence,
    /// What would be recorded.
    pub outcome: Outcome,
}

/// Some receipts, the newest first.
#[derive(Debug, Clone)]
pub struct ReceiptPage {
    /// The receipts.
    pub receipts: Vec<Receipt>,
    /// What the next page is before; none at the end.
    pub next: Option<Sequence>,
}

impl App {
    /// Does something that asks for what is known of an id, and does it where it may
    /// block if the disk may have to be read for that: on a slow one, whoever waits for
    /// nothing there is not to wait.
    ///
    /// # Errors
    /// [`Error::Host`] if it panicked, or the server is ending.
    pub async fn asking<T: Send + 'static>(
        self: &Arc<Self>,
        id: Uuid,
        ask: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Result<T, Error> {
        match self.lane().reads_for(id) {
            // It may be by now: seldom enough.
            false => Ok(ask(self)),
            true => self.blocking(ask).await,
        }
    }

    /// Does something that reads the disk.
    ///
    /// # Errors
    /// As for [`App::asking`].
    pub(super) async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        read: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let app = Arc::clone(self);
        let done = spawn_blocking(move || read(&app)).await;
        done.map_err(|error| Error::Host(error.to_string()))
    }

    /// Admits and sequences a command. Reads the disk if its id is known or may be:
    /// [`App::asking`] is for async tasks.
    ///
    /// # Errors
    /// Why it was refused; nothing was logged.
    pub fn submit(&self, request: CommandRequest) -> Result<Submitted, Error> {
        schema::check_json(&request.input)?;
        let id = request.id.uuid();
        let fingerprint = fingerprint::of_command(&request.name, &request.input);
        // A retry gets its receipt even if the command has been removed since. But it may
        // have been lost since: what was not admitted now is given no place.
        if let Some(ticket) = self.lane().retry(id, fingerprint)? {
            return self.submitted(id, ticket);
        }
        self.gates.room.check()?;
        let admitted = Some(self.admit(&request)?);
        let correlation_id = request.correlation_id.unwrap_or_else(|| id.to_string().into());
        let command = Command {
            name: request.name.parse()?,
            input: request.input,
            basis: request.basis,
            unchanged: request.unchanged,
            scheduled_for_ms: None,
            caller: request.caller,
            correlation_id,
            causation_id: request.causation_id,
            metadata: request.metadata,
        };
        let act = Act::Command(command);
        let submission = Submission { id, windowed: true, fingerprint, act, admitted, keep: None };
        let ticket = self.lane().submit(submission)?;
        self.submitted(id, ticket)
    }

    /// Finds a command by its id. Reads the disk, as [`App::submit`] does.
    ///
    /// # Errors
    /// [`Error::UnknownReceipt`] if none has it.
    pub fn find(&self, id: Uuid) -> Result<Submitted, Error> {
        let ticket = self.lane().find(id)?.ok_or(Error::UnknownReceipt { id })?;
        self.submitted(id, ticket)
    }

    /// Waits for the outcome as long as `wait`, then for durability.
    ///
    /// # Errors
    /// [`Error::OutcomeUnknown`] or [`Error::NotLogged`] if the log failed.
    pub async fn progress(
        &self,
        submitted: &Submitted,
        wait: Duration,
    ) -> Result<Progressed, Error> {
        let flight = match submitted {
            Submitted::Settled(receipt) => return Ok(Progressed::Done(receipt.clone())),
            Submitted::Flying { flight, .. } => flight,
        };
        if let Ok(answer) = tokio::time::timeout(wait, flight.answered()).await {
            return answered(flight, answer);
        }
        let logged = tokio::time::timeout(LOGGED_WAIT_MAX, flight.logged()).await;
        match (flight.answer(), logged) {
            (Some(answer), _) => answered(flight, answer),
            (None, Ok(())) => Ok(Progressed::Logged { sequence: flight.sequence }),
            (None, Err(_elapsed)) => {
                let reason = "the disk did not answer in time".to_owned();
                Err(Error::OutcomeUnknown { reason })
            }
        }
    }

    /// Executes a command on the latest published state and keeps nothing. Runs
    /// where queries run and takes a turn as one of them, so that trying things
    /// out cannot take the threads of everybody else.
    ///
    /// # Errors
    /// Why it was refused.
    pub async fn dry_run(&self, request: &CommandRequest) -> Result<DryRun, Error> {
        schema::check_json(&request.input)?;
        let turn = self.gates.query_permit().await?;
        let snapshot = self.snapshots().current();
        let deployed = self.command_owner(&snapshot, request)?;
        let on = snapshot.state.sequence();
        let command = Command {
            name: request.name.parse()?,
            input: Arc::clone(&request.input),
            basis: request.basis,
            unchanged: request.unchanged.clone(),
            scheduled_for_ms: None,
            caller: request.caller.clone(),
            correlation_id: request.id.to_string().into(),
            causation_id: request.causation_id.clone(),
            metadata: Arc::clone(&request.metadata),
        };
        let time_ms = self.clock.wall_ms().max(snapshot.state.time_ms());
        let fingerprint = Hash::of(b"");
        let act = Act::Command(command);
        let (sequence, id, erased) = (on.next(), request.id.uuid(), false);
        let entry = Entry { sequence, time_ms, id, fingerprint, act, erased };
        let Act::Command(command) = &entry.act else {
            return Err(Error::Host(String::new()));
        };
        let context = Context {
            sequence: entry.sequence,
            time_ms,
            command_id: entry.id,
            writable: Arc::clone(&deployed.tables),
            limits: self.lane().transaction_limits(),
        };
        let transaction = Transaction::new(snapshot.state.clone(), context);
        let outcome = lane::try_command(deployed, &entry, command, transaction);
        drop(turn);
        Ok(DryRun { on, outcome: outcome.map_err(Error::Host)? })
    }

    /// A page of receipts, the newest first, of entries before a sequence. It
    /// ends after `limit` of them, or after `bytes_max` bytes of what they hold,
    /// and has one at least if there is one.
    ///
    /// # Errors
    /// [`Error::Receipt`] if the log cannot be read.
    pub fn receipts(
        &self,
        status: Option<Status>,
        before: Option<Sequence>,
        limit: usize,
        bytes_max: usize,
    ) -> Result<ReceiptPage, Error> {
        let before = before.unwrap_or(Sequence(u64::MAX));
        let sequences = self.lane().receipts().page(status, before, limit + 1)?;
        let (mut receipts, mut bytes, mut next) = (Vec::new(), 0, None);
        let mut last = None;
        for sequence in sequences {
            if receipts.len() >= limit || bytes >= bytes_max {
                next = last;
                break;
            }
            last = Some(sequence);
            if let Some(receipt) = self.lane().receipt(sequence)? {
                bytes += receipt.outcome.as_deref().map_or(0, shown_bytes);
                receipts.push(receipt);
            }
        }
        Ok(ReceiptPage { receipts, next })
    }

    /// The module version against which a command was found valid.
    fn admit(&self, request: &CommandRequest) -> Result<(Name, Hash), Error> {
        let snapshot = self.snapshots().current();
        let deployed = self.command_owner(&snapshot, request)?;
        for unchanged in &request.unchanged {
            self.known_table(&snapshot, unchanged.table.as_str())?;
            if let Keys::Prefix(prefix) = &unchanged.keys
                && prefix.len() > KEY_BYTES_MAX
            {
                let reason =
                    format!("must have at most {KEY_BYTES_MAX} bytes, not {}", prefix.len());
                return Err(Error::Invalid(Invalid { what: "prefix", reason }));
            }
        }
        Ok((deployed.name.clone(), deployed.hash()))
    }

    fn command_owner<'a>(
        &self,
        snapshot: &'a Snapshot,
        request: &CommandRequest,
    ) -> Result<&'a Arc<Deployed>, Error> {
        let name = &request.name;
        let unknown = || Error::UnknownCommand {
            app: self.name().clone(),
            name: name.clone(),
            suggestion: suggest(name, snapshot.catalog.commands().map(Name::as_str)),
        };
        let deployed = snapshot.catalog.command(name).ok_or_else(unknown)?;
        match deployed.check_command(name, &request.input) {
            Some(checked) => checked?,
            None => return Err(unknown()),
        }
        Ok(deployed)
    }

    fn submitted(&self, id: Uuid, ticket: Ticket) -> Result<Submitted, Error> {
        match ticket {
            Ticket::Flying { flight, replayed } => Ok(Submitted::Flying { flight, replayed }),
            Ticket::Settled(sequence) => {
                let receipt = self.lane().receipt(sequence).map_err(|error| self.unread(error))?;
                receipt.map(Submitted::Settled).ok_or(Error::UnknownReceipt { id })
            }
        }
    }

    /// Why a receipt cannot be read: mostly because the log is being opened again.
    fn unread(&self, error: receipts::Error) -> Error {
        match (error, self.lane().takes_entries()) {
            (error @ receipts::Error::Trimmed { .. }, _) | (error, Ok(())) => Error::Receipt(error),
            (_, Err(refusal)) => Error::Refused(refusal),
        }
    }
}

/// What an outcome adds to a page: its result and its events.
fn shown_bytes(outcome: &Outcome) -> usize {
    let result = match &outcome.verdict {
        Verdict::Succeeded(value) => value.len(),
        Verdict::Rejected(failure) | Verdict::Failed(failure) => {
            failure.details.as_deref().map_or(0, str::len)
        }
    };
    let events = outcome.events.iter().map(|event| event.data.len());
    result + events.sum::<usize>()
}

fn answered(flight: &Flight, answer: &lane::Answer) -> Result<Progressed, Error> {
    match answer {
        lane::Answer::Logged => Ok(Progressed::Logged { sequence: flight.sequence }),
        lane::Answer::Done(receipt) => Ok(Progressed::Done(receipt.clone())),
        lane::Answer::Unknown(reason) => Err(Error::OutcomeUnknown { reason: reason.clone() }),
        lane::Answer::NotLogged(reason) => Err(Error::NotLogged { reason: reason.clone() }),
    }
}
