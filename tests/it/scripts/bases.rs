//! What scripts run in: kept with them, so that a later server runs them as they ran, and
//! compiled once.

use std::fs;
use std::path::{Path, PathBuf};

use chancery::value::Hash;
use chancery::wasm::script::{BASE_HASH, base_bytes};
use chancery_tests::{Server, chancery};
use serde_json::json;
use tempfile::TempDir;

use super::{COUNTER, deploy};

/// The base of an earlier server: this one, with a remark behind it.
fn earlier_base() -> Vec<u8> {
    const REMARK: &[u8] = b"\x00\x08\x07earlier";
    [base_bytes(), REMARK].concat()
}

/// What an earlier server would have left: a script that it accepted, and its base.
fn leave(modules: &Path) -> (Hash, PathBuf) {
    let base = earlier_base();
    let script = format!("// chancery-script base={} file=counter.js\n{COUNTER}", Hash::of(&base));
    let hash = Hash::of(script.as_bytes());
    let path = modules.join(format!("{}.wasm", Hash::of(&base)));
    fs::write(&path, base).expect("the base is written");
    fs::write(modules.join(format!("{hash}.js")), script).expect("the script is written");
    (hash, path)
}

#[test]
fn a_script_runs_in_the_base_that_it_was_accepted_with() {
    let server = Server::with(&["--script-snapshots", "false"]);
    let modules = server.app_directory().join("modules");
    deploy(&server.app(), "counter", COUNTER);
    server.app().succeed("add", &json!({ "name": "a", "by": 3 }));
    let (hash, base) = leave(&modules);

    let body = json!({ "hash": hash.to_string() }).to_string();
    let json_body = [("content-type", "application/json")];
    let put =
        |server: &Server| server.app().send("PUT", "/modules/counter", &json_body, body.as_bytes());
    assert_eq!(put(&server).expect(200)["plan"]["hash"], hash.to_string());
    assert_eq!(server.app().ask("count-of", &json!({ "name": "a" })), json!(3));
    server.app().succeed("add", &json!({ "name": "a", "by": 1 }));
    let mut server = server.kill_and_restart();
    assert_eq!(server.app().ask("count-of", &json!({ "name": "a" })), json!(4));
    server.app().succeed("add", &json!({ "name": "a", "by": 1 }));

    // Without it the script does not run, and nobody pretends that it does.
    server.kill();
    let data = server.data().to_owned();
    let data_text = data.to_str().expect("text");
    let bytes = fs::read(&base).expect("it is there");
    fs::remove_file(&base).expect("it is removed");
    for (written, problem) in [(None, "not among the modules"), (Some(b"no"), "is damaged")] {
        if let Some(written) = written {
            fs::write(&base, written).expect("it is written");
        }
        let verified = chancery(&["verify", "--data", data_text]);
        let said =
            String::from_utf8_lossy(&[verified.stdout, verified.stderr].concat()).into_owned();
        assert!(!verified.status.success(), "{said}");
        assert!(said.contains(&base.file_name().unwrap().to_string_lossy()[..20]), "{said}");
        let ended = Server::ended_on(&data, &[]);
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(!ended.status.success(), "{said}");
        let wanted = ["no longer loads", problem, "deploy the script again"];
        assert!(wanted.iter().all(|words| said.contains(words)), "{problem}: {said}");
    }
    fs::write(&base, bytes).expect("it is put back");
    let server = Server::on(&data, &[]);
    assert_eq!(server.app().ask("count-of", &json!({ "name": "a" })), json!(5));
    // What is deployed from now on runs in this server's.
    let deployed = deploy(&server.app(), "counter", COUNTER);
    assert_ne!(deployed["plan"]["hash"], hash.to_string());
}

#[test]
fn compiled_code_is_kept_and_what_is_damaged_is_compiled_again() {
    let kept = TempDir::new().expect("a directory");
    let directory = kept.path().join("code");
    let server = Server::with(&["--code-cache", directory.to_str().expect("text")]);
    deploy(&server.app(), "counter", COUNTER);
    server.app().succeed("add", &json!({ "name": "a", "by": 3 }));
    let entries = || -> Vec<PathBuf> {
        let files = fs::read_dir(&directory).expect("a directory");
        let files = files.map(|file| file.expect("a file").path());
        files.filter(|path| path.extension().is_some_and(|kind| kind == "code")).collect()
    };
    assert!(!entries().is_empty());
    let server = server.kill_and_restart();
    assert_eq!(server.app().ask("count-of", &json!({ "name": "a" })), json!(3));
    let mut server = server;
    server.kill();
    for path in entries() {
        let mut bytes = fs::read(&path).expect("it is read");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(path, bytes).expect("it is written");
    }
    let server = server.restart();
    assert_eq!(server.app().ask("count-of", &json!({ "name": "a" })), json!(3));
    server.app().succeed("add", &json!({ "name": "a", "by": 1 }));
}

/// What fits into the time of an upload on a quiet machine, and needs more on a busy one,
/// is no reason not to start.
#[test]
fn a_script_that_was_accepted_has_time_at_a_start() {
    let kept = TempDir::new().expect("a directory");
    let data = kept.path().join("data");
    let long = |times: u64| {
        format!("let x = 0;\nfor (let i = 0; i < {times}; i++) x = (x * 31 + i) | 0;\n{COUNTER}")
    };
    let server = Server::on(&data, &["--script-snapshots", "false"]);
    deploy(&server.app(), "counter", COUNTER);
    let refused = super::upload(&server.app(), "counter", &long(1_000_000_000));
    assert_eq!((refused.status, refused.code().as_str()), (422, "describe-failed"));
    // It is put where an accepted one would be, as by a machine that was quicker.
    let script = long(12_000_000);
    let file = format!("// chancery-script base={} file=counter.js\n{script}", *BASE_HASH);
    let hash = Hash::of(file.as_bytes());
    let path = server.app_directory().join(format!("modules/{hash}.js"));
    fs::write(path, file).expect("it is written");
    let body = json!({ "hash": hash.to_string() }).to_string();
    let headers = [("content-type", "application/json")];
    let put = server.app().send("PUT", "/modules/counter", &headers, body.as_bytes());
    assert_eq!(put.expect(200)["deployed"], json!(true));
    let server = server.kill_and_restart();
    assert_eq!(server.app().ask("count-of", &json!({ "name": "a" })), json!(0));
    // It may take longer than its client waits, and does not fail for it.
    let added = server.app().command("add", &json!({ "name": "a", "by": 3 }));
    assert!([200, 202].contains(&added.status), "{added:?}");
}
