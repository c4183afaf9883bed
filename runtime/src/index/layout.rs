//! The layout of a run: what is on which page. No I/O.
//!
//! All numbers are big-endian, so that rows compare as their bytes do.
//!
//! | page | what |
//! |---|---|
//! | 0 | the header |
//! | then | rows, as many to a page as fit, in order |
//! | then | summaries of those pages, one for each, in order |
//! | then | summaries of those, and so on, until one page holds all |
//!
//! The last page is the *root*. How many pages each level has follows from the number
//! of rows.
//!
//! | page, offset | bytes | what |
//! |---|---|---|
//! | 0 | 4 | crc32c of: the header's 68 bytes (of page 0: nothing), the page's number u64, the 4,092 bytes after this field |
//! | 4 | 4,092 | header, rows or summaries; what is not used is zero |
//!
//! | header, from byte 4 | what |
//! |---|---|
//! | 8 bytes | `chancidx` |
//! | u16 | format version: 1 |
//! | u8 | kind: 1 ids, 2 places |
//! | u8 | zero |
//! | 16 bytes | history |
//! | u64, u64 | first and last sequence |
//! | u64 | number of rows |
//! | u64, u64 | earliest and latest time in its ids, ms |
//!
//! The run's identity is the crc32c of these bytes, from which the checksums of its
//! pages go on. A page of one run, or of another place in the same run, is therefore
//! never taken for one that belongs there.
//!
//! | kind | row | summary of a page |
//! |---|---|---|
//! | ids | hour u32 of the id's time (ms / 3,600,000), id (16), sequence u64 | hour and id of its first row |
//! | places | round of the entry u64, of the outcome u64, status u8: 1 succeeded, 2 rejected, 3 failed | u8: which statuses it has, bit n for status n |
//!
//! Rows of ids are in the order of their bytes. Rows of places are dense: the first is
//! about the first sequence.

use uuid::Uuid;

use crate::value::{History, Sequence};

pub(super) const FORMAT_VERSION: u16 = 1;
pub(super) const PAGE_BYTES: usize = 4096;
pub(super) const CRC_BYTES: usize = 4;
pub(super) const PAYLOAD_BYTES: usize = PAGE_BYTES - CRC_BYTES;
const MAGIC: [u8; 8] = *b"chancidx";
const HEADER_BYTES: usize = 68;

/// What a run is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Ids,
    Places,
}

impl Kind {
    pub(super) const ALL: [Self; 2] = [Self::Places, Self::Ids];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Ids => "ids",
            Self::Places => "places",
        }
    }

    pub(super) fn row_bytes(self) -> usize {
        match self {
            Self::Ids => super::ids::ROW_BYTES,
            Self::Places => super::places::ROW_BYTES,
        }
    }

    pub(super) fn summary_bytes(self) -> usize {
        match self {
            Self::Ids => super::ids::KEY_BYTES,
            Self::Places => super::places::MASK_BYTES,
        }
    }

    /// The summary of a page of rows, or of a page of summaries.
    pub(super) fn summarise(self, level: usize, page: &[u8], summary: &mut Vec<u8>) {
        match (self, level) {
            (Self::Ids, _) => summary.extend(page.iter().take(super::ids::KEY_BYTES)),
            (Self::Places, 0) => summary.push(super::places::mask_of_rows(page)),
            (Self::Places, _) => summary.push(super::places::mask_of_masks(page)),
        }
    }

    /// Bytes of one item of a level.
    pub(super) fn item_bytes(self, level: usize) -> usize {
        if level == 0 { self.row_bytes() } else { self.summary_bytes() }
    }

    /// Items on a full page of a level.
    pub(super) fn per_page(self, level: usize) -> u64 {
        (PAYLOAD_BYTES / self.item_bytes(level)) as u64
    }

    fn code(self) -> u8 {
        match self {
            Self::Ids => 1,
            Self::Places => 2,
        }
    }
}

/// What a run says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    pub(super) history: History,
    pub(super) first: Sequence,
    pub(super) last: Sequence,
    pub(super) n_rows: u64,
    /// Earliest and latest time in its ids.
    pub(super) min_ms: u64,
    pub(super) max_ms: u64,
}

/// Why bytes are not a header.
pub(super) enum NotHeader {
    Damaged(&'static str),
    UnknownFormat(u16),
}

impl Header {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(PAYLOAD_BYTES);
        bytes.extend(MAGIC);
        bytes.extend(FORMAT_VERSION.to_be_bytes());
        bytes.extend([self.kind.code(), 0]);
        bytes.extend(self.history.0.as_bytes());
        let numbers = [self.first.0, self.last.0, self.n_rows, self.min_ms, self.max_ms];
        bytes.extend(numbers.iter().flat_map(|number| number.to_be_bytes()));
        bytes
    }

    /// The header on a page, whose checksum is looked at once it is known that this
    /// version has it there.
    pub(super) fn of_page(page: Vec<u8>) -> Result<Self, NotHeader> {
        let mut fields = Fields(page.get(CRC_BYTES..).unwrap_or_default());
        let (magic, version) = (fields.take::<8>(), u16::from_be_bytes(fields.take()));
        if magic == MAGIC && version != FORMAT_VERSION {
            return Err(NotHeader::UnknownFormat(version));
        }
        let payload = unseal(0, 0, page);
        Self::decode(&payload.ok_or(NotHeader::Damaged("its header does not match its checksum"))?)
    }

    fn decode(payload: &[u8]) -> Result<Self, NotHeader> {
        let mut fields = Fields(payload);
        if fields.take::<8>() != MAGIC {
            return Err(NotHeader::Damaged("not a run of an index"));
        }
        let _version: [u8; 2] = fields.take();
        let kind = match fields.take() {
            [1, 0] => Kind::Ids,
            [2, 0] => Kind::Places,
            _ => return Err(NotHeader::Damaged("it is of an unknown kind")),
        };
        let history = History(Uuid::from_bytes(fields.take()));
        let mut number = || u64::from_be_bytes(fields.take());
        let (first, last) = (Sequence(number()), Sequence(number()));
        let (n_rows, min_ms, max_ms) = (number(), number(), number());
        let right = first.0 > 0 && first <= last && n_rows > 0 && min_ms <= max_ms;
        let dense = kind == Kind::Ids || n_rows.checked_sub(1) == last.0.checked_sub(first.0);
        if !right || !dense || payload.iter().skip(HEADER_BYTES).any(|byte| *byte != 0) {
            return Err(NotHeader::Damaged("its header contradicts itself"));
        }
        Ok(Self { kind, history, first, last, n_rows, min_ms, max_ms })
    }

    pub(super) fn name(&self) -> String {
        format!("{}.{:020}-{:020}", self.kind.as_str(), self.first.0, self.last.0)
    }

    pub(super) fn identity(&self) -> u32 {
        crc32c::crc32c(&self.encode())
    }

    /// The levels, from the rows to the root; where each begins and what it has.
    pub(super) fn levels(&self) -> Vec<Level> {
        let (mut levels, mut items, mut first_page) = (Vec::new(), self.n_rows, 1);
        loop {
            let pages = items.div_ceil(self.kind.per_page(levels.len()));
            levels.push(Level { first_page, pages, items });
            first_page += pages;
            if pages == 1 {
                return levels;
            }
            items = pages;
        }
    }
}

/// Pages of one kind in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Level {
    /// The number of its first page.
    pub(super) first_page: u64,
    /// How many it has.
    pub(super) pages: u64,
    /// How many rows or summaries are on them.
    pub(super) items: u64,
}

/// The checksum of a page.
pub(super) fn crc(identity: u32, page: u64, payload: &[u8]) -> u32 {
    let place = crc32c::crc32c_append(identity, &page.to_be_bytes());
    crc32c::crc32c_append(place, payload)
}

/// Takes a page's bytes off `bytes`, sealed with its checksum.
pub(super) fn seal(identity: u32, page: u64, payload: &mut Vec<u8>, pages: &mut Vec<u8>) {
    payload.resize(PAYLOAD_BYTES, 0);
    pages.extend(crc(identity, page, payload).to_be_bytes());
    pages.append(payload);
}

/// The payload of a page, if it is the one that was written.
pub(super) fn unseal(identity: u32, page: u64, mut bytes: Vec<u8>) -> Option<Vec<u8>> {
    let payload = bytes.split_off(CRC_BYTES.min(bytes.len()));
    let whole = crc(identity, page, &payload).to_be_bytes();
    (bytes == whole && payload.len() == PAYLOAD_BYTES).then_some(payload)
}

/// Reads fields one after another; what is missing is zero.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl Fields<'_> {
    pub(super) fn take<const N: usize>(&mut self) -> [u8; N] {
        match self.0.split_first_chunk::<N>() {
            Some((field, rest)) => {
                self.0 = rest;
                *field
            }
            None => [0; N],
        }
    }
}
