//! `cargo xtask torture`: the tests of what is on disk, for as long as one likes, and
//! one table of what was tried.
//!
//! Each part is a test that `cargo xtask test` runs too, at a small size; here its
//! knobs are turned up in proportion to the time. Parts on a simulated disk need
//! processors, and those with the real binary wait for the machine: one of each runs
//! at a time. All have one seed, which is printed; `CHANCERY_SEED` repeats it.

use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail};

use crate::call::Call;
use crate::setup;
use crate::workspace::Workspace;

/// A test, and its knobs: how far each is turned for an hour.
struct Part {
    name: &'static str,
    filter: &'static str,
    knobs: &'static [(&'static str, f64)],
    /// Knobs that do not depend on the time.
    fixed: &'static [(&'static str, &'static str)],
}

/// On a disk in memory, one after the other. Together they take about the time that was
/// asked for on two cores; what was asked is a size, and never cuts a part off.
const SIMULATED: &[Part] = &[
    Part {
        name: "crash images",
        filter: "torture::crash::i1_i2_i4_i9",
        knobs: &[("CHANCERY_IMAGES", 404_000.0)],
        fixed: &[],
    },
    Part {
        name: "failing steps",
        filter: "torture::crash::i1_i2_a_failure",
        knobs: &[],
        fixed: &[("CHANCERY_COMMITS", "200")],
    },
    Part {
        name: "rot",
        filter: "torture::crash::i11",
        knobs: &[("CHANCERY_ROT", 280_000.0)],
        fixed: &[],
    },
    Part {
        name: "lives",
        filter: "torture::crash::i1_i2_i3_i4",
        knobs: &[("CHANCERY_LIVES", 200.0)],
        fixed: &[],
    },
];

/// With the real binary and real files, beside those.
const REAL: &[Part] = &[
    Part {
        name: "kills",
        filter: "kill::i1_i2",
        knobs: &[
            ("CHANCERY_KILLS", 1_020.0),
            ("CHANCERY_ACKNOWLEDGED", 404_000.0),
            ("CHANCERY_LATE_DUPLICATES", 204_000.0),
        ],
        fixed: &[("CHANCERY_CLIENTS", "64"), ("CHANCERY_LOAD_MS", "1500")],
    },
    Part { name: "poison", filter: "poison::", knobs: &[("CHANCERY_POISONS", 10.0)], fixed: &[] },
    Part {
        name: "failing calls",
        filter: "faults::",
        knobs: &[("CHANCERY_FAULTS", 16.0)],
        fixed: &[],
    },
    Part {
        name: "full disks",
        filter: "disk_full::",
        knobs: &[],
        fixed: &[
            ("CHANCERY_DISK_MIN_KIB", "500"),
            ("CHANCERY_DISK_MAX_KIB", "8000"),
            ("CHANCERY_DISK_STEP_KIB", "250"),
        ],
    },
    Part { name: "stalls", filter: "stall::", knobs: &[], fixed: &[("CHANCERY_ROWS", "1000000")] },
    Part {
        name: "shutdowns",
        filter: "shutdown::i1",
        knobs: &[("CHANCERY_SHUTDOWNS", 200.0)],
        fixed: &[],
    },
];

/// How long it may be, and what all that is random follows from.
struct Plan {
    hours: f64,
    seed: String,
}

/// What came of a part.
struct Done {
    name: &'static str,
    took: Duration,
    passed: bool,
    /// What it said of itself.
    words: Vec<String>,
}

/// Runs all parts; a part that fails does not keep the others from running.
pub(crate) fn run(workspace: &Workspace, hours: &str) -> Result<()> {
    let hours: f64 = hours.parse().context("--hours takes a number, such as 0.5")?;
    if !(hours > 0.0 && hours <= 1000.0) {
        bail!("--hours must be above 0 and at most 1000, not {hours}");
    }
    setup::wasm_target(workspace)?;
    workspace.cargo("build --workspace --bins --tests --locked").run()?;
    let plan = Plan { hours, seed: seed()? };
    let started = Instant::now();
    let all = |parts: &[Part]| -> Vec<Done> {
        parts.iter().map(|part| part.run(workspace, &plan)).collect()
    };
    let done: Vec<Done> = std::thread::scope(|scope| {
        let real = scope.spawn(|| all(REAL));
        let simulated = all(SIMULATED);
        let real = real.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        simulated.into_iter().chain(real).collect()
    });
    let Plan { hours, seed } = &plan;
    println!(
        "\n==== cargo xtask torture --hours {hours}: {} min, CHANCERY_SEED={seed}",
        minutes(started.elapsed())
    );
    for Done { name, took, passed, words } in &done {
        let verdict = if *passed { "held" } else { "BROKEN" };
        println!("\n{name:<16}{verdict:<8}{} min", minutes(*took));
        for line in words {
            println!("  {line}");
        }
    }
    match done.iter().all(|done| done.passed) {
        true => Ok(()),
        false => bail!("a promise was broken; the seed is above, and repeats it"),
    }
}

/// The seed that was asked for, or another each time.
fn seed() -> Result<String> {
    match std::env::var("CHANCERY_SEED") {
        Ok(seed) => Ok(seed),
        Err(_) => {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
            Ok((now.as_millis() % 1_000_000_000).to_string())
        }
    }
}

impl Part {
    fn run(&self, workspace: &Workspace, plan: &Plan) -> Done {
        let call = self.call(workspace, plan);
        println!("{:<16}| $ {}", self.name, call.shown());
        let (started, mut words) = (Instant::now(), Vec::new());
        let result = call.lines(|line| {
            println!("{:<16}| {line}", self.name);
            words.extend(told(line));
        });
        let (took, passed) = (started.elapsed(), result.is_ok());
        println!("{:<16}| ended after {} min", self.name, minutes(took));
        Done { name: self.name, took, passed, words }
    }

    fn call(&self, workspace: &Workspace, plan: &Plan) -> Call {
        let mut call = workspace.cargo("test --workspace --locked --test it --");
        call = call.arg(self.filter).args("--nocapture --test-threads 1");
        // What panics on a damaged file is caught; to say where takes longer than all else.
        call = call.variable("RUST_BACKTRACE", "0").variable("CHANCERY_SEED", &*plan.seed);
        for (name, value) in self.fixed {
            call = call.variable(*name, *value);
        }
        // Every step of a run in half an hour or more; in less, every so many.
        call = call.variable("CHANCERY_STRIDE", (0.5 / plan.hours).floor().max(1.0).to_string());
        for (name, per_hour) in self.knobs {
            call = call.variable(*name, (per_hour * plan.hours).ceil().max(1.0).to_string());
        }
        call
    }
}

/// What of a line belongs in the table: what was tried, and what was skipped.
fn told(line: &str) -> Option<String> {
    // The first line of a test comes behind its name.
    let line = match line.strip_prefix("test ") {
        Some(test) => test.split_once(" ... ")?.1,
        None => line,
    };
    let said = line.strip_prefix("TORTURE ").map(str::to_owned);
    said.or_else(|| line.starts_with("SKIPPED: ").then(|| line.to_owned()))
}

fn minutes(duration: Duration) -> String {
    format!("{:.1}", duration.as_secs_f64() / 60.0)
}
