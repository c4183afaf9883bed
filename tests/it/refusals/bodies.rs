//! Bodies and inputs that are too long, no JSON, or not what a handler takes.

use chancery_tests::{App, Reply, new_id};
use serde_json::{Value as Json, json};

use super::{JSON, Site, assert_names};

#[test]
fn i12_bodies_over_their_limit_are_refused_whether_announced_or_not() {
    let site = Site::with(&["--upload-max", "1MiB"]);
    let id = new_id();
    let command = format!("PUT /v1/apps/main/commands/{id}");
    let by_name = "POST /v1/apps/main/commands/add".to_owned();
    let query = "POST /v1/apps/main/queries/echo".to_owned();
    let upload = "PUT /v1/apps/main/modules/shop".to_owned();
    let (json, wasm) = ("application/json", "application/wasm");
    let cases = [
        (command, json, 1 << 20, "body-too-large"),
        (by_name, json, 1 << 20, "body-too-large"),
        (query, json, 256 << 10, "body-too-large"),
        (upload, wasm, 1 << 20, "upload-too-large"),
    ];
    for (request, media_type, bytes_max, code) in cases {
        let head = format!(
            "{request} HTTP/1.1\r\nContent-Type: {media_type}\r\nIdempotency-Key: {}",
            new_id()
        );
        // Not a byte of the body is needed to see that it is too long.
        let announced = format!("{head}\r\nContent-Length: {}", bytes_max + 1);
        // Its length shows only as it comes; it never ends.
        let chunked = format!("{head}\r\nTransfer-Encoding: chunked");
        let chunk = format!("{:x}\r\n{}", bytes_max + 1, " ".repeat(bytes_max + 1));
        for (head, body) in [(announced, ""), (chunked, chunk.as_str())] {
            let ask = |app: &App| app.client.send_raw(&head, body.as_bytes()).expect("an answer");
            let refused = site.refusal(ask, 413, code);
            assert_eq!(refused["bytes_max"], json!(bytes_max), "{request}");
            assert_names(&refused, &[&bytes_max.to_string()]);
            let is_query = request.contains("/queries/");
            assert_eq!(refused["outcome"].is_null(), is_query, "{refused}");
        }
    }
    assert_eq!(site.app.get(&format!("/commands/{id}")).status, 404);
    site.assert_unharmed();
}

#[test]
fn what_is_not_json_is_refused_with_its_offset() {
    let site = Site::start();
    let id = new_id();
    let key = id.to_string();
    let put = |text: &str| {
        let path = format!("/commands/{id}");
        site.not_logged(|app| app.send("PUT", &path, &[JSON], text.as_bytes()), 400, "not-json")
    };
    let post = |text: &str| {
        let headers = [JSON, ("idempotency-key", key.as_str())];
        let ask = |app: &App| app.send("POST", "/commands/add", &headers, text.as_bytes());
        site.not_logged(ask, 400, "not-json")
    };
    let query = |text: &str| {
        let ask = |app: &App| app.send("POST", "/queries/get", &[JSON], text.as_bytes());
        site.refusal(ask, 400, "not-json")
    };
    let cases: [(Json, usize); 6] = [
        (put(r#"{"name": "add", "input": {"key": oops}}"#), 33),
        (put("{\n  \"name\": \"add\",\n  \"input\": [1, 2}\n}"), 35),
        (put(r#"{"name": "add"} trailing"#), 16),
        (post(r#"{"key": "a", "amount": 1"#), 24),
        (query(r#"{"key" "a"}"#), 7),
        (query("nonsense"), 1),
    ];
    for (refused, offset) in cases {
        assert_eq!(refused["offset"], json!(offset), "{refused}");
        assert_names(&refused, &[&format!("at byte {offset}")]);
    }
    let in_path = site.refusal(|app| app.get("/queries/get?input=%7B%22key%22"), 400, "not-json");
    assert_eq!(in_path["offset"], json!(6));
    let not_utf8 = |app: &App| app.send("POST", "/queries/get", &[JSON], b"{\"key\": \"\xff\"}");
    assert_eq!(site.refusal(not_utf8, 400, "not-json")["offset"], json!(9));
    site.assert_unharmed();
}

#[test]
fn input_that_does_not_fit_is_refused_with_a_pointer_to_each_place() {
    let site = Site::start();
    site.app.deploy("bank");
    site.app.deploy("movies");
    let command = |name: &'static str, input: Json| {
        site.not_logged(|app| app.command(name, &input), 422, "invalid-input")
    };
    let query = |name: &'static str, input: Json| {
        site.refusal(|app| app.query(name, &input), 422, "invalid-input")
    };
    let cases = [
        (command("add", json!({ "key": "a", "amount": "much" })), "/amount"),
        (command("add", json!({ "key": 7, "amount": 1 })), "/key"),
        (command("add", json!([])), ""),
        (command("transfer", json!({ "from": "a", "to": "b", "amount": 0 })), "/amount"),
        (command("transfer", json!({ "from": "a", "to": "b", "amount": -1 })), "/amount"),
        (command("load-movies", json!({ "movies": [{}, { "Title": [] }] })), "/movies/1/Title"),
        (query("get", json!({ "key": null })), "/key"),
        (query("top-rated", json!({ "limit": 1001 })), "/limit"),
    ];
    for (refused, pointer) in cases {
        let errors = refused["errors"].as_array().expect("a list");
        let at = errors.iter().find(|error| error["pointer"] == json!(pointer));
        let at = at.unwrap_or_else(|| panic!("`{pointer}` is not in {refused}"));
        assert!(!at["detail"].as_str().expect("a text").is_empty());
    }
    let missing = command("add", json!({ "key": "a" }));
    assert!(missing["errors"][0]["detail"].as_str().unwrap().contains("amount"), "{missing}");
    site.assert_unharmed();
}

#[test]
fn an_envelope_with_a_wrong_member_is_told_which() {
    let site = Site::start();
    let cases = [
        (json!({ "input": {} }), "name"),
        (json!({ "name": 7 }), "name"),
        (json!({ "name": "add", "basis": "yesterday" }), "basis"),
        (json!({ "name": "add", "unchanged": [{ "table": "items" }] }), "unchanged/0"),
        (json!({ "name": "add", "metadata": [] }), "metadata"),
        (json!({ "name": "add", "inputs": {} }), "inputs"),
        (json!(["add"]), "body"),
    ];
    for (body, member) in cases {
        let path = format!("/v1/apps/main/commands/{}", new_id());
        let ask = |app: &App| -> Reply { app.client.put(&path, &body) };
        assert_names(&site.not_logged(ask, 400, "invalid-request"), &[member]);
    }
    site.assert_unharmed();
}

#[test]
fn bodies_of_another_type_are_refused() {
    let site = Site::start();
    let path = format!("/commands/{}", new_id());
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let gzip = [JSON, ("content-encoding", "gzip")];
    let script = [("content-type", "application/typescript")];
    let code = "unsupported-media-type";
    let refused = site.not_logged(|app| app.send("PUT", &path, &form, b"name=add"), 415, code);
    assert_names(&refused, &["x-www-form-urlencoded", "`application/json`"]);
    let refused = site.not_logged(|app| app.send("PUT", &path, &gzip, b"\x1f\x8b"), 415, code);
    assert_names(&refused, &["Content-Encoding"]);
    let refused = site.refusal(|app| app.send("POST", "/queries/get", &form, b"key=a"), 415, code);
    assert_names(&refused, &["`application/json`"]);
    let upload = |app: &App| app.send("PUT", "/modules/shop", &script, b"export {}");
    assert_names(&site.not_logged(upload, 415, code), &["`application/wasm`", "`text/javascript`"]);
    site.assert_unharmed();
}
