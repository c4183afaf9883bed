//! Handles lead where they were given to lead, and only while the call is on.

use super::guests::guest;
use super::{execute, failed, load, query, settings};
use crate::wasm::Settings;

const NEW_ID: &str = r#"(import "chancery:app/store@0.1.0" "[method]transaction.new-id"
    (func $use (param i32 i32)))"#;
const SCAN: &str = r#"
    (import "chancery:app/store@0.1.0" "[method]snapshot.scan" (func $scan
      (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
    (import "chancery:app/store@0.1.0" "[method]transaction.scan" (func $scan-staged
      (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
    (import "chancery:app/store@0.1.0" "[method]cursor.next-json" (func $next
      (param i32 i32 i32)))"#;
/// The table `t`, all of it, in ascending order.
const ALL: &str = "(i32.const 512) (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 0)
    (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)";

/// The second call uses what the first was given, and may not reach the second's.
#[test]
fn a_transaction_kept_from_an_earlier_call_reaches_nothing() {
    let mut guest = guest();
    guest.imports = NEW_ID;
    guest.items = "(global $kept (mut i32) (i32.const 0))";
    guest.execute = "(if (i32.eqz (global.get $kept))
        (then (global.set $kept (i32.load (local.get 0)))))
        (call $use (global.get $kept) (i32.const 1024)) (i32.const 256)"
        .into();
    let mut live = load(settings(), &guest.build()).instance();
    execute(&mut live).expect("a handle serves in its own call");
    let (code, message) = failed(execute(&mut live));
    assert_eq!(code, "stale-handle");
    assert!(message.contains("earlier call"), "{message}");
    execute(&mut live).expect("a fresh instance has kept nothing");
}

#[test]
fn a_cursor_kept_from_an_earlier_call_reaches_nothing() {
    let mut guest = guest();
    guest.imports = SCAN;
    guest.items = "(global $kept (mut i32) (i32.const 0))";
    guest.execute = format!(
        "(if (i32.eqz (global.get $kept))
          (then (global.set $kept (call $scan-staged (i32.load (local.get 0)) {ALL}))))
        (call $next (global.get $kept) (i32.const 100) (i32.const 1024)) (i32.const 256)"
    );
    let mut live = load(settings(), &guest.build()).instance();
    execute(&mut live).expect("a cursor serves in its own call");
    assert_eq!(failed(execute(&mut live)).0, "stale-handle");
}

#[test]
fn a_guest_that_never_drops_its_handles_costs_instances_not_commands() {
    // `execute` is given the transaction and leaves it, as all guests here do.
    let mut live = load(settings(), &guest().build()).instance();
    let mut replaced = 0;
    for _ in 0..5_000 {
        replaced += u32::from(live.spent());
        execute(&mut live).expect("it succeeds");
    }
    assert!((5..20).contains(&replaced), "{replaced}");
}

#[test]
fn cursors_are_limited() {
    let mut guest = guest();
    guest.imports = SCAN;
    guest.query = format!("(loop (drop (call $scan (local.get 0) {ALL})) (br 0)) unreachable");
    let upload = guest.build();
    let (code, message) = failed(query(&load(settings(), &upload)));
    assert_eq!(code, "handle-limit");
    assert!(message.contains("256 cursors"), "{message}");
    // Without our limit there is wasmtime's, told by its words.
    let settings = Settings { cursors_max: usize::MAX, ..settings() };
    assert_eq!(failed(query(&load(settings, &upload))).0, "handle-limit");
}
