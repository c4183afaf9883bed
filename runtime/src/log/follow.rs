//! What makes one round follow another: number, history, chain, floor, sequences.
//!
//! Used at both ends, when a round is appended and when it is read back, whatever
//! it is kept in. Knows nothing of files.

use crate::record::{Damage, Record, Round, RoundHeader, decode};
use crate::value::{History, Sequence};

use super::Tail;

/// Reads a log's rounds in order and refuses one that does not follow.
#[derive(Debug)]
pub(crate) struct Follower {
    history: History,
    tail: Tail,
    floor_ms: u64,
    entry: Sequence,
    outcome: Sequence,
}

impl Follower {
    /// At the beginning of a history.
    pub(crate) fn new(history: History) -> Self {
        let (entry, outcome) = (Sequence(0), Sequence(0));
        Self { history, tail: Tail::START, floor_ms: 0, entry, outcome }
    }

    /// Decodes the next round, and checks that it is the next.
    pub(crate) fn accept(&mut self, bytes: &[u8]) -> Result<Round, Damage> {
        let round = decode(bytes)?;
        let header = &round.header;
        check_follows(header, self.history, self.tail).map_err(in_header)?;
        if header.floor_ms < self.floor_ms {
            let (now, before) = (header.floor_ms, self.floor_ms);
            return Err(in_header(format!(
                "its floor of {now} ms is below the {before} before it"
            )));
        }
        self.check_sequences(&round.records)?;
        self.floor_ms = header.floor_ms;
        self.tail = Tail { number: header.number, chain: round.chain };
        Ok(round)
    }

    pub(crate) fn history(&self) -> History {
        self.history
    }

    pub(crate) fn tail(&self) -> Tail {
        self.tail
    }

    /// The sequence that the next entry has.
    pub(crate) fn next_sequence(&self) -> Sequence {
        self.entry.next()
    }

    /// I4: sequences have no gaps, and the entries with an outcome are a prefix.
    fn check_sequences(&mut self, records: &[Record]) -> Result<(), Damage> {
        for (index, record) in records.iter().enumerate() {
            let (last, found, what) = match record {
                Record::Entry(entry) => (&mut self.entry, entry.sequence, "entry"),
                Record::Outcome(outcome) => (&mut self.outcome, outcome.sequence, "outcome"),
                Record::Attempt(_) => continue,
            };
            if found != last.next() {
                let what = format!("{what} {found} comes after {what} {last}");
                return Err(Damage { offset: 0, record: Some(index), what });
            }
            *last = found;
        }
        if self.outcome > self.entry {
            let what = format!("there is an outcome {} but no entry for it", self.outcome);
            return Err(in_header(what));
        }
        Ok(())
    }
}

/// Whether a round with this header follows the tail; what is wrong if not.
pub(crate) fn check_follows(
    header: &RoundHeader,
    history: History,
    tail: Tail,
) -> Result<(), String> {
    if header.history != history {
        return Err(format!("it is of history {}, not {history}", header.history));
    }
    if header.number != tail.number + 1 {
        return Err(format!("it says it is round {}, not {}", header.number, tail.number + 1));
    }
    if header.chain_before != tail.chain {
        return Err(format!("it does not continue the chain of round {}", tail.number));
    }
    Ok(())
}

fn in_header(what: String) -> Damage {
    Damage { offset: 0, record: None, what }
}
