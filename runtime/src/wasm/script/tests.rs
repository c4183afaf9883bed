//! What is kept of scripts, without running them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::*;
use crate::wasm::engine::FEATURES;

#[test]
fn what_is_kept_of_a_script_is_javascript_and_reads_back() {
    let script = Script::new("src/shop.js", b"export default 1;\n").expect("a script");
    let kept = script.to_bytes();
    let text = std::str::from_utf8(&kept).expect("text");
    let head = format!("// chancery-script base={} file=src/shop.js\n", *BASE_HASH);
    assert_eq!(text, format!("{head}export default 1;\n"));
    assert!(Script::is_kept(&kept));
    assert_eq!(Script::parse(&kept).as_ref(), Some(&script));
    // What was downloaded and is uploaded again is the same script.
    assert_eq!(Script::new("src/shop.js", &kept).expect("a script"), script);
    assert_eq!(
        (script.line(1), script.line(2), script.line(0)),
        (Some("export default 1;"), None, None)
    );
}

#[test]
fn what_is_no_script_is_told_from_one() {
    for other in
        [&b"\0asm"[..], b"", b"// chancery-script base=12 file=a.js\n", b"// chancery-script"]
    {
        assert_eq!(Script::parse(other), None);
    }
}

#[test]
fn what_cannot_be_a_script_is_refused_with_the_reason() {
    let refused = |file: &str, upload: &[u8]| {
        let refused = Script::new(file, upload).expect_err("no script");
        format!("{}: {refused}", refused.code())
    };
    assert_eq!(
        refused("a.js", b"let a = '\xff';"),
        "not-javascript: the script is not UTF-8: byte 9 does not belong there"
    );
    assert_eq!(refused("a.js", b"\0"), "not-javascript: the script contains a zero byte");
    assert!(refused("a b.js", b"1").starts_with("not-javascript: the file's name \"a b.js\""));
    assert!(refused("", b"1").starts_with("not-javascript: the file's name \"\""));
    let large = vec![b' '; SCRIPT_BYTES_MAX + 1];
    let expected = "upload-too-large: the upload has 2097153 bytes; the limit is 2097152";
    assert_eq!(refused("a.js", &large), expected);
}

/// A map from the first line of a bundle to the first of a source.
fn places(source: &str) -> Option<Places> {
    let map = format!(r#"{{"version":3,"sources":["{source}"],"names":[],"mappings":"AAAA"}}"#);
    let url = format!("data:application/json;base64,{}", BASE64.encode(map));
    Places::read("a.js", &url)
}

#[test]
fn places_of_a_bundle_are_told_as_those_of_its_sources() {
    let places = places("src/a.ts").expect("a map");
    let named = places.name_in("TypeError: x\n    at f (a.js:1:7)\n    at a.js:2:1, a.js");
    assert_eq!(named, "TypeError: x\n    at f (src/a.ts:1:1)\n    at a.js:2:1, a.js");
    let (code, map) = places::split("let a;\n//# sourceMappingURL=data:x\n");
    assert_eq!((code, map), ("let a;", Some("data:x")));
    assert_eq!(places::split("//# sourceMappingURL=1").1, None);
}

#[test]
fn a_component_carries_the_map_of_its_script() {
    let component = wat::parse_str("(component)").expect("a component");
    let map = r#"{"version":3,"sources":["src/a.ts"],"names":[],"mappings":"AAAA"}"#;
    // Longer than one byte can say.
    let padded = format!("{map}{}", " ".repeat(500));
    let url = format!("data:application/json;base64,{}", BASE64.encode(padded));
    let source = format!("let a;\n//# sourceMappingURL={url}\n");
    let carrying = carrying(component.clone(), "a.js", &source);
    assert!(carrying.starts_with(&component));
    let valid = wasmparser::Validator::new_with_features(FEATURES).validate_all(&carrying);
    assert!(valid.is_ok(), "{:?}", valid.err());
    let places = Places::carried(&carrying).expect("a map");
    assert_eq!(places.name_in("at a.js:1:7"), "at src/a.ts:1:1");
    assert_eq!(super::carrying(component.clone(), "a.js", "let a;"), component);
    assert!(Places::carried(&component).is_none());
}

#[test]
fn i12_what_a_map_makes_of_a_text_has_a_bound() {
    let long = places(&"x".repeat(600)).expect("a map");
    assert_eq!(long.name_in("a.js:1:1"), "a.js:1:1");
    let longest = places(&"x".repeat(512)).expect("a map");
    let named = longest.name_in(&"a.js:1:1 ".repeat(10_000));
    assert!(named.len() < 200_000, "{}", named.len());
    assert!(Places::read("", "data:application/json;base64,e30=").is_none());
}
