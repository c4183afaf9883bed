//! What `backup.json` may say.

use std::path::Path;

use super::manifest::{FileOf, Manifest, time_in_name};
use crate::value::{Hash, History, Sequence};

fn manifest(path: &str) -> Manifest {
    Manifest {
        app: "main".parse().unwrap(),
        history: History(uuid::Uuid::nil()),
        entry: Sequence(7),
        outcome: Sequence(6),
        round: 5,
        time_ms: 1_795_278_924_217,
        server: "0.1.0".to_owned(),
        files: vec![FileOf { path: path.to_owned(), bytes: 3, hash: Hash::of(b"abc") }],
    }
}

fn read(bytes: &[u8]) -> Result<Manifest, String> {
    Manifest::decode(Path::new("backup.json"), bytes).map_err(|error| error.to_string())
}

#[test]
fn what_was_written_is_read() {
    for path in ["log/00000000000000000001-00000000000000000001.redb", "state.b.redb"] {
        assert_eq!(read(&manifest(path).encode()), Ok(manifest(path)));
    }
    assert_eq!(time_in_name(1_795_278_924_217), "20261121T163524Z");
}

#[test]
fn i11_no_path_leads_out_of_a_backup() {
    let paths = [
        "../log/x",
        "/log/x",
        "log/../x",
        "log/..",
        "log/.x",
        "log/",
        "log/a/b",
        "running",
        "lock/x",
        "log\\x",
        "",
        "state.c.redb",
        "log/x\u{0}",
    ];
    for path in paths {
        let refused = read(&manifest(path).encode()).unwrap_err();
        assert!(refused.ends_with("is no file of an app"), "{path}: {refused}");
    }
}

#[test]
fn an_unknown_format_is_refused_before_anything_else() {
    let refused = read(br#"{"format":2,"whatever":[]}"#).unwrap_err();
    assert_eq!(
        refused,
        "backup.json: format version 2 is unknown; use the version of the server that made it"
    );
    assert!(read(b"[").is_err());
}
