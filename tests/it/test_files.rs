//! `chancery test`: what files of tests can say, and what is said when it is not so.

use std::fs;
use std::path::Path;

use chancery_tests::{chancery, guest};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

/// A folder with a guest and a file of tests.
fn project(module: &str, tests: &str) -> TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    fs::write(directory.path().join(format!("{module}.wasm")), guest(module)).expect("a file");
    fs::create_dir(directory.path().join("tests")).expect("a directory");
    fs::write(directory.path().join("tests/all.test.json"), tests).expect("a file");
    directory
}

/// What comes of running the tests: exit code, standard output and standard error.
fn run(directory: &Path, module: &str, more: &[&str]) -> (i32, String, String) {
    let module = directory.join(format!("{module}.wasm"));
    let arguments = [&["test", module.to_str().expect("text")], more].concat();
    let output = chancery(&arguments);
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let exit = output.status.code().expect("it ended by itself");
    (exit, text(&output.stdout), text(&output.stderr))
}

#[test]
fn what_is_so_passes() {
    let tests = r#"{
      "the last lamp is sold once": [
        { "given": [{ "add-product": { "product": "lamp", "name": "Lamp", "quantity": 1 } }],
          "when": { "buy-product": { "product": "lamp", "buyer": "ann" } },
          "then": {
            "result": { "product": "lamp", "left": 0 },
            "events": [{ "type": "order.placed", "subject": "product/lamp", "data": { "buyer": "ann" } }],
            "rows": { "stock": { "lamp": { "left": 0 }, "pen": null } } } },
        { "when": { "buy-product": { "product": "lamp" } },
          "then": { "rejected": { "code": "out-of-stock", "details": { "product": "lamp" } }, "events": [] } },
        { "when": { "stock-of": { "product": "lamp" } }, "then": { "result": { "left": 0 } } }
      ],
      "no test sees what another did": {
        "when": { "stock-of": { "product": "lamp" } }, "then": { "rejected": "unknown-product" } },
      "input that breaks the schema is rejected": {
        "when": { "buy-product": {} }, "then": { "rejected": "invalid-input" } }
    }"#;
    let directory = project("shop", tests);
    let (exit, said, error) = run(directory.path(), "shop", &[]);
    assert_eq!(exit, 0, "{said}{error}");
    assert!(said.contains("tests/all.test.json") && said.contains("3 passed, 0 failed"), "{said}");
    assert!(said.contains("passed  the last lamp is sold once"), "{said}");
    assert!(error.is_empty(), "nothing else is said: {error}");
    let (exit, said, _) = run(directory.path(), "shop", &["--only", "no test sees", "--json"]);
    let document: Json = serde_json::from_str(&said).expect("one document");
    assert_eq!((exit, &document["passed"], &document["failed"]), (0, &json!(1), &json!(0)));
    let left: Vec<_> = fs::read_dir(directory.path()).expect("a directory").collect();
    assert_eq!(left.len(), 2, "nothing is left behind: {left:?}");
}

#[test]
fn what_is_not_so_is_told_with_its_place() {
    let given =
        r#""given": [{ "add-product": { "product": "lamp", "name": "Lamp", "quantity": 2 } }]"#;
    let buy = r#""when": { "buy-product": { "product": "lamp" } }"#;
    let tests = [
        ("result", format!(r#"{{ {given}, {buy}, "then": {{ "result": {{ "left": 7 }} }} }}"#)),
        ("rejected", format!(r#"{{ {given}, {buy}, "then": {{ "rejected": "x" }} }}"#)),
        ("refused", format!(r#"{{ {buy}, "then": {{ "result": {{}} }} }}"#)),
        ("nothing", format!("{{ {buy} }}")),
        ("code", format!(r#"{{ {buy}, "then": {{ "rejected": "out-of-stock" }} }}"#)),
        ("events", format!(r#"{{ {given}, {buy}, "then": {{ "events": [] }} }}"#)),
        (
            "row",
            format!(r#"{{ {given}, "then": {{ "rows": {{ "stock": {{ "lamp": null }} }} }} }}"#),
        ),
        ("table", format!(r#"{{ {given}, "then": {{ "rows": {{ "stok": {{ "lamp": 1 }} }} }} }}"#)),
        (
            "given",
            format!(
                r#"[{{ {given} }}, {{ "given": [{{ "buy-product": {{ "product": "pen" }} }}] }}]"#
            ),
        ),
        ("name", r#"{ "when": { "buy-produkt": {} } }"#.to_owned()),
        ("follows", format!(r#"{{ {given}, {buy}, "then": {{ "commands": ["ship"] }} }}"#)),
    ];
    let members: Vec<String> =
        tests.iter().map(|(name, case)| format!("\"{name}\": {case}")).collect();
    let directory = project("shop", &format!("{{ {} }}", members.join(",")));
    let (exit, said, _) = run(directory.path(), "shop", &["--json"]);
    let document: Json = serde_json::from_str(&said).expect("one document");
    assert_eq!((exit, &document["failed"]), (1, &json!(tests.len())), "{said}");
    let problem = |name: &str| {
        let mut all = document["tests"].as_array().expect("a list").iter();
        let one = all.find(|one| one["name"] == name).expect("it was run");
        one["problem"].as_str().unwrap_or("none").to_owned()
    };
    for (name, told) in [
        ("result", "when buy-product: result/left: 7 is expected, and it is 1"),
        ("rejected", "a rejection is expected, and it succeeded with"),
        ("refused", "success is expected, and it was rejected (unknown-product)"),
        ("nothing", "success is expected, and it was rejected (unknown-product)"),
        ("code", r#"rejected/code: "out-of-stock" is expected, and it is "unknown-product""#),
        ("events", "events: 0 items expected, and it is [{"),
        ("row", "then rows/stock/lamp: no row is expected, and it is {"),
        ("table", "has no table `stok`; did you mean `stock`?"),
        ("given", "step 2: given buy-product: it was rejected (unknown-product)"),
        ("name", "did you mean `buy-product`?"),
        ("follows", "then commands: 1 item expected, and it is []"),
    ] {
        assert!(problem(name).contains(told), "{name}: {}", problem(name));
    }
    let (exit, said, error) = run(directory.path(), "shop", &["--only", "result"]);
    assert_eq!(exit, 1);
    assert!(said.contains("FAILED  result\n") && said.contains("0 passed, 1 failed"), "{said}");
    assert!(error.contains("one test failed") && error.contains("(tests-failed)"), "{error}");
}

#[test]
fn what_follows_has_happened_and_time_passes_when_told_to() {
    let placed = |order: &str, payment: &str| {
        format!(
            r#"{{ "place-order": {{ "order": "{order}", "buyer": "ann", "product": "lamp",
                 "quantity": 1, "payment": "{payment}" }} }}"#
        )
    };
    let lamps = r#"{ "add-stock": { "product": "lamp", "name": "Lamp", "price_cents": 250, "quantity": 3 } }"#;
    let tests = format!(
        r#"{{
      "an order that is paid is shipped": [
        {{ "given": [{lamps}], "when": {card},
           "then": {{ "commands": ["reserve-stock", "take-payment", "ship-order"] }} }},
        {{ "when": {{ "order": {{ "order": "A1" }} }}, "then": {{ "result": {{ "status": "shipped" }} }} }} ],
      "an order that is not paid is cancelled": [
        {{ "given": [{lamps}], "when": {invoice},
           "then": {{ "commands": ["reserve-stock", "take-payment"] }} }},
        {{ "wait": "14m", "then": {{ "commands": [] }} }},
        {{ "wait": "1m", "then": {{ "commands": ["cancel-unpaid"] }} }},
        {{ "when": {{ "order": {{ "order": "A1" }} }}, "then": {{ "result": {{ "status": "cancelled" }} }} }} ]
    }}"#,
        card = placed("A1", "card"),
        invoice = placed("A1", "invoice"),
    );
    let directory = project("orders", &tests);
    let (exit, said, error) = run(directory.path(), "orders", &[]);
    assert_eq!(exit, 0, "{said}{error}");
}

#[test]
fn files_that_cannot_be_understood_are_told() {
    for (tests, told) in [
        ("{", "EOF"),
        (r#"{ "a": { "when": { "x": {} }, "than": {} } }"#, "unknown field `than`"),
        (r#"{ "a": { "wait": "soon" } }"#, "all.test.json"),
    ] {
        let directory = project("shop", tests);
        let (exit, _, error) = run(directory.path(), "shop", &[]);
        assert!(exit == 2 && error.contains(told), "{tests}: {error}");
        assert!(error.contains("all.test.json") && error.contains("line 1"), "{error}");
    }
    let directory = project("shop", "{}");
    let (exit, _, error) = run(directory.path(), "shop", &[]);
    assert!(exit == 2 && error.contains("there is no test in"), "{error}");
    let directory = project("shop", r#"{ "a": { "wait": "1s" } }"#);
    let (exit, _, error) = run(directory.path(), "shop", &["--only", "b"]);
    assert!(exit == 2 && error.contains("no test has `b` in its name"), "{error}");
}
