//! Webhooks of a real server: events are sent to targets that take them, refuse them,
//! say nothing, or are nobody's business.

mod crashes;
mod failing;
mod targets;

use std::time::{Duration, Instant};

use chancery_tests::target::{Says, Target};
use chancery_tests::{App, Reply, Server};
use serde_json::{Value as Json, json};

/// How long a server may take to do what is due.
const PATIENCE: Duration = Duration::from_secs(60);

/// The tests' targets are on this machine, and tried again at once.
const HERE: [&str; 4] = ["--webhook-targets", "127.0.0.1:*", "--webhook-pause", "1ms"];

#[track_caller]
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn server(arguments: &[&str]) -> (Server, App) {
    let server = Server::with(&[&HERE, arguments].concat());
    let app = server.app();
    app.deploy("probe");
    (server, app)
}

fn emit(app: &App, event_type: &str, subject: &str) {
    let event = json!({ "type": event_type, "subject": subject, "data": { "of": subject } });
    app.succeed("emit", &event);
}

fn put(app: &App, name: &str, body: &Json) -> Reply {
    let headers = [("content-type", "application/json")];
    app.send("PUT", &format!("/webhooks/{name}"), &headers, body.to_string().as_bytes())
}

fn webhook(app: &App, name: &str) -> Json {
    app.get(&format!("/webhooks/{name}")).expect(200)
}

fn post(app: &App, path: &str) -> Reply {
    app.send("POST", path, &[], b"")
}

/// Waits until a webhook has nothing more to do.
fn settled(app: &App, name: &str) {
    until("all is delivered", || {
        let found = webhook(app, name);
        (&found["lag"], &found["waiting"]) == (&json!(0), &json!(0))
    });
}

#[test]
fn events_arrive_in_order_with_what_their_receiver_needs() {
    let (_server, app) = server(&[]);
    let target = Target::start();
    emit(&app, "order.placed", "order/0");
    let wanted = json!({ "url": target.url("/in?a=b"), "types": ["order.*"] });
    let made = put(&app, "mails", &wanted).expect(201);
    assert_eq!((&made["position"], &made["types"]), (&json!(1), &json!(["order.*"])));
    for n in 1..=20 {
        emit(&app, ["order.placed", "stock.low"][n % 2], &format!("order/{n}"));
    }
    let received = target.wait_for(10);
    settled(&app, "mails");
    assert_eq!(target.positions(), (3..=21).step_by(2).collect::<Vec<_>>());
    for request in &received {
        let accept = [("accept", "application/cloudevents+json")];
        let path = format!("/events/{}", request.position());
        let event = app.send("GET", &path, &accept, b"");
        let history = event.header("chancery-history").expect("a history");
        let event = event.json();
        assert_eq!(request.body, event);
        assert_eq!(request.path, "/in?a=b");
        let header = |name| request.header(name).expect(name);
        assert_eq!(header("idempotency-key"), event["id"]);
        assert_eq!(header("host"), format!("127.0.0.1:{}", target.port()));
        assert_eq!(header("content-type"), "application/cloudevents+json; charset=utf-8");
        assert_eq!((header("chancery-app"), header("chancery-webhook")), ("main", "mails"));
        assert_eq!(header("chancery-history"), history);
        assert!(header("user-agent").starts_with("chancery/"));
    }
    let list = app.get("/webhooks").expect(200);
    assert_eq!(list["webhooks"][0]["status"], json!("running"));
    assert_eq!(webhook(&app, "mails")["position"], json!(21));
}

#[test]
fn one_that_is_put_where_it_is_begins_there_all_the_same() {
    let (_server, app) = server(&[]);
    let target = Target::start();
    for n in 1..=5 {
        emit(&app, "order.placed", &format!("order/{n}"));
    }
    // Nothing of it is wanted, so that nothing says on disk how far it has come.
    let wrong = json!({ "url": target.url("/"), "types": ["oder.*"], "from": "start" });
    assert_eq!(put(&app, "mails", &wrong).status, 201);
    settled(&app, "mails");
    let right = json!({ "url": target.url("/"), "types": ["order.*"], "from": "start" });
    assert_eq!(put(&app, "mails", &right).status, 200);
    let _ = target.wait_for(5);
    assert_eq!(target.positions(), [1, 2, 3, 4, 5]);
}

#[test]
fn a_webhook_can_be_moved_paused_and_removed() {
    let (_server, app) = server(&[]);
    let (target, other) = (Target::start(), Target::start());
    emit(&app, "a", "s");
    emit(&app, "b", "s");
    assert_eq!(put(&app, "all", &json!({ "url": other.url("/") })).status, 201);
    let body = json!({ "url": target.url("/"), "from": "start" });
    assert_eq!(put(&app, "mails", &body).status, 201);
    let _ = target.wait_for(2);
    settled(&app, "mails");
    assert_eq!(put(&app, "mails", &json!({ "url": target.url("/"), "after": 1 })).status, 200);
    let _ = target.wait_for(3);
    settled(&app, "mails");
    assert_eq!(target.positions(), [1, 2, 2]);

    assert_eq!(post(&app, "/webhooks/mails/pause").expect(200)["status"], json!("paused"));
    emit(&app, "c", "s");
    // By now the first would have been sent it as well.
    let _ = other.wait_for(1);
    emit(&app, "d", "s");
    let _ = other.wait_for(2);
    assert_eq!(target.positions(), [1, 2, 2]);
    // Put again it is paused still, and elsewhere, and where it was.
    let body = json!({ "url": target.url("/new"), "types": ["d"] });
    assert_eq!(put(&app, "mails", &body).expect(200)["status"], json!("paused"));
    let _ = post(&app, "/webhooks/mails/resume").expect(200);
    let received = target.wait_for(4);
    assert_eq!((received[3].position(), received[3].path.as_str()), (4, "/new"));

    assert_eq!(app.send("DELETE", "/webhooks/mails", &[], b"").expect(200)["kind"], "advance");
    emit(&app, "d", "s");
    let _ = other.wait_for(3);
    assert_eq!(target.positions(), [1, 2, 2, 4]);
    assert_eq!(app.get("/webhooks/mails").code(), "unknown-webhook");
    // Another of that name has nothing to do with it.
    assert_eq!(put(&app, "mails", &json!({ "url": target.url("/") })).status, 201);
    emit(&app, "e", "s");
    assert_eq!(target.wait_for(5)[4].position(), 6);
}

#[test]
fn the_command_line_can_do_it_all() {
    let (server, app) = server(&["--webhook-retries", "0"]);
    let target = Target::start();
    target.says(|received| match received.position() {
        2 => Says::Status(500),
        _ => Says::Status(200),
    });
    let address = format!("http://{}", server.address());
    let run = |arguments: &[&str]| {
        let output = chancery_tests::chancery(&[arguments, &["--server", &address]].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    };
    let url = target.url("/");
    let put = run(&["webhooks", "put", "mails", &url, "--type", "order.*", "--from", "start"]);
    assert!(put.contains(&url), "{put}");
    emit(&app, "order.placed", "s");
    let _ = target.wait_for(1);
    settled(&app, "mails");
    assert!(run(&["webhooks"]).contains("running"));
    assert!(run(&["webhooks", "pause", "mails"]).contains("paused"));
    assert!(run(&["webhooks", "resume", "mails"]).contains("running"));
    let shown: Json = serde_json::from_str(&run(&["webhooks", "show", "mails", "--json"])).unwrap();
    assert_eq!((&shown["position"], &shown["types"]), (&json!(1), &json!(["order.*"])));
    emit(&app, "order.placed", "s");
    until("one is left behind", || webhook(&app, "mails")["dead"] == json!(1));
    let letters = run(&["dead-letters", "--webhook", "mails"]);
    assert!(letters.contains("webhook:mails") && letters.contains("refused"), "{letters}");
    assert!(run(&["dead-letters", "show", "webhook:mails", "2"]).contains("500"));
    assert!(run(&["dead-letters", "drop", "webhook:mails", "2"]).contains("webhook:mails 2"));
    assert_eq!(webhook(&app, "mails")["dead"], json!(0));
    assert!(run(&["webhooks", "remove", "mails"]).contains("removed mails"));
}
