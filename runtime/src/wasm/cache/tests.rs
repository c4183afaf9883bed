//! What is kept is what was put, or nothing.

use std::os::unix::fs::PermissionsExt;

use tempfile::TempDir;

use super::*;
use crate::wasm::Settings;

fn compiler() -> Engine {
    let settings = Settings { instances_max: 8, ..Settings::default() };
    crate::wasm::engine::engine(&settings).expect("this machine can host modules")
}

/// A component that is told from others by a number.
fn component(number: u32) -> Vec<u8> {
    let text = format!(
        "(component (core module $m (func (export \"f\") (result i32) i32.const {number})))"
    );
    wat::parse_str(text).expect("a component")
}

fn put(cache: &Cache, engine: &Engine, component: &[u8]) -> PathBuf {
    let compiled = Component::from_binary(engine, component).expect("it compiles");
    cache.put(component, &compiled);
    let path = cache.directory.join(cache.name(component));
    assert!(path.is_file(), "it is kept");
    path
}

#[test]
fn what_one_run_compiled_the_next_one_finds() {
    let (directory, engine) = (TempDir::new().unwrap(), compiler());
    // Missing directories are made.
    let place = directory.path().join("chancery/code");
    let one = Cache::open(&place, &engine).expect("a cache");
    assert!(one.get(&engine, &component(1)).is_none());
    put(&one, &engine, &component(1));
    drop((one, engine));
    let engine = compiler();
    let other = Cache::open(&place, &engine).expect("a cache");
    assert!(other.get(&engine, &component(1)).is_some());
    assert!(other.get(&engine, &component(2)).is_none());
    let drafts = fs::read_dir(&place).unwrap();
    let names: Vec<_> = drafts.map(|file| file.unwrap().path()).collect();
    // The key and one entry, no drafts.
    assert_eq!(names.len(), 2, "{names:?}");
}

#[test]
fn what_is_not_whole_is_not_run() {
    let (directory, engine) = (TempDir::new().unwrap(), compiler());
    let cache = Cache::open(directory.path(), &engine).expect("a cache");
    let path = put(&cache, &engine, &component(1));
    let whole = fs::read(&path).unwrap();
    for at in [0, MAC_BYTES - 1, MAC_BYTES, whole.len() / 2, whole.len() - 1] {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        fs::write(&path, damaged).unwrap();
        assert!(cache.get(&engine, &component(1)).is_none(), "byte {at}");
    }
    for length in [0, 1, MAC_BYTES, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        assert!(cache.get(&engine, &component(1)).is_none(), "{length} bytes");
    }
    // What is whole, and of another component.
    let other = put(&cache, &engine, &component(2));
    fs::copy(&other, &path).unwrap();
    assert!(cache.get(&engine, &component(1)).is_none());
    put(&cache, &engine, &component(1));
    assert!(cache.get(&engine, &component(1)).is_some());
}

#[test]
fn what_comes_from_elsewhere_is_not_run() {
    let (here, elsewhere) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let engine = compiler();
    let own = Cache::open(here.path(), &engine).expect("a cache");
    let other = Cache::open(elsewhere.path(), &engine).expect("a cache");
    let foreign = put(&other, &engine, &component(1));
    fs::copy(foreign, here.path().join(own.name(&component(1)))).unwrap();
    assert!(own.get(&engine, &component(1)).is_none());
    // A key that a crash cut off is made anew, and nothing of before it counts.
    put(&own, &engine, &component(1));
    fs::write(here.path().join(KEY_FILE), b"short").unwrap();
    let own = Cache::open(here.path(), &engine).expect("a cache");
    assert!(own.get(&engine, &component(1)).is_none());
}

#[test]
fn a_directory_that_others_can_write_is_refused() {
    let (directory, engine) = (TempDir::new().unwrap(), compiler());
    for mode in [0o777, 0o770, 0o702] {
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(mode)).unwrap();
        let error = Cache::open(directory.path(), &engine).expect_err("it is refused");
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{mode:o}");
    }
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    Cache::open(directory.path(), &engine).expect("only its owner writes");
    let key = fs::metadata(directory.path().join(KEY_FILE)).unwrap();
    assert_eq!(key.mode() & 0o777, 0o600);
}

#[test]
fn what_was_written_first_goes_first() {
    let (directory, engine) = (TempDir::new().unwrap(), compiler());
    let cache = Cache::open(directory.path(), &engine).expect("a cache");
    let old = put(&cache, &engine, &component(1));
    let new = put(&cache, &engine, &component(2));
    // Seconds of difference, whatever this file system tells apart.
    let long_ago = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
    File::options().write(true).open(&old).unwrap().set_modified(long_ago).unwrap();
    let bytes = fs::metadata(&new).unwrap().len();
    cache.trim(bytes).expect("it is trimmed");
    assert_eq!((old.exists(), new.exists()), (false, true));
    assert!(directory.path().join(KEY_FILE).is_file());
    cache.trim(0).expect("it is trimmed");
    assert!(!new.exists());
}
