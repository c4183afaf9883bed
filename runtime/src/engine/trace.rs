//! What followed from what: the commands that have a correlation in common, and their
//! events, as a tree.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use uuid::Uuid;

use super::{App, Error};
use crate::events::stored;
use crate::lane::{Refusal, Ticket};
use crate::receipts::{self, Receipt};
use crate::record::Command;
use crate::value::{Sequence, StoredEvent};

/// Commands in one trace, at most: what a person still looks at.
const COMMANDS_MAX: usize = 1000;
/// Commands and events in one trace, at most.
const ITEMS_MAX: usize = 5000;

/// A tree, as its nodes in the order in which it is read: each before what followed
/// from it.
#[derive(Debug, Clone)]
pub struct Trace {
    /// The nodes.
    pub items: Vec<TraceItem>,
    /// Whether there are more.
    pub truncated: bool,
}

/// One node, and how deep it is in the tree.
#[derive(Debug, Clone)]
pub struct TraceItem {
    /// 0 for what nothing here led to.
    pub level: usize,
    /// What it is.
    pub what: Traced,
}

/// What is in a trace.
#[derive(Debug, Clone)]
pub enum Traced {
    /// A command.
    Command {
        /// What became of it.
        receipt: Receipt,
        /// What was asked.
        command: Command,
    },
    /// A command whose receipt is not kept any more.
    Forgotten {
        /// Its id.
        id: Uuid,
        /// Its entry.
        sequence: Sequence,
        /// When it was accepted, in milliseconds since 1970.
        time_ms: u64,
    },
    /// An event of the command before it.
    Event(Arc<StoredEvent>),
}

/// A command with what is known of it.
struct Node {
    what: Traced,
    id: Uuid,
    cause: Option<Arc<str>>,
    events: Vec<Arc<StoredEvent>>,
}

impl App {
    /// What has a correlation in common. Reads from the disk, each command by itself.
    ///
    /// # Errors
    /// [`Error::UnknownTrace`] if nothing is known to have it; [`Error::Events`],
    /// [`Error::Receipt`].
    pub fn trace(&self, correlation_id: &str) -> Result<Trace, Error> {
        let mut sequences = self.events().correlated(correlation_id, COMMANDS_MAX + 1)?;
        // A command that began a chain has its id.
        if let Ok(id) = Uuid::try_parse(correlation_id) {
            sequences.extend(self.sequence_of(id)?);
        }
        sequences.sort_unstable();
        sequences.dedup();
        let mut truncated = sequences.len() > COMMANDS_MAX;
        let mut nodes = BTreeMap::new();
        for sequence in sequences.into_iter().take(COMMANDS_MAX) {
            if let Some(node) = self.node(sequence, correlation_id)? {
                nodes.insert(sequence, node);
            }
        }
        if nodes.is_empty() {
            return Err(Error::UnknownTrace { id: correlation_id.to_owned() });
        }
        let mut items = in_order(nodes);
        truncated |= items.len() > ITEMS_MAX;
        items.truncate(ITEMS_MAX);
        Ok(Trace { items, truncated })
    }

    fn sequence_of(&self, id: Uuid) -> Result<Option<Sequence>, Error> {
        match self.lane().find(id) {
            Ok(Some(Ticket::Settled(sequence))) | Err(Refusal::Trimmed { sequence, .. }) => {
                Ok(Some(sequence))
            }
            Ok(Some(Ticket::Flying { flight, .. })) => Ok(Some(flight.sequence)),
            Ok(None) => Ok(None),
            Err(refusal) => Err(refusal.into()),
        }
    }

    fn node(&self, sequence: Sequence, correlation_id: &str) -> Result<Option<Node>, Error> {
        match self.lane().receipt(sequence) {
            Ok(Some(receipt)) => Ok(node_of(receipt, correlation_id)),
            Ok(None) => Ok(None),
            Err(receipts::Error::Trimmed { .. }) => {
                let events = self.events().of_entry(sequence)?;
                Ok(forgotten(events, correlation_id))
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn node_of(receipt: Receipt, correlation_id: &str) -> Option<Node> {
    // What schedules a command is the root of what follows from it.
    let command = receipt.entry.act.command()?.clone();
    // Another may be found by the same number.
    if *command.correlation_id != *correlation_id {
        return None;
    }
    let events = receipt.outcome.as_ref().map(|outcome| stored(&receipt.entry, outcome));
    Some(Node {
        id: receipt.entry.id,
        cause: command.causation_id.clone(),
        events: events.unwrap_or_default(),
        what: Traced::Command { receipt, command },
    })
}

fn forgotten(events: Vec<Arc<StoredEvent>>, correlation_id: &str) -> Option<Node> {
    let first = events.first().filter(|first| *first.correlation_id == *correlation_id)?;
    let (id, sequence, time_ms) = (first.command_id, first.sequence, first.time_ms);
    let what = Traced::Forgotten { id, sequence, time_ms };
    Some(Node { id, cause: first.causation_id.clone(), what, events })
}

/// Each command below the event, or the command, that led to it.
fn in_order(nodes: BTreeMap<Sequence, Node>) -> Vec<TraceItem> {
    let mut owners: HashMap<String, Sequence> = HashMap::new();
    for (sequence, node) in &nodes {
        owners.insert(node.id.to_string(), *sequence);
        owners.extend(node.events.iter().map(|event| (event.id.to_string(), *sequence)));
    }
    let mut roots = Vec::new();
    let mut children: HashMap<String, Vec<Sequence>> = HashMap::new();
    for (sequence, node) in &nodes {
        // What a client names as its cause may be anything: a cause comes before.
        let cause = node.cause.as_deref();
        let led = cause.filter(|cause| owners.get(*cause).is_some_and(|owner| owner < sequence));
        match led {
            Some(cause) => children.entry(cause.to_owned()).or_default().push(*sequence),
            None => roots.push(*sequence),
        }
    }
    let mut nodes = nodes;
    let mut items = Vec::new();
    // What is still to be read, the next at the end.
    let mut left: Vec<(usize, Step)> = roots.into_iter().rev().map(|n| (0, Step::Of(n))).collect();
    while let Some((level, step)) = left.pop() {
        match step {
            Step::Of(sequence) => {
                let Some(node) = nodes.remove(&sequence) else { continue };
                let after = children.remove(&node.id.to_string()).unwrap_or_default();
                left.extend(after.into_iter().rev().map(|n| (level + 1, Step::Of(n))));
                let events = node.events.into_iter().rev();
                left.extend(events.map(|event| (level + 1, Step::Event(event))));
                items.push(TraceItem { level, what: node.what });
            }
            Step::Event(event) => {
                let after = children.remove(&event.id.to_string()).unwrap_or_default();
                left.extend(after.into_iter().rev().map(|n| (level + 1, Step::Of(n))));
                items.push(TraceItem { level, what: Traced::Event(event) });
            }
        }
    }
    items
}

enum Step {
    Of(Sequence),
    Event(Arc<StoredEvent>),
}
