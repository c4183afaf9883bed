//! What the program says of itself: versions, completions, manual pages, settings.

use std::process::Command;

use chancery_tests::{chancery, chancery_in};
use serde_json::{Value as Json, json};

#[track_caller]
fn done(arguments: &[&str]) -> String {
    let output = chancery(arguments);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{arguments:?}: {said}");
    said
}

#[test]
fn the_version_comes_with_what_it_was_built_for() {
    let said = done(&["version"]);
    assert!(said.starts_with(concat!("chancery ", env!("CARGO_PKG_VERSION"))), "{said}");
    let document: Json = serde_json::from_str(&done(&["--json", "version"])).expect("JSON");
    assert_eq!(document["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(document["contract"], chancery::wasm::CONTRACT, "what modules are built for");
    let target = document["target"].as_str().expect("a target");
    assert!(target.starts_with(std::env::consts::ARCH), "{target}");
}

#[test]
fn shells_get_completions_for_every_subcommand() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = done(&["completions", shell]);
        for part in ["rollback", "dead-letters", "--dry-run", "doctor"] {
            assert!(
                script.contains(part) || script.contains(part.trim_start_matches('-')),
                "{shell}"
            );
        }
    }
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("chancery.bash");
    std::fs::write(&file, done(&["completions", "bash"])).expect("a file");
    let asked = format!(
        "source {} && COMP_WORDS=(chancery roll) COMP_CWORD=1 && _chancery chancery roll chancery \
         && echo \"${{COMPREPLY[@]}}\"",
        file.display()
    );
    let completed = Command::new("bash").args(["-c", &asked]).output().expect("bash runs");
    let said = String::from_utf8_lossy(&completed.stdout).into_owned();
    assert_eq!(said.trim(), "rollback", "{}", String::from_utf8_lossy(&completed.stderr));
    assert_eq!(chancery(&["completions", "sh"]).status.code(), Some(2));
}

#[test]
fn every_subcommand_has_a_page() {
    let directory = tempfile::tempdir().expect("a directory");
    let out = directory.path().join("man1");
    let said = done(&["--json", "man", "--out", out.to_str().expect("text")]);
    let document: Json = serde_json::from_str(&said).expect("JSON");
    let files = document["files"].as_array().expect("a list");
    for name in ["chancery", "chancery-rollback", "chancery-apps-create", "chancery-serve"] {
        let path = out.join(format!("{name}.1"));
        assert!(files.contains(&json!(path.display().to_string())), "{name}");
        let page = std::fs::read_to_string(&path).expect("a page");
        assert!(page.contains(".TH") && page.contains(".SH NAME"), "{name}");
    }
    let page = std::fs::read_to_string(out.join("chancery-rollback.1")).expect("a page");
    assert!(page.contains("version that was in place before"), "{page}");
    assert!(done(&["man"]).contains(".SH SUBCOMMANDS"));
    let taken = directory.path().join("taken");
    std::fs::write(&taken, "").expect("a file");
    let refused = chancery(&["man", "--out", taken.to_str().expect("text")]);
    assert_eq!(refused.status.code(), Some(5));
}

#[test]
fn settings_come_with_their_source() {
    let directory = tempfile::tempdir().expect("a directory");
    std::fs::write(directory.path().join("chancery.toml"), "app = \"shop\"\n").expect("a file");
    let variables = [("CHANCERY_SERVER", "http://127.0.0.1:1")];
    let output = chancery_in(
        directory.path(),
        &variables,
        &["--json", "config", "show", "--log-format", "json"],
    );
    let document: Json = serde_json::from_slice(&output.stdout).expect("JSON");
    let source = |key: &str| {
        let mut settings = document["settings"].as_array().expect("a list").iter();
        let found = settings.find(|setting| setting["key"] == key).expect("it is listed");
        found["source"].as_str().expect("text").to_owned()
    };
    assert_eq!(source("app"), "chancery.toml, line 1");
    assert_eq!(source("server"), "environment CHANCERY_SERVER");
    assert_eq!(source("log-format"), "--log-format");
    assert_eq!(source("serve.data"), "default");
}
