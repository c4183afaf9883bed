//! Records for tests: small, valid, and different from each other.

use std::sync::Arc;

use uuid::Uuid;

use super::{Act, CHAIN_START, Command, Entry, Outcome, Record, RoundHeader, Verdict};
use crate::value::{
    ChangeSet, Event, Failure, Hash, History, Key, Lifecycle, Position, Sequence, TableChanges,
    Value,
};

/// The history of every sample.
pub(crate) const HISTORY: History = History(Uuid::from_u128(0xC0FFEE));

/// The header of a first round.
pub(crate) fn header() -> RoundHeader {
    let (floor_ms, time_ms) = (1_700_000_000_000, 1_700_000_100_000);
    RoundHeader { number: 1, history: HISTORY, chain_before: CHAIN_START, floor_ms, time_ms }
}

/// A command that moves money between two accounts.
pub(crate) fn entry(sequence: u64) -> Entry {
    let command = Command {
        name: "transfer".parse().unwrap(),
        input: r#"{"from":"acc-000123","to":"acc-000456","amount":250}"#.into(),
        basis: None,
        unchanged: Vec::new(),
        scheduled_for_ms: None,
        caller: Some("teller".into()),
        correlation_id: "0192f3a4-5b6c-7d8e-9f00-112233445566".into(),
        causation_id: None,
        metadata: "{}".into(),
    };
    Entry {
        sequence: Sequence(sequence),
        time_ms: 1_700_000_100_000 + sequence,
        id: Uuid::from_u128(u128::from(sequence)),
        fingerprint: Hash::of(&sequence.to_le_bytes()),
        act: Act::Command(command),
        erased: false,
    }
}

/// What came of it: two balances and an event.
pub(crate) fn outcome(sequence: u64) -> Outcome {
    let row =
        |key: &str, value: &str| (Key::new(key).unwrap(), Some(Value::Json(Arc::from(value))));
    let rows = vec![
        row("acc-000123", r#"{"owner":"Ada","balance":1750}"#),
        row("acc-000456", r#"{"owner":"Grace","balance":2250}"#),
    ];
    let table = "accounts".parse().unwrap();
    let event = Event {
        position: Position(sequence),
        id: Uuid::from_u128(u128::from(sequence) << 64),
        event_type: "money.transferred".into(),
        subject: Some("account/acc-000123".into()),
        data: r#"{"to":"acc-000456","amount":250}"#.into(),
    };
    Outcome {
        sequence: Sequence(sequence),
        module: Some("bank".parse().unwrap()),
        module_hash: Some(Hash::of(b"bank")),
        verdict: Verdict::Succeeded(Value::Json(r#"{"balance":1750}"#.into())),
        changes: ChangeSet {
            tables: vec![TableChanges { table, lifecycle: Lifecycle::Kept, rows }],
        },
        events: vec![event],
        elapsed_us: 12,
        erased: false,
    }
}

/// What came of one whose handler said no.
pub(crate) fn rejected(sequence: u64) -> Outcome {
    let failure = Failure {
        code: "insufficient-funds".into(),
        message: "the account has 10".into(),
        details: Some(r#"{"balance":10}"#.into()),
    };
    let (verdict, events) = (Verdict::Rejected(failure), Vec::new());
    Outcome { verdict, events, changes: ChangeSet::default(), ..outcome(sequence) }
}

/// A command and its outcome.
pub(crate) fn pair(sequence: u64) -> [Record; 2] {
    [Record::Entry(entry(sequence)), Record::Outcome(outcome(sequence))]
}
