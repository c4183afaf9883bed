//! The server is asked to end: under load, while it writes a checkpoint, while it
//! starts; once, and twice.

use std::time::{Duration, Instant};

use chancery_tests::load::{Ledger, Mix, Told};
use chancery_tests::{Server, seed, times};
use serde_json::json;

use crate::kill::SMALL_FILES;

/// How long the end may take under load: the handlers of these tests are quick.
const DRAINS_WITHIN: Duration = Duration::from_secs(5);

fn until_refused(told: &Told) -> bool {
    told.of("shutting-down") == 0
}

/// Runs load, and `end` while it runs; gives what clients were told.
fn under_load(server: &Server, ledger: &Ledger, seed: u64, end: impl FnOnce()) -> Told {
    std::thread::scope(|scope| {
        let address = server.address();
        let (before, mix) = (ledger.answered(), Mix::default());
        let load = scope.spawn(move || ledger.run(address, 32, seed, mix, &until_refused));
        while ledger.answered() < before + 200 {
            assert!(!load.is_finished(), "{:?}", load.join());
            std::thread::yield_now();
        }
        end();
        load.join().expect("clients")
    })
}

fn assert_kept(server: &Server, ledger: &Ledger) {
    let app = server.app();
    ledger.resolve(&app);
    assert!(ledger.replay(server.address(), 1_000) > 0);
    assert_eq!(ledger.violations(&app.receipts_after(0)), []);
}

#[test]
fn i1_asked_to_end_it_answers_what_it_has_taken_and_ends_with_status_0() {
    let rounds = times("CHANCERY_SHUTDOWNS", 3);
    let seed = seed();
    let ledger = Ledger::default();
    let mut server = Server::with(SMALL_FILES);
    server.app().deploy("probe");
    let mut longest = Duration::ZERO;
    for round in 0..rounds as u64 {
        let mut asked = Instant::now();
        let told = under_load(&server, &ledger, seed + round, || {
            asked = Instant::now();
            server.ask_to_end();
        });
        assert_eq!(server.wait().code(), Some(0), "{}", server.said());
        longest = longest.max(asked.elapsed());
        // Whoever was refused was told so; nobody was left without a word but for
        // connections that were idle, and closed.
        assert_eq!(told.of("outcome-unknown"), 0, "{told:?}");
        assert!(server.said().contains("everything was answered"), "{}", server.said());
        server = server.restart();
        assert!(!server.said().contains("WARN"), "the start is clean: {}", server.said());
    }
    assert!(longest < DRAINS_WITHIN, "{longest:?}");
    println!("TORTURE shutdown: {rounds} ends under load, the longest {longest:?}");
    assert_kept(&server, &ledger);
}

#[test]
fn asked_twice_it_ends_at_once_and_loses_nothing() {
    let seed = seed();
    // Its drain would wait for this command.
    let mut server = Server::with(&["--command-deadline", "20s", "--drain-max", "1m"]);
    let app = server.app();
    app.deploy("probe");
    let ledger = Ledger::default();
    under_load(&server, &ledger, seed, || {
        let app = server.app();
        let slow = json!({ "iterations": 1_u64 << 50 });
        let respond = [("prefer", "respond-async")];
        let reply = app.command_with(chancery_tests::new_id(), "spin", &slow, &respond);
        assert_eq!(reply.status, 202, "{reply:?}");
        let asked = Instant::now();
        server.ask_to_end();
        // It hears one after the other; two at a time would be one.
        while !server.said().contains("a second signal does not wait") {
            std::thread::yield_now();
        }
        server.ask_to_end();
        while app.client.send("GET", "/healthz", &[], &[]).is_ok() {
            assert!(asked.elapsed() < Duration::from_secs(3), "it does not end");
        }
    });
    assert_eq!(server.wait().code(), Some(130));
    drop(app);
    // The slow one is run again, and fails at its deadline; the rest is behind it.
    let mut server = Server::restart(server);
    ledger.resolve(&server.app());
    let receipts = server.app().receipts_after(0);
    let spun = receipts.iter().find(|receipt| receipt["name"] == json!("spin")).expect("it");
    assert_eq!(spun["failure"]["code"], json!("deadline"), "{spun}");
    assert!(ledger.replay(server.address(), 1_000) > 0);
    server.kill();
}

#[test]
fn asked_to_end_while_it_writes_a_checkpoint_it_ends_with_status_0() {
    let mut server = Server::with(&["--checkpoint-after", "1s", "--checkpoint-bytes", "4GiB"]);
    let app = server.app();
    app.deploy("probe");
    for n in 0..times("CHANCERY_ROWS", 40_000) / 5_000 {
        let fill = json!({ "prefix": format!("{n}-"), "count": 5_000, "bytes": 100 });
        assert_eq!(app.succeed("fill", &fill), json!(5_000));
    }
    // Whatever it is doing then, it is soon a checkpoint.
    let writes = || {
        let files = std::fs::read_dir(format!("/proc/{}/fd", server.pid())).expect("a process");
        let mut names = files.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
        names.any(|name| name.to_string_lossy().contains("/state."))
    };
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut n = 0;
    while !writes() {
        n += 1;
        assert_eq!(app.succeed("add", &json!({ "key": "a", "amount": 1 })), json!(n));
        assert!(Instant::now() < deadline, "no checkpoint is written");
    }
    let asked = Instant::now();
    assert_eq!(server.terminate(), Some(0), "{}", server.said());
    assert!(asked.elapsed() < DRAINS_WITHIN, "{:?}", asked.elapsed());
    let server = server.restart();
    assert_eq!(server.app().ask("sum", &json!({})), json!(n));
}

#[test]
fn asked_to_end_while_it_starts_it_ends_with_status_0_and_starts_again() {
    let mut server = Server::start();
    let app = server.app();
    app.deploy("probe");
    app.succeed("fill", &json!({ "prefix": "a", "count": 5_000, "bytes": 100 }));
    let ledger = Ledger::default();
    let address = server.address().to_owned();
    let told = ledger.run(&address, 16, seed(), Mix::default(), &|told| told.executed < 500);
    assert!(told.executed > 0);
    server.kill();
    for delay_ms in [40, 80, 120, 200] {
        let mut starting = server.restarting();
        std::thread::sleep(Duration::from_millis(delay_ms));
        starting.ask_to_end();
        let status = starting.wait();
        // Before it listens to signals it dies of them, as any process.
        use std::os::unix::process::ExitStatusExt;
        assert!(status.code() == Some(0) || status.signal() == Some(15), "{status:?}");
    }
    let server = server.restart();
    assert_eq!(server.app().ask("count", &json!({})).as_u64().map(|n| n >= 5_000), Some(true));
    ledger.resolve(&server.app());
    assert!(ledger.replay(server.address(), 500) > 0);
}
