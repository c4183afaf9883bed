//! A server's life at random: commands, duplicates, deployments, restarts, crashes,
//! errors of the disk, a clock that jumps; all of it from one seed, against a model
//! that is a plain map.

use std::fmt;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

use crate::disk::{Errno, Fault, Kind, SimDisk, Survival};
use crate::explore::{
    Claim, Driver, EPOCH_MS, Got, Sent, Truth, Tuning, World, maintain, random_command, verify,
};

/// What a life had.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Lived {
    /// Commands that were acknowledged.
    pub acknowledged: u64,
    /// Those sent again that were answered as before.
    pub repeated: u64,
    /// Commands that were refused, or of which nobody knew.
    pub refused: u64,
    /// Losses of power and deaths of the process.
    pub crashes: u64,
    /// Ends in good order.
    pub restarts: u64,
    /// Steps of the disk that failed.
    pub errors: u64,
    /// Jumps of the clock.
    pub jumps: u64,
    /// Turns that took longer than they should.
    pub slow: u64,
}

impl Lived {
    /// Adds another.
    pub fn add(&mut self, other: &Self) {
        self.acknowledged += other.acknowledged;
        self.repeated += other.repeated;
        self.refused += other.refused;
        self.crashes += other.crashes;
        self.restarts += other.restarts;
        self.errors += other.errors;
        self.jumps += other.jumps;
        self.slow += other.slow;
    }
}

impl fmt::Display for Lived {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { acknowledged, repeated, refused, crashes, restarts, errors, jumps, slow } = self;
        write!(
            f,
            "{acknowledged} acknowledged, {repeated} repeated, {refused} refused, {crashes} \
             crashes, {restarts} restarts, {errors} failing steps, {jumps} jumps of the clock, \
             {slow} slow turns"
        )
    }
}

/// Longer than any turn takes unless something waits for nothing.
const SLOW: Duration = Duration::from_secs(2);

/// Lives for so many turns.
///
/// # Errors
/// The promise that was broken, and when.
#[expect(clippy::disallowed_methods, reason = "measures how long a turn takes")]
pub fn live(world: &World, seed: u64, turns: u64) -> Result<Lived, String> {
    let mut random = StdRng::seed_from_u64(seed);
    let tuning = Tuning {
        segment_bytes: [1 << 10, 8 << 10][random.random_range(0..2)],
        lingers: false,
        retains: false,
    };
    let disk = SimDisk::new();
    disk.seed(seed);
    let driver = Driver::open(world, &disk, tuning, EPOCH_MS, Truth::default())
        .map_err(|error| format!("seed {seed}: {error}"))?;
    driver.create("main")?;
    driver.deploy("main", "probe")?;
    let now_ms = EPOCH_MS;
    let mut life =
        Life { world, tuning, driver: Some(driver), disk, now_ms, lived: Lived::default(), random };
    for turn in 0..turns {
        let (start, failed) = (Instant::now(), life.disk.failed().len());
        let what = life.turn().map_err(|error| format!("seed {seed}, turn {turn}: {error}"))?;
        let took = start.elapsed();
        if took > SLOW {
            let health = life.driver().on("main")?.lane().health();
            let failed = life.disk.failed().split_off(failed.min(life.disk.failed().len()));
            println!("SLOW: seed {seed}, turn {turn}, {what}: {took:?}, {health:?}, {failed:?}");
            life.lived.slow += 1;
        }
    }
    life.disk.heal();
    life.restart(None).map_err(|error| format!("seed {seed}, in the end: {error}"))?;
    Ok(life.lived)
}

struct Life<'a> {
    world: &'a World,
    tuning: Tuning,
    driver: Option<Driver>,
    disk: SimDisk,
    /// The time that clients have.
    now_ms: u64,
    lived: Lived,
    random: StdRng,
}

/// How a process ends.
#[derive(Debug, Clone, Copy)]
enum End {
    Power(Survival),
    Killed,
}

impl Life<'_> {
    fn driver(&self) -> &Driver {
        self.driver.as_ref().expect("it runs")
    }

    /// Does one thing, and says what.
    fn turn(&mut self) -> Result<&'static str, String> {
        let passed = self.random.random_range(0..5_000);
        self.now_ms += passed;
        self.driver().hands().advance(Duration::from_millis(passed));
        Ok(match self.random.random_range(0..100) {
            0..60 => {
                self.submit();
                "submit"
            }
            60..75 => {
                self.repeat()?;
                "repeat"
            }
            75..78 => {
                drop(self.driver().deploy("main", "bank"));
                "deploy"
            }
            78..81 => {
                drop(self.driver().remove("main", "bank"));
                "remove"
            }
            81..86 => {
                let survival = Survival::ALL[self.random.random_range(0..Survival::ALL.len())];
                self.restart(Some(End::Power(survival)))?;
                "power"
            }
            86..88 => {
                self.restart(Some(End::Killed))?;
                "kill"
            }
            88..90 => {
                self.restart(None)?;
                "restart"
            }
            90..93 => {
                self.fail();
                "fail"
            }
            93..95 => {
                self.jump();
                "jump"
            }
            95..97 => {
                self.look()?;
                "look"
            }
            _ => {
                let mut random = StdRng::seed_from_u64(self.random.random());
                maintain(self.driver(), &mut random);
                "maintain"
            }
        })
    }

    fn submit(&mut self) {
        let sent = random_command("main", self.now_ms, &mut self.random);
        match self.driver().submit_new(&sent) {
            Got::Receipt(_) => self.lived.acknowledged += 1,
            Got::No { .. } => self.lived.refused += 1,
        }
    }

    /// Sends something again that was sent before, however long ago.
    fn repeat(&mut self) -> Result<(), String> {
        let truth = self.driver().truth();
        let Some(sent) = truth.sent.choose(&mut self.random) else { return Ok(()) };
        let told = told(&truth, sent);
        match (self.driver().submit(std::slice::from_ref(sent)).remove(0), told) {
            (Got::Receipt(found), Some(told)) => {
                if found.entry != told.entry || found.outcome != told.outcome {
                    return Err(format!("{sent:?} again: {found:?}, not {told:?}"));
                }
                self.lived.repeated += 1;
            }
            (Got::Receipt(_), None) => self.lived.acknowledged += 1,
            (Got::No { .. }, _) => self.lived.refused += 1,
        }
        Ok(())
    }

    /// Lets a step that is to come fail, or some.
    fn fail(&mut self) {
        self.lived.errors += 1;
        let kinds = [None, Some(Kind::Sync), Some(Kind::Write), Some(Kind::SyncDirectory)];
        let error = if self.random.random_bool(0.5) { Errno::Io } else { Errno::NoSpace };
        let (kind, nth) = (kinds[self.random.random_range(0..4)], self.random.random_range(1..40));
        self.disk.fail(Fault { kind, nth, sticky: self.random.random_bool(0.1), error });
    }

    /// The server's clock jumps; the clients' do not.
    fn jump(&mut self) {
        const DAY_MS: u64 = 24 * 60 * 60 * 1000;
        self.lived.jumps += 1;
        let jump = self.random.random_range(0..6 * DAY_MS);
        let back = self.random.random_bool(0.5);
        // Mostly it is set right again.
        let to = match self.random.random_range(0..3) {
            0 if back => self.now_ms.saturating_sub(jump),
            0 => self.now_ms + jump,
            _ => self.now_ms,
        };
        self.driver().hands().set_wall(to);
    }

    fn look(&self) -> Result<(), String> {
        let truth = self.driver().truth();
        match verify(self.driver(), &truth) {
            Err(crate::explore::Broken::Promise(what)) => Err(what),
            // The lane has stopped, or the disk fails: nothing is wrong.
            _ => Ok(()),
        }
    }

    /// Ends the process, and starts another one.
    fn restart(&mut self, end: Option<End>) -> Result<(), String> {
        let driver = self.driver.take().expect("it runs");
        let truth = driver.truth();
        // By its own clock: what is wrong stays wrong.
        let wall_ms = driver.now_ms();
        match end {
            None => {
                self.lived.restarts += 1;
                driver.close()?;
                self.disk = self.disk.reborn();
            }
            Some(End::Killed) => {
                self.lived.crashes += 1;
                self.disk = self.disk.kill();
                drop(driver);
            }
            Some(End::Power(survival)) => {
                self.lived.crashes += 1;
                self.disk = self.disk.crash(survival, &mut self.random).recorded();
                drop(driver);
            }
        }
        self.disk.heal();
        self.disk.seed(self.random.random());
        let truth = truth.rebased(u64::MAX);
        let driver = Driver::open(self.world, &self.disk, self.tuning, wall_ms, truth.clone())?;
        verify(&driver, &truth).map_err(|broken| format!("after {end:?}: {broken}"))?;
        self.driver = Some(driver);
        Ok(())
    }
}

fn told<'a>(truth: &'a Truth, sent: &Sent) -> Option<&'a chancery::receipts::Receipt> {
    truth.all().find_map(|(_, claim)| match claim {
        Claim::Receipt(receipt) if receipt.entry.id == sent.id => Some(receipt),
        _ => None,
    })
}
