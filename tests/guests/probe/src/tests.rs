//! The probe does what its descriptions say.

use chancery_sdk::testing::given;
use serde_json::json;

use super::Probe;

#[test]
fn items_and_counters_are_written_and_read() {
    let given = given::<Probe>()
        .when_named("put", &json!({ "key": "a", "value": [1] }))
        .when_named("fill", &json!({ "prefix": "f", "count": 3, "bytes": 2 }))
        .when_named("append", &json!({ "key": "t", "text": "x" }))
        .when_named("append", &json!({ "key": "t", "text": "y" }))
        .then_ok(&json!("xy"))
        .when_named("delete", &json!({ "key": "f00000001" }))
        .then_ok(&json!(true))
        .when_named("add", &json!({ "key": "n", "amount": 5 }))
        .when_named("add", &json!({ "key": "n", "amount": -7 }))
        .then_ok(&json!(-2))
        .given();
    let ask = |name, input| given.query_named(name, &input).expect("queries of the probe succeed");
    assert_eq!(ask("get", json!({ "key": "a" })), json!([1]));
    assert_eq!(ask("list", json!({ "prefix": "f", "limit": 1 })), json!([["f00000000", "xx"]]));
    assert_eq!(ask("count", json!({})), json!(4));
    assert_eq!(ask("sum", json!({})), json!(-2));
    assert_eq!(ask("info", json!({}))["sequence"], 7);
}

#[test]
fn a_refusal_keeps_its_event_and_nothing_else() {
    given::<Probe>()
        .when_named("reject", &json!({ "code": "no", "message": "No.", "event": "it.failed" }))
        .then_rejected("no")
        .then_event("it.failed", &json!({}))
        .then_unchanged();
}

#[test]
fn ids_are_new_and_the_command_is_shown() {
    let outcome = given::<Probe>().when_named("new-ids", &json!({ "count": 2 }));
    let ids = outcome.result().expect("ids").clone();
    assert_ne!(ids[0], ids[1]);
    let outcome = outcome.given().basis(1).when_named("echo", &json!("hello"));
    let echo = outcome.result().expect("an echo");
    assert_eq!((&echo["input"], &echo["basis"]), (&json!("hello"), &json!(1)));
}
