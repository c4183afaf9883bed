//! The format: what is written is read back, and nothing else is read at all.

mod any;

use proptest::collection::vec;
use proptest::prelude::*;

use self::any::{any_header, any_record, small_bytes};
use super::frame::{self, FRAME_BYTES, Frame, HEADER_BYTES, Kind};
use super::*;
use crate::record::bytes::Output;
use crate::record::samples::{HISTORY, entry, header, outcome, pair, rejected};

fn encode_all(header: &RoundHeader, records: &[Record]) -> Encoded {
    encode(header, records.iter().map(RecordRef::from))
}

/// One record of each kind, and both sorts of verdict.
fn sample_records() -> Vec<Record> {
    let attempt = Attempt { id: Uuid::from_u128(7), count: 2 };
    let [command, result] = pair(1);
    let deploy = Deploy { module: "bank".parse().unwrap(), hash: Hash::of(b"bank") };
    let deploy = Entry { act: Act::Deploy(deploy), ..entry(2) };
    vec![
        command,
        result,
        Record::Entry(deploy),
        Record::Outcome(rejected(2)),
        Record::Attempt(attempt),
    ]
}

/// A round of one record with this head and body, with every checksum in order.
fn round_of(kind: Kind, head: &[u8], body: &[u8]) -> Vec<u8> {
    let mut output = Output::default();
    frame::write_header(&header(), 1, &mut output);
    Frame::new(kind, head, body).write(head, &mut output);
    output.raw(head);
    output.raw(body);
    output.into_bytes()
}

fn what(bytes: &[u8]) -> String {
    decode(bytes).unwrap_err().to_string()
}

#[test]
fn a_round_without_records_is_a_round() {
    let encoded = encode_all(&header(), &[]);
    let round = decode(&encoded.bytes).unwrap();
    assert_eq!(round, Round { header: header(), records: vec![], chain: encoded.chain });
    assert_eq!(encoded.bytes.len(), HEADER_BYTES);
}

#[test]
fn i11_every_flipped_bit_is_refused() {
    let bytes = encode_all(&header(), &sample_records()).bytes;
    for index in 0..bytes.len() {
        for bit in 0..8 {
            let mut damaged = bytes.clone();
            damaged[index] ^= 1 << bit;
            assert!(decode(&damaged).is_err(), "bit {bit} of byte {index}");
        }
    }
}

#[test]
fn i11_every_truncation_and_anything_left_over_is_refused() {
    let mut bytes = encode_all(&header(), &sample_records()).bytes;
    for length in 0..bytes.len() {
        assert!(decode(&bytes[..length]).is_err(), "cut to {length} bytes");
        assert!(peek(&bytes[..length]).is_err(), "cut to {length} bytes");
    }
    bytes.push(0);
    insta::assert_snapshot!(what(&bytes), @"byte 1055: bytes left over after the last record: 1");
}

#[test]
fn the_chain_covers_every_record_and_the_header() {
    let records = sample_records();
    let mut chains = vec![encode_all(&header(), &records).chain];
    for index in 0..records.len() {
        let mut fewer = records.clone();
        fewer.remove(index);
        chains.push(encode_all(&header(), &fewer).chain);
    }
    let mut swapped = records.clone();
    swapped.swap(0, 1);
    chains.push(encode_all(&header(), &swapped).chain);
    let headers = [
        RoundHeader { number: 2, ..header() },
        RoundHeader { history: History(Uuid::nil()), ..header() },
        RoundHeader { chain_before: Hash::of(b""), ..header() },
        RoundHeader { floor_ms: 0, ..header() },
        RoundHeader { time_ms: 0, ..header() },
    ];
    chains.extend(headers.map(|header| encode_all(&header, &records).chain));
    let n_chains = chains.len();
    chains.sort();
    chains.dedup();
    assert_eq!(chains.len(), n_chains);
}

#[test]
fn the_chain_covers_every_byte_of_heads_and_bodies() {
    let (head, body) = ([1, 2, 3], [4, 5, 6]);
    let chain = |head: &[u8], body: &[u8]| peek(&round_of(Kind::Entry, head, body)).unwrap().1;
    let original = chain(&head, &body);
    for index in 0..3 {
        let (mut other_head, mut other_body) = (head, body);
        other_head[index] ^= 1;
        other_body[index] ^= 1;
        assert_ne!(chain(&other_head, &body), original);
        assert_ne!(chain(&head, &other_body), original);
    }
    assert_ne!(peek(&round_of(Kind::Outcome, &head, &body)).unwrap().1, original);
}

/// Whether any of the bytes of these texts are still there.
fn mentions(bytes: &[u8], texts: &[&str]) -> bool {
    texts.iter().any(|text| bytes.windows(text.len()).any(|window| window == text.as_bytes()))
}

#[test]
fn erasing_takes_bodies_out_and_keeps_the_chain() {
    let records: Vec<Record> =
        sample_records().into_iter().chain([Record::Outcome(outcome(3))]).collect();
    let whole = encode_all(&header(), &records);
    let first_pair = |head: &RecordHead| head.sequence == Sequence(1);
    let erased = erase(&whole.bytes, &first_pair).unwrap();
    assert_eq!(peek(&erased).unwrap(), (header(), whole.chain));
    assert!(erased.len() < whole.bytes.len());

    let round = decode(&erased).unwrap();
    assert_eq!(round.chain, whole.chain);
    let Act::Command(command) = entry(1).act else { panic!("a command") };
    let command = Command {
        input: "null".into(),
        caller: None,
        correlation_id: Uuid::from_u128(1).to_string().into(),
        ..command
    };
    let entry = Entry { act: Act::Command(command), erased: true, ..entry(1) };
    let event = outcome(1).events.remove(0);
    let outcome = Outcome {
        verdict: Verdict::Succeeded(Value::Json("null".into())),
        changes: ChangeSet::default(),
        events: vec![Event { subject: None, data: "null".into(), ..event }],
        erased: true,
        ..outcome(1)
    };
    assert_eq!(find_entry(&erased, Sequence(1)).unwrap().as_ref(), Some(&entry));
    assert_eq!(find_outcome(&erased, Sequence(1)).unwrap().as_ref(), Some(&outcome));
    assert_eq!(round.records[..2], [Record::Entry(entry), Record::Outcome(outcome)]);
    assert_eq!(round.records[2..], records[2..]);
    assert_eq!(find_outcome(&erased, Sequence(2)).unwrap(), Some(rejected(2)));

    // Once more changes nothing, and the rest can go later.
    assert_eq!(erase(&erased, &first_pair).unwrap(), erased);
    let all = erase(&erased, &|_| true).unwrap();
    assert_eq!(peek(&all).unwrap(), (header(), whole.chain));
    assert!(!mentions(&all, &["acc-000123", "teller", "Grace", "the account has 10"]));
    assert!(mentions(&whole.bytes, &["the account has 10"]));
    // What never had a body is not marked.
    assert_eq!(decode(&all).unwrap().records[2], records[2]);
    assert_eq!(decode(&all).unwrap().records[4], records[4]);
}

#[test]
fn each_kind_of_verdict_can_be_erased() {
    let verdicts = [
        Verdict::Succeeded(Value::Bytes(vec![1, 2].into())),
        rejected(1).verdict,
        match rejected(1).verdict {
            Verdict::Rejected(failure) => Verdict::Failed(failure),
            other => other,
        },
    ];
    let left = verdicts.map(|verdict| {
        let record = Record::Outcome(Outcome { verdict, ..outcome(1) });
        let round = erase(&encode_all(&header(), &[record]).bytes, &|_| true).unwrap();
        find_outcome(&round, Sequence(1)).unwrap().unwrap().verdict
    });
    insta::assert_compact_debug_snapshot!(left, @r#"[Succeeded(Json("null")), Rejected(Failure { code: "insufficient-funds", message: "erased", details: None }), Failed(Failure { code: "insufficient-funds", message: "erased", details: None })]"#);
}

#[test]
fn what_can_be_erased_is_offered_by_its_head() {
    let bytes = encode_all(&header(), &sample_records()).bytes;
    let offered = std::sync::Mutex::new(Vec::new());
    let none = erase(&bytes, &|head| {
        offered.lock().unwrap().push((head.kind, head.sequence.0, head.id));
        false
    });
    assert_eq!(none.unwrap(), bytes);
    let (entry, outcome) = (RecordKind::Entry, RecordKind::Outcome);
    let expected = [(entry, 1, Some(Uuid::from_u128(1))), (outcome, 1, None), (outcome, 2, None)];
    assert_eq!(*offered.lock().unwrap(), expected);
}

#[test]
fn i11_every_flipped_bit_of_an_erased_round_is_refused() {
    let bytes = encode_all(&header(), &sample_records()).bytes;
    let erased = erase(&bytes, &|_| true).unwrap();
    for index in 0..erased.len() {
        for bit in 0..8 {
            let mut damaged = erased.clone();
            damaged[index] ^= 1 << bit;
            assert!(decode(&damaged).is_err(), "bit {bit} of byte {index}");
        }
    }
    for length in 0..erased.len() {
        assert!(decode(&erased[..length]).is_err(), "cut to {length} bytes");
    }
}

#[test]
fn a_mark_of_erasure_cannot_be_set_or_cleared_alone() {
    let whole = encode_all(&header(), &[Record::Entry(entry(1))]).bytes;
    let erased = erase(&whole, &|_| true).unwrap();
    let refused = |round: &[u8], flags: u8| {
        let mut round = round.to_vec();
        let (_, record) = round.split_at_mut(HEADER_BYTES);
        record[5] = flags;
        let head_bytes: usize = record[8].into();
        let checksum = crc32c::crc32c(&record[4..FRAME_BYTES + head_bytes]);
        record[..4].copy_from_slice(&checksum.to_le_bytes());
        peek(&round).unwrap_err().to_string()
    };
    insta::assert_snapshot!(refused(&erased, 0), @"record 0, byte 224: 103 bytes should follow, but 0 are left");
    insta::assert_snapshot!(refused(&whole, 1), @"byte 224: bytes left over after the last record: 103");
    let deploy = Deploy { module: "bank".parse().unwrap(), hash: Hash::of(b"bank") };
    let deploy = Record::Entry(Entry { act: Act::Deploy(deploy), ..entry(1) });
    insta::assert_snapshot!(refused(&encode_all(&header(), &[deploy]).bytes, 1), @"record 0, byte 250: it is marked as erased, and never had a body");
}

#[test]
fn what_was_erased_is_not_written_again() {
    let whole = encode_all(&header(), &pair(1)).bytes;
    let round = decode(&erase(&whole, &|_| true).unwrap()).unwrap();
    for record in round.records {
        let again = std::panic::catch_unwind(|| encode_all(&header(), &[record]));
        assert!(again.is_err());
    }
}

#[test]
fn what_this_version_does_not_know_is_refused() {
    let mut newer = encode_all(&header(), &[]).bytes;
    newer[4] = 2;
    insta::assert_snapshot!(what(&newer), @"byte 6: format version 2 is unknown, only 1 is read");

    let entry_head = |act: u8| [vec![0; 8 + 8 + 16 + 32], vec![act]].concat();
    insta::assert_snapshot!(what(&round_of(Kind::Entry, &entry_head(99), &[])), @"record 0, byte 213: act 99 is unknown to this version");

    let mut other_kind = round_of(Kind::Attempt, &[0; 20], &[]);
    other_kind[HEADER_BYTES + 4] = 4;
    insta::assert_snapshot!(what(&other_kind), @"record 0, byte 97: record kind 4 is unknown to this version");
    other_kind[HEADER_BYTES + 4] = 3;
    other_kind[HEADER_BYTES + 5] = 2;
    insta::assert_snapshot!(what(&other_kind), @"record 0, byte 98: set of flags 2 is unknown to this version");

    insta::assert_snapshot!(what(b"PNG\n"), @"this is not the beginning of a round");
}

#[test]
fn what_is_left_over_inside_a_record_is_refused() {
    insta::assert_snapshot!(what(&round_of(Kind::Attempt, &[0; 21], &[])), @"record 0, byte 168: bytes left over after the head: 1");
    insta::assert_snapshot!(what(&round_of(Kind::Attempt, &[0; 20], &[0])), @"record 0, byte 168: bytes left over after the body: 1");
}

#[test]
fn a_count_that_the_bytes_cannot_hold_allocates_nothing() {
    let mut head = Output::default();
    let mut body = Output::default();
    let record = Record::Entry(entry(1));
    round::write_record((&record).into(), &mut head, &mut body);
    let body = body.into_bytes();
    // The last byte of the body is the number of unchanged keys.
    let mut lying = Output::default();
    lying.raw(&body[..body.len() - 1]);
    lying.length(usize::MAX);
    let round = round_of(Kind::Entry, head.as_slice(), lying.as_slice());
    insta::assert_snapshot!(what(&round), @"record 0, byte 336: 18446744073709551615 items do not fit in 0 bytes");

    let mut round = encode_all(&header(), &[]).bytes;
    round[80..88].fill(0xff);
    let checksum = crc32c::crc32c(&round[..88]);
    round[88..].copy_from_slice(&checksum.to_le_bytes());
    insta::assert_snapshot!(what(&round), @"byte 92: 18446744073709551615 records do not fit in 0 bytes");
}

#[test]
fn one_record_is_found_without_reading_the_others() {
    let records: Vec<Record> = (1..=3).flat_map(pair).collect();
    let mut bytes = encode_all(&header(), &records).bytes;
    assert_eq!(find_entry(&bytes, Sequence(2)).unwrap(), Some(entry(2)));
    assert_eq!(find_outcome(&bytes, Sequence(3)).unwrap(), Some(outcome(3)));
    assert_eq!(find_outcome(&bytes, Sequence(4)).unwrap(), None);

    // The last byte belongs to the body of the last outcome.
    *bytes.last_mut().unwrap() ^= 1;
    assert_eq!(find_outcome(&bytes, Sequence(2)).unwrap(), Some(outcome(2)));
    insta::assert_snapshot!(find_outcome(&bytes, Sequence(3)).unwrap_err(), @"record 5, byte 1605: the body does not match its hash");
}

#[test]
fn the_header_can_be_read_alone() {
    let bytes = encode_all(&header(), &sample_records()).bytes;
    assert_eq!(super::header(&bytes).unwrap(), header());
    assert_eq!(super::header(&bytes).unwrap().history, HISTORY);
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(header in any_header(), records in vec(any_record(), 0..6)) {
        let encoded = encode_all(&header, &records);
        let round = decode(&encoded.bytes).unwrap();
        prop_assert_eq!(peek(&encoded.bytes).unwrap(), (header, encoded.chain));
        prop_assert_eq!(round, Round { header, records, chain: encoded.chain });
    }

    /// Nothing panics behind good checksums either, and what is accepted is exactly
    /// what would be written.
    #[test]
    fn heads_and_bodies_of_any_bytes_are_refused_or_canonical(
        kind in prop_oneof![Just(Kind::Entry), Just(Kind::Outcome), Just(Kind::Attempt)],
        head in vec(small_bytes(), 0..120),
        body in vec(small_bytes(), 0..80),
    ) {
        let bytes = round_of(kind, &head, &body);
        if let Ok(round) = decode(&bytes) {
            prop_assert_eq!(encode_all(&round.header, &round.records).bytes, bytes);
        }
    }

    /// The same, beginning with a record that is right and changing a little of it.
    #[test]
    fn altered_records_are_refused_or_canonical(
        record in any_record(),
        at in any::<prop::sample::Index>(),
        byte in small_bytes(),
    ) {
        let (mut head, mut body) = (Output::default(), Output::default());
        let kind = round::write_record((&record).into(), &mut head, &mut body);
        let (mut head, mut body) = (head.into_bytes(), body.into_bytes());
        let index = at.index(head.len() + body.len());
        let n_head = head.len();
        if index < n_head { head[index] = byte } else { body[index - n_head] = byte }
        let bytes = round_of(kind, &head, &body);
        if let Ok(round) = decode(&bytes) {
            prop_assert_eq!(encode_all(&round.header, &round.records).bytes, bytes);
        }
    }
}
