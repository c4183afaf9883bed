//! Limits on what comes in (I12).

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use futures_util::stream;

use super::super::Settings;
use super::{Api, JSON, fresh_command, request};

/// A body whose length nobody knows before it has come.
fn streamed(method: &str, path: &str, media_type: &str, chunks: usize) -> Request {
    let chunk = Bytes::from(vec![b' '; 1000]);
    let chunks = stream::iter((0..chunks).map(move |_| Ok::<_, Infallible>(chunk.clone())));
    let request = Request::builder().method(method).uri(path);
    let request = request.header("content-type", media_type);
    request.body(Body::from_stream(chunks)).unwrap()
}

#[tokio::test]
async fn i12_bodies_are_bounded_by_what_is_announced_and_by_what_comes() {
    let settings = Settings {
        command_bytes_max: 10_000,
        query_input_bytes_max: 5_000,
        upload_bytes_max: 20_000,
        ..Settings::default()
    };
    let api = Api::with(settings);
    let (query, module) = ("/v1/apps/main/queries/q", "/v1/apps/main/modules/m");
    let cases = [
        ("PUT", fresh_command(), "application/json", 10, "body-too-large"),
        ("POST", query.to_owned(), "application/json", 5, "body-too-large"),
        ("QUERY", query.to_owned(), "application/json", 5, "body-too-large"),
        ("PUT", module.to_owned(), "application/wasm", 20, "upload-too-large"),
    ];
    for (method, path, media_type, thousands, code) in cases {
        let headers = [("content-type", media_type)];
        let over = request(method, &path, &headers, &" ".repeat(thousands * 1000 + 1));
        let problem = api.send(over).await.problem(413, code);
        assert_eq!(problem["bytes_max"], thousands * 1000);
        let over = streamed(method, &path, media_type, thousands + 1);
        api.send(over).await.problem(413, code);
        let within = streamed(method, &path, media_type, thousands);
        assert_ne!(api.send(within).await.status, 413, "{method} {path}");
    }
}

#[tokio::test]
async fn i12_bodies_of_all_requests_together_are_bounded() {
    let settings = Settings { bodies_bytes_max: 4_000, ..Settings::default() };
    let api = Api::with(settings);
    let reply = api.send(streamed("PUT", &fresh_command(), "application/json", 5)).await;
    reply.not_logged(503, "busy");
    assert_eq!(reply.header("retry-after"), "1");
    // What the first one took has been given back.
    let reply = api.send(streamed("PUT", &fresh_command(), "application/json", 4)).await;
    reply.not_logged(400, "not-json");
}

#[tokio::test]
async fn i12_a_body_that_does_not_come_is_not_waited_for() {
    let settings = Settings { body_wait_max: Duration::from_millis(10), ..Settings::default() };
    let api = Api::with(settings);
    let nothing = Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
    let request = Request::builder().method("PUT").uri(fresh_command());
    let request = request.header(JSON.0, JSON.1).body(nothing).unwrap();
    api.send(request).await.not_logged(408, "body-timeout");
}

#[tokio::test]
async fn i12_paths_and_inputs_in_them_are_bounded() {
    let settings = Settings { query_input_bytes_max: 100, ..Settings::default() };
    let api = Api::with(settings);
    let input = "1".repeat(101);
    let reply = api.get(&format!("/v1/apps/main/queries/q?input={input}")).await;
    reply.problem(413, "body-too-large");
    let reply = api.get(&format!("/v1/apps/main/tables/t/{}", "k".repeat(16 << 10))).await;
    reply.problem(414, "uri-too-long");
}
