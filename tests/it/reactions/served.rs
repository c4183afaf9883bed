//! Reactions of a real server: over HTTP, and when it is killed.

use std::time::{Duration, Instant};

use chancery_tests::{App, Server};
use serde_json::{Value as Json, json};

/// How long a server may take to do what is due.
const PATIENCE: Duration = Duration::from_secs(60);

#[track_caller]
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn emit(app: &App, event_type: &str, subject: &str) {
    let data = json!({ "type": event_type, "subject": subject, "data": {} });
    app.succeed("emit", &data);
}

fn reaction(app: &App, name: &str) -> Json {
    let list = app.get("/reactions").expect(200);
    let reactions = list["reactions"].as_array().expect("a list");
    reactions.iter().find(|reaction| reaction["name"] == json!(name)).cloned().expect("it is there")
}

#[test]
fn they_are_listed_and_dead_letters_retried_and_dropped() {
    let server = Server::with(&["--reaction-retries", "1", "--reaction-pause", "1ms"]);
    let app = server.app();
    app.deploy("follower");
    for _ in 0..3 {
        emit(&app, "react.wait", "s");
    }
    until("they are left behind", || {
        let found = reaction(&app, "waits-for-leave");
        (&found["dead"], &found["waiting"]) == (&json!(1), &json!(2))
    });
    let found = reaction(&app, "waits-for-leave");
    assert_eq!((&found["status"], &found["module"]), (&json!("running"), &json!("follower")));
    assert_eq!((&found["on"], &found["from"]), (&json!(["react.wait"]), &json!("now")));

    let page = app.get("/dead-letters?reaction=waits-for-leave&limit=2").expect(200);
    assert_eq!(page["dead_letters"].as_array().map(Vec::len), Some(2));
    let after = page["next"].as_str().expect("more");
    let rest = app.get(&format!("/dead-letters?after={after}")).expect(200);
    assert_eq!(
        (rest["dead_letters"].as_array().map(Vec::len), &rest["next"]),
        (Some(1), &json!(null))
    );
    let letter = app.get("/dead-letters/waits-for-leave/1").expect(200);
    assert_eq!((&letter["state"], &letter["attempts"]), (&json!("dead"), &json!(2)));
    assert_eq!(letter["failure"]["code"], json!("not-allowed"));

    let post = |path: &str| app.send("POST", path, &[], &[]);
    let problem = post("/dead-letters/waits-for-leave/2/retry").expect(409);
    assert_eq!(problem["code"], json!("letter-waits"));
    let problem = post("/dead-letters/waits-for-leave/9/retry").expect(404);
    assert_eq!(problem["code"], json!("unknown-dead-letter"));
    let problem = post("/dead-letters/waits-for-nothing/1/retry").expect(404);
    assert_eq!(problem["code"], json!("unknown-reaction"));
    drop(app.get("/dead-letters/waits-for-leave/x").expect(400));
    drop(app.send("DELETE", "/dead-letters/waits-for-leave/2", &[], &[]).expect(200));
    app.succeed("allow", &json!("s"));
    assert_eq!(post("/dead-letters/waits-for-leave/1/retry").expect(200)["kind"], json!("advance"));
    until("they are handled", || reaction(&app, "waits-for-leave")["dead"] == json!(0));
    until("what follows is", || app.ask("notes", &json!({})).as_array().map(Vec::len) == Some(2));
    let problem = app.send("DELETE", "/reactions/works", &[], &[]).expect(409);
    assert_eq!(problem["code"], json!("reaction-in-use"));
}

/// A note that is there twice would be refused, and its receipt would say so.
#[test]
fn i5_what_follows_is_done_once_though_the_process_is_killed() {
    const ROUNDS: usize = 5;
    const EACH: usize = 40;
    let mut server = Server::with(&["--disk-low", "0B"]);
    server.app().deploy("follower");
    for round in 0..ROUNDS {
        let app = server.app();
        for n in 0..EACH {
            emit(&app, "work", &format!("{round}-{n}"));
        }
        server = server.kill_and_restart();
    }
    let app = server.app();
    let notes = || app.ask("notes", &json!({})).as_array().map_or(0, Vec::len);
    until("all is done", || notes() == 2 * ROUNDS * EACH);
    until("nothing waits", || app.get("/timers").expect(200)["count"] == json!(0));
    assert_eq!(notes(), 2 * ROUNDS * EACH);
    let receipts = app.receipts_after(0);
    let refused = receipts.iter().filter(|receipt| {
        receipt["kind"] == json!("command") && receipt["status"] != json!("succeeded")
    });
    assert_eq!(refused.collect::<Vec<_>>(), Vec::<&Json>::new());
}
