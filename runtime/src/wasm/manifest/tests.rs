//! What a manifest may say, and what is said of one that may not.

use super::{CONTRACT, HANDLERS_MAX, Manifest};

const FULL: &str = r#"{
    "contract": "0.1.7",
    "description": "A shop.",
    "tables": {"stock": {"description": "By product.", "adopt": true}, "orders": {}},
    "queries": {"stock-of": {"input": {"type": "string"}, "output": true}},
    "commands": {"migrate": {}, "buy": {"description": "Buys.", "input": null}},
    "events": {"order.placed": {"schema": {"type": "object"}}},
    "projections": [], "reactions": [],
    "on_deploy": "migrate"
}"#;

fn refused(text: &str) -> String {
    let refused = Manifest::parse(text).expect_err("not a manifest");
    format!("{}: {refused}", refused.code())
}

/// The full manifest with one text for another.
fn with(from: &str, to: &str) -> String {
    assert!(FULL.contains(from), "{from}");
    refused(&FULL.replace(from, to))
}

#[test]
fn all_members_are_read() {
    let manifest = Manifest::parse(FULL).expect("a manifest");
    assert!(manifest.tables["stock"].adopt && !manifest.tables["orders"].adopt);
    let query = &manifest.queries["stock-of"];
    let input = query.input.as_ref().expect("a schema");
    assert_eq!(input.get(), r#"{"type": "string"}"#);
    assert!(manifest.commands["buy"].input.is_none(), "null is absent");
    assert_eq!(manifest.on_deploy.as_ref().map(|name| name.as_str()), Some("migrate"));
    insta::assert_snapshot!(manifest.to_json(), @r#"{"contract":"0.1.7","description":"A shop.","tables":{"orders":{"adopt":false},"stock":{"description":"By product.","adopt":true}},"queries":{"stock-of":{"input":{"type": "string"},"output":true}},"commands":{"buy":{"description":"Buys."},"migrate":{}},"events":{"order.placed":{"schema":{"type": "object"}}},"on_deploy":"migrate"}"#);
}

#[test]
fn its_json_reads_back_the_same() {
    let json = Manifest::parse(FULL).expect("a manifest").to_json();
    assert_eq!(Manifest::parse(&json).expect("a manifest").to_json(), json);
}

#[test]
fn everything_but_the_contract_may_be_absent() {
    let text = format!(r#"{{"contract": "{CONTRACT}"}}"#);
    assert!(Manifest::parse(&text).expect("a manifest").queries.is_empty());
    assert!(refused("{}").contains("at `contract`: is missing"));
}

#[test]
fn refusals_name_the_member() {
    for (from, to, words) in [
        (r#""0.1.7""#, r#""0.2.0""#, "wrong-contract: the manifest is for version \"0.2.0\""),
        (r#""adopt""#, r#""adopts""#, "`tables.stock.adopts`: is not known here"),
        ("true}", "1}", "`tables.stock.adopt`: must be true or false"),
        (r#""stock-of""#, r#""Stock of""#, "`queries.Stock of`: name `Stock of` must begin"),
        (r#"{"type": "string"}"#, "7", "`queries.stock-of.input`: must be a JSON Schema"),
        (r#""orders": {}"#, r#""orders": []"#, "`tables.orders`: invalid type: sequence"),
        (r#""orders""#, r#""stock""#, "`tables`: `stock` is given twice"),
        (r#""order.placed""#, r#""order..placed""#, "`events.order..placed`: must be 1 to 128"),
        (r#""A shop.""#, "[]", "`description`: must be a string"),
        (r#""projections": []"#, r#""projections": [{}]"#, "not-supported: the manifest declares"),
        (r#""reactions": []"#, r#""reactions": {}"#, "`reactions`: must be an array"),
        (
            r#""on_deploy": "migrate""#,
            r#""on_deploy": "move""#,
            "`on_deploy`: `move` is not among `commands`",
        ),
        ("A shop.", "A \u{1} shop.", "at byte "),
    ] {
        let refused = with(from, to);
        assert!(refused.contains(words), "no {words:?} in: {refused}");
    }
}

#[test]
fn counts_are_limited() {
    let handlers: Vec<_> = (0..=HANDLERS_MAX).map(|n| format!(r#""q{n}":{{}}"#)).collect();
    let text = format!(r#"{{"contract":"0.1.0","queries":{{{}}}}}"#, handlers.join(","));
    assert!(refused(&text).contains("`queries`: 1001 members; the limit is 1000"));
}
