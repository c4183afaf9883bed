//! `chancery dev`: what is saved is served, with the state kept, and what is broken is not.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout};

use chancery_tests::{App, Client, chancery, chancery_running, guest, terminate};
use serde_json::{Value as Json, json};

/// A run of `chancery dev` that ends with the test, and what it says, line by line.
pub(crate) struct Dev {
    child: Child,
    lines: BufReader<ChildStdout>,
    pub(crate) app: App,
}

impl Dev {
    pub(crate) fn on(path: &Path) -> Self {
        let path = path.to_str().expect("text");
        let mut child = chancery_running(&["--json", "dev", path, "--listen", "127.0.0.1:0"]);
        let mut lines = BufReader::new(child.stdout.take().expect("it is piped"));
        let serving = document(&mut lines);
        assert_eq!(serving["type"], "serving", "{serving}");
        let address = serving["address"].as_str().expect("an address").to_owned();
        let app = App::new(Client::new(address.trim_start_matches("http://")), "main");
        Self { child, lines, app }
    }

    /// The next thing that is said of this kind, whatever comes before it.
    #[track_caller]
    pub(crate) fn next(&mut self, kind: &str) -> Json {
        loop {
            let document = document(&mut self.lines);
            if document["type"] == kind {
                return document;
            }
            assert_ne!(document["type"], "ended", "{kind} never came");
        }
    }

    pub(crate) fn end(mut self) {
        terminate(self.child.id());
        assert_eq!(self.next("ended")["type"], "ended");
        assert_eq!(self.child.wait().expect("it ends").code(), Some(0));
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn document(lines: &mut impl BufRead) -> Json {
    let mut line = String::new();
    assert!(lines.read_line(&mut line).expect("text") > 0, "it has ended");
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

/// Saves a file as editors do: a draft that is moved into place.
pub(crate) fn save(path: &Path, bytes: &[u8]) {
    let draft = path.with_extension("draft");
    fs::write(&draft, bytes).expect("a file");
    fs::rename(draft, path).expect("it is moved");
}

fn shop(directory: &Path) -> PathBuf {
    let path = directory.join("shop.wasm");
    fs::write(&path, guest("shop")).expect("a file");
    path
}

#[test]
fn what_is_saved_is_served_and_the_state_is_kept() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = shop(directory.path());
    let mut dev = Dev::on(&path);
    let first = dev.next("live");
    assert_eq!((&first["module"], &first["unchanged"]), (&json!("shop"), &json!(false)));
    let lamps = json!({ "product": "lamp", "name": "Lamp", "quantity": 2 });
    dev.app.succeed("add-product", &lamps);
    let entry = dev.next("entry");
    assert_eq!(entry["receipt"]["name"], "add-product", "what is executed is told: {entry}");
    assert_eq!(entry["receipt"]["status"], "succeeded");

    save(&path, b"broken");
    let broken = dev.next("broken");
    assert_eq!(broken["live"], "shop", "what was in place stays: {broken}");
    assert_eq!(broken["problem"]["code"], "no-module");
    dev.app.succeed("buy-product", &json!({ "product": "lamp" }));
    let refused = dev.app.command("buy-product", &json!({ "product": "pen" }));
    assert_eq!(refused.code(), "unknown-product");
    let refused = loop {
        let entry = dev.next("entry");
        if entry["receipt"]["status"] == "rejected" {
            break entry;
        }
    };
    assert_eq!(refused["receipt"]["failure"]["code"], "unknown-product", "{refused}");

    save(&path, &guest("shop-v2"));
    let second = dev.next("live");
    assert_ne!(second["hash"], first["hash"]);
    let left = dev.app.ask("stock-of", &json!({ "product": "lamp" }));
    assert!(left.to_string().contains("Lamp"), "the state is kept: {left}");
    save(&path, &guest("shop-v2"));
    dev.next("unchanged");
    dev.end();

    // The data stays with the project.
    assert!(directory.path().join(".chancery/apps/main").is_dir());
    let mut again = Dev::on(&path);
    assert_eq!(again.next("live")["unchanged"], json!(true));
    let left = again.app.ask("stock-of", &json!({ "product": "lamp" }));
    assert!(left.to_string().contains("Lamp"), "{left}");
    again.end();
}

#[test]
fn a_project_that_is_broken_from_the_start_is_waited_for() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("shop.wasm");
    fs::write(&path, "not yet").expect("a file");
    let mut dev = Dev::on(&path);
    let broken = dev.next("broken");
    assert_eq!((&broken["live"], &broken["problem"]["code"]), (&Json::Null, &json!("no-module")));
    save(&path, &guest("shop"));
    assert_eq!(dev.next("live")["module"], "shop");
    // What is killed at any moment goes on where it was.
    dev.app.succeed("add-product", &json!({ "product": "lamp", "name": "Lamp", "quantity": 2 }));
    drop(dev);
    let mut again = Dev::on(&path);
    again.next("live");
    assert_eq!(again.app.ask("stock-of", &json!({ "product": "lamp" }))["left"], 2);
    // And if it is broken by then, what is in its data serves.
    drop(again);
    save(&path, b"broken meanwhile");
    let mut again = Dev::on(&path);
    let broken = again.next("broken");
    assert_eq!(broken["live"], "shop", "{broken}");
    assert_eq!(again.app.ask("stock-of", &json!({ "product": "lamp" }))["left"], 2);
}

/// What a bundler says of a project that it cannot bundle.
#[track_caller]
fn broken(dev: &mut Dev) -> String {
    let broken = dev.next("broken");
    broken["problem"]["said"].as_str().unwrap_or_else(|| panic!("{broken}")).to_owned()
}

#[test]
fn what_is_saved_in_a_folder_that_is_new_is_seen() {
    let directory = tempfile::tempdir().expect("a directory");
    let root = directory.path();
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("npm/node_modules");
    std::os::unix::fs::symlink(tools, root.join("node_modules")).expect("a link");
    fs::write(root.join("package.json"), r#"{ "main": "shop.js" }"#).expect("a file");
    let source = "export { default } from \"./src/rules/stock.js\";";
    fs::write(root.join("shop.js"), source).expect("a file");
    let mut dev = Dev::on(root);
    assert!(broken(&mut dev).contains("./src/rules/stock.js"));

    // The folders and what is in them, all at once.
    let rules = root.join("src/rules");
    fs::create_dir_all(&rules).expect("a directory");
    save(&rules.join("stock.js"), b"const one two;");
    assert!(broken(&mut dev).contains("src/rules/stock.js:1:10"));
    // And then each edit.
    save(&rules.join("stock.js"), b"\nconst one two;");
    assert!(broken(&mut dev).contains("src/rules/stock.js:2:10"));
    // The same with a folder that comes again by its old name.
    fs::rename(root.join("src"), root.join("away")).expect("it is moved");
    assert!(broken(&mut dev).contains("./src/rules/stock.js"));
    fs::create_dir_all(&rules).expect("a directory");
    save(&rules.join("stock.js"), b"\n\nconst one two;");
    assert!(broken(&mut dev).contains("src/rules/stock.js:3:10"));
    save(&rules.join("stock.js"), b"\n\n\nconst one two;");
    assert!(broken(&mut dev).contains("src/rules/stock.js:4:10"));
    dev.end();
}

#[test]
fn what_keeps_it_from_serving_is_told() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = shop(directory.path());
    let path = path.to_str().expect("text");
    let other = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = other.local_addr().expect("an address").to_string();
    let output = chancery(&["dev", path, "--listen", &address]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(5), "{said}");
    assert!(said.contains("--listen 127.0.0.1:0 takes any port that is free"), "{said}");
    let output = chancery(&["dev", "/nowhere"]);
    assert_eq!(output.status.code(), Some(2));
    let output = chancery(&["dev", path, "--listen", "0.0.0.0:0"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(2) && said.contains("permissions"), "{said}");
}
