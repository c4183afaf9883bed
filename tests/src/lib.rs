//! The harness of the integration tests: guests, an engine in this process, a
//! server in another, and what is asked of them.
#![expect(clippy::disallowed_methods, reason = "tests wait for processes, in real time")]

mod app;
mod client;
pub mod decay;
pub mod disk;
pub mod explore;
pub mod history;
pub mod life;
pub mod load;
pub mod machine;
pub mod model;
pub mod rig;
mod scripts;
mod server;
mod stream;
pub mod sweep;
pub mod target;
mod wire;

use std::path::PathBuf;
use std::sync::Arc;

pub use app::{App, assert_gapless, sequence_of};
pub use client::{Client, Reply};
pub use rig::{LaneRig, Rig};
pub use scripts::script;
pub use server::{Server, Starting, binary, chancery, chancery_in, chancery_running, terminate};
pub use stream::{Message, Stream};
pub use uuid::Uuid;
pub use wire::Wire;

/// The bytes of a guest, by the name of its crate.
///
/// # Panics
/// If no such guest was built.
#[must_use]
pub fn guest(name: &str) -> Vec<u8> {
    let path = guest_path(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A guest with something in it that changes nothing: another version of it.
#[must_use]
pub fn guest_version(name: &str, version: u8) -> Vec<u8> {
    let mut bytes = guest(name);
    // A custom section: its kind, its length, the length of its name, its name.
    bytes.extend([0, 3, 1, b'v', version]);
    bytes
}

/// Where a guest is.
#[must_use]
pub fn guest_path(name: &str) -> PathBuf {
    let file = format!("{}.wasm", name.replace('-', "_"));
    guests_directory().join(file)
}

/// Where guests are.
#[must_use]
pub fn guests_directory() -> PathBuf {
    PathBuf::from(env!("CHANCERY_GUESTS"))
}

/// The core module that the base of scripts is made of, as `cargo xtask base` builds it.
///
/// # Panics
/// If it was not built.
#[must_use]
pub fn script_base_core() -> Vec<u8> {
    let path = target_directory().join("script-base/script-base.wasm");
    let built = std::fs::read(&path);
    built
        .unwrap_or_else(|error| panic!("{}: {error}; `cargo xtask base` builds it", path.display()))
}

/// The target directory of this workspace.
#[must_use]
pub fn target_directory() -> PathBuf {
    PathBuf::from(env!("CHANCERY_TARGET"))
}

/// The records of `movies.json`.
///
/// # Panics
/// If the file is not there.
#[must_use]
pub fn movies() -> Vec<serde_json::Value> {
    let path = target_directory().join("data/movies.json");
    let text = std::fs::read(&path).unwrap_or_else(|error| {
        panic!("{}: {error}; run `cargo xtask test`, which fetches it", path.display())
    });
    serde_json::from_slice(&text).expect("an array of records")
}

/// How often a repeated test repeats: `default`, or what the environment
/// variable says.
#[must_use]
pub fn times(variable: &str, default: usize) -> usize {
    match std::env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable} must be a number")),
        Err(_) => default,
    }
}

/// A seed, printed so that a failure can be repeated with `CHANCERY_SEED`.
#[must_use]
pub fn seed() -> u64 {
    let seed = times("CHANCERY_SEED", rand::random::<u32>() as usize) as u64;
    println!("CHANCERY_SEED={seed}");
    seed
}

/// A new id, as a client makes it.
#[must_use]
pub fn new_id() -> Uuid {
    Uuid::now_v7()
}

/// An id for a command that was made at this time.
#[must_use]
pub fn id_at(time_ms: u64) -> Uuid {
    let mut random = [0; 10];
    random.copy_from_slice(&Uuid::now_v7().as_bytes()[6..]);
    uuid::Builder::from_unix_timestamp_millis(time_ms, &random).into_uuid()
}

/// Runs a future on threads with the stacks that handlers need.
///
/// # Panics
/// If the system gives no threads.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(8)
        .thread_stack_size(16 << 20)
        .enable_all()
        .build()
        .expect("a runtime");
    // The caller's own thread has a small stack: handlers run on the others.
    runtime.block_on(future)
}

/// JSON text, as handlers are given it.
#[must_use]
pub fn text(json: &serde_json::Value) -> Arc<str> {
    json.to_string().into()
}
