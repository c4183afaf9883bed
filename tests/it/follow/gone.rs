//! What is said when what comes next cannot be told: events that are not kept any more,
//! and positions of another history.

use std::path::Path;
use std::time::Duration;

use chancery::checkpoint::AtOnce;
use chancery::clock::Clock;
use chancery::events::Filter;
use chancery::value::Position;
use chancery_tests::rig::{Rig, code, name};
use chancery_tests::{block_on, chancery, id_at};
use tempfile::TempDir;

use super::*;

const HOUR: Duration = Duration::from_secs(3600);
/// Events of the old times, and of the new.
const OLD: u64 = 200;
const NEW: u64 = 20;

/// A data directory whose first events were dropped for their age, and the first that is
/// left.
fn trimmed() -> (std::sync::Arc<TempDir>, u64) {
    // It goes ahead of the machine's, by which a deployment has its id.
    let (clock, hands) = Clock::manual(Clock::system().wall_ms());
    let rig = Rig::with_clock(clock.clone(), |settings| {
        settings.tended = false;
        settings.log.segment_bytes = 64 << 10;
        settings.lane.window = HOUR;
        settings.keeper.receipts_keep = HOUR;
        settings.keeper.payloads_keep = HOUR;
        settings.keeper.events_keep = Some(HOUR);
        settings.keeper.checkpoint_bytes = 8 << 10;
    });
    block_on(async {
        rig.deploy("probe", "probe").await;
        let away = rig.app.put_consumer(&name("away"), None, Filter::default()).await;
        assert_eq!(away.expect("it is made").0.position, Position(0));
        let emit = async |n: u64| {
            let data = json!({ "n": n, "filling": "x".repeat(1000) });
            let input = json!({ "type": "thing.done", "data": data });
            let receipt = rig.command_with(id_at(clock.wall_ms()), "emit", input).await;
            assert_eq!(code(&receipt), "succeeded");
        };
        for n in 1..=OLD {
            emit(n).await;
        }
        for n in OLD + 1..=OLD + NEW {
            hands.advance(HOUR);
            emit(n).await;
            rig.app.keeper().tend(&mut AtOnce).expect("upkeep");
        }
    });
    let first = rig.app.events().first().0;
    let archived = rig.app.keeper().archive().last().expect("readable");
    assert!(first > 1 && rig.app.events().last().0 == OLD + NEW, "{first} of {archived}");
    (rig.close(), first)
}

#[test]
fn who_asks_for_events_that_are_not_kept_is_told_from_where_on_they_are() {
    let (directory, first) = trimmed();
    let server = Server::on(&directory.path().join("data"), &["--disk-low", "0B"]);
    let app = server.app();
    let history = app.get("/events").header("chancery-history").expect("a history").to_owned();
    let gone = |reply: chancery_tests::Reply| {
        assert_eq!((reply.status, reply.code()), (410, "events-gone".to_owned()), "{reply:?}");
        assert_eq!(reply.json()["first"], first);
    };
    gone(app.get("/events?after=0"));
    gone(app.get(&format!("/events?after={}", first - 2)));
    let stream = ("accept", "text/event-stream");
    gone(app.send("GET", "/events?after=1", &[stream], &[]));
    let id = format!("{history}/1");
    gone(app.send("GET", "/events", &[stream, ("last-event-id", &id)], &[]));
    let missing = app.get("/events/1");
    assert_eq!((missing.status, missing.code()), (404, "unknown-event".to_owned()));
    assert_eq!(missing.json()["first"], first);
    // A consumer that was away for too long: put where the events are, it goes on.
    gone(app.send("POST", "/consumers/away/fetch", &[], b""));
    gone(app.send("PUT", "/consumers/away?after=1", &[], b""));
    let put = app.send("PUT", &format!("/consumers/away?after={}", first - 1), &[], b"");
    assert_eq!(put.expect(200)["position"], first - 1);
    let batch = app.send("POST", "/consumers/away/fetch?limit=1", &[], b"").expect(200);
    assert_eq!(positions(&batch), [first]);
    // A new one begins with what there is.
    let consumer = app.send("PUT", "/consumers/mails", &[], b"").expect(201);
    assert_eq!(consumer["position"], first - 1);
    // What is kept is read without asking for anything.
    let page = app.get("/events?limit=1000").expect(200);
    assert_eq!(positions(&page), (first..=OLD + NEW).collect::<Vec<_>>());
    assert_eq!(positions(&app.get("/events?order=desc&limit=1").expect(200)), [OLD + NEW]);
    let after = format!("?after={}", first - 1);
    for query in ["", after.as_str()] {
        let mut following = follow(&server, query, None);
        assert_eq!(following.message().expect("a frame").data["position"], first);
    }
    // And on the command line.
    let (exit, said) = server.cli(&["events", "--follow", "--after", "1"]);
    assert!(exit == 3 && said.contains("events-gone"), "{said}");
}

#[test]
fn positions_of_another_history_are_refused_after_a_restore() {
    let (server, app) = shop(5);
    let mut following = follow(&server, "", None);
    for _ in 0..3 {
        let _ = following.message().expect("a frame");
    }
    let old = following.id.clone();
    let made =
        app.send("POST", "/backup", &[("content-type", "application/json")], b"{}").expect(201);
    let backup = made["path"].as_str().expect("a path");
    let data = TempDir::new().expect("a directory");
    let output = chancery(&["restore", backup, "--data", path_of(data.path())]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    drop(server);

    let server = Server::in_directory(data);
    let app = server.app();
    let history = app.get("/events").header("chancery-history").expect("a history").to_owned();
    let stream = ("accept", "text/event-stream");
    let refused = app.send("GET", "/events", &[stream, ("last-event-id", &old)], &[]);
    assert_eq!((refused.status, refused.code()), (410, "history-changed".to_owned()));
    assert_eq!(refused.json()["history"], history);
    let (claimed, _) = old.split_once('/').expect("history and position");
    let claimed = ("chancery-history", claimed);
    for headers in [&[claimed][..], &[claimed, stream]] {
        let refused = app.send("GET", "/events?after=3", headers, &[]);
        assert_eq!((refused.status, refused.code()), (410, "history-changed".to_owned()));
    }
    // What was restored is read from its beginning, and has ids of its own history.
    let mut following = follow(&server, "", None);
    let first = following.message().expect("a frame");
    assert_eq!((&first.data["position"], &first.data["previous"]), (&json!(1), &json!(0)));
    assert_eq!(following.id, format!("{history}/1"));
    let id = following.id.clone();
    let mut following = follow(&server, "", Some(&id));
    assert_eq!(following.message().expect("a frame").data["position"], 2);
}

fn path_of(path: &Path) -> &str {
    path.to_str().expect("text")
}
