//! The disk becomes full, at every size: commands are refused, queries are not,
//! nothing that was acknowledged is lost, and all goes on when there is room.

use std::fs;
use std::time::{Duration, Instant};

use chancery_tests::load::{Ledger, Mix, Told};
use chancery_tests::machine::SmallDisk;
use chancery_tests::{Server, seed, times};
use serde_json::json;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
/// How long after there is room commands are taken again, at most: a failed log is
/// opened again every second.
const RECOVERS_WITHIN: Duration = Duration::from_secs(6);

fn is_no_room(told: &Told) -> bool {
    ["disk-low", "outcome-unknown", "not-logged", "recovering", "storage"]
        .iter()
        .any(|code| told.of(code) > 0)
}

#[test]
fn before_the_disk_is_full_commands_are_refused_and_queries_are_not() {
    let Some(disk) = SmallDisk::mount(64 * MIB) else { return };
    let ballast = disk.path().join("ballast");
    fs::write(&ballast, vec![1; 32 << 20]).expect("room");
    let low = ["--disk-low", "16MiB", "--segment-bytes", "1MiB", "--checkpoint-after", "1s"];
    let server = Server::on(&disk.path().join("data"), &low);
    let app = server.app();
    app.deploy("probe");
    let ledger = Ledger::default();
    let mut n = 0;
    let refused = loop {
        let prefix = format!("{}-", n % 4);
        let fill = json!({ "prefix": prefix, "count": 100, "bytes": 2_000 });
        let attempt = ledger.add(chancery_tests::load::Attempt::new("fill", fill));
        let reply = ledger.submit(&app, &attempt).expect("an answer");
        n += 1;
        if reply.status != 200 {
            break reply;
        }
        assert!(n < 1_000, "it takes more than there is room for");
    };
    assert_eq!((refused.status, refused.code()), (503, "disk-low".to_owned()));
    assert_eq!(refused.json()["outcome"], json!("not-logged"));
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(app.ask("sum", &json!({})), json!(0));
    assert_eq!(app.client.get("/healthz").status, 200);
    fs::remove_file(&ballast).expect("it is there");
    let freed = Instant::now();
    let told = ledger.run(server.address(), 2, seed(), Mix::default(), &|told| {
        told.executed < 10 && freed.elapsed() < RECOVERS_WITHIN
    });
    assert!(told.executed > 0, "{told:?}");
    assert!(freed.elapsed() < Duration::from_secs(3), "{:?}", freed.elapsed());
    let server = server.kill_and_restart();
    ledger.resolve(&server.app());
    assert_eq!(ledger.violations(&server.app().receipts_after(0)), []);
}

/// Fills a disk of this size without a warning beforehand. Gives the commands that
/// were acknowledged before it was full; none if the server could not even start.
fn fill(bytes: u64, seed: u64) -> Option<(usize, Duration)> {
    let disk = SmallDisk::mount(bytes)?;
    let data = disk.path().join("data");
    let small = [
        "--disk-low",
        "0B",
        "--segment-bytes",
        "64KiB",
        "--checkpoint-bytes",
        "64KiB",
        "--checkpoint-after",
        "1s",
    ];
    let ledger = Ledger::default();
    let started = Server::starting_on(&data, &small).try_listening();
    let is_ready = |server: &Server| {
        let bytes = chancery_tests::guest("probe");
        let reply = server.client().deploy("main", "probe", &bytes);
        // Modules are files too.
        reply.status == 200 || {
            assert_eq!(reply.status / 100, 5, "{reply:?}");
            false
        }
    };
    let mut server = match started {
        Some(server) => server,
        None => {
            disk.resize(bytes + 4 * MIB);
            Server::on(&data, &small)
        }
    };
    if !is_ready(&server) {
        disk.resize(bytes + 4 * MIB);
        let deadline = Instant::now() + RECOVERS_WITHIN;
        while !is_ready(&server) {
            assert!(Instant::now() < deadline, "no module can be deployed: {}", server.said());
            std::thread::sleep(Duration::from_millis(100));
        }
    }
    let mix = Mix { duplicates: 0.1, late: 0.0, queries: 0.2 };
    let address = server.address().to_owned();
    let patience = Instant::now() + Duration::from_secs(20);
    let told =
        ledger.run(&address, 8, seed, mix, &|told| !is_no_room(told) && Instant::now() < patience);
    // It stays full for a while: nothing is acknowledged that is not kept.
    let until = Instant::now() + Duration::from_millis(300);
    let full = ledger.run(&address, 8, seed + 1, mix, &|_| Instant::now() < until);
    assert_eq!(told.of("gone") + full.of("gone"), 0, "{told:?} {full:?} {}", server.said());
    assert!(full.queries > 0, "queries go on: {full:?}");
    let answered = ledger.answered();
    ledger.mark();
    disk.resize(bytes + 16 * MIB);
    let freed = Instant::now();
    let told = ledger.run(&address, 4, seed + 2, mix, &|told| {
        told.executed < 20 && freed.elapsed() < RECOVERS_WITHIN
    });
    let took = freed.elapsed();
    assert!(told.executed >= 10, "at {bytes} bytes it does not go on: {told:?} {}", server.said());
    server.kill();
    let server = server.restart();
    ledger.resolve(&server.app());
    assert!(ledger.replay(server.address(), 1_000) > 0);
    let violations = ledger.violations(&server.app().receipts_after(0));
    assert_eq!(violations, [], "at {bytes} bytes");
    Some((answered, took))
}

#[test]
fn i1_a_disk_that_is_full_in_the_middle_of_something_loses_nothing() {
    let seed = seed();
    let step = times("CHANCERY_DISK_STEP_KIB", 1_200) as u64 * KIB;
    let largest = times("CHANCERY_DISK_MAX_KIB", 6_000) as u64 * KIB;
    let (mut sizes, mut answered, mut longest) = (0, 0, Duration::ZERO);
    let mut bytes = times("CHANCERY_DISK_MIN_KIB", 600) as u64 * KIB;
    while bytes <= largest {
        let Some((before, took)) = fill(bytes, seed) else { return };
        println!("{} KiB: {before} commands, taken again after {took:?}", bytes / KIB);
        (sizes, answered, longest) = (sizes + 1, answered + before, longest.max(took));
        bytes += step;
    }
    println!(
        "TORTURE disk-full: {sizes} sizes in steps of {} KiB, {answered} commands acknowledged until \
         it was full, 0 lost, taken again after {longest:?} at most",
        step / KIB
    );
}
