//! The bytes of one file, in pages that copies share until they change. Knows
//! nothing of what is durable.

use std::fmt;
use std::sync::Arc;

/// What a file system keeps or loses as one.
pub(super) const PAGE_BYTES: u64 = 4096;
/// What a disk writes as one.
pub(super) const SECTOR_BYTES: u64 = 512;

/// A page; none where nothing but zeros was ever written.
pub(super) type Page = Option<Arc<[u8; PAGE_BYTES as usize]>>;

/// The bytes of a file.
#[derive(Clone, Default)]
pub(super) struct Contents {
    pages: Vec<Page>,
    length: u64,
}

impl Contents {
    pub(super) fn len(&self) -> u64 {
        self.length
    }

    /// What it takes on the disk, in bytes.
    pub(super) fn allocated(&self) -> u64 {
        self.pages.iter().flatten().count() as u64 * PAGE_BYTES
    }

    /// How many pages have something in them.
    pub(super) fn n_pages(&self) -> u64 {
        self.length.div_ceil(PAGE_BYTES)
    }

    /// Fills `out`; false if the file ends before.
    pub(super) fn read(&self, offset: u64, out: &mut [u8]) -> bool {
        if offset.saturating_add(out.len() as u64) > self.length {
            return false;
        }
        for (number, start, part) in stretches(offset, out.len()) {
            let out = &mut out[part];
            match self.pages.get(number as usize) {
                Some(Some(page)) => out.copy_from_slice(&page[start..start + out.len()]),
                _ => out.fill(0),
            }
        }
        true
    }

    /// Writes, and lengthens the file if it ends before.
    pub(super) fn write(&mut self, offset: u64, bytes: &[u8]) {
        self.length = self.length.max(offset + bytes.len() as u64);
        for (number, start, part) in stretches(offset, bytes.len()) {
            let (number, bytes) = (number as usize, &bytes[part]);
            if self.pages.len() <= number {
                self.pages.resize(number + 1, None);
            }
            let page = &mut self.pages[number];
            if page.is_none() && bytes.iter().all(|byte| *byte == 0) {
                continue;
            }
            let page = page.get_or_insert_with(|| Arc::new([0; PAGE_BYTES as usize]));
            Arc::make_mut(page)[start..start + bytes.len()].copy_from_slice(bytes);
        }
    }

    /// Writes what lies before the end of the file.
    pub(super) fn write_inside(&mut self, offset: u64, bytes: &[u8]) {
        let room = self.length.saturating_sub(offset).min(bytes.len() as u64);
        self.write_all_inside(offset, &bytes[..room as usize]);
    }

    fn write_all_inside(&mut self, offset: u64, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.write(offset, bytes);
        }
    }

    /// Cuts off, or lengthens with zeros.
    pub(super) fn set_len(&mut self, length: u64) {
        if length < self.length {
            self.pages.truncate(length.div_ceil(PAGE_BYTES) as usize);
            let inside = (length % PAGE_BYTES) as usize;
            if inside > 0
                && let Some(Some(page)) = self.pages.get_mut((length / PAGE_BYTES) as usize)
            {
                Arc::make_mut(page)[inside..].fill(0);
            }
        }
        self.length = length;
    }

    pub(super) fn page(&self, number: u64) -> Page {
        self.pages.get(number as usize).cloned().flatten()
    }

    /// Exchanges a page; nothing if the file ends before it. What of it lies behind
    /// the end stays zero.
    pub(super) fn set_page(&mut self, number: u64, page: Page) {
        let start = number * PAGE_BYTES;
        if start >= self.length {
            return;
        }
        let index = number as usize;
        if self.pages.len() <= index {
            self.pages.resize(index + 1, None);
        }
        self.pages[index] = page;
        let inside = self.length - start;
        if inside < PAGE_BYTES
            && let Some(page) = &mut self.pages[index]
        {
            Arc::make_mut(page)[inside as usize..].fill(0);
        }
    }
}

impl fmt::Debug for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Contents({} bytes)", self.length)
    }
}

/// The pages that a stretch of bytes touches: number, place in it, part of the bytes.
fn stretches(
    offset: u64,
    length: usize,
) -> impl Iterator<Item = (u64, usize, std::ops::Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        if done == length {
            return None;
        }
        let place = offset + done as u64;
        let start = (place % PAGE_BYTES) as usize;
        let some = (PAGE_BYTES as usize - start).min(length - done);
        let part = done..done + some;
        done += some;
        Some((place / PAGE_BYTES, start, part))
    })
}
