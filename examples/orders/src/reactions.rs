//! What follows from what: the process, one line for each of its arrows.

use chancery_sdk::{Event, NewCommand, Rejection, Snapshot};

use crate::{Of, Placed, Step};

type Next = Result<[NewCommand; 1], Rejection>;

/// An order is placed, so stock is reserved.
///
/// # Errors
///
/// Never, as those below.
pub fn reserve(_: &Snapshot, placed: Event<Placed>) -> Next {
    Ok(next("reserve-stock", placed.data.order))
}

/// Stock is reserved, so the payment is taken.
///
/// # Errors
///
/// Never.
pub fn ask_payment(_: &Snapshot, reserved: Event<Step>) -> Next {
    Ok(next("take-payment", reserved.data.order))
}

/// The payment is taken, so the order is shipped.
///
/// # Errors
///
/// Never.
pub fn ship(_: &Snapshot, taken: Event<Step>) -> Next {
    Ok(next("ship-order", taken.data.order))
}

/// The payment failed, so the stock is released.
///
/// # Errors
///
/// Never.
pub fn release(_: &Snapshot, failed: Event<Step>) -> Next {
    Ok(next("release-stock", failed.data.order))
}

fn next(command: &str, order: String) -> [NewCommand; 1] {
    [NewCommand::new(command, &Of { order })]
}
