//! Builds every guest that the tests upload, in a target directory of its own,
//! so that plain `cargo test` never runs against stale ones.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let root = root.canonicalize().expect("the workspace is there");
    let target = target_directory().join("guests");
    let sdk = ["guest-sdk/Cargo.toml", "guest-sdk/Cargo.lock", "guest-sdk/rust"];
    for inputs in sdk.into_iter().chain(["tests/guests", "wit"]) {
        println!("cargo::rerun-if-changed={}", root.join(inputs).display());
    }
    // Not those in JavaScript: what npm installs and bundlers write there is no guest.
    for example in std::fs::read_dir(root.join("examples")).expect("there are examples") {
        let example = example.expect("an entry").path();
        if example.join("Cargo.toml").is_file() {
            println!("cargo::rerun-if-changed={}", example.display());
        }
    }
    let wasm = "wasm32-unknown-unknown";
    let mut cargo = Command::new(env::var_os("CARGO").expect("cargo runs build scripts"));
    cargo.args(["build", "--release", "--locked", "--target", wasm]);
    cargo.arg("--manifest-path").arg(root.join("guest-sdk/Cargo.toml"));
    cargo.arg("--target-dir").arg(&target);
    // What concerns the host's build must not reach the guests'.
    for name in ["CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS", "CARGO_TARGET_DIR", "RUSTC_WRAPPER"] {
        cargo.env_remove(name);
    }
    let built = cargo.status().expect("cargo can be started").success();
    assert!(built, "the guests do not build; is the target there? rustup target add {wasm}");
    println!("cargo::rustc-env=CHANCERY_GUESTS={}", target.join(wasm).join("release").display());
    println!("cargo::rustc-env=CHANCERY_TARGET={}", target_directory().display());
}

/// `OUT_DIR` is `<target>/<profile>/build/<package>/out`.
fn target_directory() -> PathBuf {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    out.ancestors().nth(4).expect("OUT_DIR is that deep").to_owned()
}
