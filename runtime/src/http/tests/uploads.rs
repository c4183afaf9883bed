//! Uploads that are refused.

use super::{Api, JSON, request};

const MODULE: &str = "/v1/apps/main/modules/shop";
const WASM: (&str, &str) = ("content-type", "application/wasm");

#[tokio::test]
async fn uploads_that_are_not_modules() {
    let api = Api::new();
    let cases = [
        ("", "not-wasm"),
        ("export function query() {}", "not-wasm"),
        ("\u{7f}ELF", "not-wasm"),
        ("\0asm\u{1}\0\0\0", "no-contract"),
        ("\0asm\u{1}\0\0\0\u{1}\u{7f}", "invalid-wasm"),
    ];
    for (upload, code) in cases {
        for path in [MODULE.to_owned(), format!("{MODULE}?check=true")] {
            let reply = api.send(request("PUT", &path, &[WASM], upload)).await;
            reply.not_logged(422, code);
        }
    }
    api.send(request("PUT", "/v1/apps/main/modules/Shop", &[WASM], ""))
        .await
        .problem(400, "invalid-name");
    let reply = api.send(request("PUT", &format!("{MODULE}?check=maybe"), &[WASM], "")).await;
    reply.problem(400, "invalid-request");
}

#[tokio::test]
async fn uploads_of_other_types() {
    let api = Api::new();
    let typed = request("PUT", MODULE, &[("content-type", "application/typescript")], "app({})");
    let problem = api.send(typed).await.problem(415, "unsupported-media-type");
    assert!(problem["detail"].as_str().unwrap().contains("text/javascript"));
    let unlabelled = request("PUT", MODULE, &[], "\0asm");
    let problem = api.send(unlabelled).await.problem(415, "unsupported-media-type");
    assert!(problem["detail"].as_str().unwrap().contains("application/wasm"));
    let zipped = request("PUT", MODULE, &[WASM, ("content-encoding", "gzip")], "x");
    api.send(zipped).await.problem(415, "unsupported-media-type");
}

#[tokio::test]
async fn rollbacks_to_what_is_not_there() {
    let api = Api::new();
    let to = |body: &str| request("PUT", MODULE, &[JSON], body);
    let unknown = format!(r#"{{"hash":"{}"}}"#, "0".repeat(64));
    api.send(to(&unknown)).await.not_logged(404, "unknown-version");
    let problem = api.send(to(r#"{"hash":"abc"}"#)).await.problem(400, "invalid-request");
    assert_eq!(problem["errors"][0]["pointer"], "/hash");
    api.send(to(r#"{"version":1}"#)).await.problem(400, "invalid-request");
    let problem = api.send(to(r#"{"hash":"#)).await.problem(400, "not-json");
    assert_eq!(problem["offset"], 8);
}
