//! Checking: every page, and that what is on them fits together.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::layout::Kind;
use super::run::Run;
use super::{Error, Progress, Runs, damaged, ids, places, postings};

pub(super) fn check(
    runs: &Runs,
    progress: &mut dyn FnMut(Progress<'_>) -> ControlFlow<()>,
) -> Vec<Error> {
    let pages = runs.all().map(|run| run.pages()).sum();
    let (mut found, mut pages_read) = (Vec::new(), 0);
    for run in runs.all() {
        let before = pages_read;
        let checked = check_run(run, &mut || {
            pages_read += 1;
            progress(Progress { path: run.path(), pages_read, pages })
        });
        match checked {
            Ok(ControlFlow::Continue(())) => {}
            Ok(ControlFlow::Break(())) => return found,
            Err(error) => found.push(error),
        }
        pages_read = before + run.pages();
    }
    found
}

pub(super) fn check_run(
    run: &Arc<Run>,
    read: &mut dyn FnMut() -> ControlFlow<()>,
) -> Result<ControlFlow<()>, Error> {
    run.check_header()?;
    if read().is_break() {
        return Ok(ControlFlow::Break(()));
    }
    let kind = run.header().kind;
    let mut order = Order::default();
    for (level, of) in run.levels().iter().enumerate() {
        for page in 0..of.pages {
            let items = run.read(level, page)?;
            if level == 0 {
                order.check(run, &items)?;
            } else {
                check_summaries(run, level, page, &items)?;
            }
            if read().is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
    }
    let (min_ms, max_ms) = (run.header().min_ms, run.header().max_ms);
    match kind == Kind::Ids && order.hours.is_some_and(|hours| !spans(hours, min_ms, max_ms)) {
        true => Err(damaged(run.path(), "an id is outside the times that its header names")),
        false => Ok(ControlFlow::Continue(())),
    }
}

fn spans(hours: (u64, u64), min_ms: u64, max_ms: u64) -> bool {
    let (first_end_ms, last_end_ms) = hours;
    min_ms < first_end_ms && last_end_ms.saturating_sub(ids::HOUR_MS) <= max_ms
}

/// Each summary says what is on its page below.
fn check_summaries(run: &Run, level: usize, page: u64, items: &[u8]) -> Result<(), Error> {
    let kind = run.header().kind;
    let first = page * kind.per_page(level);
    for (below, said) in (first..).zip(items.chunks(kind.summary_bytes())) {
        let mut summary = Vec::new();
        let Some(beneath) = level.checked_sub(1) else { return Ok(()) };
        kind.summarise(beneath, &run.read(beneath, below)?, &mut summary);
        if summary != said {
            return Err(damaged(
                run.path(),
                format!("page {below} of level {beneath} is not what the level above says"),
            ));
        }
    }
    Ok(())
}

/// What rows that come one after another must be.
#[derive(Default)]
struct Order {
    before: Vec<u8>,
    /// The ends of the first hour and of the last.
    hours: Option<(u64, u64)>,
}

impl Order {
    fn check(&mut self, run: &Run, items: &[u8]) -> Result<(), Error> {
        let kind = run.header().kind;
        for row in items.chunks(kind.row_bytes()) {
            match kind {
                Kind::Ids => self.id(run, row)?,
                Kind::Places if places::decode(row).is_none() => {
                    return Err(damaged(run.path(), "a status is unknown"));
                }
                Kind::Places => {}
                Kind::Postings => self.posting(run, row)?,
            }
        }
        Ok(())
    }

    fn posting(&mut self, run: &Run, row: &[u8]) -> Result<(), Error> {
        if row <= self.before.as_slice() {
            return Err(damaged(run.path(), "its rows are out of order"));
        }
        if let Some(sequence) = postings::sequence_of(row)
            && (sequence < run.first() || sequence > run.last())
        {
            return Err(damaged(run.path(), format!("it has entry {sequence}, which is not its")));
        }
        self.before.clear();
        self.before.extend(row);
        Ok(())
    }

    fn id(&mut self, run: &Run, row: &[u8]) -> Result<(), Error> {
        let sequence = ids::sequence_of(row);
        if sequence < run.first() || sequence > run.last() {
            return Err(damaged(run.path(), format!("it has entry {sequence}, which is not its")));
        }
        if row <= self.before.as_slice() {
            return Err(damaged(run.path(), format!("entry {sequence} is out of order")));
        }
        self.before.clear();
        self.before.extend(row);
        let end_ms = ids::hour_end_ms(row);
        self.hours = Some((self.hours.map_or(end_ms, |(first, _)| first), end_ms));
        Ok(())
    }
}
