//! Orders from placing to shipping: a process of several steps, each a command of its
//! own, with reactions that lead from one to the next.
//!
//! ```text
//! place-order ─► order.placed ─► reserve-stock ─► stock.reserved ─► take-payment ─► payment.taken ─► ship-order ─► order.shipped
//!      │                              │                                  │
//!      │                              └─► order.refused                  └─► payment.failed ─► release-stock ─► order.cancelled
//!      └─ timer ─► cancel-unpaid ─► order.cancelled
//! ```
//!
//! A step looks at the order before it does something, since others may have been
//! there: the timer fires although the payment is on its way, a dead letter is tried
//! again. Then it changes nothing. So each order ends once, and the stock adds up; the
//! query `audit` says whether it does.

mod commands;
mod events;
mod queries;
mod reactions;
mod steps;
mod summary;
#[cfg(test)]
mod tests;

use std::fmt;

use chancery_sdk::{Rejection, Table, app, reject};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

pub use commands::{AddStock, PayOrder, PlaceOrder, add_stock, pay_order, place_order};
pub use events::{Ended, Placed, Step};
pub use queries::{Audit, OrderOf, ProductAudit, audit, order, summary};
pub use reactions::{ask_payment, release, reserve, ship};
pub use steps::{Of, cancel_unpaid, release_stock, reserve_stock, ship_order, take_payment};
pub use summary::{SUMMARIES, Summary, SummaryStep};

use summary::{begin, end, go_on};

app! {
    /// Orders, from placing to shipping.
    pub struct Orders;

    tables {
        /// What there is of each product.
        STOCK,
        /// Orders by their number, with the state they are in.
        ORDERS,
        /// Orders as a buyer wants to see them.
        SUMMARIES,
    }
    events {
        /// Somebody ordered something.
        "order.placed": Placed,
        /// What was ordered is set aside.
        "stock.reserved": Step,
        /// It is paid.
        "payment.taken": Step,
        /// It could not be paid.
        "payment.failed": Step,
        /// It will be paid later, on invoice.
        "payment.awaited": Step,
        /// It is on its way: the end.
        "order.shipped": Ended,
        /// There was not enough of it: the end.
        "order.refused": Ended,
        /// It was not paid: the end.
        "order.cancelled": Ended,
    }
    queries { order, summary, audit }
    commands {
        add_stock, place_order, pay_order,
        reserve_stock, take_payment, ship_order, release_stock, cancel_unpaid,
    }
    projections {
        /// Each order with what became of it, step by step.
        order_summary version 1 tables [SUMMARIES] {
            "order.placed" => begin,
            "order.*" => end,
            "stock.*" => go_on,
            "payment.*" => go_on,
        }
    }
    reactions {
        /// Sets aside what was ordered.
        reserving { "order.placed" => reserve }
        /// Asks for the money.
        payment { "stock.reserved" => ask_payment }
        /// Ships what is paid.
        shipping { "payment.taken" => ship }
        /// Puts back what is not paid for.
        compensation { "payment.failed" => release }
    }
}

/// Products by their code, such as `lamp`.
pub const STOCK: Table<String, Stock> = Table::new("stock");

/// Orders by the number their buyer gave them.
pub const ORDERS: Table<String, Order> = Table::new("orders");

/// How much there is of a product. `added` is always the sum of the other three.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stock {
    /// What people call it.
    pub name: String,
    /// What one costs.
    pub price_cents: u64,
    /// How many there ever were.
    pub added: u64,
    /// How many can be ordered.
    pub available: u64,
    /// How many are set aside for orders.
    pub reserved: u64,
    /// How many are gone.
    pub shipped: u64,
}

/// An order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Order {
    /// Who ordered.
    pub buyer: String,
    /// The product's code.
    pub product: String,
    /// How many.
    pub quantity: u64,
    /// What they cost together.
    pub total_cents: u64,
    /// How it is to be paid.
    pub payment: Payment,
    /// What became of it so far.
    pub status: Status,
    /// The timer that cancels it unless it is paid before.
    pub timer: Option<String>,
    /// How often it ended, which is once at most.
    pub n_ends: u32,
}

/// How an order is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Payment {
    /// At once.
    Card,
    /// At once, with a card that is refused: for trying.
    DeclinedCard,
    /// Later, by `pay-order`.
    Invoice,
}

/// What became of an order.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Nothing yet.
    Placed,
    /// What was ordered is set aside.
    Reserved,
    /// Paid, not yet shipped.
    Paid,
    /// Not paid; what is set aside is to be put back.
    PaymentFailed,
    /// On its way. Final.
    Shipped,
    /// There was not enough. Final.
    Refused,
    /// Not paid, and nothing is set aside any more. Final.
    Cancelled,
}

impl Status {
    /// Whether nothing follows.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Shipped | Self::Refused | Self::Cancelled)
    }

    /// Whether something is set aside.
    #[must_use]
    pub fn is_reserved(self) -> bool {
        matches!(self, Self::Reserved | Self::Paid | Self::PaymentFailed)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Placed => "placed",
            Self::Reserved => "reserved",
            Self::Paid => "paid",
            Self::PaymentFailed => "payment-failed",
            Self::Shipped => "shipped",
            Self::Refused => "refused",
            Self::Cancelled => "cancelled",
        })
    }
}

fn unknown_order(order: &str) -> Rejection {
    reject("unknown-order", format!("There is no order `{order}`."))
        .with_details(&json!({ "order": order }))
}

fn unknown_product(product: &str) -> Rejection {
    reject("unknown-product", format!("There is no product `{product}`."))
        .with_details(&json!({ "product": product }))
}
