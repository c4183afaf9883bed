//! Merging neighbours, so that there are few runs however many were added.
//!
//! A run of `n` rows is of class log8 `n`. Neighbours up to a class become one run
//! when together they are of the next: so each row is written again once for each
//! class, and of each class there are a few runs.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;
use std::sync::Arc;

use super::layout::{Header, Kind};
use super::run::{Rows, Run};
use super::write::Draft;
use super::{Error, Home, Index, Runs, ids};

/// A class has runs of so many times the rows of the class below: 8, as a power of 2.
const GROWTH_LOG2: u32 = 3;

pub(super) fn merge(index: &Index) -> Result<bool, Error> {
    let Some(home) = &index.home else { return Ok(false) };
    let _writing = index.write();
    let mut runs = Runs::clone(&index.runs());
    for kind in Kind::ALL {
        let Some(range) = due(&runs.of(kind).runs) else { continue };
        let inputs = runs.of(kind).runs.get(range.clone()).unwrap_or_default().to_vec();
        let Some(merged) = join(home, &inputs, &Filter::All)? else { continue };
        runs.of_mut(kind).runs.splice(range, [merged]);
        index.publish(runs);
        home.remove(&inputs);
        return Ok(true);
    }
    Ok(false)
}

/// Which neighbours are to be merged, smallest classes first.
pub(super) fn due(runs: &[Arc<Run>]) -> Option<Range<usize>> {
    let class = |run: &Arc<Run>| run.header().n_rows.max(1).ilog2() / GROWTH_LOG2;
    let top = runs.iter().map(class).max()?;
    for limit in 0..=top {
        let mut begin = 0;
        for stretch in runs.chunk_by(|a, b| (class(a) <= limit) == (class(b) <= limit)) {
            let range = begin..begin + stretch.len();
            begin = range.end;
            let rows: u64 = stretch.iter().map(|run| run.header().n_rows).sum();
            let small = stretch.first().is_some_and(|run| class(run) <= limit);
            if small && stretch.len() > 1 && rows.max(1).ilog2() / GROWTH_LOG2 > limit {
                return Some(range);
            }
        }
    }
    None
}

/// Which rows of ids a merged run takes over.
pub(super) enum Filter {
    /// All.
    All,
    /// Those whose hour does not end before this time.
    From(u64),
}

impl Filter {
    fn keeps(&self, row: &[u8]) -> bool {
        match self {
            Self::All => true,
            Self::From(floor_ms) => ids::hour_end_ms(row) > *floor_ms,
        }
    }
}

/// Makes one run of neighbours; none if nothing would be in it. The files of the
/// neighbours are still there: whichever of them a crash leaves are part of the new.
pub(super) fn join(
    home: &Home,
    runs: &[Arc<Run>],
    filter: &Filter,
) -> Result<Option<Arc<Run>>, Error> {
    let (Some(first), Some(last)) = (runs.first(), runs.last()) else { return Ok(None) };
    let headers = || runs.iter().map(|run| *run.header());
    let n_rows = match filter {
        Filter::All => headers().map(|header| header.n_rows).sum(),
        Filter::From(_) => count(runs, filter)?,
    };
    if n_rows == 0 {
        return Ok(None);
    }
    let header = Header {
        first: first.first(),
        last: last.last(),
        n_rows,
        min_ms: headers().map(|header| header.min_ms).min().unwrap_or(0),
        max_ms: headers().map(|header| header.max_ms).max().unwrap_or(0),
        ..*first.header()
    };
    let mut draft = Draft::create(home, header)?;
    let mut push = |row: &[u8]| if filter.keeps(row) { draft.push(row) } else { Ok(()) };
    match header.kind {
        Kind::Ids | Kind::Postings => sorted(runs, &mut push)?,
        Kind::Places => each(runs, &mut push)?,
    }
    draft.finish().map(Some)
}

fn count(runs: &[Arc<Run>], filter: &Filter) -> Result<u64, Error> {
    let mut n_rows = 0;
    each(runs, &mut |row| {
        n_rows += u64::from(filter.keeps(row));
        Ok(())
    })?;
    Ok(n_rows)
}

/// The rows of one run after those of another.
fn each(runs: &[Arc<Run>], take: &mut dyn FnMut(&[u8]) -> Result<(), Error>) -> Result<(), Error> {
    for run in runs {
        let mut rows = run.rows();
        while let Some(row) = rows.next()? {
            take(row)?;
        }
    }
    Ok(())
}

/// The rows of all runs, in order.
fn sorted(
    runs: &[Arc<Run>],
    take: &mut dyn FnMut(&[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut inputs: Vec<Rows> = runs.iter().map(Run::rows).collect();
    let mut heap = BinaryHeap::with_capacity(inputs.len());
    for (from, input) in inputs.iter_mut().enumerate() {
        if let Some(row) = input.next()? {
            heap.push(Reverse((row.to_vec(), from)));
        }
    }
    while let Some(Reverse((mut row, from))) = heap.pop() {
        take(&row)?;
        if let Some(input) = inputs.get_mut(from)
            && let Some(next) = input.next()?
        {
            row.clear();
            row.extend(next);
            heap.push(Reverse((row, from)));
        }
    }
    Ok(())
}
