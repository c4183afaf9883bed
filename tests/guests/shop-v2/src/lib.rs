//! The shop after a change of mind: stock has prices, orders are purchases.
//!
//! It replaces the module of `examples/shop`. Its rows of `stock` have another
//! shape, which `migrate` gives them as part of the deploy; it no longer declares
//! `orders`, which is left behind as an orphan.

mod shop;

use chancery_sdk::app;
use shop::{PURCHASES, STOCK, add_product, buy_product, migrate, orders_of, stock_of};

app! {
    /// A shop with prices.
    pub struct Shop;

    tables {
        /// What is left of each product, and what it costs.
        STOCK,
        /// What was bought, by product and in order of purchase.
        PURCHASES,
    }
    queries { stock_of, orders_of }
    commands { add_product, buy_product }
    on_deploy: migrate;
}

#[cfg(test)]
mod tests {
    use chancery_sdk::Table;
    use chancery_sdk::testing::given;
    use serde_json::{Value, json};

    use super::{STOCK, Shop};

    /// The same table, with whatever is in it.
    const RAW_STOCK: Table<String, Value> = Table::new(STOCK.name());

    #[test]
    fn old_rows_get_a_price_and_new_ones_keep_theirs() {
        given::<Shop>()
            .row(&RAW_STOCK, "lamp", &json!({ "name": "Lamp", "left": 3 }))
            .row(&RAW_STOCK, "mug", &json!({ "name": "Mug", "quantity": 1, "price_cents": 5 }))
            .when_named("migrate", &json!({}))
            .then_ok(&json!({ "rows": 2 }))
            .then_row(
                &RAW_STOCK,
                "lamp",
                &json!({ "name": "Lamp", "quantity": 3, "price_cents": 1_000 }),
            )
            .then_row(
                &RAW_STOCK,
                "mug",
                &json!({ "name": "Mug", "quantity": 1, "price_cents": 5 }),
            );
    }

    #[test]
    fn the_manifest_names_the_migration() {
        let manifest = given::<Shop>().manifest();
        assert_eq!(manifest["on_deploy"], "migrate");
        assert!(manifest["commands"]["migrate"].is_object());
        assert!(manifest["tables"].get("orders").is_none());
    }
}
