//! `chancery doctor`: it finds what is amiss, and its commands mend it.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use chancery_tests::{Server, binary, chancery_in};
use serde_json::{Value as Json, json};

/// What is found, by what was looked at, and the exit code.
fn found(directory: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> (Json, i32) {
    let all = [&["--json", "doctor"], arguments].concat();
    let output = chancery_in(directory, variables, &all);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let document: Json = serde_json::from_str(&said)
        .unwrap_or_else(|_| panic!("{said}{}", String::from_utf8_lossy(&output.stderr)));
    let mut by_name = json!({ "wrong": document["wrong"] });
    for finding in document["findings"].as_array().expect("a list") {
        let what = finding["what"].as_str().expect("text");
        by_name[what] = finding.clone();
    }
    (by_name, output.status.code().expect("it ended by itself"))
}

fn free_address() -> String {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port");
    free.local_addr().expect("an address").to_string()
}

#[test]
fn a_machine_on_which_all_is_well_is_told_so() {
    let directory = tempfile::tempdir().expect("a directory");
    let address = free_address();
    let (found, exit) = found(directory.path(), &[], &["--listen", &address]);
    assert_eq!((exit, &found["wrong"]), (0, &json!(0)), "{found}");
    for what in ["rust", "target", "port", "data"] {
        assert_eq!(found[what]["state"], "fine", "{found}");
    }
    assert_eq!(fs::read_dir(directory.path()).expect("a directory").count(), 0, "no trace is left");
}

#[test]
fn a_program_that_is_missing_is_wrong_where_it_is_needed() {
    let directory = tempfile::tempdir().expect("a directory");
    let (address, empty) = (free_address(), directory.path().join("empty"));
    fs::create_dir(&empty).expect("a directory");
    let path = [("PATH", empty.to_str().expect("text"))];
    let listen = ["--listen", address.as_str()];
    let (none, exit) = found(directory.path(), &path, &listen);
    assert_eq!(exit, 0, "nothing here needs them: {none}");
    for what in ["rust", "target", "node", "esbuild"] {
        assert_eq!(none[what]["state"], "noted", "{none}");
        assert!(none[what]["mend"].is_string(), "{none}");
    }

    fs::write(directory.path().join("Cargo.toml"), "").expect("a file");
    let (rust, exit) = found(directory.path(), &path, &listen);
    assert_eq!((exit, &rust["wrong"]), (5, &json!(2)), "{rust}");
    assert_eq!(rust["target"]["mend"], "rustup target add wasm32-unknown-unknown");
    assert_eq!(rust["node"]["state"], "noted");

    let package = directory.path().join("web");
    fs::create_dir(&package).expect("a directory");
    fs::write(package.join("package.json"), r#"{ "main": "shop.ts" }"#).expect("a file");
    fs::write(package.join("shop.ts"), "").expect("a file");
    let (script, exit) = found(directory.path(), &path, &[&["web"], listen.as_slice()].concat());
    assert_eq!((exit, &script["wrong"]), (5, &json!(2)), "{script}");
    assert_eq!(script["esbuild"]["mend"], "npm install --save-dev esbuild");
    assert_eq!(script["rust"]["state"], "noted");
}

#[test]
fn a_port_in_use_is_wrong_unless_a_server_of_ours_has_it() {
    let server = Server::start();
    let (by_ours, exit) = found(server.data(), &[], &["--listen", server.address(), "--data", "."]);
    assert_eq!(exit, 0, "{by_ours}");
    assert!(by_ours["port"]["says"].as_str().expect("text").contains("a Chancery server answers"));
    assert!(by_ours["data"]["says"].as_str().expect("text").contains("used by a server"));

    let other = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = other.local_addr().expect("an address").to_string();
    std::thread::spawn(move || other.incoming().flatten().for_each(drop));
    let directory = tempfile::tempdir().expect("a directory");
    let (by_another, exit) = found(directory.path(), &[], &["--listen", &address]);
    assert_eq!((exit, &by_another["port"]["state"]), (5, &json!("wrong")), "{by_another}");
    let mend = by_another["port"]["mend"].as_str().expect("a command");
    let free = mend.strip_prefix("chancery serve --listen ").expect("another address");
    // What it says mends it.
    let (mended, exit) = found(directory.path(), &[], &["--listen", free]);
    assert_eq!((exit, &mended["port"]["state"]), (0, &json!("fine")), "{mended}");
}

#[test]
fn data_of_another_version_is_found_and_put_aside() {
    let directory = tempfile::tempdir().expect("a directory");
    let log = directory.path().join("chancery-data/apps/main/log");
    fs::create_dir_all(&log).expect("a directory");
    fs::write(log.join("log.redb"), "of another time").expect("a file");
    let address = free_address();
    let (old, exit) = found(directory.path(), &[], &["--listen", &address]);
    assert_eq!((exit, &old["data"]["state"]), (5, &json!("wrong")), "{old}");
    assert!(old["data"]["says"].as_str().expect("text").contains("another version"), "{old}");
    let mend = old["data"]["mend"].as_str().expect("a command");
    let mended = Command::new("sh").args(["-c", mend]).current_dir(&directory).status();
    assert!(mended.expect("sh runs").success(), "{mend}");
    let (new, exit) = found(directory.path(), &[], &["--listen", &address]);
    assert_eq!((exit, &new["data"]["state"]), (0, &json!("fine")), "{new}");
}

#[test]
fn a_log_that_is_lost_is_found_and_its_backup_brought_back() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("chancery-data");
    let server = Server::on(&data, &[]);
    let app = server.app();
    app.deploy("shop");
    app.succeed("add-product", &json!({ "product": "lamp", "name": "Lamp", "quantity": 2 }));
    let _made = app.client.post("/v1/apps/main/backup", &[], &json!({})).expect(201);
    drop(server);
    for entry in fs::read_dir(data.join("apps/main/log")).expect("a directory").flatten() {
        if entry.path().extension().is_some_and(|extension| extension == "redb") {
            fs::remove_file(entry.path()).expect("it is removed");
        }
    }
    let address = free_address();
    let (lost, exit) = found(directory.path(), &[], &["--listen", &address]);
    assert_eq!((exit, &lost["data"]["state"]), (5, &json!("wrong")), "{lost}");
    assert!(lost["data"]["says"].as_str().expect("text").contains("`main` is lost"), "{lost}");

    let mend = lost["data"]["mend"].as_str().expect("a command");
    let programs = binary().parent().expect("a directory").display().to_string();
    let path = format!("{programs}:{}", std::env::var("PATH").expect("a path"));
    let mut shell = Command::new("sh");
    shell.args(["-c", mend]).current_dir(&directory).env("PATH", path);
    assert!(shell.output().expect("sh runs").status.success(), "{mend}");
    let (mended, exit) = found(directory.path(), &[], &["--listen", &address]);
    assert_eq!((exit, &mended["data"]["state"]), (0, &json!("fine")), "{mended}");
    let again = Server::on(&data, &[]);
    assert_eq!(again.app().ask("stock-of", &json!({ "product": "lamp" }))["left"], 2);
}

#[test]
fn people_are_told_in_lines() {
    let directory = tempfile::tempdir().expect("a directory");
    fs::write(directory.path().join("chancery-data"), "").expect("a file");
    let address = free_address();
    let output = chancery_in(directory.path(), &[], &["doctor", "--listen", &address]);
    assert_eq!(output.status.code(), Some(5));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("wrong  data") && said.contains("mv ./chancery-data"), "{said}");
    assert!(!said.contains('\u{1b}'), "no colours in a pipe: {said}");
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.contains("one thing has to be mended"), "{error}");
}
