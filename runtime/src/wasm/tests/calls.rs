//! What comes of a handler that returns.

use super::guests::{BAD_REFUSAL, NOT_JSON, REFUSAL, guest};
use super::{execute, failed, json, load, query, settings};
use crate::wasm::{CallError, Settings};

#[test]
fn queries_and_commands_give_their_results() {
    let module = load(settings(), &guest().build());
    let answered = query(&module).expect("it answers");
    assert_eq!((json(&answered.value), answered.asked_time), ("7", false));
    assert_eq!(json(&execute(&mut module.instance()).expect("it succeeds")), "7");
}

#[test]
fn a_query_that_asks_for_the_time_is_told_apart() {
    let mut guest = guest();
    guest.imports = r#"(import "chancery:app/store@0.1.0" "[method]snapshot.request-time-ms"
        (func $time (param i32) (result i64)))"#;
    guest.query = format!("(drop (call $time (local.get 0))) {}", guest.query);
    let answered = query(&load(settings(), &guest.build())).expect("it answers");
    assert!(answered.asked_time);
}

#[test]
fn refusals_are_rejections_if_they_have_a_code() {
    let mut guest = guest();
    guest.query = format!("(i32.const {REFUSAL})");
    guest.execute = format!("(i32.const {BAD_REFUSAL})");
    let module = load(settings(), &guest.build());
    match query(&module) {
        Err(CallError::Rejected { failure, .. }) => assert_eq!(&*failure.code, "out-of-stock"),
        other => panic!("{other:?}"),
    }
    let (code, message) = failed(execute(&mut module.instance()));
    assert_eq!(code, "invalid-failure");
    assert!(message.contains("command `do`") && message.contains("Out of stock"), "{message}");
}

#[test]
fn a_result_that_is_not_json_fails() {
    let mut guest = guest();
    guest.query = format!("(i32.const {NOT_JSON})");
    let (code, message) = failed(query(&load(settings(), &guest.build())));
    assert_eq!(code, "invalid-json");
    assert!(message.contains("query `ask`") && message.contains("byte 1"), "{message}");
}

#[test]
fn a_trap_shows_the_last_error_line() {
    let mut guest = guest();
    guest.imports = r#"(import "chancery:app/log@0.1.0" "write"
        (func $write (param i32 i32 i32)))"#;
    guest.execute = "(call $write (i32.const 4) (i32.const 528) (i32.const 4)) unreachable".into();
    let mut live = load(settings(), &guest.build()).instance();
    let (code, message) = failed(execute(&mut live));
    assert_eq!(code, "trapped");
    assert!(message.contains("trapped: boom"), "{message}");
    assert!(live.spent(), "an instance that trapped is gone");
}

#[test]
fn what_the_store_refuses_keeps_its_code() {
    let mut guest = guest();
    guest.imports = r#"(import "chancery:app/store@0.1.0" "[method]transaction.delete"
        (func $delete (param i32 i32 i32 i32 i32)))"#;
    guest.execute = "(call $delete (i32.load (local.get 0))
        (i32.const 528) (i32.const 4) (i32.const 512) (i32.const 1)) (i32.const 256)"
        .into();
    let (code, message) = failed(execute(&mut load(settings(), &guest.build()).instance()));
    assert_eq!(code, "unknown-table");
    assert!(message.contains("`boom`"), "{message}");
}

#[test]
fn what_is_no_id_is_the_id_of_no_timer() {
    let mut guest = guest();
    guest.imports = r#"(import "chancery:app/store@0.1.0" "[method]transaction.cancel-timer"
        (func $cancel (param i32 i32 i32) (result i32)))"#;
    guest.execute = "(if (call $cancel (i32.load (local.get 0)) (i32.const 528) (i32.const 4))
        (then unreachable)) (i32.const 256)"
        .into();
    let result = execute(&mut load(settings(), &guest.build()).instance());
    assert_eq!(json(&result.unwrap()), "7");
}

#[test]
fn a_live_instance_is_replaced_after_its_calls() {
    let mut guest = guest();
    // Counts in the digit that it returns.
    guest.execute = "(i32.store8 (i32.const 272)
        (i32.add (i32.load8_u (i32.const 272)) (i32.const 1))) (i32.const 256)"
        .into();
    let settings = Settings { live_calls_max: 2, ..settings() };
    let mut live = load(settings, &guest.build()).instance();
    let mut digits = Vec::new();
    for _ in 0..5 {
        digits.push(json(&execute(&mut live).expect("it succeeds")).to_owned());
    }
    // `9` follows `8`; a third call in one instance would give `:`.
    assert_eq!(digits, ["8", "9", "8", "9", "8"]);
    live.forget();
    assert_eq!(json(&execute(&mut live).expect("it succeeds")), "8");
}

#[test]
fn a_live_instance_that_has_grown_is_replaced() {
    let mut guest = guest();
    guest.execute = "(drop (memory.grow (i32.const 1))) (i32.const 256)".into();
    let settings = Settings { live_memory_bytes_max: 4 * (64 << 10), ..settings() };
    let mut live = load(settings, &guest.build()).instance();
    let spent = [(); 5].map(|()| {
        execute(&mut live).expect("it succeeds");
        live.spent()
    });
    assert_eq!(spent, [false, false, false, true, false]);
}
