//! Every step of a run fails once, and then each and all after it.
//!
//! For each step there is a run of its own: the engine is used, the step fails, it is
//! used on, and in the end the power goes. Nothing that was acknowledged may be lost,
//! nothing acknowledged between the failure and the opening of the log, and what
//! nobody knew resolves to one effect.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::disk::{Errno, Failed, Fault, Happened, Kind, SimDisk, Survival};
use crate::explore::{Claim, Driver, EPOCH_MS, Got, Truth, Tuning, World, random_command, recover};

/// Commands that are sent after the failure at most: enough for some segments more.
const AFTER: u64 = 40;

/// Longer than anything takes that fails at once, on however busy a machine.
const SLOW: Duration = Duration::from_secs(20);

/// How much to try.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// What everything random follows from.
    pub seed: u64,
    /// Commands of each run, if nothing fails; after a failure at most 40 are left.
    pub commits: u64,
    /// The first step that fails, and by how much the next is further.
    pub first: u64,
    /// See `first`.
    pub stride: u64,
    /// Threads.
    pub threads: usize,
}

/// What was tried, and what was found.
#[derive(Debug, Default)]
pub struct Report {
    /// Runs.
    pub runs: u64,
    /// Steps of which each failed once in one run and for ever in another.
    pub steps: u64,
    /// Steps that failed, by kind.
    pub faults: BTreeMap<Kind, u64>,
    /// Commands that were acknowledged.
    pub acknowledged: u64,
    /// Commands of which nobody knew.
    pub unknown: u64,
    /// Commands that were certainly not logged.
    pub not_logged: u64,
    /// Images that were opened in the end.
    pub images: u64,
    /// Broken promises, in words.
    pub failures: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { runs, steps, faults, acknowledged, unknown, not_logged, images, failures } =
            self;
        writeln!(f, "{steps} steps, {runs} runs, steps that failed: {faults:?}")?;
        writeln!(f, "{acknowledged} acknowledged, {unknown} unknown, {not_logged} not logged")?;
        write!(f, "{images} images in the end; broken: {}", failures.len())
    }
}

/// Makes every step fail, until no step is left to fail.
#[must_use]
pub fn sweep(world: &World, plan: &Plan) -> Report {
    let report = Mutex::new(Report::default());
    let (next, end) = (AtomicU64::new(0), AtomicU64::new(u64::MAX));
    std::thread::scope(|scope| {
        for _ in 0..plan.threads {
            let work = || {
                loop {
                    let nth = plan.first + next.fetch_add(1, Ordering::Relaxed) * plan.stride;
                    if nth >= end.load(Ordering::Relaxed) {
                        return;
                    }
                    let one = OneRun { world, plan, nth, report: &report };
                    let met = [false, true].map(|sticky| one.run(sticky));
                    match met {
                        [false, false] => drop(end.fetch_min(nth, Ordering::Relaxed)),
                        _ => report.lock().expect("no thread panicked").steps += 1,
                    }
                }
            };
            let builder = std::thread::Builder::new().stack_size(16 << 20);
            builder.spawn_scoped(scope, work).expect("a thread");
        }
    });
    report.into_inner().expect("no thread panicked")
}

struct OneRun<'a> {
    world: &'a World,
    plan: &'a Plan,
    nth: u64,
    report: &'a Mutex<Report>,
}

impl OneRun<'_> {
    /// Whether the run came to the step.
    fn run(&self, sticky: bool) -> bool {
        let seed = self.plan.seed ^ (self.nth << 1 | u64::from(sticky));
        let mut random = StdRng::seed_from_u64(seed);
        let error = if random.random_bool(0.5) { Errno::Io } else { Errno::NoSpace };
        let tuning = Tuning { segment_bytes: 4 << 10, lingers: false, retains: false };
        let disk = SimDisk::new();
        disk.seed(seed);
        disk.fail(Fault { kind: None, nth: self.nth, sticky, error });
        let what = format!("seed {}, step {} fails, sticky: {sticky}", self.plan.seed, self.nth);
        let mut truth = Truth::default();
        let mut left = self.plan.commits;
        // A server that does not start, or stops, is started again.
        for _ in 0..6 {
            let driver =
                match Driver::open(self.world, &disk.reborn(), tuning, EPOCH_MS, truth.clone()) {
                    Ok(driver) => driver,
                    Err(_) => continue,
                };
            self.work(&driver, &mut left, &mut random);
            truth = driver.truth();
            self.timed("end", || drop(driver));
            if left == 0 {
                break;
            }
        }
        let failed = disk.failed();
        self.judge(&disk, tuning, &truth, &failed, &what, &mut random);
        !failed.is_empty()
    }

    /// Notes what takes so long that whoever waits for it gives up.
    #[expect(clippy::disallowed_methods, reason = "measures how long it takes")]
    fn timed<T>(&self, what: &str, act: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let done = act();
        let took = start.elapsed();
        if took > SLOW {
            let (seed, nth) = (self.plan.seed, self.nth);
            let slow = format!("SLOW: seed {seed}, step {nth}: {what} took {took:?}");
            eprintln!("{slow}");
            self.report.lock().expect("no thread panicked").failures.push(slow);
        }
        done
    }

    /// Until all is done, or the engine does not go on.
    fn work(&self, driver: &Driver, left: &mut u64, random: &mut StdRng) {
        if self.timed("create", || driver.create("main")).is_err()
            || self.timed("deploy", || driver.deploy("main", "probe")).is_err()
        {
            return;
        }
        let mut refused = 0;
        while *left > 0 && refused < 40 {
            if *left > AFTER && !driver.disk().failed().is_empty() {
                *left = AFTER;
            }
            let sent = random_command("main", driver.now_ms(), random);
            let got = self.timed(&format!("{sent:?}"), || driver.submit_new(&sent));
            let mut report = self.report.lock().expect("no thread panicked");
            *left -= 1;
            match got {
                Got::Receipt(_) => {
                    report.acknowledged += 1;
                    refused = 0;
                }
                Got::No { unknown: true, .. } => report.unknown += 1,
                Got::No { unknown: false, .. } => {
                    report.not_logged += 1;
                    // It is being opened again: give it a moment, and this one's turn.
                    (*left, refused) = (*left + 1, refused + 1);
                    drop(report);
                    std::thread::sleep(Duration::from_micros(500));
                }
            }
        }
    }

    fn judge(
        &self,
        disk: &SimDisk,
        tuning: Tuning,
        truth: &Truth,
        failed: &[Failed],
        what: &str,
        random: &mut StdRng,
    ) {
        let recording = disk.recording();
        let mut failures = early(&recording.happened(), truth, failed);
        let mut walk = recording.walk();
        walk.advance_to(recording.len());
        let mut images = 0;
        for survival in Survival::ALL {
            let image = walk.image(survival, random);
            let before = image.copied();
            if let Err(error) = recover(self.world, &image, tuning, truth, Some(random)) {
                let place = crate::target_directory()
                    .join(format!("torture/sweep-{}-{}-{survival:?}", self.plan.seed, self.nth));
                drop(before.keep(&place));
                failures.push(format!("{survival:?}: {error} ({})", place.display()));
            }
            images += 1;
        }
        let mut report = self.report.lock().expect("no thread panicked");
        report.runs += 1;
        report.images += images;
        for failed in failed {
            *report.faults.entry(failed.kind).or_default() += 1;
        }
        let first = failed.first().map(|f| format!("{:?} of {}", f.kind, f.path.display()));
        let first = first.unwrap_or_default();
        report.failures.extend(failures.iter().map(|error| format!("{what} ({first}): {error}")));
    }
}

/// What was acknowledged after a failure of the log and before it was opened again.
fn early(happened: &[Happened], truth: &Truth, failed: &[Failed]) -> Vec<String> {
    let is_segment = |path: &std::path::Path| {
        path.components().any(|part| part.as_os_str() == "log")
            && path.extension().is_some_and(|extension| extension == "redb")
    };
    let opened: Vec<u64> = (0..)
        .zip(happened)
        .filter(|(_, step)| match step {
            Happened::Did { kind: Kind::Open, path, .. } => is_segment(path),
            _ => false,
        })
        .map(|(position, _)| position)
        .collect();
    let mut early = Vec::new();
    for failed in failed.iter().filter(|failed| is_segment(&failed.path)) {
        let after = opened.iter().find(|opened| **opened >= failed.position);
        let until = after.copied().unwrap_or(u64::MAX);
        for (position, _, claim) in &truth.claims {
            if let Claim::Receipt(receipt) = claim
                && (failed.position + 1..until).contains(position)
            {
                early.push(format!(
                    "EARLY: {} was acknowledged at {position}, after {:?} failed at {}",
                    receipt.entry.sequence, failed.kind, failed.position
                ));
            }
        }
    }
    early
}
