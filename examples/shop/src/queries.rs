//! What can be asked.

use chancery_sdk::{Rejection, Snapshot};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ORDERS, Product, STOCK, unknown_product};

/// Says how many of a product are left.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct StockOf {
    /// The product's code.
    pub product: String,
}

/// The product's name and how many are left.
///
/// # Errors
///
/// `unknown-product`.
pub fn stock_of(snapshot: &Snapshot, input: StockOf) -> Result<Product, Rejection> {
    STOCK.get(snapshot, &input.product).ok_or_else(|| unknown_product(&input.product))
}

/// Lists the latest orders of a product, the last one first.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct OrdersOf {
    /// The product's code.
    pub product: String,
    /// How many at most; 20 if not given.
    #[schemars(range(min = 1, max = 1_000))]
    pub limit: Option<u16>,
}

/// An order of a product.
#[derive(Debug, Serialize, JsonSchema)]
pub struct OrderLine {
    /// The order's id: a UUID.
    pub order: String,
    /// Who bought it, if they said so.
    pub buyer: Option<String>,
    /// The sequence of the command that placed it.
    pub sequence: u64,
}

/// The orders of a product; none if nobody bought one.
///
/// # Errors
///
/// Never; the type is that of every handler.
pub fn orders_of(snapshot: &Snapshot, input: OrdersOf) -> Result<Vec<OrderLine>, Rejection> {
    let limit = usize::from(input.limit.unwrap_or(20));
    let latest = ORDERS.scan(snapshot).prefix(&(&input.product,)).descending();
    let lines = latest.rows().take(limit).map(|((_, sequence), order)| OrderLine {
        order: order.id,
        buyer: order.buyer,
        sequence,
    });
    Ok(lines.collect())
}
