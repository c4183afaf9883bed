//! The command line against a real server: what people see of events and of what follows
//! from them, what programs see, and how each run ends.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, ChildStdout};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chancery_tests::{App, Server, chancery_running};
use serde_json::{Value as Json, json};

/// How long a server may take to do what is due.
const PATIENCE: Duration = Duration::from_secs(60);

#[track_caller]
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn emit(app: &App, event_type: &str, subject: &str) {
    app.succeed("emit", &json!({ "type": event_type, "subject": subject, "data": {} }));
}

/// What a run says that ends well.
#[track_caller]
fn done(server: &Server, line: &str) -> String {
    let (exit, said) = server.cli(&line.split(' ').collect::<Vec<_>>());
    assert_eq!(exit, 0, "{line}: {said}");
    said
}

/// The one document of a run that ends well.
#[track_caller]
fn document(server: &Server, line: &str) -> Json {
    let said = done(server, &format!("--json {line}"));
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{line}: {error}: {said}"))
}

/// What a run says that ends with this exit code, and with this code as a problem.
#[track_caller]
fn refused(server: &Server, line: &str, exit: i32, code: &str) {
    let arguments: Vec<_> = line.split(' ').collect();
    let (found, said) = server.cli(&arguments);
    assert!(found == exit && said.contains(code), "{line}: exit {found}: {said}");
}

#[test]
fn consumers_are_made_read_from_and_removed() {
    let server = Server::start();
    let app = server.app();
    app.deploy("probe");
    for n in 0..6 {
        emit(&app, ["order.paid", "stock.low"][n % 2], "s");
    }
    assert_eq!(done(&server, "consumers").trim(), "none");
    let said = done(&server, "consumers put mails --type order.* --type mail.** --subject s");
    assert!(said.contains("mails is at event 0") && said.contains("order.*, mail.**"), "{said}");
    assert!(said.contains("about s"), "{said}");
    let said = done(&server, "consumers");
    assert!(said.contains("CONSUMER") && said.contains("mails"), "{said}");
    let said = done(&server, "consumers fetch mails --limit 2");
    assert!(said.contains("order.paid") && !said.contains("stock.low"), "{said}");
    assert!(said.contains("then: chancery consumers ack mails 3"), "{said}");
    let batch = document(&server, "consumers fetch mails --wait 30");
    let positions: Vec<_> = batch["events"].as_array().expect("events").iter().collect();
    assert_eq!(positions.len(), 3, "nobody has acknowledged the first two");
    assert_eq!(batch["acknowledge"], 6);
    let said = done(&server, "consumers ack mails 6");
    assert!(said.contains("mails is at event 6"), "{said}");
    assert_eq!(document(&server, "consumers show mails")["lag"], 0);
    assert_eq!(document(&server, "consumers put mails --after 3")["position"], 3);
    assert_eq!(document(&server, "consumers")["consumers"][0]["types"], json!([]));

    refused(&server, "consumers ack mails 7", 3, "event-ahead");
    refused(&server, "consumers put mails --type a..b", 3, "invalid-request");
    refused(&server, "consumers put mails --after 99", 3, "event-ahead");
    refused(&server, "consumers fetch mail", 3, "unknown-consumer");
    refused(&server, "consumers ack mails", 2, "POSITION");
    refused(&server, "consumers fetch mails --wait 61", 2, "--wait");
    assert_eq!(document(&server, "consumers remove mails"), json!({ "removed": "mails" }));
    refused(&server, "consumers show mails", 3, "unknown-consumer");
    assert!(done(&server, "consumers put mails").contains("at event 0"), "it begins anew");
    assert!(done(&server, "consumers remove mails").contains("removed mails"));
}

#[test]
fn timers_are_listed_shown_and_cancelled() {
    let server = Server::start();
    let app = server.app();
    app.deploy("probe");
    assert_eq!(done(&server, "timers").trim(), "none");
    let later = document(&server, "command add key=a amount=1 --at 2999-12-31T23:59:59Z");
    let id = later["result"]["timer"].as_str().expect("an id").to_owned();
    let sooner = document(&server, "command add key=b amount=1 --at 2100-01-01T00:00:00Z");
    let sooner = sooner["result"]["timer"].as_str().expect("an id");

    let page = done(&server, "timers --limit 1");
    assert!(page.contains(sooner) && !page.contains(&id) && page.contains("2100-01-01"), "{page}");
    let (_, after) = page.split_once("more: --after ").expect("there are more");
    let page = done(&server, &format!("timers --after {}", after.trim().trim_matches('\'')));
    assert!(page.contains(&id) && !page.contains(sooner) && !page.contains("more"), "{page}");
    let said = done(&server, &format!("timers {id}"));
    for part in ["2999-12-31T23:59:59", "add", r#"{"amount":1,"key":"a"}"#, &id] {
        let other = r#"{"key":"a","amount":1}"#;
        assert!(said.contains(part) || said.contains(other), "{part}: {said}");
    }
    assert_eq!(document(&server, "timers")["count"], 2);

    let said = done(&server, &format!("timers {id} --cancel"));
    assert!(said.contains(&format!("cancelled {id}")), "{said}");
    refused(&server, &format!("timers {id} --cancel"), 3, "unknown-timer");
    refused(&server, &format!("timers {id}"), 3, "unknown-timer");
    refused(&server, "timers --cancel", 2, "TIMER");
    refused(&server, "timers soon", 2, "soon");
    refused(&server, "command add key=a amount=1 --at tomorrow", 3, "/at");

    // In the past means at once, and what has fired is a command like any other.
    let fired = document(&server, "command add key=c amount=1 --at 1999-12-31T23:59:59Z");
    let fired = fired["result"]["timer"].as_str().expect("an id").to_owned();
    until("it fires", || app.get(&format!("/commands/{fired}")).status == 200);
    let receipt = document(&server, &format!("commands {fired} --wait 60"));
    assert_eq!(receipt["status"], "succeeded");
    refused(&server, &format!("timers {fired} --cancel"), 3, "unknown-timer");
}

#[test]
fn reactions_and_dead_letters_are_looked_after() {
    let server = Server::with(&["--reaction-retries", "0"]);
    let app = server.app();
    assert_eq!(done(&server, "dead-letters").trim(), "none");
    app.deploy("follower");
    for _ in 0..3 {
        emit(&app, "react.wait", "s");
    }
    let of = |server: &Server, name: &str| {
        let list = document(server, "reactions");
        let mut all = list["reactions"].as_array().expect("a list").iter();
        all.find(|reaction| reaction["name"] == name).cloned().expect("it is there")
    };
    until("they are left behind", || {
        let found = of(&server, "waits-for-leave");
        (&found["dead"], &found["waiting"]) == (&json!(1), &json!(2))
    });
    let said = done(&server, "reactions");
    assert!(said.contains("waits-for-leave") && said.contains("the last event is 3"), "{said}");

    let said = done(&server, "dead-letters --reaction waits-for-leave --limit 2");
    assert!(said.contains("dead") && said.contains("not-allowed") && said.contains("waiting"));
    assert!(said.contains("more: --after "), "{said}");
    let page = document(&server, "dead-letters");
    assert_eq!(page["dead_letters"].as_array().map(Vec::len), Some(3));
    let said = done(&server, "dead-letters show waits-for-leave 1");
    assert!(said.contains("1, react.wait s") && said.contains("(not-allowed)"), "{said}");

    refused(&server, "dead-letters retry waits-for-leave 2", 3, "letter-waits");
    refused(&server, "dead-letters retry waits-for-leave 9", 3, "unknown-dead-letter");
    refused(&server, "dead-letters show waits-for-live 1", 3, "waits-for-leave");
    refused(&server, "dead-letters show waits-for-leave first", 2, "first");
    refused(&server, "reactions --drop works", 3, "reaction-in-use");

    let said = done(&server, "dead-letters drop waits-for-leave 2");
    assert!(said.contains("drop: waits-for-leave 2"), "{said}");
    app.succeed("allow", &json!("s"));
    let said = done(&server, "dead-letters retry waits-for-leave 1");
    assert!(said.contains("retry: waits-for-leave 1"), "{said}");
    until("they are handled", || of(&server, "waits-for-leave")["dead"] == json!(0));
    until("what follows is", || app.ask("notes", &json!({})).as_array().map(Vec::len) == Some(2));
    assert_eq!(done(&server, "dead-letters").trim(), "none");
    // Of a module that is gone the place can be dropped.
    assert_eq!(app.send("DELETE", "/modules/follower", &[], &[]).status, 200);
    let said = done(&server, "reactions --drop works");
    assert!(said.contains("dropped works"), "{said}");
    refused(&server, "reactions --drop works", 3, "unknown-reaction");
}

#[test]
fn events_are_listed_and_what_cannot_be_is_told() {
    let server = Server::start();
    let app = server.app();
    app.deploy("probe");
    for n in 0..5 {
        emit(&app, ["order.paid", "stock.low"][n % 2], &format!("s/{n}"));
    }
    let said = done(&server, "events --limit 2");
    assert!(said.contains("order.paid") && said.contains("more: --after 2"), "{said}");
    let said = done(&server, "events --newest --limit 2");
    assert!(said.contains("s/4") && said.contains("more: --before 4"), "{said}");
    let said = done(&server, "events --type order.* --subject s/2");
    assert!(said.contains("s/2") && !said.contains("s/0"), "{said}");
    let event = document(&server, "events 3");
    let id = event["id"].as_str().expect("an id");
    assert_eq!(document(&server, &format!("events {id}")), event);
    let said = done(&server, &format!("events {id}"));
    assert!(said.contains("3 order.paid") && said.contains("s/2"), "{said}");
    refused(&server, "events 6", 3, "unknown-event");
    refused(&server, "events six", 3, "invalid-request");
    refused(&server, "events --type order..paid", 3, "invalid-request");
    refused(&server, "events --type order..paid --follow", 3, "invalid-request");
    refused(&server, "events --after 6", 3, "event-ahead");
    refused(&server, "events --after 6 --follow", 3, "event-ahead");
    refused(&server, "events --from noon", 3, "invalid-request");
    refused(&server, "events --limit 0", 2, "--limit");
    refused(&server, "events 3 --newest", 2, "--newest");
    refused(&server, "events --follow --newest", 2, "--newest");
}

/// An address that stays while servers come and go behind it.
struct Door {
    address: String,
    server: Arc<Mutex<String>>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Door {
    fn to(server: &Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let server = Arc::new(Mutex::new(server.address().to_owned()));
        let open = Arc::<Mutex<Vec<TcpStream>>>::default();
        let (to, through) = (Arc::clone(&server), Arc::clone(&open));
        // Ends with the process.
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = to.lock().expect("whole").clone();
                let Ok(server) = TcpStream::connect(server) else { continue };
                for (mut from, mut to) in [(&client, &server), (&server, &client)]
                    .map(|(from, to)| (from.try_clone().expect("a"), to.try_clone().expect("b")))
                {
                    std::thread::spawn(move || {
                        drop(std::io::copy(&mut from, &mut to));
                        drop(to.shutdown(Shutdown::Both));
                    });
                }
                through.lock().expect("whole").push(client);
            }
        });
        Self { address, server, open }
    }

    /// Whoever is in it is thrown out, and finds another server when coming back.
    fn lead_to(&self, server: &Server) {
        server.address().clone_into(&mut self.server.lock().expect("whole"));
        self.shut();
    }

    fn shut(&self) {
        for client in self.open.lock().expect("whole").drain(..) {
            drop(client.shutdown(Shutdown::Both));
        }
    }
}

/// A run that goes on until it is killed.
struct Running {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Running {
    fn follow(address: &str, arguments: &[&str]) -> Self {
        let url = format!("http://{address}");
        let follow = ["--server", &url, "events", "--follow"];
        let mut child = chancery_running(&[&follow, arguments].concat());
        let stdout = child.stdout.take().expect("it is piped");
        Self { child, lines: BufReader::new(stdout) }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.lines.read_line(&mut line).expect("text") > 0, "it has ended");
        line
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn who_follows_goes_on_where_it_was_whatever_becomes_of_connection_and_server() {
    const EACH: u64 = 20;
    let mut server = Server::start();
    server.app().deploy("probe");
    emit(&server.app(), "before.it", "s");
    let door = Door::to(&server);
    let mut people = Running::follow(&door.address, &["--type", "thing.*"]);
    let mut programs = Running::follow(&door.address, &["--json"]);
    let first: Json = serde_json::from_str(&programs.line()).expect("one event a line");
    assert_eq!((&first["position"], &first["type"]), (&json!(1), &json!("before.it")));
    let mut position = 1;
    for round in 0..4 {
        let app = server.app();
        for n in 0..EACH {
            emit(&app, "thing.done", &format!("{round}/{n}"));
            if n == EACH / 2 {
                door.shut();
            }
        }
        for n in 0..EACH {
            position += 1;
            let event: Json = serde_json::from_str(&programs.line()).expect("one event a line");
            assert_eq!(event["position"], position, "each once, in order");
            let line = people.line();
            assert!(line.contains(&format!("{round}/{n}")), "{line}");
            assert!(line.starts_with(&position.to_string()), "{line}");
        }
        server = server.kill_and_restart();
        door.lead_to(&server);
    }
}

#[test]
fn who_follows_and_is_refused_ends() {
    // Something that is no Chancery server.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let answering = std::thread::spawn(move || {
        let (mut client, _) = listener.accept().expect("a connection");
        drop(client.read(&mut [0; 1024]));
        client.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\nno").expect("sent");
    });
    let mut running = Running::follow(&address, &[]);
    assert_eq!(running.child.wait().expect("it ends").code(), Some(3));
    answering.join().expect("it was asked");
}
