//! Rounds that follow each other, for tests of logs.

use crate::log::{Error, Log, Opened, Start, Storage, Tail};
use crate::record::samples::{HISTORY, entry, header, pair};
use crate::record::{Encoded, Record, RecordRef, Round, RoundHeader, encode};
use crate::value::Sequence;

/// A round of these records that follows the tail.
pub(crate) fn round_of(tail: Tail, records: &[Record]) -> Encoded {
    let (number, chain_before) = (tail.number + 1, tail.chain);
    let header = RoundHeader { number, history: HISTORY, chain_before, ..header() };
    encode(&header, records.iter().map(RecordRef::from))
}

/// A round of one command and its outcome, in a log that has one such pair in each.
pub(crate) fn round(tail: Tail) -> Encoded {
    round_of(tail, &pair(tail.number + 1))
}

/// Appends such rounds up to and including this one.
pub(crate) fn append_to(log: &mut dyn Log, last: u64) -> Result<(), Error> {
    while log.tail().number < last {
        let tail = log.tail();
        log.append(Sequence(tail.number + 1), &round(tail))?;
    }
    Ok(())
}

/// Opens a log from its beginning and keeps what it visited.
pub(crate) fn open(storage: &dyn Storage) -> Result<(Opened, Vec<Round>), Error> {
    open_from(storage, None)
}

/// Opens a log and keeps what it visited.
pub(crate) fn open_from(
    storage: &dyn Storage,
    from: Option<&Start>,
) -> Result<(Opened, Vec<Round>), Error> {
    let mut rounds = Vec::new();
    let opened = storage.open(from, &mut |round, _| {
        rounds.push(round);
        Ok(())
    })?;
    Ok((opened, rounds))
}

/// The boundary after this round, in a log of rounds that [`append_to`] appends.
pub(crate) fn start_after(number: u64) -> Start {
    let mut tail = Tail::START;
    for _ in 0..number {
        tail = Tail { number: tail.number + 1, chain: round(tail).chain };
    }
    let (floor_ms, time_ms) = match number {
        0 => (0, 0),
        _ => (header().floor_ms, entry(number).time_ms),
    };
    let (entry, outcome) = (Sequence(number), Sequence(number));
    Start { history: HISTORY, tail, floor_ms, time_ms, entry, outcome }
}

/// Whether these are the rounds that [`append_to`] appends up to this one.
pub(crate) fn are_rounds_to(rounds: &[Round], last: u64) -> bool {
    let right = |(round, number): (&Round, u64)| {
        round.header.number == number && round.records == pair(number)
    };
    rounds.len() as u64 == last && rounds.iter().zip(1..).all(right)
}
