//! More commands than may wait.

use chancery_tests::{App, new_id};
use serde_json::json;

use super::{Site, assert_names};

#[test]
fn i12_a_full_inbox_refuses_and_says_when_to_come_back() {
    let site = Site::with(&["--inbox-max", "2", "--command-deadline", "2s"]);
    site.app.deploy("hostile");
    let later = [("prefer", "respond-async")];
    let add = json!({ "key": "a", "amount": 1 });
    let looping = site.app.command_with(new_id(), "loop", &json!(null), &later).expect(202);
    let behind = site.app.command_with(new_id(), "add", &add, &later).expect(202);

    let id = new_id();
    let mut retry_after = None;
    let ask = |app: &App| {
        let reply = app.command_with(id, "add", &add, &[]);
        retry_after = reply.header("retry-after").map(str::to_owned);
        reply
    };
    let refused = site.not_logged(ask, 503, "inbox-full");
    assert_eq!(retry_after.as_deref(), Some("1"));
    assert_eq!(refused["retry"], json!("same-id"));
    assert_names(&refused, &["2 entries"]);
    // Queries go on, and so does the process.
    assert_eq!(site.app.ask("sum", &json!({})), json!(0));
    assert_eq!(site.app.client.get("/healthz").status, 200);

    let receipt = |accepted: &serde_json::Value| {
        let id = accepted["id"].as_str().expect("an id");
        site.app.get(&format!("/commands/{id}?wait=30")).expect(200)
    };
    assert_eq!(receipt(&looping)["failure"]["code"], json!("deadline"));
    assert_eq!(receipt(&behind)["result"], json!(1));
    let taken = site.app.command_with(id, "add", &add, &[]);
    assert_eq!(taken.header("idempotent-replayed"), None, "it was not logged before");
    assert_eq!(taken.expect(200)["result"], json!(2));
    site.assert_unharmed();
}
