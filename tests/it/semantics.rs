//! What HTTP means here: validators, safe methods, preferences, replays, pages.

use chancery_tests::{App, Reply, Server, new_id};
use serde_json::{Value as Json, json};
use uuid::Uuid;

/// Long enough not to end while a few requests are made, short enough to wait
/// for: a fifth of a second or so.
const SLOW: u64 = 200_000_000;
/// However busy the machine is, what is slow must not meet its deadline.
const PATIENT: &[&str] = &["--command-deadline", "60s"];
const JSON: (&str, &str) = ("content-type", "application/json");

fn probe(server: &Server) -> App {
    let app = server.app();
    app.deploy("probe");
    app
}

fn add(app: &App, key: &str, amount: i64) -> Json {
    app.succeed("add", &json!({ "key": key, "amount": amount }))
}

/// A command that holds its lane for a while, without waiting for it.
fn start_slow_command(app: &App) -> Reply {
    let input = json!({ "iterations": SLOW });
    let reply = app.command_with(new_id(), "spin", &input, &[("prefer", "respond-async")]);
    assert_eq!(reply.status, 202, "{reply:?}");
    reply
}

/// Follows `Location` until the command has ended.
fn receipt_at_location(app: &App, accepted: &Reply) -> Json {
    let location = accepted.header("location").expect("where the receipt will be");
    let receipt = app.client.get(&format!("{location}?wait=30")).expect(200);
    assert_eq!(receipt["sequence"], accepted.json()["sequence"]);
    receipt
}

#[test]
fn an_answer_is_not_sent_again_until_the_state_has_changed() {
    let server = Server::start();
    let app = probe(&server);
    let ask = |method, tag: &str| {
        let path = "/queries/sum";
        app.send(method, path, &[("if-none-match", tag)], b"")
    };
    let first = app.get("/queries/sum");
    let tag = first.header("etag").expect("a tag").to_owned();
    assert_eq!(first.header("cache-control"), Some("private, no-cache"));
    for tags in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
        let known = ask("GET", &tags);
        assert_eq!((known.status, known.body.len()), (304, 0), "{tags}");
        assert_eq!(known.header("etag"), Some(tag.as_str()));
    }
    assert_eq!(ask("QUERY", &tag).status, 304);
    assert_eq!(ask("GET", "\"other\"").status, 200);

    add(&app, "a", 1);
    let changed = ask("GET", &tag);
    assert_eq!(changed.expect(200), json!(1));
    assert_ne!(changed.header("etag"), Some(tag.as_str()));
    let other_input = app.get("/queries/get?input=%7B%22key%22%3A%22a%22%7D");
    assert_ne!(other_input.header("etag"), changed.header("etag"));
}

#[test]
fn an_answer_that_depends_on_the_time_of_the_request_has_no_tag() {
    let server = Server::start();
    let app = probe(&server);
    let now = app.get("/queries/now");
    assert!(now.expect(200).as_u64().unwrap() > 1_700_000_000_000, "{now:?}");
    assert_eq!(now.header("etag"), None);
    assert_eq!(app.send("GET", "/queries/now", &[("if-none-match", "*")], b"").status, 200);
}

#[test]
fn get_post_and_query_ask_the_same() {
    let server = Server::start();
    let app = probe(&server);
    app.succeed("put", &json!({ "key": "ä/b c", "value": { "n": [1, 2.50, null] } }));
    let input = r#"{"key":"ä/b c"}"#;
    let replies = [
        app.get("/queries/get?input=%7B%22key%22%3A%22%C3%A4%2Fb+c%22%7D"),
        app.send("POST", "/queries/get", &[JSON], input.as_bytes()),
        app.send("QUERY", "/queries/get", &[JSON], input.as_bytes()),
    ];
    for reply in &replies {
        assert_eq!(reply.expect(200), json!({ "n": [1, 2.5, null] }));
        assert_eq!(reply.body, replies[0].body);
        assert_eq!(reply.header("content-type"), Some("application/json"));
        assert_eq!(reply.header("etag"), replies[0].header("etag"));
        assert_eq!(reply.header("chancery-sequence"), Some("2"));
        assert!(reply.header("server-timing").unwrap().contains("wasm;dur="));
    }
    let head = app.send("HEAD", "/queries/sum", &[], b"");
    let get = app.get("/queries/sum");
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("etag"), get.header("etag"));
    assert_eq!(head.header("content-length"), Some("1"));
}

#[test]
fn i7_whoever_has_a_receipt_sees_its_effects() {
    let server = Server::with(PATIENT);
    let app = probe(&server);
    for n in 1..=50 {
        let reply = app.command("add", &json!({ "key": "a", "amount": 1 }));
        let sequence = reply.header("chancery-sequence").unwrap().to_owned();
        let sum = server.app().get("/queries/sum");
        assert_eq!(sum.expect(200), json!(n));
        assert_eq!(sum.header("chancery-sequence"), Some(sequence.as_str()));
    }
    // One that was only logged has a sequence to wait for.
    let slow = start_slow_command(&app);
    let input = json!({ "key": "a", "amount": 1 });
    let accepted = app.command_with(new_id(), "add", &input, &[("prefer", "wait=0")]);
    let sequence = accepted.expect(202)["sequence"].as_u64().unwrap();
    let sum = app.get(&format!("/queries/sum?at_least={sequence}"));
    assert_eq!(sum.expect(200), json!(51));
    assert_eq!(receipt_at_location(&app, &slow)["status"], json!("succeeded"));
}

#[test]
fn a_client_waits_as_long_as_it_prefers() {
    let server = Server::with(PATIENT);
    let app = probe(&server);
    let spin = |prefer, iterations: u64| {
        let input = json!({ "iterations": iterations });
        app.command_with(new_id(), "spin", &input, &[("prefer", prefer)])
    };
    for prefer in ["wait=0", "respond-async"] {
        let accepted = spin(prefer, SLOW);
        let receipt = accepted.expect(202);
        assert_eq!(receipt["status"], json!("accepted"), "{prefer}");
        assert_eq!(accepted.header("preference-applied"), Some(prefer));
        assert_eq!(accepted.header("retry-after"), Some("1"));
        let receipt = receipt_at_location(&app, &accepted);
        assert_eq!(receipt["status"], json!("succeeded"));
    }
    let waited = spin("wait=30", SLOW);
    assert_eq!(waited.expect(200)["status"], json!("succeeded"));
    assert_eq!(waited.header("preference-applied"), Some("wait=30"));
    assert!(waited.header("server-timing").unwrap().contains("total;dur="));
}

#[test]
fn i2_a_replay_is_the_same_answer_and_says_so() {
    let server = Server::start();
    let app = probe(&server);
    let reject =
        json!({ "code": "no-way", "message": "No.", "details": { "a": 1 }, "event": null });
    let commands = [("add", json!({ "key": "a", "amount": 1 }), 200), ("reject", reject, 409)];
    let commands = commands.map(|(name, input, status)| (new_id(), name, input, status));
    let originals = commands.each_ref().map(|(id, name, input, status)| {
        let reply = app.command_with(*id, name, input, &[]);
        assert_eq!((reply.status, reply.header("idempotent-replayed")), (*status, None));
        reply
    });
    let replays = |app: &App| {
        for ((id, name, input, status), original) in commands.iter().zip(&originals) {
            let replay = app.command_with(*id, name, input, &[]);
            assert_eq!((replay.status, &replay.body), (*status, &original.body));
            assert_eq!(replay.header("idempotent-replayed"), Some("true"));
        }
        assert_eq!(app.ask("sum", &json!({})), json!(1), "it ran once");
    };
    replays(&app);
    let server = server.kill_and_restart();
    replays(&server.app());
    // Other white space and another order of members are the same command.
    let spaced = r#"{ "input" : {"amount":1 , "key":"a"}, "name":"add" }"#;
    let path = format!("/commands/{}", commands[0].0);
    let replay = server.app().send("PUT", &path, &[JSON], spaced.as_bytes());
    assert_eq!((replay.status, &replay.body), (200, &originals[0].body));
}

#[test]
fn an_idempotency_key_is_an_id_quoted_or_bare() {
    let server = Server::start();
    let app = probe(&server);
    let id = new_id();
    let body = json!({ "key": "a", "amount": 2 }).to_string();
    let post = |key: &str| {
        app.send("POST", "/commands/add", &[JSON, ("idempotency-key", key)], body.as_bytes())
    };
    let quoted = post(&format!("\"{id}\""));
    assert_eq!(quoted.expect(200)["id"], json!(id.to_string()));
    assert_eq!(quoted.header("idempotent-replayed"), None);
    let put = app.command_with(id, "add", &json!({ "key": "a", "amount": 2 }), &[]);
    for replay in [post(&id.to_string()), post(&id.to_string().to_uppercase()), put] {
        assert_eq!((replay.status, &replay.body), (200, &quoted.body));
        assert_eq!(replay.header("idempotent-replayed"), Some("true"));
    }
    // A command without a body has an empty input.
    let key = new_id().to_string();
    let calls = app.send("POST", "/commands/calls", &[("idempotency-key", &key)], b"");
    assert_eq!(calls.expect(200)["result"], json!(1));
}

#[test]
fn a_dry_run_says_what_would_be_and_keeps_nothing() {
    let server = Server::start();
    let app = probe(&server);
    add(&app, "a", 40);
    let before = app.sequence();
    let dry_run =
        |name, input: &Json, id| app.command_with(id, name, input, &[("prefer", "dry-run")]);
    let (id, input) = (new_id(), json!({ "key": "a", "amount": 2 }));
    let tried = dry_run("add", &input, id);
    assert_eq!(tried.header("preference-applied"), Some("dry-run"));
    assert_eq!(
        tried.expect(200),
        json!({
            "dry_run": true, "on": before, "status": "succeeded", "result": 42, "events": [],
            "changes": [{ "table": "counters", "key": "a", "value": 42 }],
        })
    );
    app.succeed("put", &json!({ "key": "gone", "value": 1 }));
    let deleted = dry_run("delete", &json!({ "key": "gone" }), new_id()).expect(200);
    let changes = json!([{ "table": "items", "key": "gone", "deleted": true }]);
    assert_eq!(deleted["changes"], changes);
    let event = json!({ "type": "thing.done", "subject": "thing/1", "data": { "n": 1 } });
    let emitted = dry_run("emit", &event, new_id()).expect(200);
    assert_eq!(emitted["events"][0]["type"], json!("thing.done"));
    let no = json!({ "code": "no-way", "message": "No.", "details": null, "event": null });
    let rejected = dry_run("reject", &no, new_id()).expect(200);
    assert_eq!(
        (&rejected["status"], &rejected["failure"]["code"]),
        (&json!("rejected"), &json!("no-way"))
    );

    assert_eq!(app.sequence(), before + 1, "only `put` was an entry");
    assert_eq!(app.get(&format!("/commands/{id}")).status, 404);
    assert_eq!(app.ask("sum", &json!({})), json!(40));
    // The id is still free, also for something else.
    let other = app.command_with(id, "add", &json!({ "key": "b", "amount": 1 }), &[]);
    assert_eq!(other.header("idempotent-replayed"), None);
    assert_eq!(other.expect(200)["result"], json!(1));
}

#[test]
fn sequences_of_another_history_are_gone() {
    let server = Server::start();
    let app = probe(&server);
    let history = app.get("").expect(200)["history"].as_str().unwrap().to_owned();
    for path in ["", "/queries/sum", "/tables", "/commands", "/modules"] {
        let ask = |history: &str| app.send("GET", path, &[("chancery-history", history)], b"");
        assert_eq!(ask(&history).header("chancery-history").unwrap_or(&history), history);
        assert_eq!(ask(&history).status, 200, "{path}");
        let changed = ask(&Uuid::now_v7().to_string());
        assert_eq!(changed.expect(410)["code"], json!("history-changed"), "{path}");
        assert_eq!(changed.json()["history"], json!(history));
        assert_eq!(ask("yesterday").code(), "invalid-request");
    }
    let before = app.sequence();
    let other = Uuid::now_v7().to_string();
    let input = json!({ "key": "a", "amount": 1 });
    let refused = app.command_with(new_id(), "add", &input, &[("chancery-history", &other)]);
    assert_eq!(refused.expect(410)["outcome"], json!("not-logged"));
    assert_eq!(app.sequence(), before);
    // It is the same after a restart, and another one in another app.
    let server = server.kill_and_restart();
    assert_eq!(server.app().get("").expect(200)["history"], json!(history));
    let second = server.client().put("/v1/apps/second", &json!({})).expect(201);
    assert_ne!(second["history"], json!(history));
}

#[test]
fn receipts_come_in_pages_by_status() {
    let server = Server::start();
    let app = probe(&server);
    let no = json!({ "code": "no-way", "message": "No.", "details": null, "event": null });
    for n in 0..30 {
        match n % 3 {
            0 => assert_eq!(app.command("reject", &no).status, 409),
            _ => drop(add(&app, "a", 1)),
        }
    }
    let pages = |status: &str, limit: usize| {
        let (mut sequences, mut next) = (Vec::new(), String::new());
        loop {
            let path = format!("/commands?limit={limit}{status}{next}");
            let page = app.get(&path).expect(200);
            let commands = page["commands"].as_array().unwrap();
            assert!(commands.len() <= limit);
            sequences.extend(commands.iter().map(chancery_tests::sequence_of));
            let Some(before) = page["next"].as_u64() else { return sequences };
            assert_eq!((commands.len(), sequences.last()), (limit, Some(&before)));
            next = format!("&before={before}");
        }
    };
    // The first entry is the deployment.
    let rejected: Vec<u64> = (0..30).filter(|n| n % 3 == 0).map(|n| n + 2).rev().collect();
    let succeeded: Vec<u64> = (1..=31).rev().filter(|n| !rejected.contains(n)).collect();
    for limit in [1, 7, 10, 1000] {
        assert_eq!(pages("&status=rejected", limit), rejected);
        assert_eq!(pages("&status=succeeded", limit), succeeded);
        assert_eq!(pages("&status=failed", limit), [0; 0]);
        assert_eq!(pages("", limit), (1..=31).rev().collect::<Vec<u64>>());
    }
    assert_eq!(app.get("/commands?limit=1001").code(), "invalid-request");
    assert_eq!(app.get("/commands?status=lost").code(), "invalid-request");
}

#[test]
fn tables_come_in_pages_and_keys_may_be_any_text() {
    let server = Server::start();
    let app = probe(&server);
    let keys =
        ["a/b", "a/b/c?d=e&f", "a b+c%25", "käse/日本語/🦀", "#", "~", "..", "a//b", "\"q\""];
    for key in keys {
        app.succeed("put", &json!({ "key": key, "value": key }));
        let path = format!("/tables/items/{}", percent_encoded(key));
        assert_eq!(app.get(&path).expect(200), json!(key), "{path}");
    }
    // A `/` may also come as it is.
    assert_eq!(app.get("/tables/items/a/b").expect(200), json!("a/b"));
    let none = app.get("/tables/items/a/c").expect(404);
    assert_eq!(none["code"], json!("unknown-key"));

    for n in 0..25 {
        app.succeed("put", &json!({ "key": format!("page/{n:02}"), "value": n }));
    }
    let (mut values, mut next) = (Vec::new(), String::new());
    loop {
        let page = app.get(&format!("/tables/items?prefix=page/&limit=10{next}")).expect(200);
        let rows = page["rows"].as_array().unwrap();
        values.extend(rows.iter().map(|row| row["value"].as_u64().unwrap()));
        let Some(after) = page["next"].as_str() else { break };
        next = format!("&after={}", percent_encoded(after));
    }
    assert_eq!(values, (0..25).collect::<Vec<_>>());
    let row = app.get("/tables/items?prefix=page/24").expect(200);
    assert_eq!(row["rows"], json!([{ "key": "page/24", "value": 24, "changed": app.sequence() }]));

    let tables = app.get("/tables").expect(200);
    let items = tables["tables"].as_array().unwrap().iter().find(|table| table["name"] == "items");
    let items = items.expect("the table");
    assert_eq!((&items["owner"], &items["rows"]), (&json!("probe"), &json!(keys.len() + 25)));
    let before = app.get(&format!("/tables/items?limit=1000&as_of={}", keys.len())).expect(200);
    assert_eq!(before["rows"].as_array().unwrap().len(), keys.len() - 1, "a past state");
}

#[test]
fn a_command_may_count_on_what_it_has_seen() {
    let server = Server::start();
    let app = probe(&server);
    app.succeed("put", &json!({ "key": "a", "value": 1 }));
    let basis = app.sequence();
    let submit = |condition: Json| {
        let input = json!({ "key": "z", "value": 0 });
        let body =
            json!({ "name": "put", "input": input, "basis": basis, "unchanged": [condition] });
        app.client.put(&format!("/v1/apps/main/commands/{}", new_id()), &body)
    };
    let on_key = json!({ "table": "items", "key": "a" });
    let on_prefix = json!({ "table": "items", "prefix": "b/" });
    assert_eq!(submit(on_key.clone()).status, 200);
    assert_eq!(submit(on_prefix.clone()).status, 200);
    app.succeed("put", &json!({ "key": "a", "value": 2 }));
    let stale = submit(on_key);
    assert_eq!((stale.status, stale.code()), (409, "stale".to_owned()));
    assert_eq!(stale.json()["outcome"], json!("executed"));
    assert_eq!(submit(on_prefix).status, 200);
}

/// Everything but letters and digits, which no router can take for its own.
fn percent_encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}
