//! Timers of a real server: over HTTP, from the command line, and when it is killed.

use std::time::{Duration, Instant};

use chancery_tests::{App, Server, new_id};
use serde_json::{Value as Json, json};

/// How long a server may take to do what is due.
const PATIENCE: Duration = Duration::from_secs(60);

fn put(app: &App, body: &Json) -> chancery_tests::Reply {
    let headers = [("content-type", "application/json")];
    app.send("PUT", &format!("/commands/{}", new_id()), &headers, body.to_string().as_bytes())
}

/// Asks until the answer is as it should be.
#[track_caller]
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_client_schedules_looks_and_cancels() {
    let server = Server::start();
    let app = server.app();
    app.deploy("probe");
    let add = |at: Json| json!({ "name": "add", "input": { "key": "a", "amount": 1 }, "at": at });

    let receipt = put(&app, &add(json!("2999-12-31T23:59:59.5Z"))).expect(200);
    assert_eq!((&receipt["kind"], &receipt["name"]), (&json!("schedule"), &json!("add")));
    assert_eq!(receipt["scheduled_for"], json!("2999-12-31T23:59:59.500Z"));
    assert_eq!(receipt["result"]["due_ms"], json!(32_503_679_999_500_u64));
    let id = receipt["result"]["timer"].as_str().expect("an id").to_owned();
    drop(put(&app, &add(json!(4_102_444_800_000_u64))).expect(200));

    let page = app.get("/timers?limit=1").expect(200);
    assert_eq!(
        (&page["count"], &page["timers"][0]["due"]),
        (&json!(2), &json!("2100-01-01T00:00:00.000Z"))
    );
    let after = page["next"].as_str().expect("more");
    let page = app.get(&format!("/timers?after={after}")).expect(200);
    assert_eq!((&page["timers"][0]["id"], &page["next"]), (&json!(id), &json!(null)));
    let timer = app.get(&format!("/timers/{id}")).expect(200);
    assert_eq!(timer["input"], json!({ "key": "a", "amount": 1 }));
    assert_eq!(timer["causation_id"], receipt["id"]);

    let cancelled = app.send("DELETE", &format!("/timers/{id}"), &[], &[]).expect(200);
    assert_eq!(cancelled["kind"], json!("cancel-timer"));
    for method in ["GET", "DELETE"] {
        let problem = app.send(method, &format!("/timers/{id}"), &[], &[]).expect(404);
        assert_eq!(problem["code"], json!("unknown-timer"));
    }
    assert_eq!(app.get("/timers").expect(200)["count"], json!(1));
    drop(app.get("/timers/x").expect(400));

    // In the past means at once.
    let receipt = put(&app, &add(json!("1969-07-20T20:17:40Z"))).expect(200);
    let id = receipt["result"]["timer"].as_str().expect("an id").to_owned();
    until("it fires", || app.get(&format!("/commands/{id}")).status == 200);
    let fired = app.get(&format!("/commands/{id}?wait=60")).expect(200);
    assert_eq!(
        (&fired["status"], &fired["scheduled_for"]),
        (&json!("succeeded"), &json!("1970-01-01T00:00:00.000Z"))
    );
    assert_eq!(app.ask("sum", &json!({})), json!(1));
    // What has fired cannot be taken back, and says where to look.
    let problem = app.send("DELETE", &format!("/timers/{id}"), &[], &[]).expect(404);
    assert_eq!(problem["code"], json!("unknown-timer"));
    assert_eq!(problem["outcome"], json!("not-logged"), "{problem}");
}

#[test]
fn what_a_client_may_not_say_of_a_timer() {
    let server = Server::start();
    let app = server.app();
    app.deploy("probe");
    let refused = |body: Json, pointer: &str| {
        let problem = put(&app, &body).expect(400);
        assert_eq!(problem["outcome"], json!("not-logged"), "{problem}");
        assert_eq!(problem["errors"][0]["pointer"], json!(pointer), "{problem}");
    };
    let put_item = json!({ "key": "a", "value": 1 });
    for at in [json!("tomorrow"), json!(-1), json!({}), json!(1_u64 << 53), json!("2030-01-01")] {
        refused(json!({ "name": "put", "input": put_item, "at": at }), "/at");
    }
    let basis = json!({ "name": "put", "input": put_item, "at": 0, "basis": 1 });
    refused(basis, "/basis");
    let depth = json!({ "name": "put", "input": put_item, "metadata": { "depth": 1 } });
    refused(depth, "/metadata/depth");
    let reaction = json!({ "name": "put", "input": put_item, "metadata": { "reaction": "r" } });
    refused(reaction, "/metadata/reaction");
    // However it is written.
    let headers = [("content-type", "application/json")];
    let body = r#"{"name":"put","input":{"key":"a","value":1},"metadata":{"d\u0065pth":9}}"#;
    let path = format!("/commands/{}", new_id());
    let problem = app.send("PUT", &path, &headers, body.as_bytes()).expect(400);
    assert_eq!(problem["errors"][0]["pointer"], json!("/metadata/depth"), "{problem}");
    // What does not fit now is refused now.
    let unfit = put(&app, &json!({ "name": "put", "input": { "key": 1 }, "at": 0 }));
    assert_eq!(unfit.expect(422)["code"], json!("invalid-input"));
    let unknown = put(&app, &json!({ "name": "putt", "input": {}, "at": 0 }));
    assert_eq!(unknown.expect(404)["code"], json!("unknown-command"));
    assert_eq!(app.get("/timers").expect(200)["count"], json!(0));
    // An id is one command's, and another time makes another command.
    let headers = [("content-type", "application/json")];
    let path = format!("/commands/{}", new_id());
    let at = |ms: u64| json!({ "name": "put", "input": put_item, "at": ms }).to_string();
    for _ in 0..2 {
        let reply = app.send("PUT", &path, &headers, at(4_102_444_800_000).as_bytes());
        drop(reply.expect(200));
    }
    let problem = app.send("PUT", &path, &headers, at(4_102_444_800_001).as_bytes()).expect(422);
    assert_eq!(problem["code"], json!("id-reused"));
    assert_eq!(app.get("/timers").expect(200)["count"], json!(1));
}

/// Each adds one to a counter of its own, and the sum shows one that fired twice.
#[test]
fn i1_timers_fire_once_though_the_process_is_killed() {
    const ROUNDS: u64 = 5;
    const EACH: u64 = 40;
    let mut server = Server::with(&["--disk-low", "0B"]);
    server.app().deploy("probe");
    for round in 0..ROUNDS {
        let app = server.app();
        for n in 0..EACH {
            let add = json!({ "key": format!("{round}-{n}"), "amount": 1 });
            let input = json!({ "in_ms": n % 20, "command": "add", "input": add });
            app.succeed("schedule", &input);
        }
        // Some have fired, some are on their way, some wait.
        server = server.kill_and_restart();
    }
    let app = server.app();
    until("all fire", || app.get("/timers").expect(200)["count"] == json!(0));
    assert_eq!(app.ask("sum", &json!({})), json!(ROUNDS * EACH));
}
