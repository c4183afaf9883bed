//! Bases: the one that this server carries, and those of scripts that an earlier server
//! accepted.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};

use wasmtime::component::InstancePre;

use super::loader::{self, Adhoc};
use super::snapshot;
use crate::value::Hash;
use crate::wasm::code::Code;
use crate::wasm::guest::Guest;
use crate::wasm::refused::Refused;
use crate::wasm::{Host, upload};

/// Made by `cargo xtask base` from `guest-sdk/js/base`; a test makes it again and
/// compares.
static BYTES: &[u8] = include_bytes!("../../../assets/script-base.wasm");

/// The hash of [`base_bytes`].
pub static BASE_HASH: LazyLock<Hash> = LazyLock::new(|| Hash::of(BYTES));

/// The base of this server: a component in which engine, prelude and SDK are ready.
#[must_use]
pub fn base_bytes() -> &'static [u8] {
    BYTES
}

/// Makes a base of the core module that `guest-sdk/js/base` is built to.
///
/// # Errors
/// [`Refused`].
pub fn prepare(host: &Host, core: &[u8]) -> Result<Vec<u8>, Refused> {
    let component = upload::check(core, host.settings.upload_bytes_max)?;
    let instrumented = OnceLock::new();
    snapshot::of(host, &component, &instrumented, |store, instance, _| {
        loader::prepare(store, instance).map_err(|error| Refused::Host(format!("{error:#}")))
    })
}

/// A base, compiled.
pub(in crate::wasm) struct Base {
    pub(in crate::wasm) bytes: Cow<'static, [u8]>,
    /// Without a script.
    pub(in crate::wasm) code: Code,
    pub(in crate::wasm) adhoc: Adhoc,
    /// The same, giving away its state; made when the first snapshot is.
    pub(super) instrumented: OnceLock<InstancePre<Guest>>,
}

/// The bases that were needed so far. Compiling one takes a second or two, unless it is in
/// the code cache, and those who need it wait for whoever was first.
#[derive(Default)]
pub(in crate::wasm) struct Bases(Mutex<HashMap<Hash, Arc<Base>>>);

impl Bases {
    /// Whether a base is there and nobody is waited for.
    pub(in crate::wasm) fn has(&self, hash: Hash) -> bool {
        self.0.try_lock().is_ok_and(|known| known.contains_key(&hash))
    }

    /// A base; `kept` reads one that this server does not carry.
    pub(in crate::wasm) fn get(
        &self,
        host: &Host,
        hash: Hash,
        kept: impl FnOnce(Hash) -> Result<Vec<u8>, Refused>,
    ) -> Result<Arc<Base>, Refused> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(base) = known.get(&hash) {
            return Ok(Arc::clone(base));
        }
        let bytes = match hash == *BASE_HASH {
            true => Cow::Borrowed(BYTES),
            false => Cow::Owned(kept(hash)?),
        };
        let pre = host.link(&host.compile(&bytes)?)?;
        let adhoc = Adhoc::of(pre.component()).map_err(|error| Refused::unlike(&error))?;
        let (code, instrumented) = (Code::new(pre), OnceLock::new());
        let base = Arc::new(Base { bytes, code, adhoc, instrumented });
        known.insert(hash, Arc::clone(&base));
        Ok(base)
    }
}

impl fmt::Debug for Bases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bases").finish_non_exhaustive()
    }
}
