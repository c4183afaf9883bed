//! The shop's promises.

use chancery_sdk::testing::{Given, given};
use serde_json::json;

use super::{BuyProduct, ORDERS, Product, STOCK, Shop, StockOf, buy_product, stock_of};

fn lamps(left: u64) -> Given {
    given::<Shop>().row(&STOCK, "lamp", &product(left))
}

fn product(left: u64) -> Product {
    Product { name: "Desk lamp".to_owned(), left }
}

fn buy(buyer: &str) -> BuyProduct {
    BuyProduct { product: "lamp".to_owned(), buyer: Some(buyer.to_owned()) }
}

#[test]
fn the_last_one_is_sold_once() {
    lamps(1)
        .when(buy_product, buy("ann"))
        .then_row(&STOCK, "lamp", &product(0))
        .when(buy_product, buy("bob"))
        .then_rejected("out-of-stock")
        .then_details(&json!({ "product": "lamp" }))
        .then_no_event()
        .then_unchanged();
}

#[test]
fn an_order_is_kept_and_announced() {
    let outcome = lamps(3).when(buy_product, buy("ann"));
    let bought = outcome.result().expect("there are lamps");
    assert_eq!(bought.left, 2);

    let placed = json!({ "order": bought.order, "product": "lamp", "buyer": "ann" });
    let order = crate::Order { id: bought.order.clone(), buyer: Some("ann".to_owned()) };
    let outcome = outcome
        .then_event("order.placed", &placed)
        .then_row(&ORDERS, &("lamp", 1), &order)
        .then_query(stock_of, StockOf { product: "lamp".to_owned() }, &product(2));
    assert_eq!(outcome.events()[0].subject.as_deref(), Some("product/lamp"));
}

#[test]
fn what_is_not_on_sale_cannot_be_bought() {
    given::<Shop>()
        .when(buy_product, buy("ann"))
        .then_rejected("unknown-product")
        .then_details(&json!({ "product": "lamp" }));
}

#[test]
fn it_works_by_name_and_json_as_over_http() {
    let given = given::<Shop>()
        .when_named("add-product", &json!({ "product": "lamp", "name": "Lamp", "quantity": 2 }))
        .then_ok(&json!({ "name": "Lamp", "left": 2 }))
        .when_named("buy-product", &json!({ "product": "lamp" }))
        .when_named("buy-product", &json!({ "product": "lamp", "buyer": "bob" }))
        .given();
    let orders = given.query_named("orders-of", &json!({ "product": "lamp", "limit": 1 }));
    let orders = orders.expect("any product may be asked for");
    assert_eq!(orders[0]["buyer"], "bob");
    assert_eq!(orders[0]["sequence"], 3);
    assert_eq!(orders.as_array().map(Vec::len), Some(1));
}
