//! What one entry of a reaction will change: timers of its commands, its cursor, letters.

use std::collections::BTreeSet;
use std::sync::Arc;

use uuid::Uuid;

use crate::catalog::Deployed;
use crate::lane::reactions::{
    Cursor, Letter, LetterState, cursor_key, cursors, letter_key, letters,
};
use crate::lane::{Expected, Lane, Prepared};
use crate::snapshot::Snapshot;
use crate::transaction::timers::{Timer, Turn, deeper, with_written};
use crate::transaction::{self, Chain, Context, NewCommand, Transaction};
use crate::value::{Key, Name, Position, Sequence, StoredEvent, Value, derived};
use crate::wasm::{CallError, ReactCall};

/// Bytes of commands after which a step ends. It is in memory until it is executed.
const STEP_BYTES: usize = 1 << 20;
/// What a row of a step holds beside texts, roughly, in bytes.
const ROW_OVERHEAD_BYTES: usize = 512;
/// Bytes of what a handler said that a letter holds: it may say megabytes, and there may
/// be thousands of letters.
const MESSAGE_BYTES_MAX: usize = 4 << 10;

/// Why an event was not handled.
#[derive(Debug)]
pub(super) enum Failed {
    /// The host could not do its part.
    Host(String),
    /// What the handler did or returned.
    Handler {
        code: Arc<str>,
        message: Arc<str>,
        /// Whether trying again is of no use.
        permanent: bool,
    },
}

/// The changes of an entry that is being made.
#[derive(Debug)]
pub(super) struct Step<'a> {
    snapshot: &'a Snapshot,
    transaction: Transaction,
    expected: Vec<Expected>,
    chain: Chain,
    /// The entry with which the reaction began: one that was dropped and begins anew
    /// asks for other commands than before.
    since: Sequence,
    bytes: usize,
    /// The last event in it; 0 if there is none.
    pub(super) to: Position,
}

impl<'a> Step<'a> {
    pub(super) fn new(lane: &Lane, snapshot: &'a Snapshot, since: Sequence) -> Self {
        let chain = Chain {
            history: lane.snapshots().history(),
            depth_max: lane.chain_depth_max(),
            ..Chain::default()
        };
        let context = Context {
            sequence: snapshot.state.sequence().next(),
            time_ms: snapshot.state.time_ms(),
            command_id: Uuid::nil(),
            writable: Arc::new(BTreeSet::new()),
            limits: transaction::Limits::default(),
            chain: Chain::default(),
        };
        let transaction = Transaction::new(snapshot.state.clone(), context);
        let (expected, bytes, to) = (Vec::new(), 0, Position(0));
        Self { snapshot, transaction, expected, chain, since, bytes, to }
    }

    /// Whether nothing more should be put into it.
    pub(super) fn is_full(&self) -> bool {
        self.bytes >= STEP_BYTES
    }

    /// Calls the reaction, and adds the commands that it returns.
    pub(super) fn react(
        &mut self,
        name: &Name,
        deployed: &Deployed,
        event: &Arc<StoredEvent>,
    ) -> Result<(), Failed> {
        let (module, reaction) = (Arc::clone(&deployed.label), name.clone());
        let call = ReactCall { module, reaction, event: Arc::clone(event) };
        let reacted = deployed.module.react(self.snapshot.state.clone(), &call);
        let commands = reacted.result?;
        // All of them, before one is added.
        let timers = commands.into_iter().zip(0..);
        let timers = timers.map(|(command, index)| self.timer(name, event, command, index));
        let timers: Vec<Timer> = timers.collect::<Result<_, _>>()?;
        for timer in timers {
            self.bytes += timer.command.bytes() + ROW_OVERHEAD_BYTES;
            self.transaction.put_timer(&timer);
        }
        Ok(())
    }

    fn timer(
        &self,
        name: &Name,
        event: &StoredEvent,
        command: NewCommand,
        index: u32,
    ) -> Result<Timer, Failed> {
        self.check(&command)?;
        let chain = Chain { depth: event.depth, ..self.chain.clone() };
        let depth = deeper(&chain).map_err(|refusal| Failed::refused(&refusal))?;
        let metadata = with_written(&command.metadata, depth, Some(name));
        let metadata = metadata.map_err(|refusal| Failed::refused(&refusal))?;
        let cause = format!("reaction/{name}/{}/{}", self.since, event.id);
        let turn = Turn { sequence: event.sequence, position: Some(event.position), index };
        Ok(Timer {
            id: derived(chain.history, event.time_ms, &cause, index),
            due_ms: event.time_ms,
            turn,
            command: NewCommand { metadata, ..command },
            correlation_id: Arc::clone(&event.correlation_id),
            causation_id: event.id.to_string().into(),
            reaction: Some(name.clone()),
        })
    }

    /// Whether there is such a command, and takes such an input.
    fn check(&self, command: &NewCommand) -> Result<(), Failed> {
        let name = command.name.as_str();
        let deployed = self.snapshot.catalog.command(name);
        match deployed.and_then(|deployed| deployed.check_command(name, &command.input)) {
            Some(Ok(())) => Ok(()),
            Some(Err(refused)) => {
                let message = format!("it returned command `{name}` with an input that {refused}");
                Err(Failed::handler("invalid-input", message))
            }
            None => {
                let message = format!("it returned command `{name}`, which no module has");
                Err(Failed::handler("unknown-command", message))
            }
        }
    }

    /// Moves the cursor.
    pub(super) fn advance(&mut self, name: &Name, before: &Cursor, row: &Value, to: Position) {
        if let Some(key) = cursor_key(name) {
            let after = Cursor { position: to, ..before.clone() };
            self.transaction.put_system(&cursors(), key.clone(), after.to_value());
            self.expect(cursors(), key, Some(row.clone()));
        }
    }

    /// Leaves an event behind that comes after another about its subject.
    pub(super) fn wait(&mut self, name: &Name, event: &StoredEvent, now_ms: u64) {
        let letter = Letter::of(event, LetterState::Waiting, now_ms);
        self.put_letter(name, event.position, &letter);
    }

    /// Leaves an event behind that could not be handled.
    pub(super) fn bury(
        &mut self,
        name: &Name,
        event: &StoredEvent,
        failed: &Failed,
        attempts: u32,
        first_ms: u64,
        last_ms: u64,
    ) {
        let (code, message) = failed.said();
        let letter = Letter::of(event, LetterState::Dead, last_ms);
        let letter = Letter { code, message, attempts, first_ms, ..letter };
        self.put_letter(name, event.position, &letter);
    }

    /// Takes a letter out, because its event was handled.
    pub(super) fn handled(&mut self, name: &Name, position: Position, row: &Value) {
        if let Some(key) = letter_key(name, position) {
            self.transaction.delete_system(&letters(), key);
        }
        self.expect_letter(name, position, row);
    }

    /// Says of a letter that its event is not kept any more.
    pub(super) fn gone(&mut self, name: &Name, position: Position, letter: &Letter, row: &Value) {
        let (code, message) = ("event-gone".into(), "the event is not kept any more".into());
        let dead = Letter { state: LetterState::Dead, code, message, ..letter.clone() };
        self.put_letter(name, position, &dead);
        self.expect_letter(name, position, row);
    }

    /// Counts on a letter being as it was.
    pub(super) fn expect_letter(&mut self, name: &Name, position: Position, row: &Value) {
        if let Some(key) = letter_key(name, position) {
            self.expect(letters(), key, Some(row.clone()));
        }
    }

    pub(super) fn finish(self) -> Prepared {
        Prepared { expected: self.expected, changes: self.transaction.finish().changes }
    }

    fn put_letter(&mut self, name: &Name, position: Position, letter: &Letter) {
        if let Some(key) = letter_key(name, position) {
            let row = letter.to_value();
            self.bytes += row.len() + ROW_OVERHEAD_BYTES;
            self.transaction.put_system(&letters(), key, row);
        }
    }

    fn expect(&mut self, table: Name, key: Key, value: Option<Value>) {
        self.expected.push(Expected { table, key, value });
    }
}

impl Failed {
    /// What is said of it, for programs and for people: as much of it as a letter holds.
    pub(super) fn said(&self) -> (Arc<str>, Arc<str>) {
        match self {
            Self::Host(reason) => ("host".into(), reason.as_str().into()),
            Self::Handler { code, message, .. } => (Arc::clone(code), cut(message)),
        }
    }

    pub(super) fn is_permanent(&self) -> bool {
        matches!(self, Self::Handler { permanent: true, .. })
    }

    fn handler(code: &str, message: String) -> Self {
        Self::Handler { code: code.into(), message: message.into(), permanent: false }
    }

    /// What the server does not accept will not be accepted later.
    fn refused(refusal: &transaction::Refusal) -> Self {
        let (code, message) = (refusal.code().into(), refusal.to_string().into());
        Self::Handler { code, message, permanent: true }
    }
}

impl From<CallError> for Failed {
    fn from(error: CallError) -> Self {
        let permanent = error.is_permanent();
        match error {
            CallError::Host(reason) => Self::Host(reason),
            CallError::Failed(failure) | CallError::Rejected { failure, .. } => {
                Self::Handler { code: failure.code, message: failure.message, permanent }
            }
        }
    }
}

/// As much of a message as a letter holds.
fn cut(message: &Arc<str>) -> Arc<str> {
    if message.len() <= MESSAGE_BYTES_MAX {
        return Arc::clone(message);
    }
    let end = message.floor_char_boundary(MESSAGE_BYTES_MAX);
    format!("{}…", message.get(..end).unwrap_or_default()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_holds_so_much_of_a_message_and_no_more() {
        let short: Arc<str> = "é".repeat(MESSAGE_BYTES_MAX / 2).into();
        assert_eq!(cut(&short), short);
        let long = format!("a{}", "é".repeat(MESSAGE_BYTES_MAX)).into();
        let held = cut(&long);
        assert!(held.len() <= MESSAGE_BYTES_MAX + "…".len(), "{}", held.len());
        assert!(held.starts_with("aé") && held.ends_with("é…"));
    }
}
