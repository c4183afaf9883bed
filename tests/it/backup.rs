//! Copies made while clients write, put back elsewhere: a prefix of what was
//! acknowledged, whole, with its receipts.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chancery::backup::{self, Error as BackupError};
use chancery::clock::Clock;
use chancery::disk::{Disk, Files};
use chancery::engine::{Engine, Error, Settings};
use chancery::value::History;
use chancery::verify::Unwatched;
use chancery_tests::rig::name;
use chancery_tests::{
    App, Rig, Server, Uuid, block_on, chancery, new_id, seed, sequence_of, times,
};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;
use tempfile::TempDir;

const ACCOUNTS: u64 = 8;
const BALANCE: u64 = 1_000;

/// A transfer that was answered.
#[derive(Debug, Clone)]
struct Acknowledged {
    id: Uuid,
    sequence: u64,
    body: Vec<u8>,
    input: serde_json::Value,
}

fn transfer_until(
    app: &App,
    stop: &AtomicBool,
    random: &mut StdRng,
    done: &Mutex<Vec<Acknowledged>>,
) {
    while !stop.load(Ordering::Relaxed) {
        let from = random.random_range(0..ACCOUNTS);
        let to = (from + random.random_range(1..ACCOUNTS)) % ACCOUNTS;
        let (from, to) = (from.to_string(), to.to_string());
        let input = json!({ "from": from, "to": to, "amount": random.random_range(1..50) });
        let id = new_id();
        let reply = app.command_with(id, "transfer", &input, &[]);
        if reply.status == 200 {
            let sequence = sequence_of(&reply.json());
            done.lock().unwrap().push(Acknowledged { id, sequence, body: reply.body, input });
        }
    }
}

fn backup_of(app: &App) -> (PathBuf, u64, String) {
    let headers = [("content-type", "application/json")];
    let made = app.send("POST", "/backup", &headers, b"{}").expect(201);
    let text = |member: &str| made[member].as_str().unwrap().to_owned();
    (text("path").into(), made["sequence"].as_u64().unwrap(), text("history"))
}

fn restored(backup: &Path) -> Server {
    let data = TempDir::new().unwrap();
    let (from, to) = (backup.to_str().unwrap(), data.path().to_str().unwrap());
    let output = chancery(&["restore", from, "--data", to]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Server::in_directory(data)
}

#[test]
fn i1_a_backup_under_load_is_a_prefix_with_its_receipts() {
    let mut random = StdRng::seed_from_u64(seed());
    let mut server = Server::with(&["--segment-bytes", "256KiB"]);
    let app = server.app();
    app.deploy("bank");
    for account in 0..ACCOUNTS {
        let input = json!({ "account": account.to_string(), "owner": "x", "balance": BALANCE });
        app.succeed("open-account", &input);
    }
    let (stop, done) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    let backups = std::thread::scope(|scope| {
        for _ in 0..4 {
            let (mut random, app) = (StdRng::seed_from_u64(random.random()), server.app());
            let (stop, done) = (&stop, &done);
            scope.spawn(move || transfer_until(&app, stop, &mut random, done));
        }
        let mut backups = Vec::new();
        for _ in 0..times("CHANCERY_BACKUPS", 3) {
            std::thread::sleep(Duration::from_millis(random.random_range(1..300)));
            backups.push(backup_of(&app));
        }
        stop.store(true, Ordering::Relaxed);
        backups
    });
    assert_eq!(server.terminate(), Some(0));
    let done = done.into_inner().unwrap();
    for (path, sequence, history) in &backups {
        let verified = chancery(&["verify", path.to_str().unwrap()]);
        assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
        let server = restored(path);
        assert_prefix(&server.app(), *sequence, history, &done);
    }
    let (first, last) = (&backups[0], &backups[backups.len() - 1]);
    assert!(first.1 < last.1, "commands went on");
    // Of what was restored, again.
    let server = restored(&last.0);
    let (path, sequence, history) = backup_of(&server.app());
    assert_eq!(sequence, last.1);
    assert_ne!(history, last.2);
    assert_prefix(&restored(&path).app(), sequence, &history, &done);
}

/// A receipt without how long its handler took: what was logged and had no outcome
/// when it was copied is executed anew, and takes as long as it takes then.
fn lasting(receipt: &[u8]) -> serde_json::Value {
    let mut receipt: serde_json::Value = serde_json::from_slice(receipt).unwrap();
    assert!(receipt["elapsed_us"].take().is_u64(), "{receipt}");
    receipt
}

/// The app has what was acknowledged up to a sequence, nothing else, and answers for
/// it as before.
fn assert_prefix(app: &App, sequence: u64, history: &str, done: &[Acknowledged]) {
    let old = app.send("GET", "", &[("chancery-history", history)], &[]);
    assert_eq!((old.status, old.code()), (410, "history-changed".to_owned()));
    let (inside, outside): (Vec<_>, Vec<_>) = done.iter().partition(|one| one.sequence <= sequence);
    for one in inside {
        let receipt = app.get(&format!("/commands/{}", one.id));
        assert_eq!(lasting(&receipt.body), lasting(&one.body));
        let again = app.command_with(one.id, "transfer", &one.input, &[]);
        assert_eq!(again.header("idempotent-replayed"), Some("true"), "{one:?}");
    }
    for one in outside {
        assert_eq!(app.get(&format!("/commands/{}", one.id)).status, 404, "{one:?}");
    }
    assert_eq!(app.sequence(), sequence);
    let total = app.ask("total", &json!({}));
    assert_eq!(
        total["cents"].as_u64().or(total["total"].as_u64()),
        Some(ACCOUNTS * BALANCE),
        "{total}"
    );
    app.succeed("transfer", &json!({ "from": "0", "to": "1", "amount": 1 }));
}

#[test]
fn a_client_chooses_a_name_and_no_path() {
    let server = Server::start();
    let app = server.app();
    let json = [("content-type", "application/json")];
    let post = |body: &str| app.send("POST", "/backup", &json, body.as_bytes());
    // Nothing was ever logged: that can be backed up too.
    let made = post(r#"{"name":"empty"}"#).expect(201);
    assert!(made["path"].as_str().unwrap().ends_with("backups/empty"), "{made}");
    assert_eq!(post(r#"{"name":"empty"}"#).code(), "backup-exists");
    assert_eq!(post(r#"{"name":"../elsewhere"}"#).code(), "invalid-name");
    assert_eq!(post(r#"{"path":"/tmp"}"#).code(), "invalid-request");
    let unlabelled = app.send("POST", "/backup", &[], &[]);
    assert_eq!(unlabelled.code(), "unsupported-media-type");
    let server = restored(Path::new(made["path"].as_str().unwrap()));
    assert_eq!(server.app().sequence(), 0);
    server.app().deploy("bank");
}

#[test]
fn one_backup_of_an_app_at_a_time() {
    let rig = Rig::start();
    block_on(async { drop(rig.deploy("probe", "probe").await) });
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        // Whichever comes first waits for it, and the other is refused.
        let keeper = rig.app.keeper();
        for backup in ["one", "two"] {
            let (tell, app) = (tell.clone(), &rig.app);
            scope.spawn(move || tell.send(app.backup(Some(&name(backup)))).unwrap());
        }
        let refused = told.recv().unwrap().unwrap_err();
        assert!(matches!(refused, Error::Busy { .. }), "{refused:?}");
        drop(keeper);
        told.recv().unwrap().expect("a backup");
    });
}

#[test]
fn a_backup_that_would_fill_the_disk_is_refused() {
    let rig = Rig::with(|settings| {
        settings.tended = false;
        settings.disk_low_bytes = 1 << 60;
    });
    let refused = rig.app.backup(None).unwrap_err();
    assert!(matches!(refused, Error::NoRoom { .. }), "{refused:?}");
}

/// A backup of a small app, and where it could be restored.
fn small() -> (Rig, PathBuf, TempDir) {
    let rig = Rig::start();
    block_on(async {
        drop(rig.deploy("probe", "probe").await);
        for n in 0..20 {
            rig.succeed("put", json!({ "key": format!("{n}"), "value": "x" })).await;
        }
    });
    let path = rig.app.backup(None).unwrap().path;
    (rig, path, TempDir::new().unwrap())
}

fn restore(backup: &Path, data: &TempDir) -> Result<backup::Restored, BackupError> {
    let disk: Arc<dyn Disk> = Arc::new(Files);
    let history = History(Uuid::now_v7());
    backup::restore(&disk, backup, &data.path().join("apps"), None, history, &mut Unwatched)
}

#[test]
fn i11_a_backup_that_was_tampered_with_is_not_restored() {
    let (_rig, path, data) = small();
    let mut files: Vec<PathBuf> = vec![path.join("state.a.redb")];
    for directory in ["log", "modules"] {
        let names = std::fs::read_dir(path.join(directory)).unwrap();
        files.extend(names.map(|name| name.unwrap().path()));
    }
    assert!(files.len() >= 3, "{files:?}");
    for file in files {
        let good = std::fs::read(&file).unwrap();
        let mut bad = good.clone();
        bad[good.len() / 2] ^= 1;
        std::fs::write(&file, &bad).unwrap();
        let refused = restore(&path, &data).unwrap_err().to_string();
        assert!(refused.contains(file.to_str().unwrap()), "{refused}");
        std::fs::write(&file, &good[..good.len() - 1]).unwrap();
        let refused = restore(&path, &data).unwrap_err().to_string();
        assert!(refused.contains("bytes, not"), "{refused}");
        std::fs::remove_file(&file).unwrap();
        restore(&path, &data).unwrap_err();
        std::fs::write(&file, &good).unwrap();
        let left = std::fs::read_dir(data.path().join("apps")).unwrap().count();
        assert_eq!(left, 0, "nothing is left");
    }
    let manifest = path.join("backup.json");
    let good = std::fs::read_to_string(&manifest).unwrap();
    let changes = [
        ("\"log/", "\"../log/"),
        ("\"log/", "\"/log/"),
        ("\"format\": 1", "\"format\": 2"),
        ("\"sequence\": 21", "\"sequence\": 22"),
        ("{", "["),
    ];
    for (from, to) in changes {
        assert!(good.contains(from), "{good}");
        std::fs::write(&manifest, good.replacen(from, to, 1)).unwrap();
        let refused = restore(&path, &data).unwrap_err();
        assert!(!matches!(refused, BackupError::Io { .. }), "{refused:?}");
    }
    std::fs::write(&manifest, good).unwrap();
    restore(&path, &data).unwrap();
}

#[test]
fn an_app_is_never_written_over_and_what_is_no_backup_is_refused() {
    let (rig, path, data) = small();
    // What a restore left that was cut off.
    std::fs::create_dir_all(data.path().join("apps/.main/log")).unwrap();
    std::fs::write(data.path().join("apps/.main/log/half"), "x").unwrap();
    restore(&path, &data).unwrap();
    assert!(!data.path().join("apps/main/log/half").exists());
    assert!(matches!(restore(&path, &data), Err(BackupError::Exists { .. })));
    let refused = restore(&rig.app_directory(), &TempDir::new().unwrap());
    assert!(matches!(refused, Err(BackupError::NoBackup { .. })), "{refused:?}");
    let settings = Settings::new(data.path().into());
    let engine = Engine::open(settings, Clock::system()).unwrap();
    let app = engine.app("main").unwrap();
    assert_eq!(app.snapshots().current().state.sequence().0, rig.sequence());
    // While a server runs, nothing is restored beside it.
    let (from, to) = (path.to_str().unwrap(), data.path().to_str().unwrap());
    let output = chancery(&["restore", from, "--data", to, "--app", "beside"]);
    assert_eq!(output.status.code(), Some(5));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("in use by another server"), "{said}");
}

#[test]
fn what_is_known_of_entries_leaves_memory_while_a_backup_is_made() {
    let rig = Rig::with(|settings| settings.keeper.unsettled_max = 50);
    block_on(rig.deploy("probe", "probe"));
    // What a backup has for as long as it takes.
    let held = rig.app.keeper();
    let receipts = rig.app.lane().receipts();
    for _ in 0..2 {
        for n in 0..100 {
            block_on(rig.succeed("put", json!({ "key": n.to_string(), "value": n })));
        }
        let patience = std::time::Instant::now() + chancery_tests::rig::PATIENCE;
        while receipts.n_in_memory() > 50 {
            assert!(std::time::Instant::now() < patience, "{}", receipts.n_in_memory());
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }
    drop(held);
    assert!(rig.app.lane().index().covered().0 >= 150);
}
