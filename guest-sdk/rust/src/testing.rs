//! Handlers under plain `cargo test`: given some rows, when a command, then its
//! result and what changed. No server and no WebAssembly.
//!
//! ```
//! # use chancery_sdk::{NewEvent, Rejection, Snapshot, Table, Transaction, app, reject};
//! use chancery_sdk::testing::given;
//!
//! app! {
//!     /// A shop.
//!     struct Shop;
//!     tables { STOCK }
//!     queries { stock_of }
//!     commands { buy }
//! }
//!
//! const STOCK: Table<String, u64> = Table::new("stock");
//!
//! fn buy(tx: &mut Transaction, product: String) -> Result<u64, Rejection> {
//!     let left = STOCK.get(tx, &product).unwrap_or(0);
//!     let left = left.checked_sub(1).ok_or_else(|| reject("out-of-stock", "None is left."))?;
//!     STOCK.put(tx, &product, &left);
//!     tx.emit(&NewEvent::new("product.bought", &product));
//!     Ok(left)
//! }
//!
//! fn stock_of(snapshot: &Snapshot, product: String) -> Result<u64, Rejection> {
//!     Ok(STOCK.get(snapshot, &product).unwrap_or(0))
//! }
//!
//! # fn main() {
//! given::<Shop>()
//!     .row(&STOCK, "lamp", &1)
//!     .when(buy, "lamp".to_owned())
//!     .then_ok(&0)
//!     .then_row(&STOCK, "lamp", &0)
//!     .then_event("product.bought", &"lamp")
//!     .then_query(stock_of, "lamp".to_owned(), &0)
//!     .when(buy, "lamp".to_owned())
//!     .then_rejected("out-of-stock")
//!     .then_unchanged();
//! # }
//! ```
//!
//! Events as well: given some, when one happens, then rows and commands.
//!
//! ```
//! # use chancery_sdk::{Event, NewCommand, NewEvent, Rejection, Snapshot, Table, Transaction, View, app};
//! use chancery_sdk::testing::given;
//!
//! app! {
//!     /// A mill.
//!     struct Mill;
//!     tables { FLOUR }
//!     commands { grind }
//!     projections { flour version 1 tables [FLOUR] { "sack.ground" => add } }
//!     reactions { grinding { "sack.brought" => grind_it } }
//! }
//!
//! const FLOUR: Table<String, u64> = Table::new("flour");
//!
//! fn grind_it(_: &Snapshot, brought: Event<u64>) -> Result<[NewCommand; 1], Rejection> {
//!     Ok([NewCommand::new("grind", &brought.data)])
//! }
//!
//! fn grind(tx: &mut Transaction, sacks: u64) -> Result<(), Rejection> {
//!     tx.emit(&NewEvent::new("sack.ground", &sacks));
//!     Ok(())
//! }
//!
//! fn add(view: &mut View, ground: Event<u64>) -> Result<(), Rejection> {
//!     let flour = FLOUR.get(view, "flour").unwrap_or(0) + ground.data;
//!     FLOUR.put(view, "flour", &flour);
//!     Ok(())
//! }
//!
//! # fn main() {
//! given::<Mill>()
//!     .event(&NewEvent::new("sack.ground", &2))
//!     .when(grind, 3)
//!     .then_row(&FLOUR, "flour", &5)
//!     .when_event(&NewEvent::new("sack.brought", &4))
//!     .then_command("grind", &4)
//!     .follow()
//!     .when(grind, 1)
//!     .then_row(&FLOUR, "flour", &10);
//! # }
//! ```
//!
//! It behaves as the server does: one command at a time, with what it staged kept
//! if it succeeds and dropped if it is rejected. What traps on the server panics
//! here: a table that is not declared, a key or value over its limit.
#![expect(clippy::panic, reason = "a test that fails panics")]

mod follow;
mod given;
mod outcome;
#[cfg(test)]
mod tests;

pub use given::{Given, given};
pub use outcome::Outcome;

use serde::Serialize;

use crate::Value;

/// The tree of a value, to compare and to show: members in order, numbers as they are.
fn tree(value: &(impl Serialize + ?Sized)) -> serde_json::Value {
    match serde_json::to_value(value) {
        Ok(tree) => tree,
        Err(error) => panic!("cannot be written as JSON: {error}"),
    }
}

fn parse(text: &str) -> serde_json::Value {
    match serde_json::from_str(text) {
        Ok(tree) => tree,
        Err(error) => panic!("not JSON ({error}): {text}"),
    }
}

/// A row's value as a person would like to see it.
fn show(value: Option<&Value>) -> String {
    match value {
        None => "no row".to_owned(),
        Some(Value::Json(text)) => text.clone(),
        Some(Value::Bytes(bytes)) => format!("bytes {bytes:?}"),
    }
}
