//! Scripts that misbehave: each is told so, and nobody else notices.

use chancery_tests::App;
use serde_json::json;

use super::{COUNTER, deploy, server, upload};

/// A module with one query and one command of each name, which do the same.
const MISFITS: &str = r#"
import { app } from "chancery-sdk";

const does = {
  throwsText() { throw "a text"; },
  throwsNothing() { throw undefined; },
  cyclic() { const a = {}; a.a = a; return a; },
  big() { return 10n; },
  fn() { return () => 1; },
  never() { return new Promise(() => {}); },
  async resolves() { return await Promise.resolve(7); },
  async rejects() { await null; throw new Error("late"); },
  recursion() { const f = () => f() + 1; return f(); },
  loops() { for (;;); },
  hoards() { const all = []; for (;;) all.push(new Array(1e5).fill(1)); },
  timer() { return setTimeout(() => 1, 10); },
  fetches() { return fetch("http://example.com"); },
  evaluates() { return (0, eval)("1 + 1"); },
  tampers() {
    JSON.stringify = () => "1";
    JSON.parse = () => { throw new Error("tampered"); };
    Array.prototype[Symbol.iterator] = null;
    Object.prototype.toJSON = () => "tampered";
    globalThis.Date = null;
    return { fine: true };
  },
  adds() { globalThis.left = (globalThis.left ?? 0) + 1; return globalThis.left; },
  nothing() {},
};
const named = (prefix) =>
  Object.fromEntries(Object.entries(does).map(([name, run]) => [prefix + name, () => run()]));

export default app({
  description: "Misbehaves.",
  queries: named("q-"),
  commands: named("c-"),
});
"#;

#[test]
fn what_cannot_be_a_result_is_told_and_the_server_goes_on() {
    let server = server();
    let app = server.app();
    // Names in capitals are not the SDK's to change.
    let script = MISFITS.replace("[prefix + name", "[prefix + name.toLowerCase()");
    deploy(&app, "misfits", &script);
    deploy(&app, "counter", COUNTER);
    let failures = [
        ("throwstext", "a text"),
        ("throwsnothing", "undefined"),
        ("cyclic", "contains itself"),
        ("big", "BigInt"),
        ("fn", "function"),
        ("never", "promise"),
        ("rejects", "late"),
        ("recursion", "stack"),
        ("timer", "setTimeout"),
        ("fetches", "fetch"),
    ];
    for (name, words) in failures {
        for (kind, reply) in [
            ("query", app.query(&format!("q-{name}"), &json!({}))),
            ("command", app.command(&format!("c-{name}"), &json!({}))),
        ] {
            assert_eq!(reply.status, 500, "{kind} {name}: {reply:?}");
            let detail = reply.json()["detail"].as_str().unwrap_or_default().to_lowercase();
            let words = words.to_lowercase();
            assert!(detail.contains(&words), "{kind} {name}: {detail:?} lacks {words:?}");
        }
    }
    assert_eq!(app.query("q-loops", &json!({})).code(), "deadline");
    assert_eq!(app.query("q-hoards", &json!({})).status, 500);
    assert_eq!(app.ask("q-resolves", &json!({})), json!(7));
    assert_eq!(app.ask("q-nothing", &json!({})), json!(null));
    assert_eq!(app.succeed("c-resolves", &json!({})), json!(7));
    app.succeed("add", &json!({ "name": "a", "by": 1 }));
    assert_eq!(app.ask("count-of", &json!({ "name": "a" })), json!(1));
}

#[test]
fn i8_what_a_script_does_to_its_engine_reaches_no_other_module_or_request() {
    let server = server();
    let app = server.app();
    let script = MISFITS.replace("[prefix + name", "[prefix + name.toLowerCase()");
    deploy(&app, "misfits", &script);
    deploy(&app, "counter", COUNTER);
    for _ in 0..3 {
        // What the language brings is read-only: it gets as far as the first attempt.
        for reply in [app.query("q-tampers", &json!({})), app.command("c-tampers", &json!({}))] {
            let detail = reply.json()["detail"].as_str().unwrap_or_default().to_owned();
            assert!(detail.contains("read-only"), "{detail}");
        }
        // What was not there before it may leave behind: the next query finds none of it.
        assert_eq!(app.ask("q-adds", &json!({})), json!(1));
        assert_eq!(app.ask("q-adds", &json!({})), json!(1));
        assert_eq!(app.ask("q-evaluates", &json!({})), json!(2));
    }
    app.succeed("add", &json!({ "name": "a", "by": 2 }));
    assert_eq!(app.ask("all", &json!({})), json!([["a", 2]]));
}

#[test]
fn i8_what_a_refused_command_left_to_do_is_not_done_by_the_next() {
    const LEAVES: &str = r#"
import { app, reject } from "chancery-sdk";
export default app({
  description: "Leaves something to do.",
  tables: { rows: {} },
  queries: { all: (state) => [...state.rows.scan()] },
  commands: {
    leave(tx) {
      Promise.resolve().then(() => tx.rows.put("left", 1));
      reject("no", "No.");
    },
    go: (tx) => tx.rows.put("own", 1),
  },
});
"#;
    let server = server();
    let app = server.app();
    deploy(&app, "leaves", LEAVES);
    for _ in 0..2 {
        assert_eq!(app.command("leave", &json!({})).code(), "no");
        app.succeed("go", &json!({}));
        assert_eq!(app.ask("all", &json!({})), json!([["own", 1]]));
    }
}

#[test]
fn what_is_no_module_is_refused_before_anything_is_logged() {
    let server = server();
    let app = server.app();
    let before = app.sequence();
    let import = "import { app } from 'chancery-sdk';\n";
    let cases: &[(&str, &str, &str)] = &[
        ("export const a = 1;", "no-app", "export default app("),
        ("export default 1;", "no-app", "export default app("),
        ("", "no-app", "export default app("),
        ("let a = ;", "syntax-error", "x.js:1"),
        ("throw new Error('at once');", "script-failed", "at once"),
        ("import x from 'lodash';\nexport default x;", "unsupported-import", "lodash"),
        ("import x from './other.js';\nexport default x;", "unsupported-import", "./other.js"),
        ("for (;;);", "describe-failed", "longer than"),
        ("export default app({ description: 'x' });", "script-failed", "app"),
    ];
    for (script, code, words) in cases {
        refused(&app, script, code, words);
    }
    refused(&app, &format!("{import}export default app({{ tables: {{ 'A B': {{}} }} }});"), "", "");
    let large = format!("{}\n{}", "/* a large file */", "x".repeat(5 << 20));
    refused(&app, &large, "upload-too-large", "2097152");
    // Nor does one that says of itself what it was accepted with.
    let kept = format!("// chancery-script base={} file=x.js\n1", "0".repeat(64));
    let reply = app.upload("x", kept.as_bytes());
    assert_eq!((reply.status, reply.code().as_str()), (422, "not-wasm"), "{reply:?}");
    assert_eq!(app.sequence(), before);
}

#[track_caller]
fn refused(app: &App, script: &str, code: &str, words: &str) {
    let reply = upload(app, "x", script);
    let shown = script.chars().take(60).collect::<String>();
    assert!((400..500).contains(&reply.status), "{shown}: {reply:?}");
    assert_eq!(reply.json()["outcome"], "not-logged", "{shown}: {reply:?}");
    let detail = reply.json()["detail"].as_str().unwrap_or_default().to_owned();
    assert!(detail.contains(words), "{shown}: {detail}");
    if !code.is_empty() {
        assert_eq!(reply.code(), code, "{shown}: {detail}");
    }
}
