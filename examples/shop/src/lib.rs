//! A shop: a stock that is never oversold, and the orders that took from it.
//!
//! Commands run one after another, so a handler looks and then acts: two buyers
//! of the last lamp cannot both find it.

mod commands;
mod queries;
#[cfg(test)]
mod tests;

use chancery_sdk::{Rejection, Table, app, reject};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use commands::{AddProduct, Bought, BuyProduct, OrderPlaced, add_product, buy_product};
pub use queries::{OrderLine, OrdersOf, StockOf, orders_of, stock_of};

app! {
    /// A shop with a stock that is never oversold.
    pub struct Shop;

    tables {
        /// What is left of each product.
        STOCK,
        /// What was bought, by product and in order of purchase.
        ORDERS,
    }
    events {
        /// Somebody bought one of a product.
        "order.placed": OrderPlaced,
    }
    queries { stock_of, orders_of }
    commands { add_product, buy_product }
}

/// Products by their code, such as `lamp`.
pub const STOCK: Table<String, Product> = Table::new("stock");

/// Orders by product and by the sequence of the command that placed them.
pub const ORDERS: Table<(String, u64), Order> = Table::new("orders");

/// A product on sale, and how many are left of it.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Product {
    /// What people call it.
    pub name: String,
    /// How many can still be bought.
    pub left: u64,
}

/// One of a product, bought.
#[derive(Debug, Serialize, Deserialize)]
pub struct Order {
    /// A UUID.
    pub id: String,
    /// Who bought it, if they said so.
    pub buyer: Option<String>,
}

fn unknown_product(product: &str) -> Rejection {
    reject("unknown-product", format!("There is no product `{product}`."))
        .with_details(&serde_json::json!({ "product": product }))
}
