//! The example `orders` and the module `sales` that comes later, as their users see them.

use std::thread;
use std::time::{Duration, Instant};

use chancery_tests::{App, Server, guest, new_id, seed, times};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value as Json, json};

/// How long the process may take to come to rest on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

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
    let audit = app.ask("audit", &json!({}));
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
    assert_eq!(app.ask("sales", &json!({})), json!([]));
    let owners = app.get("/tables").expect(200);
    let owner = |table: &str| {
        let tables = owners["tables"].as_array().expect("tables");
        tables.iter().find(|it| it["name"] == json!(table)).map(|it| it["owner"].clone())
    };
    assert_eq!(owner("order-summaries"), Some(json!("orders")), "{owners}");
    assert_eq!(owner("sales"), Some(json!("sales")), "{owners}");
}

fn place(order: &str, quantity: u32, payment: &str, pay_within_ms: u64) -> Json {
    json!({
        "order": order, "buyer": "ann", "product": "lamp", "quantity": quantity,
        "payment": payment, "pay_within_ms": pay_within_ms,
    })
}

/// The audit, once all orders have ended.
#[track_caller]
fn settled(app: &App, orders: u64) -> Json {
    let began = Instant::now();
    loop {
        let audit = app.ask("audit", &json!({}));
        assert_eq!(audit["is_sound"], json!(true), "{audit}");
        if audit["orders"] == json!(orders) && audit["is_settled"] == json!(true) {
            return audit;
        }
        assert!(began.elapsed() < PATIENCE, "not settled: {audit}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Each order ends once and the stock adds up, however often the process dies in the
/// middle of the chain; the projection that comes later has seen all of it.
#[test]
fn i1_i2_i5_every_order_ends_once_through_kills() {
    let (rounds, each) = (times("CHANCERY_KILLS", 4), times("CHANCERY_ORDERS", 12));
    let mut random = StdRng::seed_from_u64(seed());
    let mut server = Server::start();
    server.app().deploy("orders");
    let lamps =
        json!({ "product": "lamp", "name": "Desk lamp", "price_cents": 250, "quantity": 100 });
    server.app().succeed("add-stock", &lamps);
    let mut placed = 0_u64;
    for _ in 0..rounds {
        let app = server.app();
        for _ in 0..each {
            let payment = ["card", "declined-card", "invoice"][random.random_range(0..3)];
            let quantity = random.random_range(1..=4);
            let within = random.random_range(0..400);
            let input = place(&placed.to_string(), quantity, payment, within);
            let async_ = [("prefer", "respond-async")];
            let answer = app.command_with(new_id(), "place-order", &input, &async_);
            assert!(matches!(answer.status, 200 | 202), "{answer:?}");
            placed += 1;
        }
        thread::sleep(Duration::from_millis(random.random_range(0..60)));
        server = server.kill_and_restart();
    }
    let app = server.app();
    let audit = settled(&app, placed);
    // One summary of each order, with one beginning and one end.
    for order in 0..placed {
        let summary = app.ask("summary", &json!({ "order": order.to_string() }));
        let steps: Vec<&str> = summary["steps"]
            .as_array()
            .unwrap()
            .iter()
            .map(|step| step["what"].as_str().unwrap())
            .collect();
        let ends = ["order.shipped", "order.refused", "order.cancelled"];
        assert_eq!(steps[0], "order.placed");
        assert_eq!(steps.iter().filter(|step| ends.contains(step)).count(), 1, "{summary}");
        assert!(!steps[1..].contains(&"order.placed"), "{summary}");
    }
    assert_eq!(app.get("/dead-letters").expect(200)["dead_letters"], json!([]));
    // Uploaded when all is over.
    app.deploy("sales");
    let shipped = audit["by_status"]["shipped"].as_u64().unwrap_or(0);
    let began = Instant::now();
    loop {
        let sales = app.ask("sales", &json!({}));
        if sales[0]["placed"] == json!(placed) && sales[0]["shipped"] == json!(shipped) {
            assert_eq!(sales[0]["pieces"], audit["stock"]["lamp"]["shipped"]);
            assert_eq!(sales[0]["lost"], json!(placed - shipped));
            break;
        }
        assert!(began.elapsed() < PATIENCE, "sales lag behind: {sales}");
        thread::sleep(Duration::from_millis(20));
    }
}
