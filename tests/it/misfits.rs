//! Files that do not fit: the server says which, and what can be done, and does not
//! start; or it does without them, and says so. And files that another server has.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use chancery_tests::load::{Ledger, Mix};
use chancery_tests::{Server, seed};
use serde_json::{Value as Json, json};
use tempfile::TempDir;

const NO_CHECKPOINTS: &[&str] =
    &["--segment-bytes", "64KiB", "--checkpoint-bytes", "4GiB", "--checkpoint-after", "24h"];
const CHECKPOINTS: &[&str] =
    &["--segment-bytes", "64KiB", "--checkpoint-bytes", "64KiB", "--checkpoint-after", "1s"];

/// A data directory as it was at three times: its end in order, that of the run
/// before, and one still before that.
struct Fixture {
    directory: TempDir,
    arguments: &'static [&'static str],
    history: [u8; 16],
    /// What the app must say of itself.
    sum: Json,
    entries: usize,
}

impl Fixture {
    fn new(arguments: &'static [&'static str]) -> Self {
        let directory = TempDir::new().expect("a directory");
        let live = directory.path().join("live");
        let ledger = Ledger::default();
        let mut server = Server::on(&live, arguments);
        server.app().deploy("probe");
        let has_checkpoints = arguments == CHECKPOINTS;
        for (time, n_files) in [("first", 3), ("second", 6), ("third", 6)] {
            let address = server.address().to_owned();
            let app = server.app_directory();
            let began = std::time::SystemTime::now();
            let both = || {
                ["state.a.redb", "state.b.redb"].iter().all(|name| {
                    let written = fs::metadata(app.join(name)).and_then(|file| file.modified());
                    written.is_ok_and(|written| written > began)
                })
            };
            let deadline = Instant::now() + Duration::from_secs(30);
            let sent = ledger.sent();
            let told =
                ledger.run(&address, 16, seed(), Mix { queries: 0.0, ..Mix::default() }, &|_| {
                    assert!(Instant::now() < deadline, "it does not come to that");
                    ledger.sent() < sent + 50
                        || segments(&live).len() < n_files
                        || (has_checkpoints && !both())
                });
            assert!(told.executed > 0);
            assert_eq!(server.terminate(), Some(0));
            copy(&live, &directory.path().join(time));
            server = server.restart();
        }
        let history = server.app().get("").expect(200)["history"].as_str().expect("it").to_owned();
        let history: uuid::Uuid = history.parse().expect("a UUID");
        let sum = server.app().ask("sum", &json!({}));
        let entries = server.app().receipts_after(0).len();
        server.kill();
        Self { directory, arguments, history: history.into_bytes(), sum, entries }
    }

    fn at(&self, time: &str) -> PathBuf {
        self.directory.path().join(time)
    }

    /// A copy of the end, to be spoilt.
    fn copy(&self, case: &str) -> PathBuf {
        let data = self.at(case);
        copy(&self.at("third"), &data);
        data
    }

    /// The server does not start, and says this.
    #[track_caller]
    fn refused(&self, case: &str, spoil: impl FnOnce(&Path), words: &[&str]) {
        let data = self.copy(case);
        spoil(&data);
        let output = Server::ended_on(&data, self.arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        println!("-- {case}:\n{said}");
        assert!(output.status.code().is_some_and(|code| code != 0), "{case}: {:?}", output.status);
        assert_eq!(output.stdout, b"", "{case}: it said that it serves");
        for word in words {
            assert!(said.contains(word), "{case}: no `{word}` in {said}");
        }
        // Nothing was made worse by trying.
        let again = Server::ended_on(&data, self.arguments);
        assert_eq!(again.status.code(), output.status.code(), "{case}");
    }

    /// The server starts with all there was, and says this.
    #[track_caller]
    fn goes_on(&self, case: &str, spoil: impl FnOnce(&Path), words: &[&str]) {
        let data = self.copy(case);
        spoil(&data);
        let mut server = Server::on(&data, self.arguments);
        let app = server.app();
        assert_eq!(app.ask("sum", &json!({})), self.sum, "{case}");
        assert_eq!(app.receipts_after(0).len(), self.entries, "{case}");
        let said = server.said();
        println!("-- {case}:\n{said}");
        for word in words {
            assert!(said.contains(word), "{case}: no `{word}` in {said}");
        }
        assert_eq!(app.command("add", &json!({ "key": "new", "amount": 1 })).status, 200);
        assert_eq!(server.terminate(), Some(0), "{case}");
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        match entry.file_type().expect("a type").is_dir() {
            true => copy(&entry.path(), &target),
            false => overwrite(&entry.path(), &target),
        }
    }
}

fn app(data: &Path) -> PathBuf {
    data.join("apps/main")
}

fn segments(data: &Path) -> Vec<PathBuf> {
    files(&app(data).join("log"))
        .into_iter()
        .filter(|path| path.extension().is_some_and(|e| e == "redb"))
        .collect()
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("a directory");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}

fn name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).expect("a name")
}

/// Changes every place where some bytes are found.
fn patch(path: &Path, pattern: &[u8], change: impl Fn(&mut [u8])) {
    let mut bytes = fs::read(path).expect("a file");
    let places: Vec<usize> = bytes
        .windows(pattern.len())
        .enumerate()
        .filter_map(|(place, window)| (window == pattern).then_some(place))
        .collect();
    assert!(!places.is_empty(), "{}: it is not in there", path.display());
    for place in places {
        change(&mut bytes[place..place + pattern.len()]);
    }
    fs::write(path, bytes).expect("written");
}

fn flip_in_the_middle(path: &Path) {
    let mut bytes = fs::read(path).expect("a file");
    let middle = bytes.len() / 2;
    // Some of a page may be unused.
    bytes[middle..].iter_mut().step_by(97).for_each(|byte| *byte ^= 1);
    fs::write(path, bytes).expect("written");
}

fn overwrite(from: &Path, to: &Path) {
    fs::copy(from, to).expect("a copy");
}

fn truncate(path: &Path) {
    let length = fs::metadata(path).expect("a file").len();
    fs::OpenOptions::new().write(true).open(path).expect("it").set_len(length / 2).expect("cut");
}

fn remove(path: &Path) {
    fs::remove_file(path).expect("it is there");
}

#[test]
fn i11_a_log_that_does_not_fit_is_refused_with_the_file_and_a_remedy() {
    let fixture = Fixture::new(NO_CHECKPOINTS);
    let third = segments(&fixture.at("third"));
    let n = third.len();
    assert!(n >= 6);
    let file = |at: usize| name(&third[at]).to_owned();
    let version = [&[1, 0][..], &fixture.history].concat();
    for at in [1, n - 1] {
        fixture.refused(
            &format!("unknown format of segment {at} of {n}"),
            |data| patch(&segments(data)[at], &version, |bytes| bytes[0] = 2),
            &[
                &file(at),
                "format version 2 is unknown; use the version of the server that wrote it",
            ],
        );
    }
    fixture.refused(
        "a sealed segment is missing",
        |data| remove(&segments(data)[2]),
        &[&file(2), "from a backup"],
    );
    fixture.refused(
        "the first segment is missing",
        |data| remove(&segments(data)[0]),
        &[&file(1), "checkpoint"],
    );
    fixture.refused(
        "a flipped byte in a sealed segment",
        |data| patch(&segments(data)[2], b"\"amount\"", |bytes| bytes[3] ^= 1),
        &[&file(2), "from a backup"],
    );
    fixture.refused(
        "a flipped byte in the newest segment",
        |data| patch(&segments(data)[n - 1], b"\"amount\"", |bytes| bytes[3] ^= 1),
        &[&file(n - 1)],
    );
    let then = segments(&fixture.at("first"));
    let at = then.len() - 1;
    assert_eq!(name(&then[at]), file(at));
    fixture.refused(
        "an older copy of what was the newest segment",
        |data| overwrite(&then[at], &segments(data)[at]),
        &[&file(at), "older copy"],
    );
    let before = segments(&fixture.at("second"));
    if before.len() == n {
        fixture.refused(
            "an older copy of the newest segment",
            |data| overwrite(&before[n - 1], &segments(data)[n - 1]),
            &[&file(n - 1), "put the newest files of this log back"],
        );
    }
    fixture.refused(
        "the newest segment is missing",
        |data| remove(&segments(data)[n - 1]),
        &[&file(n - 2), "put the newest files of this log back"],
    );
    fixture.refused(
        "there is no segment",
        |data| segments(data).iter().for_each(|path| remove(path)),
        &["apps/main/log"],
    );
    fixture.goes_on(
        "a damaged witness",
        |data| flip_in_the_middle(&app(data).join("log/witness")),
        &[],
    );
    fixture.goes_on(
        "a witness of which nothing can be read",
        |data| fs::write(app(data).join("log/witness"), vec![7; 1024]).expect("written"),
        &["WARN", "witness"],
    );
    fixture.goes_on("no witness", |data| remove(&app(data).join("log/witness")), &[]);
    fixture.goes_on("nothing", |_| (), &[]);
}

#[test]
fn i11_without_a_checkpoint_or_an_index_it_goes_on_and_says_so() {
    let fixture = Fixture::new(CHECKPOINTS);
    let third = fixture.at("third");
    for checkpoint in ["state.a.redb", "state.b.redb"] {
        let path = |data: &Path| app(data).join(checkpoint);
        let words: &[&str] = &["WARN", checkpoint];
        fixture.goes_on(
            &format!("{checkpoint} flipped"),
            |data| flip_in_the_middle(&path(data)),
            words,
        );
        fixture.goes_on(&format!("{checkpoint} cut off"), |data| truncate(&path(data)), words);
        fixture.goes_on(&format!("{checkpoint} missing"), |data| remove(&path(data)), &[]);
    }
    for file in files(&app(&third).join("index")) {
        let path = |data: &Path| app(data).join("index").join(name(&file));
        let words: &[&str] = &["WARN", name(&file)];
        fixture.goes_on(
            &format!("{} flipped", name(&file)),
            |data| flip_in_the_middle(&path(data)),
            words,
        );
        // The first of each kind in other ways as well: they are read alike.
        if name(&file).contains("00000000000000000001") {
            fixture.goes_on(
                &format!("{} cut off", name(&file)),
                |data| truncate(&path(data)),
                words,
            );
            fixture.goes_on(&format!("{} missing", name(&file)), |data| remove(&path(data)), &[]);
        }
    }
    fixture.goes_on(
        "no index",
        |data| fs::remove_dir_all(app(data).join("index")).expect("it"),
        &[],
    );
    let both = |data: &Path, spoil: fn(&Path)| {
        ["state.a.redb", "state.b.redb"].iter().for_each(|name| spoil(&app(data).join(name)));
    };
    if segments(&third).iter().any(|path| name(path).ends_with("-00000000000000000001.redb")) {
        fixture.goes_on("no checkpoint, and the whole log", |data| both(data, remove), &[]);
    }
    let trim = |data: &Path| {
        // What trimming does, unless it has been done.
        let all = segments(data);
        if name(&all[0]).ends_with("-00000000000000000001.redb") {
            remove(&all[0]);
        }
    };
    fixture.refused(
        "both checkpoints damaged, and the log trimmed",
        |data| {
            trim(data);
            both(data, flip_in_the_middle);
        },
        &["state.a.redb", "state.b.redb", "backup"],
    );
    fixture.refused(
        "both checkpoints missing, and the log trimmed",
        |data| {
            trim(data);
            both(data, remove);
        },
        &["checkpoint", "backup"],
    );
    fixture.refused(
        "an older copy of the whole log beside newer checkpoints",
        |data| {
            fs::remove_dir_all(app(data).join("log")).expect("it is there");
            copy(&app(&fixture.at("first")).join("log"), &app(data).join("log"));
        },
        &["older copy", "backup"],
    );
    fixture.refused(
        "an older copy of the whole log, no checkpoints, beside a newer index",
        |data| {
            both(data, remove);
            fs::remove_dir_all(app(data).join("log")).expect("it is there");
            copy(&app(&fixture.at("first")).join("log"), &app(data).join("log"));
        },
        &["backup"],
    );
}

#[test]
fn a_second_server_on_the_same_directory_is_refused() {
    let server = Server::start();
    let app = server.app();
    app.deploy("probe");
    for more in [&[][..], &["--check"]] {
        let refused = server.second(more);
        let words = String::from_utf8_lossy(&refused.stderr);
        println!("-- {more:?}: {words}");
        assert!(refused.status.code().is_some_and(|code| code != 0), "{:?}", refused.status);
        assert!(words.contains("in use by another server"), "{words}");
        assert!(words.contains(server.data().to_str().unwrap()), "{words}");
        assert_eq!(refused.stdout, b"", "it did not listen");
    }
    assert_eq!(app.succeed("add", &json!({ "key": "a", "amount": 1 })), json!(1));
}
