//! `chancery verify`: whole files pass, damage is named, nothing is touched, and what
//! it says a start would do is what a start does.

mod archive;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chancery::checkpoint::AtOnce;
use chancery::clock::Clock;
use chancery::disk::{Disk, Files};
use chancery::engine::{Engine, Settings};
use chancery::verify::{self, Effect, Report, Unwatched};
use chancery_tests::{Rig, Server, block_on, chancery};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

/// An app with several segments, two checkpoints and an index; and more after those.
fn filled() -> Rig {
    let rig = Rig::with(|settings| {
        settings.tended = false;
        settings.log.segment_bytes = 64 << 10;
    });
    block_on(async {
        drop(rig.deploy("probe", "probe").await);
        for part in 0..3 {
            for n in 0..40 {
                let value = format!("needle {part} {n} {}", "x".repeat(2000));
                rig.succeed("put", json!({ "key": format!("{part}-{n}"), "value": value })).await;
            }
            if part < 2 {
                rig.app.keeper().checkpoint(&mut AtOnce).unwrap();
            }
        }
    });
    rig
}

fn check(directory: &Path) -> Report {
    let disk: Arc<dyn Disk> = Arc::new(Files);
    verify::app(&disk, directory, &mut Unwatched).unwrap()
}

fn contents(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => all.extend(contents(&path)),
            false => drop(all.insert(path.clone(), std::fs::read(&path).unwrap())),
        }
    }
    all
}

fn copy(from: &Path, to: &Path) {
    for (path, bytes) in contents(from) {
        let to = to.join(path.strip_prefix(from).unwrap());
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::write(to, bytes).unwrap();
    }
}

/// A copy of the app in a data directory of its own.
fn copy_of(app: &Path) -> (TempDir, PathBuf) {
    let data = TempDir::new().unwrap();
    let to = data.path().join("apps/main");
    copy(app, &to);
    (data, to)
}

#[test]
fn whole_files_pass_and_are_not_touched() {
    let rig = filled();
    // Open, with nobody writing: what a kill would leave.
    let (_live, live) = copy_of(&rig.app_directory());
    rig.engine.close(std::time::Duration::from_secs(10));
    for directory in [live, rig.app_directory()] {
        let before = contents(&directory);
        let report = check(&directory);
        assert_eq!(report.findings, []);
        assert_eq!((report.entry.0, report.outcome.0), (121, 121));
        assert!(before == contents(&directory), "nothing is touched");
    }
}

/// The files of an app, by what they are.
struct Parts {
    segments: Vec<PathBuf>,
    runs: Vec<PathBuf>,
    module: PathBuf,
    app: PathBuf,
}

impl Parts {
    fn of(app: &Path) -> Self {
        let list = |below: &str| {
            let mut paths: Vec<PathBuf> = std::fs::read_dir(app.join(below))
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .collect();
            paths.sort();
            paths
        };
        let mut segments = list("log");
        segments.retain(|path| path.extension().is_some_and(|extension| extension == "redb"));
        let mut runs = list("index");
        runs.retain(|path| path.file_name().unwrap() != "kept");
        Self { segments, runs, module: list("modules").remove(0), app: app.into() }
    }
}

/// Changes a byte in every place where the text is.
fn flip(path: &Path, text: &str) {
    let mut bytes = std::fs::read(path).unwrap();
    let places: Vec<usize> = (0..bytes.len().saturating_sub(text.len()))
        .filter(|at| bytes[*at..].starts_with(text.as_bytes()))
        .collect();
    assert!(!places.is_empty(), "{} has no `{text}`", path.display());
    places.into_iter().for_each(|at| bytes[at] ^= 1);
    std::fs::write(path, bytes).unwrap();
}

fn flip_at(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

fn cut(path: &Path) {
    let bytes = std::fs::read(path).unwrap();
    std::fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
}

/// The first needle in a file.
fn needle(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    let at = text.find("needle ").unwrap();
    text[at..].chars().take(12).collect()
}

type Harm = fn(&Parts) -> PathBuf;

/// What is done, and to which file.
const HARMS: &[(&str, Harm)] = &[
    ("a flipped byte in the first sealed segment", |parts| {
        let path = parts.segments[0].clone();
        flip(&path, &needle(&path));
        path
    }),
    ("a flipped byte in the last sealed segment", |parts| {
        let path = parts.segments[parts.segments.len() - 2].clone();
        flip(&path, &needle(&path));
        path
    }),
    ("a flipped byte in the newest segment", |parts| {
        let path = parts.segments.last().unwrap().clone();
        flip(&path, &needle(&path));
        path
    }),
    ("a flipped byte in checkpoint a", |parts| {
        let path = parts.app.join("state.a.redb");
        flip(&path, "needle 0 7 ");
        path
    }),
    ("a flipped byte in checkpoint b", |parts| {
        let path = parts.app.join("state.b.redb");
        flip(&path, "needle 1 7 ");
        path
    }),
    ("a flipped byte in an index run of ids", |parts| {
        let path = parts.runs[0].clone();
        flip_at(&path, 4096 + 100);
        path
    }),
    ("a flipped byte in an index run of places", |parts| {
        let path = parts.runs.last().unwrap().clone();
        flip_at(&path, 4096 + 100);
        path
    }),
    ("a flipped byte in a module", |parts| {
        flip_at(&parts.module, 1000);
        parts.module.clone()
    }),
    ("a module that is missing", |parts| {
        std::fs::remove_file(&parts.module).unwrap();
        parts.module.clone()
    }),
    ("a sealed segment that ends early", |parts| {
        cut(&parts.segments[1]);
        parts.segments[1].clone()
    }),
    ("a newest segment that ends early", |parts| {
        cut(parts.segments.last().unwrap());
        parts.segments.last().unwrap().clone()
    }),
    ("a checkpoint that ends early", |parts| {
        cut(&parts.app.join("state.a.redb"));
        parts.app.join("state.a.redb")
    }),
    ("an index run that ends early", |parts| {
        cut(&parts.runs[0]);
        parts.runs[0].clone()
    }),
    ("a sealed segment that is missing", |parts| {
        std::fs::remove_file(&parts.segments[1]).unwrap();
        // The one that continues it says so.
        parts.segments[2].clone()
    }),
    ("a newest segment that is missing", |parts| {
        std::fs::remove_file(parts.segments.last().unwrap()).unwrap();
        parts.segments[parts.segments.len() - 2].clone()
    }),
];

#[test]
fn i11_each_damage_is_named_and_a_start_does_what_is_said() {
    let rig = filled();
    rig.engine.close(std::time::Duration::from_secs(10));
    for (what, harm) in HARMS {
        let (data, app) = copy_of(&rig.app_directory());
        let parts = Parts::of(&app);
        assert!(parts.segments.len() >= 4 && parts.runs.len() >= 2, "{:?}", parts.runs);
        let file = harm(&parts);
        let report = check(&app);
        let found = report.findings.iter().any(|finding| finding.file == file);
        assert!(found, "{what}: {} is not among {:#?}", file.display(), report.findings);
        let refuses = report.findings.iter().any(|finding| finding.effect == Effect::Refuses);
        let started = Engine::open(Settings::new(data.path().into()), Clock::system());
        match (refuses, &started) {
            (true, Ok(_)) => panic!("{what}: it started in spite of {:#?}", report.findings),
            (false, Err(error)) => panic!("{what}: {error:?} in spite of {:#?}", report.findings),
            _ => {}
        }
    }
}

#[test]
fn i11_an_older_copy_of_the_newest_segment_is_named() {
    let rig = filled();
    let put = |key: &'static str| block_on(rig.succeed("put", json!({ "key": key, "value": "x" })));
    // The one that was newest may be full.
    put("sooner");
    put("soon");
    let newest = Parts::of(&rig.app_directory()).segments.pop().unwrap();
    let older = std::fs::read(&newest).unwrap();
    put("late");
    rig.engine.close(std::time::Duration::from_secs(10));
    assert_eq!(check(&rig.app_directory()).findings, []);
    std::fs::write(&newest, older).unwrap();
    let report = check(&rig.app_directory());
    assert_eq!(report.findings.len(), 1, "{:#?}", report.findings);
    assert_eq!(report.findings[0].file, newest);
    assert!(report.findings[0].what.contains("an older copy"), "{:#?}", report.findings);
}

#[test]
fn the_binary_says_what_it_found_and_how_it_ended() {
    let mut server = Server::start();
    let app = server.app();
    app.deploy("bank");
    for n in 0..20 {
        let input = json!({ "account": n.to_string(), "owner": "x", "balance": 1 });
        app.succeed("open-account", &input);
    }
    let data = server.data().to_str().unwrap().to_owned();
    let verify = |more: &[&str]| {
        let output = chancery(&[&["verify", "--data", &data], more].concat());
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    // A server runs.
    assert_eq!(verify(&[]).0, Some(2));
    // Killed: nobody closed the files.
    server.kill();
    let (status, said) = verify(&[]);
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("app main: all is well"), "{said}");
    assert_eq!(verify(&["--app", "nowhere"]).0, Some(2));
    let modules = server.data().join("apps/main/modules");
    let module = std::fs::read_dir(modules).unwrap().next().unwrap().unwrap().path();
    flip_at(&module, 1000);
    let (status, said) = verify(&["--json"]);
    assert_eq!(status, Some(1), "{said}");
    let document: Json = serde_json::from_str(&said).unwrap();
    let finding = &document["subjects"][0]["findings"][0];
    assert_eq!(finding["file"], json!(module), "{document}");
    assert_eq!(finding["effect"], json!("refuses"), "{document}");
    let nothing = chancery(&["verify", "/nowhere"]);
    assert_eq!(nothing.status.code(), Some(2));
}
