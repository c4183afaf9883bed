//! A command that kills the process: after three deaths it is not run again, whether
//! it was logged before the first of them or not, and the lane goes on.
//!
//! No handler can kill the process, so the test does: it watches the file that says
//! which command runs.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use chancery_tests::{App, Reply, Server, Uuid, new_id, times};
use serde_json::{Value as Json, json};

/// With these a command can run for as long as the test needs, and checkpoints are
/// written meanwhile.
const PATIENT: &[&str] = &["--command-deadline", "1m", "--checkpoint-after", "1s"];
const RUNNING: u8 = 2;

/// Runs until its deadline.
fn spin() -> Json {
    json!({ "iterations": 1_u64 << 50 })
}

/// Waits until this command runs.
fn wait_until_it_runs(app: &Path, id: Uuid) {
    let deadline = Instant::now() + Duration::from_secs(20);
    let file = File::open(app.join("running")).expect("the file");
    let mut bytes = [0; 17];
    loop {
        if file.read_exact_at(&mut bytes, 0).is_ok()
            && bytes[0] == RUNNING
            && bytes[1..] == id.into_bytes()
        {
            return;
        }
        assert!(Instant::now() < deadline, "{id} does not run");
    }
}

fn submit(app: &App, id: Uuid, name: &str, input: &Json) -> Reply {
    app.command_with(id, name, input, &[("prefer", "respond-async")])
}

/// Submits, waits until it runs, and kills the process.
fn submit_and_die(server: &mut Server, id: Uuid) {
    let (app, directory) = (server.app(), server.app_directory());
    thread::scope(|scope| {
        // There will be no answer.
        scope.spawn(move || app.try_command(id, "spin", &spin(), &[]).is_err());
        wait_until_it_runs(&directory, id);
        server.kill();
    });
}

fn assert_poisoned(app: &App, id: Uuid) {
    let receipt = app.get(&format!("/commands/{id}?wait=10")).expect(200);
    assert_eq!(
        (&receipt["status"], &receipt["failure"]["code"]),
        (&json!("failed"), &json!("poisoned"))
    );
    let again = app.command_with(id, "spin", &spin(), &[]);
    assert_eq!((again.status, again.code()), (500, "poisoned".to_owned()));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(again.json()["outcome"], json!("executed"));
}

#[test]
fn i10_a_command_that_was_logged_and_kills_the_process_is_out_after_three_deaths() {
    for _ in 0..times("CHANCERY_POISONS", 1) {
        let mut server = Server::with(PATIENT);
        let app = server.app();
        app.deploy("probe");
        let add = json!({ "key": "a", "amount": 1 });
        assert_eq!(app.succeed("add", &add), json!(1));
        let id = new_id();
        assert_eq!(submit(&app, id, "spin", &spin()).status, 202);
        // Those behind it are logged, and wait.
        let behind: Vec<Uuid> = (0..5).map(|_| new_id()).collect();
        for &id in &behind {
            assert_eq!(submit(&app, id, "add", &add).status, 202);
        }
        for deaths in 1..=3 {
            // At a start it runs by itself.
            wait_until_it_runs(&server.app_directory(), id);
            server.kill();
            server = server.restart();
            assert_eq!(server.said().matches(&format!("count={deaths}")).count(), 1);
        }
        let app = server.app();
        assert_poisoned(&app, id);
        for (n, id) in (2..).zip(behind) {
            let receipt = app.get(&format!("/commands/{id}?wait=10")).expect(200);
            assert_eq!(receipt["result"], json!(n), "{receipt}");
        }
        assert_eq!(app.succeed("add", &add), json!(7));
        assert_eq!(app.succeed("add", &add), json!(8), "the lane goes on");
    }
    println!(
        "TORTURE poison: {} commands that were logged, each out after 3 deaths",
        times("CHANCERY_POISONS", 1)
    );
}

#[test]
fn i10_a_command_that_was_never_logged_and_kills_the_process_is_out_as_well() {
    let wanted = times("CHANCERY_POISONS", 1);
    let (mut done, mut tries) = (0, 0);
    while done < wanted {
        tries += 1;
        assert!(tries < 10 * wanted, "it is always logged before the process is dead");
        let mut server = Server::with(PATIENT);
        let app = server.app();
        app.deploy("probe");
        let (id, add) = (new_id(), json!({ "key": "a", "amount": 1 }));
        submit_and_die(&mut server, id);
        let mut server = server.restart();
        let app = server.app();
        if app.get(&format!("/commands/{id}")).status != 404 {
            continue;
        }
        // A checkpoint, an orderly end and another start change nothing of the count.
        assert_eq!(app.succeed("add", &add), json!(1));
        let deadline = Instant::now() + Duration::from_secs(20);
        while !server.app_directory().join("state.b.redb").exists() {
            assert!(Instant::now() < deadline, "no checkpoint is written");
            assert!(app.command("add", &add).status == 200);
            thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(server.terminate(), Some(0));
        let mut server = server.restart();
        for deaths in 2..=3 {
            let logged = server.app().get(&format!("/commands/{id}")).status == 200;
            match logged {
                true => {
                    wait_until_it_runs(&server.app_directory(), id);
                    server.kill();
                }
                false => submit_and_die(&mut server, id),
            }
            server = server.restart();
            assert_eq!(server.said().matches(&format!("count={deaths}")).count(), 1);
        }
        let app = server.app();
        // Perhaps it was never logged until now.
        let reply = app.command_with(id, "spin", &spin(), &[]);
        assert_eq!((reply.status, reply.code()), (500, "poisoned".to_owned()));
        assert_poisoned(&app, id);
        assert_eq!(app.command("add", &add).status, 200, "the lane goes on");
        done += 1;
    }
    println!("TORTURE poison: {done} commands that were never logged, each out after 3 deaths");
}
