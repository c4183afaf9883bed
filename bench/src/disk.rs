//! The raw syncs of a disk: what durability costs before anybody adds to it.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::machine;

const PAGE_BYTES: usize = 4 << 10;
/// Large enough that a run does not write one page over and over.
const FILE_BYTES: usize = 64 << 20;

/// A file that was written once, so that writing to it again changes neither its
/// size nor where its blocks are.
#[derive(Debug)]
pub(crate) struct Preallocated {
    file: File,
    next: usize,
}

/// What a turn of syncs came to.
#[derive(Debug)]
pub(crate) struct Syncs {
    pub(crate) per_second: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
}

impl Preallocated {
    pub(crate) fn create(directory: &Path) -> anyhow::Result<Self> {
        let path = directory.join("syncs");
        let mut file = File::create(&path)?;
        let zeros = vec![0; 1 << 20];
        for _ in 0..FILE_BYTES / zeros.len() {
            file.write_all(&zeros)?;
        }
        file.sync_all()?;
        Ok(Self { file, next: 0 })
    }

    /// Writes a page and waits for the disk, one after another.
    pub(crate) fn turn(&mut self, duration: Duration) -> anyhow::Result<Syncs> {
        let mut latencies = Histogram::<u64>::new_with_bounds(1, 60_000_000_000, 3)?;
        let start = machine::now();
        let mut now = start;
        while now < start + duration {
            let page = [self.next.to_le_bytes()[0]; PAGE_BYTES];
            let offset = self.next * PAGE_BYTES % FILE_BYTES;
            self.file.write_all_at(&page, u64::try_from(offset)?)?;
            self.file.sync_data()?;
            self.next += 1;
            let synced = machine::now();
            latencies.record(u64::try_from((synced - now).as_nanos())?)?;
            now = synced;
        }
        let us = |quantile| latencies.value_at_quantile(quantile) as f64 / 1e3;
        let per_second = latencies.len() as f64 / start.elapsed().as_secs_f64();
        Ok(Syncs { per_second, p50_us: us(0.5), p99_us: us(0.99) })
    }
}
