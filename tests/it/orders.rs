//! The example `orders`, in Rust and in TypeScript, and the module `sales` that comes later, as
//! their users see them.

mod same;

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::{Duration, Instant};

use chancery_tests::{App, Server, guest, new_id, seed, times};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value as Json, json};
use uuid::Uuid;

/// How long the process may take to come to rest on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// In what the example is written.
#[derive(Debug, Clone, Copy)]
enum Form {
    Rust,
    TypeScript,
}

impl Form {
    fn deploy(self, app: &App) {
        match self {
            Self::Rust => app.deploy("orders"),
            Self::TypeScript => app.deploy_script("orders", "orders-ts"),
        }
    }
}

/// What servers of both forms are given: snapshots of scripts have tests of their own, and take
/// the processor for seconds.
const PLAIN: [&str; 2] = ["--script-snapshots", "false"];

fn names(members: &Json) -> Vec<&str> {
    let members = members.as_array().unwrap_or_else(|| panic!("{members}"));
    members.iter().map(|name| name.as_str().expect("a name")).collect()
}

#[test]
fn orders_say_what_follows_from_what() {
    let server = Server::start();
    say_what_follows(Form::Rust, &server.app());
}

fn say_what_follows(form: Form, app: &App) {
    form.deploy(app);
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
    sales_stand_beside(Form::Rust, &server.app());
}

fn sales_stand_beside(form: Form, app: &App) {
    form.deploy(app);
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

/// An order that a client sent, and whether it heard of it.
struct Sent {
    id: Uuid,
    number: String,
    input: Json,
    is_answered: bool,
}

/// Orders until the server is gone, of one client.
fn order_until_it_dies(app: &App, name: &str, mut random: StdRng, each: usize) -> Vec<Sent> {
    let mut sent = Vec::new();
    for n in 0..each {
        let number = format!("{name}-{n}");
        let payment = ["card", "declined-card", "invoice"][random.random_range(0..3)];
        // Some are cancelled while they are paid; nobody pays invoices.
        let is_late = payment == "invoice" || random.random_bool(0.3);
        let within = if is_late { random.random_range(0..400) } else { 600_000 };
        let quantity = random.random_range(1..=4);
        let (id, input) = (new_id(), place(&number, quantity, payment, within));
        let answer = app.try_command(id, "place-order", &input, &[]);
        let is_answered = answer.is_ok_and(|reply| {
            assert_eq!(reply.status, 200, "{reply:?}");
            true
        });
        sent.push(Sent { id, number, input, is_answered });
        if !is_answered {
            break;
        }
    }
    sent
}

/// `CHANCERY_KILLS` kills, with `CHANCERY_ORDERS` orders of each of four clients before
/// each of them, at most.
#[test]
fn i1_i2_i5_every_order_ends_once_through_kills() {
    through_kills(Form::Rust, times("CHANCERY_KILLS", 4), times("CHANCERY_ORDERS", 12));
}

/// The same with `CHANCERY_SCRIPT_KILLS` kills.
#[test]
fn i1_i2_i5_every_order_in_typescript_ends_once_through_kills() {
    let each = times("CHANCERY_ORDERS", 12);
    through_kills(Form::TypeScript, times("CHANCERY_SCRIPT_KILLS", 3), each);
}

/// Each order ends once and the stock adds up, however often the process dies in the
/// middle of the chain; the projection that comes later has seen all of it. What waits
/// as a dead letter is there to the end.
fn through_kills(form: Form, rounds: usize, each: usize) {
    const CLIENTS: usize = 4;
    let mut random = StdRng::seed_from_u64(seed());
    let more = ["--disk-low", "0B", "--reaction-retries", "0", "--reaction-pause", "1ms"];
    let mut server = Server::with(&[&PLAIN[..], &more].concat());
    form.deploy(&server.app());
    server.app().deploy("follower");
    // Some orders are refused for want of stock.
    let quantity = rounds * CLIENTS * each;
    let lamps =
        json!({ "product": "lamp", "name": "Desk lamp", "price_cents": 250, "quantity": quantity });
    server.app().succeed("add-stock", &lamps);
    let mut orders = Vec::new();
    for round in 0..rounds {
        let app = server.app();
        let letter = json!({ "type": "react.wait", "subject": format!("letter/{round}") });
        app.succeed("emit", &letter);
        let sent = thread::scope(|scope| {
            let clients = (0..CLIENTS).map(|client| {
                let (app, random) = (server.app(), StdRng::seed_from_u64(random.random()));
                let name = format!("{round}-{client}");
                scope.spawn(move || order_until_it_dies(&app, &name, random, each))
            });
            let clients: Vec<_> = clients.collect();
            thread::sleep(Duration::from_millis(random.random_range(0..300)));
            server.kill();
            let sent = clients.into_iter().map(|client| client.join().expect("no panic"));
            sent.flatten().collect::<Vec<_>>()
        });
        server = server.kill_and_restart();
        let app = server.app();
        for order in sent.iter().filter(|order| !order.is_answered) {
            drop(app.command_with(order.id, "place-order", &order.input, &[]).expect(200));
        }
        orders.extend(sent);
    }
    let app = server.app();
    let placed = orders.len() as u64;
    let audit = settled(&app, placed);
    println!("{form:?}: {rounds} kills, {placed} orders: {}", audit["by_status"]);
    each_ended_once(&app, &orders);
    each_step_was_taken_once(&app, &orders);
    // One letter for each event that nobody could react to.
    let letters = app.get("/dead-letters?limit=1000").expect(200)["dead_letters"].take();
    let letters: Vec<&Json> = letters.as_array().unwrap().iter().collect();
    let subjects: BTreeSet<&str> =
        letters.iter().map(|letter| letter["subject"].as_str().unwrap()).collect();
    assert_eq!((letters.len(), subjects.len()), (rounds, rounds));
    sales_have_it_all(&app, placed, &audit);
}

/// One summary of each order, with one beginning and one end.
fn each_ended_once(app: &App, orders: &[Sent]) {
    for Sent { number, .. } in orders {
        let summary = app.ask("summary", &json!({ "order": number }));
        let steps = summary["steps"].as_array().expect("steps").iter();
        let steps: Vec<&str> = steps.map(|step| step["what"].as_str().expect("a word")).collect();
        let ends = ["order.shipped", "order.refused", "order.cancelled"];
        assert_eq!(steps[0], "order.placed");
        assert_eq!(steps.iter().filter(|step| ends.contains(step)).count(), 1, "{summary}");
        assert!(!steps[1..].contains(&"order.placed"), "{summary}");
    }
}

/// No reaction is skipped or doubled, no timer fires twice: of each step there are as
/// many commands as events that ask for it, and no event is there twice.
fn each_step_was_taken_once(app: &App, orders: &[Sent]) {
    let mut commands = BTreeMap::<String, usize>::new();
    for receipt in app.receipts_after(0) {
        // A timer may come a moment too late for what it was to do.
        let was_cancelled = receipt["failure"]["code"] == json!("timer-cancelled");
        if receipt["kind"] == json!("command") && !was_cancelled {
            assert_eq!(receipt["status"], json!("succeeded"), "{receipt}");
            let name = receipt["name"].as_str().expect("a name").to_owned();
            *commands.entry(name).or_default() += 1;
        }
    }
    let mut events = BTreeMap::<String, BTreeSet<String>>::new();
    let mut next = Some(0);
    while let Some(after) = next {
        let page = app.get(&format!("/events?after={after}&limit=1000")).expect(200);
        for event in page["events"].as_array().expect("events") {
            let text = |member: &str| event[member].as_str().expect("a text").to_owned();
            let is_new = events.entry(text("type")).or_default().insert(text("subject"));
            assert!(is_new, "twice: {event}");
        }
        next = page["next"].as_u64();
    }
    let commands = |name: &str| commands.get(name).copied().unwrap_or(0);
    let events = |name: &str| events.get(name).map_or(0, BTreeSet::len);
    assert_eq!((commands("place-order"), events("order.placed")), (orders.len(), orders.len()));
    assert_eq!(commands("reserve-stock"), events("order.placed"));
    assert_eq!(commands("take-payment"), events("stock.reserved"));
    assert_eq!(commands("ship-order"), events("payment.taken"));
    assert_eq!(commands("release-stock"), events("payment.failed"));
    // The timer of each order that had not ended in time.
    assert!(commands("cancel-unpaid") <= orders.len());
}

/// Uploaded when all is over.
fn sales_have_it_all(app: &App, placed: u64, audit: &Json) {
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
