//! `cargo xtask torture`: the tests of what is on disk, for as long as one likes, and
//! one table of what was tried.
//!
//! Each part is a test that `cargo xtask test` runs too, at a small size; here its
//! knobs are turned up in proportion to the time. Every run draws a new seed, prints
//! it, and can be repeated with `CHANCERY_SEED`.

use std::time::{Duration, Instant};

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

/// In the order in which they run. Together they take about the time that was asked
/// for on two cores; what was asked is a size, and never cuts a part off.
const PARTS: &[Part] = &[
    Part {
        name: "crash images",
        filter: "torture::crash::i1_i2_i4_i9",
        knobs: &[("CHANCERY_RUNS", 60.0)],
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
        knobs: &[("CHANCERY_ROT", 200_000.0)],
        fixed: &[],
    },
    Part {
        name: "lives",
        filter: "torture::crash::i1_i2_i3_i4",
        knobs: &[("CHANCERY_LIVES", 400.0)],
        fixed: &[],
    },
    Part {
        name: "kills",
        filter: "kill::i1_i2",
        knobs: &[("CHANCERY_KILLS", 1_000.0), ("CHANCERY_LATE_DUPLICATES", 200_000.0)],
        fixed: &[("CHANCERY_CLIENTS", "64"), ("CHANCERY_LOAD_MS", "600")],
    },
    Part { name: "poison", filter: "poison::", knobs: &[("CHANCERY_POISONS", 20.0)], fixed: &[] },
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
    let started = Instant::now();
    let done: Vec<Done> = PARTS.iter().map(|part| part.run(workspace, hours)).collect();
    println!("\n==== cargo xtask torture --hours {hours}: {} min", minutes(started.elapsed()));
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

impl Part {
    fn run(&self, workspace: &Workspace, hours: f64) -> Done {
        let call = self.call(workspace, hours);
        println!("\n==== {}\n$ {}", self.name, call.shown());
        let (started, mut words) = (Instant::now(), Vec::new());
        let result = call.lines(|line| {
            println!("{line}");
            if is_told(line) {
                words.push(line.to_owned());
            }
        });
        Done { name: self.name, took: started.elapsed(), passed: result.is_ok(), words }
    }

    fn call(&self, workspace: &Workspace, hours: f64) -> Call {
        let mut call = workspace.cargo("test --workspace --locked --test it --");
        call = call.arg(self.filter).args("--nocapture --test-threads 1");
        for (name, value) in self.fixed {
            call = call.variable(name, *value);
        }
        // Every step of a run in half an hour or more; in less, every so many.
        call = call.variable("CHANCERY_STRIDE", (0.5 / hours).floor().max(1.0).to_string());
        for (name, per_hour) in self.knobs {
            call = call.variable(name, (per_hour * hours).ceil().max(1.0).to_string());
        }
        call
    }
}

/// Whether a line belongs in the table: seeds, counts, skips.
fn is_told(line: &str) -> bool {
    const BEGINNINGS: [&str; 5] =
        ["TORTURE ", "SKIPPED: ", "CHANCERY_SEED=", "crash within", "damage "];
    let is_row = line.split_whitespace().nth(1).is_some_and(|word| word.parse::<u64>().is_ok());
    BEGINNINGS.iter().any(|beginning| line.starts_with(beginning))
        || (is_row && !line.starts_with("test ") && !line.starts_with("running "))
        || line.contains(" acknowledged, ")
        || line.contains("broken: ")
}

fn minutes(duration: Duration) -> String {
    format!("{:.1}", duration.as_secs_f64() / 60.0)
}
