//! Targets that the operator does not allow, and what is no webhook at all.

use chancery_tests::Server;
use chancery_tests::target::Target;
use serde_json::json;

use super::{emit, put, server, settled, until, webhook};

#[test]
fn what_the_operator_does_not_allow_is_refused_when_it_is_put() {
    let server = Server::start();
    let app = server.app();
    let sequence = app.sequence();
    for url in ["http://127.0.0.1:80/", "http://169.254.169.254/latest", "http://example.com"] {
        let refused = put(&app, "mails", &json!({ "url": url })).expect(403);
        assert_eq!(
            (&refused["code"], &refused["outcome"]),
            (&json!("target-not-allowed"), &json!("not-logged"))
        );
        let detail = refused["detail"].as_str().expect("a detail");
        assert!(detail.contains("webhook-targets"), "{detail}");
    }
    assert_eq!(app.sequence(), sequence);
    assert_eq!(app.get("/webhooks").expect(200)["webhooks"], json!([]));
}

#[test]
fn what_cannot_be_a_webhook_is_refused_with_the_place() {
    let (_server, app) = server(&[]);
    let url = "http://127.0.0.1:1/";
    let refused = [
        (json!({ "url": "https://127.0.0.1/" }), "/url"),
        (json!({ "url": "http://me@127.0.0.1:1/" }), "/url"),
        (json!({ "url": 1 }), "/url"),
        (json!({}), "/url"),
        (json!({ "url": url, "types": ["a..b"] }), "/types/0"),
        (json!({ "url": url, "from": "then" }), "/from"),
        (json!({ "url": url, "from": "now", "after": 1 }), "/after"),
    ];
    for (body, pointer) in refused {
        let refused = put(&app, "mails", &body).expect(400);
        assert_eq!(refused["errors"][0]["pointer"], json!(pointer), "{refused}");
        assert_eq!(refused["outcome"], json!("not-logged"));
    }
    assert_eq!(put(&app, "mails", &json!({ "url": url, "typs": [] })).code(), "invalid-request");
    assert_eq!(put(&app, "Mails", &json!({ "url": url })).code(), "invalid-name");
    assert_eq!(put(&app, "mails", &json!({ "url": url, "after": 9 })).code(), "event-ahead");
    assert_eq!(put(&app, "mails", &json!({ "url": url })).status, 201);
    let near = app.get("/webhooks/mail");
    assert_eq!(
        (near.code().as_str(), &near.json()["suggestion"]),
        ("unknown-webhook", &json!("mails"))
    );
    for n in 1..100 {
        assert_eq!(put(&app, &format!("w{n}"), &json!({ "url": url })).status, 201);
    }
    assert_eq!(put(&app, "w100", &json!({ "url": url })).code(), "too-many-webhooks");
}

/// As a name that belongs to somebody else, and leads to this machine.
#[test]
fn a_name_that_is_allowed_and_leads_inward_is_not_connected_to() {
    let server = Server::with(&["--webhook-targets", "localhost:*", "--webhook-retries", "0"]);
    let app = server.app();
    app.deploy("probe");
    let target = Target::start();
    let url = format!("http://localhost:{}/", target.port());
    assert_eq!(put(&app, "mails", &json!({ "url": url })).status, 201);
    emit(&app, "a", "s");
    until("it is left behind", || webhook(&app, "mails")["dead"] == json!(1));
    let letter = app.get("/dead-letters/webhook:mails/1").expect(200);
    assert_eq!(letter["failure"]["code"], json!("target-not-allowed"));
    let message = letter["failure"]["message"].as_str().expect("a message");
    assert!(message.contains("webhook-targets"), "{message}");
    assert!(target.received().is_empty());
}

#[test]
fn a_name_may_lead_inward_if_the_address_is_allowed_too() {
    let targets = "localhost:*,127.0.0.0/8:*,[::1]:*";
    let server = Server::with(&["--webhook-targets", targets, "--webhook-pause", "1ms"]);
    let app = server.app();
    app.deploy("probe");
    let target = Target::start();
    let url = format!("http://localhost:{}/", target.port());
    assert_eq!(put(&app, "mails", &json!({ "url": url })).status, 201);
    emit(&app, "a", "s");
    settled(&app, "mails");
    assert_eq!(target.positions(), [1]);
    let host = target.received()[0].header("host").map(str::to_owned);
    assert_eq!(host, Some(format!("localhost:{}", target.port())));
}

/// The rules of a server are its operator's, whatever is on its disk.
#[test]
fn a_webhook_that_is_no_longer_allowed_stands_still_and_loses_nothing() {
    let data = tempfile::TempDir::new().expect("a directory");
    let target = Target::start();
    let allowed = Server::on(data.path(), &super::HERE);
    let app = allowed.app();
    app.deploy("probe");
    assert_eq!(put(&app, "mails", &json!({ "url": target.url("/") })).status, 201);
    drop(allowed);
    let forbidden = Server::on(data.path(), &[]);
    let app = forbidden.app();
    emit(&app, "a", "s");
    until("it stands still", || webhook(&app, "mails")["status"] == json!("parked"));
    let reason = webhook(&app, "mails")["trouble"]["reason"].clone();
    assert!(reason.as_str().expect("a reason").contains("webhook-targets"), "{reason}");
    drop(forbidden);
    let allowed = Server::on(data.path(), &super::HERE);
    settled(&allowed.app(), "mails");
    assert_eq!(target.positions(), [1]);
}
