//! Files that rot: one bit, one page, a cut, on disks of servers that ended well and
//! of such that did not. What is damaged is refused or reported, or does not matter;
//! it is never served.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;

use rand::Rng;
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::disk::{FileInfo, SimDisk, Survival};
use crate::explore::{Broken, Run, Truth, Tuning, World, recover};

/// What happens to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Damage {
    /// One bit is turned around.
    Flip,
    /// A page of 4 KiB becomes zero.
    Zero,
    /// The file is cut off somewhere.
    Cut,
    /// Two pages are exchanged.
    Swap,
    /// An older version of it comes back.
    Older,
}

impl Damage {
    /// Every one of them.
    pub const ALL: [Self; 5] = [Self::Flip, Self::Zero, Self::Cut, Self::Swap, Self::Older];
}

/// What was tried, and what came of it.
#[derive(Debug, Default)]
pub struct Report {
    /// For each damage: refused, reported, harmless, served.
    pub counts: BTreeMap<Damage, [u64; 4]>,
    /// Damage that was served, in words.
    pub failures: Vec<String>,
}

impl Report {
    /// Adds another.
    pub fn add(&mut self, other: Self) {
        for (damage, counts) in other.counts {
            let sums = self.counts.entry(damage).or_default();
            sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        }
        self.failures.extend(other.failures);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:<8} {:>8} {:>8} {:>8} {:>8}",
            "damage", "refused", "reported", "harmless", "SERVED"
        )?;
        for (damage, [refused, reported, harmless, served]) in &self.counts {
            let damage = format!("{damage:?}");
            write!(f, "\n{damage:<8} {refused:>8} {reported:>8} {harmless:>8} {served:>8}")?;
        }
        Ok(())
    }
}

/// A disk, and what has to be on it.
#[derive(Debug)]
struct Base {
    name: &'static str,
    disk: SimDisk,
    truth: Truth,
    /// Steps of the run up to here.
    position: u64,
}

/// Damages the disks of a run, so often.
#[must_use]
pub fn decay(world: &World, run: &Run, seed: u64, trials: u64, threads: u64) -> Report {
    let mut random = StdRng::seed_from_u64(seed);
    let bases = [base(run, "clean", run.recording.len(), &mut random), {
        let position = random.random_range(run.recording.len() / 2..run.recording.len());
        base(run, "unclean", position, &mut random)
    }];
    let report = Mutex::new(Report::default());
    std::thread::scope(|scope| {
        for worker in 0..threads {
            let (bases, report) = (&bases, &report);
            let work = move || {
                for trial in (worker..trials).step_by(threads as usize) {
                    let base = &bases[(trial / 2 % 2) as usize];
                    let found = one(world, run, base, seed, trial);
                    report.lock().expect("no thread panicked").add(found);
                }
            };
            let builder = std::thread::Builder::new().stack_size(16 << 20);
            builder.spawn_scoped(scope, work).expect("a thread");
        }
    });
    report.into_inner().expect("no thread panicked")
}

fn base(run: &Run, name: &'static str, position: u64, random: &mut StdRng) -> Base {
    let mut walk = run.recording.walk();
    walk.advance_to(position);
    let disk = walk.image(Survival::Everything, random);
    Base { name, disk, truth: run.truth.rebased(position), position }
}

fn one(world: &World, run: &Run, base: &Base, seed: u64, trial: u64) -> Report {
    let mut random = StdRng::seed_from_u64(seed ^ (trial << 20));
    let disk = base.disk.copied();
    let damage = match random.random_range(0..20) {
        0..16 => Damage::Flip,
        16 => Damage::Zero,
        17 => Damage::Cut,
        18 => Damage::Swap,
        _ => Damage::Older,
    };
    let files: Vec<FileInfo> = disk.files().into_iter().filter(|file| file.bytes > 0).collect();
    let file = &files[random.random_range(0..files.len())];
    let Some(what) = inflict(&disk, run, base, damage, file, &mut random) else {
        return Report::default();
    };
    let tuning = Tuning { segment_bytes: 1 << 20, ..run.tuning };
    let (place, failure) = match recover(world, &disk, tuning, &base.truth, None) {
        Err(Broken::Refused(_)) => (0, None),
        Err(Broken::Detected(_)) => (1, None),
        Ok(_) => (2, None),
        Err(broken) => (3, Some(broken)),
    };
    let mut report = Report::default();
    report.counts.entry(damage).or_default()[place] += 1;
    if let Some(broken) = failure {
        let path = file.path.display();
        let name = base.name;
        report
            .failures
            .push(format!("seed {seed}, trial {trial}, {name} disk, {path}, {what}: {broken}"));
    }
    report
}

/// Damages a file; none if that changed nothing.
fn inflict(
    disk: &SimDisk,
    run: &Run,
    base: &Base,
    damage: Damage,
    file: &FileInfo,
    random: &mut StdRng,
) -> Option<String> {
    let before = disk.saved(&file.path)?;
    let pages = disk.pages(&file.path);
    let what = match damage {
        Damage::Flip => {
            // Where nothing was ever written there is nothing to be damaged.
            let bit = (0..64)
                .map(|_| random.random_range(0..file.bytes * 8))
                .find(|bit| disk.is_written(&file.path, bit / 8))?;
            disk.flip(&file.path, bit);
            format!("bit {bit}")
        }
        Damage::Zero => {
            let page = random.random_range(0..pages);
            disk.zero_page(&file.path, page);
            format!("page {page} zero")
        }
        Damage::Cut => {
            let bytes = random.random_range(0..file.bytes);
            disk.truncate(&file.path, bytes);
            format!("cut to {bytes} of {}", file.bytes)
        }
        Damage::Swap => {
            let (one, other) = (random.random_range(0..pages), random.random_range(0..pages));
            disk.swap_pages(&file.path, one, other);
            format!("pages {one} and {other} exchanged")
        }
        Damage::Older => {
            let at = random.random_range(0..base.position);
            let mut walk = run.recording.walk();
            walk.advance_to(at);
            let saved = walk.saved(&file.path)?;
            disk.put(&file.path, &saved);
            format!("as it was at step {at} of {}", base.position)
        }
    };
    (!disk.saved(&file.path)?.is(&before)).then_some(what)
}
