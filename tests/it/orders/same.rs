//! What users of the orders see is the same in Rust and in TypeScript: answers, refusals, events
//! and what follows from them, in one story of every way that an order can go.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use chancery_tests::{App, Server, chancery};
use serde_json::{Value as Json, json};

use super::{Form, PATIENCE, PLAIN, sales_stand_beside, say_what_follows, settled};

/// An answer without what differs from run to run: times, and ids of timers.
fn lasting(mut answer: Json) -> Json {
    match &mut answer {
        Json::Object(members) => {
            for (name, value) in members.iter_mut() {
                *value = match name.as_str() {
                    "time_ms" => json!("some time"),
                    "timer" if value.is_string() => json!("some timer"),
                    _ => lasting(value.take()),
                };
            }
        }
        Json::Array(items) => items.iter_mut().for_each(|item| *item = lasting(item.take())),
        _ => {}
    }
    answer
}

/// Everything that was answered, in order.
struct Story<'a> {
    app: &'a App,
    told: Vec<Json>,
    orders: u64,
}

impl Story<'_> {
    fn command(&mut self, name: &str, input: &Json) -> Json {
        let reply = self.app.command(name, input);
        let (status, answer) = (reply.status, reply.json());
        let members = match status {
            200 => json!({ "result": answer["result"] }),
            _ => {
                let (code, detail) = (&answer["code"], &answer["detail"]);
                json!({ "code": code, "detail": detail, "details": answer["details"] })
            }
        };
        self.told.push(json!({ "command": name, "status": status, "answer": lasting(members) }));
        answer
    }

    fn query(&mut self, name: &str, input: &Json) -> Json {
        let reply = self.app.query(name, input);
        let (status, answer) = (reply.status, reply.json());
        let members = match status {
            200 => answer.clone(),
            _ => json!({ "code": answer["code"], "details": answer["details"] }),
        };
        self.told.push(json!({ "query": name, "status": status, "answer": lasting(members) }));
        answer
    }

    /// Places an order of lamps.
    fn place(&mut self, order: &str, quantity: u32, payment: &str, pay_within_ms: Option<u64>) {
        let mut input = json!({
            "order": order, "buyer": "ann", "product": "lamp", "quantity": quantity,
            "payment": payment,
        });
        if let Some(within) = pay_within_ms {
            input["pay_within_ms"] = json!(within);
        }
        assert_eq!(self.command("place-order", &input)["status"], json!("succeeded"));
        self.orders += 1;
    }

    /// Waits until all orders have ended, and looks at one.
    fn ended(&mut self, order: &str) -> Json {
        self.told.push(settled(self.app, self.orders));
        drop(self.query("order", &json!({ "order": order })));
        self.query("summary", &json!({ "order": order }))
    }

    /// Waits until something has happened to an order.
    fn waits_for(&mut self, order: &str, what: &str) {
        let began = Instant::now();
        loop {
            let summary = self.app.query("summary", &json!({ "order": order }));
            if summary.status == 200 && summary.json()["latest"] == json!(what) {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "no {what}: {summary:?}");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Every way that an order can go, one after the other.
fn story(app: &App) -> Vec<Json> {
    let mut story = Story { app, told: Vec::new(), orders: 0 };
    let lamps = |quantity: u32| {
        let (product, name) = ("lamp", "Desk lamp");
        json!({ "product": product, "name": name, "price_cents": 250, "quantity": quantity })
    };
    let of = |order: &str| json!({ "order": order });
    drop(story.command("add-stock", &lamps(4)));
    assert_eq!(story.command("add-stock", &lamps(6))["result"]["available"], json!(10));

    story.place("paid", 2, "card", None);
    assert_eq!(story.ended("paid")["ended"], json!("shipped: it is on its way"));
    story.place("declined", 3, "declined-card", None);
    assert_eq!(story.ended("declined")["ended"], json!("cancelled: the payment failed"));
    story.place("too-many", 9, "card", None);
    let refused = story.ended("too-many");
    assert_eq!(refused["ended"], json!("refused: only 8 of Desk lamp are left"));
    story.place("late", 1, "invoice", None);
    story.waits_for("late", "payment.awaited");
    assert_eq!(story.command("cancel-unpaid", &of("late"))["result"], json!("cancelled"));
    assert_eq!(story.ended("late")["ended"], json!("cancelled: it was not paid in time"));
    story.place("invoiced", 1, "invoice", Some(600_000));
    story.waits_for("invoiced", "payment.awaited");
    drop(story.query("order", &of("invoiced")));
    assert_eq!(story.command("pay-order", &of("invoiced"))["result"]["status"], json!("paid"));
    let steps = &story.ended("invoiced")["steps"];
    assert_eq!(steps.as_array().map(Vec::len), Some(5), "{steps}");

    // What comes too late, or twice, changes nothing and says in which state the order is.
    for step in ["reserve-stock", "take-payment", "ship-order", "release-stock", "cancel-unpaid"] {
        for order in ["paid", "declined", "too-many", "late", "nobody"] {
            drop(story.command(step, &of(order)));
        }
    }
    // Refusals, each with its code, message and details.
    let place = |order: &str, product: &str| {
        json!({
            "order": order, "buyer": "ann", "product": product, "quantity": 1, "payment": "card"
        })
    };
    for (code, command, input) in [
        ("not-payable", "pay-order", of("paid")),
        ("unknown-order", "pay-order", of("nobody")),
        ("order-exists", "place-order", place("paid", "lamp")),
        ("unknown-product", "place-order", place("new", "desk")),
    ] {
        assert_eq!(story.command(command, &input)["code"], json!(code));
    }
    for query in ["order", "summary"] {
        assert_eq!(story.query(query, &of("nobody"))["code"], json!("unknown-order"));
    }
    drop(story.query("audit", &json!({})));
    story.told.extend(events(app));
    // A timer may come before what it waits for, so how it went is not told, but how it ended.
    story.place("timed", 1, "invoice", Some(50));
    story.told.push(settled(app, story.orders));
    let summary = app.ask("summary", &of("timed"));
    assert_eq!(summary["ended"], json!("cancelled: it was not paid in time"), "{summary}");
    story.told
}

/// What does not fit the schemas: where is the same, in which words is up to the schema.
fn misfits(app: &App) -> Vec<Json> {
    let place = |change: fn(&mut Json)| {
        let mut input = json!({
            "order": "x", "buyer": "ann", "product": "lamp", "quantity": 1, "payment": "card"
        });
        change(&mut input);
        input
    };
    let inputs = [
        place(|input| input["quantity"] = json!(0)),
        place(|input| input["quantity"] = json!(1_000_001)),
        place(|input| input["quantity"] = json!(1.5)),
        place(|input| input["quantity"] = json!("1")),
        place(|input| input["order"] = json!("")),
        place(|input| input["order"] = json!("x".repeat(101))),
        place(|input| input["payment"] = json!("cheque")),
        place(|input| input["pay_within_ms"] = json!(-1)),
        place(|input| input["pay_within_ms"] = json!(31_536_000_001_u64)),
        place(|input| input["buyer"] = json!(null)),
        json!({}),
        json!([]),
    ];
    let before = app.sequence();
    let told = inputs.iter().map(|input| {
        let problem = app.command("place-order", input).expect(422);
        assert_eq!(problem["code"], json!("invalid-input"), "{input}: {problem}");
        let violations = problem["errors"].as_array().unwrap_or_else(|| panic!("{problem}"));
        let mut pointers: Vec<_> = violations.iter().map(|it| it["pointer"].clone()).collect();
        pointers.dedup();
        json!(pointers)
    });
    let told = told.collect();
    assert_eq!(app.sequence(), before, "nothing of it was logged");
    told
}

/// All events, without what differs from run to run.
fn events(app: &App) -> Vec<Json> {
    let page = app.get("/events?limit=1000").expect(200);
    let events = page["events"].as_array().expect("events").iter();
    let events = events.map(|event| {
        json!({ "type": event["type"], "subject": event["subject"], "data": event["data"] })
    });
    events.collect()
}

/// Another app of a server, so that the engine of scripts is compiled once.
fn app(server: &Server, name: &str) -> App {
    drop(server.client().put(&format!("/v1/apps/{name}"), &json!({})).expect(201));
    App::new(server.client(), name)
}

#[test]
fn the_orders_are_the_same_in_rust_and_in_typescript() {
    let server = Server::with(&PLAIN);
    say_what_follows(Form::TypeScript, &app(&server, "shown"));
    sales_stand_beside(Form::TypeScript, &app(&server, "sales"));
    let rust = app(&server, "rust");
    Form::Rust.deploy(&rust);
    let typescript = app(&server, "typescript");
    Form::TypeScript.deploy(&typescript);
    let (told, again) = (story(&rust), story(&typescript));
    for (rust, typescript) in told.iter().zip(&again) {
        assert_eq!(rust, typescript);
    }
    assert_eq!(told.len(), again.len());
    assert_eq!(misfits(&rust), misfits(&typescript));

    // One may take over from the other, with all its rows, and they go on from there.
    let audit = rust.ask("audit", &json!({}));
    let summary = rust.ask("summary", &json!({ "order": "paid" }));
    Form::TypeScript.deploy(&rust);
    assert_eq!(rust.ask("audit", &json!({})), audit);
    assert_eq!(rust.ask("summary", &json!({ "order": "paid" })), summary);
    let last = json!({
        "order": "last", "buyer": "bob", "product": "lamp", "quantity": 7, "payment": "card"
    });
    rust.succeed("place-order", &last);
    let audit = settled(&rust, 7);
    assert_eq!(audit["stock"]["lamp"]["shipped"], json!(10), "{audit}");
}

/// Its own tests, as whoever writes it runs them; and nothing of it is out of date.
#[test]
fn the_orders_in_typescript_pass_their_own_tests() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/orders-ts");
    let schemas = || std::fs::read_to_string(folder.join("src/types.schema.ts")).expect("a file");
    let kept = schemas();
    let output = chancery(&["test", folder.to_str().expect("text")]);
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success() && said.contains("6 passed, 0 failed"), "{said}");
    assert_eq!(schemas(), kept, "src/types.schema.ts was made anew; commit it");
}
