//! What followed from what, as a tree, over HTTP and on the command line.

use chancery_tests::{App, Server, Uuid, chancery, new_id};
use serde_json::{Value as Json, json};

fn emit(app: &App, chain: Option<&str>, cause: Option<&str>, event_type: &str) -> (Uuid, String) {
    let id = new_id();
    let body = json!({
        "name": "emit",
        "input": { "type": event_type, "data": { "of": event_type }, "subject": "order/1" },
        "correlation_id": chain,
        "causation_id": cause,
    });
    let headers = [("content-type", "application/json")];
    let reply = app.send("PUT", &format!("/commands/{id}"), &headers, body.to_string().as_bytes());
    let event = reply.expect(200)["events"][0]["id"].as_str().expect("an event").to_owned();
    (id, event)
}

/// Level and name of each item.
fn shape(trace: &Json) -> Vec<(u64, String)> {
    let items = trace["items"].as_array().expect("items").iter();
    let shape = items.map(|item| {
        let name = [&item["command"]["id"], &item["event"]["type"]];
        let name = name.iter().find_map(|name| name.as_str()).expect("a name");
        (item["level"].as_u64().expect("a level"), name.to_owned())
    });
    shape.collect()
}

#[test]
fn a_trace_is_the_tree_of_what_followed() {
    let mut server = Server::start();
    let app = server.app();
    app.deploy("probe");
    let (first, placed) = emit(&app, None, None, "order.placed");
    let chain = first.to_string();
    let (reserve, reserved) = emit(&app, Some(&chain), Some(&placed), "stock.reserved");
    let (pay, _) = emit(&app, Some(&chain), Some(&reserved), "payment.taken");
    let (note, _) = emit(&app, Some(&chain), Some(&placed), "note.written");
    let (other, _) = emit(&app, None, Some(&placed), "other.one");
    // Causes that are nothing, or come later, begin a tree of their own.
    let (stray, _) = emit(&app, Some(&chain), Some("no such thing"), "stray.one");
    let expected = |level: u64, name: &dyn std::fmt::Display| (level, name.to_string());
    let tree = vec![
        expected(0, &first),
        expected(1, &"order.placed"),
        expected(2, &reserve),
        expected(3, &"stock.reserved"),
        expected(4, &pay),
        expected(5, &"payment.taken"),
        expected(2, &note),
        expected(3, &"note.written"),
        expected(0, &stray),
        expected(1, &"stray.one"),
    ];
    let trace = app.get(&format!("/trace/{chain}")).expect(200);
    assert_eq!(shape(&trace), tree);
    assert_eq!((&trace["truncated"], &trace["correlation_id"]), (&json!(false), &json!(chain)));
    let command = &trace["items"][2]["command"];
    assert_eq!((&command["name"], &command["status"]), (&json!("emit"), &json!("succeeded")));
    assert_eq!(command["causation_id"], json!(placed));
    assert_eq!(command["reaction"], json!(null), "a client sent it");
    assert_eq!(shape(&app.get(&format!("/trace/{other}")).expect(200)).len(), 2);
    let unknown = app.get("/trace/nothing");
    assert_eq!((unknown.status, unknown.code()), (404, "unknown-trace".to_owned()));
    // The same after a restart, and for people.
    assert_eq!(server.terminate(), Some(0));
    let server = server.restart();
    assert_eq!(shape(&server.app().get(&format!("/trace/{chain}")).expect(200)), tree);
    let url = format!("http://{}", server.address());
    let shown = chancery(&["trace", &chain, "--server", &url]);
    let text = String::from_utf8(shown.stdout).expect("text");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), tree.len(), "{text}");
    assert!(lines[0].starts_with('#') && lines[0].contains("emit: succeeded"), "{text}");
    assert!(lines[1].starts_with("  • order.placed order/1  @1"), "{text}");
    assert!(lines[4].starts_with("        #"), "{text}");
    let events = chancery(&["events", "--type", "order.*", "--server", &url]);
    let text = String::from_utf8(events.stdout).expect("text");
    assert!(text.lines().nth(1).expect("a row").contains("order.placed"), "{text}");
}

#[test]
fn what_was_scheduled_is_below_what_scheduled_it() {
    let server = Server::start();
    let app = server.app();
    app.deploy("probe");
    let id = new_id();
    let body = json!({ "name": "put", "input": { "key": "a", "value": 1 }, "at": 0 });
    let headers = [("content-type", "application/json")];
    let path = format!("/commands/{id}");
    let receipt = app.send("PUT", &path, &headers, body.to_string().as_bytes()).expect(200);
    let timer = receipt["result"]["timer"].as_str().expect("an id").to_owned();
    while app.get(&format!("/commands/{timer}")).status != 200 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let trace = app.get(&format!("/trace/{id}")).expect(200);
    assert_eq!(shape(&trace), [(0, id.to_string()), (1, timer)]);
    assert!(trace["items"][0]["command"]["schedules_for"].is_string(), "{trace}");
    assert!(trace["items"][1]["command"]["scheduled_for"].is_string(), "{trace}");
}
