//! The time that `Date` sees: that of the command or event, and 1970 where there is
//! none. Nothing else in the engine can tell the time.

use std::cell::Cell;

use crate::host;

thread_local! {
    static CLOCK: Cell<Clock> = const { Cell::new(Clock::At(0.0)) };
}

#[derive(Clone, Copy)]
enum Clock {
    /// Milliseconds since 1970.
    At(f64),
    /// The time of the request, which makes a query's answer one that cannot be kept:
    /// asked for only when the script does.
    Request,
}

/// Sets the clock to milliseconds since 1970.
#[expect(clippy::cast_precision_loss, reason = "the contract keeps numbers below 2^53")]
pub(crate) fn set_ms(ms: u64) {
    CLOCK.set(Clock::At(ms as f64));
}

/// Has the server asked when the script asks.
pub(crate) fn ask() {
    CLOCK.set(Clock::Request);
}

/// The one thing that QuickJS takes from outside: microseconds since 1970.
#[unsafe(no_mangle)]
extern "C" fn __rquickjs_host_now_us() -> f64 {
    if let Clock::Request = CLOCK.get() {
        set_ms(host::request_time_ms());
    }
    match CLOCK.get() {
        Clock::At(ms) => ms * 1_000.0,
        Clock::Request => 0.0,
    }
}
