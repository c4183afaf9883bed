//! What changes the stock.

use chancery_sdk::{NewEvent, Rejection, Transaction, reject};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{ORDERS, Order, Product, STOCK, unknown_product};

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

/// Puts a product on sale and says how many there are now.
///
/// # Errors
///
/// Never; the type is that of every handler.
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

/// What the buyer gets.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Bought {
    /// The order's id: a UUID.
    pub order: String,
    /// The product's code.
    pub product: String,
    /// How many are left for others.
    pub left: u64,
}

/// The data of `order.placed`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct OrderPlaced {
    /// The order's id: a UUID.
    pub order: String,
    /// The product's code.
    pub product: String,
    /// Who bought it, if they said so.
    pub buyer: Option<String>,
}

/// Takes one from the stock and keeps an order for it.
///
/// # Errors
///
/// `unknown-product`, and `out-of-stock` if none is left.
pub fn buy_product(tx: &mut Transaction, input: BuyProduct) -> Result<Bought, Rejection> {
    let BuyProduct { product, buyer } = input;
    let mut stock = STOCK.get(tx, &product).ok_or_else(|| unknown_product(&product))?;
    let Some(left) = stock.left.checked_sub(1) else {
        return Err(reject("out-of-stock", format!("No {} is left.", stock.name))
            .with_details(&json!({ "product": product })));
    };
    stock.left = left;
    STOCK.put(tx, &product, &stock);

    let order = tx.new_id();
    let sequence = tx.sequence();
    ORDERS.put(tx, &(&product, sequence), &Order { id: order.clone(), buyer: buyer.clone() });

    let subject = format!("product/{product}");
    let placed = OrderPlaced { order: order.clone(), product: product.clone(), buyer };
    tx.emit(&NewEvent::new("order.placed", &placed).about(subject));
    Ok(Bought { order, product, left })
}
