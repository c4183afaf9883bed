//! Which layer wins, and what is said about values that cannot be.

use std::path::Path;
use std::time::Duration;

use super::*;

fn layers(flags: &[(Key, &str)], environment: &[(&str, &str)], file: &str) -> Layers {
    let flags = flags.iter().map(|(key, text)| (*key, (*text).to_owned())).collect();
    let variables = environment.iter().map(|(name, text)| ((*name).into(), (*text).into()));
    let file = File::parse(Path::new(FILE_NAME), file).expect("a configuration");
    Layers::new(flags, variables, file)
}

fn file_error(text: &str) -> String {
    File::parse(Path::new(FILE_NAME), text).expect_err("no configuration").to_string()
}

fn serve_error(flags: &[(Key, &str)]) -> String {
    layers(flags, &[], "").serve().expect_err("refused").to_string()
}

#[test]
fn flags_win_over_the_environment_over_the_file_over_the_default() {
    let file = "app = \"filed\"\n\n[serve]\nquery-deadline = \"3s\"\nqueries-max = 7\n";
    let environment = [("CHANCERY_APP", "set"), ("CHANCERY_QUERY_DEADLINE", "2s"), ("PATH", "/")];
    let flags = [(key::QUERY_DEADLINE, "1s")];
    let mut layers = layers(&flags, &environment, file);
    let serve = layers.serve().expect("valid");
    assert_eq!(serve.engine.wasm.query_deadline, Duration::from_secs(1));
    assert_eq!(serve.engine.queries_max, 7);
    let shown = |key| {
        let shown = layers.shown().iter().find(|shown| shown.key == key).expect("shown");
        format!("{} = {} ({})", shown.key, shown.value, shown.source)
    };
    assert_eq!(shown(key::QUERY_DEADLINE), "serve.query-deadline = 1s (--query-deadline)");
    assert_eq!(shown(key::APP), "app = set (environment CHANCERY_APP)");
    assert_eq!(shown(key::QUERIES_MAX), "serve.queries-max = 7 (chancery.toml, line 5)");
    assert_eq!(shown(key::WINDOW), "serve.window = 24h (default)");
}

#[test]
fn an_empty_variable_sets_nothing() {
    let mut layers = layers(&[], &[("CHANCERY_APP", "")], "app = \"filed\"");
    assert_eq!(layers.client().expect("valid").app.as_str(), "filed");
}

#[test]
fn without_any_layer_the_defaults_are_those_of_the_engine() {
    let mut layers = Layers::default();
    let mut serve = layers.serve().expect("valid");
    // Who embeds the engine says where, or keeps none.
    if let Some(cache) = serve.engine.wasm.code_cache.take() {
        assert!(cache.ends_with("chancery/code"), "{}", cache.display());
    }
    let engine = crate::engine::Settings::new("./chancery-data".into());
    assert_eq!(format!("{:?}", serve.engine), format!("{engine:?}"));
    assert_eq!(serve.followers_max, crate::server::FOLLOWERS_MAX);
    let client = layers.client().expect("valid");
    assert_eq!(client.server.as_str(), format!("http://{}", serve.listen));
    assert_eq!(client.app.as_str(), "main");
}

#[test]
fn every_key_is_asked_for() {
    let mut layers = Layers::default();
    layers.client().and_then(|_| layers.log_format()).expect("valid");
    layers.serve().expect("valid");
    for key in key::ALL {
        assert!(layers.shown().iter().any(|shown| shown.key == *key), "{key} has no reader");
    }
}

#[test]
fn what_the_file_sets_must_exist_and_be_a_value() {
    insta::assert_snapshot!(
        file_error("[serve]\nquery-dedline = \"1s\""),
        @"chancery.toml, line 2: there is no setting `serve.query-dedline`; did you mean `serve.query-deadline`?"
    );
    insta::assert_snapshot!(
        file_error("listen = \"127.0.0.1:1\""),
        @"chancery.toml, line 1: there is no setting `listen`; did you mean `serve.listen`?"
    );
    insta::assert_snapshot!(
        file_error("[server]\nlisten = \"127.0.0.1:1\""),
        @"`server` cannot be `[server]` (chancery.toml, line 1): a string, number or boolean, not table"
    );
    insta::assert_snapshot!(
        file_error("app = \"shop\"\n[serve]\nqueries-max = [1]"),
        @"`serve.queries-max` cannot be `[1]` (chancery.toml, line 3): a string, number or boolean, not array"
    );
    insta::assert_snapshot!(
        file_error("app = \"shop\"\nserver ="),
        @"chancery.toml, line 2: string values must be quoted, expected literal string"
    );
}

#[test]
fn a_value_out_of_its_range_is_refused_with_the_range_and_its_source() {
    insta::assert_snapshot!(
        serve_error(&[(key::QUERY_DEADLINE, "2h")]),
        @"`serve.query-deadline` cannot be `2h` (--query-deadline): from 1ms to 1h"
    );
    insta::assert_snapshot!(
        serve_error(&[(key::WINDOW, "90")]),
        @"`serve.window` cannot be `90` (--window): a time with its unit, such as 500ms, 5s, 10m or 24h"
    );
    insta::assert_snapshot!(
        serve_error(&[(key::SEGMENT_BYTES, "1TB")]),
        @"`serve.segment-bytes` cannot be `1TB` (--segment-bytes): a number of bytes, such as 512KiB, 64MiB or 1GiB"
    );
}

#[test]
fn only_this_machine_may_connect_unless_the_operator_insists() {
    insta::assert_snapshot!(
        serve_error(&[(key::LISTEN, "0.0.0.0:7070")]),
        @"`serve.listen` cannot be `0.0.0.0:7070` (--listen): other machines could connect, and there are no permissions yet: whoever connects may read, change and deploy everything; use 127.0.0.1, or say --insecure-bind if something in front of the server decides who may"
    );
    let insisted = [(key::LISTEN, "0.0.0.0:7070"), (key::INSECURE_BIND, "true")];
    assert!(layers(&insisted, &[], "").serve().is_ok());
    assert!(layers(&[(key::LISTEN, "[::1]:0")], &[], "").serve().is_ok());
}

#[test]
fn browsers_may_ask_by_names_of_this_machine_and_for_pages_of_its_own_alone() {
    let serve = |flags: &[(Key, &str)]| layers(flags, &[], "").serve().expect("valid");
    let shown = |flags: &[(Key, &str)]| {
        let serve = serve(flags);
        (serve.hosts.to_text(), serve.origins.to_text())
    };
    assert_eq!(shown(&[]), ("localhost".into(), "none".into()));
    let open = [(key::LISTEN, "0.0.0.0:7070"), (key::INSECURE_BIND, "true")];
    assert_eq!(shown(&open), ("*".into(), "none".into()), "its operator knows its names");
    let named = [(key::HOSTS, "shop.example"), (key::CORS_ORIGINS, "https://shop.example")];
    assert_eq!(shown(&named), ("shop.example".into(), "https://shop.example".into()));
    insta::assert_snapshot!(
        serve_error(&[(key::CORS_ORIGINS, "shop.example")]),
        @"`serve.cors-origins` cannot be `shop.example` (--cors-origins): `shop.example` is no origin; such as https://shop.example or http://localhost:5173, without a path, separated by commas; or `*` for every origin, or none"
    );
    insta::assert_snapshot!(
        serve_error(&[(key::HOSTS, "localhost:7070")]),
        @"`serve.hosts` cannot be `localhost:7070` (--hosts): `localhost:7070` is no name of a host; names and addresses without ports, `*.` and a domain, separated by commas, or `*` for every name"
    );
}

#[test]
fn a_server_is_an_address_without_path_or_tls() {
    let refused = |text| ServerUrl::parse(text).expect_err("refused");
    assert_eq!(
        ServerUrl::parse("http://localhost:8080/").expect("valid").as_str(),
        "http://localhost:8080"
    );
    insta::assert_snapshot!(refused("https://example.org"), @"this client speaks no TLS yet; use http:// on this machine or a tunnel");
    for text in
        ["localhost:7070", "http://", "http://a/b", "http://a?b", "http://me@a", "ftp://a", ""]
    {
        assert!(ServerUrl::parse(text).is_err(), "{text}");
    }
}

#[test]
fn sizes_and_times_are_written_as_they_are_read() {
    for text in ["0B", "1B", "1500B", "64KiB", "3MiB", "1GiB"] {
        assert_eq!(Bytes::parse(text).expect(text).to_text(), text);
    }
    assert_eq!(Bytes::parse("1_024").expect("valid").to_text(), "1KiB");
    for text in ["1ms", "1500ms", "90s", "5m", "36h"] {
        assert_eq!(Duration::parse(text).expect(text).to_text(), text);
    }
    for text in ["", "s", "1", "1.5s", "-1s", "99999999999999999999h", "9999999999999999h"] {
        assert!(Duration::parse(text).is_err(), "{text}");
    }
}
