//! What the orders came to, by product: a module that is uploaded when there are
//! orders already, and has them all in its table nevertheless.
//!
//! It knows nothing of the module `orders` but its events, and of these no more than
//! it reads.

use chancery_sdk::{Event, Rejection, Snapshot, Table, View, app};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

app! {
    /// What was sold.
    pub struct Sales;

    tables {
        /// What each product came to.
        SALES,
    }
    queries { sales }
    projections {
        /// What each product came to.
        sales_by_product version 1 tables [SALES] {
            "order.placed" => count_placed,
            "order.shipped" => count_shipped,
            "order.*" => count_lost,
        }
    }
}

/// Sales by the product's code.
pub const SALES: Table<String, ProductSales> = Table::new("sales");

/// What a product came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProductSales {
    /// How many orders there were.
    pub placed: u64,
    /// How many were shipped.
    pub shipped: u64,
    /// How many were refused or cancelled.
    pub lost: u64,
    /// How many pieces were shipped.
    pub pieces: u64,
    /// What they cost.
    pub cents: u64,
}

/// What this module reads of the events of orders.
#[derive(Debug, Deserialize)]
pub struct OrderEvent {
    product: String,
    quantity: u64,
    total_cents: u64,
}

fn count_placed(view: &mut View, placed: Event<OrderEvent>) -> Result<(), Rejection> {
    change(view, &placed.data.product, |sales| sales.placed += 1);
    Ok(())
}

fn count_shipped(view: &mut View, shipped: Event<OrderEvent>) -> Result<(), Rejection> {
    let OrderEvent { product, quantity, total_cents } = shipped.data;
    change(view, &product, |sales| {
        sales.shipped += 1;
        sales.pieces += quantity;
        sales.cents += total_cents;
    });
    Ok(())
}

fn count_lost(view: &mut View, lost: Event<OrderEvent>) -> Result<(), Rejection> {
    change(view, &lost.data.product, |sales| sales.lost += 1);
    Ok(())
}

fn change(view: &mut View, product: &str, how: impl FnOnce(&mut ProductSales)) {
    let mut sales = SALES.get(view, product).unwrap_or_default();
    how(&mut sales);
    SALES.put(view, product, &sales);
}

/// A product and what it came to.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Line {
    /// The product's code.
    pub product: String,
    /// What it came to.
    #[serde(flatten)]
    pub sales: ProductSales,
}

/// What all products came to.
///
/// # Errors
///
/// Never; the type is that of every handler.
pub fn sales(snapshot: &Snapshot, (): ()) -> Result<Vec<Line>, Rejection> {
    Ok(SALES.scan(snapshot).rows().map(|(product, sales)| Line { product, sales }).collect())
}

#[cfg(test)]
mod tests {
    use chancery_sdk::NewEvent;
    use chancery_sdk::testing::given;
    use serde_json::json;

    use super::{ProductSales, SALES, Sales};

    fn event(event_type: &str, cents: u64) -> NewEvent {
        let data = json!({ "order": "1", "product": "lamp", "quantity": 2, "total_cents": cents });
        NewEvent::new(event_type, &data).about("order/1")
    }

    #[test]
    fn it_adds_up_what_happened() {
        let lamps = ProductSales { placed: 3, shipped: 1, lost: 2, pieces: 2, cents: 500 };
        given::<Sales>()
            .event(&event("order.placed", 500))
            .event(&event("order.placed", 700))
            .event(&event("order.placed", 900))
            .event(&event("order.refused", 700))
            .event(&event("order.shipped", 500))
            .when_event(&event("order.cancelled", 900))
            .then_row(&SALES, "lamp", &lamps)
            .when_event(&NewEvent::new("stock.reserved", &json!({ "order": "1" })))
            .then_unchanged();
    }
}
