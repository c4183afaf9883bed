//! Handlers that misbehave, each in its own way, as queries and as commands.

use chancery_tests::new_id;
use serde_json::json;

use super::{Site, assert_names, problem};

/// Long enough for every limit but time to be met first.
const PATIENT: &[&str] = &["--query-deadline", "20s", "--command-deadline", "20s"];
const HASTY: &[&str] = &["--query-deadline", "200ms", "--command-deadline", "200ms"];

/// A way to fail: its name, the code of it, and what the problem names.
type Way = (&'static str, &'static str, &'static str);

/// What queries and commands can both do.
const BOTH: &[Way] = &[
    ("trap", "trapped", "unreachable"),
    ("allocate", "memory-limit", "bytes of memory"),
    ("recurse", "stack-overflow", "stack"),
    ("invalid-json", "invalid-json", "JSON"),
    ("gigabyte", "memory-limit", "bytes of memory"),
    ("huge-key", "invalid-key", "key"),
    ("undeclared-table", "unknown-table", "`undeclared`"),
    ("many-handles", "handle-limit", "256 cursors"),
    ("bad-failure-code", "invalid-failure", "kebab-case"),
    ("bad-details", "invalid-failure", "details"),
];

/// What only commands can do.
const COMMANDS: &[Way] = &[
    ("huge-value", "value-too-long", "1048576"),
    ("write-invalid-json", "invalid-json", "JSON"),
    ("bad-event-type", "invalid-event-type", "Not an event type!"),
    ("write-then-trap", "trapped", "unreachable"),
    ("many-events", "too-many-events", "10000"),
    ("many-writes", "too-many-rows", "100000"),
];

fn hostile(arguments: &[&str]) -> Site {
    let site = Site::with(arguments);
    site.app.deploy("hostile");
    site
}

fn assert_query_fails(site: &Site, (name, code, words): Way) {
    let before = site.app.sequence();
    let refused = problem(&site.app.query(name, &json!(null)), 500, code);
    assert_names(&refused, &[words, &format!("`{name}`")]);
    assert_eq!(refused["outcome"], json!(null), "a query is not about a command");
    assert_eq!(site.app.sequence(), before, "nothing is logged");
    assert_eq!(site.app.ask("ok", &json!(null)), json!("ok"));
}

fn assert_command_fails(site: &Site, (name, code, words): Way) {
    let before = site.app.sequence();
    let patient = [("prefer", "wait=60")];
    let reply = site.app.command_with(new_id(), name, &json!(null), &patient);
    let refused = problem(&reply, 500, code);
    assert_names(&refused, &[words, &format!("`{name}`")]);
    assert_eq!(
        (&refused["outcome"], &refused["sequence"]),
        (&json!("executed"), &json!(before + 1))
    );
    let id = refused["id"].as_str().expect("an id");
    let receipt = site.app.get(&format!("/commands/{id}")).expect(200);
    assert_eq!((&receipt["status"], &receipt["changes"]), (&json!("failed"), &json!(0)));
    assert_eq!((&receipt["failure"]["code"], &receipt["events"]), (&json!(code), &json!([])));
    assert_eq!(site.app.succeed("ok", &json!(null)), json!("ok"));
    assert_eq!(site.app.sequence(), before + 2, "this command, and the next");
}

#[test]
fn i10_queries_that_misbehave_fail_and_harm_nobody() {
    let site = hostile(PATIENT);
    for way in BOTH {
        assert_query_fails(&site, *way);
    }
    site.assert_unharmed();
}

#[test]
fn i10_commands_that_misbehave_fail_and_harm_nobody() {
    let site = hostile(PATIENT);
    for way in BOTH.iter().chain(COMMANDS) {
        assert_command_fails(&site, *way);
    }
    let rows = site.app.get("/tables/t").expect(200);
    assert_eq!(rows["rows"], json!([]), "nothing is kept of what failed");
    site.assert_unharmed();
}

#[test]
fn i12_results_over_their_limit_are_failures() {
    let site = Site::with(&["--query-memory-max", "1GiB", "--query-deadline", "20s"]);
    // As an input it is just within the limit of a body.
    let text = "x".repeat((1 << 20) - 100);
    let reply = site.app.command("echo", &json!(text));
    assert_names(&problem(&reply, 500, "output-too-large"), &["the limit is 1048576", "`echo`"]);
    // 170 times 100,000 bytes are a little over 16 MiB.
    site.app.succeed("fill", &json!({ "prefix": "", "count": 170, "bytes": 100_000 }));
    let reply = site.app.query("list", &json!({ "prefix": "" }));
    assert_names(&problem(&reply, 500, "output-too-large"), &["16777216", "`list`"]);
    site.assert_unharmed();
}

#[test]
fn i10_handlers_that_loop_are_stopped_at_their_deadline() {
    let site = hostile(HASTY);
    for _ in 0..3 {
        assert_query_fails(&site, ("loop", "deadline", "200ms"));
        assert_command_fails(&site, ("loop", "deadline", "200ms"));
    }
    let dry_run = [("prefer", "dry-run")];
    let dry_run = site.app.command_with(new_id(), "loop", &json!(null), &dry_run);
    assert_eq!(dry_run.expect(200)["failure"]["code"], json!("deadline"));
    site.assert_unharmed();
}

#[test]
fn handles_are_good_for_one_call() {
    let site = hostile(PATIENT);
    for (stash, use_stashed) in [("stash", "use-stashed"), ("stash-cursor", "use-stashed-cursor")] {
        // Queries have an instance each, so there is nothing of another's.
        assert_eq!(site.app.ask(stash, &json!(null)), json!("stashed"));
        problem(&site.app.query(use_stashed, &json!(null)), 409, "nothing-stashed");
        // Commands share one, until one of them fails.
        assert_eq!(site.app.succeed(stash, &json!(null)), json!("stashed"));
        assert_command_fails(&site, (use_stashed, "stale-handle", "one call"));
        let fresh = problem(&site.app.command(use_stashed, &json!(null)), 409, "nothing-stashed");
        assert_eq!(fresh["outcome"], json!("executed"));
    }
    assert_eq!(site.app.get("/tables/t").expect(200)["rows"], json!([]));
    site.assert_unharmed();
}

#[test]
fn handlers_may_log_more_than_is_kept() {
    let site = hostile(PATIENT);
    assert_eq!(site.app.ask("many-logs", &json!(null)), json!("logged"));
    assert_eq!(site.app.succeed("many-logs", &json!(null)), json!("logged"));
    site.assert_unharmed();
}

#[test]
fn i8_i10_many_that_misbehave_at_one_time_harm_nobody() {
    let site = hostile(HASTY);
    std::thread::scope(|scope| {
        for n in 0..8 {
            let app = site.server.app();
            scope.spawn(move || {
                for (name, ..) in BOTH.iter().cycle().skip(n).take(BOTH.len()) {
                    let reply = app.query(name, &json!(null));
                    assert!(matches!(reply.status, 500 | 503), "{name}: {reply:?}");
                    let reply = app.command(name, &json!(null));
                    assert_eq!(reply.status, 500, "{name}: {reply:?}");
                }
            });
        }
        let app = site.server.app();
        for n in 1..=20 {
            assert_eq!(app.succeed("add", &json!({ "key": "beside", "amount": 1 })), json!(n));
            assert_eq!(app.client.get("/healthz").status, 200);
        }
    });
    site.assert_unharmed();
}
