//! Requests that are wrong in form, whatever they are about.

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use std::sync::Arc;
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::super::{Settings, Shared, guard};
use super::{Api, JSON, request};
use crate::clock::Clock;

#[tokio::test]
async fn paths_and_methods_that_are_not_there() {
    let api = Api::new();
    for path in ["/", "/v1", "/v1/apps/", "/v1/apps/main/", "/v2/apps", "/v1/apps/main/tables/t/"] {
        let problem = api.get(path).await.problem(404, "unknown-route");
        assert!(problem["detail"].as_str().unwrap().contains(path));
    }
    let cases = [
        ("POST", "/healthz", "GET,HEAD"),
        ("DELETE", "/v1/apps", "GET,HEAD"),
        ("DELETE", "/v1/apps/main", "GET,HEAD,PUT"),
        ("PATCH", "/v1/apps/main/modules/m", "GET,HEAD,PUT,DELETE"),
        ("PUT", "/v1/apps/main/queries/q", "GET,HEAD,POST,QUERY"),
        ("OPTIONS", "/v1/apps/main/queries/q", "GET,HEAD,POST,QUERY"),
        ("QUERY", "/v1/apps/main/tables", "GET,HEAD"),
        ("PATCH", "/v1/apps/main/commands/x", "PUT,POST,GET,HEAD,DELETE"),
        ("PUT", "/v1/apps/main/tables/t", "DELETE,GET,HEAD"),
    ];
    for (method, path, allow) in cases {
        let reply = api.send(request(method, path, &[], "")).await;
        reply.problem(405, "method-not-allowed");
        assert_eq!(reply.header("allow"), allow, "{method} {path}");
    }
}

#[tokio::test]
async fn what_is_not_percent_encoded_utf_8_is_refused() {
    let api = Api::new();
    let base = "/v1/apps/main";
    for path in ["/tables/t/%", "/tables/t/%4", "/tables/t/%zz", "/tables/t/%+4", "/tables/t/%ff"] {
        api.get(&format!("{base}{path}")).await.problem(400, "invalid-request");
    }
    for query in ["prefix=%", "prefix=%f", "prefix=%C3", "%ff=1"] {
        let path = format!("{base}/tables/t?{query}");
        api.get(&path).await.problem(400, "invalid-request");
    }
    // Decoded, and only then not there.
    let problem = api.get(&format!("{base}/tables/%C3%A4/x")).await.problem(404, "unknown-table");
    assert!(problem["detail"].as_str().unwrap().contains('ä'));
}

#[tokio::test]
async fn parameters_that_are_unknown_twice_or_out_of_range() {
    let api = Api::new();
    let cases = [
        ("/v1/apps?x=1", "x"),
        ("/v1/apps/main/tables?atleast=1", "atleast"),
        ("/v1/apps/main/tables?at_least=1&at_least=2", "at_least"),
        ("/v1/apps/main/tables?at_least=-1", "at_least"),
        ("/v1/apps/main/tables?as_of=one", "as_of"),
        ("/v1/apps/main/tables/t?limit=0", "limit"),
        ("/v1/apps/main/tables/t?limit=1001", "limit"),
        ("/v1/apps/main/commands?status=done", "status"),
        ("/v1/apps/main/commands?before=18446744073709551616", "before"),
        ("/v1/apps/main/commands/x?wait=61", "wait"),
        ("/v1/apps/main/queries/q?inputs=1", "inputs"),
    ];
    for (path, parameter) in cases {
        let problem = api.get(path).await.problem(400, "invalid-request");
        assert_eq!(problem["parameter"], parameter, "{path}: {problem}");
    }
    let near = api.get("/v1/apps/main/tables?atleast=1").await.json();
    assert_eq!(near["suggestion"], "at_least");
}

#[tokio::test]
async fn sequences_that_were_not_given_out() {
    let api = Api::new();
    for parameter in ["at_least", "as_of"] {
        let path = format!("/v1/apps/main/tables?{parameter}=1");
        let problem = api.get(&path).await.problem(422, "sequence-ahead");
        assert_eq!(problem["last"], 0);
        let now = format!("/v1/apps/main/tables?{parameter}=0");
        assert_eq!(api.get(&now).await.status, 200);
    }
}

#[tokio::test]
async fn sequences_of_another_history() {
    let api = Api::new();
    let history = api.get("/v1/apps/main").await.json()["history"].clone();
    let with = |history: &str| {
        let header = ("chancery-history", history);
        request("GET", "/v1/apps/main/tables", &[header], "")
    };
    assert_eq!(api.send(with(history.as_str().unwrap())).await.status, 200);
    let other = api.send(with(&Uuid::now_v7().to_string())).await;
    assert_eq!(other.problem(410, "history-changed")["history"], history);
    api.send(with("latest")).await.problem(400, "invalid-request");
}

#[tokio::test]
async fn media_types_that_are_not_taken() {
    let api = Api::new();
    let cases: [&[(&str, &str)]; 5] = [
        &[],
        &[("content-type", "text/plain")],
        &[("content-type", "application/x-www-form-urlencoded")],
        &[("content-type", "application/wasm")],
        &[JSON, ("content-encoding", "gzip")],
    ];
    for headers in cases {
        let command = request("PUT", &super::fresh_command(), headers, "{}");
        api.send(command).await.not_logged(415, "unsupported-media-type");
        let query = request("POST", "/v1/apps/main/queries/q", headers, "{}");
        api.send(query).await.problem(415, "unsupported-media-type");
    }
    let labelled = [("content-type", "Application/JSON; charset=utf-8")];
    let query = request("QUERY", "/v1/apps/main/queries/q", &labelled, "{}");
    api.send(query).await.problem(404, "unknown-query");
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let api = Api::new();
    for path in ["/healthz", "/v1/apps/main", "/v1/apps/main/tables", "/v1/apps/nowhere"] {
        let (get, head) = (api.get(path).await, api.send(request("HEAD", path, &[], "")).await);
        assert_eq!(head.status, get.status, "{path}");
        assert_eq!(head.header("content-length"), get.body.len().to_string(), "{path}");
        assert!(head.body.is_empty(), "{path}");
    }
}

#[tokio::test]
async fn i10_a_panic_is_an_answer_and_the_server_goes_on() {
    let mut api = Api::new();
    let shared = Arc::new(Shared {
        engine: Arc::clone(&api.engine),
        settings: Settings::default(),
        clock: Clock::system(),
        bodies: Semaphore::new(0),
        followers: Arc::new(Semaphore::new(0)),
    });
    let panics = Router::new().route("/panics", get(panics));
    let panics = panics.layer(from_fn_with_state(shared, guard::guard));
    api.router = api.router.merge(panics);
    let problem = api.get("/panics").await.problem(500, "internal");
    assert!(!problem.to_string().contains("secret"), "{problem}");
    assert_eq!(api.get("/healthz").await.status, 200);
}

async fn panics() -> &'static str {
    panic!("secret words")
}
