//! Schemas as tools and people write them. `tsc` reads what is made of them as well: the
//! npm package has it among its tests of types.

use std::path::Path;

use serde_json::{Value as Json, json};

use super::schema::{Declared, pascal};
use super::{Module, typescript};

/// The types that are made of one schema, each on lines of its own.
fn types(schema: &Json) -> String {
    let mut declared = Declared::default();
    let name = declared.name("It");
    declared.declare(&name, schema);
    let types = declared.finish().into_iter();
    let types = types.map(|(name, declaration)| format!("{name} = {}", declaration.of.text(0)));
    types.collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn check(cases: &[(Json, &str)]) {
    for (schema, wanted) in cases {
        assert_eq!(types(schema), format!("It = {wanted}"), "{schema}");
    }
}

#[test]
fn plain_types_and_literals() {
    check(&[
        (json!(true), "unknown"),
        (json!({}), "unknown"),
        (json!(false), "never"),
        (json!({ "type": "string", "format": "uuid", "maxLength": 7 }), "string"),
        (json!({ "type": "integer", "format": "uint64", "minimum": 0 }), "number"),
        (json!({ "type": ["string", "null"] }), "string | null"),
        (json!({ "type": "number", "nullable": true }), "number | null"),
        (json!({ "const": "a\"b\n" }), r#""a\"b\n""#),
        (json!({ "type": "string", "enum": ["a", "b", "a"] }), r#""a" | "b""#),
        (json!({ "enum": [1, -1.5, true, null] }), "1 | -1.5 | true | null"),
        (json!({ "const": [1, "a"] }), r#"[1, "a"]"#),
        (json!({ "const": { "k": 1 } }), "{\n  k: 1;\n}"),
        (json!({ "type": "text" }), "unknown"),
        (json!({ "not": { "type": "string" } }), "unknown"),
        (json!("string"), "unknown"),
    ]);
}

#[test]
fn arrays_and_tuples() {
    let two = json!([{ "type": "string" }, { "type": "integer" }]);
    check(&[
        (json!({ "type": "array" }), "unknown[]"),
        (json!({ "items": { "type": ["string", "null"] } }), "(string | null)[]"),
        (json!({ "prefixItems": two, "minItems": 2, "maxItems": 2 }), "[string, number]"),
        (json!({ "prefixItems": two, "minItems": 1, "items": false }), "[string, number?]"),
        (
            json!({ "prefixItems": two, "items": { "type": "null" } }),
            "[string?, number?, ...null[]]",
        ),
        (json!({ "items": two, "minItems": 2 }), "[string, number, ...unknown[]]"),
        (json!({ "items": two, "minItems": 9, "additionalItems": false }), "[string, number]"),
    ]);
}

#[test]
fn objects_and_what_else_they_may_have() {
    let a = json!({ "a": { "type": "string" } });
    check(&[
        (json!({ "type": "object" }), "{ [key: string]: unknown }"),
        (json!({ "type": "object", "additionalProperties": false }), "{ [key: string]: never }"),
        (json!({ "additionalProperties": { "type": "number" } }), "{ [key: string]: number }"),
        (
            json!({ "patternProperties": { "^x": { "type": "number" } }, "additionalProperties": false }),
            "{ [key: string]: number }",
        ),
        (json!({ "properties": a, "required": ["a"] }), "{\n  a: string;\n}"),
        (
            json!({ "properties": a, "additionalProperties": { "type": "number" } }),
            "{\n  a?: string;\n  [key: string]: unknown;\n}",
        ),
        (
            json!({ "properties": { "a-b": true, "0": false, "$c_1": {}, "d": { "properties": a } } }),
            "{\n  $c_1?: unknown;\n  \"0\"?: never;\n  \"a-b\"?: unknown;\n  d?: {\n    a?: string;\n  };\n}",
        ),
    ]);
}

#[test]
fn combinations() {
    let a = json!({ "properties": { "a": {} } });
    let b = json!({ "properties": { "b": {} } });
    let (a_text, b_text) = ("{\n  a?: unknown;\n}", "{\n  b?: unknown;\n}");
    check(&[
        (json!({ "oneOf": [a, b, a] }), &format!("{a_text} | {b_text}")),
        (json!({ "allOf": [a, b, {}] }), &format!("{a_text} & {b_text}")),
        (json!({ "type": "object", "anyOf": [a, b] }), &format!("{a_text} | {b_text}")),
        (
            json!({ "properties": { "a": {} }, "oneOf": [b, { "const": 1 }] }),
            &format!("{a_text} & ({b_text} | 1)"),
        ),
        (json!({ "anyOf": [{ "type": "string" }, {}] }), "unknown"),
        (json!({ "type": "string", "anyOf": [{ "minLength": 1 }, {}] }), "string"),
        (
            json!({ "anyOf": [{ "type": "string" }, { "anyOf": [{ "type": "null" }, false] }] }),
            "string | null",
        ),
        (json!({ "allOf": [a, false] }), "never"),
    ]);
}

#[test]
fn references_become_types_of_their_own() {
    let tree = json!({
        "type": "object",
        "properties": { "left": { "$ref": "#" }, "kind": { "$ref": "#/$defs/tree-kind" } },
        "$defs": { "tree-kind": { "enum": ["a", "b"] } },
    });
    assert_eq!(
        types(&tree),
        "It = {\n  kind?: TreeKind;\n  left?: It;\n}\nTreeKind = \"a\" | \"b\""
    );
    let list = json!({
        "$ref": "#/definitions/Node",
        "definitions": { "Node": { "properties": { "next": { "anyOf": [{ "$ref": "#/definitions/Node" }, { "type": "null" }] } } } },
    });
    assert_eq!(types(&list), "It = Node\nNode = {\n  next?: Node | null;\n}");
    check(&[
        (json!({ "$ref": "https://example.org/schema" }), "unknown"),
        (json!({ "$ref": "#/$defs/none" }), "unknown"),
        (json!({ "$ref": "#anchor" }), "unknown"),
        (json!({ "$ref": "#" }), "unknown"),
    ]);
    let round = json!({
        "$ref": "#/$defs/A",
        "$defs": { "A": { "$ref": "#/$defs/B" }, "B": { "anyOf": [{ "$ref": "#/$defs/A" }, { "type": "null" }] } },
    });
    assert_eq!(types(&round), "A = unknown\nB = A | null\nIt = A");
}

#[test]
fn a_long_way_of_references_is_gone_to_its_end() {
    let next =
        |n: u32| json!({ "properties": { "next": { "$ref": format!("#/$defs/D{}", n + 1) } } });
    let defs: serde_json::Map<_, _> = (0..300).map(|n| (format!("D{n}"), next(n))).collect();
    let text = types(&json!({ "$ref": "#/$defs/D0", "$defs": defs }));
    assert_eq!(text.matches(" = {").count(), 300);
    assert!(text.contains("D299 = {\n  next?: unknown;\n}"), "{text}");
}

#[test]
fn names_are_types() {
    let names = ["buy-product", "order.placed", "page_of_Item", "9-lives", "", "é", "a b"];
    let wanted = ["BuyProduct", "OrderPlaced", "PageOfItem", "Type9Lives", "Type", "Type", "AB"];
    assert_eq!(names.map(pascal), wanted);
}

/// Two modules in which everything is called the same.
fn odd() -> Vec<Module> {
    let status = |words: Json| json!({ "description": "Where it is.", "enum": words });
    let input = |words: Json| {
        json!({
            "title": "Anything",
            "description": "Ends */ a comment,\r\nand goes on.\n",
            "type": "object",
            "properties": {
                "status": { "$ref": "#/$defs/Status" },
                "old": { "type": "string", "description": "Not any more.", "deprecated": true },
                "a \"b\"": { "type": ["integer", "null"] },
                "path": { "type": "array", "prefixItems": [{ "$ref": "#" }, { "type": "number" }], "minItems": 1 },
                "tags": { "type": "object", "additionalProperties": { "type": "string" } },
            },
            "required": ["status", "a \"b\""],
            "$defs": { "Status": status(words) },
        })
    };
    let module = |name: &str, commands: Json, events: Json| -> Module {
        let manifest = json!({ "commands": commands, "queries": {}, "events": events });
        let module = json!({ "name": name, "hash": "0".repeat(64), "manifest": manifest });
        serde_json::from_value(module).expect("a module")
    };
    let schema = |kind: &str| json!({ "schema": { "type": kind }, "description": "Both say so." });
    vec![
        module(
            "one",
            json!({
                "go": { "input": input(json!(["a", "b"])), "description": "Goes." },
                "go-on": { "input": input(json!(["a", "b"])), "output": true },
                "app": {},
            }),
            json!({ "it.went": schema("string"), "it.came": {}, "it-went": schema("null") }),
        ),
        module(
            "two",
            json!({ "go-away": { "input": input(json!(["c"])) } }),
            json!({ "it.went": schema("number"), "it.came": {} }),
        ),
    ]
}

/// The file that `tsc` reads too. `CHANCERY_BLESS=1` writes it.
#[test]
fn a_module_of_odd_names_and_schemas() {
    let text = typescript::module("odd", &odd());
    assert_eq!(text, typescript::module("odd", &odd()));
    let path = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = path.join("../guest-sdk/js/client/test/types/odd.ts");
    if std::env::var_os("CHANCERY_BLESS").is_some() {
        std::fs::write(&path, &text).expect("written");
    }
    let golden = std::fs::read_to_string(&path).expect("the golden file");
    assert_eq!(text, golden, "CHANCERY_BLESS=1 writes it anew");
}
