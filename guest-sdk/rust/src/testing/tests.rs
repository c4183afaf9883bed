//! The harness behaves as the server does.

mod follow;

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::json;

use super::given;
use crate::{
    BytesTable, NewCommand, NewEvent, Rejection, Snapshot, Table, Transaction, app, reject,
};

app! {
    /// For these tests.
    struct Thing;
    tables { WORDS, BLOBS }
    queries { word_of, who }
    commands { set, forbidden, scan_and_write, misuse, plan }
}

const WORDS: Table<(String, i32), String> = Table::new("words");
const BLOBS: BytesTable<bool, Vec<u8>> = BytesTable::new("blobs");
const FOREIGN: Table<String, u8> = Table::new("foreign");
const UNKNOWN: Table<String, u8> = Table::new("unknown");

fn set(
    tx: &mut Transaction,
    (name, number, word): (String, i32, String),
) -> Result<u64, Rejection> {
    WORDS.put(tx, &(&name, number), &word);
    BLOBS.put(tx, &true, &word.into_bytes());
    Ok(tx.sequence())
}

fn forbidden(tx: &mut Transaction, (): ()) -> Result<(), Rejection> {
    WORDS.put(tx, &("staged", 0), &String::new());
    tx.emit(&NewEvent::new("never.happened", &()));
    let event = NewEvent::new("asked.in-vain", &()).about("word/staged");
    Err(reject("forbidden", "No.").with_event(event).with_details(&json!([1])))
}

/// Writes while it scans, as a migration does.
fn scan_and_write(tx: &mut Transaction, (): ()) -> Result<u64, Rejection> {
    let mut n_rows = 0;
    for ((name, number), word) in WORDS.scan(tx) {
        WORDS.put(tx, &(&name, number), &word.to_uppercase());
        n_rows += 1;
    }
    Ok(n_rows)
}

fn misuse(tx: &mut Transaction, how: String) -> Result<(), Rejection> {
    match how.as_str() {
        "unknown table" => UNKNOWN.put(tx, "a", &1),
        "foreign table" => FOREIGN.put(tx, "a", &1),
        "long key" => WORDS.put(tx, &("k".repeat(1_100), 1), &String::new()),
        "large value" => BLOBS.put(tx, &true, &vec![0; 1_048_577]),
        "event type" => drop(tx.emit(&NewEvent::new("not an event", &()))),
        _ => return Err(reject("unknown-misuse", how)),
    }
    Ok(())
}

fn plan(tx: &mut Transaction, (): ()) -> Result<(), Rejection> {
    let later = NewCommand::new("forbidden", &());
    let id = tx.schedule(tx.time_ms() + 5, &later);
    tx.schedule(7, &later);
    assert!(tx.cancel_timer(&id) && !tx.cancel_timer(&id));
    Ok(())
}

fn word_of(
    snapshot: &Snapshot,
    (name, number): (String, i32),
) -> Result<Option<String>, Rejection> {
    Ok(WORDS.get(snapshot, &(name, number)))
}

fn who(snapshot: &Snapshot, (): ()) -> Result<(Option<String>, u64), Rejection> {
    Ok((snapshot.request().caller.clone(), snapshot.time_ms()))
}

fn word(text: &str) -> (String, i32, String) {
    ("word".to_owned(), -1, text.to_owned())
}

#[test]
fn commands_follow_one_another() {
    given::<Thing>()
        .when(set, word("one"))
        .then_ok(&1)
        .then_row(&WORDS, &("word", -1), &"one".to_owned())
        .then_row(&BLOBS, &true, &b"one".to_vec())
        .then_no_event()
        .when(set, word("two"))
        .then_ok(&2)
        .then_no_row(&WORDS, &("word", 1))
        .then_query(word_of, ("word".to_owned(), -1), &Some("two".to_owned()));
}

#[test]
fn a_rejection_drops_what_was_staged_and_keeps_its_events() {
    let outcome = given::<Thing>()
        .when(forbidden, ())
        .then_rejected("forbidden")
        .then_details(&json!([1]))
        .then_event("asked.in-vain", &())
        .then_no_row(&WORDS, &("staged", 0))
        .then_unchanged();
    assert_eq!(outcome.events().len(), 1);
}

#[test]
fn names_and_json_work_as_on_the_server() {
    let given = given::<Thing>()
        .when_named("set", &json!(["a", 1, "x"]))
        .then_ok(&json!(1))
        .when_named("set", &json!(["a", "one", "x"]))
        .then_rejected("invalid-input")
        .when_named("sit", &json!(null))
        .then_rejected("unknown-command")
        .given();
    assert_eq!(given.query_named("word-of", &json!(["a", 1])), Ok(json!("x")));
    let unknown = given.query_named("word_of", &json!(["a", 1]));
    assert_eq!(unknown.expect_err("names are in kebab-case").code, "unknown-query");
}

#[test]
fn a_scan_goes_on_over_rows_that_change() {
    given::<Thing>()
        .row(&WORDS, &("a", 1), &"x".to_owned())
        .row(&WORDS, &("a", 2), &"y".to_owned())
        .when(scan_and_write, ())
        .then_ok(&2)
        .then_row(&WORDS, &("a", 2), &"Y".to_owned());
}

#[test]
fn what_traps_on_the_server_panics_here() {
    for how in ["unknown table", "foreign table", "long key", "large value", "event type"] {
        let given = given::<Thing>().foreign_row(&FOREIGN, "a", &0);
        let run = AssertUnwindSafe(|| drop(given.when(misuse, how.to_owned())));
        assert!(catch_unwind(run).is_err(), "{how}");
    }
}

#[test]
fn a_key_that_no_table_can_hold_is_just_not_there() {
    let given = given::<Thing>();
    assert_eq!(given.query(word_of, ("k".repeat(2_000), 0)), Ok(None));
}

#[test]
fn the_submission_is_what_the_test_says() {
    let given = given::<Thing>().caller(&json!({ "subject": "ann" })).at_ms(77);
    let caller = Some(r#"{"subject":"ann"}"#.to_owned());
    assert_eq!(given.query(who, ()), Ok((caller, 77)));
    let outcome = given.when(plan, ());
    assert_eq!(outcome.timers(), [(7, NewCommand::new("forbidden", &()))]);
}

#[test]
fn scans_cover_what_they_say() {
    let mut given = given::<Thing>();
    for (name, number) in [("a", -5), ("a", 3), ("a", 20), ("aa", 1), ("b", 0)] {
        given = given.row(&WORDS, &(name, number), &"w".repeat(3_000));
    }
    let snapshot = given.snapshot();
    let a = || WORDS.scan(&snapshot).prefix(&("a",));
    let numbers = |scan: crate::Scan<'_, _, (String, i32), String>| -> Vec<i32> {
        scan.keys().map(|(_, number)| number).collect()
    };
    assert_eq!(numbers(a()), [-5, 3, 20]);
    assert_eq!(numbers(a().descending()), [20, 3, -5]);
    assert_eq!(numbers(a().from(&("a", 3))), [3, 20]);
    assert_eq!(numbers(a().after(&("a", 3))), [20]);
    assert_eq!(numbers(a().until(&("a", 20)).descending()), [3, -5]);
    assert_eq!(numbers(a().after(&("a", -5)).through(&("a", 20))), [3, 20]);
    assert_eq!(numbers(a().from(&("b", 0))), [0; 0]);
    assert_eq!((a().count(), WORDS.count(&snapshot)), (3, 5));
    assert_eq!(a().descending().first().map(|((_, number), _)| number), Some(20));
    assert_eq!(WORDS.scan(&snapshot).rows().count(), 5);
}
