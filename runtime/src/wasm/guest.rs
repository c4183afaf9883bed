//! What the host keeps for one instance, and what it has granted to the call
//! that is on.
//!
//! The reads that the three kinds of handles share are here; `imports` gives
//! them to the contract's resources.

use std::sync::Arc;

use super::contract::types;
use super::fault::Fault;
use super::guest_log::{Callee, GuestLog};
use super::handles::Handles;
use super::limiter::Limiter;
use super::script::Places;
use super::settings::Budget;
use crate::state::{Range, State};
use crate::transaction::{Cursor, Read, Refusal, Transaction};
use crate::value::{Invalid, KEY_BYTES_MAX};
use crate::watch::Reads;

/// Keys of one `get-many`. A host function is not interrupted by a deadline, so
/// what one call can ask for is bounded.
pub(super) const GET_MANY_KEYS_MAX: usize = 10_000;
/// What one `get-many` returns, in bytes: as much as the result of a query.
pub(super) const GET_MANY_BYTES_MAX: usize = 16 << 20;

/// The data of a store.
#[derive(Debug)]
pub(super) struct Guest {
    pub(super) limiter: Limiter,
    pub(super) handles: Handles,
    pub(super) log: GuestLog,
    pub(super) budget: Budget,
    /// What errors name instead of places in a bundle.
    pub(super) places: Option<Arc<Places>>,
    granted: Granted,
}

/// What the call that is on may reach, and the number of the handle to it.
#[derive(Debug)]
enum Granted {
    Nothing,
    Snapshot(u32, Snapshot),
    Transaction(u32, Transaction),
    View(u32, Transaction),
}

/// The state a query is asked of.
#[derive(Debug)]
pub(super) struct Snapshot {
    pub(super) state: State,
    pub(super) request_time_ms: u64,
    /// Whether it has asked for the time of the request.
    pub(super) asked_time: bool,
    /// What it has read, if that is to be known.
    pub(super) reads: Option<Reads>,
}

impl Guest {
    pub(super) fn new(budget: Budget, callee: Callee) -> Self {
        Self {
            limiter: Limiter::new(budget.memory_bytes_max),
            handles: Handles::default(),
            log: GuestLog::new(callee),
            budget,
            places: None,
            granted: Granted::Nothing,
        }
    }

    /// Begins a query; returns the number of its handle.
    pub(super) fn grant_snapshot(&mut self, snapshot: Snapshot) -> Result<u32, Fault> {
        let number = self.handles.give()?;
        self.granted = Granted::Snapshot(number, snapshot);
        Ok(number)
    }

    /// Begins a command; returns the number of its handle.
    pub(super) fn grant_transaction(&mut self, transaction: Transaction) -> u32 {
        // Without a number left the guest gets one that nothing answers to: the
        // transaction must not be lost on the way.
        let number = self.handles.give().unwrap_or(0);
        self.granted = Granted::Transaction(number, transaction);
        number
    }

    /// Begins a projection's turn; returns the number of its handle.
    pub(super) fn grant_view(&mut self, view: Transaction) -> u32 {
        let number = self.handles.give().unwrap_or(0);
        self.granted = Granted::View(number, view);
        number
    }

    /// Ends a query or reaction: its handle and cursors lead nowhere from now on.
    pub(super) fn take_snapshot(&mut self) -> Option<Snapshot> {
        match self.end() {
            Granted::Snapshot(_, snapshot) => Some(snapshot),
            Granted::Nothing | Granted::Transaction(..) | Granted::View(..) => None,
        }
    }

    /// Ends a command or a projection's turn: its handle and cursors lead nowhere from now on.
    pub(super) fn take_transaction(&mut self) -> Option<Transaction> {
        match self.end() {
            Granted::Transaction(_, staged) | Granted::View(_, staged) => Some(staged),
            Granted::Nothing | Granted::Snapshot(..) => None,
        }
    }

    fn end(&mut self) -> Granted {
        self.handles.close();
        self.log.end();
        std::mem::replace(&mut self.granted, Granted::Nothing)
    }

    pub(super) fn snapshot(&mut self, number: u32) -> Result<&mut Snapshot, Fault> {
        match &mut self.granted {
            Granted::Snapshot(given, snapshot) if *given == number => Ok(snapshot),
            _ => Err(Fault::StaleHandle),
        }
    }

    /// The same, for what is another after every entry.
    pub(super) fn read_of_entry(&mut self, number: u32) -> Result<&mut Snapshot, Fault> {
        let snapshot = self.snapshot(number)?;
        if let Some(reads) = &mut snapshot.reads {
            reads.sequence();
        }
        Ok(snapshot)
    }

    pub(super) fn transaction(&mut self, number: u32) -> Result<&mut Transaction, Fault> {
        match &mut self.granted {
            Granted::Transaction(given, transaction) if *given == number => Ok(transaction),
            _ => Err(Fault::StaleHandle),
        }
    }

    pub(super) fn view(&mut self, number: u32) -> Result<&mut Transaction, Fault> {
        match &mut self.granted {
            Granted::View(given, view) if *given == number => Ok(view),
            _ => Err(Fault::StaleHandle),
        }
    }

    pub(super) fn get(
        &mut self,
        number: u32,
        table: &str,
        key: &str,
    ) -> Result<Option<types::Value>, Fault> {
        check_length("key", key, KEY_BYTES_MAX)?;
        if let Some(reads) = self.granted.reads() {
            reads.key(table, key);
        }
        let found = self.granted.to(number)?.get(table, key)?;
        Ok(found.map(types::Value::from))
    }

    pub(super) fn get_many(
        &mut self,
        number: u32,
        table: &str,
        keys: &[String],
    ) -> Result<Vec<Option<types::Value>>, Fault> {
        if keys.len() > GET_MANY_KEYS_MAX {
            return Err(Fault::TooManyKeys { keys: keys.len(), keys_max: GET_MANY_KEYS_MAX });
        }
        for key in keys {
            check_length("key", key, KEY_BYTES_MAX)?;
        }
        if let Some(reads) = self.granted.reads() {
            reads.table(table);
            keys.iter().for_each(|key| reads.key(table, key));
        }
        let found = self.granted.to(number)?.get_many(table, keys)?;
        let bytes: usize = found.iter().flatten().map(|value| value.as_bytes().len()).sum();
        if bytes > GET_MANY_BYTES_MAX {
            return Err(Fault::TooManyBytes { bytes, bytes_max: GET_MANY_BYTES_MAX });
        }
        Ok(found.into_iter().map(|value| value.map(types::Value::from)).collect())
    }

    pub(super) fn count(
        &mut self,
        number: u32,
        table: &str,
        range: types::Range,
    ) -> Result<u64, Fault> {
        let range = bounded(range)?;
        if let Some(reads) = self.granted.reads() {
            reads.range(table, range.clone());
        }
        Ok(self.granted.to(number)?.count(table, &range)?)
    }

    /// A cursor; returns the number of its handle.
    pub(super) fn scan(
        &mut self,
        number: u32,
        table: &str,
        range: types::Range,
        order: types::Order,
    ) -> Result<u32, Fault> {
        if let Some(reads) = self.granted.reads() {
            reads.table(table);
        }
        let granted = self.granted.to(number)?;
        let cursor = Cursor::new(granted, table, bounded(range)?, order.into())?;
        self.handles.give_cursor(cursor, self.budget.cursors_max)
    }

    /// A page of a cursor; `page` says in which form.
    pub(super) fn next_page<T>(
        &mut self,
        number: u32,
        page: impl FnOnce(&mut Cursor, &dyn Read) -> Result<T, Refusal>,
    ) -> Result<T, Fault> {
        let cursor = self.handles.cursor(number)?;
        let before = self.granted.reads().map(|_| cursor.remaining().clone());
        let granted = self.granted.to_cursors()?;
        let given = page(cursor, granted)?;
        if let Some(before) = before {
            let (table, range) = cursor.read_of(granted, before)?;
            if let Some(reads) = self.granted.reads() {
                reads.range(table, range);
            }
        }
        Ok(given)
    }
}

impl Granted {
    /// What the handle with this number reads.
    fn to(&self, number: u32) -> Result<&dyn Read, Fault> {
        match self {
            Self::Snapshot(given, snapshot) if *given == number => Ok(&snapshot.state),
            Self::Transaction(given, staged) | Self::View(given, staged) if *given == number => {
                Ok(staged)
            }
            _ => Err(Fault::StaleHandle),
        }
    }

    /// Where it is noted what a query reads, if it is.
    fn reads(&mut self) -> Option<&mut Reads> {
        match self {
            Self::Snapshot(_, snapshot) => snapshot.reads.as_mut(),
            Self::Nothing | Self::Transaction(..) | Self::View(..) => None,
        }
    }

    /// What the cursors of this call read.
    fn to_cursors(&self) -> Result<&dyn Read, Fault> {
        match self {
            Self::Snapshot(_, snapshot) => Ok(&snapshot.state),
            Self::Transaction(_, staged) | Self::View(_, staged) => Ok(staged),
            Self::Nothing => Err(Fault::StaleHandle),
        }
    }
}

/// The bound of a range, in bytes: the longest key and one byte more, since
/// "after this key" is said as the key and a zero.
const BOUND_BYTES_MAX: usize = KEY_BYTES_MAX + 1;

/// A range with bounds no longer than they have to be: cursors keep them in the host's
/// memory, and no key is beyond a longer one.
fn bounded(range: types::Range) -> Result<Range, Fault> {
    let range = match range {
        types::Range::All => Range::all(),
        types::Range::Prefix(prefix) => Range::prefix(short(&prefix)?),
        types::Range::Between(bounds) => Range::between(bounds.lower, bounds.upper),
    };
    for bound in [&range.lower, &range.upper].into_iter().flatten() {
        short(bound)?;
    }
    Ok(range)
}

fn short(bound: &str) -> Result<&str, Fault> {
    check_length("the bound of a range", bound, BOUND_BYTES_MAX)?;
    Ok(bound)
}

fn check_length(what: &'static str, text: &str, bytes_max: usize) -> Result<(), Fault> {
    if text.len() > bytes_max {
        let reason = format!("has {} bytes; at most {bytes_max} are allowed", text.len());
        return Err(Refusal::Key(Invalid { what, reason }).into());
    }
    Ok(())
}
