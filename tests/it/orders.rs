//! The example `orders` and the module `sales` that comes later, as their users see them.

use chancery_tests::{Server, guest};
use serde_json::{Value as Json, json};

fn names(members: &Json) -> Vec<&str> {
    let members = members.as_array().unwrap_or_else(|| panic!("{members}"));
    members.iter().map(|name| name.as_str().expect("a name")).collect()
}

#[test]
fn orders_say_what_follows_from_what() {
    let server = Server::start();
    let app = server.app();
    app.deploy("orders");
    let shown = app.get("/modules/orders").expect(200);
    assert_eq!(names(&shown["projections"]), ["order-summary"]);
    let reactions = ["compensation", "payment", "reserving", "shipping"];
    assert_eq!(names(&shown["reactions"]), reactions);

    let lamps =
        json!({ "product": "lamp", "name": "Desk lamp", "price_cents": 250, "quantity": 3 });
    assert_eq!(app.succeed("add-stock", &lamps)["available"], json!(3));
    let audit = app.ask("audit", &json!(null));
    assert_eq!((&audit["is_sound"], &audit["orders"]), (&json!(true), &json!(0)), "{audit}");
    let unknown = app.query("order", &json!({ "order": "1" })).expect(409);
    assert_eq!(unknown["code"], json!("unknown-order"));
    let desk = json!({
        "order": "1", "buyer": "ann", "product": "desk", "quantity": 1, "payment": "card"
    });
    assert_eq!(app.command("place-order", &desk).expect(409)["code"], json!("unknown-product"));
}

/// It may come later, and beside: it shares nothing with `orders` but events.
#[test]
fn sales_are_a_module_of_their_own() {
    let server = Server::start();
    let app = server.app();
    app.deploy("orders");
    let wasm = [("content-type", "application/wasm")];
    let plan = app.send("PUT", "/modules/sales?check=true", &wasm, &guest("sales")).expect(200);
    assert_eq!(names(&plan["plan"]["projections"]["added"]), ["sales-by-product"], "{plan}");
    app.deploy("sales");
    assert_eq!(app.ask("sales", &json!(null)), json!([]));
    let owners = app.get("/tables").expect(200);
    let owner = |table: &str| {
        let tables = owners["tables"].as_array().expect("tables");
        tables.iter().find(|it| it["name"] == json!(table)).map(|it| it["owner"].clone())
    };
    assert_eq!(owner("order-summaries"), Some(json!("orders")), "{owners}");
    assert_eq!(owner("sales"), Some(json!("sales")), "{owners}");
}
