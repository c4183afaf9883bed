//! What is not there, and states that are not to be had.

use chancery_tests::{App, new_id};
use serde_json::json;

use super::{Site, assert_names};

#[test]
fn what_is_unknown_is_refused_with_the_nearest_name() {
    let site = Site::start();
    site.app.deploy("shop");
    let id = new_id();
    let input = json!({ "product": "lamp" });
    let command = |app: &App| app.command_with(id, "buy-prodcut", &input, &[]);
    let cases = [
        (site.not_logged(command, 404, "unknown-command"), "buy-prodcut", "buy-product"),
        (
            site.refusal(|app| app.query("stock_of", &input), 404, "unknown-query"),
            "stock_of",
            "stock-of",
        ),
        (site.refusal(|app| app.get("/tables/itmes"), 404, "unknown-table"), "itmes", "items"),
        (site.refusal(|app| app.get("/modules/shpo"), 404, "unknown-module"), "shpo", "shop"),
    ];
    for (refused, asked, suggestion) in cases {
        assert_eq!(refused["suggestion"], json!(suggestion));
        let [asked, suggestion] = [asked, suggestion].map(|name| format!("`{name}`"));
        assert_names(&refused, &[&asked, &suggestion]);
    }
    for (method, path) in [("GET", ""), ("POST", "/queries/sum"), ("GET", "/tables")] {
        let ask = |app: &App| {
            let path = format!("/v1/apps/mian{path}");
            app.client.send(method, &path, &[], b"").expect("an answer")
        };
        let refused = site.refusal(ask, 404, "unknown-app");
        assert_eq!(refused["suggestion"], json!("main"));
    }
    let other = |app: &App| {
        let body = json!({ "name": "add", "input": {} });
        app.client.put(&format!("/v1/apps/mian/commands/{id}"), &body)
    };
    site.not_logged(other, 404, "unknown-app");
    // Nothing is near enough to be a slip.
    let nothing_near = site.refusal(|app| app.query("xyzzy", &input), 404, "unknown-query");
    assert!(nothing_near["suggestion"].is_null(), "{nothing_near}");
    let never_sent = site.app.get(&format!("/commands/{id}")).expect(404);
    assert_eq!(never_sent["code"], json!("unknown-receipt"));
    site.assert_unharmed();
}

#[test]
fn a_sequence_beyond_the_end_is_refused_at_once() {
    let site = Site::start();
    for path in ["/queries/sum", "/tables", "/tables/items"] {
        for at in ["at_least", "as_of"] {
            let path = format!("{path}?{at}=99");
            let refused = site.refusal(|app| app.get(&path), 422, "sequence-ahead");
            assert_eq!(refused["last"], json!(1), "{path}");
            assert_names(&refused, &["99", "the last is 1"]);
        }
    }
    let basis = |app: &App| {
        let body = json!({ "name": "add", "input": { "key": "a", "amount": 1 }, "basis": 99 });
        app.client.put(&format!("/v1/apps/main/commands/{}", new_id()), &body)
    };
    assert_eq!(site.not_logged(basis, 422, "basis-ahead")["last"], json!(1));
    site.assert_unharmed();
}

#[test]
fn a_state_that_is_no_longer_held_is_gone() {
    let site = Site::with(&["--held-bytes-max", "0B"]);
    for _ in 0..5 {
        site.app.succeed("add", &json!({ "key": "a", "amount": 1 }));
    }
    let latest = site.app.sequence();
    let refused = site.refusal(|app| app.get("/queries/sum?as_of=2"), 410, "sequence-gone");
    assert!(refused["oldest"].as_u64().unwrap() > 2, "{refused}");
    assert_names(&refused, &["2", &refused["oldest"].to_string()]);
    let now = site.app.get(&format!("/queries/sum?as_of={latest}"));
    assert_eq!(now.expect(200), json!(5));
    site.assert_unharmed();
}

#[test]
fn a_misspelt_parameter_does_not_read_an_older_state() {
    let site = Site::start();
    let ask = |app: &App| app.get("/queries/sum?at_lesat=1");
    let refused = site.refusal(ask, 400, "invalid-request");
    assert_eq!(refused["suggestion"], json!("at_least"));
    assert_names(&refused, &["`at_lesat`"]);
    let ask = |app: &App| app.get("/queries/sum?at_least=soon");
    assert_names(&site.refusal(ask, 400, "invalid-request"), &["`at_least`", "soon"]);
    site.assert_unharmed();
}
