//! Whether what clients were told can be true.
//!
//! Clients write down what they sent and what they were answered ([`Call`],
//! [`Read`]); in the end the log is read ([`Log`]). From these alone, and in one pass
//! over each, [`check`] says which promise was broken, if one was ([`Rule`]). It
//! knows nothing of how the server works.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use serde_json::Value as Json;
use uuid::Uuid;

use crate::model::{Model, Said};

/// One sending of a command, and what came back.
#[derive(Debug, Clone)]
pub struct Call {
    /// When it was sent, by a clock that all clients share and that never stands.
    pub invoked: u64,
    /// When the answer came.
    pub completed: u64,
    /// The id the client gave it.
    pub id: Uuid,
    /// The command's name.
    pub name: String,
    /// Its input.
    pub input: Json,
    /// What came back.
    pub answer: Answer,
}

/// What came back for a command.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Executed: its place and its result.
    Done {
        /// Its place.
        sequence: u64,
        /// What came of it.
        said: Said,
    },
    /// Durable, and to be executed.
    Logged {
        /// Its place.
        sequence: u64,
    },
    /// Certainly not logged.
    NotLogged,
    /// Nobody knows; also if there was no answer at all.
    Unknown,
}

/// A query and its answer.
#[derive(Debug, Clone)]
pub struct Read {
    /// Who asked. Each client asks one query after the other.
    pub client: usize,
    /// When.
    pub invoked: u64,
    /// The query's name.
    pub name: String,
    /// Its input.
    pub input: Json,
    /// Which state the answer is from.
    pub sequence: u64,
    /// The answer.
    pub result: Json,
}

/// What is in the log when all is over.
#[derive(Debug, Clone, Default)]
pub struct Log {
    /// Its entries, in its order.
    pub entries: Vec<Logged>,
    /// Its rounds, if they can be seen.
    pub rounds: Vec<Link>,
}

/// An entry of the log.
#[derive(Debug, Clone)]
pub struct Logged {
    /// Its place.
    pub sequence: u64,
    /// Its id.
    pub id: Uuid,
    /// The command; none for entries of other kinds, which no client's log has.
    pub command: Option<(String, Json)>,
    /// Its outcome, if it has one.
    pub said: Option<Said>,
}

/// A round of the log, as a link of its chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its number.
    pub number: u64,
    /// The chain before it.
    pub before: [u8; 32],
    /// The chain after it, computed from its bytes.
    pub after: [u8; 32],
}

/// A promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// Every id that was acknowledged is in the log exactly once, where it was said.
    A,
    /// No id is in the log twice, and all were sent, with that name and input.
    B,
    /// Sequences have no gaps, and the chain holds.
    C,
    /// Every answer, first or repeated, is what executing the log in order gives.
    D,
    /// What was answered before something else was sent is before it in the log.
    E,
    /// Every query shows the state it names, no older than what was acknowledged
    /// before it was asked, and never older than what its client has seen.
    F,
    /// What nobody knew is there once or not at all; what was said not to be logged
    /// is not there, unless it was sent again.
    G,
}

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub rule: Rule,
    /// How.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule {:?}: {}", self.rule, self.what)
    }
}

/// What is known of an id from all its calls.
#[derive(Debug)]
struct Sent<'a> {
    first: &'a Call,
    /// When the first acknowledgement came.
    acknowledged: Option<u64>,
    /// Whether any call may have been logged.
    possible: bool,
}

/// Looks for broken promises. `model` is the application before the first entry of
/// the log.
#[must_use]
pub fn check<M: Model>(calls: &[Call], reads: &[Read], log: &Log, model: M) -> Vec<Violation> {
    let mut found = Found(Vec::new());
    let sent = sent(calls, &mut found);
    let places = places(&sent, log, &mut found);
    check_whole(log, &mut found);
    check_acknowledged(calls, &places, &mut found);
    check_order(&sent, log, &mut found);
    check_freshness(calls, reads, &mut found);
    check_replay(calls, reads, log, model, &mut found);
    found.0
}

struct Found(Vec<Violation>);

impl Found {
    fn add(&mut self, rule: Rule, what: impl Into<String>) {
        self.0.push(Violation { rule, what: what.into() });
    }
}

fn sent<'a>(calls: &'a [Call], found: &mut Found) -> HashMap<Uuid, Sent<'a>> {
    let mut sent: HashMap<Uuid, Sent<'a>> = HashMap::new();
    for call in calls {
        let known = sent.entry(call.id).or_insert(Sent {
            first: call,
            acknowledged: None,
            possible: false,
        });
        if (&known.first.name, &known.first.input) != (&call.name, &call.input) {
            found.add(Rule::B, format!("{} was sent for two commands", call.id));
        }
        if call.invoked < known.first.invoked {
            known.first = call;
        }
        known.possible |= call.answer != Answer::NotLogged;
        if matches!(call.answer, Answer::Done { .. } | Answer::Logged { .. }) {
            let before = known.acknowledged.unwrap_or(u64::MAX);
            known.acknowledged = Some(before.min(call.completed));
        }
    }
    sent
}

/// Where each id is in the log.
fn places(sent: &HashMap<Uuid, Sent<'_>>, log: &Log, found: &mut Found) -> HashMap<Uuid, u64> {
    let mut places = HashMap::new();
    for entry in &log.entries {
        let before = *places.entry(entry.id).or_insert(entry.sequence);
        if before != entry.sequence {
            found.add(Rule::B, format!("{} is entry {before} and {}", entry.id, entry.sequence));
        }
        let Some((name, input)) = &entry.command else { continue };
        match sent.get(&entry.id) {
            None => found.add(Rule::B, format!("nobody sent entry {}", entry.sequence)),
            Some(sent) if (&sent.first.name, &sent.first.input) != (name, input) => {
                found.add(Rule::B, format!("entry {} is not what was sent", entry.sequence));
            }
            Some(sent) if !sent.possible => {
                let what = format!("entry {} was said not to be logged", entry.sequence);
                found.add(Rule::G, what);
            }
            Some(_) => {}
        }
    }
    places
}

fn check_whole(log: &Log, found: &mut Found) {
    for (entry, expected) in log.entries.iter().zip(log.entries.first().map_or(1, |e| e.sequence)..)
    {
        if entry.sequence != expected {
            found.add(Rule::C, format!("entry {} where {expected} belongs", entry.sequence));
            break;
        }
    }
    for pair in log.rounds.windows(2) {
        let [before, after] = pair else { continue };
        if after.number != before.number + 1 || after.before != before.after {
            found.add(
                Rule::C,
                format!("round {} does not follow round {}", after.number, before.number),
            );
        }
    }
    let mut open = false;
    for entry in &log.entries {
        open |= entry.said.is_none();
        if open && entry.said.is_some() {
            let what = format!("entry {} has an outcome, one before it has none", entry.sequence);
            found.add(Rule::C, what);
        }
    }
}

fn check_acknowledged(calls: &[Call], places: &HashMap<Uuid, u64>, found: &mut Found) {
    for call in calls {
        let said = match &call.answer {
            Answer::Done { sequence, .. } | Answer::Logged { sequence } => *sequence,
            Answer::NotLogged | Answer::Unknown => continue,
        };
        match places.get(&call.id) {
            None => found.add(Rule::A, format!("{}, acknowledged as {said}, is lost", call.id)),
            Some(place) if *place != said => {
                let what = format!("{}, acknowledged as {said}, is entry {place}", call.id);
                found.add(Rule::A, what);
            }
            Some(_) => {}
        }
    }
}

/// In the order of the log, nothing may have been answered before something that
/// stands before it was sent.
fn check_order(sent: &HashMap<Uuid, Sent<'_>>, log: &Log, found: &mut Found) {
    let mut latest: Option<(u64, u64)> = None;
    for entry in &log.entries {
        let Some(known) = sent.get(&entry.id) else { continue };
        if let (Some(acknowledged), Some((invoked, before))) = (known.acknowledged, latest)
            && acknowledged < invoked
        {
            let what = format!(
                "entry {} was answered before entry {before} was sent, and stands behind it",
                entry.sequence
            );
            found.add(Rule::E, what);
        }
        let this = (known.first.invoked, entry.sequence);
        latest = Some(latest.map_or(this, |latest| latest.max(this)));
    }
}

/// What was acknowledged or seen before a query was asked is in its answer.
fn check_freshness(calls: &[Call], reads: &[Read], found: &mut Found) {
    let mut acknowledged: Vec<(u64, u64)> = Vec::new();
    for call in calls {
        if let Answer::Done { sequence, .. } = &call.answer {
            acknowledged.push((call.completed, *sequence));
        }
    }
    acknowledged.sort_unstable();
    let mut reads: Vec<&Read> = reads.iter().collect();
    reads.sort_by_key(|read| read.invoked);
    let (mut acknowledged, mut floor) = (acknowledged.into_iter().peekable(), 0);
    let mut seen: BTreeMap<usize, u64> = BTreeMap::new();
    for read in reads {
        while let Some((_, sequence)) = acknowledged.next_if(|(when, _)| *when < read.invoked) {
            floor = floor.max(sequence);
        }
        let seen = seen.entry(read.client).or_default();
        let needed = floor.max(*seen);
        if read.sequence < needed {
            let what = format!("a query showed {} when {needed} was known", read.sequence);
            found.add(Rule::F, what);
        }
        *seen = (*seen).max(read.sequence);
    }
}

/// Executes the log and compares every answer with what that gives.
fn check_replay<M: Model>(
    calls: &[Call],
    reads: &[Read],
    log: &Log,
    mut model: M,
    found: &mut Found,
) {
    let mut answers: BTreeMap<u64, Vec<&Said>> = BTreeMap::new();
    for call in calls {
        if let Answer::Done { sequence, said } = &call.answer {
            answers.entry(*sequence).or_default().push(said);
        }
    }
    let mut queries: BTreeMap<u64, Vec<&Read>> = BTreeMap::new();
    for read in reads {
        queries.entry(read.sequence).or_default().push(read);
    }
    let first = log.entries.first().map_or(1, |entry| entry.sequence);
    ask(&model, queries.range(..first).flat_map(|(_, reads)| reads), found);
    for entry in &log.entries {
        if entry.said.is_none() {
            break;
        }
        let expected = entry.command.as_ref().and_then(|(name, input)| model.execute(name, input));
        let expected = expected.as_ref().or(entry.said.as_ref());
        let given = answers.get(&entry.sequence).into_iter().flatten().copied();
        for said in given.chain(&entry.said) {
            if Some(said) != expected {
                let what = format!("entry {}: {said:?}, not {expected:?}", entry.sequence);
                found.add(Rule::D, what);
            }
        }
        ask(&model, queries.get(&entry.sequence).into_iter().flatten(), found);
    }
    let last = log.entries.last().map_or(0, |entry| entry.sequence);
    for (sequence, _) in queries.range(last + 1..) {
        found.add(Rule::F, format!("a query showed {sequence}, but {last} is the last entry"));
    }
}

fn ask<'a>(model: &impl Model, reads: impl Iterator<Item = &'a &'a Read>, found: &mut Found) {
    for read in reads {
        let expected = model.ask(&read.name, &read.input);
        if read.result != expected {
            let what = format!(
                "query `{}` as of {}: {}, not {expected}",
                read.name, read.sequence, read.result
            );
            found.add(Rule::F, what);
        }
    }
}
