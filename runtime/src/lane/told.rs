//! Whoever wants to be told when there is something new to see.

use std::fmt;
use std::sync::OnceLock;

use super::Lane;

/// One who is told, if there is one.
#[derive(Default)]
pub(super) struct Told(OnceLock<Box<dyn Fn() + Send + Sync>>);

impl Told {
    pub(super) fn tell(&self) {
        if let Some(tell) = self.0.get() {
            tell();
        }
    }
}

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Told").field(&self.0.get().is_some()).finish()
    }
}

impl Lane {
    /// Has this called whenever something was published and answered, and whenever
    /// entries were answered that never will be. It must not block. Only the first who
    /// asks is told.
    pub fn when_published(&self, tell: impl Fn() + Send + Sync + 'static) {
        drop(self.0.told.0.set(Box::new(tell)));
    }
}
