//! What can be asked.

use std::collections::BTreeMap;

use chancery_sdk::{Rejection, Snapshot};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ORDERS, Order, STOCK, SUMMARIES, Status, Summary, unknown_order};

/// Which order is asked for.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct OrderOf {
    /// The order's number.
    pub order: String,
}

/// An order, as the process has it.
///
/// # Errors
///
/// `unknown-order`.
pub fn order(snapshot: &Snapshot, input: OrderOf) -> Result<Order, Rejection> {
    ORDERS.get(snapshot, &input.order).ok_or_else(|| unknown_order(&input.order))
}

/// An order, as its buyer wants to see it.
///
/// # Errors
///
/// `unknown-order`.
pub fn summary(snapshot: &Snapshot, input: OrderOf) -> Result<Summary, Rejection> {
    SUMMARIES.get(snapshot, &input.order).ok_or_else(|| unknown_order(&input.order))
}

/// Whether all is as it should be.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Audit {
    /// How many orders there are.
    pub orders: u64,
    /// How many are in which state.
    pub by_status: BTreeMap<Status, u64>,
    /// Whether all have come to their end.
    pub is_settled: bool,
    /// The orders, 10 at most, that ended more than once, or not as often as their
    /// state says.
    pub faults: Vec<String>,
    /// By product.
    pub stock: BTreeMap<String, ProductAudit>,
    /// Whether there are no faults and all stock adds up.
    pub is_sound: bool,
}

/// Whether the stock of a product adds up.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ProductAudit {
    /// How many there ever were.
    pub added: u64,
    /// How many can be ordered.
    pub available: u64,
    /// How many are set aside.
    pub reserved: u64,
    /// How many are gone.
    pub shipped: u64,
    /// Whether the last three make the first, and what is set aside and gone is what
    /// orders say.
    pub adds_up: bool,
}

/// How many faults are named.
const FAULTS_MAX: usize = 10;

/// What orders say of a product.
#[derive(Default)]
struct Ordered {
    reserved: u64,
    shipped: u64,
}

/// Looks at every order and all stock.
///
/// # Errors
///
/// Never; the type is that of every handler.
pub fn audit(snapshot: &Snapshot, (): ()) -> Result<Audit, Rejection> {
    let mut by_status = BTreeMap::new();
    let mut ordered: BTreeMap<String, Ordered> = BTreeMap::new();
    let mut faults = Vec::new();
    let mut orders = 0;
    for (number, order) in ORDERS.scan(snapshot) {
        orders += 1;
        *by_status.entry(order.status).or_default() += 1;
        if order.n_ends != u32::from(order.status.is_final()) && faults.len() < FAULTS_MAX {
            faults.push(number);
        }
        let ordered = ordered.entry(order.product).or_default();
        if order.status.is_reserved() {
            ordered.reserved += order.quantity;
        }
        if order.status == Status::Shipped {
            ordered.shipped += order.quantity;
        }
    }
    let mut stock = BTreeMap::new();
    for (product, of) in STOCK.scan(snapshot) {
        let said = ordered.remove(&product).unwrap_or_default();
        let adds_up = of.added == of.available + of.reserved + of.shipped
            && (of.reserved, of.shipped) == (said.reserved, said.shipped);
        let (added, available, reserved, shipped) =
            (of.added, of.available, of.reserved, of.shipped);
        stock.insert(product, ProductAudit { added, available, reserved, shipped, adds_up });
    }
    let is_settled = by_status.keys().all(|status| status.is_final());
    let is_sound = faults.is_empty() && stock.values().all(|product| product.adds_up);
    Ok(Audit { orders, by_status, is_settled, faults, stock, is_sound })
}
