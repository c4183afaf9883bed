//! Pages that use the server from a real browser, and pages that may not.
//!
//! The browser is Debian's chromium, which `cargo xtask test` installs. What a page saw it
//! posts to the test, which serves it.

mod site;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use chancery_tests::rig::PATIENCE;
use chancery_tests::{App, Server};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use site::Site;

/// What the page of an origin does that is configured.
const ALLOWED: &str = include_str!("browsers/allowed.html");
/// And that of one that is not.
const FOREIGN: &str = include_str!("browsers/foreign.html");

/// A browser that ends with the test, with all its processes.
struct Browser {
    child: Child,
    _profile: TempDir,
}

impl Browser {
    fn open(url: &str) -> Self {
        let profile = TempDir::new().expect("a directory");
        let mut chromium = Command::new("chromium");
        chromium
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
            .args(["--disable-quic", "--no-first-run", "--disable-background-networking"])
            .args(["--disable-component-update", "--disable-sync"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg(url)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0);
        let child = chromium
            .spawn()
            .unwrap_or_else(|error| panic!("chromium: {error}; `cargo xtask test` installs it"));
        Self { child, _profile: profile }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let group = format!("-{}", self.child.id());
        drop(Command::new("kill").args(["-KILL", "--", &group]).status());
        drop(self.child.wait());
    }
}

#[test]
fn a_page_of_another_origin_works_if_it_is_configured_and_else_does_nothing() {
    let (allowed, foreign) = (Site::open(), Site::open());
    let origins = format!("https://shop.example,{}", allowed.url());
    let server = Server::with(&["--cors-origins", &origins]);
    let app = server.app();
    app.deploy("shop");
    app.deploy("tally");
    let started = Instant::now();
    while app.get("/projections/tally").expect(200)["status"] != "live" {
        assert!(started.elapsed() < PATIENCE, "it is never built");
        thread::sleep(Duration::from_millis(10));
    }
    let steered = || entries(&app, |entry| entry["kind"] == "projection");
    let before = steered();
    app.succeed("add-product", &json!({ "product": "lamp", "name": "Lamp", "quantity": 2 }));
    let url = format!("http://{}", server.address());
    foreign.serve(&FOREIGN.replace("SERVER", &url));
    allowed.serve(&ALLOWED.replace("SERVER", &url).replace("FOREIGN", foreign.url()));

    let _browser = Browser::open(allowed.url());
    let saw = allowed.saw();
    assert_eq!(saw["error"], Json::Null, "{saw:#}");
    let receipt = &saw["receipt"];
    assert_eq!((&receipt["status"], &receipt["result"]["left"]), (&json!("succeeded"), &json!(1)));
    assert_eq!(saw["query"]["result"]["left"], 1, "it reads what it wrote: {saw:#}");
    assert_eq!(saw["query"]["sequence"], receipt["sequence"]);
    assert_eq!(saw["again"], saw["query"], "from what it has already (304)");
    assert_eq!(saw["seen"], json!([receipt["sequence"], saw["query"]["history"]]));
    assert_eq!(saw["event"]["type"], "order.placed");
    assert_eq!(saw["event"]["command_id"], receipt["id"]);
    assert_eq!(saw["live"], json!([1, 0]), "it is told of what changes");
    assert_eq!(saw["refused"], json!(["out-of-stock", "lamp"]));
    assert_eq!(saw["unknown"], json!(["unknown-command", "buy-product"]));

    let saw = foreign.saw();
    assert_eq!(saw["error"], Json::Null, "{saw:#}");
    for call in ["command", "query"] {
        assert_eq!(saw[call]["code"], "no-answer", "{saw:#}");
        let told = saw[call]["message"].as_str().expect("text");
        assert!(told.contains("`cors-origins`") && told.contains(foreign.url()), "{told}");
    }
    // These it could send, for what it could not read.
    assert_eq!((&saw["form"], &saw["plain"]), (&json!("opaque"), &json!("opaque")));
    let bought = entries(&app, |entry| entry["name"] == "buy-product");
    assert_eq!(bought, 3, "two that were sold, and the one that was not");
    assert_eq!(steered(), before);
    // Which would have done something.
    let _rebuilt = app.send("POST", "/projections/tally/rebuild", &[], &[]).expect(200);
    assert!(steered() > before);
}

/// How many entries of an app are of a kind.
fn entries(app: &App, is_meant: impl Fn(&Json) -> bool) -> usize {
    let page = app.get("/commands?limit=1000").expect(200);
    page["commands"].as_array().expect("a list").iter().filter(|entry| is_meant(entry)).count()
}

/// What is answered to a request as it stands.
fn raw(server: &Server, request: &str) -> String {
    let mut stream = TcpStream::connect(server.address()).expect("a connection");
    write!(stream, "{request}\r\nConnection: close\r\n\r\n").expect("it is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

#[test]
fn what_a_browser_is_talked_into_is_refused_before_it_is_looked_at() {
    let server = Server::with(&["--hosts", "shop.example"]);
    let (here, backup) = (
        server.address(),
        "POST /v1/apps/main/backup HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 0",
    );
    // A form on a page somewhere.
    let answer = raw(&server, &format!("{backup}\r\nHost: {here}\r\nOrigin: http://evil.example"));
    assert!(
        answer.starts_with("HTTP/1.1 403 ") && answer.contains("origin-not-allowed"),
        "{answer}"
    );
    // A page whose name leads here since a moment ago.
    let rebound = "Host: evil.example:7070\r\nOrigin: http://evil.example:7070";
    let answer = raw(&server, &format!("{backup}\r\n{rebound}"));
    assert!(answer.starts_with("HTTP/1.1 403 ") && answer.contains("host-not-allowed"), "{answer}");
    let answer = raw(&server, "GET /v1/apps HTTP/1.1\r\nHost: evil.example:7070");
    assert!(answer.starts_with("HTTP/1.1 403 ") && answer.contains("host-not-allowed"), "{answer}");
    assert!(!server.data().join("backups").exists());

    // Behind a proxy that passes on what it was asked for, and one that does not.
    let own = "Host: shop.example\r\nOrigin: https://shop.example";
    let answer = raw(&server, &format!("{backup}\r\n{own}"));
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    let other = format!("Host: {here}\r\nOrigin: https://shop.example");
    let get = "GET /v1/apps HTTP/1.1";
    assert!(raw(&server, &format!("{get}\r\n{other}")).starts_with("HTTP/1.1 403 "));
    let told = format!("{get}\r\n{other}\r\nSec-Fetch-Site: same-origin");
    assert!(raw(&server, &told).starts_with("HTTP/1.1 200 "));
}
