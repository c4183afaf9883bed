//! A module that does one thing at a time, for the server's own tests: reads,
//! writes, events, ids, and showing what the server tells it.

mod commands;
mod queries;
#[cfg(test)]
mod tests;

use chancery_sdk::{Table, app};
use serde_json::Value;

app! {
    /// One command and one query for each thing the server can do.
    pub struct Probe;

    tables {
        /// Anything, by any key.
        ITEMS,
        /// Numbers that commands add to.
        COUNTERS,
    }
    queries {
        /// The item of a key, or null.
        queries::get,
        /// The items of many keys, each or null.
        queries::each,
        /// The value of a key of any table, or null.
        queries::of,
        /// Items whose keys begin so.
        queries::list,
        /// How many items there are.
        queries::count,
        /// The sum of all counters.
        queries::sum,
        /// The sequence and time of the snapshot.
        queries::info,
        /// The time of the request, in milliseconds since 1970.
        queries::now,
        /// Keeps a processor busy for so many rounds.
        queries::spin,
        /// The whole request.
        queries::echo,
    }
    commands {
        /// Sets an item.
        commands::put,
        /// Adds to a counter and says what it is now.
        commands::add,
        /// Appends to an item that is a text.
        commands::append,
        /// Sets many items of one size.
        commands::fill,
        /// Removes an item.
        commands::delete,
        /// The whole command.
        commands::echo,
        /// Sets the item `rejected`, then refuses as told.
        commands::reject,
        /// Keeps a processor busy for so many rounds.
        commands::spin,
        /// Emits one event and gives its id.
        commands::emit,
        /// Gives new ids.
        commands::new_ids,
        /// How often this instance of the module has executed this command.
        commands::calls,
        /// Has a command submitted later.
        commands::schedule,
        /// Takes that back.
        commands::cancel_timer,
        /// Has itself submitted again, without end.
        commands::chain,
    }
}

/// Anything, by any key.
pub const ITEMS: Table<String, Value> = Table::new("items");

/// Numbers that commands add to.
pub const COUNTERS: Table<String, i64> = Table::new("counters");

/// Takes time in proportion to `iterations`, there being no clock; the result
/// keeps the compiler from leaving the loop out.
fn busy(iterations: u64) -> u64 {
    let mut state = 1_u64;
    for round in 0..iterations {
        state = std::hint::black_box(state.rotate_left(7) ^ round);
    }
    // Below 2^53, as all numbers in JSON should be.
    state >> 11
}
