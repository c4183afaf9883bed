//! Examples in JavaScript and TypeScript, as the command line makes them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use serde_json::Value as Json;

use crate::chancery_in;

/// What was made, by the example's folder.
static MADE: Mutex<BTreeMap<String, Vec<u8>>> = Mutex::new(BTreeMap::new());

/// The script that is deployed of an example, by the name of its folder.
///
/// # Panics
/// If it does not build.
#[must_use]
pub fn script(example: &str) -> Vec<u8> {
    let mut made = MADE.lock().expect("nobody panicked");
    let made = made.entry(example.to_owned()).or_insert_with(|| build(example));
    made.clone()
}

fn build(example: &str) -> Vec<u8> {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let out = tempfile::tempdir().expect("a directory");
    let path = out.path().to_str().expect("text");
    let output = chancery_in(&examples, &[], &["--json", "build", example, "--out", path]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}; `cargo xtask test` installs what it takes");
    let document: Json = serde_json::from_slice(&output.stdout).expect("JSON");
    let file = document["modules"][0]["file"].as_str().expect("a path");
    std::fs::read(examples.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}
