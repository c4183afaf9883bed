//! Reactions: how far each has come, what keeps it, and what they are told.

pub(super) mod letters;
pub(super) mod reactor;
mod step;

use std::collections::BTreeMap;
use std::time::Duration;

pub use self::reactor::Reactor;

use super::{App, At, Error, suggest};
use crate::lane::reactions::{
    self, Addressee, Cursor, LetterState, cursor_key, cursors, letters_in, letters_of,
};
use crate::lane::{Expected, Prepared};
use crate::receipts::Receipt;
use crate::record::Act;
use crate::snapshot::Snapshot;
use crate::state::State;
use crate::value::{ChangeSet, Key, Lifecycle, Name, Position, Sequence, TableChanges, Value};
use crate::wasm::Begin;

/// By how much each pause before another attempt is longer than the one before.
const PAUSE_GROWS: u32 = 4;
/// The longest of these pauses.
const PAUSE_MAX: Duration = Duration::from_secs(5 * 60);

/// How reactions are treated that fail.
#[derive(Debug, Clone, Copy)]
pub struct ReactionSettings {
    /// How often an event is tried again before it becomes a dead letter.
    pub retries: u32,
    /// How long it is waited before the first of these attempts; four times longer
    /// before each further one, five minutes at most.
    pub pause: Duration,
}

impl Default for ReactionSettings {
    /// Three times, after 0.1, 0.4 and 1.6 seconds: events behind it wait meanwhile.
    fn default() -> Self {
        Self { retries: 3, pause: Duration::from_millis(100) }
    }
}

impl ReactionSettings {
    /// How long to wait after so many attempts have failed.
    fn pause(&self, attempts: u32) -> Duration {
        let times = PAUSE_GROWS.saturating_pow(attempts.saturating_sub(1));
        self.pause.saturating_mul(times).min(PAUSE_MAX)
    }
}

/// What keeps a reaction from going on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// The event that it cannot get past.
    pub position: Position,
    /// How often that was tried; none if the reaction stands still.
    pub attempts: Option<u32>,
    /// Why, for people.
    pub reason: String,
}

impl Trouble {
    fn retrying(position: Position, attempts: u32) -> Self {
        let reason = "the event failed, and is tried again".to_owned();
        Self { position, attempts: Some(attempts), reason }
    }

    fn standing(position: Position, reason: String) -> Self {
        Self { position, attempts: None, reason }
    }
}

/// A reaction, and how far it has come.
#[derive(Debug, Clone)]
pub struct ReactionInfo {
    /// Its name.
    pub name: Name,
    /// The module that declares it, or that did so last.
    pub module: Name,
    /// Whether a module declares it now.
    pub is_declared: bool,
    /// For people.
    pub description: String,
    /// Which events it is given.
    pub on: Vec<String>,
    /// Where it began.
    pub from: Begin,
    /// The last event that it has handled or left behind.
    pub position: Position,
    /// The entry that deployed it first.
    pub since: Sequence,
    /// Events that it could not handle.
    pub dead: usize,
    /// Events that wait behind those.
    pub waiting: usize,
    /// What keeps it from going on, if anything does.
    pub trouble: Option<Trouble>,
}

/// All reactions.
#[derive(Debug, Clone)]
pub struct ReactionList {
    /// The state they were read from.
    pub sequence: Sequence,
    /// The last event there is.
    pub last: Position,
    /// They, by name.
    pub reactions: Vec<ReactionInfo>,
}

impl App {
    /// What calls the reactions.
    #[must_use]
    pub fn reactor(&self) -> &Reactor {
        &self.reactor
    }

    /// All reactions that a module declares, or that have a place from when one did.
    ///
    /// # Errors
    /// As [`App::snapshot`].
    pub async fn reactions(&self, at: At) -> Result<ReactionList, Error> {
        let snapshot = self.snapshot(at).await?;
        let state = &snapshot.state;
        let counts = counts(state);
        let info = |(name, cursor): (Name, Cursor)| {
            let letters = counts.get(&Addressee::Reaction(name.clone()));
            let (dead, waiting) = letters.copied().unwrap_or_default();
            self.reaction_info(&snapshot, name, &cursor, dead, waiting)
        };
        let reactions = reactions::all_cursors(state).map(info).collect();
        Ok(ReactionList { sequence: state.sequence(), last: state.position(), reactions })
    }

    fn reaction_info(
        &self,
        snapshot: &Snapshot,
        name: Name,
        cursor: &Cursor,
        dead: usize,
        waiting: usize,
    ) -> ReactionInfo {
        let deployed = snapshot.catalog.reaction(name.as_str());
        let declared = deployed.and_then(|module| module.manifest().reactions.get(&name));
        let on = declared.map_or_else(Vec::new, |reaction| {
            reaction.on.iter().map(|pattern| pattern.as_str().to_owned()).collect()
        });
        ReactionInfo {
            module: cursor.module.clone(),
            is_declared: declared.is_some(),
            description: declared.map_or_else(String::new, |it| it.description.clone()),
            on,
            from: declared.map(|reaction| reaction.from).unwrap_or_default(),
            position: cursor.position,
            since: cursor.since,
            dead,
            waiting,
            trouble: self.reactor.trouble(&name),
            name,
        }
    }

    /// Drops the place of a reaction that no module declares, and its dead letters.
    ///
    /// # Errors
    /// [`Error::UnknownReaction`], [`Error::ReactionInUse`].
    pub async fn drop_reaction(&self, name: &str) -> Result<Receipt, Error> {
        let prepare = || {
            let snapshot = self.snapshots().current();
            let (name, cursor, row) = self.known_reaction(&snapshot, name)?;
            if snapshot.catalog.reaction(name.as_str()).is_some() {
                return Err(Error::ReactionInUse { name });
            }
            let key = cursor_key(&name).ok_or_else(|| self.unknown_reaction(&snapshot, &name))?;
            let letters = letters_in(&snapshot.state, &letters_of(name.as_str()));
            let letters = letters.filter_map(|(key, ..)| Key::new(key).ok());
            let letters = letters.map(|key| (key, None)).collect();
            let changes = change_set([
                (reactions::letters(), letters),
                (cursors(), vec![(key.clone(), None)]),
            ]);
            let expected = vec![Expected { table: cursors(), key, value: Some(row) }];
            let worker = format!("reaction/{name}/drop").into();
            let (from, to) = (cursor.position, cursor.position);
            Ok((Act::Advance { worker, from, to }, Prepared { expected, changes }))
        };
        self.enter_prepared(prepare).await
    }

    pub(super) fn known_reaction(
        &self,
        snapshot: &Snapshot,
        name: &str,
    ) -> Result<(Name, Cursor, Value), Error> {
        let found = reactions::cursor(&snapshot.state, name);
        let parsed = name.parse().ok();
        let (Some((cursor, row)), Some(name)) = (found, parsed) else {
            return Err(self.unknown_reaction(snapshot, name));
        };
        Ok((name, cursor, row))
    }

    fn unknown_reaction(&self, snapshot: &Snapshot, name: &(impl ToString + ?Sized)) -> Error {
        let names: Vec<Name> = reactions::all_cursors(&snapshot.state).map(|(n, _)| n).collect();
        let (app, name) = (self.name().clone(), name.to_string());
        let suggestion = suggest(&name, names.iter().map(Name::as_str));
        Error::UnknownReaction { app, name, suggestion }
    }
}

/// The dead letters of each reaction and webhook, and what waits behind them.
pub(super) fn counts(state: &State) -> BTreeMap<Addressee, (usize, usize)> {
    let mut counts: BTreeMap<Addressee, (usize, usize)> = BTreeMap::new();
    for (_, addressee, _, letter) in letters_in(state, &crate::state::Range::all()) {
        let (dead, waiting) = counts.entry(addressee).or_default();
        match letter.state {
            LetterState::Waiting => *waiting += 1,
            LetterState::Dead | LetterState::Retry => *dead += 1,
        }
    }
    counts
}

/// A key, and the value that it gets; none if it is removed.
type KeyedRow = (Key, Option<Value>);

/// A change set of rows of tables that are there.
pub(super) fn change_set<const N: usize>(mut tables: [(Name, Vec<KeyedRow>); N]) -> ChangeSet {
    tables.sort_by(|(one, _), (other, _)| one.cmp(other));
    let tables = tables.into_iter().filter(|(_, rows)| !rows.is_empty());
    let tables =
        tables.map(|(table, rows)| TableChanges { table, lifecycle: Lifecycle::Kept, rows });
    ChangeSet { tables: tables.collect() }
}
