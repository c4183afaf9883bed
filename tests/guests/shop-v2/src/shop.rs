//! Handlers of the second version, shared with `shop-v2-refuse`.

use chancery_sdk::{Rejection, Snapshot, Table, Transaction, reject};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// What a product costs whose price nobody has said.
const PRICE_CENTS: u32 = 1_000;

pub(crate) const STOCK: Table<String, Product> = Table::new("stock");
pub(crate) const PURCHASES: Table<(String, u64), Purchase> = Table::new("purchases");

/// The rows of `STOCK`, as either version of the shop has written them.
const ANY_STOCK: Table<String, AnyProduct> = Table::new("stock");

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Product {
    pub(crate) name: String,
    pub(crate) quantity: u64,
    pub(crate) price_cents: u32,
}

#[derive(Debug, Serialize, Deserialize)]
struct AnyProduct {
    name: String,
    #[serde(alias = "left")]
    quantity: u64,
    price_cents: Option<u32>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Purchase {
    pub(crate) order: String,
    pub(crate) buyer: Option<String>,
}

/// Gives every product of the first version a price.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Migrate {}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Migrated {
    pub(crate) rows: u64,
}

pub(crate) fn migrate(tx: &mut Transaction, Migrate {}: Migrate) -> Result<Migrated, Rejection> {
    let mut migrated = Migrated { rows: 0 };
    for (product, AnyProduct { name, quantity, price_cents }) in ANY_STOCK.scan(tx) {
        let price_cents = price_cents.unwrap_or(PRICE_CENTS);
        STOCK.put(tx, &product, &Product { name, quantity, price_cents });
        migrated.rows += 1;
    }
    Ok(migrated)
}

/// Puts a product on sale, or more of one that is.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct AddProduct {
    pub(crate) product: String,
    pub(crate) name: String,
    pub(crate) quantity: u32,
    pub(crate) price_cents: Option<u32>,
}

pub(crate) fn add_product(tx: &mut Transaction, input: AddProduct) -> Result<Product, Rejection> {
    let before = STOCK.get(tx, &input.product).map_or(0, |product| product.quantity);
    let quantity = before + u64::from(input.quantity);
    let price_cents = input.price_cents.unwrap_or(PRICE_CENTS);
    let product = Product { name: input.name, quantity, price_cents };
    STOCK.put(tx, &input.product, &product);
    Ok(product)
}

/// Buys one of a product.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct BuyProduct {
    pub(crate) product: String,
    pub(crate) buyer: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Bought {
    pub(crate) order: String,
    pub(crate) product: String,
    pub(crate) left: u64,
    pub(crate) price_cents: u32,
}

pub(crate) fn buy_product(tx: &mut Transaction, input: BuyProduct) -> Result<Bought, Rejection> {
    let BuyProduct { product, buyer } = input;
    let mut stock = STOCK.get(tx, &product).ok_or_else(|| unknown_product(&product))?;
    let Some(left) = stock.quantity.checked_sub(1) else {
        return Err(reject("out-of-stock", format!("No {} is left.", stock.name))
            .with_details(&json!({ "product": product })));
    };
    stock.quantity = left;
    STOCK.put(tx, &product, &stock);
    let order = tx.new_id();
    let sequence = tx.sequence();
    PURCHASES.put(tx, &(&product, sequence), &Purchase { order: order.clone(), buyer });
    Ok(Bought { order, product, left, price_cents: stock.price_cents })
}

/// Says what is left of a product and what it costs.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct StockOf {
    pub(crate) product: String,
}

pub(crate) fn stock_of(snapshot: &Snapshot, input: StockOf) -> Result<Product, Rejection> {
    STOCK.get(snapshot, &input.product).ok_or_else(|| unknown_product(&input.product))
}

/// Lists the purchases of a product.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct OrdersOf {
    pub(crate) product: String,
}

pub(crate) fn orders_of(snapshot: &Snapshot, input: OrdersOf) -> Result<Vec<Purchase>, Rejection> {
    Ok(PURCHASES.scan(snapshot).prefix(&(&input.product,)).values().collect())
}

fn unknown_product(product: &str) -> Rejection {
    reject("unknown-product", format!("There is no product `{product}`."))
        .with_details(&json!({ "product": product }))
}
