//! Who may name which crate. What a crate brings with it, its types, its errors, its
//! habits, stays where it is named.

use super::settle;
use super::source::{code, mentions, read, rust};

const RUNTIME: &str = "runtime/src/";

/// A crate, the modules that may name it, and why those. A module has its children.
const FENCES: &[(&str, &[&str], &str)] = &[
    ("anstream", &["cli"], "output for a terminal or a pipe"),
    ("anstyle", &["cli"], "the colours of that output"),
    ("anyhow", &["wasm/upload/componentize"], "wit_component has no other error"),
    (
        "arc_swap",
        &["snapshot", "wasm/module"],
        "one pointer is swapped: the published state, the code of a module",
    ),
    ("axum", &["http", "server"], "routes and extractors"),
    (
        "base64",
        &["http", "cli", "transaction/cursor", "wasm/script/places"],
        "bytes where only text fits",
    ),
    ("bytes", &["engine", "http", "delivery"], "bodies without copies"),
    ("clap", &["cli"], "the command line"),
    ("clap_complete", &["cli/completions"], "completions of it"),
    ("clap_mangen", &["cli/man"], "pages about it"),
    (
        "crc32c",
        &["record", "log", "checkpoint", "index", "archive"],
        "checksums of what is on disk",
    ),
    ("form_urlencoded", &["http"], "the query part of addresses"),
    (
        "futures_util",
        &["http", "wasm/script/snapshot"],
        "streams of bodies; a future that never waits",
    ),
    (
        "http",
        &["http", "server", "delivery", "cli", "config/text", "engine/webhooks/address"],
        "methods, headers, addresses",
    ),
    ("hmac", &["wasm/cache"], "whether compiled code is what this server wrote"),
    ("http_body_util", &["http", "delivery"], "bodies"),
    ("hyper", &["server", "delivery/target"], "connections"),
    ("hyper_util", &["server", "delivery/target"], "connections on tokio"),
    ("im", &["state"], "persistent maps; nobody else knows what a table is made of"),
    ("indicatif", &["cli/verify"], "a bar on a terminal"),
    ("jiff", &["http", "backup", "cli/test"], "times as people read them"),
    ("jsonschema", &["schema"], "inputs are checked in one place"),
    ("notify", &["cli/dev/watch"], "which files were saved"),
    (
        "redb",
        &["pages", "log", "checkpoint"],
        "files of pages; everybody else has rounds and states",
    ),
    (
        "rustix",
        &["disk", "cli/doctor/machine", "wasm/initialiser", "wasm/cache"],
        "how much room there is, how many files, priorities of threads, who runs this",
    ),
    (
        "serde_json",
        &[
            "backup",
            "catalog",
            "cli",
            "events",
            "http",
            "lane",
            "schema",
            "transaction",
            "wasm/call",
            "wasm/manifest",
            "wasm/outcome",
            "wasm/script/error",
        ],
        "JSON is read where it means something: manifests, rows of the catalog, schemas, \
         rejections, the metadata of events, what clients send and see. Elsewhere it is text",
    ),
    ("oxc_sourcemap", &["wasm/script/places"], "places in bundles"),
    ("rayon", &["wasm/initialiser"], "the compiler kept to one thread"),
    (
        "sha2",
        &["value", "record", "archive", "lane/fingerprint", "engine/query", "wasm/cache"],
        "module hashes, the chain, digests, \
        the comparison of commands, ETags, what compiled code is of",
    ),
    ("strsim", &["engine/error"], "the nearest name"),
    (
        "tokio",
        &[
            "cli/serve",
            "delivery",
            "engine",
            "events",
            "http",
            "lane",
            "server",
            "snapshot",
            "watch",
        ],
        "waiting; below the \
        lane everything is plain functions",
    ),
    ("toml", &["config"], "the configuration file"),
    ("tower_http", &["http/access"], "what browsers are told about pages of other origins"),
    ("tracing_subscriber", &["main"], "where log lines go is the process's affair"),
    ("ureq", &["cli/client"], "the command line as a client"),
    ("wasmparser", &["wasm"], "what is in an upload"),
    ("wasmtime", &["wasm"], "nobody else knows how guests run"),
    ("wasmtime_wizer", &["wasm/script"], "snapshots of scripts"),
    ("wit_component", &["wasm"], "core modules become components"),
];

/// Crates that say nothing about what their user is for.
const ANYWHERE: [&str; 4] = ["serde", "thiserror", "tracing", "uuid"];

/// What reads a clock, and who may: all others ask `clock::Clock`, which tests set.
const CLOCKS: &[(&str, &str)] = &[
    ("runtime/src/clock.rs", "the one place that asks the time"),
    ("runtime/src/wasm/call.rs", "a stopwatch for people; nothing is decided by it"),
    ("runtime/src/state/figures.rs", "figures that a test prints"),
];

/// The one place with unsafe code, which the lints deny.
const UNSAFE: (&str, &str) =
    ("runtime/src/wasm/cache.rs", "wasmtime has no other way to load compiled code");

#[test]
fn crates_are_named_only_behind_their_fences() {
    let mut found = Vec::new();
    for path in rust(RUNTIME) {
        let text = code(&read(&path));
        for (name, places, reason) in FENCES {
            if names(&text, name)
                && !is_test(&path)
                && !places.iter().any(|place| is_in(&path, place))
            {
                found.push(format!("{path}: `{name}` belongs to {places:?}: {reason}"));
            }
        }
    }
    settle(
        &found,
        "Keep the crate behind its fence and give others a type of ours; or, if the crate has \
         another use now, say so in FENCES of tests/it/tidy/fences.rs:",
    );
}

#[test]
fn every_dependency_has_a_fence_and_every_fence_is_needed() {
    let dependencies = dependencies();
    let paths: Vec<_> = rust(RUNTIME).into_iter().filter(|path| !is_test(path)).collect();
    let mut found = Vec::new();
    for name in &dependencies {
        if !FENCES.iter().any(|(fenced, ..)| fenced == name) && !ANYWHERE.contains(&name.as_str()) {
            found.push(format!("`{name}` has no fence: say in FENCES who may name it, and why"));
        }
    }
    for (name, places, _) in FENCES {
        if !dependencies.iter().any(|dependency| dependency == name) {
            found.push(format!("`{name}` is no dependency of runtime/: take its fence away"));
        }
        for place in *places {
            let mut inside = paths.iter().filter(|path| is_in(path, place));
            if !inside.any(|path| names(&code(&read(path)), name)) {
                found.push(format!("nobody names `{name}` in {place}: narrow its fence"));
            }
        }
    }
    settle(&found, "Fences and the dependencies of runtime/Cargo.toml have drifted apart:");
}

#[test]
fn only_one_place_is_unsafe() {
    let mut found = Vec::new();
    for path in [RUNTIME, "tests/", "bench/", "xtask/"].iter().flat_map(|root| rust(root)) {
        let is_unsafe = code(&read(&path)).contains("unsafe_code");
        if is_unsafe != (path == UNSAFE.0) {
            found.push(path);
        }
    }
    settle(&found, &format!("Only {} has unsafe code: {}", UNSAFE.0, UNSAFE.1));
}

#[test]
fn only_the_clock_asks_the_time() {
    let mut found = Vec::new();
    for path in rust(RUNTIME) {
        let text = code(&read(&path));
        let asks = text.contains("SystemTime") || text.contains("Instant::now");
        let may = CLOCKS.iter().any(|(clock, _)| *clock == path);
        if asks != may {
            found.push(path);
        }
    }
    settle(&found, "Take a `clock::Clock`, so that tests can set the time; or mend CLOCKS:");
}

/// Whether code names a crate: `use x;`, `use x as y`, or a path that begins with it.
fn names(code: &str, name: &str) -> bool {
    let is_path = |rest: &str| rest.starts_with("::");
    mentions(code, name).any(is_path) || code.contains(&format!("use {name};"))
}

/// Whether a file is a module, or one of its children.
fn is_in(path: &str, module: &str) -> bool {
    let below = path[RUNTIME.len()..].strip_prefix(module);
    below.is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
}

/// Tests may look behind a fence.
fn is_test(path: &str) -> bool {
    path.contains("/tests/") || path.ends_with("/tests.rs")
}

/// The crates that the runtime may name, as code writes them.
fn dependencies() -> Vec<String> {
    let manifest = read("runtime/Cargo.toml");
    let (_, section) = manifest.split_once("[dependencies]\n").expect("a section");
    let lines = section.lines().take_while(|line| !line.starts_with('['));
    let names = lines.filter_map(|line| line.split(['.', ' ', '=']).next());
    let names = names.filter(|name| !name.is_empty() && !name.starts_with('#'));
    names.map(|name| name.replace('-', "_")).collect()
}
