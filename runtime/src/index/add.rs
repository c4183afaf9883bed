//! Adding: one new run of each kind. And writing one anew that is damaged.

use std::path::Path;
use std::sync::Arc;

use super::layout::{Header, Kind};
use super::run::Run;
use super::write::Draft;
use super::{Error, Home, Index, Row, Runs, ids, places};
use crate::value::Sequence;

/// A file of the index that is being written anew, because it is damaged, from what the
/// log says of each entry that it is about: in parts, as many as it takes to have little
/// of it in memory. Whoever reads has the old one until the end, which refuses what is
/// damaged. Parts of one that was not finished are removed when the index is opened.
#[derive(Debug)]
pub struct Replacing<'a> {
    index: &'a Index,
    home: &'a Home,
    kind: Kind,
    old: Arc<Run>,
    parts: Vec<Arc<Run>>,
}

impl Index {
    /// Begins to write a file anew; none if it is of no use any more.
    #[must_use]
    pub fn replacing(&self, path: &Path) -> Option<Replacing<'_>> {
        let runs = self.runs();
        let old = Arc::clone(runs.all().find(|run| run.path() == path)?);
        let (home, kind) = (self.home.as_ref()?, old.header().kind);
        Some(Replacing { index: self, home, kind, old, parts: Vec::new() })
    }
}

impl Replacing<'_> {
    /// The entries that the file is about.
    #[must_use]
    pub fn span(&self) -> (Sequence, Sequence) {
        (self.old.first(), self.old.last())
    }

    /// Adds the next entries of them.
    ///
    /// # Errors
    /// [`Error::NotNext`] if these are not those entries; [`Error::Failed`].
    pub fn add(&mut self, rows: &[Row]) -> Result<(), Error> {
        let mut expected = self.next();
        for row in rows {
            if row.sequence != expected || expected > self.old.last() {
                return Err(Error::NotNext { expected, found: row.sequence });
            }
            expected = expected.next();
        }
        if !rows.is_empty() {
            self.parts.push(write(self.home, self.kind, rows)?);
        }
        Ok(())
    }

    /// Puts the parts in the place of the file.
    ///
    /// # Errors
    /// [`Error::NotNext`] if entries are missing.
    pub fn finish(self) -> Result<(), Error> {
        let (expected, end) = (self.next(), self.old.last().next());
        if expected != end {
            return Err(Error::NotNext { expected, found: end });
        }
        let _writing = self.index.write();
        let mut runs = Runs::clone(&self.index.runs());
        let of_kind = &mut runs.of_mut(self.kind).runs;
        let at = of_kind.iter().position(|run| run.path() == self.old.path());
        let Some(at) = at else {
            // Merged, or forgotten meanwhile.
            self.home.remove(&self.parts);
            return Ok(());
        };
        // A single part has the name of the file, and is in its place already.
        let is_in_place = self.parts.iter().any(|part| part.path() == self.old.path());
        of_kind.splice(at..=at, self.parts);
        self.index.publish(runs);
        if !is_in_place {
            self.home.remove(&[self.old]);
        }
        Ok(())
    }

    fn next(&self) -> Sequence {
        self.parts.last().map_or(self.old.first(), |part| part.last().next())
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
    }
    draft.finish()
}
