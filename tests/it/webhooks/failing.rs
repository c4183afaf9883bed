//! Targets that refuse, or say nothing: attempts, dead letters, and what goes on
//! meanwhile.

use std::sync::atomic::{AtomicU64, Ordering};

use chancery_tests::Server;
use chancery_tests::target::{Says, Target};
use serde_json::json;

use super::{HERE, emit, post, put, server, settled, until, webhook};

#[test]
fn what_is_refused_is_sent_again_before_what_comes_after_it() {
    let (_server, app) = server(&[]);
    let target = Target::start();
    let attempts = AtomicU64::new(0);
    target.says(move |received| {
        let n = attempts.fetch_add(1, Ordering::Relaxed);
        match (received.position(), n) {
            (2, 1) => Says::Status(500),
            (2, 2) => Says::Hangup,
            (2, 3) => Says::With(503, "Retry-After: 0".to_owned()),
            _ => Says::Status(200),
        }
    });
    assert_eq!(put(&app, "mails", &json!({ "url": target.url("/") })).status, 201);
    for n in 0..4 {
        emit(&app, "a", &n.to_string());
    }
    settled(&app, "mails");
    assert_eq!(target.positions(), [1, 2, 2, 2, 2, 3, 4]);
    let found = webhook(&app, "mails");
    assert_eq!((&found["status"], &found["dead"]), (&json!("running"), &json!(0)));
    // One id, however often it is sent.
    let received = target.received();
    let keys: Vec<_> = received.iter().map(|one| one.header("idempotency-key")).collect();
    assert_eq!((keys[1], keys[2], keys[3]), (keys[4], keys[4], keys[4]));
    assert_ne!(keys[4], keys[5]);
}

/// Two seconds are enough for those that answer, on a busy machine too.
#[test]
fn a_target_that_never_answers_is_left_a_dead_letter_and_later_ones_wait_by_subject() {
    let (mut server, mut app) = server(&["--webhook-timeout", "2s", "--webhook-retries", "1"]);
    let target = Target::start();
    target.says(|received| match received.body["subject"] == json!("lost") {
        true => Says::Nothing,
        false => Says::Status(200),
    });
    assert_eq!(put(&app, "mails", &json!({ "url": target.url("/") })).status, 201);
    for subject in ["lost", "lost", "found", "lost"] {
        emit(&app, "a", subject);
    }
    until("it is left behind", || {
        let found = webhook(&app, "mails");
        [&found["dead"], &found["waiting"], &found["lag"]] == [&json!(1), &json!(2), &json!(0)]
    });
    assert_eq!(target.positions(), [1, 1, 3]);
    // It survives the process, and is one of all dead letters.
    server = server.kill_and_restart();
    app = server.app();
    let page = app.get("/dead-letters?webhook=mails").expect(200);
    let letter = &page["dead_letters"][0];
    assert_eq!((&letter["webhook"], &letter["position"]), (&json!("mails"), &json!(1)));
    assert_eq!((&letter["failure"]["code"], &letter["attempts"]), (&json!("timed-out"), &json!(2)));
    assert_eq!(letter["reaction"], json!(null));
    assert_eq!(app.get("/dead-letters").expect(200)["dead_letters"].as_array().unwrap().len(), 3);
    assert_eq!(app.get("/dead-letters?webhook=no").code(), "unknown-webhook");
    assert_eq!(post(&app, "/dead-letters/webhook:mails/2/retry").code(), "letter-waits");
    assert_eq!(post(&app, "/dead-letters/mails/1/retry").code(), "unknown-reaction");
    // Tried in vain, it is what it was, with more attempts.
    let _ = post(&app, "/dead-letters/webhook:mails/1/retry").expect(200);
    until("it has failed again", || {
        let letter = app.get("/dead-letters/webhook:mails/1").expect(200);
        (&letter["state"], &letter["attempts"]) == (&json!("dead"), &json!(4))
    });
    target.says(|_| Says::Status(200));
    let _ = post(&app, "/dead-letters/webhook:mails/1/retry").expect(200);
    settled(&app, "mails");
    until("all are delivered", || webhook(&app, "mails")["dead"] == json!(0));
    let taken = target.received().into_iter().filter(|one| one.answered == Says::Status(200));
    assert_eq!(taken.map(|one| one.position()).collect::<Vec<_>>(), [3, 1, 2, 4]);
}

#[test]
fn a_letter_that_is_dropped_is_never_sent_and_what_waits_goes_on() {
    let (_server, app) = server(&["--webhook-retries", "0"]);
    let target = Target::start();
    target.says(|received| match received.position() {
        1 => Says::Status(400),
        _ => Says::Status(200),
    });
    assert_eq!(put(&app, "mails", &json!({ "url": target.url("/") })).status, 201);
    emit(&app, "a", "s");
    emit(&app, "a", "s");
    until("one waits behind the other", || webhook(&app, "mails")["waiting"] == json!(1));
    let letter = app.get("/dead-letters/webhook:mails/1").expect(200);
    assert_eq!(letter["failure"]["message"], json!("it answered 400 Bad Request"));
    drop(app.send("DELETE", "/dead-letters/webhook:mails/1", &[], b"").expect(200));
    settled(&app, "mails");
    assert_eq!(target.positions(), [1, 2]);
    assert_eq!(webhook(&app, "mails")["dead"], json!(0));
}

#[test]
fn redirects_are_not_followed() {
    let (_server, app) = server(&["--webhook-retries", "0"]);
    let (target, inside) = (Target::start(), Target::start());
    let to = inside.url("/secret");
    target.says(move |_| Says::With(307, format!("Location: {to}")));
    assert_eq!(put(&app, "mails", &json!({ "url": target.url("/") })).status, 201);
    emit(&app, "a", "s");
    until("it is left behind", || webhook(&app, "mails")["dead"] == json!(1));
    let letter = app.get("/dead-letters/webhook:mails/1").expect(200);
    let message = letter["failure"]["message"].as_str().expect("a message");
    assert!(message.contains("redirects are not followed"), "{message}");
    assert!(message.contains("/secret"), "{message}");
    assert!(inside.received().is_empty());
}

/// The target has a minute: nothing here waits for it.
#[test]
fn a_target_that_hangs_holds_up_neither_commands_nor_reactions_nor_timers_nor_the_end() {
    let mut server = Server::with(&[&HERE[..], &["--webhook-timeout", "1m"]].concat());
    let app = server.app();
    app.deploy("follower");
    let (target, other) = (Target::start(), Target::start());
    target.says(|_| Says::Nothing);
    assert_eq!(put(&app, "hangs", &json!({ "url": target.url("/") })).status, 201);
    assert_eq!(put(&app, "works", &json!({ "url": other.url("/") })).status, 201);
    emit(&app, "work", "s");
    let _ = target.wait_for(1);
    // What follows from the event is done by a reaction and a timer.
    until("what follows is done", || {
        app.ask("notes", &json!({})).as_array().map(Vec::len) == Some(2)
    });
    settled(&app, "works");
    assert_eq!(target.positions(), [1], "it is still waited for");
    assert_eq!(server.terminate(), Some(0));
    assert!(server.said().contains("everything was answered"), "{}", server.said());
}
