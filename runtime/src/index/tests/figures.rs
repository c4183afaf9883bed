//! What an index costs, in memory and on disk.

use std::sync::Arc;
use std::time::Duration;

use super::super::Index;
use super::{HISTORY, row, rows};
use crate::clock::Clock;
use crate::disk::Files;
use crate::state::model::Random;

/// Whatever the window: a page of each run, and few runs.
const MEMORY_BYTES_MAX: usize = 128 << 10;

#[test]
fn a_million_ids_take_little_memory() {
    let directory = tempfile::tempdir().unwrap();
    let index = Index::open(Arc::new(Files), directory.path(), HISTORY).unwrap().index;
    let clock = Clock::system();
    let (mut memory_bytes, mut adding, mut merging) = (0, Duration::ZERO, Duration::ZERO);
    let last = 1_000_000;
    for batch in 0..last / 20_000 {
        let rows = rows(batch * 20_000 + 1, batch * 20_000 + 20_000);
        let begin = clock.elapsed();
        index.add(&rows).unwrap();
        adding += clock.elapsed() - begin;
        let begin = clock.elapsed();
        super::merge_all(&index);
        merging += clock.elapsed() - begin;
        memory_bytes = memory_bytes.max(index.memory_bytes());
    }
    assert!(memory_bytes < MEMORY_BYTES_MAX, "{memory_bytes}");
    let mut random = Random::from_env("lookups");
    let begin = clock.elapsed();
    let n_lookups = 100_000;
    for _ in 0..n_lookups {
        let row = row(1 + random.next() % last);
        assert_eq!(index.find(row.id, row.time_ms).unwrap(), Some(row.sequence));
    }
    let lookup = (clock.elapsed() - begin) / n_lookups;
    let begin = clock.elapsed();
    for sequence in last + 1..=last + 100_000 {
        let row = row(sequence + 100);
        assert_eq!(index.find(row.id, row.time_ms).unwrap(), None);
    }
    let new = (clock.elapsed() - begin) / 100_000;
    let begin = clock.elapsed();
    let reopened = Index::open(Arc::new(Files), directory.path(), HISTORY).unwrap().index;
    let opening = clock.elapsed() - begin;
    assert_eq!(reopened.covered(), index.covered());
    let begin = clock.elapsed();
    assert!(index.check(&mut |_| std::ops::ControlFlow::Continue(())).is_empty());
    let checking = clock.elapsed() - begin;
    println!(
        "{last} entries: {memory_bytes} bytes in memory, {} on disk, {} runs; \
         adding {adding:?}, merging {merging:?}, opening {opening:?}, checking {checking:?}; \
         a known id {lookup:?}, a new one {new:?}",
        index.disk_bytes(),
        index.runs().all().count(),
    );
}
