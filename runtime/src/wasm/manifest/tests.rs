//! What a manifest may say, and what is said of one that may not.

use super::{Begin, CONTRACT, FOLLOWERS_MAX, HANDLERS_MAX, Manifest, PATTERNS_MAX};
use crate::value::Name;

const FULL: &str = r#"{
    "contract": "0.1.7",
    "description": "A shop.",
    "tables": {"stock": {"description": "By product.", "adopt": true}, "orders": {}},
    "queries": {"stock-of": {"input": {"type": "string"}, "output": true}},
    "commands": {"migrate": {}, "buy": {"description": "Buys.", "input": null}},
    "events": {"order.placed": {"schema": {"type": "object"}}},
    "projections": {"stock-left": {"version": 2, "on": ["order.*", "stock.**"], "tables": ["orders"]}},
    "reactions": {"ship": {"description": "Ships.", "on": ["order.paid"], "from": "start"}, "log": {"on": ["**"]}},
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
    let projection = &manifest.projections["stock-left"];
    assert!(projection.is_on("order.placed") && projection.is_on("stock"));
    assert!(!projection.is_on("order") && !manifest.reactions["ship"].is_on("order.placed"));
    assert_eq!(manifest.reactions["ship"].from, Begin::Start);
    assert_eq!(manifest.reactions["log"].from, Begin::Now);
    let writable: Vec<_> = manifest.writable_tables().map(Name::as_str).collect();
    assert_eq!(writable, ["stock"], "commands do not write what events make");
    assert_eq!(manifest.on_deploy.as_ref().map(|name| name.as_str()), Some("migrate"));
    insta::assert_snapshot!(manifest.to_json(), @r#"{"contract":"0.1.7","description":"A shop.","tables":{"orders":{"adopt":false},"stock":{"description":"By product.","adopt":true}},"queries":{"stock-of":{"input":{"type": "string"},"output":true}},"commands":{"buy":{"description":"Buys."},"migrate":{}},"events":{"order.placed":{"schema":{"type": "object"}}},"projections":{"stock-left":{"version":2,"on":["order.*","stock.**"],"tables":["orders"]}},"reactions":{"log":{"on":["**"],"from":"now"},"ship":{"description":"Ships.","on":["order.paid"],"from":"start"}},"on_deploy":"migrate"}"#);
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
fn modules_built_before_there_were_projections_are_still_modules() {
    let text = format!(r#"{{"contract": "{CONTRACT}", "projections": [], "reactions": []}}"#);
    let manifest = Manifest::parse(&text).expect("a manifest");
    assert!(manifest.projections.is_empty() && manifest.reactions.is_empty());
    assert!(refused(&text.replacen("[]", "[1]", 1)).contains("`projections`: invalid type"));
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
        (
            r#"{"version": 2"#,
            r#"{"version": 0"#,
            "`projections.stock-left.version`: must be a number from 1 to 2147483647",
        ),
        (r#""version": 2, "#, "", "`projections.stock-left.version`: must be a number"),
        (r#""order.*""#, r#""order .*""#, "`projections.stock-left.on`: event pattern `order .*`"),
        (r#""order.*", "stock.**""#, "", "`projections.stock-left.on`: must list patterns"),
        (r#""on": ["**"]"#, r#""on": "**""#, "`reactions.log.on`: must be an array of strings"),
        (
            r#""tables": ["orders"]"#,
            r#""tables": []"#,
            "`projections.stock-left.tables`: must name at least one",
        ),
        (r#"["orders"]"#, r#"["order"]"#, "tables`: `order` is not among `tables`"),
        (
            r#""tables": ["orders"]}"#,
            r#""tables": ["orders"]}, "twice": {"version": 1, "on": ["**"], "tables": ["orders"]}"#,
            "`orders` is a table of projection `stock-left` already",
        ),
        (r#""start""#, r#""begin""#, "`reactions.ship.from`: must be \"now\" or \"start\""),
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
    let followers: Vec<_> = (0..=FOLLOWERS_MAX).map(|n| format!(r#""r{n}":{{}}"#)).collect();
    let text = format!(r#"{{"contract":"0.1.0","reactions":{{{}}}}}"#, followers.join(","));
    assert!(refused(&text).contains("`reactions`: 101 members; the limit is 100"));
    let on = vec![r#""a""#; PATTERNS_MAX + 1].join(",");
    let text = format!(r#"{{"contract":"0.1.0","reactions":{{"r":{{"on":[{on}]}}}}}}"#);
    assert!(refused(&text).contains("`reactions.r.on`: 65 texts; the limit is 64"));
}
