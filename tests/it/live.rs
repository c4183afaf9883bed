//! Live queries over HTTP: whatever a query reads, its client sees what becomes of it,
//! and of nothing else.

mod many;
mod turns;

use std::time::{Duration, Instant};

use chancery_tests::{App, Message, Server, Stream, chancery, guest};
use serde_json::{Value as Json, json};

/// How often handlers have run for live queries.
fn runs(app: &App) -> u64 {
    app.get("").expect(200)["live_queries"]["runs"].as_u64().expect("a number")
}

fn open(app: &App) -> u64 {
    app.get("").expect(200)["live_queries"]["open"].as_u64().expect("a number")
}

fn put(app: &App, key: &str, value: &Json) {
    app.succeed("put", &json!({ "key": key, "value": value }));
}

/// The next message, which has to be a result.
#[track_caller]
fn result(stream: &mut Stream) -> Json {
    let Message { name, data } = stream.message().expect("a message");
    assert_eq!(name, "result", "{data}");
    data
}

/// Waits until something holds.
#[track_caller]
fn until(what: impl Fn() -> bool) {
    let begun = Instant::now();
    while !what() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it does not come to that");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn probe() -> (Server, App) {
    let server = Server::start();
    let app = server.app();
    app.deploy("probe");
    (server, app)
}

#[test]
fn whatever_is_read_is_seen_when_it_changes_and_nothing_else_wakes() {
    let (server, app) = probe();
    for n in 0..5 {
        put(&app, &format!("a/{n}"), &json!(n));
    }
    let live = |name: &str, input: Json| Stream::query(&server, name, &input, "");
    let mut point = live("get", json!({ "key": "a/1" }));
    let mut absent = live("get", json!({ "key": "later" }));
    let mut each = live("each", json!({ "keys": ["a/2", "none"] }));
    let mut range = live("list", json!({ "prefix": "a/" }));
    let mut empty = live("list", json!({ "prefix": "b/" }));
    let mut count = live("count", json!({}));
    let mut sum = live("sum", json!({}));
    assert_eq!(result(&mut point), 1);
    assert_eq!(point.number(), app.sequence());
    assert_eq!(result(&mut absent), Json::Null);
    assert_eq!(result(&mut each), json!([2, null]));
    assert_eq!(result(&mut range).as_array().expect("rows").len(), 5);
    assert_eq!(result(&mut empty), json!([]));
    assert_eq!(result(&mut count), 5);
    assert_eq!(result(&mut sum), 0);
    assert_eq!((open(&app), runs(&app)), (7, 7));

    // A key in nobody's range but that of all keys.
    put(&app, "c", &json!(1));
    assert_eq!(result(&mut count), 6);
    assert_eq!(runs(&app), 8);
    // A key that is there is overwritten: how many there are is asked, and is the same.
    put(&app, "a/1", &json!("one"));
    assert_eq!(result(&mut point), "one");
    assert_eq!(point.number(), app.sequence());
    assert_eq!(result(&mut range)[1], json!(["a/1", "one"]));
    until(|| runs(&app) == 11);
    put(&app, "later", &json!("now"));
    assert_eq!((result(&mut absent), result(&mut count)), (json!("now"), json!(7)));
    put(&app, "none", &json!("some"));
    assert_eq!((result(&mut each), result(&mut count)), (json!([2, "some"]), json!(8)));
    put(&app, "b/7", &json!(7));
    assert_eq!((result(&mut empty), result(&mut count)), (json!([["b/7", 7]]), json!(9)));
    app.succeed("delete", &json!({ "key": "a/4" }));
    assert_eq!(result(&mut range).as_array().expect("rows").len(), 4);
    assert_eq!(result(&mut count), 8);
    assert_eq!(runs(&app), 19);

    // Of another table, and a command that changes nothing.
    app.succeed("add", &json!({ "key": "n", "amount": 3 }));
    assert_eq!(result(&mut sum), 3);
    app.succeed("spin", &json!({ "iterations": 1 }));
    let rejection = json!({ "code": "no", "message": "no" });
    assert_eq!(app.command("reject", &rejection).json()["code"], "no");
    put(&app, "a/1", &json!("last"));
    assert_eq!(
        (result(&mut point), result(&mut range)[1].clone()),
        (json!("last"), json!(["a/1", "last"]))
    );
    until(|| runs(&app) == 23);
    drop((point, absent, each, range, empty, count, sum));
    until(|| open(&app) == 0);
}

#[test]
fn who_reads_the_sequence_is_woken_by_every_entry() {
    let (server, app) = probe();
    let mut info = Stream::query(&server, "info", &json!({}), "");
    assert_eq!(result(&mut info)["sequence"], 1);
    app.succeed("spin", &json!({ "iterations": 1 }));
    assert_eq!(result(&mut info)["sequence"], 2);
    // The time of the request is another, but no entry changes it.
    let mut now = Stream::query(&server, "now", &json!({}), "");
    let first = result(&mut now);
    let before = runs(&app);
    put(&app, "a", &json!(1));
    assert_eq!(result(&mut info)["sequence"], 3);
    assert_eq!(runs(&app), before + 1);
    assert!(first.is_u64());
}

#[test]
fn rejections_and_failures_are_messages_and_the_query_goes_on() {
    let (server, app) = probe();
    app.deploy("bank");
    let input = json!({ "account": "ada" });
    let mut balance = Stream::query(&server, "balance", &input, "");
    let rejected = balance.message().expect("a message");
    assert_eq!(
        (rejected.name.as_str(), &rejected.data["code"]),
        ("rejected", &json!("unknown-account"))
    );
    assert_eq!(rejected.data["type"], "/errors/query-rejected");
    let account = json!({ "account": "ada", "owner": "Ada", "balance": 100 });
    app.succeed("open-account", &account);
    assert_eq!(result(&mut balance)["balance"], 100);

    // A table that no module has is watched until one has it.
    let mut later =
        Stream::query(&server, "of", &json!({ "table": "stock", "key": "\"lamp\"" }), "");
    let failed = later.message().expect("a message");
    assert_eq!((failed.name.as_str(), &failed.data["code"]), ("failed", &json!("unknown-table")));
    app.deploy("shop");
    assert_eq!(result(&mut later), Json::Null);
}

#[test]
fn a_deployment_asks_again_and_a_removal_ends_it() {
    let server = Server::start();
    let app = server.app();
    app.deploy("shop");
    app.succeed("add-product", &json!({ "product": "lamp", "name": "Lamp", "quantity": 3 }));
    let mut stock = Stream::query(&server, "stock-of", &json!({ "product": "lamp" }), "");
    assert_eq!(result(&mut stock)["price_cents"], Json::Null);
    assert_eq!(app.upload("shop", &guest("shop-v2")).status, 200);
    assert_eq!(result(&mut stock)["price_cents"], 1_000);
    // What it answers is the same, so there is no message.
    app.deploy("bank");
    assert_eq!(app.send("DELETE", "/modules/shop", &[], &[]).status, 200);
    let gone = stock.message().expect("a message");
    assert_eq!((gone.name.as_str(), &gone.data["code"]), ("gone", &json!("unknown-query")));
    assert!(stock.message().is_none(), "the answer has ended");
    until(|| open(&app) == 0);
}

#[test]
fn a_slow_reader_gets_the_last_state_in_few_messages() {
    const COMMANDS: usize = 400;
    let server = Server::with(&["--live-queries-rate", "1000"]);
    let app = server.app();
    app.deploy("probe");
    // Some 400 KiB for each message: more than lies between server and client.
    app.succeed("fill", &json!({ "prefix": "f/", "count": 200, "bytes": 2048 }));
    put(&app, "f/n", &json!(0));
    let mut stream = Stream::query(&server, "list", &json!({ "prefix": "f/" }), "");
    let n = |rows: Json| rows[200][1].as_u64().expect("a number");
    assert_eq!(n(result(&mut stream)), 0);
    for number in 1..=COMMANDS {
        put(&app, "f/n", &json!(number));
    }
    let mut messages = 0;
    loop {
        messages += 1;
        if n(result(&mut stream)) == COMMANDS as u64 {
            break;
        }
    }
    assert!(messages < COMMANDS / 2, "{messages}");
    assert!(runs(&app) <= messages as u64 + 2, "{} {messages}", runs(&app));
}

#[test]
fn it_is_asked_no_more_often_than_its_client_wants() {
    let (server, app) = probe();
    let mut stream = Stream::query(&server, "get", &json!({ "key": "n" }), "&max_rate=4");
    let begun = Instant::now();
    assert_eq!(result(&mut stream), Json::Null);
    const LAST: u64 = 300;
    for number in 1..=LAST {
        put(&app, "n", &json!(number));
    }
    while result(&mut stream) != LAST {}
    let runs = runs(&app) as f64;
    let allowed = begun.elapsed().as_secs_f64() * 4.0 + 2.0;
    assert!(runs <= allowed && runs >= 2.0, "{runs} {allowed}");
}

#[test]
fn the_end_of_the_server_ends_it() {
    let (mut server, _app) = probe();
    let mut stream = Stream::query(&server, "get", &json!({ "key": "n" }), "");
    assert_eq!(result(&mut stream), Json::Null);
    assert_eq!(server.terminate(), Some(0), "it does not wait for who listens");
    assert!(stream.message().is_none());
}

#[test]
fn it_is_asked_in_every_way_that_queries_are() {
    let (server, app) = probe();
    put(&app, "k", &json!({ "a": 1 }));
    let sequence = app.sequence();
    let more = format!("&at_least={sequence}&max_rate=20");
    let mut stream = Stream::query(&server, "get", &json!({ "key": "k" }), &more);
    assert_eq!(result(&mut stream), json!({ "a": 1 }));
    // What came last is not sent again to who comes back: it is the present that counts.
    let path = "/queries/count";
    let mut again = Stream::open(&server, path, Some(&stream.id));
    assert_eq!(result(&mut again), 1);
    let body = json!({ "key": "k" }).to_string();
    for method in ["POST", "QUERY"] {
        let mut other = Stream::request(&server, method, "/queries/get", None, &body);
        assert_eq!(result(&mut other), json!({ "a": 1 }), "{method}");
    }
    let status = |method: &str, path: &str, accept: &str| {
        app.send(method, path, &[("accept", accept)], &[]).status
    };
    assert_eq!(status("HEAD", path, "text/event-stream"), 200);
    // What the client names first counts.
    assert_eq!(status("GET", path, "application/json, text/event-stream"), 200);
    drop((stream, again));
    until(|| open(&app) == 0);
}

#[test]
fn the_command_line_shows_each_result_until_there_is_no_more() {
    let server = Server::start();
    let app = server.app();
    app.deploy("shop");
    app.succeed("add-product", &json!({ "product": "lamp", "name": "Lamp", "quantity": 3 }));
    let url = format!("http://{}", server.address());
    let shown = std::thread::spawn(move || {
        let line = ["query", "stock-of", "product=lamp", "--live", "--json", "--server", &url];
        chancery(&line)
    });
    until(|| runs(&app) == 1);
    app.succeed("buy-product", &json!({ "product": "lamp" }));
    until(|| runs(&app) == 2);
    assert_eq!(app.send("DELETE", "/modules/shop", &[], &[]).status, 200);
    let output = shown.join().expect("it ends");
    let text = String::from_utf8(output.stdout).expect("text");
    let lines: Vec<Json> =
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let [first, second, gone] = &lines[..] else { panic!("{text}") };
    assert_eq!((&first["sequence"], &first["result"]["left"]), (&json!(2), &json!(3)));
    assert_eq!((&second["sequence"], &second["result"]["left"]), (&json!(3), &json!(2)));
    assert_eq!((output.status.code(), &gone["code"]), (Some(3), &json!("unknown-query")));
}

#[test]
fn what_cannot_be_live_is_refused() {
    let server = Server::with(&["--live-queries-max", "1"]);
    let app = server.app();
    app.deploy("probe");
    let refused = |path: &str, id: &str, status: u16, code: &str| {
        let mut headers = vec![("accept", "text/event-stream")];
        if !id.is_empty() {
            headers.push(("last-event-id", id));
        }
        let reply = app.send("GET", &format!("/queries/{path}"), &headers, &[]);
        assert_eq!((reply.status, reply.code()), (status, code.to_owned()), "{path}");
        reply
    };
    refused("count?as_of=1", "", 400, "invalid-request");
    refused("count?max_rate=0", "", 400, "invalid-request");
    refused("count?max_rate=21", "", 400, "invalid-request");
    refused("count?rate=1", "", 400, "invalid-request");
    refused("count?at_least=9", "", 422, "sequence-ahead");
    refused("coutn", "", 404, "unknown-query");
    refused("get", "", 422, "invalid-input");
    refused("count", "7", 400, "invalid-request");
    refused("count", "01939d3c-1f5e-7cc2-a1a6-0d6f3cb9a3d1/1", 410, "history-changed");
    assert_eq!(app.get("/queries/count?max_rate=1").code(), "invalid-request", "not live");
    let mut one = Stream::query(&server, "count", &json!({}), "");
    assert_eq!(result(&mut one), 0);
    let busy = refused("count", "", 503, "busy");
    assert!(busy.header("retry-after").is_some());
    assert_eq!(app.ask("count", &json!({})), 0, "others are asked");
    drop(one);
    until(|| open(&app) == 0);
    let mut two = Stream::query(&server, "count", &json!({}), "");
    assert_eq!(result(&mut two), 0);
}
