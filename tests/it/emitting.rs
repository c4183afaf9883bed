//! Events on their way to being recorded, and what modules declare of them.

use chancery_tests::{App, Server, guest, new_id};
use serde_json::{Value as Json, json};

fn follower(server: &Server) -> App {
    let app = server.app();
    app.deploy("follower");
    app
}

/// A command that notes something and states an event that may not be recorded.
#[track_caller]
fn failed(app: &App, mut input: Json, code: &str) -> Json {
    input["note"] = json!("kept");
    let problem = app.command("emit", &input).expect(500);
    assert_eq!(problem["code"], json!(code), "{problem}");
    problem
}

#[test]
fn i5_an_event_that_may_not_be_recorded_fails_its_command_and_nothing_is_kept() {
    let server = Server::start();
    let app = follower(&server);
    failed(&app, json!({ "type": "order placed" }), "invalid-event-type");
    failed(&app, json!({ "type": "" }), "invalid-event-type");
    failed(&app, json!({ "type": "a".repeat(129) }), "invalid-event-type");
    failed(&app, json!({ "type": "large", "bytes": (1 << 20) + 1 }), "value-too-long");
    failed(&app, json!({ "type": "a", "subject": "s".repeat(1_025) }), "subject-too-long");
    let problem =
        failed(&app, json!({ "type": "checked", "data": { "number": 11 } }), "invalid-event");
    let detail = problem["detail"].as_str().expect("words");
    assert!(detail.contains("event 0 of type `checked`") && detail.contains("/number"), "{detail}");
    assert_eq!(problem["details"]["event"], json!(0));
    assert_eq!(problem["details"]["type"], json!("checked"));
    assert_eq!(problem["details"]["errors"][0]["pointer"], json!("/number"));
    failed(&app, json!({ "type": "checked" }), "invalid-event");

    assert_eq!(app.ask("notes", &json!({})), json!([]), "what they had noted is gone");
    let fits = json!({ "type": "checked", "data": { "number": 10 }, "note": "kept" });
    let receipt = app.command("emit", &fits).expect(200);
    assert_eq!(receipt["events"][0]["position"], json!(1), "no position was used up");
    assert_eq!(app.ask("notes", &json!({}))[0]["key"], json!("kept"));
}

#[test]
fn events_of_a_rejection_and_of_a_trial_are_checked_as_well() {
    let server = Server::start();
    let app = follower(&server);
    let unfit = json!({ "type": "checked", "data": { "number": "one" } });
    let problem = app.command("refuse", &unfit).expect(500);
    assert_eq!(problem["code"], json!("invalid-event"), "{problem}");
    assert_eq!(problem["details"]["errors"][0]["pointer"], json!("/number"));
    let fits = json!({ "type": "checked", "data": { "number": 1 } });
    assert_eq!(app.command("refuse", &fits).expect(409)["code"], json!("refused"));

    let dry_run = [("prefer", "dry-run")];
    let events = || app.get("/events").expect(200)["events"].take();
    let before = events();
    for (name, input, code) in [
        ("emit", &unfit, "invalid-event"),
        ("refuse", &unfit, "invalid-event"),
        ("refuse", &fits, "refused"),
        ("emit", &json!({ "type": "not a type" }), "invalid-event-type"),
    ] {
        let id = new_id();
        let tried = app.command_with(id, name, input, &dry_run).json();
        assert!(tried.to_string().contains(&format!("\"{code}\"")), "{name}: {tried}");
        drop(app.get(&format!("/commands/{id}")).expect(404));
    }
    assert_eq!(events(), before, "a trial leaves nothing");
}

#[test]
fn commands_do_not_write_what_a_projection_derives() {
    let server = Server::start();
    let app = follower(&server);
    let problem = app.command("trespass", &json!({})).expect(500);
    assert_eq!(problem["code"], json!("foreign-table"), "{problem}");
    assert!(problem["detail"].as_str().is_some_and(|it| it.contains("`counts`")), "{problem}");
}

#[test]
fn a_plan_says_what_becomes_of_projections_and_reactions() {
    let server = Server::start();
    let app = server.app();
    let check = |module: &str, name: &str| {
        let wasm = [("content-type", "application/wasm")];
        app.send("PUT", &format!("/modules/{module}?check=true"), &wasm, &guest(name))
    };
    let plan = check("follower", "follower").expect(200)["plan"].take();
    let added = json!(["counts", "errs", "intrudes", "loops", "overflows", "seen", "traps"]);
    assert_eq!(plan["projections"], json!({ "added": added, "rebuilt": [], "removed": [] }));
    assert_eq!(plan["reactions"]["added"].as_array().map(Vec::len), Some(9), "{plan}");

    app.deploy("follower");
    let shown = app.get("/modules/follower").expect(200);
    assert_eq!(shown["projections"], added);
    let plan = check("follower", "follower-v2").expect(200)["plan"].take();
    let gone = json!(["errs", "intrudes", "loops", "overflows", "traps"]);
    let projections =
        json!({ "added": ["subjects"], "rebuilt": ["counts", "seen"], "removed": gone });
    assert_eq!(plan["projections"], projections);
    assert_eq!(plan["reactions"]["removed"].as_array().map(Vec::len), Some(9), "{plan}");

    let conflict = check("another", "follower").expect(409);
    assert_eq!(conflict["code"], json!("module-conflict"));
    let conflict = conflict.to_string();
    for taken in ["projection `seen` belongs to module `follower`", "reaction `works` belongs"] {
        assert!(conflict.contains(taken), "{conflict}");
    }
}
