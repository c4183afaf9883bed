//! What has to be named in a test: every example, and every promise.

use std::collections::BTreeSet;

use super::settle;
use super::source::{files, is_word, mentions, read, rust};

#[test]
fn every_example_is_run_by_a_test() {
    let tests: String = integration_tests().iter().map(|path| read(path)).collect();
    let examples: BTreeSet<String> = files()
        .iter()
        .filter_map(|file| Some(file.path.strip_prefix("examples/")?.split_once('/')?.0.to_owned()))
        .collect();
    assert!(examples.len() >= 3, "the examples were not found");
    let found: Vec<String> =
        examples.into_iter().filter(|name| !tests.contains(&format!("\"{name}\""))).collect();
    settle(&found, "Upload the example in a test of tests/it/, and ask it something:");
}

#[test]
fn every_invariant_is_named_in_a_test() {
    let mut tests = integration_tests();
    tests.extend(
        rust("runtime/src/")
            .into_iter()
            .filter(|path| path.contains("/tests/") || path.ends_with("/tests.rs")),
    );
    let text: String = tests.iter().map(|path| read(path)).collect();
    let found: Vec<String> = invariants().into_iter().filter(|it| !is_named(&text, it)).collect();
    settle(
        &found,
        "Name the test that would fail after it, such as `i2_an_id_runs_once`, or say in a \
         comment of the test which invariant it holds:",
    );
}

/// Whether a test has an invariant in its name, among others maybe, or in a comment.
fn is_named(text: &str, invariant: &str) -> bool {
    let part = invariant.to_lowercase();
    let mut names = text.split("fn ").skip(1).map(|rest| rest.split('(').next());
    names.any(|name| name.is_some_and(|name| name.split('_').any(|it| it == part)))
        || mentions(text, invariant).next().is_some()
}

/// The invariants that `ARCHITECTURE.md` promises.
fn invariants() -> Vec<String> {
    let architecture = read("ARCHITECTURE.md");
    let promised = architecture.lines().filter_map(|line| line.strip_prefix("- **I"));
    let promised: Vec<String> = promised
        .map(|rest| format!("I{}", rest.split(|c| !is_word(c)).next().unwrap_or_default()))
        .collect();
    assert!(promised.len() >= 11, "the invariants of ARCHITECTURE.md were not found: {promised:?}");
    promised
}

/// The integration tests, but for these.
fn integration_tests() -> Vec<String> {
    let tests = rust("tests/it/").into_iter();
    tests.filter(|path| !path.starts_with("tests/it/tidy")).collect()
}
