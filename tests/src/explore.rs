//! Crashes at every step of a run of the whole engine.
//!
//! A run is one engine on a [`SimDisk`] and somebody who uses it (`driver`); what was
//! answered is written down with the step of the disk at which it was (`truth`). Then,
//! for every step, disks are made as a power loss there could leave them, an engine is
//! opened on each, and it has to keep what was promised (`verify`). Some of those are
//! recorded in turn, for crashes within recovery.
//!
//! What is random follows from the seed, but for the threads of the engine: a run is
//! not the same twice. So an image that fails is put into a directory.

mod course;
mod driver;
mod phase;
mod truth;
mod verify;
mod world;

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

pub use self::course::{Course, Run, maintain, run};
pub use self::driver::{Driver, EPOCH_MS, Got, id_at, random_command, request};
pub use self::phase::{Phase, phases};
pub use self::truth::{Claim, Sent, Truth};
pub use self::verify::{Broken, go_on, verify};
pub use self::world::{Tuning, World};

use crate::disk::{SimDisk, Survival};

/// How long after the beginning of a run the machine is up again. Within the window.
const LATER_MS: u64 = 60 * 60 * 1000;

/// The share of steps that are cut off of those that a course is not about.
const ELSEWHERE: f64 = 0.25;

/// How much to explore.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// What everything random follows from.
    pub seed: u64,
    /// What the run does above all.
    pub course: Course,
    /// Batches of commands in the run.
    pub batches: u64,
    /// Images of each step, of each way to survive.
    pub images_per_step: u32,
    /// The share of images on which recovery is recorded and cut off as well.
    pub nested_share: f64,
    /// Images of each such recovery.
    pub nested_images: u32,
    /// Threads. More than there are processors: engines wait a lot.
    pub threads: u64,
}

impl Plan {
    /// A small one, for each change. The seed says what it does above all.
    #[must_use]
    pub fn small(seed: u64) -> Self {
        Self {
            seed,
            course: Course::of(seed),
            batches: 12,
            images_per_step: 1,
            nested_share: 0.05,
            nested_images: 4,
            threads: 4,
        }
    }
}

/// What was tried, and what was found.
#[derive(Debug, Default)]
pub struct Report {
    /// Images, by what was cut off.
    pub images: BTreeMap<Phase, u64>,
    /// Steps of the recorded runs that were cut off, by what they belong to.
    pub steps: BTreeMap<Phase, u64>,
    /// Broken promises, in words.
    pub failures: Vec<String>,
    /// Images that were opened, and the time that took, over all threads.
    pub opened: Duration,
    /// How long it took in all.
    pub took: Duration,
}

impl Report {
    /// All images.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.images.values().sum()
    }

    /// Images of what there are the fewest of, among what is promised to be cut off often.
    #[must_use]
    pub fn rarest(&self) -> u64 {
        let often = [Phase::Checkpoint, Phase::Trim, Phase::Deploy, Phase::Seal, Phase::Recovery];
        let images = often.iter().map(|phase| self.images.get(phase).copied().unwrap_or_default());
        images.min().unwrap_or_default()
    }

    /// Adds another run.
    pub fn add(&mut self, other: Self) {
        for (phase, images) in other.images {
            *self.images.entry(phase).or_default() += images;
        }
        for (phase, steps) in other.steps {
            *self.steps.entry(phase).or_default() += steps;
        }
        self.failures.extend(other.failures);
        self.opened += other.opened;
        self.took += other.took;
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<12} {:>10} {:>10}", "crash within", "images", "steps")?;
        for phase in Phase::ALL {
            let images = self.images.get(&phase).copied().unwrap_or_default();
            // Those of a recovery are drawn anew for each.
            let steps = self.steps.get(&phase).map_or_else(|| "-".to_owned(), u64::to_string);
            writeln!(f, "{phase:<12} {images:>10} {steps:>10}")?;
        }
        let (total, steps) = (self.total(), self.steps.values().sum::<u64>());
        let ms = self.took.as_secs_f64() * 1000.0 / total.max(1) as f64;
        writeln!(f, "{:<12} {total:>10} {steps:>10}, {ms:.2} ms each", "all")?;
        write!(f, "{:<12} {:>10}", "broken", self.failures.len())
    }
}

/// Crashes a run at each of its steps.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "measures how long it took")]
pub fn explore(world: &World, plan: &Plan) -> Report {
    let start = Instant::now();
    let run = run(world, plan);
    let phases = phases(&run.recording.happened());
    let report = Mutex::new(Report::default());
    let given_up = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for worker in 0..plan.threads {
            let (run, phases, report, given_up) = (&run, &phases, &report, &given_up);
            let work = move || {
                let mut walk = run.recording.walk();
                loop {
                    let position = walk.position();
                    if position % plan.threads == worker && given_up.load(Ordering::Relaxed) < 20 {
                        let explorer = Explorer { world, plan, run, report, given_up };
                        // The end is one of the places, and no step.
                        match phases.get(position as usize) {
                            Some(None) => {}
                            Some(Some(phase)) => explorer.step(&walk, *phase),
                            None => explorer.step(&walk, Phase::Close),
                        }
                    }
                    if !walk.advance() {
                        break;
                    }
                }
            };
            let builder = std::thread::Builder::new().stack_size(16 << 20);
            builder.spawn_scoped(scope, work).expect("a thread");
        }
    });
    let mut report = report.into_inner().expect("no thread panicked");
    report.took = start.elapsed();
    report
}

struct Explorer<'a> {
    world: &'a World,
    plan: &'a Plan,
    run: &'a Run,
    report: &'a Mutex<Report>,
    given_up: &'a AtomicU64,
}

impl Explorer<'_> {
    fn step(&self, walk: &crate::disk::Walk, phase: Phase) {
        let position = walk.position();
        let rarely = random_of(self.plan.seed, position, u64::MAX - 1).random_bool(ELSEWHERE);
        let images_per_step = match self.plan.course.focus() {
            None => self.plan.images_per_step,
            Some((focus, times)) if focus == phase => times * self.plan.images_per_step,
            Some(_) if rarely => self.plan.images_per_step,
            Some(_) => return,
        };
        let all: &[Survival] = if walk.is_quiet() { &[Survival::Nothing] } else { &Survival::ALL };
        for (kind, survival) in all.iter().enumerate() {
            let n_images = match survival {
                Survival::Nothing | Survival::Everything => 1,
                _ => images_per_step,
            };
            for number in 0..n_images {
                let variant = (kind as u64) << 32 | u64::from(number);
                let mut random = random_of(self.plan.seed, position, variant);
                let disk = walk.image(*survival, &mut random);
                let what = format!("step {position} ({phase}), {survival:?}, variant {variant}");
                self.image(&disk, phase, &what, position, &mut random);
            }
        }
        *self.report.lock().expect("no thread panicked").steps.entry(phase).or_default() += 1;
        let mut random = random_of(self.plan.seed, position, u64::MAX);
        if random.random_bool(self.plan.nested_share) {
            let disk = walk.killed(&mut random);
            let what = format!("step {position} ({phase}), killed");
            self.recorded(&disk, phase, &what, position, &mut random);
        }
    }

    fn image(&self, disk: &SimDisk, phase: Phase, what: &str, position: u64, random: &mut StdRng) {
        if random.random_bool(self.plan.nested_share) {
            let disk = disk.clone().recorded();
            self.recorded(&disk, phase, what, position, random);
            return;
        }
        let goes_on = random.random_bool(0.25);
        let before = disk.copied();
        let checked = self.check(disk, &self.run.truth.rebased(position), goes_on, random);
        self.count(phase, what, &before, checked.map(drop));
    }

    /// A recovery that is cut off in turn.
    fn recorded(
        &self,
        disk: &SimDisk,
        phase: Phase,
        what: &str,
        position: u64,
        random: &mut StdRng,
    ) {
        let before = disk.copied();
        let checked = self.check(disk, &self.run.truth.rebased(position), true, random);
        let truth = match checked {
            Ok(truth) => truth,
            Err(error) => return self.count(phase, what, &before, Err(error)),
        };
        self.count(phase, what, &before, Ok(()));
        let recording = disk.recording();
        let mut positions: Vec<u64> = (0..self.plan.nested_images)
            .map(|_| random.random_range(0..=recording.len()))
            .collect();
        positions.sort_unstable();
        let mut walk = recording.walk();
        for at in positions {
            walk.advance_to(at);
            let survival = Survival::ALL[random.random_range(0..Survival::ALL.len())];
            let image = walk.image(survival, random);
            let before = image.copied();
            let checked = self.check(&image, &truth.rebased(at), random.random_bool(0.25), random);
            let what = format!("{what}; then step {at} of the recovery, {survival:?}");
            self.count(Phase::Recovery, &what, &before, checked.map(drop));
        }
    }

    fn check(
        &self,
        disk: &SimDisk,
        truth: &Truth,
        goes_on: bool,
        random: &mut StdRng,
    ) -> Result<Truth, Broken> {
        recover(self.world, disk, self.run.tuning, truth, goes_on.then_some(random))
    }

    fn count(&self, phase: Phase, what: &str, disk: &SimDisk, checked: Result<(), Broken>) {
        let mut report = self.report.lock().expect("no thread panicked");
        *report.images.entry(phase).or_default() += 1;
        if let Err(error) = checked {
            let number = self.given_up.fetch_add(1, Ordering::Relaxed);
            let place =
                crate::target_directory().join(format!("torture/{}-{number}", self.plan.seed));
            let kept =
                disk.keep(&place).map_or_else(|e| e.to_string(), |()| place.display().to_string());
            let seed = self.plan.seed;
            report.failures.push(format!("seed {seed}, {what}: {error}\n  (the disk: {kept})"));
        }
    }
}

/// Opens an engine and has it keep its promises, and go on if there are dice for
/// that; what is known then.
///
/// # Errors
/// What is not as it should be.
pub fn recover(
    world: &World,
    disk: &SimDisk,
    tuning: Tuning,
    truth: &Truth,
    goes_on: Option<&mut StdRng>,
) -> Result<Truth, Broken> {
    let recovered = catch_unwind(AssertUnwindSafe(|| {
        let now_ms = EPOCH_MS + LATER_MS;
        let tuning = Tuning { lingers: false, ..tuning };
        let driver =
            Driver::open(world, disk, tuning, now_ms, truth.clone()).map_err(Broken::Refused)?;
        verify(&driver, truth)?;
        if let Some(random) = goes_on {
            go_on(&driver, truth, random)?;
        }
        Ok(driver.truth())
    }));
    recovered.unwrap_or_else(|_| Err(Broken::Promise("it panicked".to_owned())))
}

/// The dice of one image.
fn random_of(seed: u64, position: u64, variant: u64) -> StdRng {
    let mut bytes = [0; 32];
    for (place, number) in bytes.chunks_exact_mut(8).zip([seed, position, variant, 0]) {
        place.copy_from_slice(&number.to_le_bytes());
    }
    StdRng::from_seed(bytes)
}
