//! A checkpoint that an earlier server wrote: it must open for ever. What is in it
//! stands beside it, in `tests/golden/checkpoint-v1/README.md`. With `CHANCERY_GOLDEN`
//! set it is written anew, which only a new version of the format calls for.

use std::path::PathBuf;

use super::*;
use crate::state::ValueRef;

const PAGE_BYTES: usize = 4096;

/// The pages of the file that are not zero, each after its offset, and the last one:
/// redb makes a file of a megabyte for the few kilobytes that are in it.
fn golden() -> PathBuf {
    let path = ["..", "tests", "golden", "checkpoint-v1", "state.a.pages"];
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path.iter().collect::<PathBuf>())
}

fn pack(file: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    for (number, page) in file.chunks(PAGE_BYTES).enumerate() {
        let offset = number * PAGE_BYTES;
        if page.iter().any(|byte| *byte != 0) || offset + PAGE_BYTES == file.len() {
            packed.extend_from_slice(&(offset as u64).to_le_bytes());
            packed.extend_from_slice(page);
        }
    }
    packed
}

fn unpack(packed: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    for page in packed.chunks(8 + PAGE_BYTES) {
        let (offset, page) = page.split_first_chunk::<8>().unwrap();
        file.resize(usize::try_from(u64::from_le_bytes(*offset)).unwrap(), 0);
        file.extend_from_slice(page);
    }
    file
}

/// What the file was made from.
fn made_from() -> Checkpoint {
    let mut app = App::new();
    app.apply(vec![changes("empty", Lifecycle::Created, Vec::new())]);
    let row = |key: &str, value: Value| (key.to_owned(), Some(value));
    app.put(
        "accounts",
        [
            row("acc-1", Value::Json(r#"{"owner":"Ada","balance":1750}"#.into())),
            row("acc-2", Value::Json(r#"{"owner":"Grace","balance":2250}"#.into())),
            row("ключ", Value::Bytes([0, 1, 254, 255].into())),
        ],
    );
    app.put("accounts", [("acc-1".into(), None), row("acc-2", Value::Json("2".into()))]);
    let start = Start {
        history: HISTORY,
        tail: Tail { number: 2, chain: Hash([7; 32]) },
        floor_ms: 1_700_000_000_000,
        time_ms: 30,
        entry: Sequence(4),
        outcome: Sequence(3),
    };
    let attempts = vec![Attempt { id: Uuid::from_u128(0x1234), count: 2 }];
    Checkpoint { start, state: app.state, attempts }
}

#[test]
fn the_golden_checkpoint_opens() {
    let directory = tempfile::tempdir().unwrap();
    let path = checkpoints(directory.path()).path(Generation::A);
    if std::env::var("CHANCERY_GOLDEN").is_ok() {
        checkpoints(directory.path()).write(&made_from(), &mut AtOnce).unwrap();
        std::fs::write(golden(), pack(&std::fs::read(&path).unwrap())).unwrap();
    }
    std::fs::write(&path, unpack(&std::fs::read(golden()).unwrap())).unwrap();
    let loaded = load(directory.path()).unwrap();
    assert_eq!(loaded.generation, Some(Generation::A));
    let checkpoint = loaded.checkpoint.unwrap();
    assert!(is_same(&checkpoint, &made_from()));
    let accounts = checkpoint.state.table("accounts").unwrap();
    assert_eq!(accounts.get("acc-2"), Some(ValueRef::Json("2")));
    assert_eq!(accounts.get("ключ"), Some(ValueRef::Bytes(&[0, 1, 254, 255])));
    assert!(accounts.changed_since(&Range::key("acc-1"), Sequence(2)));
    assert!(!accounts.changed_since(&Range::all(), Sequence(3)));
}
