//! What people ask for.

use chancery_sdk::{NewCommand, NewEvent, Rejection, Transaction, reject};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::steps::{Of, pay};
use crate::{ORDERS, Order, Payment, Placed, STOCK, Status, Stock, unknown_order, unknown_product};

/// How long an order may stay unpaid, unless it says otherwise: a quarter of an hour.
const PAY_WITHIN_MS: u64 = 15 * 60 * 1_000;

/// Puts a product on sale, or more of one that is.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct AddStock {
    /// The product's code, such as `lamp`.
    #[schemars(length(min = 1, max = 100))]
    pub product: String,
    /// What people call it.
    pub name: String,
    /// What one costs.
    #[schemars(range(max = 1_000_000_000))]
    pub price_cents: u64,
    /// How many there are to add.
    #[schemars(range(max = 1_000_000_000))]
    pub quantity: u32,
}

/// Puts a product on sale and says how many there are now.
///
/// # Errors
///
/// Never; the type is that of every handler.
pub fn add_stock(tx: &mut Transaction, input: AddStock) -> Result<Stock, Rejection> {
    let AddStock { product, name, price_cents, quantity } = input;
    let before = STOCK.get(tx, &product);
    let (added, available, reserved, shipped) = before.map_or((0, 0, 0, 0), |stock| {
        (stock.added, stock.available, stock.reserved, stock.shipped)
    });
    let quantity = u64::from(quantity);
    let (added, available) = (added + quantity, available + quantity);
    let stock = Stock { name, price_cents, added, available, reserved, shipped };
    STOCK.put(tx, &product, &stock);
    Ok(stock)
}

/// Orders something. Whether there is enough of it turns out later.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
pub struct PlaceOrder {
    /// A number that no other order has.
    #[schemars(length(min = 1, max = 100))]
    pub order: String,
    /// Who orders.
    pub buyer: String,
    /// The product's code.
    pub product: String,
    /// How many.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub quantity: u32,
    /// How it is to be paid.
    pub payment: Payment,
    /// How long it may stay unpaid, in milliseconds; a quarter of an hour if not given.
    #[schemars(range(max = 31_536_000_000_u64))]
    pub pay_within_ms: Option<u64>,
}

/// Takes down an order, and sees to it that it does not stay unpaid for ever.
///
/// # Errors
///
/// `unknown-product`, and `order-exists` if the number is taken.
pub fn place_order(tx: &mut Transaction, input: PlaceOrder) -> Result<Order, Rejection> {
    let PlaceOrder { order: number, buyer, product, quantity, payment, pay_within_ms } = input;
    if ORDERS.contains(tx, &number) {
        return Err(reject("order-exists", format!("There is an order `{number}`."))
            .with_details(&json!({ "order": number })));
    }
    let stock = STOCK.get(tx, &product).ok_or_else(|| unknown_product(&product))?;
    let quantity = u64::from(quantity);
    let total_cents = stock.price_cents * quantity;

    let late_ms = tx.time_ms() + pay_within_ms.unwrap_or(PAY_WITHIN_MS);
    let cancel = NewCommand::new("cancel-unpaid", &Of { order: number.clone() });
    let timer = Some(tx.schedule(late_ms, &cancel));

    let placed = Placed {
        order: number.clone(),
        buyer: buyer.clone(),
        product: product.clone(),
        product_name: stock.name,
        quantity,
        total_cents,
    };
    tx.emit(&NewEvent::new("order.placed", &placed).about(format!("order/{number}")));
    let status = Status::Placed;
    let order = Order { buyer, product, quantity, total_cents, payment, status, timer, n_ends: 0 };
    ORDERS.put(tx, &number, &order);
    Ok(order)
}

/// Pays an order that is to be paid on invoice.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct PayOrder {
    /// The order's number.
    pub order: String,
}

/// Takes the money for an order.
///
/// # Errors
///
/// `unknown-order`, and `not-payable` if nothing is set aside for it or it is paid.
pub fn pay_order(tx: &mut Transaction, input: PayOrder) -> Result<Order, Rejection> {
    let mut order = ORDERS.get(tx, &input.order).ok_or_else(|| unknown_order(&input.order))?;
    if order.status != Status::Reserved {
        let message = format!("The order is {}; only a reserved one can be paid.", order.status);
        return Err(reject("not-payable", message).with_details(&json!({ "status": order.status })));
    }
    pay(tx, &input.order, &mut order);
    Ok(order)
}
