//! One file of the archive, to be read.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::layout::{FOOTER_BYTES, FRAME_BYTES, Footer, HEADER_BYTES, Header, Raw, Unreadable};
use super::{Archived, Error, Home, damaged, failed};
use crate::disk::{self, How};
use crate::value::{Hash, Position, Sequence};

/// A file, and what its ends say.
#[derive(Debug)]
pub(super) struct File {
    path: PathBuf,
    first: Position,
    /// Or why it cannot be used.
    ends: Result<Ends, String>,
}

/// What has to be known of a file to read it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ends {
    pub(super) header: Header,
    pub(super) n_records: u64,
    pub(super) first_sequence: Sequence,
    pub(super) last_sequence: Sequence,
    pub(super) last_ms: u64,
    pub(super) digest: Hash,
    footer: Footer,
}

impl File {
    /// Reads the ends of a file. One that is damaged is one too.
    pub(super) fn open(
        home: &Home,
        path: PathBuf,
        first: u64,
        before: Option<&Self>,
    ) -> Result<Self, Error> {
        let first = Position(first);
        let ends = match read_ends(home, &path, first) {
            Ok(ends) => follows(&ends, before).map(|()| ends),
            Err(Error::Damaged { what, .. }) => Err(what),
            Err(Error::UnknownFormat { found, .. }) => {
                Err(format!("format version {found} is unknown to this version of the server"))
            }
            Err(error) => return Err(error),
        };
        Ok(Self { path, first, ends })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn first(&self) -> Position {
        self.first
    }

    /// What its ends say.
    pub(super) fn ends(&self) -> Result<&Ends, Error> {
        self.ends.as_ref().map_err(|what| damaged(&self.path, what))
    }

    /// Its length; 0 if it cannot be told.
    pub(super) fn bytes(&self, home: &Home) -> u64 {
        let length = home.disk.open(&self.path, How::Read).and_then(|file| file.len());
        length.unwrap_or_default()
    }

    /// Reads from this position on; none if it is not here.
    pub(super) fn reader(&self, home: &Home, from: Position) -> Result<Option<Reader>, Error> {
        let ends = *self.ends()?;
        let index = from.max(self.first).0 - self.first.0;
        if index >= ends.n_records {
            return Ok(None);
        }
        let path = self.path.clone();
        let file = home.disk.open(&path, How::Read).map_err(failed(&path, "open"))?;
        let mut offset = [0; 8];
        let at = ends.footer.table_offset + index * 8;
        file.read_at(at, &mut offset).map_err(failed(&path, "read"))?;
        let (offset, next) = (u64::from_le_bytes(offset), from.max(self.first));
        Ok(Some(Reader { path, file, ends, offset, next }))
    }

    /// The positions of those events of an entry that have a body.
    pub(super) fn bodies_of(
        &self,
        home: &Home,
        sequence: Sequence,
    ) -> Result<BTreeSet<Position>, Error> {
        let ends = self.ends()?;
        // Sequences rise with positions: the first that is not below.
        let (mut low, mut high) = (0, ends.n_records);
        while low < high {
            let middle = low + (high - low) / 2;
            let found = self.reader(home, Position(self.first.0 + middle))?;
            let event = found.map(|mut reader| reader.next()).transpose()?.flatten();
            match event {
                Some(event) if event.sequence < sequence => low = middle + 1,
                _ => high = middle,
            }
        }
        let mut positions = BTreeSet::new();
        let Some(mut reader) = self.reader(home, Position(self.first.0 + low))? else {
            return Ok(positions);
        };
        while let Some(event) = reader.next()?.filter(|event| event.sequence == sequence) {
            if event.body.is_some() {
                positions.insert(event.position);
            }
        }
        Ok(positions)
    }

    /// Reads and checks all of it.
    pub(super) fn check(
        &self,
        home: &Home,
        each: &mut dyn FnMut(&Archived) -> bool,
    ) -> Result<(), Error> {
        let ends = self.ends()?;
        let Some(mut reader) = self.reader(home, self.first)? else { return Ok(()) };
        let mut digest = Sha256::new_with_prefix(Header::covered(&ends.header.encode()));
        let (mut table, mut times) = (Vec::new(), (u64::MAX, 0));
        let mut last = (self.first, ends.first_sequence);
        let mut end = HEADER_BYTES as u64;
        loop {
            let offset = reader.offset;
            let Some((raw, event)) = reader.next_raw()? else { break };
            let in_order = event.sequence >= last.1 && offset == end;
            if !in_order {
                return Err(damaged(&self.path, format!("event {} is misplaced", event.position)));
            }
            (last, end) = ((event.position, event.sequence), reader.offset);
            times = (times.0.min(event.time_ms), times.1.max(event.time_ms));
            table.extend(offset.to_le_bytes());
            raw.chained().for_each(|part| digest.update(part));
            if !each(&event) {
                return Ok(());
            }
        }
        // A table that is not what was written would lead to the wrong places.
        let mut stored = vec![0; table.len()];
        let read = reader.file.read_at(ends.footer.table_offset, &mut stored);
        read.map_err(failed(&self.path, "read"))?;
        if stored != table {
            return Err(damaged(&self.path, "its table is not where its events are"));
        }
        let footer = Footer { digest: Hash(digest.finalize().into()), ..ends.footer };
        let found = Footer {
            last_sequence: last.1,
            first_ms: times.0,
            last_ms: times.1,
            table_offset: end,
            table_crc: crc32c::crc32c(&table),
            ..footer
        };
        match found == ends.footer && last.0.0 + 1 - self.first.0 == ends.n_records {
            true => Ok(()),
            false => Err(damaged(&self.path, "its events are not those that its end tells of")),
        }
    }
}

/// Reads the records of a file in order.
#[derive(Debug)]
pub(super) struct Reader {
    path: PathBuf,
    file: Arc<dyn disk::File>,
    ends: Ends,
    offset: u64,
    next: Position,
}

impl Reader {
    pub(super) fn next(&mut self) -> Result<Option<Archived>, Error> {
        Ok(self.next_raw()?.map(|(_, event)| event))
    }

    pub(super) fn next_raw(&mut self) -> Result<Option<(Raw, Archived)>, Error> {
        if self.next.0 - self.ends.header.first.0 >= self.ends.n_records {
            return Ok(None);
        }
        let refuse = |what: String| damaged(&self.path, format!("event {}: {what}", self.next));
        let misplaced = || refuse("it is not where it should be".to_owned());
        let read = |offset: u64, bytes: u64| {
            let end = offset.checked_add(bytes).filter(|end| *end <= self.ends.footer.table_offset);
            end.ok_or_else(misplaced)?;
            let mut buffer = vec![0; usize::try_from(bytes).map_err(|_large| misplaced())?];
            self.file.read_at(offset, &mut buffer).map_err(failed(&self.path, "read"))?;
            Ok::<_, Error>(buffer)
        };
        let frame = read(self.offset, FRAME_BYTES as u64)?;
        let raw = Raw::read_frame(&frame).map_err(|damage| refuse(damage.to_string()))?;
        let at = self.offset + FRAME_BYTES as u64;
        let (rest_bytes, rest) = (raw.rest_bytes(), read(at, raw.rest_bytes())?);
        let raw = raw.with_rest(rest).map_err(|damage| refuse(damage.to_string()))?;
        let event = raw.event().map_err(|damage| refuse(damage.to_string()))?;
        if event.position != self.next {
            return Err(misplaced());
        }
        self.offset = at + rest_bytes;
        self.next = Position(self.next.0 + 1);
        Ok(Some((raw, event)))
    }
}

fn read_ends(home: &Home, path: &Path, first: Position) -> Result<Ends, Error> {
    let file = home.disk.open(path, How::Read).map_err(failed(path, "open"))?;
    let length = file.len().map_err(failed(path, "measure"))?;
    let read = |offset: u64, bytes: usize| {
        let mut buffer = vec![0; bytes];
        file.read_at(offset, &mut buffer).map_err(failed(path, "read"))?;
        Ok::<_, Error>(buffer)
    };
    let end = length.checked_sub(FOOTER_BYTES as u64).ok_or(io::ErrorKind::UnexpectedEof);
    let end = end.map_err(|kind| failed(path, "read")(kind.into()))?;
    let refuse = |unreadable| match unreadable {
        Unreadable::UnknownFormat(found) => Error::UnknownFormat { path: path.into(), found },
        Unreadable::Damaged(what) => damaged(path, what),
    };
    let header = Header::decode(&read(0, HEADER_BYTES)?).map_err(refuse)?;
    let footer = Footer::decode(&read(end, FOOTER_BYTES)?).map_err(refuse)?;
    if header.first != first {
        return Err(damaged(path, "it is another file than its name says"));
    }
    if footer.n_records.checked_mul(8).and_then(|bytes| footer.table_offset.checked_add(bytes))
        != Some(end)
    {
        return Err(damaged(path, "its length is not what its end says"));
    }
    let Footer { n_records, first_sequence, last_sequence, last_ms, digest, .. } = footer;
    Ok(Ends { header, n_records, first_sequence, last_sequence, last_ms, digest, footer })
}

/// That a file continues the one before; the first may continue one that was removed.
fn follows(ends: &Ends, before: Option<&File>) -> Result<(), String> {
    let Some(Ok(before)) = before.map(|file| file.ends.as_ref()) else { return Ok(()) };
    let next = before.header.first.0 + before.n_records;
    match ends.header.first.0 == next && ends.header.before == before.digest {
        true => Ok(()),
        false => Err(format!("it does not continue the file before, which ends before {next}")),
    }
}
