//! Two modules in one app, the orders in Rust and what rewards their buyers in JavaScript: each
//! owns its tables, one reads the other's and reacts to the other's events.

use std::thread;
use std::time::{Duration, Instant};

use chancery_tests::{App, guest};
use serde_json::{Value as Json, json};

/// How long all that follows may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

fn place(app: &App, order: &str, buyer: &str, quantity: u32) {
    let input = json!({
        "order": order, "buyer": buyer, "product": "lamp", "quantity": quantity, "payment": "card"
    });
    app.succeed("place-order", &input);
}

fn customer(app: &App, buyer: &str) -> Json {
    app.ask("customer", &json!({ "buyer": buyer }))
}

/// Waits until a buyer has as many points.
#[track_caller]
fn has(app: &App, buyer: &str, points: u64) -> Json {
    let began = Instant::now();
    loop {
        let found = customer(app, buyer);
        if found["points"] == json!(points) {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "not {points}: {found}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn owner(app: &App, table: &str) -> Json {
    let tables = app.get("/tables").expect(200);
    let mut tables = tables["tables"].as_array().expect("tables").iter();
    tables.find(|it| it["name"] == json!(table)).expect("it is there")["owner"].clone()
}

#[test]
fn modules_in_two_languages_share_an_app_and_write_their_own() {
    let server = super::server();
    let app = server.app();
    app.deploy("orders");
    let lamps =
        json!({ "product": "lamp", "name": "Desk lamp", "price_cents": 250, "quantity": 100 });
    app.succeed("add-stock", &lamps);
    place(&app, "1", "ann", 4);

    // It comes later, and is told of what was.
    app.deploy_script("loyalty", "loyalty-js");
    let ann = has(&app, "ann", 10);
    let order = json!({ "number": "1", "status": "shipped", "total_cents": 1_000 });
    assert_eq!(ann["orders"], json!([order]), "a query sees the rows of both");
    assert_eq!((owner(&app, "orders"), owner(&app, "points")), (json!("orders"), json!("loyalty")));
    let earned = app.get("/events?type=points.earned").expect(200);
    assert_eq!(earned["events"][0]["subject"], json!("order/1"));
    assert_eq!(earned["events"][0]["data"], json!({ "buyer": "ann", "points": 10 }));

    // What follows is followed across modules, and once however the process ends.
    for n in 2..8 {
        place(&app, &n.to_string(), "bob", 1);
    }
    let server = server.kill_and_restart();
    let app = server.app();
    let bob = has(&app, "bob", 12);
    assert_eq!(bob["orders"].as_array().map(Vec::len), Some(6));
    let left = app.succeed("spend-points", &json!({ "buyer": "bob", "points": 5 }));
    assert_eq!(left, json!(7));
    let few = app.command("spend-points", &json!({ "buyer": "bob", "points": 8 })).expect(409);
    assert_eq!(few["code"], json!("too-few-points"));
    let again = app.command("add-points", &json!({ "order": "nobody" })).expect(409);
    assert_eq!(again["code"], json!("unknown-order"));

    // Either is replaced without the other: here the orders, by those in TypeScript.
    app.deploy_script("orders", "orders-ts");
    place(&app, "8", "ann", 2);
    assert_eq!(has(&app, "ann", 15)["orders"].as_array().map(Vec::len), Some(2));
    let earned = app.get("/events?type=points.earned").expect(200);
    assert_eq!(earned["events"].as_array().map(Vec::len), Some(8), "one for each order: {earned}");
}

#[test]
fn a_table_of_another_module_is_read_and_never_written() {
    let server = super::server();
    let app = server.app();
    app.deploy("orders");
    let script = r#"
import { app } from "chancery-sdk";

export default app({
  commands: {
    forge: (tx) => tx.table("stock").put("lamp", { left: 1 }),
  },
});
"#;
    super::deploy(&app, "forger", script);
    let forged = app.command("forge", &json!({}));
    assert_eq!(forged.status, 500, "{forged:?}");
    assert_eq!(app.ask("audit", &json!({}))["stock"], json!({}));
    // Nor can it be claimed.
    let thief = r#"
import { app } from "chancery-sdk";

export default app({ tables: { stock: {} } });
"#;
    let headers = [("content-type", "text/javascript")];
    let refused = app.send("PUT", "/modules/thief", &headers, thief.as_bytes());
    assert_eq!(refused.code(), "module-conflict", "{refused:?}");
    // In neither direction: whoever is there first has it.
    drop(server.client().put("/v1/apps/other", &json!({})).expect(201));
    let app = App::new(server.client(), "other");
    super::deploy(&app, "thief", thief);
    let refused = app.upload("orders", &guest("orders"));
    assert_eq!(refused.code(), "module-conflict", "{refused:?}");
}
