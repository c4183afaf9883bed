//! What follows from a command: projections in the same step, reactions and timers
//! after it.

use std::collections::VecDeque;

use serde_json::Value as Json;

use super::{Given, parse};
use crate::app::ReactionEntry;
use crate::host::memory::{self, Hand, Store};
use crate::{Event, NewCommand, NewEvent, QueryRequest, Rejection, Snapshot, View, pattern};

/// Commands that follow from one another before a test is given up: beyond it they
/// follow for ever.
const COMMANDS_MAX: usize = 1_000;

/// The events there are, as far as a test needs them.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    n_events: u64,
    /// Events that reactions have not been asked about.
    ahead: VecDeque<Event<String>>,
}

impl History {
    /// What happened so far is past: nothing more follows from it.
    pub(super) fn past(&mut self) {
        self.ahead.clear();
    }
}

impl Given {
    /// Executes all commands that follow from what happened: those of the reactions to
    /// its events, those that follow from these, and so on, until there are no more.
    /// Timers do not fire: see [`wait_ms`](Self::wait_ms).
    ///
    /// A command that is rejected is none that failed: on the server too the others go
    /// on.
    ///
    /// # Panics
    ///
    /// If a reaction refuses or asks for a command that is not the app's, if commands
    /// follow without end, and where the server would trap.
    #[must_use]
    pub fn follow(mut self) -> Self {
        let mut n_commands = 0;
        while let Some(event) = self.history.ahead.pop_front() {
            for command in self.commands_after(&event) {
                n_commands += 1;
                assert!(n_commands <= COMMANDS_MAX, "more than {COMMANDS_MAX} commands follow");
                self = self.submit(&command);
            }
        }
        self
    }

    /// Lets this much time pass, in milliseconds, with all that follows: timers fire in
    /// the order in which they are due, each followed by its reactions.
    ///
    /// # Panics
    ///
    /// As [`follow`](Self::follow).
    #[must_use]
    pub fn wait_ms(self, ms: u64) -> Self {
        let until_ms = self.time_ms + ms;
        let mut given = self.follow();
        while let Some((due_ms, command)) = given.take_timer(until_ms) {
            given.time_ms = given.time_ms.max(due_ms);
            given = given.submit(&command).follow();
        }
        given.time_ms = given.time_ms.max(until_ms);
        given
    }

    /// The commands that wait for their time, in milliseconds since 1970, the earliest
    /// first.
    #[must_use]
    pub fn pending(&self) -> Vec<(u64, NewCommand)> {
        let mut timers: Vec<_> = self.timers.values().cloned().collect();
        timers.sort_by_key(|(due_ms, _)| *due_ms);
        timers
    }

    /// The first timer that is due by a time, which is no longer there then.
    fn take_timer(&mut self, until_ms: u64) -> Option<(u64, NewCommand)> {
        let due = self.timers.iter().filter(|(_, (due_ms, _))| *due_ms <= until_ms);
        let (id, _) = due.min_by_key(|(_, (due_ms, _))| *due_ms)?;
        let id = id.clone();
        self.timers.remove(&id)
    }

    fn submit(self, command: &NewCommand) -> Self {
        let name = &command.name;
        let is_known = self.definition.commands.iter().any(|entry| entry.is_named(name));
        assert!(is_known, "command `{name}` follows, and the app has none of that name");
        self.when_named(name, &parse(&command.input)).given()
    }

    /// Puts events on record and into the tables of the projections.
    pub(super) fn record(&mut self, events: &[NewEvent]) -> Vec<Event<String>> {
        let mut recorded = Vec::new();
        for (index, event) in events.iter().enumerate() {
            self.history.n_events += 1;
            let event = self.stored(index, event);
            self.project(&event);
            self.history.ahead.push_back(event.clone());
            recorded.push(event);
        }
        recorded
    }

    fn stored(&self, index: usize, event: &NewEvent) -> Event<String> {
        let (position, command_id) = (self.history.n_events, self.command_id());
        Event {
            position,
            id: format!("018bcfe5-6800-5000-8{index:03x}-{:012x}", self.sequence),
            event_type: event.event_type.clone(),
            subject: event.subject.clone(),
            time_ms: self.time_ms,
            data: event.data.clone(),
            sequence: self.sequence,
            correlation_id: command_id.clone(),
            command_id,
            causation_id: None,
            module_hash: String::new(),
            metadata: r#"{"module":null,"depth":0,"erased":false}"#.to_owned(),
        }
    }

    #[expect(clippy::panic, reason = "a test that fails panics")]
    fn project(&mut self, event: &Event<String>) {
        for projection in self.definition.projections {
            if !projection.on.iter().any(|on| pattern::matches(on.pattern, &event.event_type)) {
                continue;
            }
            let store = Store::new(self.tables.clone(), Hand::Projection(projection.name));
            let mut view = View::new(memory::View { store: store.clone() });
            let name = projection.kebab_name();
            if let Err(rejection) = self.definition.project(&mut view, &name, event.clone()) {
                let event_type = &event.event_type;
                panic!("projection `{name}` would be parked at `{event_type}`: {rejection}");
            }
            self.tables = store.tables.borrow().clone();
        }
    }

    /// What the reactions make of an event, by their names.
    pub(super) fn reactions_to(
        &self,
        event: &Event<String>,
    ) -> Vec<(String, Result<Vec<NewCommand>, Rejection>)> {
        let is_on = |reaction: &&ReactionEntry| {
            reaction.on.iter().any(|on| pattern::matches(on.pattern, &event.event_type))
        };
        let reactions = self.definition.reactions.iter().filter(is_on);
        let asked = reactions.map(|reaction| {
            let name = reaction.kebab_name();
            let snapshot = self.snapshot_after(event, &name);
            let commands = self.definition.react(&snapshot, &name, event.clone());
            (name, commands)
        });
        asked.collect()
    }

    #[expect(clippy::panic, reason = "a test that fails panics")]
    pub(super) fn commands_after(&self, event: &Event<String>) -> Vec<NewCommand> {
        let mut all = Vec::new();
        for (name, commands) in self.reactions_to(event) {
            match commands {
                Ok(commands) => all.extend(commands),
                Err(rejection) => {
                    panic!("reaction `{name}` refuses `{}`: {rejection}", event.event_type)
                }
            }
        }
        for command in &all {
            let metadata: Json = parse(&command.metadata);
            assert!(metadata.is_object(), "the metadata of `{}` are no object", command.name);
        }
        all
    }

    fn snapshot_after(&self, event: &Event<String>, reaction: &str) -> Snapshot {
        let host = memory::Snapshot {
            store: Store::new(self.tables.clone(), Hand::Commands),
            sequence: self.sequence,
            time_ms: self.time_ms,
            request_time_ms: event.time_ms,
        };
        Snapshot::new(host, QueryRequest::of_reaction(reaction))
    }
}
