//! A disk that does not answer holds up those who wait for what is on it, and nobody
//! else.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::yield_now;
use tower::ServiceExt;
use uuid::Uuid;

use super::super::{Settings, router};
use super::{JSON, request};
use crate::checkpoint::AtOnce;
use crate::clock::Clock;
use crate::disk::{Disk, File, Files, How, Lock, Space};
use crate::engine::{self, Engine};
use crate::lane::Submission;
use crate::record::Act;
use crate::value::Hash;

/// More than one page of the index holds, the root of which is in memory.
const ENTRIES: usize = 400;
/// When the disk answers after all, so that a test fails rather than hang.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    is_closed: bool,
    waiting: usize,
}

impl Gate {
    fn close(&self, is_closed: bool) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).is_closed = is_closed;
        self.changed.notify_all();
    }

    fn waiting(&self) -> usize {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).waiting
    }

    fn pass(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.waiting += 1;
        let passed = self.changed.wait_timeout_while(state, PATIENCE, |state| state.is_closed);
        passed.unwrap_or_else(PoisonError::into_inner).0.waiting -= 1;
    }
}

/// A disk whose reads wait for a gate.
#[derive(Debug)]
struct Slow(Arc<Gate>);

#[derive(Debug)]
struct SlowFile(Arc<dyn File>, Arc<Gate>);

impl Disk for Slow {
    fn open(&self, path: &Path, how: How) -> io::Result<Arc<dyn File>> {
        let file = Files.open(path, how)?;
        Ok(Arc::new(SlowFile(file, Arc::clone(&self.0))))
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<PathBuf>> {
        Files.list(directory)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        Files.exists(path)
    }

    fn create_directory(&self, directory: &Path) -> io::Result<()> {
        Files.create_directory(directory)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        Files.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        Files.remove(path)
    }

    fn remove_directory(&self, directory: &Path) -> io::Result<()> {
        Files.remove_directory(directory)
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        Files.sync_directory(directory)
    }

    fn space(&self, directory: &Path) -> io::Result<Space> {
        Files.space(directory)
    }

    fn lock(&self, path: &Path) -> io::Result<Lock> {
        Files.lock(path)
    }
}

impl File for SlowFile {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.1.pass();
        self.0.read_at(offset, bytes)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_at(offset, bytes)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync()
    }
}

/// An app with entries that the index has, and the id of the first.
async fn indexed(gate: &Arc<Gate>, data: &Path) -> (Arc<Engine>, Uuid) {
    let mut settings = engine::Settings::new(data.to_owned());
    settings.wasm.instances_max = 8;
    settings.tended = false;
    settings.disk = Arc::new(Slow(Arc::clone(gate)));
    let engine = Arc::new(Engine::open(settings, Clock::system()).unwrap());
    let (app, _) = engine.create(&"main".parse().unwrap()).unwrap();
    let ids: Vec<Uuid> = (0..ENTRIES).map(|_| Uuid::now_v7()).collect();
    for id in &ids {
        // What it comes to does not matter.
        let act = Act::Remove { module: "nothing".parse().unwrap() };
        let fingerprint = Hash::of(id.as_bytes());
        let submission =
            Submission { id: *id, windowed: false, fingerprint, act, admitted: None, keep: None };
        app.lane().submit(submission).unwrap();
    }
    app.snapshots().wait_for(app.lane().last_sequence()).await;
    app.keeper().checkpoint(&mut AtOnce).unwrap();
    (engine, ids[0])
}

#[tokio::test]
async fn only_those_who_wait_for_the_disk_wait_for_the_disk() {
    let (gate, data) = (Arc::new(Gate::default()), tempfile::tempdir().unwrap());
    let (engine, id) = indexed(&gate, data.path()).await;
    let router = router(Arc::clone(&engine), Settings::default(), Clock::system());
    let send = async |request: axum::extract::Request| {
        let sent = router.clone().oneshot(request).await;
        sent.unwrap().status().as_u16()
    };
    let path = format!("/v1/apps/main/commands/{id}");
    gate.close(true);
    let asked = [
        ("GET", request("GET", &path, &[], ""), 200),
        ("PUT", request("PUT", &path, &[JSON], r#"{"name":"buy"}"#), 422),
        ("DELETE", request("DELETE", &path, &[], ""), 409),
    ];
    let waiting: Vec<_> = asked
        .into_iter()
        .map(|(method, request, status)| {
            let router = router.clone();
            let sent = async move { router.oneshot(request).await };
            (method, tokio::spawn(sent), status)
        })
        .collect();
    // All tasks have one thread: one of them that waits for the disk keeps this one
    // from going on until the disk answers.
    while gate.waiting() < waiting.len() && waiting.iter().all(|(_, task, _)| !task.is_finished()) {
        yield_now().await;
    }
    assert_eq!(send(request("GET", "/v1/apps/main", &[], "")).await, 200);
    let fresh = format!("/v1/apps/main/commands/{}", Uuid::now_v7());
    assert_eq!(send(request("GET", &fresh, &[], "")).await, 404);
    for (method, task, _) in &waiting {
        assert!(!task.is_finished(), "{method} did not wait for the disk");
    }
    gate.close(false);
    for (method, task, status) in waiting {
        let response = task.await.unwrap().unwrap();
        assert_eq!(response.status().as_u16(), status, "{method}");
    }
}
