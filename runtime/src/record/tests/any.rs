//! Any record, for property tests.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::super::*;
use crate::value::{Lifecycle, Position, TableChanges};

/// Mostly tags and short lengths, so that parsers get past their first byte.
pub(super) fn small_bytes() -> impl Strategy<Value = u8> {
    prop_oneof![8 => 0_u8..6, 1 => b'a'..=b'z', 1 => any::<u8>()]
}

pub(super) fn any_header() -> impl Strategy<Value = RoundHeader> {
    let numbers = (any::<u64>(), any::<u64>(), any::<u64>());
    (numbers, any::<u128>(), any_hash()).prop_map(|(numbers, history, chain_before)| {
        let (number, floor_ms, time_ms) = numbers;
        let history = History(Uuid::from_u128(history));
        RoundHeader { number, history, chain_before, floor_ms, time_ms }
    })
}

pub(super) fn any_record() -> impl Strategy<Value = Record> {
    prop_oneof![
        any_entry().prop_map(Record::Entry),
        any_outcome().prop_map(Record::Outcome),
        (any_id(), any::<u32>()).prop_map(|(id, count)| Record::Attempt(Attempt { id, count })),
    ]
}

fn any_entry() -> impl Strategy<Value = Entry> {
    let act = prop_oneof![
        4 => any_command().prop_map(Act::Command),
        1 => (any_name(), any_hash())
            .prop_map(|(module, hash)| Act::Deploy(Deploy { module, hash })),
        1 => any_name().prop_map(|module| Act::Remove { module }),
        1 => any_name().prop_map(|table| Act::DropTable { table }),
        1 => any_sequence().prop_map(|sequence| Act::Erase { sequence }),
        1 => (any::<u64>(), any_command())
            .prop_map(|(at_ms, command)| Act::Schedule(Schedule { at_ms, command })),
        1 => any_id().prop_map(|timer| Act::Cancel { timer }),
        1 => (any_text(), any::<u64>(), any::<u64>()).prop_map(|(worker, from, to)| {
            Act::Advance { worker, from: Position(from), to: Position(to) }
        }),
        1 => (any_name(), any_steer()).prop_map(|(name, what)| Act::Projection { name, what }),
    ];
    (any_sequence(), any::<u64>(), any_id(), any_hash(), act).prop_map(
        |(sequence, time_ms, id, fingerprint, act)| Entry {
            sequence,
            time_ms,
            id,
            fingerprint,
            act,
            erased: false,
        },
    )
}

fn any_steer() -> impl Strategy<Value = Steer> {
    prop_oneof![Just(Steer::Resume), Just(Steer::Skip), Just(Steer::Rebuild)]
}

fn any_command() -> impl Strategy<Value = Command> {
    let texts =
        (any_text(), option::of(any_text()), any_text(), option::of(any_text()), any_text());
    let numbers = (option::of(any_sequence()), option::of(any::<u64>()));
    (any_name(), texts, numbers, vec(any_unchanged(), 0..4)).prop_map(
        |(name, (input, caller, correlation_id, causation_id, metadata), numbers, unchanged)| {
            let (basis, scheduled_for_ms) = numbers;
            Command {
                name,
                input,
                basis,
                unchanged,
                scheduled_for_ms,
                caller,
                correlation_id,
                causation_id,
                metadata,
            }
        },
    )
}

fn any_unchanged() -> impl Strategy<Value = Unchanged> {
    let keys = prop_oneof![
        any_key().prop_map(Keys::One),
        any_text().prop_map(|prefix| Keys::Prefix(prefix.as_ref().to_owned())),
    ];
    (any_name(), keys).prop_map(|(table, keys)| Unchanged { table, keys })
}

fn any_outcome() -> impl Strategy<Value = Outcome> {
    let verdict = prop_oneof![
        any_value().prop_map(Verdict::Succeeded),
        any_failure().prop_map(Verdict::Rejected),
        any_failure().prop_map(Verdict::Failed),
    ];
    let handled_by = (option::of(any_name()), option::of(any_hash()), any::<u64>());
    let effects = (vec(any_table(), 0..3), vec(any_event(), 0..3));
    (any_sequence(), handled_by, verdict, effects).prop_map(
        |(sequence, (module, module_hash, elapsed_us), verdict, (tables, events))| {
            let (changes, erased) = (ChangeSet { tables }, false);
            Outcome { sequence, module, module_hash, verdict, changes, events, elapsed_us, erased }
        },
    )
}

fn any_failure() -> impl Strategy<Value = Failure> {
    (any_text(), any_text(), option::of(any_text())).prop_map(|(code, message, details)| Failure {
        code,
        message,
        details,
    })
}

fn any_table() -> impl Strategy<Value = TableChanges> {
    let lifecycle = prop_oneof![
        Just(Lifecycle::Kept),
        Just(Lifecycle::Created),
        Just(Lifecycle::Dropped),
        any_name().prop_map(|from| Lifecycle::Moved { from }),
    ];
    (any_name(), lifecycle, vec((any_key(), option::of(any_value())), 0..5))
        .prop_map(|(table, lifecycle, rows)| TableChanges { table, lifecycle, rows })
}

fn any_event() -> impl Strategy<Value = Event> {
    (any::<u64>(), any_id(), any_text(), option::of(any_text()), any_text()).prop_map(
        |(position, id, event_type, subject, data)| {
            let position = Position(position);
            Event { position, id, event_type, subject, data }
        },
    )
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any_text().prop_map(Value::Json),
        vec(any::<u8>(), 0..300).prop_map(|bytes| Value::Bytes(bytes.into())),
    ]
}

fn any_text() -> impl Strategy<Value = Arc<str>> {
    "\\PC{0,40}".prop_map(Arc::from)
}

fn any_name() -> impl Strategy<Value = Name> {
    "(\\$|\\$next/)?[a-z][a-z0-9-]{0,63}".prop_map(|text| Name::parse_stored(&text).unwrap())
}

fn any_key() -> impl Strategy<Value = Key> {
    "\\PC{1,40}".prop_map(|text| Key::new(&text).unwrap())
}

fn any_hash() -> impl Strategy<Value = Hash> {
    any::<[u8; 32]>().prop_map(Hash)
}

fn any_id() -> impl Strategy<Value = Uuid> {
    any::<u128>().prop_map(Uuid::from_u128)
}

fn any_sequence() -> impl Strategy<Value = Sequence> {
    any::<u64>().prop_map(Sequence)
}
