//! Panics of redb on damaged files, which become errors that name the file: nobody has
//! to read of them twice, and first in words of redb.

use std::cell::Cell;
use std::panic::{PanicHookInfo, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// How many calls of [`quietly`] this thread is in.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// What tells of a panic.
pub(super) type Hook = Box<dyn Fn(&PanicHookInfo<'_>) + Send + Sync>;

/// Does something whose panics are not told on standard error. They are to be caught in
/// it: what unwinds through here leaves the thread quiet.
pub(super) fn quietly<T>(call: impl FnOnce() -> T) -> T {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| set_hook(filtered(take_hook())));
    DEPTH.set(DEPTH.get() + 1);
    let done = call();
    DEPTH.set(DEPTH.get() - 1);
    done
}

/// Tells what another does, but of what is done quietly.
pub(super) fn filtered(told: Hook) -> Hook {
    Box::new(move |panic| {
        if DEPTH.get() == 0 {
            told(panic);
        }
    })
}
