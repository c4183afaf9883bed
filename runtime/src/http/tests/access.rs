//! What browsers may ask for, and what pages may read.

use std::path::Path;

use http::HeaderMap;

use super::super::Settings;
use super::super::access::EXPOSED;
use super::{Api, JSON, Reply, fresh_command, request};

const HERE: &str = "127.0.0.1:7070";
const SHOP: &str = "https://shop.example";

fn api(origins: &str) -> Api {
    let origins = origins.parse().unwrap();
    Api::with(Settings { origins, ..Settings::default() })
}

/// What a browser sends beside the body.
async fn ask(api: &Api, method: &str, path: &str, headers: &[(&str, &str)]) -> Reply {
    api.send(request(method, path, headers, "")).await
}

fn list(headers: &HeaderMap, name: &str) -> Vec<String> {
    let fields = headers.get_all(name).iter().map(|field| field.to_str().unwrap());
    let mut parts: Vec<String> =
        fields.flat_map(|text| text.split(',')).map(|text| text.trim().to_lowercase()).collect();
    parts.sort();
    parts
}

/// Nothing that lets a page read an answer.
#[track_caller]
fn unreadable(reply: &Reply) {
    let allowed = reply.headers.keys().find(|name| name.as_str().starts_with("access-control"));
    assert_eq!(allowed, None);
}

#[tokio::test]
async fn pages_of_elsewhere_are_refused_whatever_they_ask_for() {
    let api = api("none");
    let foreign = [("host", HERE), ("origin", "http://evil.example")];
    let paths = [
        ("GET", "/v1/apps"),
        ("HEAD", "/healthz"),
        ("GET", "/nowhere"),
        ("OPTIONS", "/v1/apps/main"),
        ("POST", "/v1/apps/main/backup"),
        ("POST", "/v1/apps/main/projections/x/rebuild"),
        ("DELETE", "/v1/apps/main/tables/x"),
        ("QUERY", "/v1/apps/main/queries/x"),
    ];
    for (method, path) in paths {
        let reply = ask(&api, method, path, &foreign).await;
        unreadable(&reply);
        assert_eq!(reply.header("vary"), "origin");
        match method {
            "HEAD" => assert_eq!(reply.status, 403),
            _ => drop(reply.not_logged(403, "origin-not-allowed")),
        }
    }
    // What a form can send without being asked.
    let form = [foreign[0], foreign[1], ("content-type", "text/plain")];
    let reply = api.send(request("POST", "/v1/apps/main/commands/x", &form, "{}")).await;
    reply.not_logged(403, "origin-not-allowed");
    let json = [foreign[0], foreign[1], JSON];
    let body = r#"{"name":"x","input":{}}"#;
    let reply = api.send(request("PUT", &fresh_command(), &json, body)).await;
    reply.not_logged(403, "origin-not-allowed");
    assert_eq!(api.get("/v1/apps/main/commands").await.json()["commands"], serde_json::json!([]));
    assert!(!api.data.path().join("backups").exists());
}

#[tokio::test]
async fn origins_that_are_none_or_nearly_ours_are_refused() {
    let api = api(SHOP);
    for origin in [
        "null",
        "",
        "http://shop.example",
        "https://shop.example:8443",
        "https://shop.example.evil.example",
        "http://localhost:7070",
        "http://127.0.0.1:7071",
        "https://shop.example, http://evil.example",
        "file://127.0.0.1:7070",
    ] {
        let reply = ask(&api, "GET", "/healthz", &[("host", HERE), ("origin", origin)]).await;
        reply.not_logged(403, "origin-not-allowed");
        unreadable(&reply);
    }
    let both = [("host", HERE), ("origin", SHOP), ("origin", "http://evil.example")];
    ask(&api, "GET", "/healthz", &both).await.not_logged(403, "origin-not-allowed");
    // Without a name there is none that would be the server's own.
    let nameless = [("origin", "http://127.0.0.1:7070")];
    ask(&api, "GET", "/healthz", &nameless).await.not_logged(403, "origin-not-allowed");
}

#[tokio::test]
async fn its_own_pages_and_programs_are_served() {
    let api = api("none");
    let proxy = "https://shop.example";
    for headers in [
        &[][..],
        &[("host", HERE)],
        &[("host", HERE), ("origin", "http://127.0.0.1:7070")],
        &[("host", "localhost"), ("origin", "http://localhost")],
        &[("host", HERE), ("sec-fetch-site", "none")],
        &[
            ("host", HERE),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "document"),
        ],
        // A proxy that asks by its own name for what it serves; the browser knows better.
        &[("host", HERE), ("origin", proxy), ("sec-fetch-site", "same-origin")],
    ] {
        let reply = ask(&api, "GET", "/healthz", headers).await;
        assert_eq!(reply.status, 200, "{headers:?}");
        unreadable(&reply);
    }
    for site in ["cross-site", "same-site"] {
        let image = [("host", HERE), ("sec-fetch-site", site), ("sec-fetch-mode", "no-cors")];
        ask(&api, "GET", "/healthz", &image).await.not_logged(403, "origin-not-allowed");
        // A form that is sent, by a browser that does not say whose, and a frame.
        for (method, dest) in [("POST", "document"), ("GET", "iframe")] {
            let mode = ("sec-fetch-mode", "navigate");
            let headers =
                [("host", HERE), ("sec-fetch-site", site), mode, ("sec-fetch-dest", dest)];
            let reply = ask(&api, method, "/v1/apps/main/projections/p/rebuild", &headers).await;
            reply.not_logged(403, "origin-not-allowed");
        }
    }
    // No browser asks before it sends what is its own; the question is one like others.
    let options = ask(&api, "OPTIONS", "/healthz", &[("host", HERE)]).await;
    options.problem(405, "method-not-allowed");
}

#[tokio::test]
async fn a_name_that_somebody_else_has_lead_here_is_refused() {
    let api = api("*");
    // The page's own server, as its browser believes.
    for host in ["evil.example", "evil.example:7070", "192.168.0.7:7070", "", "a b"] {
        let origin = format!("http://{host}");
        for headers in [
            &[("host", host)][..],
            &[("host", host), ("origin", &origin), ("sec-fetch-site", "same-origin")],
            &[("host", HERE), ("host", host)],
        ] {
            let reply = ask(&api, "GET", "/v1/apps", headers).await;
            reply.not_logged(403, "host-not-allowed");
            unreadable(&reply);
        }
    }
    let whole = request("GET", "http://evil.example/healthz", &[("host", HERE)], "");
    api.send(whole).await.not_logged(403, "host-not-allowed");
}

#[tokio::test]
async fn names_that_are_configured_are_served() {
    let hosts = "shop.example".parse().unwrap();
    let api = Api::with(Settings { hosts, ..Settings::default() });
    let proxied = [("host", "shop.example"), ("origin", "https://shop.example")];
    assert_eq!(ask(&api, "GET", "/healthz", &proxied).await.status, 200);
    assert_eq!(ask(&api, "GET", "/healthz", &[("host", HERE)]).await.status, 200);
    let other = [("host", "other.example")];
    ask(&api, "GET", "/healthz", &other).await.not_logged(403, "host-not-allowed");
}

#[tokio::test]
async fn a_browser_that_asks_first_is_answered_before_any_handler() {
    let api = api(&format!("{SHOP},http://localhost:5173"));
    for path in [fresh_command().as_str(), "/v1/apps/main/queries/x", "/nowhere"] {
        for method in ["GET", "POST", "PUT", "DELETE", "QUERY"] {
            let question = [
                ("host", HERE),
                ("origin", SHOP),
                ("access-control-request-method", method),
                ("access-control-request-headers", "content-type,prefer,x-of-a-proxy"),
            ];
            let reply = ask(&api, "OPTIONS", path, &question).await;
            assert_eq!((reply.status.as_u16(), reply.body.len()), (200, 0));
            assert_eq!(reply.header("access-control-allow-origin"), SHOP);
            let allowed = list(&reply.headers, "access-control-allow-methods");
            assert!(allowed.contains(&method.to_lowercase()), "{allowed:?}");
            let allowed = list(&reply.headers, "access-control-allow-headers");
            assert_eq!(allowed, ["content-type", "prefer", "x-of-a-proxy"]);
            assert_eq!(reply.header("access-control-max-age"), "7200");
            assert_eq!(reply.header("access-control-allow-credentials"), "");
            assert!(list(&reply.headers, "vary").contains(&"origin".to_owned()));
        }
    }
}

#[tokio::test]
async fn pages_that_are_configured_read_answers_and_refusals() {
    let api = api(SHOP);
    let from = [("host", HERE), ("origin", SHOP)];
    for (path, status) in [("/v1/apps", 200), ("/v1/apps/none", 404), ("/v1/apps/%zz", 400)] {
        let reply = ask(&api, "GET", path, &from).await;
        assert_eq!(reply.status, status);
        assert_eq!(reply.header("access-control-allow-origin"), SHOP);
        let mut exposed = EXPOSED.map(|name| name.to_string());
        exposed.sort();
        assert_eq!(list(&reply.headers, "access-control-expose-headers"), exposed);
        assert!(list(&reply.headers, "vary").contains(&"origin".to_owned()));
    }
    // The same address, asked for by another, has another answer.
    let reply = ask(&api, "GET", "/v1/apps", &[("host", HERE)]).await;
    assert!(list(&reply.headers, "vary").contains(&"origin".to_owned()));
    assert_eq!(reply.header("access-control-allow-origin"), "");

    let any = self::api("*");
    let reply = ask(&any, "GET", "/v1/apps", &[("host", HERE), ("origin", "null")]).await;
    assert_eq!((reply.status.as_u16(), reply.header("access-control-allow-origin")), (200, "*"));
}

#[test]
fn what_the_client_reads_of_an_answer_it_may_read() {
    let client = Path::new(env!("CARGO_MANIFEST_DIR")).join("../guest-sdk/js/client/src");
    let mut read = 0;
    for entry in std::fs::read_dir(client).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        for (_, rest) in
            text.match_indices("headers.get(\"").map(|(at, m)| text.split_at(at + m.len()))
        {
            let name = rest.split('"').next().unwrap();
            read += 1;
            let is_exposed = EXPOSED.iter().any(|exposed| exposed == name);
            assert!(is_exposed || name == "content-type", "{name}");
        }
    }
    assert!(read >= 8, "the client was not found");
}
