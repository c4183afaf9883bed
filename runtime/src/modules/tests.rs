//! What is kept, and what a crash leaves.

use super::*;
use crate::disk::Files;

#[test]
fn what_was_kept_is_there_and_drafts_are_not() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app/modules");
    let host = Arc::new(wasm::Host::new(wasm::Settings::default()).unwrap());
    let open = || {
        let app = "main".parse().unwrap();
        Modules::open(Arc::new(Files), app, path.clone(), Arc::clone(&host)).unwrap()
    };
    let hash = open().keep(b"a module").unwrap();
    std::fs::write(path.join(format!("{hash}.0.draft")), b"a mod").unwrap();
    let modules = open();
    assert_eq!(modules.bytes(hash).unwrap(), b"a module");
    assert_eq!(std::fs::read_dir(&path).unwrap().count(), 1);

    // A damaged file is refused, and written anew by another upload.
    std::fs::write(path.join(format!("{hash}.wasm")), b"a nodule").unwrap();
    assert!(matches!(modules.bytes(hash), Err(Error::Damaged { .. })));
    modules.keep(b"a module").unwrap();
    assert_eq!(modules.bytes(hash).unwrap(), b"a module");
    assert!(matches!(modules.bytes(Hash::of(b"")), Err(Error::Unknown(_))));
}
