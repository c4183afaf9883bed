//! Crashes at every step, in every way; failures of every step; rot; and a whole
//! life at random.

use chancery_tests::explore::{Plan, Report, World, explore, run};
use chancery_tests::{decay, life, seed, sweep, times};

#[test]
fn i1_i2_i4_i9_a_crash_at_any_step_loses_nothing_that_was_promised() {
    let world = World::new();
    let mut all = Report::default();
    let first = seed();
    for run in 0..times("CHANCERY_RUNS", 1) as u64 {
        all.add(explore(&world, &Plan::small(first + run)));
        if !all.failures.is_empty() {
            break;
        }
    }
    println!("{all}");
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
        threads: 6,
    };
    let report = sweep::sweep(&world, &plan);
    println!("{report}");
    assert!(report.failures.is_empty(), "{}", report.failures.join("\n"));
}

#[test]
fn i11_what_rots_is_refused_or_reported_and_never_served() {
    let world = World::new();
    let seed = seed();
    let run = run(&world, &Plan::small(seed));
    let report = decay::decay(&world, &run, seed, times("CHANCERY_ROT", 500) as u64, 6);
    println!("{report}");
    assert!(report.failures.is_empty(), "{}", report.failures.join("\n"));
}

#[test]
fn i1_i2_i3_i4_a_life_at_random_agrees_with_a_plain_map() {
    let world = World::new();
    let first = seed();
    for life in 0..times("CHANCERY_LIVES", 5) as u64 {
        let lived = life::live(&world, first + life, 200);
        println!("{:?}", lived.unwrap_or_else(|broken| panic!("{broken}")));
    }
}
