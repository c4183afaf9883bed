//! The JavaScript client, by its own tests against the real server, and the types that are
//! made of an app that runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use chancery_tests::{Server, binary, guests_directory};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

/// The npm package.
fn package() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../guest-sdk/js/client")
}

/// Runs a program in the package, which has to succeed.
#[track_caller]
fn run(command: &mut Command) {
    let output = command.current_dir(package()).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}; is node installed?"));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
}

/// Runs the tests in a folder of the package.
#[track_caller]
fn node(folder: &str) {
    let mut files: Vec<PathBuf> = fs::read_dir(package().join(folder))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.to_string_lossy().ends_with(".test.js"))
        .collect();
    files.sort();
    assert!(files.len() >= 3, "the tests were not found: {files:?}");
    // Each file has servers of its own, and waits most of the time.
    let mut node = Command::new("node");
    node.args(["--test", "--test-concurrency=3", "--test-reporter=spec"]).args(files);
    run(node.env("CHANCERY_BINARY", binary()).env("CHANCERY_GUESTS", guests_directory()));
}

#[test]
fn what_needs_no_server_passes() {
    node("test/unit");
}

#[test]
fn nothing_runs_twice_and_nothing_is_missed_whatever_fails() {
    node("test/server");
}

/// Hashes are those of whoever built the modules.
fn without_hashes(text: &str) -> String {
    let is_hash = |word: &str| word.len() == 64 && word.bytes().all(|b| b.is_ascii_hexdigit());
    let lines = text.lines().map(|line| match line.rsplit_once(' ') {
        Some((before, word)) if is_hash(word) => format!("{before} {}\n", "0".repeat(64)),
        _ => format!("{line}\n"),
    });
    lines.collect()
}

/// Compares with the file that `tsc` reads. `CHANCERY_BLESS=1` writes it.
#[track_caller]
fn compare(text: &str, file: &str) {
    let (text, path) = (without_hashes(text), package().join("test/types").join(file));
    if std::env::var_os("CHANCERY_BLESS").is_some() {
        fs::write(&path, &text).expect("written");
    }
    let golden = fs::read_to_string(&path).expect("the golden file");
    assert_eq!(text, golden, "{file}: CHANCERY_BLESS=1 writes it anew");
}

#[test]
fn types_are_those_of_the_app_and_the_same_each_time() {
    let server = Server::start();
    let (exit, empty) = server.cli(&["generate", "ts"]);
    assert!(exit == 0 && empty.contains("export type Commands = {};"), "{empty}");
    let app = server.app();
    app.deploy("shop");
    let directory = TempDir::new().expect("a directory");
    let file = directory.path().join("shop.ts");
    let out = file.to_str().expect("a path");
    let (exit, said) = server.cli(&["generate", "ts", "--out", out]);
    assert_eq!((exit, said.trim()), (0, format!("wrote {out}").as_str()));
    let text = fs::read_to_string(&file).expect("it was written");
    compare(&text, "shop.ts");

    // Said again, nothing is touched; and standard output has the same.
    let (_, said) = server.cli(&["--json", "generate", "ts", "--out", out]);
    let said: Json = serde_json::from_str(&said).expect("a document");
    assert_eq!(said, json!({ "file": out, "changed": false }));
    assert_eq!(server.cli(&["generate", "ts"]), (0, text.clone()));
    let (_, said) = server.cli(&["generate", "ts", "--json"]);
    let said: Json = serde_json::from_str(&said).expect("a document");
    assert_eq!(said["typescript"], json!(text));

    // Another app, with modules beside one another.
    let _created = app.client.put("/v1/apps/fulfilment", &json!({})).expect(201);
    for module in ["sales", "orders"] {
        let _deployed =
            app.client.deploy("fulfilment", module, &chancery_tests::guest(module)).expect(200);
    }
    let (exit, orders) = server.cli(&["--app", "fulfilment", "generate", "ts"]);
    assert_eq!(exit, 0, "{orders}");
    compare(&orders, "orders.ts");

    let (exit, said) = server.cli(&["--app", "none", "generate", "ts", "--out", out]);
    assert!(exit == 3 && said.contains("unknown-app"), "{exit}: {said}");
    assert_eq!(fs::read_to_string(&file).expect("as it was"), text);
    let nowhere = directory.path().join("none/shop.ts");
    let nowhere = nowhere.to_str().expect("a path");
    let (exit, said) = server.cli(&["generate", "ts", "--out", nowhere]);
    assert!(exit == 5 && said.contains(nowhere), "{exit}: {said}");
}

/// What was generated, and a program that uses it: `test/types`.
#[test]
fn types_hold_what_they_promise() {
    let tsc = package().join("node_modules/typescript/bin/tsc");
    assert!(tsc.exists(), "{} is not there; `cargo xtask test` installs it", tsc.display());
    run(Command::new("node").arg(tsc).args(["--project", "test/types"]));
}
