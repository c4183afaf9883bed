//! What behaves does so.

use chancery_sdk::NewEvent;
use chancery_sdk::testing::given;
use serde_json::json;

use super::{ALLOWED, COUNTS, ERRS, Follower, NOTES};

#[test]
fn work_is_noted_as_often_as_it_says() {
    let given = given::<Follower>()
        .when_named("emit", &json!({ "type": "work", "subject": "s", "data": { "times": 2 } }))
        .then_row(&COUNTS, "work", &1)
        .then_row(&ERRS, &1, &"work".to_owned())
        .follow();
    // Twice for each of the two reactions.
    assert_eq!(NOTES.count(&given.snapshot()), 4);
    assert_eq!(COUNTS.get(&given.snapshot(), "noted"), Some(4));
}

#[test]
fn who_waits_for_leave_goes_on_with_it() {
    let waiting = NewEvent::new("react.wait", &()).about("s");
    given::<Follower>()
        .when_event(&waiting)
        .then_reaction_refuses("not-allowed")
        .given()
        .row(&ALLOWED, "s", &true)
        .when_event(&waiting)
        .then_command("note", &json!({ "key": "waited-00000002", "text": "s" }));
}

#[test]
fn a_chain_has_no_end() {
    given::<Follower>().when_named("chain", &7).then_command("chain", &8);
}
