//! The machine fails calls of the real binary: writes and syncs, once and for a
//! while, with strace.

use std::time::{Duration, Instant};

use chancery_tests::load::{Ledger, Mix, Told};
use chancery_tests::machine::Faults;
use chancery_tests::{Server, seed, times};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// How long after a fault commands are taken again, at most: a log that failed twice
/// is opened again every second.
const RECOVERS_WITHIN: Duration = Duration::from_secs(6);

/// A fault, and when.
#[derive(Debug, Clone)]
struct Fault {
    call: &'static str,
    error: &'static str,
    when: String,
}

fn faults(times_max: usize, random: &mut StdRng) -> Vec<Fault> {
    let mut faults = Vec::new();
    for call in ["fdatasync", "pwrite64"] {
        for error in ["EIO", "ENOSPC"] {
            for n in 1..=times_max {
                // Later ones further apart: rounds are alike.
                let n = n * (n - 1) / 2 + random.random_range(1..=3);
                for when in [format!("{n}"), format!("{n}+")] {
                    faults.push(Fault { call, error, when });
                }
            }
        }
    }
    faults
}

#[test]
fn i1_calls_that_fail_are_answered_honestly_and_the_lane_recovers_by_itself() {
    let seed = seed();
    let faults = faults(times("CHANCERY_FAULTS", 1), &mut StdRng::seed_from_u64(seed));
    let ledger = Ledger::default();
    let mut server = Server::with(&["--disk-low", "0B", "--segment-bytes", "1MiB"]);
    server.app().deploy("probe");
    let mix = Mix { duplicates: 0.1, late: 0.1, queries: 0.3 };
    let (mut all, mut longest) = (Told::default(), Duration::ZERO);
    for (n, fault) in faults.iter().enumerate() {
        let Fault { call, error, when } = fault;
        let address = server.address().to_owned();
        let Some(injected) = Faults::inject(server.pid(), call, error, when, None) else { return };
        let sticky = when.ends_with('+');
        let until = Instant::now() + Duration::from_millis(if sticky { 1_500 } else { 700 });
        let told = ledger.run(&address, 6, seed + n as u64, mix, &|_| Instant::now() < until);
        println!("{fault:?}: {told:?}");
        assert_eq!(told.of("gone"), 0, "{}", server.said());
        assert_eq!(told.others.keys().find(|code| code.starts_with("query")), None, "{told:?}");
        assert!(told.queries > 0, "queries go on: {told:?}");
        let noticed = told.of("outcome-unknown") + told.of("recovering") + told.of("not-logged");
        assert!(noticed > 0, "nobody noticed {fault:?}: {told:?}");
        drop(injected);
        all.add(&told);
        let ended = Instant::now();
        let told = ledger.run(&address, 4, seed, mix, &|told| {
            told.executed < 10 && ended.elapsed() < RECOVERS_WITHIN
        });
        assert!(
            told.executed > 0,
            "it does not recover from {fault:?}: {told:?}, {}",
            server.said()
        );
        longest = longest.max(ended.elapsed());
        ledger.mark();
        if n % 4 == 3 {
            server = server.kill_and_restart();
        }
    }
    server = server.kill_and_restart();
    let app = server.app();
    ledger.resolve(&app);
    assert!(ledger.replay(server.address(), 2_000) > 0);
    let violations = ledger.violations(&app.receipts_after(0));
    println!(
        "TORTURE faults: {} faults of the system, {} commands acknowledged, {} unknown, {} not logged, \
         {} violations; commands were taken again after {longest:?} at most",
        faults.len(),
        ledger.answered(),
        all.of("outcome-unknown"),
        all.of("not-logged") + all.of("recovering"),
        violations.len(),
    );
    assert_eq!(violations, []);
}
