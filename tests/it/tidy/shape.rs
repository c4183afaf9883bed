//! What every file has, and what none has.

use super::settle;
use super::source::{code, files, mentions, read, rust};

/// Lines of a Rust file. Those of the projects we admire have 60 to 350.
const LINES_MAX: usize = 500;
/// Files that may have more, and why.
const LONG: &[(&str, &str)] = &[];
/// Bytes of any file: what is larger is data, and is fetched or made.
const BYTES_MAX: u64 = 1 << 20;
/// Made by `cargo xtask base`, and larger: whoever builds the server needs no C compiler.
const BASE: &str = "runtime/assets/script-base.wasm";

#[test]
fn every_file_begins_with_what_it_owns() {
    // A crate may begin with its README instead, whose examples are run that way.
    let begins = |path: &String| {
        let text = read(path);
        text.starts_with("//! ") || text.starts_with("#![doc = include_str!(")
    };
    let found: Vec<String> = rust("").into_iter().filter(|path| !begins(path)).collect();
    settle(&found, "Begin with `//!` and say what the file owns, and what it must not know:");
}

#[test]
fn no_test_is_switched_off_and_nothing_is_left_to_do() {
    let mut found = Vec::new();
    for path in rust("") {
        let text = code(&read(&path));
        let is_macro = |name: &str| mentions(&text, name).any(|rest| rest.starts_with('!'));
        let is_attribute = |name: &str| {
            mentions(&text, name).any(|rest| rest.trim_start().starts_with([']', '=', '(']))
        };
        if is_attribute("ignore") {
            found.push(format!("{path}: a slow test repeats more when a variable says so"));
        }
        if is_attribute("should_panic") {
            found.push(format!("{path}: catch the panic and look at it, or return an error"));
        }
        if is_macro("todo") || is_macro("unimplemented") {
            found.push(format!("{path}: finish it, or leave it out"));
        }
    }
    settle(&found, "Everything runs, and everything is written:");
}

#[test]
fn files_are_short_enough_to_read() {
    let mut found = Vec::new();
    for path in rust("") {
        let lines = read(&path).lines().count();
        let may = LONG.iter().any(|(long, _)| *long == path);
        match (lines > LINES_MAX, may) {
            (true, false) => found.push(format!("{path} has {lines} lines: split it")),
            (false, true) => found.push(format!("{path} is short now: take it out of LONG")),
            _ => {}
        }
    }
    settle(&found, "A file has at most 500 lines, or a reason in LONG of tests/it/tidy/shape.rs:");
}

#[test]
fn nothing_large_is_kept() {
    let large = files().into_iter().filter(|file| file.bytes > BYTES_MAX && file.path != BASE);
    let found: Vec<String> =
        large.map(|file| format!("{}: {} bytes", file.path, file.bytes)).collect();
    settle(&found, "Fetch it or make it into the target directory instead:");
}
