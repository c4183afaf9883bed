//! The promises of the process: each order ends once, whatever happens on its way, and
//! the stock adds up.

use chancery_sdk::NewEvent;
use chancery_sdk::testing::{Given, given};
use serde_json::json;

use super::{
    Audit, Of, OrderOf, Orders, PayOrder, Payment, PlaceOrder, STOCK, SUMMARIES, Status, Step,
    Stock, audit, cancel_unpaid, order, pay_order, place_order, release_stock, reserve_stock,
    ship_order, summary, take_payment,
};

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

fn lamps(available: u64) -> Given {
    let (name, price_cents) = ("Desk lamp".to_owned(), 250);
    let stock = Stock { name, price_cents, added: available, available, reserved: 0, shipped: 0 };
    given::<Orders>().row(&STOCK, "lamp", &stock)
}

fn order_of(number: &str, quantity: u32, payment: Payment) -> PlaceOrder {
    PlaceOrder {
        order: number.to_owned(),
        buyer: "ann".to_owned(),
        product: "lamp".to_owned(),
        quantity,
        payment,
        pay_within_ms: None,
    }
}

fn of(number: &str) -> Of {
    Of { order: number.to_owned() }
}

fn status(given: &Given, number: &str) -> Status {
    let found = given.query(order, OrderOf { order: number.to_owned() });
    found.expect("the order is there").status
}

#[track_caller]
fn sound(given: &Given) -> Audit {
    let audit = given.query(audit, ()).expect("anybody may ask");
    assert!(audit.is_sound, "{audit:#?}");
    audit
}

#[test]
fn an_order_that_is_paid_is_shipped() {
    let given = lamps(3).when(place_order, order_of("1", 2, Payment::Card)).follow();
    assert_eq!(status(&given, "1"), Status::Shipped);
    let audit = sound(&given);
    assert!(audit.is_settled);
    assert_eq!((audit.stock["lamp"].available, audit.stock["lamp"].shipped), (1, 2));
    assert!(given.pending().is_empty(), "the timer is stopped");
    let summary = given.query(summary, OrderOf { order: "1".to_owned() }).expect("it is there");
    let steps: Vec<_> = summary.steps.iter().map(|step| step.what.as_str()).collect();
    assert_eq!(steps, ["order.placed", "stock.reserved", "payment.taken", "order.shipped"]);
    assert_eq!((summary.product.as_str(), summary.total_cents), ("Desk lamp", 500));
    assert_eq!(summary.ended.as_deref(), Some("shipped: it is on its way"));
}

#[test]
fn each_step_leads_to_the_next() {
    lamps(3)
        .when(place_order, order_of("1", 1, Payment::Card))
        .then_command("reserve-stock", &of("1"))
        .when(reserve_stock, of("1"))
        .then_ok(&Status::Reserved)
        .then_command("take-payment", &of("1"))
        .when(take_payment, of("1"))
        .then_command("ship-order", &of("1"))
        .when(ship_order, of("1"))
        .then_no_command();
    given::<Orders>()
        .when_event(&NewEvent::new("payment.failed", &Step { order: "7".to_owned() }))
        .then_command("release-stock", &of("7"))
        .when_event(&NewEvent::new("payment.awaited", &Step { order: "7".to_owned() }))
        .then_no_command();
}

#[test]
fn a_payment_that_fails_puts_the_stock_back() {
    let given = lamps(2).when(place_order, order_of("1", 2, Payment::DeclinedCard)).follow();
    assert_eq!(status(&given, "1"), Status::Cancelled);
    let audit = sound(&given);
    assert_eq!((audit.stock["lamp"].available, audit.stock["lamp"].reserved), (2, 0));
    assert!(given.pending().is_empty());
    let again = given.when(place_order, order_of("2", 2, Payment::Card)).follow();
    assert_eq!(status(&again, "2"), Status::Shipped, "others can have it");
}

#[test]
fn what_is_not_there_is_refused() {
    let given = lamps(2)
        .when(place_order, order_of("1", 2, Payment::Invoice))
        .given()
        .when(place_order, order_of("2", 1, Payment::Card))
        .follow();
    assert_eq!((status(&given, "1"), status(&given, "2")), (Status::Reserved, Status::Refused));
    assert!(!sound(&given).is_settled);
    given.when(place_order, order_of("1", 1, Payment::Card)).then_rejected("order-exists");
    lamps(1)
        .when_named(
            "place-order",
            &json!({
                "order": "1", "buyer": "ann", "product": "desk", "quantity": 1, "payment": "card"
            }),
        )
        .then_rejected("unknown-product");
}

#[test]
fn an_order_not_paid_within_its_time_is_cancelled() {
    let given = lamps(2).when(place_order, order_of("1", 2, Payment::Invoice)).follow();
    let given = given.wait_ms(14 * 60 * 1_000);
    assert_eq!(status(&given, "1"), Status::Reserved);
    let given = given.wait_ms(2 * 60 * 1_000);
    assert_eq!(status(&given, "1"), Status::Cancelled);
    assert_eq!(sound(&given).stock["lamp"].available, 2);
    given.when(pay_order, PayOrder { order: "1".to_owned() }).then_rejected("not-payable");
}

#[test]
fn one_that_is_paid_in_time_is_shipped() {
    let given = lamps(2).when(place_order, order_of("1", 2, Payment::Invoice)).follow();
    let given = given.wait_ms(60_000).when(pay_order, PayOrder { order: "1".to_owned() }).follow();
    assert_eq!(status(&given.wait_ms(DAY_MS), "1"), Status::Shipped);
}

/// A timer that has fired already is not stopped any more, a dead letter is retried
/// when all is over: each step is tried in each state.
#[test]
fn steps_that_come_too_late_or_twice_change_nothing() {
    for payment in [Payment::Card, Payment::DeclinedCard, Payment::Invoice] {
        let mut given = lamps(5).when(place_order, order_of("1", 2, payment)).given();
        let ended = given.clone().follow().wait_ms(DAY_MS);
        let end = status(&ended, "1");
        let rows = ended.query(audit, ()).expect("anybody may ask");
        let ended = ended
            .when(reserve_stock, of("1"))
            .then_ok(&end)
            .then_unchanged()
            .when(take_payment, of("1"))
            .then_ok(&end)
            .then_unchanged()
            .when(ship_order, of("1"))
            .then_ok(&end)
            .then_unchanged()
            .when(release_stock, of("1"))
            .then_ok(&end)
            .then_unchanged()
            .when(cancel_unpaid, of("1"))
            .then_ok(&end)
            .then_unchanged()
            .given();
        assert_eq!(sound(&ended), rows);
        // The timer before each of the steps.
        for _ in 0..4 {
            let late = given.clone().when(cancel_unpaid, of("1")).follow().wait_ms(DAY_MS);
            assert!(status(&late, "1").is_final());
            assert!(sound(&late).is_settled);
            let commands = given.clone().when(cancel_unpaid, of("nobody"));
            commands.then_rejected("unknown-order");
            given = given.when(reserve_stock, of("1")).when(take_payment, of("1")).given();
        }
    }
}

#[test]
fn many_orders_at_once_add_up() {
    let mut given = lamps(20);
    let payments = [Payment::Card, Payment::DeclinedCard, Payment::Invoice];
    for (number, payment) in payments.into_iter().cycle().take(30).enumerate() {
        let number_of = u32::try_from(number % 4).expect("it is small") + 1;
        given = given.when(place_order, order_of(&number.to_string(), number_of, payment)).given();
        sound(&given);
    }
    let given = given.follow();
    assert!(!sound(&given).is_settled, "some are to be paid on invoice");
    let audit = sound(&given.wait_ms(DAY_MS));
    assert!(audit.is_settled);
    assert_eq!((audit.orders, audit.by_status.values().sum::<u64>()), (30, 30));
    assert!(audit.by_status.contains_key(&Status::Shipped));
    assert_eq!(SUMMARIES.name(), "order-summaries");
}
