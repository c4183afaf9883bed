//! Adding: one new run of each kind. And writing one anew that is damaged.

use std::path::Path;
use std::sync::Arc;

use super::layout::{Header, Kind};
use super::run::Run;
use super::write::Draft;
use super::{Error, Home, Index, Row, Runs, ids, places};
use crate::value::Sequence;

impl Index {
    /// The entries that a file of the index is about; none if it is of no use any more.
    #[must_use]
    pub fn span(&self, path: &Path) -> Option<(Sequence, Sequence)> {
        let runs = self.runs();
        let found = runs.all().find(|run| run.path() == path);
        found.map(|run| (run.first(), run.last()))
    }

    /// Writes a file of the index anew, because it is damaged, from what the log says of
    /// each entry that it is about. Whoever reads has the old one until then, which
    /// refuses what is damaged.
    ///
    /// # Errors
    /// [`Error::NotNext`] if these are not those entries; [`Error::Failed`].
    pub fn replace(&self, path: &Path, rows: &[Row]) -> Result<(), Error> {
        replace(self, path, rows)
    }
}

pub(super) fn add(index: &Index, rows: &[Row]) -> Result<(), Error> {
    let Some(home) = &index.home else { return Ok(()) };
    let _writing = index.write();
    let mut runs = Runs::clone(&index.runs());
    let mut next = rows.first().map_or(Sequence(0), |row| row.sequence);
    for row in rows {
        if row.sequence != next {
            return Err(Error::NotNext { expected: next, found: row.sequence });
        }
        next = next.next();
    }
    // A crash between the two leaves one kind behind the other. Each goes on from
    // where it is.
    for kind in Kind::ALL {
        let expected = runs.of(kind).last().next();
        let known = rows.partition_point(|row| row.sequence < expected);
        let Some(rows) = rows.get(known..).filter(|rows| !rows.is_empty()) else { continue };
        if let Some(found) = rows.first().map(|row| row.sequence).filter(|found| *found != expected)
        {
            return Err(Error::NotNext { expected, found });
        }
        runs.of_mut(kind).runs.push(write(home, kind, rows)?);
        index.publish(runs.clone());
    }
    Ok(())
}

fn replace(index: &Index, path: &Path, rows: &[Row]) -> Result<(), Error> {
    let Some(home) = &index.home else { return Ok(()) };
    let _writing = index.write();
    let mut runs = Runs::clone(&index.runs());
    for kind in Kind::ALL {
        let damaged = runs.of_mut(kind).runs.iter_mut().find(|run| run.path() == path);
        let Some(run) = damaged else { continue };
        let mut expected = run.first();
        for row in rows {
            if row.sequence != expected {
                return Err(Error::NotNext { expected, found: row.sequence });
            }
            expected = expected.next();
        }
        if expected != run.last().next() {
            return Err(Error::NotNext { expected: run.last().next(), found: expected });
        }
        *run = write(home, kind, rows)?;
        index.publish(runs);
        return Ok(());
    }
    // Merged, or forgotten meanwhile.
    Ok(())
}

fn write(home: &Home, kind: Kind, rows: &[Row]) -> Result<Arc<Run>, Error> {
    let (mut min_ms, mut max_ms) = (u64::MAX, 0);
    let (mut first, mut last) = (Sequence(u64::MAX), Sequence(0));
    for row in rows {
        (min_ms, max_ms) = (min_ms.min(row.time_ms), max_ms.max(row.time_ms));
        (first, last) = (first.min(row.sequence), last.max(row.sequence));
    }
    let (history, n_rows) = (home.history, rows.len() as u64);
    let header = Header { kind, history, first, last, n_rows, min_ms, max_ms };
    let mut draft = Draft::create(home, header)?;
    match kind {
        Kind::Ids => {
            let mut sorted: Vec<_> = rows.iter().map(ids::row).collect();
            sorted.sort_unstable();
            for row in &sorted {
                draft.push(row)?;
            }
        }
        Kind::Places => {
            for row in rows {
                draft.push(&places::row(row))?;
            }
        }
        // Written by their owner.
        Kind::Postings => {}
    }
    draft.finish()
}
