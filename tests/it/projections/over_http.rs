//! The same over HTTP and on the command line.

use chancery_tests::{Server, chancery};
use serde_json::json;

use super::tally;

#[test]
fn projections_are_listed_shown_and_steered_over_http_and_on_the_command_line() {
    let server = Server::start();
    let app = server.app();
    let deployed = app.upload("tally", &tally(1, 0)).expect(200);
    assert_eq!(deployed["plan"]["projections"]["added"], json!(["tally"]));
    let shown = || app.get("/projections/tally").expect(200);
    let until = |status: &str| {
        let started = std::time::Instant::now();
        while shown()["status"] != json!(status) {
            assert!(started.elapsed() < chancery_tests::rig::PATIENCE, "{}", shown());
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    };
    until("live");
    let ask = || app.get("/queries/ask");
    assert_eq!(ask().header("chancery-projections-behind"), None);
    app.succeed("note", &json!({ "subject": "lamp", "data": 1 }));
    app.succeed("note", &json!({ "type": "item.bad", "data": "trap" }));
    app.succeed("note", &json!({ "subject": "lamp", "data": 1 }));
    assert_eq!(ask().header("chancery-projections-behind"), Some("tally@1"));
    let listed = app.get("/projections").expect(200);
    assert_eq!(listed["projections"], json!([shown()]));
    let parked = shown();
    assert_eq!(
        (&parked["status"], &parked["position"], &parked["lag"], &parked["tables"]),
        (&json!("parked"), &json!(1), &json!(2), &json!(["latest", "totals"]))
    );
    assert_eq!(parked["live"]["error"]["code"], json!("trapped"));
    assert_eq!(parked["live"]["error"]["position"], json!(2));
    assert_eq!(parked["next"], json!(null));

    let url = format!("http://{}", server.address());
    let cli = |arguments: &[&str]| {
        let all = [&["--server", &url, "projections"][..], arguments].concat();
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

    let post = |what: &str| app.send("POST", what, &[], &[]);
    let refused = post("/projections/tally/skip");
    assert_eq!((refused.status, refused.code()), (409, "not-parked".to_owned()));
    let unknown = post("/projections/tallx/rebuild");
    assert_eq!((unknown.status, unknown.code()), (404, "unknown-projection".to_owned()));
    assert_eq!(unknown.json()["suggestion"], json!("tally"));
    let rebuilt = post("/projections/tally/rebuild").expect(200);
    assert_eq!(rebuilt["kind"], json!("projection"), "{rebuilt}");
    // It is parked again, while the tables from which it was left out serve.
    until("parked");
    assert_eq!(shown()["live"]["lag"], json!(0));
    assert_eq!(shown()["next"]["position"], json!(1));
    let totals = app.get("/tables/totals/lamp").expect(200);
    assert_eq!(totals["count"], json!(2));
}
