//! Panics of redb on damaged files, which become errors that name the file: nobody has
//! to read of them twice, and first in words of redb.

use std::cell::Cell;
use std::panic::{set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// How many calls of [`quietly`] this thread is in.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// Does something whose panics are not told on standard error. They are to be caught in
/// it: what unwinds through here leaves the thread quiet.
pub(super) fn quietly<T>(call: impl FnOnce() -> T) -> T {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            if DEPTH.get() == 0 {
                before(panic);
            }
        }));
    });
    DEPTH.set(DEPTH.get() + 1);
    let done = call();
    DEPTH.set(DEPTH.get() - 1);
    done
}
