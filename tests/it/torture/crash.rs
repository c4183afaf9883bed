//! Crashes at every step, in every way; failures of every step; rot; and a whole
//! life at random.

use std::fmt::Display;

use chancery_tests::explore::{Plan, Report, World, explore, run};
use chancery_tests::{decay, life, seed, sweep, times};

/// How often the disks of one run rot before there is another run.
const TRIALS_PER_RUN: u64 = 5_000;

#[test]
fn i1_i2_i4_i9_a_crash_at_any_step_loses_nothing_that_was_promised() {
    let world = World::new();
    let mut all = Report::default();
    let first = seed();
    let (runs, images) = (times("CHANCERY_RUNS", 1), times("CHANCERY_IMAGES", 1) as u64);
    for run in 0.. {
        let is_enough = run >= runs as u64 && all.total() >= images && all.rarest() >= images / 20;
        if is_enough || !all.failures.is_empty() {
            break;
        }
        all.add(explore(&world, &Plan::small(first + run)));
    }
    tell(&all);
    assert!(all.failures.is_empty(), "{}", all.failures.join("\n"));
}

#[test]
fn i1_i2_a_failure_of_any_step_loses_nothing_that_was_promised() {
    let world = World::new();
    let plan = sweep::Plan {
        seed: seed(),
        commits: times("CHANCERY_COMMITS", 20) as u64,
        first: 1,
        stride: times("CHANCERY_STRIDE", 5) as u64,
        threads: 4,
    };
    let report = sweep::sweep(&world, &plan);
    tell(&report);
    assert!(report.failures.is_empty(), "{}", report.failures.join("\n"));
}

#[test]
fn i11_what_rots_is_refused_or_reported_and_never_served() {
    let world = World::new();
    let first = seed();
    let trials = times("CHANCERY_ROT", 500) as u64;
    let mut all = decay::Report::default();
    // Many disks, of runs of each course.
    for (seed, done) in (first..).zip((0..trials).step_by(TRIALS_PER_RUN as usize)) {
        let run = run(&world, &Plan::small(seed));
        let trials = TRIALS_PER_RUN.min(trials - done);
        all.add(decay::decay(&world, &run, seed, trials, 4));
    }
    tell(&all);
    assert!(all.failures.is_empty(), "{}", all.failures.join("\n"));
}

#[test]
fn i1_i2_i3_i4_a_life_at_random_agrees_with_a_plain_map() {
    let world = World::new();
    let first = seed();
    let lives = times("CHANCERY_LIVES", 5) as u64;
    let mut all = life::Lived::default();
    for life in 0..lives {
        let lived = life::live(&world, first + life, 200);
        all.add(&lived.unwrap_or_else(|broken| panic!("{broken}")));
    }
    tell(&format!("{lives} lives: {all}"));
}

/// What belongs in the table of a long run.
fn tell(report: &dyn Display) {
    for line in report.to_string().lines() {
        println!("TORTURE {line}");
    }
}
