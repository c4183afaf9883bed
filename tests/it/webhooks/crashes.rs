//! Webhooks of servers that are killed, stopped, and restored.

use std::collections::BTreeSet;
use std::path::Path;

use chancery_tests::target::{Says, Target};
use chancery_tests::{Server, chancery};
use serde_json::json;
use tempfile::TempDir;

use super::{HERE, emit, post, put, server, settled, until, webhook};

#[test]
fn i1_every_event_arrives_and_in_order_though_the_process_is_killed() {
    const ROUNDS: usize = 4;
    const EACH: usize = 60;
    let (mut server, app) = server(&["--disk-low", "0B"]);
    let target = Target::start();
    assert_eq!(put(&app, "mails", &json!({ "url": target.url("/") })).status, 201);
    for round in 0..ROUNDS {
        let app = server.app();
        for n in 0..EACH {
            emit(&app, "a", &format!("{round}-{n}"));
        }
        // In the middle of the deliveries, however fast they are.
        let _ = target.wait_for(round * EACH + 1);
        server = server.kill_and_restart();
    }
    settled(&server.app(), "mails");
    let positions = target.positions();
    let mut seen = BTreeSet::new();
    let first: Vec<u64> = positions.iter().copied().filter(|it| seen.insert(*it)).collect();
    assert_eq!(first, (1..=(ROUNDS * EACH) as u64).collect::<Vec<_>>());
    // Stopped in order, it has written down where it was.
    assert_eq!(server.terminate(), Some(0));
    let (before, server) = (target.positions().len(), server.restart());
    emit(&server.app(), "a", "last");
    settled(&server.app(), "mails");
    assert_eq!(target.positions()[before..], [(ROUNDS * EACH + 1) as u64]);
}

/// What was sent before the backup, or after it by the other, would be sent by both.
#[test]
fn what_is_restored_sends_nothing_until_somebody_says_so() {
    let (_server, app) = server(&["--webhook-retries", "0"]);
    let target = Target::start();
    target.says(|received| match received.position() {
        1 => Says::Status(500),
        _ => Says::Status(200),
    });
    assert_eq!(put(&app, "mails", &json!({ "url": target.url("/") })).status, 201);
    emit(&app, "a", "s");
    until("one is left behind", || webhook(&app, "mails")["dead"] == json!(1));
    let headers = [("content-type", "application/json")];
    let made = app.send("POST", "/backup", &headers, b"{}").expect(201);
    let data = TempDir::new().expect("a directory");
    let other = restored(Path::new(made["path"].as_str().expect("a path")), data.path());
    let copy = other.app();
    emit(&copy, "a", "t");
    until("it stands still", || webhook(&copy, "mails")["status"] == json!("parked"));
    let found = webhook(&copy, "mails");
    let reason = found["trouble"]["reason"].as_str().expect("a reason");
    assert!(reason.contains("restored"), "{reason}");
    assert_eq!((&found["dead"], &found["lag"]), (&json!(1), &json!(1)));
    assert_eq!(target.positions(), [1]);
    assert_eq!(post(&copy, "/webhooks/mails/resume").status, 200);
    settled(&copy, "mails");
    assert_eq!(target.positions(), [1, 2]);
}

fn restored(backup: &Path, data: &Path) -> Server {
    let (from, to) = (backup.to_str().expect("text"), data.to_str().expect("text"));
    let output = chancery(&["restore", from, "--data", to]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Server::on(data, &HERE)
}
