//! JavaScript as text: uploaded, called, reported, and the same after a restart.

mod adhoc;
mod base;
mod bases;
mod component;
mod misfits;
mod shop;
mod two_languages;

use chancery_tests::{App, Reply, Server};
use serde_json::{Value as Json, json};

/// A counter whose script has one of each.
const COUNTER: &str = r#"
import { app, reject } from "chancery-sdk";

export default app({
  description: "Counts.",
  tables: { counts: {} },
  events: { "count.changed": {} },
  queries: {
    countOf(state, { name }) {
      return state.counts.get(name) ?? 0;
    },
    all(state) {
      return [...state.counts.scan()];
    },
    fails() {
      return undefinedFunction();
    },
  },
  commands: {
    add(tx, { name, by }) {
      const count = (tx.counts.get(name) ?? 0) + by;
      if (count > 10) reject("too-many", "At most 10 are counted.", { name, count });
      tx.counts.put(name, count);
      tx.emit("count.changed", { subject: name, data: { count } });
      return { count, at: new Date().getTime() === tx.timeMs };
    },
    random() {
      return [Math.random(), Math.random(), crypto.randomUUID()];
    },
    fails(tx, { name }) {
      tx.counts.put(name, 1);
      throw new TypeError(`no ${name}`);
    },
  },
});
"#;

/// Uploads a script.
fn upload(app: &App, module: &str, script: &str) -> Reply {
    let headers = [("content-type", "text/javascript")];
    app.send("PUT", &format!("/modules/{module}"), &headers, script.as_bytes())
}

#[track_caller]
fn deploy(app: &App, module: &str, script: &str) -> Json {
    let deployed = upload(app, module, script).expect(200);
    assert_eq!(deployed["deployed"], json!(true), "{deployed}");
    deployed
}

/// Where something is in the counter, as stacks say it.
fn place_of(words: &str) -> String {
    let line = COUNTER.lines().position(|line| line.contains(words)).expect("it is there") + 1;
    format!("counter.js:{line}")
}

/// A server that leaves scripts as they are: evaluating them once more, for a snapshot,
/// has tests of its own.
fn server() -> Server {
    Server::with(&["--script-snapshots", "false"])
}

#[test]
fn a_script_is_live_with_its_upload_and_the_same_after_a_kill() {
    let server = server();
    let app = server.app();
    let deployed = deploy(&app, "counter", COUNTER);
    let added = app.succeed("add", &json!({ "name": "a", "by": 3 }));
    assert_eq!(added, json!({ "count": 3, "at": true }));
    assert_eq!(app.ask("count-of", &json!({ "name": "a" })), json!(3));
    let refused = app.command("add", &json!({ "name": "a", "by": 8 }));
    assert_eq!((refused.status, refused.code().as_str()), (409, "too-many"));
    assert_eq!(refused.json()["details"], json!({ "name": "a", "count": 11 }));
    let events = app.get("/events").expect(200);
    assert_eq!(events["events"].as_array().map(Vec::len), Some(1), "{events}");
    assert_eq!(events["events"][0]["data"], json!({ "count": 3 }));

    let server = server.kill_and_restart();
    let app = server.app();
    assert_eq!(app.ask("all", &json!({})), json!([["a", 3]]));
    let shown = app.get("/modules/counter").expect(200);
    assert_eq!(shown["hash"], deployed["plan"]["hash"]);
    assert_eq!(shown["description"], "Counts.");
    app.succeed("add", &json!({ "name": "a", "by": 1 }));
    assert_eq!(app.ask("count-of", &json!({ "name": "a" })), json!(4));
}

#[test]
fn i9_chance_and_time_are_those_of_the_command() {
    let server = server();
    let app = server.app();
    deploy(&app, "counter", COUNTER);
    let first = app.succeed("random", &json!({}));
    let second = app.succeed("random", &json!({}));
    assert_ne!(first, second);
    assert_ne!(first[0], first[1]);
    assert_eq!(first[2].as_str().map(str::len), Some(36));
}

#[test]
fn what_a_handler_throws_is_told_with_its_file_and_line() {
    let server = server();
    let app = server.app();
    deploy(&app, "counter", COUNTER);
    let failed = app.command("fails", &json!({ "name": "z" }));
    assert_eq!(failed.status, 500, "{failed:?}");
    let detail = failed.json()["detail"].as_str().unwrap_or_default().to_owned();
    assert!(detail.contains("TypeError: no z"), "{detail}");
    assert!(detail.contains(&place_of("throw new TypeError")), "{detail}");
    // Nothing of what it did before is kept.
    assert_eq!(app.ask("count-of", &json!({ "name": "z" })), json!(0));
    let failed = app.query("fails", &json!({}));
    let detail = failed.json()["detail"].as_str().unwrap_or_default().to_owned();
    assert!(detail.contains("undefinedFunction"), "{detail}");
    assert!(detail.contains(&place_of("return undefinedFunction")), "{detail}");
}

#[test]
fn a_script_that_is_no_module_is_refused_with_its_place_and_the_old_one_stays() {
    let server = server();
    let app = server.app();
    deploy(&app, "counter", COUNTER);
    let before = app.sequence();
    let broken = COUNTER.replace("const count =", "const count = =");
    let refused = upload(&app, "counter", &broken);
    assert_eq!((refused.status, refused.code().as_str()), (422, "syntax-error"));
    let problem = refused.json();
    assert_eq!(problem["file"], "counter.js");
    let line = format!("counter.js:{}", problem["line"]);
    assert_eq!(line, place_of("const count ="), "{problem}");
    assert!(problem["column"].as_u64().is_some_and(|column| column > 1), "{problem}");
    assert!(problem["source"].as_str().unwrap_or_default().contains("const count = ="));
    assert_eq!(problem["outcome"], "not-logged");
    assert_eq!(app.sequence(), before);
    assert_eq!(app.ask("count-of", &json!({ "name": "a" })), json!(0));
}

#[test]
fn an_earlier_script_is_deployed_again_by_its_hash() {
    let server = server();
    let app = server.app();
    let first = deploy(&app, "counter", COUNTER);
    let second = deploy(&app, "counter", &COUNTER.replace("?? 0;", "?? -1;"));
    assert_ne!(first["plan"]["hash"], second["plan"]["hash"]);
    assert_eq!(app.ask("count-of", &json!({ "name": "a" })), json!(-1));
    let headers = [("content-type", "application/json")];
    let body = json!({ "hash": first["plan"]["hash"] }).to_string();
    let back = app.send("PUT", "/modules/counter", &headers, body.as_bytes());
    assert_eq!(back.expect(200)["plan"]["hash"], first["plan"]["hash"]);
    assert_eq!(app.ask("count-of", &json!({ "name": "a" })), json!(0));
    // The same text is the same version.
    let again = upload(&app, "counter", COUNTER).expect(200);
    assert_eq!(again["deployed"], json!(false));
}
