//! What is refused at upload, with which code and which words.

use super::guests::{Guest, PLAIN, follower, guest};
use super::{SOON, load, settings};
use crate::value::Hash;
use crate::wasm::{Host, Refused, Settings};

fn refused(upload: &[u8]) -> (&'static str, String) {
    refused_by(settings(), upload)
}

fn refused_by(settings: Settings, upload: &[u8]) -> (&'static str, String) {
    let host = Host::new(settings).expect("this machine can host modules");
    let refused: Refused = host.load(upload).expect_err("not a module");
    (refused.code(), refused.to_string())
}

fn check(upload: &[u8], code: &str, words: &[&str]) {
    let (found, message) = refused(upload);
    assert_eq!(found, code, "{message}");
    for word in words {
        assert!(message.contains(word), "no {word:?} in: {message}");
    }
}

fn component(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("the component's text is right")
}

#[test]
fn a_module_says_what_it_is() {
    let upload = guest().build();
    let module = load(settings(), &upload);
    assert_eq!(module.hash(), Hash::of(&upload));
    assert_eq!(module.upload_bytes(), upload.len());
    assert!(module.has_queries() && module.has_commands());
    assert_eq!(module.manifest().queries.len(), 1);
}

#[test]
fn a_component_is_taken_as_it_is() {
    let encoder = wit_component::ComponentEncoder::default();
    let encoded = encoder.module(&guest().build()).and_then(|mut encoder| encoder.encode());
    load(settings(), &encoded.expect("the guest becomes a component"));
}

#[test]
fn what_is_not_wasm_is_named() {
    for (upload, words) in [
        (&b""[..], "0 bytes"),
        (b"\0as", "cut off"),
        (b"\n <!DOCTYPE html>", "HTML"),
        (b"import { app } from 'chancery-sdk';", "JavaScript"),
        (b"\x1f\x8b\x08\0", "gzip"),
        (b"\x7fELF\x02", "ELF"),
        (b"PK\x03\x04", "ZIP"),
        (b"(module)", "wasm-tools parse"),
        (b"hello", "\"hello\""),
        (b"\xff\xd8\xff\xe0", "ff d8 ff e0"),
    ] {
        check(upload, "not-wasm", &[words]);
    }
}

#[test]
fn broken_wasm_is_refused_with_its_place() {
    let upload = guest().build();
    check(&upload[..upload.len() / 2], "invalid-wasm", &["at byte"]);
    let threads = component("(module (memory 1 1 shared))");
    check(&threads, "invalid-wasm", &["threads"]);
}

#[test]
fn large_uploads_are_refused_unread() {
    let settings = Settings { upload_bytes_max: 10, ..settings() };
    let (code, message) = refused_by(settings, b"not looked at");
    assert_eq!(code, "upload-too-large");
    assert!(message.contains("13 bytes") && message.contains("10"), "{message}");
}

#[test]
fn a_core_module_needs_its_contract() {
    check(&guest().core(), "no-contract", &["component-type"]);
}

#[test]
fn foreign_imports_are_all_named() {
    let wasi = component(
        r#"(component (import "wasi:cli/environment@0.2.0" (instance))
            (import "wasi:io/streams@0.2.0" (instance)))"#,
    );
    let words = ["wasi:cli/environment@0.2.0", "wasi:io/streams@0.2.0", "wasm32-unknown-unknown"];
    check(&wasi, "foreign-imports", &words);
    let core = component(r#"(module (import "env" "puts" (func)) (import "wbg" "now" (func)))"#);
    check(&core, "foreign-imports", &["env.puts", "wbg.now", "wasm-bindgen", "linker"]);
}

#[test]
fn another_contract_is_refused() {
    let import = |name: &str| component(&format!("(component (import {name:?} (instance)))"));
    check(&import("chancery:app/store@0.2.0"), "wrong-contract", &["0.2.0", "0.1.0"]);
    check(&import("chancery:app/views@0.1.0"), "wrong-contract", &["views", "`store`"]);
    // The right name and the wrong type.
    let store = r#"(component (import "chancery:app/log@0.1.0"
        (instance (export "write" (func)))) (instance $m)
        (export "chancery:app/manifest@0.1.0" (instance $m)))"#;
    check(&component(store), "wrong-contract", &["write"]);
}

#[test]
fn a_component_needs_a_manifest() {
    check(&component("(component)"), "no-manifest", &["describe"]);
}

#[test]
fn counts_are_limited() {
    let many = format!("(component {})", "(core module)".repeat(33));
    check(&component(&many), "too-complex", &["33 core modules", "32"]);
}

#[test]
fn describing_is_limited() {
    let mut guest = guest();
    guest.describe = "unreachable".into();
    check(&guest.build(), "describe-failed", &["`describe` trapped", "unreachable"]);
    guest.describe = "(loop (br 0)) unreachable".into();
    let settings = Settings { describe_deadline: SOON, ..settings() };
    let (code, message) = refused_by(settings, &guest.build());
    assert_eq!(code, "describe-failed");
    assert!(message.contains("50ms"), "{message}");
}

#[test]
fn the_manifest_must_be_one() {
    let describing = |manifest: &str| {
        let manifest = manifest.to_owned();
        Guest { manifest, ..guest() }.build()
    };
    check(&describing("{oops"), "invalid-manifest", &["byte 1"]);
    let typo = PLAIN.replace("queries", "querys");
    check(&describing(&typo), "invalid-manifest", &["querys", "known are"]);
}

#[test]
fn what_the_manifest_declares_must_be_exported() {
    let mut guest = guest();
    guest.world = "test:worlds/only-manifest";
    check(&guest.build(), "invalid-manifest", &["`queries`", "does not export"]);
}

#[test]
fn handlers_of_events_and_the_manifest_go_together() {
    let declaring = |members: &str| {
        let manifest = PLAIN.replacen('{', &format!("{{{members},"), 1);
        Guest { manifest, ..guest() }.build()
    };
    let projection = r#""projections":{"p":{"version":1,"on":["**"],"tables":["t"]}}"#;
    let words = ["`projections`", "does not export `chancery:app/projections`"];
    check(&declaring(projection), "invalid-manifest", &words);
    let reaction = r#""reactions":{"r":{"on":["**"]}}"#;
    let words = ["`reactions`", "does not export `chancery:app/reactions`"];
    check(&declaring(reaction), "invalid-manifest", &words);
    let undeclared = Guest { manifest: PLAIN.to_owned(), ..follower() }.build();
    let words = ["`projections`", "is empty, but the component exports"];
    check(&undeclared, "invalid-manifest", &words);
}

/// QuickJS components export `init` at their root.
#[test]
fn further_exports_are_allowed() {
    let mut guest = guest();
    guest.world = "test:worlds/with-init";
    guest.manifest = r#"{"contract":"0.1.0"}"#.into();
    let module = load(settings(), &guest.build());
    assert!(!module.has_queries() && !module.has_commands());
}
