//! Uploads that do not become modules.

use chancery_tests::guest;
use serde_json::{Value as Json, json};

use super::{Site, assert_names};

#[test]
fn what_is_not_webassembly_is_called_what_it_is() {
    let site = Site::start();
    let cases: [(&[u8], &str); 6] = [
        (b"", "nothing"),
        (b"\x7fELF\x02\x01\x01", "ELF"),
        (b"\x1f\x8b\x08\x00", "gzip"),
        (b"{\"name\": \"shop\"}", "JSON"),
        (b"(module)", "WebAssembly text"),
        (b"export const queries = {}", "`text/javascript`"),
    ];
    for (bytes, found) in cases {
        let refused = site.not_logged(|app| app.upload("shop", bytes), 422, "not-wasm");
        assert_names(&refused, &[found]);
    }
    site.assert_unharmed();
}

#[test]
fn truncated_webassembly_is_refused_wherever_it_is_cut() {
    let site = Site::start();
    let whole = guest("shop");
    for eighths in 1..8 {
        let cut = &whole[..whole.len() * eighths / 8];
        let refused = site.not_logged(|app| app.upload("shop", cut), 422, "invalid-wasm");
        assert_names(&refused, &["at byte"]);
    }
    let begin = site.not_logged(|app| app.upload("shop", &whole[..3]), 422, "not-wasm");
    assert_names(&begin, &["cut off", "the whole file"]);
    let last = &whole[..whole.len() - 1];
    site.refusal(|app| app.upload("shop", last), 422, "invalid-wasm");
    site.assert_unharmed();
}

#[test]
fn a_core_module_without_the_contract_is_told_how_to_get_it() {
    let site = Site::start();
    let module = wat::parse_str(r#"(module (func (export "run")))"#).unwrap();
    let refused = site.not_logged(|app| app.upload("bare", &module), 422, "no-contract");
    assert_names(&refused, &["SDK", "wit-bindgen", "component-type"]);
    let component = wat::parse_str("(component)").unwrap();
    let refused = site.not_logged(|app| app.upload("bare", &component), 422, "no-manifest");
    assert_names(&refused, &["chancery:app/manifest", "describe"]);
    site.assert_unharmed();
}

#[test]
fn i8_imports_of_anything_else_are_refused_all_at_once_with_the_fix() {
    let site = Site::start();
    let component = wat::parse_str(
        r#"(component
            (import "wasi:clocks/wall-clock@0.2.3" (instance))
            (import "wasi:random/random@0.2.3" (instance))
            (import "wasi:sockets/tcp@0.2.3" (instance))
            (import "wasi:filesystem/types@0.2.3" (instance))
            (import "acme:mail/outbox" (instance)))"#,
    );
    let refused = |app: &chancery_tests::App| app.upload("curious", component.as_ref().unwrap());
    let refused = site.not_logged(refused, 422, "foreign-imports");
    assert_names(
        &refused,
        &[
            "`wasi:clocks/wall-clock@0.2.3`",
            "`wasi:random/random@0.2.3`",
            "`wasi:sockets/tcp@0.2.3`",
            "`wasi:filesystem/types@0.2.3`",
            "`acme:mail/outbox`",
            "only `chancery:app` is offered",
            "wasm32-unknown-unknown",
        ],
    );
    let module = wat::parse_str(
        r#"(module
            (import "wasi_snapshot_preview1" "clock_time_get"
                (func (param i32 i64 i32) (result i32)))
            (import "env" "getrandom" (func)))"#,
    );
    let refused = |app: &chancery_tests::App| app.upload("curious", module.as_ref().unwrap());
    let refused = site.not_logged(refused, 422, "foreign-imports");
    assert_names(&refused, &["clock_time_get", "getrandom", "wasm32-unknown-unknown", "`env`"]);
    site.assert_unharmed();
}

#[test]
fn a_manifest_that_is_not_json_is_refused() {
    let site = Site::start();
    let refused =
        site.not_logged(|app| app.upload("liar", &guest("liar")), 422, "invalid-manifest");
    assert_names(&refused, &["manifest", "JSON"]);
    assert_eq!(site.app.get("/modules/liar").status, 404);
    site.assert_unharmed();
}

#[test]
fn a_manifest_that_claims_what_another_module_has_names_all_of_it() {
    let site = Site::start();
    let refused =
        site.not_logged(|app| app.upload("usurper", &guest("probe")), 409, "module-conflict");
    let conflicts = refused["conflicts"].as_array().expect("a list");
    let all: Vec<&str> = conflicts.iter().filter_map(Json::as_str).collect();
    for claimed in ["command `add`", "query `sum`", "table `items`", "table `counters`"] {
        let about = all.iter().find(|conflict| conflict.contains(claimed));
        assert!(about.is_some_and(|conflict| conflict.contains("`probe`")), "{claimed}: {all:?}");
    }
    // Only looking says the same.
    let wasm = [("content-type", "application/wasm")];
    let path = "/modules/usurper?check=true";
    let bytes = guest("probe");
    let checked = site.refusal(|app| app.send("PUT", path, &wasm, &bytes), 409, "module-conflict");
    assert_eq!(checked["conflicts"], refused["conflicts"]);
    site.assert_unharmed();
}

#[test]
fn a_handler_cannot_write_the_table_of_another_module() {
    let site = Site::start();
    site.app.deploy("shop");
    site.app.deploy("hostile");
    let lamp = json!({ "product": "lamp", "name": "Lamp", "quantity": 1 });
    site.app.succeed("add-product", &lamp);
    let refused = site.app.command("foreign-table", &json!(null));
    let refused = super::problem(&refused, 500, "foreign-table");
    assert_names(&refused, &["`stock`", "`foreign-table`"]);
    let stock = site.app.ask("stock-of", &json!({ "product": "lamp" }));
    assert_eq!(stock["left"], json!(1));
    site.assert_unharmed();
}
