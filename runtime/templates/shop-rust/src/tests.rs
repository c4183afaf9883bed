//! The shop's promises, under plain `cargo test`: no server and no WebAssembly.

use chancery_sdk::testing::{Given, given};
use serde_json::json;

use super::{Bought, BuyProduct, Product, STOCK, Shop, StockOf, buy_product, stock_of};

fn lamps(left: u64) -> Given {
    given::<Shop>().row(&STOCK, "lamp", &product(left))
}

fn product(left: u64) -> Product {
    Product { name: "Lamp".to_owned(), left }
}

fn buy(buyer: &str) -> BuyProduct {
    BuyProduct { product: "lamp".to_owned(), buyer: Some(buyer.to_owned()) }
}

#[test]
fn the_last_one_is_sold_once() {
    lamps(1)
        .when(buy_product, buy("ann"))
        .then_ok(&Bought { product: "lamp".to_owned(), left: 0 })
        .then_event("order.placed", &json!({ "product": "lamp", "buyer": "ann" }))
        .when(buy_product, buy("bob"))
        .then_rejected("out-of-stock")
        .then_no_event()
        .then_unchanged();
}

#[test]
fn what_is_left_can_be_asked() {
    let lamp = StockOf { product: "lamp".to_owned() };
    lamps(3).when(buy_product, buy("ann")).then_query(stock_of, lamp, &product(2));
}
