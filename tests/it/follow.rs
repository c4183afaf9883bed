//! Events over HTTP: pages, formats, and following them, which never misses one.

mod gone;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chancery_tests::{App, Server, Stream, new_id, times};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value as Json, json};

const READERS: u64 = 100;

fn emit(app: &App, event_type: &str, subject: Option<&str>, n: u64) {
    let input = json!({ "type": event_type, "data": { "n": n }, "subject": subject });
    app.succeed("emit", &input);
}

fn shop(n: u64) -> (Server, App) {
    let server = Server::start();
    let app = server.app();
    app.deploy("probe");
    for n in 1..=n {
        let event_type = ["order.placed", "order.paid", "stock.low"][n as usize % 3];
        emit(&app, event_type, Some(&format!("order/{}", n % 4)), n);
    }
    (server, app)
}

fn positions(page: &Json) -> Vec<u64> {
    let events = page["events"].as_array().expect("events");
    events.iter().map(|event| event["position"].as_u64().expect("a position")).collect()
}

fn follow(server: &Server, query: &str, id: Option<&str>) -> Stream {
    Stream::open(server, &format!("/events{query}"), id)
}

#[test]
fn pages_are_filtered_and_go_on_in_both_directions() {
    let (_server, app) = shop(30);
    let page = app.get("/events?limit=10").expect(200);
    assert_eq!(positions(&page), (1..=10).collect::<Vec<_>>());
    assert_eq!((&page["next"], &page["last"]), (&json!(10), &json!(30)));
    let first = &page["events"][0];
    assert_eq!((&first["type"], &first["subject"]), (&json!("order.paid"), &json!("order/1")));
    assert_eq!((&first["data"], &first["previous"]), (&json!({ "n": 1 }), &json!(0)));
    assert_eq!(first["correlation_id"], first["command_id"]);
    let page = app.get("/events?after=25").expect(200);
    assert_eq!(positions(&page), [26, 27, 28, 29, 30]);
    assert_eq!(page["next"], Json::Null);
    let page = app.get("/events?order=desc&limit=3&before=10").expect(200);
    assert_eq!((positions(&page), &page["next"]), (vec![9, 8, 7], &json!(7)));
    let page = app.get("/events?type=order.*&subject=order%2F1").expect(200);
    assert_eq!(positions(&page), [1, 9, 13, 21, 25]);
    let page = app.get("/events?type=stock.low&type=order.paid&limit=3").expect(200);
    assert_eq!(positions(&page), [1, 2, 4]);
    assert_eq!(positions(&app.get("/events?after=last").expect(200)), [0; 0]);
    // By time.
    let time = app.get("/events/20").expect(200)["time"].as_str().expect("a time").to_owned();
    let after = positions(&app.get(&format!("/events?from_time={time}")).expect(200));
    assert!(after.contains(&20) && after.ends_with(&[30]), "{after:?}");
    let before = positions(&app.get(&format!("/events?to_time={time}")).expect(200));
    assert!(!before.contains(&20) && before.len() + after.len() == 30, "{before:?}");
}

#[test]
fn events_are_written_as_their_reader_wants() {
    let (_server, app) = shop(4);
    let accept = |media_type: &str, path: &str| {
        let reply = app.send("GET", path, &[("accept", media_type)], &[]);
        assert!(reply.header("content-type").expect("a type").starts_with(media_type), "{reply:?}");
        assert!(reply.header("chancery-history").is_some());
        reply
    };
    let lines = accept("application/x-ndjson", "/events?limit=3");
    let text = String::from_utf8(lines.body.clone()).expect("text");
    let events: Vec<Json> =
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!((events.len(), &events[2]["position"]), (3, &json!(3)));
    assert_eq!(lines.header("chancery-next"), Some("3"));
    let batch = accept("application/cloudevents-batch+json", "/events").json();
    assert_eq!(batch.as_array().expect("a batch").len(), 4);
    let one = accept("application/cloudevents+json", "/events/4").json();
    assert_eq!(one, batch[3]);
    assert_eq!((&one["specversion"], &one["source"]), (&json!("1.0"), &json!("/v1/apps/main")));
    assert_eq!((&one["type"], &one["subject"]), (&json!("order.paid"), &json!("order/0")));
    assert_eq!((&one["position"], &one["data"]), (&json!("4"), &json!({ "n": 4 })));
    for (name, value) in one.as_object().expect("an object") {
        let is_attribute = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        assert!(name.chars().all(is_attribute), "{name}");
        let is_small = value.as_i64().is_none_or(|number| i32::try_from(number).is_ok());
        assert!(is_small, "{name}");
    }
}

#[test]
fn an_event_is_found_by_its_id_too() {
    let (mut server, mut app) = shop(20);
    let page = app.get("/events").expect(200);
    for restarted in [false, true] {
        if restarted {
            server = server.kill_and_restart();
            app = server.app();
        }
        for event in page["events"].as_array().expect("events") {
            let id = event["id"].as_str().expect("an id");
            assert_eq!(app.get(&format!("/events/{id}")).expect(200), *event);
        }
        let unknown = app.get(&format!("/events/{}", new_id()));
        assert_eq!((unknown.status, unknown.code()), (404, "unknown-event".to_owned()));
        assert_eq!(unknown.json()["last"], 20);
    }
    // As it is in a receipt.
    let receipt = app.command("emit", &json!({ "type": "thing.done", "data": 1 })).expect(200);
    let id = receipt["events"][0]["id"].as_str().expect("an id");
    assert_eq!(app.get(&format!("/events/{id}")).expect(200)["position"], 21);
}

#[test]
fn what_cannot_be_read_is_refused_with_what_to_do() {
    let (server, app) = shop(2);
    let refused = |path: &str, status: u16, code: &str| {
        let reply = app.get(path);
        assert_eq!((reply.status, reply.code()), (status, code.to_owned()), "{path}");
        reply.json()
    };
    assert_eq!(refused("/events?after=3", 422, "event-ahead")["last"], 2);
    assert_eq!(refused("/events/3", 404, "unknown-event")["last"], 2);
    refused("/events/0", 404, "unknown-event");
    refused("/events/one", 400, "invalid-request");
    for query in ["type=a..b", "type=**.a", "from_time=noon", "order=up", "after=-1", "types=a"] {
        refused(&format!("/events?{query}"), 400, "invalid-request");
    }
    let refusal = |query: &str, id: &str| {
        let headers = [("accept", "text/event-stream"), ("last-event-id", id)];
        app.send("GET", &format!("/events{query}"), &headers, &[])
    };
    let other = refusal("", "01939d3c-1f5e-7cc2-a1a6-0d6f3cb9a3d1/1");
    assert_eq!((other.status, other.code()), (410, "history-changed".to_owned()));
    assert_eq!(refusal("", "7").code(), "invalid-request");
    assert_eq!(refusal("?limit=3", "").code(), "invalid-request");
    let history = app.get("/events").header("chancery-history").expect("a history").to_owned();
    assert_eq!(refusal("", &format!("{history}/3")).code(), "event-ahead");
    assert_eq!(refusal("?after=9", &format!("{history}/3")).code(), "event-ahead");
    drop(server);
}

#[test]
fn who_follows_is_told_when_there_is_no_more_and_then_what_is_new() {
    let (mut server, app) = shop(3);
    let mut following = follow(&server, "?after=1", None);
    let names: Vec<_> = (0..3).map(|_| following.message().expect("a frame").name).collect();
    assert_eq!(names, ["stock.low", "order.placed", "$caught-up"]);
    let mut filtered = follow(&server, "?type=new.*", None);
    assert_eq!(filtered.message().expect("a frame").name, "$caught-up");
    assert!(filtered.id.ends_with("/3"), "{}", filtered.id);
    emit(&app, "old.one", None, 4);
    emit(&app, "new.one", None, 5);
    let frame = following.message().expect("a frame");
    assert_eq!((frame.name.as_str(), &frame.data["position"]), ("old.one", &json!(4)));
    assert_eq!(frame.data["previous"], 3);
    assert_eq!(filtered.message().expect("a frame").data["position"], 5);
    // At the end of the server the answers end, and are taken up by the next.
    let id = filtered.id.clone();
    assert_eq!(server.terminate(), Some(0), "it does not wait for who follows");
    while following.message().is_some() {}
    let server = server.restart();
    emit(&server.app(), "new.two", None, 6);
    let mut again = follow(&server, "?type=new.*", Some(&id));
    let frame = again.message().expect("a frame");
    assert_eq!((frame.name.as_str(), &frame.data["position"]), ("new.two", &json!(6)));
}

#[test]
fn i12_so_many_follow_and_no_more() {
    let server = Server::with(&["--followers-max", "1"]);
    let app = server.app();
    app.deploy("probe");
    let mut first = follow(&server, "", None);
    assert_eq!(first.message().expect("a frame").name, "$caught-up");
    let follow = || app.send("GET", "/events", &[("accept", "text/event-stream")], &[]);
    let refused = follow();
    assert_eq!((refused.status, refused.code()), (503, "busy".to_owned()));
    assert!(refused.header("retry-after").is_some(), "{refused:?}");
    assert_eq!(app.get("/events").status, 200, "pages are none of it");
    // When one has gone there is room again; that it has is noticed with the next event.
    drop(first);
    let started = std::time::Instant::now();
    loop {
        emit(&app, "thing.done", None, 1);
        let mut stream = TcpStream::connect(server.address()).expect("a connection");
        let head = "GET /v1/apps/main/events HTTP/1.1\r\nHost: localhost\r\n\
                    Accept: text/event-stream\r\n\r\n";
        stream.write_all(head.as_bytes()).expect("sent");
        let mut status = String::new();
        BufReader::new(stream).read_line(&mut status).expect("a status");
        if status.starts_with("HTTP/1.1 200") {
            break;
        }
        assert!(status.starts_with("HTTP/1.1 503"), "{status}");
        assert!(started.elapsed() < Duration::from_secs(60), "its place is not given back");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Reads events 1 to `last` as many times as connections it takes, and tells whether
/// each came once.
fn read_all(server: &Server, last: u64, reader: u64) {
    let mut random = StdRng::seed_from_u64(reader);
    let (mut id, mut next) = (None, 1);
    while next <= last {
        let mut following = follow(server, "", id.as_deref());
        // A third reads to the end, a third comes back now and then, a third does so
        // and is slow.
        let mut left = match reader % 3 {
            0 => u64::MAX,
            _ => random.random_range(1..=last.div_ceil(8)),
        };
        while next <= last && left > 0 {
            let frame = following.message().expect("it goes on");
            if frame.name == "$caught-up" {
                continue;
            }
            assert_eq!(frame.data["position"], next, "reader {reader}");
            assert_eq!(frame.data["previous"], next - 1);
            (next, left) = (next + 1, left - 1);
            if reader % 3 == 2 && random.random_bool(0.02) {
                // Now and then it lags behind those who write.
                std::thread::sleep(Duration::from_millis(random.random_range(0..20)));
            }
        }
        id = Some(following.id);
    }
}

#[test]
fn a_hundred_readers_see_every_event_once_while_they_are_written() {
    let last = times("CHANCERY_EVENTS", 400) as u64;
    let (server, app) = shop(0);
    let written = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for reader in 0..READERS {
            let server = &server;
            scope.spawn(move || read_all(server, last, reader));
        }
        for _writer in 0..4 {
            let (app, written) = (&app, &written);
            scope.spawn(move || {
                loop {
                    let n = written.fetch_add(1, Ordering::Relaxed) + 1;
                    if n > last {
                        return;
                    }
                    emit(app, "thing.done", Some(&format!("thing/{}", n % 10)), n);
                }
            });
        }
    });
    // The order of writers is not ours to know; all are there.
    let mut seen = BTreeSet::new();
    let mut after = 0;
    while (seen.len() as u64) < last {
        let page = app.get(&format!("/events?after={after}&limit=1000")).expect(200);
        for event in page["events"].as_array().expect("events") {
            seen.insert(event["data"]["n"].as_u64().expect("a number"));
            after = event["position"].as_u64().expect("a position");
        }
    }
    assert_eq!(seen, (1..=last).collect());
}
