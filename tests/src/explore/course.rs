//! A run that is recorded: an engine, somebody who uses it, and what it does by itself,
//! beside commands and when all is quiet.

use std::time::Duration;

use chancery::checkpoint::AtOnce;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::driver::{Driver, EPOCH_MS, Got, random_command};
use super::truth::{Sent, Truth};
use super::world::{Tuning, World};
use super::{Phase, Plan};
use crate::disk::{Recording, SimDisk};

/// What a run does above all. What is rare in everyday life is cut off often enough
/// only by runs that do little else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Course {
    /// A bit of everything.
    Everyday,
    /// What is seconds old goes: segments are small, and time passes.
    Trimming,
    /// Modules come, change and go.
    Deploying,
}

impl Course {
    /// The one that a seed leads to: all in turn.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        [Self::Everyday, Self::Trimming, Self::Deploying][(seed % 3) as usize]
    }

    /// What is cut off above all, and how many times as many images that gets: there
    /// is less to a trim than to a deployment.
    #[must_use]
    pub fn focus(self) -> Option<(Phase, u32)> {
        match self {
            Self::Everyday => None,
            Self::Trimming => Some((Phase::Trim, 4)),
            Self::Deploying => Some((Phase::Deploy, 1)),
        }
    }

    fn tuning(self, random: &mut StdRng) -> Tuning {
        let segment_bytes = [1 << 10, 4 << 10, 16 << 10][random.random_range(0..3)];
        let (lingers, retains) = (random.random_bool(0.5), random.random_bool(0.5));
        match self {
            Self::Trimming => Tuning { segment_bytes: 1 << 10, lingers, retains: true },
            _ => Tuning { segment_bytes, lingers, retains },
        }
    }
}

/// A run that was recorded.
#[derive(Debug)]
pub struct Run {
    /// What the disk did.
    pub recording: Recording,
    /// What was told.
    pub truth: Truth,
    /// How the engine was set.
    pub tuning: Tuning,
}

/// Runs an engine through what a server does in its life.
///
/// # Panics
/// If something fails, on a disk that does not.
#[must_use]
pub fn run(world: &World, plan: &Plan) -> Run {
    let mut random = StdRng::seed_from_u64(plan.seed);
    let tuning = plan.course.tuning(&mut random);
    let disk = SimDisk::new();
    let mut now_ms = EPOCH_MS;
    let mut driver = open(world, &disk, tuning, now_ms, Truth::default());
    driver.create("main").expect("an app");
    driver.deploy("main", "probe").expect("a module");
    for batch in 0..plan.batches {
        let (n_commands, passed_ms) = match plan.course {
            Course::Everyday => (random.random_range(1..=4), random.random_range(0..2_000)),
            Course::Trimming => (random.random_range(1..=4), random.random_range(1_000..4_000)),
            Course::Deploying => (random.random_range(0..=1), random.random_range(0..2_000)),
        };
        now_ms += passed_ms;
        driver.hands().advance(Duration::from_millis(passed_ms));
        let commands: Vec<Sent> =
            (0..n_commands).map(|_| random_command("main", now_ms, &mut random)).collect();
        // Else when all is quiet.
        let tends_meanwhile = random.random_bool(0.3);
        let tend_meanwhile = || {
            if tends_meanwhile {
                tend(&driver, "main");
            }
        };
        for got in driver.submit_while(&commands, tend_meanwhile) {
            assert!(matches!(got, Got::Receipt(_)), "{got:?}");
        }
        let restarts = match plan.course {
            Course::Everyday => everyday(&driver, batch, &mut random),
            Course::Trimming if tends_meanwhile => random.random_bool(0.3),
            Course::Trimming => {
                tend(&driver, "main");
                false
            }
            Course::Deploying => deploying(&driver, &mut random),
        };
        if restarts {
            let truth = driver.truth();
            driver.close().expect("closed");
            driver = open(world, &disk, tuning, now_ms, truth);
        }
    }
    let truth = driver.truth();
    driver.close().expect("closed");
    Run { recording: disk.recording(), truth, tuning }
}

/// Does one thing, or says that it is time for a restart.
fn everyday(driver: &Driver, batch: u64, random: &mut StdRng) -> bool {
    match random.random_range(0..16) {
        0 => driver.deploy("main", "bank").expect("deployed"),
        1 if is_deployed(driver, "bank") => driver.remove("main", "bank").expect("removed"),
        2 => driver.create(&format!("app-{batch}")).expect("created"),
        3 => return true,
        _ => maintain(driver, random),
    }
    false
}

/// As [`everyday`], with modules.
fn deploying(driver: &Driver, random: &mut StdRng) -> bool {
    match random.random_range(0..16) {
        0..10 => driver.deploy_version("main", random.random_range(0..8)).expect("deployed"),
        10 => driver.deploy("main", "bank").expect("deployed"),
        11..13 if is_deployed(driver, "hostile") => {
            driver.remove("main", "hostile").expect("removed");
        }
        13 => return true,
        _ => maintain(driver, random),
    }
    false
}

fn is_deployed(driver: &Driver, module: &str) -> bool {
    driver.on("main").expect("there").deployed(module).is_ok()
}

/// What a server does by itself: checkpoints, trimming, indexes, erasure. The marks
/// `+checkpoint` and `-checkpoint` and the like around each tell what was cut off.
pub fn maintain(driver: &Driver, random: &mut StdRng) {
    if random.random_bool(0.5) {
        return;
    }
    let erases = driver.retains() && random.random_bool(0.3);
    for app in driver.engine().apps() {
        if erases {
            marked(driver, "erase", || {
                driver.erase_one(app.name().as_str(), random);
                app.keeper().tend(&mut AtOnce)
            });
        } else {
            tend(driver, app.name().as_str());
        }
    }
}

/// A checkpoint, and what may go after it.
fn tend(driver: &Driver, app: &str) {
    let Ok(app) = driver.on(app) else { return };
    marked(driver, "checkpoint", || app.keeper().checkpoint(&mut AtOnce));
    marked(driver, "trim", || app.keeper().tend(&mut AtOnce));
}

/// On a disk that fails it may not be done; what was before is there.
fn marked<T, E>(driver: &Driver, mark: &str, act: impl FnOnce() -> Result<T, E>) {
    driver.disk().mark(&format!("+{mark}"));
    drop(act());
    driver.disk().mark(&format!("-{mark}"));
}

fn open(world: &World, disk: &SimDisk, tuning: Tuning, now_ms: u64, truth: Truth) -> Driver {
    let disk = disk.reborn();
    disk.mark("+open");
    let driver = Driver::open(world, &disk, tuning, now_ms, truth).expect("it opens");
    disk.mark("-open");
    driver
}
