//! A component written against the contract in JavaScript, without the SDK.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use super::server;

/// What the SDK does for others, by hand.
const NOTES: &str = r#"
import { write } from "chancery:app/log@0.1.0";

const failure = (code, message) => ({ code, message, details: null, events: [] });

export const manifest = {
  describe: () => JSON.stringify({
    contract: "0.1.0",
    tables: { notes: {} },
    queries: { "note-of": {} },
    commands: { note: {} },
  }),
};

export const queries = {
  query(snapshot, request) {
    const { name } = JSON.parse(request.input);
    const found = snapshot.get("notes", name);
    if (found === null) throw failure("unknown-note", `There is no note ${name}.`);
    return found;
  },
};

export const commands = {
  execute(transaction, command) {
    const { name, text } = JSON.parse(command.input);
    write("info", `noted ${name}`);
    transaction.put("notes", name, { tag: "json", val: JSON.stringify({ text, at: command.sequence }) });
    return { tag: "json", val: "null" };
  },
};
"#;

#[test]
fn a_component_by_other_tools_keeps_the_contract() {
    let directory = tempfile::tempdir().expect("a directory");
    let (source, made) = (directory.path().join("notes.js"), directory.path().join("notes.wasm"));
    std::fs::write(&source, NOTES).expect("a file");
    let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join("npm/componentize.mjs");
    let output = Command::new("node").arg(tool).args([&source, &made]).output();
    let output = output.expect("node runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let server = server();
    let app = server.app();
    let bytes = std::fs::read(&made).expect("a component");
    assert_eq!(app.upload("notes", &bytes).expect(200)["deployed"], json!(true));
    let before = app.sequence();
    app.succeed("note", &json!({ "name": "a", "text": "milk" }));
    let noted = app.ask("note-of", &json!({ "name": "a" }));
    assert_eq!(noted, json!({ "text": "milk", "at": before + 1 }));
    let unknown = app.query("note-of", &json!({ "name": "b" }));
    assert_eq!(unknown.code(), "unknown-note");
}
