//! A shop whose stock is never oversold.
//!
//! Commands run one after another, so a handler looks and then acts: two buyers of the
//! last lamp cannot both find it.

#[cfg(test)]
mod tests;

use chancery_sdk::{NewEvent, Rejection, Snapshot, Table, Transaction, app, reject};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

app! {
    /// A shop whose stock is never oversold.
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

/// Buyers by product and by the sequence of the command that placed the order.
pub const ORDERS: Table<(String, u64), Option<String>> = Table::new("orders");

/// A product on sale, and how many are left of it.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Product {
    /// What people call it.
    pub name: String,
    /// How many can still be bought.
    pub left: u64,
}

/// Puts a product on sale, or more of one that is.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct AddProduct {
    /// The product's code, such as `lamp`.
    #[schemars(length(min = 1, max = 100))]
    pub product: String,
    /// What people call it.
    pub name: String,
    /// How many there are to add.
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub quantity: u32,
}

pub fn add_product(tx: &mut Transaction, input: AddProduct) -> Result<Product, Rejection> {
    let before = STOCK.get(tx, &input.product).map_or(0, |product| product.left);
    let product = Product { name: input.name, left: before + u64::from(input.quantity) };
    STOCK.put(tx, &input.product, &product);
    Ok(product)
}

/// Buys one of a product.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct BuyProduct {
    /// The product's code.
    pub product: String,
    /// Who buys it.
    pub buyer: Option<String>,
}

/// What the buyer is told.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Bought {
    /// The product's code.
    pub product: String,
    /// How many are left for others.
    pub left: u64,
}

/// The data of `order.placed`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct OrderPlaced {
    /// The product's code.
    pub product: String,
    /// Who bought it, if they said so.
    pub buyer: Option<String>,
}

pub fn buy_product(tx: &mut Transaction, input: BuyProduct) -> Result<Bought, Rejection> {
    let BuyProduct { product, buyer } = input;
    let mut stock = STOCK.get(tx, &product).ok_or_else(|| unknown_product(&product))?;
    let Some(left) = stock.left.checked_sub(1) else {
        return Err(reject("out-of-stock", format!("No {} is left.", stock.name))
            .with_details(&json!({ "product": product })));
    };
    stock.left = left;
    STOCK.put(tx, &product, &stock);
    let sequence = tx.sequence();
    ORDERS.put(tx, &(&product, sequence), &buyer);
    let subject = format!("product/{product}");
    let placed = OrderPlaced { product: product.clone(), buyer };
    tx.emit(&NewEvent::new("order.placed", &placed).about(subject));
    Ok(Bought { product, left })
}

/// Says how many of a product are left.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct StockOf {
    /// The product's code.
    pub product: String,
}

pub fn stock_of(snapshot: &Snapshot, input: StockOf) -> Result<Product, Rejection> {
    STOCK.get(snapshot, &input.product).ok_or_else(|| unknown_product(&input.product))
}

/// Lists who bought a product, the first one first.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct OrdersOf {
    /// The product's code.
    pub product: String,
}

pub fn orders_of(
    snapshot: &Snapshot,
    input: OrdersOf,
) -> Result<Vec<Option<String>>, Rejection> {
    let orders = ORDERS.scan(snapshot).prefix(&(&input.product,));
    Ok(orders.rows().map(|(_, buyer)| buyer).collect())
}

fn unknown_product(product: &str) -> Rejection {
    reject("unknown-product", format!("There is no product `{product}`."))
        .with_details(&json!({ "product": product }))
}
