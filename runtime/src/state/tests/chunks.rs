//! Tables cut in chunks and put together again: the copy answers as the original
//! does, and goes on as it would.

use super::*;
use crate::state::{CHUNK_BYTES_MIN, Checker, Chunk, ChunkRef, Loader, Row};

fn chunk_ref(chunk: &Chunk) -> ChunkRef<'_> {
    let Chunk { lower, rows, changed, deleted } = chunk;
    ChunkRef { lower, rows, changed, deleted: *deleted }
}

fn load(chunks: &[Chunk]) -> Result<Table, String> {
    let (mut loader, mut checker) = (Loader::default(), Checker::default());
    for chunk in chunks {
        checker.check(chunk_ref(chunk))?;
        loader.add(chunk_ref(chunk))?;
    }
    loader.finish()
}

pub(super) fn copy(table: &Table) -> Table {
    load(&table.chunks(&Range::all()).collect::<Vec<_>>()).unwrap()
}

/// A loaded table says that something changed wherever the original does.
fn check_caution(random: &mut Random, original: &Table, copy: &Table, sequence: u64) {
    for _ in 0..8 {
        let (range, since) = (random.range(), Sequence(random.next() % (sequence + 1)));
        let said = copy.changed_since(&range, since);
        assert!(said || !original.changed_since(&range, since), "{range:?} since {since}");
    }
}

fn check_chunks(table: &Table, range: &Range, chunks: &[Chunk]) {
    assert_eq!(chunks[0].lower, range.lower_text());
    assert!(chunks.is_sorted_by(|a, b| a.lower < b.lower));
    let scanned: Vec<_> = table.scan(range, Order::Ascending).map(owned).collect();
    let mut rows = Vec::new();
    for (index, chunk) in chunks.iter().enumerate() {
        let upper = chunks.get(index + 1).map(|next| next.lower.clone());
        let bounds = Range::between(Some(chunk.lower.clone()), upper.or(range.upper.clone()));
        let kept = unpack(&chunk.rows).map(|(key, value)| (key.to_owned(), value.to_owned()));
        let before = rows.len();
        rows.extend(kept);
        assert_eq!(rows.len() - before, chunk.changed.len());
        assert!(rows[before..].iter().all(|(key, _)| bounds.contains(key)));
        assert!(chunk.rows.len() < 32 << 10 || chunk.changed.len() == 1);
        // Each but the last, which gets what is left.
        if index + 1 < chunks.len() && chunk.changed.len() > 1 {
            assert!(chunk.rows.len() > CHUNK_BYTES_MIN / 2, "{} bytes", chunk.rows.len());
        }
    }
    assert_eq!(rows, scanned);
}

#[test]
fn a_copy_equals_the_original_at_every_step() {
    let mut random = Random::from_env("a_copy_equals_the_original_at_every_step");
    let (mut state, mut model) = (State::empty(), Model::new());
    // What was loaded at some step, and gets every change since.
    let mut follower = State::empty();
    let mut olds: Vec<(u64, Model)> = Vec::new();
    for sequence in 1..=200 {
        let rows = [1, 3, 40, 600][random.below(4)];
        let changes = changes(Lifecycle::Kept, random.changes(rows));
        apply(&mut model, Sequence(sequence), &changes.tables[0].rows);
        state.apply(step(sequence), &changes);
        follower.apply(step(sequence), &changes);

        let range = random.range();
        if !range.is_empty() {
            let chunks: Vec<_> = table(&state).chunks(&range).collect();
            check_chunks(table(&state), &range, &chunks);
        }
        let copy = copy(table(&state));
        check_blocks(&copy);
        check_reads(&mut random, &copy, &model);
        check_caution(&mut random, table(&state), &copy, sequence);
        assert_eq!(contents(&copy), model);
        assert_eq!((copy.rows(), copy.bytes()), (table(&state).rows(), table(&state).bytes()));

        check_blocks(table(&follower));
        assert_eq!(contents(table(&follower)), model);
        for _ in 0..4.min(olds.len()) {
            let (at, old) = &olds[random.below(olds.len())];
            check_changed_since(&mut random, &copy, &model, (*at, old));
            check_changed_since(&mut random, table(&follower), &model, (*at, old));
        }
        if random.one_in(10) {
            follower = State::loaded(state.step(), [(TABLE.parse().unwrap(), copy)]);
        }
        olds.push((sequence, model.clone()));
    }
}

#[test]
fn a_table_without_rows_remembers_its_deletions() {
    let mut state = State::empty();
    state.apply(step(1), &changes(Lifecycle::Created, Vec::new()));
    state.apply(step(2), &changes(Lifecycle::Kept, vec![put("a", "1")]));
    state.apply(step(3), &changes(Lifecycle::Kept, vec![delete("a")]));
    let copy = copy(table(&state));
    assert_eq!((copy.rows(), copy.blocks.len()), (0, 1));
    assert!(copy.changed_since(&Range::key("a"), Sequence(2)));
    assert!(!copy.changed_since(&Range::all(), Sequence(3)));
}

#[test]
fn blocks_are_filled_and_large_rows_have_their_own() {
    let mut state = State::empty();
    let value = format!("\"{}\"", "x".repeat(100));
    let rows: Vec<_> = (0..20_000).map(|n| put(&format!("{n:06}"), &value)).collect();
    state.apply(step(1), &changes(Lifecycle::Created, rows));
    let filled = copy(table(&state));
    let mean_bytes = filled.bytes() / filled.blocks.len() as u64;
    assert!((1_900..=2_200).contains(&mean_bytes), "{mean_bytes}");

    let large = format!("\"{}\"", "x".repeat((1 << 20) - 2));
    let rows = ["a", "b", "c", "d"].map(|key| put(key, if key < "c" { &large } else { "1" }));
    state.apply(step(2), &changes(Lifecycle::Dropped, Vec::new()));
    state.apply(step(3), &changes(Lifecycle::Created, rows.to_vec()));
    let chunks: Vec<_> = table(&state).chunks(&Range::all()).collect();
    assert_eq!(chunks.iter().map(|chunk| &*chunk.lower).collect::<Vec<_>>(), ["", "b", "c"]);
    check_blocks(&load(&chunks).unwrap());
}

#[test]
fn what_is_no_chunk_is_refused() {
    let mut state = State::empty();
    let rows: Vec<_> = (0..2_000).map(|n| put(&format!("é{n:06}"), "[1,2,3]")).collect();
    state.apply(step(1), &changes(Lifecycle::Created, rows));
    let whole: Vec<_> = table(&state).chunks(&Range::all()).collect();
    assert!(whole.len() > 1 && load(&whole).is_ok());
    assert!(load(&[]).is_err() && load(&whole[1..]).is_err());
    let refused = |change: &dyn Fn(&mut Vec<Chunk>)| {
        let mut chunks = whole.clone();
        change(&mut chunks);
        load(&chunks).unwrap_err()
    };
    refused(&|chunks| chunks.swap(0, 1));
    refused(&|chunks| chunks[1].lower = "é000001".into());
    refused(&|chunks| chunks[1].lower = "é9".into());
    refused(&|chunks| chunks[0].changed.truncate(1));
    refused(&|chunks| chunks[0].rows.truncate(100));
    refused(&|chunks| chunks[0].rows[8] = 0xff);
    let value = whole[0].rows.iter().position(|byte| *byte == b'[').unwrap();
    refused(&|chunks| chunks[0].rows[value] = 0xff);
    // The same key twice.
    refused(&|chunks| {
        let row = chunks[0].rows[..Row::first_of(&chunks[0].rows).unwrap().packed().len()].to_vec();
        chunks[0].rows.splice(0..0, row);
        chunks[0].changed.push(Sequence(1));
    });
}
