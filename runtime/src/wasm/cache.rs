//! Compiled code, kept between the runs of a server: compiling takes seconds, reading
//! what was compiled takes milliseconds.
//!
//! An entry is a file named after the SHA-256 of the component and after what the compiler
//! was set to, so that another version of the server or another processor finds nothing. It
//! begins with an HMAC-SHA-256 of its name and of what follows, by a key that only this
//! directory has: what was cut off by a crash, changed on the disk, or put there from
//! elsewhere is not run but compiled again. Whoever can write the directory as its owner
//! can run code as its owner anyway; a directory that others can write is refused.
//!
//! Nothing depends on an entry: all of it may be removed at any time.

#[cfg(test)]
mod tests;

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::{Hash as _, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use tracing::debug;
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::value::Hash;

/// All entries together, in bytes. The JavaScript engine compiles to some 8 MiB, a module
/// in Rust to one or two.
const BYTES_MAX: u64 = 1 << 30;
/// The file of the key, and its length: that of the hash.
const KEY_FILE: &str = "key";
const KEY_BYTES: usize = 32;
/// What an entry begins with, in bytes.
const MAC_BYTES: usize = 32;
/// What files are called: entries, and what is being written.
const ENTRY: &str = "code";
const DRAFT: &str = "draft";

/// A directory of compiled code, which any number of processes may use at one time.
#[derive(Debug)]
pub(super) struct Cache {
    directory: PathBuf,
    key: [u8; KEY_BYTES],
    /// What compiled code depends on besides the component.
    compiler: u64,
    /// Numbers the drafts of this process.
    drafts: AtomicU64,
}

impl Cache {
    /// The cache in a directory, which is created, for its owner alone, if it is missing.
    ///
    /// # Errors
    /// If it cannot be used, or others than its owner could have written in it.
    pub(super) fn open(directory: &Path, engine: &Engine) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        let metadata = fs::metadata(directory)?;
        let is_own = metadata.uid() == rustix::process::geteuid().as_raw();
        if !is_own || metadata.mode() & 0o022 != 0 {
            let reason = "others than the user who runs this can write in it";
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, reason));
        }
        let drafts = AtomicU64::new(0);
        let key = key(directory, &draft(directory, &drafts))?;
        let mut compiler = Fingerprint(Sha256::new());
        engine.precompile_compatibility_hash().hash(&mut compiler);
        let compiler = compiler.finish();
        Ok(Self { directory: directory.to_owned(), key, compiler, drafts })
    }

    /// The compiled code of a component; none if it is not there whole.
    pub(super) fn get(&self, engine: &Engine, component: &[u8]) -> Option<Component> {
        let name = self.name(component);
        let entry = fs::read(self.directory.join(&name)).ok()?;
        let Some(code) = self.verified(&name, &entry) else {
            debug!(name, "an entry of the code cache is not whole; it is compiled again");
            return None;
        };
        match deserialize(engine, &code) {
            Ok(component) => Some(component),
            Err(error) => {
                debug!(name, %error, "an entry of the code cache is of another compiler");
                None
            }
        }
    }

    /// Keeps compiled code, if there is room on the disk.
    pub(super) fn put(&self, component: &[u8], compiled: &Component) {
        let name = self.name(component);
        let written = compiled.serialize().map_err(io::Error::other).and_then(|code| {
            let draft = draft(&self.directory, &self.drafts);
            let mac = self.mac(&name, &code).finalize().into_bytes();
            let kept = write(&draft, &[&mac, &code])
                .and_then(|()| fs::rename(&draft, self.directory.join(&name)));
            if kept.is_err() {
                // It may not even have been made.
                drop(fs::remove_file(&draft));
            }
            kept.and_then(|()| self.trim(BYTES_MAX))
        });
        if let Err(error) = written {
            debug!(name, %error, "compiled code is not kept");
        }
    }

    fn name(&self, component: &[u8]) -> String {
        format!("{}-{:016x}.{ENTRY}", Hash::of(component), self.compiler)
    }

    /// The code in an entry, if this cache wrote it. The one maker of [`Verified`].
    fn verified<'a>(&self, name: &str, entry: &'a [u8]) -> Option<Verified<'a>> {
        let (mac, code) = entry.split_at_checked(MAC_BYTES)?;
        self.mac(name, code).verify_slice(mac).is_ok().then_some(Verified(code))
    }

    fn mac(&self, name: &str, code: &[u8]) -> Hmac<Sha256> {
        let Ok(mac) = Hmac::<Sha256>::new_from_slice(&self.key) else {
            unreachable!("a key for HMAC may have any length");
        };
        // Names are all of one length.
        mac.chain_update(name).chain_update(code)
    }

    /// Removes the entries that were written first, if there are too many.
    fn trim(&self, bytes_max: u64) -> io::Result<()> {
        let mut files = Vec::new();
        for file in fs::read_dir(&self.directory)? {
            let file = file?;
            let path = file.path();
            if path.extension().is_some_and(|kind| kind == ENTRY || kind == DRAFT) {
                let metadata = file.metadata()?;
                files.push((metadata.mtime(), metadata.len(), path));
            }
        }
        let mut bytes: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
        files.sort();
        for (_, length, path) in files {
            if bytes <= bytes_max {
                break;
            }
            match fs::remove_file(path) {
                // Another process has the same to do.
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => bytes -= length,
            }
        }
        Ok(())
    }
}

/// Bytes that this server wrote: their HMAC was right.
struct Verified<'a>(&'a [u8]);

/// Code as it was when it was serialized.
#[expect(unsafe_code, reason = "the only way to load compiled code; see below")]
fn deserialize(engine: &Engine, code: &Verified<'_>) -> wasmtime::Result<Component> {
    // SAFETY: wasmtime runs what it is given, so the bytes have to be what
    // `Component::serialize` returned, unchanged. `Verified` is made only of bytes whose
    // HMAC has a key that never leaves a directory which only the user of this process can
    // write, and only `Cache::put` makes such an HMAC, of what `serialize` returned. They
    // are checked in memory, where nothing changes them afterwards. That they are of this
    // version of wasmtime and fit this processor, wasmtime checks itself.
    unsafe { Component::deserialize(engine, code.0) }
}

/// The key of a directory, made by whoever comes first.
fn key(directory: &Path, draft: &Path) -> io::Result<[u8; KEY_BYTES]> {
    let path = directory.join(KEY_FILE);
    if let Some(key) = read_key(&path)? {
        return Ok(key);
    }
    let mut key = [0; KEY_BYTES];
    File::open("/dev/urandom")?.read_exact(&mut key)?;
    write(draft, &[&key])?;
    // Whole or not at all, and never in place of another's.
    let linked = fs::hard_link(draft, &path);
    fs::remove_file(draft)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => read_key(&path)?.ok_or_else(|| io::Error::other("the key was removed meanwhile")),
    }
}

/// A key; one that a crash left half written is removed.
fn read_key(path: &Path) -> io::Result<Option<[u8; KEY_BYTES]>> {
    let found = match fs::read(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match found.try_into() {
        Ok(key) => Ok(Some(key)),
        Err(_wrong_length) => {
            fs::remove_file(path)?;
            Ok(None)
        }
    }
}

fn draft(directory: &Path, drafts: &AtomicU64) -> PathBuf {
    let (process, draft) = (std::process::id(), drafts.fetch_add(1, Ordering::Relaxed));
    directory.join(format!("{process}-{draft}.{DRAFT}"))
}

/// Not synced: what a crash cuts off is found by its HMAC.
fn write(path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    parts.iter().try_for_each(|part| file.write_all(part))
}

/// A hash that is the same in each run, unlike those of the standard library's maps.
struct Fingerprint(Sha256);

impl Hasher for Fingerprint {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let digest = self.0.clone().finalize();
        digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
}
