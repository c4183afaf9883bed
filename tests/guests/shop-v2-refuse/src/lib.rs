//! The second version of the shop, whose migration refuses: it can never be
//! deployed. It rewrites the rows first, so that a test sees them undone.

// The same file, not a dependency: a crate that declares an app exports it, and a
// module can export only one.
#[path = "../../shop-v2/src/shop.rs"]
mod shop;

use chancery_sdk::{Rejection, Transaction, app, reject};
use shop::{Migrate, Migrated, PURCHASES, STOCK, add_product, buy_product, orders_of, stock_of};

app! {
    /// A shop with prices that cannot be deployed.
    pub struct Shop;

    tables { STOCK, PURCHASES }
    queries { stock_of, orders_of }
    commands { add_product, buy_product }
    on_deploy: migrate;
}

fn migrate(tx: &mut Transaction, input: Migrate) -> Result<Migrated, Rejection> {
    let migrated = shop::migrate(tx, input)?;
    Err(reject("cannot-migrate", "This version refuses to take over.").with_details(&migrated))
}

#[cfg(test)]
mod tests {
    use chancery_sdk::testing::given;
    use serde_json::json;

    use super::Shop;

    #[test]
    fn the_migration_refuses() {
        given::<Shop>().when_named("migrate", &json!({})).then_rejected("cannot-migrate");
    }
}
