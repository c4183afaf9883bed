//! Consumers: programs outside that read in batches. At least once: what they did not
//! acknowledge comes again, and what they did is as durable as everything else.

use chancery_tests::{App, Server};
use serde_json::{Value as Json, json};

fn emit(app: &App, event_type: &str, n: u64) {
    app.succeed("emit", &json!({ "type": event_type, "data": { "n": n } }));
}

fn started(n: u64) -> (Server, App) {
    let server = Server::start();
    let app = server.app();
    app.deploy("probe");
    for n in 1..=n {
        emit(&app, ["order.paid", "stock.low"][n as usize % 2], n);
    }
    (server, app)
}

fn put(app: &App, path: &str, status: u16) -> Json {
    app.send("PUT", &format!("/consumers/{path}"), &[], b"").expect(status)
}

fn post(app: &App, path: &str) -> chancery_tests::Reply {
    app.send("POST", &format!("/consumers/{path}"), &[], b"")
}

fn fetch(app: &App, path: &str) -> (Vec<u64>, u64) {
    let batch = post(app, path).expect(200);
    let events = batch["events"].as_array().expect("events").iter();
    let positions = events.map(|event| event["position"].as_u64().expect("a position"));
    (positions.collect(), batch["acknowledge"].as_u64().expect("a position"))
}

#[test]
fn what_is_not_acknowledged_comes_again_and_what_is_does_not() {
    let (mut server, mut app) = started(10);
    let consumer = put(&app, "mails?type=order.*", 201);
    assert_eq!((&consumer["position"], &consumer["lag"]), (&json!(0), &json!(10)));
    for _ in 0..2 {
        assert_eq!(fetch(&app, "mails/fetch?limit=2"), (vec![2, 4], 5), "nobody acknowledged it");
    }
    let moved = post(&app, "mails/ack?position=4").expect(200);
    assert_eq!((&moved["position"], &moved["lag"]), (&json!(4), &json!(6)));
    // Again, and an earlier one, change nothing.
    let sequence = app.sequence();
    for position in [4, 1] {
        let moved = post(&app, &format!("mails/ack?position={position}")).expect(200);
        assert_eq!(moved["position"], 4);
    }
    assert_eq!(app.sequence(), sequence);
    // Killed at once, it is known.
    server = server.kill_and_restart();
    app = server.app();
    assert_eq!(fetch(&app, "mails/fetch"), (vec![6, 8, 10], 10));
    assert_eq!(app.get("/consumers/mails").expect(200)["types"], json!(["order.*"]));
    let _ = post(&app, "mails/ack?position=10").expect(200);
    assert_eq!(fetch(&app, "mails/fetch"), (vec![], 10));
    // Its filter changes, and where it is only if that is said.
    assert_eq!(put(&app, "mails", 200)["position"], 10);
    assert_eq!(put(&app, "mails?after=7", 200)["position"], 7);
    assert_eq!(fetch(&app, "mails/fetch"), (vec![8, 9, 10], 10));
    assert_eq!(put(&app, "late?after=last", 201)["position"], 10);
    let list = app.get("/consumers").expect(200);
    let names = list["consumers"].as_array().expect("consumers").iter();
    assert_eq!(names.map(|one| one["name"].clone()).collect::<Vec<_>>(), ["late", "mails"]);
    assert_eq!(app.send("DELETE", "/consumers/late", &[], b"").status, 204);
    assert_eq!(app.get("/consumers/late").code(), "unknown-consumer");
}

#[test]
fn a_fetch_waits_for_what_is_wanted() {
    let (_server, app) = started(2);
    put(&app, "mails?type=new.*", 201);
    assert_eq!(fetch(&app, "mails/fetch"), (vec![], 2), "what it does not want can be skipped");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| fetch(&app, "mails/fetch?wait=30"));
        emit(&app, "old.one", 3);
        emit(&app, "new.one", 4);
        assert_eq!(waiting.join().expect("an answer"), (vec![4], 4));
    });
}

#[test]
fn many_who_acknowledge_at_once_lose_nothing() {
    let (_server, app) = started(24);
    put(&app, "mails", 201);
    std::thread::scope(|scope| {
        for worker in 0..4_u64 {
            let app = &app;
            scope.spawn(move || {
                for position in (1..=24).filter(|position| position % 4 == worker) {
                    let moved = post(app, &format!("mails/ack?position={position}")).expect(200);
                    assert!(moved["position"].as_u64().expect("a position") >= position);
                }
            });
        }
    });
    assert_eq!(app.get("/consumers/mails").expect(200)["position"], 24);
}

#[test]
fn what_cannot_be_is_refused() {
    let (_server, app) = started(2);
    put(&app, "mails", 201);
    let code = |reply: chancery_tests::Reply| (reply.status, reply.code());
    assert_eq!(code(post(&app, "mails/ack?position=3")), (422, "event-ahead".to_owned()));
    assert_eq!(code(post(&app, "mails/ack")), (400, "invalid-request".to_owned()));
    let near = post(&app, "mail/fetch");
    assert_eq!(near.json()["suggestion"], "mails");
    assert_eq!(code(near), (404, "unknown-consumer".to_owned()));
    assert_eq!(code(post(&app, "mail/ack?position=1")), (404, "unknown-consumer".to_owned()));
    let bad = app.send("PUT", "/consumers/mails?type=a..b", &[], b"");
    assert_eq!(bad.json()["outcome"], "not-logged");
    assert_eq!(code(bad), (400, "invalid-request".to_owned()));
    let bad = app.send("PUT", "/consumers/No", &[], b"");
    assert_eq!(code(bad), (400, "invalid-name".to_owned()));
    let ahead = app.send("PUT", "/consumers/mails?after=9", &[], b"");
    assert_eq!(code(ahead), (422, "event-ahead".to_owned()));
}
