//! The state after a command, and what became of it.

use serde::Serialize;

use super::{Given, parse, show, tree};
use crate::host::memory::{Effects, Tables};
use crate::key::{self, AsKey};
use crate::table::Keyed;
use crate::{Event, NewCommand, NewEvent, Rejection, Snapshot, Transaction, Value};

/// What a command gave. Each `then_…` checks one thing and hands the outcome on;
/// [`when`](Self::when) goes on from the state it left.
#[derive(Debug)]
pub struct Outcome<O> {
    after: Given,
    before: Tables,
    result: Result<O, Rejection>,
    effects: Effects,
    recorded: Vec<Event<String>>,
}

/// The name of a reaction, and what it gives.
type Asked = (String, Result<Vec<NewCommand>, Rejection>);

impl<O> Outcome<O> {
    pub(super) fn new(
        after: Given,
        before: Tables,
        result: Result<O, Rejection>,
        effects: Effects,
        recorded: Vec<Event<String>>,
    ) -> Self {
        Self { after, before, result, effects, recorded }
    }

    /// It succeeded with this result.
    ///
    /// # Panics
    ///
    /// If not.
    #[track_caller]
    pub fn then_ok(self, expected: &O) -> Self
    where
        O: Serialize,
    {
        match &self.result {
            Ok(result) => assert_eq!(tree(result), tree(expected), "another result"),
            Err(rejection) => panic!("it was rejected: {rejection}"),
        }
        self
    }

    /// It was rejected with this code.
    ///
    /// # Panics
    ///
    /// If not.
    #[track_caller]
    pub fn then_rejected(self, code: &str) -> Self {
        match &self.result {
            Ok(_) => panic!("it succeeded instead of being rejected as `{code}`"),
            Err(rejection) => assert_eq!(rejection.code, code, "{}", rejection.message),
        }
        self
    }

    /// It was rejected with these details.
    ///
    /// # Panics
    ///
    /// If not.
    #[track_caller]
    pub fn then_details(self, expected: &impl Serialize) -> Self {
        match &self.result {
            Ok(_) => panic!("it succeeded instead of being rejected"),
            Err(Rejection { details, .. }) => {
                assert_eq!(details.as_deref().map(parse), Some(tree(expected)), "other details");
            }
        }
        self
    }

    /// The table holds this row now.
    ///
    /// # Panics
    ///
    /// If not.
    #[track_caller]
    pub fn then_row<T, Q>(self, table: &T, key: &Q, expected: &T::Value) -> Self
    where
        T: Keyed,
        Q: AsKey<T::Key> + ?Sized,
    {
        let found = self.raw_row(table, key);
        let expected = table.encode_row(expected);
        let is_same = match (&found, &expected) {
            (Some(Value::Json(found)), Value::Json(expected)) => parse(found) == parse(expected),
            (found, expected) => found.as_ref() == Some(expected),
        };
        let (found, expected) = (show(found.as_ref()), show(Some(&expected)));
        let (table, key) = (table.name(), key::encode(key));
        assert!(is_same, "{key:?} of `{table}`\n   found: {found}\nexpected: {expected}");
        self
    }

    /// The table has no row of this key now.
    ///
    /// # Panics
    ///
    /// If it has.
    #[track_caller]
    pub fn then_no_row<T, Q>(self, table: &T, key: &Q) -> Self
    where
        T: Keyed,
        Q: AsKey<T::Key> + ?Sized,
    {
        let found = self.raw_row(table, key);
        assert!(found.is_none(), "`{}` has {}", table.name(), show(found.as_ref()));
        self
    }

    /// It emitted an event of this type with these data, perhaps among others.
    ///
    /// # Panics
    ///
    /// If not.
    #[track_caller]
    pub fn then_event(self, event_type: &str, data: &impl Serialize) -> Self {
        let data = tree(data);
        let is_expected =
            |event: &NewEvent| event.event_type == event_type && parse(&event.data) == data;
        let events = self.events();
        assert!(events.iter().any(is_expected), "no `{event_type}` with {data} in {events:#?}");
        self
    }

    /// It emitted no event.
    ///
    /// # Panics
    ///
    /// If it did.
    #[track_caller]
    pub fn then_no_event(self) -> Self {
        assert!(self.events().is_empty(), "events: {:#?}", self.events());
        self
    }

    /// A reaction to its events wants this command submitted, perhaps among others.
    ///
    /// # Panics
    ///
    /// If not, or if a reaction refuses.
    #[track_caller]
    pub fn then_command(self, name: &str, input: &impl Serialize) -> Self {
        let input = tree(input);
        let is_expected =
            |command: &NewCommand| command.name == name && parse(&command.input) == input;
        let commands = self.commands();
        assert!(commands.iter().any(is_expected), "no `{name}` with {input} in {commands:#?}");
        self
    }

    /// No reaction to its events wants a command submitted.
    ///
    /// # Panics
    ///
    /// If one does, or if one refuses.
    #[track_caller]
    pub fn then_no_command(self) -> Self {
        let commands = self.commands();
        assert!(commands.is_empty(), "commands: {commands:#?}");
        self
    }

    /// A reaction to its events refuses with this code.
    ///
    /// # Panics
    ///
    /// If none does.
    #[track_caller]
    pub fn then_reaction_refuses(self, code: &str) -> Self {
        let reactions = self.reactions();
        let refuses = |asked: &Asked| matches!(&asked.1, Err(refusal) if refusal.code == code);
        assert!(reactions.iter().any(refuses), "no reaction refuses as `{code}`: {reactions:#?}");
        self
    }

    /// No row of any table is different from before.
    ///
    /// # Panics
    ///
    /// If one is.
    #[track_caller]
    pub fn then_unchanged(self) -> Self {
        assert!(self.changes().is_empty(), "changes: {:#?}", self.changes());
        self
    }

    /// A query gives this answer now.
    ///
    /// # Panics
    ///
    /// If not, and where [`Given::query`] would.
    #[track_caller]
    pub fn then_query<I, A, E, F>(self, handler: F, input: I, expected: &A) -> Self
    where
        F: Fn(&Snapshot, I) -> Result<A, E>,
        A: Serialize,
        E: Into<Rejection>,
    {
        match self.after.query(handler, input) {
            Ok(answer) => assert_eq!(tree(&answer), tree(expected), "another answer"),
            Err(rejection) => panic!("the query refused: {rejection}"),
        }
        self
    }

    /// Goes on with another command: as [`Given::when`].
    pub fn when<I, P, E, F>(self, handler: F, input: I) -> Outcome<P>
    where
        F: Fn(&mut Transaction, I) -> Result<P, E>,
        E: Into<Rejection>,
    {
        self.after.when(handler, input)
    }

    /// Goes on with another command: as [`Given::when_named`].
    pub fn when_named(self, name: &str, input: &impl Serialize) -> Outcome<serde_json::Value> {
        self.after.when_named(name, input)
    }

    /// Goes on with an event: as [`Given::when_event`].
    pub fn when_event(self, event: &NewEvent) -> Outcome<()> {
        self.after.when_event(event)
    }

    /// Goes on with all that follows: as [`Given::follow`].
    #[must_use]
    pub fn follow(self) -> Given {
        self.after.follow()
    }

    /// The commands that reactions to its events want submitted, in order.
    ///
    /// # Panics
    ///
    /// If a reaction refuses.
    pub fn commands(&self) -> Vec<NewCommand> {
        self.recorded.iter().flat_map(|event| self.after.commands_after(event)).collect()
    }

    /// What each reaction to its events gives, by the reaction's name.
    pub fn reactions(&self) -> Vec<Asked> {
        self.recorded.iter().flat_map(|event| self.after.reactions_to(event)).collect()
    }

    /// The state it left, to go on from.
    pub fn given(self) -> Given {
        self.after
    }

    /// What the handler returned.
    ///
    /// # Errors
    ///
    /// If it was rejected.
    pub fn result(&self) -> Result<&O, &Rejection> {
        self.result.as_ref()
    }

    /// The events it emitted, or those of its rejection.
    pub fn events(&self) -> &[NewEvent] {
        &self.effects.events
    }

    /// The commands it scheduled, with their times in milliseconds since 1970.
    pub fn timers(&self) -> Vec<(u64, NewCommand)> {
        self.effects.timers.values().cloned().collect()
    }

    /// The rows it changed: table, key, and the value now; none if it is gone.
    pub fn changes(&self) -> Vec<(String, String, Option<Value>)> {
        self.after.tables().changes(&self.before)
    }

    fn raw_row<T, Q>(&self, table: &T, key: &Q) -> Option<Value>
    where
        T: Keyed,
        Q: AsKey<T::Key> + ?Sized,
    {
        self.after.tables().get(table.name(), &key::encode(key)).cloned()
    }
}
