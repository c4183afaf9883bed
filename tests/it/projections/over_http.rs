//! The same over HTTP and on the command line.

use chancery_tests::{Server, chancery};
use serde_json::json;

use super::tally;

#[test]
fn projections_are_listed_shown_and_steered_over_http_and_on_the_command_line() {
    let server = Server::start();
    let app = server.app();
    let wasm = [("content-type", "application/wasm")];
    let path = |rest: &str| format!("/v1/apps/main/{rest}");
    let deployed = app.client.send("PUT", &path("modules/tally"), &wasm, &tally(1, 0));
    assert_eq!(deployed.status, 200, "{}", deployed.text());
    let shown = || app.client.get(&path("projections/tally")).json();
    let until = |status: &str| {
        let started = std::time::Instant::now();
        while shown()["status"] != json!(status) {
            assert!(started.elapsed() < chancery_tests::rig::PATIENCE, "{}", shown());
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    };
    until("live");
    let ask = || app.client.get(&path("queries/ask"));
    assert_eq!(ask().header("chancery-projections-behind"), None);
    app.run("note", &json!({ "subject": "lamp", "data": 1 }));
    app.run("note", &json!({ "type": "item.bad", "data": "trap" }));
    app.run("note", &json!({ "subject": "lamp", "data": 1 }));
    assert_eq!(ask().header("chancery-projections-behind"), Some("tally@1"));
    let listed = app.client.get(&path("projections")).json();
    assert_eq!(listed["projections"], json!([shown()]));
    let parked = shown();
    assert_eq!(
        (&parked["status"], &parked["position"], &parked["lag"], &parked["tables"]),
        (&json!("parked"), &json!(1), &json!(2), &json!(["latest", "totals"]))
    );
    assert_eq!(parked["live"]["error"]["code"], json!("trapped"));
    assert_eq!(parked["live"]["error"]["position"], json!(2));
    assert_eq!(parked["next"], json!(null));

    let cli = |arguments: &[&str]| {
        let all = [&["--server", &server.url(), "projections"][..], arguments].concat();
        let output = chancery(&all);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code(), text + &String::from_utf8_lossy(&output.stderr))
    };
    let (status, text) = cli(&[]);
    assert!(status == Some(0) && text.contains("parked"), "{text}");
    let (status, text) = cli(&["tally"]);
    assert!(status == Some(0) && text.contains("at event 2, trapped"), "{text}");
    let (status, text) = cli(&["skip", "tally"]);
    assert_eq!(status, Some(0), "{text}");
    until("live");
    let (status, text) = cli(&["resume", "tally"]);
    assert!(status == Some(1) && text.contains("not-parked"), "{text}");
    let (status, text) = cli(&["rebuild", "talli"]);
    assert!(status == Some(3) && text.contains("unknown-projection"), "{text}");

    let post = |what: &str| app.client.send("POST", &path(what), &[], &[]);
    let refused = post("projections/tally/skip");
    assert_eq!((refused.status, refused.code()), (409, "not-parked".to_owned()));
    let unknown = post("projections/tallx/rebuild");
    assert_eq!((unknown.status, unknown.code()), (404, "unknown-projection".to_owned()));
    assert_eq!(unknown.json()["suggestion"], json!("tally"));
    let rebuilt = post("projections/tally/rebuild");
    assert_eq!(rebuilt.status, 200, "{}", rebuilt.text());
    assert_eq!(rebuilt.json()["kind"], json!("projection"));
    // It is parked again, while the tables from which it was left out serve.
    until("parked");
    assert_eq!(shown()["live"]["lag"], json!(0));
    assert_eq!(shown()["next"]["position"], json!(1));
    let totals = app.client.get(&path("tables/totals/lamp")).json();
    assert_eq!(totals["count"], json!(2));
}
