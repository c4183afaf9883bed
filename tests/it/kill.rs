//! The process dies while clients submit, again and again, wherever it is just then:
//! in a round, in a checkpoint, in a new segment, in a deployment, in a start.
//!
//! The long version has more of everything: `CHANCERY_KILLS` and as many acknowledged
//! commands and late duplicates as `CHANCERY_ACKNOWLEDGED` and `CHANCERY_LATE_DUPLICATES`
//! say, at least; `CHANCERY_CLIENTS`, `CHANCERY_LOAD_MS` between kills at most.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chancery_tests::load::{Ledger, Mix, Told};
use chancery_tests::{App, Server, assert_gapless, guest_version, seed, times};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value as Json, json};

/// Files so small that there is always one being begun, and a checkpoint all the time.
pub(crate) const SMALL_FILES: &[&str] = &[
    "--segment-bytes",
    "64KiB",
    "--checkpoint-bytes",
    "64KiB",
    "--checkpoint-after",
    "1s",
    "--disk-low",
    "0B",
];

/// Where the process should be when it is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Aim {
    Anywhere,
    Checkpoint,
    Index,
    Segment,
    Deployment,
    Start,
}

impl Aim {
    const ALL: [Self; 6] = [
        Self::Anywhere,
        Self::Checkpoint,
        Self::Index,
        Self::Segment,
        Self::Deployment,
        Self::Start,
    ];

    /// Whether the process is there, as far as its open files tell.
    fn is_met(self, pid: u32, deploying: &AtomicBool) -> bool {
        let has_open = |part: &str| {
            let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
            let mut names = files.filter_map(|file| fs::read_link(file.path()).ok());
            names.any(|name| name.to_string_lossy().contains(part))
        };
        match self {
            Self::Anywhere | Self::Start => true,
            Self::Checkpoint => has_open("/state."),
            Self::Index => has_open(".draft"),
            Self::Segment => has_open("redb.new") || has_open("/log/.") || has_open(".new"),
            Self::Deployment => deploying.load(Ordering::Relaxed),
        }
    }
}

/// How often the process was killed where.
#[derive(Debug, Default)]
struct Hits([usize; Aim::ALL.len()]);

impl Hits {
    fn all(&self) -> usize {
        self.0.iter().sum()
    }

    fn add(&mut self, aim: Aim) {
        self.0[aim as usize] += 1;
    }
}

impl std::fmt::Display for Hits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let of = |aim: Aim| self.0[aim as usize];
        write!(
            f,
            "{} kills ({} in a checkpoint, {} in an index write, {} in a new segment, \
             {} in a deployment, {} in a start)",
            self.all(),
            of(Aim::Checkpoint),
            of(Aim::Index),
            of(Aim::Segment),
            of(Aim::Deployment),
            of(Aim::Start),
        )
    }
}

/// Deploys one version after the other until the server is gone.
fn deploy_until_it_dies(app: &App, deploying: &AtomicBool, mut version: u8) {
    loop {
        let module = guest_version("probe", version);
        let headers = [("content-type", "application/wasm")];
        deploying.store(true, Ordering::Relaxed);
        let sent = app.client.send("PUT", "/v1/apps/main/modules/probe", &headers, &module);
        deploying.store(false, Ordering::Relaxed);
        match sent {
            Ok(reply) => assert_eq!(reply.status, 200, "{reply:?}"),
            Err(_gone) => return,
        }
        version ^= 1;
    }
}

/// Waits until the process is where it should be, and kills it there; what it was not
/// seen to do in `within` does not count.
fn kill_at(server: &mut Server, aim: Aim, within: Duration, deploying: &AtomicBool) -> Aim {
    let deadline = Instant::now() + within;
    let mut met = aim.is_met(server.pid(), deploying);
    while !met && Instant::now() < deadline {
        std::thread::yield_now();
        met = aim.is_met(server.pid(), deploying);
    }
    server.kill();
    if met { aim } else { Aim::Anywhere }
}

/// The whole log, which begins as it did before.
fn read_on(app: &App, log: &mut Vec<Json>) {
    // Those had no outcome yet.
    while log.last().is_some_and(|receipt| receipt["status"] == json!("accepted")) {
        log.pop();
    }
    let last = log.len() as u64;
    let more = app.receipts_after(last);
    assert_gapless(last, &more);
    log.extend(more);
}

#[test]
fn i1_i2_nothing_acknowledged_is_lost_and_nothing_runs_twice_when_the_process_is_killed() {
    let kills = times("CHANCERY_KILLS", 15);
    let wanted = times("CHANCERY_ACKNOWLEDGED", 1);
    let clients = times("CHANCERY_CLIENTS", 32);
    let load_ms = times("CHANCERY_LOAD_MS", 250) as u64;
    let late_wanted = times("CHANCERY_LATE_DUPLICATES", 1_000);
    let mut random = StdRng::seed_from_u64(seed());
    let started = Instant::now();
    let mut server = Server::with(SMALL_FILES);
    server.app().deploy("probe");
    let (ledger, mut told, mut hits) = (Ledger::default(), Told::default(), Hits::default());
    let (mut log, mut start_ms) = (Vec::new(), 500);
    while hits.all() < kills || ledger.answered() < wanted {
        let aim = Aim::ALL[random.random_range(0..Aim::ALL.len())];
        let (seed, delay) = (random.random(), random.random_range(5..=load_ms));
        let deploys = aim == Aim::Deployment || random.random_bool(0.1);
        let mix = Mix { duplicates: 0.1, late: 0.33, queries: 0.05 };
        let (address, app) = (server.address().to_owned(), server.app());
        let deploying = AtomicBool::new(false);
        let at = std::thread::scope(|scope| {
            let load = scope.spawn(|| ledger.run(&address, clients, seed, mix, &|_| true));
            if deploys {
                let version = random.random_range(0..2);
                let deploying = &deploying;
                scope.spawn(move || deploy_until_it_dies(&app, deploying, version));
            }
            std::thread::sleep(Duration::from_millis(delay));
            let at = kill_at(&mut server, aim, Duration::from_millis(500), &deploying);
            told.add(&load.join().expect("clients"));
            at
        });
        hits.add(if at == Aim::Start { Aim::Anywhere } else { at });
        if aim == Aim::Start {
            for _ in 0..random.random_range(1..=2) {
                server.kill_while_starting(Duration::from_millis(random.random_range(5..start_ms)));
                hits.add(Aim::Start);
            }
        }
        let restarted = Instant::now();
        server = server.restart();
        start_ms = u64::try_from(restarted.elapsed().as_millis()).expect("a time") + 20;
        read_on(&server.app(), &mut log);
        ledger.mark();
    }
    let app = server.app();
    ledger.resolve(&app);
    let missing = late_wanted.saturating_sub(told.late);
    told.late += ledger.replay(server.address(), missing.max(100));
    read_on(&app, &mut log);
    let again = app.receipts_after(0);
    let changed = again.iter().zip(&log).find(|(now, then)| now != then);
    assert_eq!(changed, None, "what the log says of the past has changed");
    assert_eq!(again.len(), log.len());
    let violations = ledger.violations(&log);
    let acknowledged = ledger.answered();
    println!(
        "TORTURE kill: {hits}, {acknowledged} commands acknowledged, {} late duplicates, {} answers \
         lost, {} log entries, {} violations, {:.0} s",
        told.late,
        told.of("gone"),
        log.len(),
        violations.len(),
        started.elapsed().as_secs_f64(),
    );
    assert!(violations.is_empty(), "{:#?}", &violations[..violations.len().min(20)]);
    assert!(acknowledged > 0, "no client got any answer");
    assert_eq!(server.terminate(), Some(0));
    assert_eq!(server.second(&["--check"]).status.code(), Some(0));
    assert_files_are_few(&server.app_directory());
}

/// Nothing is left of what was begun and never finished, but for a checkpoint: the
/// next is written over it.
fn assert_files_are_few(app: &Path) {
    let names = |directory: &Path| -> Vec<String> {
        let entries = fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("it"));
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    };
    for directory in [app.join("log"), app.join("index")] {
        let left: Vec<_> = names(&directory)
            .into_iter()
            .filter(|name| name.ends_with(".new") || name.ends_with(".draft"))
            .collect();
        assert!(left.is_empty(), "{}: {left:?}", directory.display());
    }
}
