//! Whatever a guest takes too much of, its call ends and says which limit it met
//! (I10, I12).

use super::guests::guest;
use super::{SOON, execute, failed, load, query, settings};
use crate::wasm::{CallError, Settings};

#[test]
fn a_loop_ends_at_the_deadline() {
    let mut guest = guest();
    guest.query = "(loop (br 0)) unreachable".into();
    guest.execute = guest.query.clone();
    let settings = Settings { query_deadline: SOON, command_deadline: SOON, ..settings() };
    let module = load(settings, &guest.build());
    let (code, message) = failed(query(&module));
    assert_eq!(code, "deadline");
    assert!(message.contains("query `ask`") && message.contains("50ms"), "{message}");
    let mut live = module.instance();
    for _ in 0..2 {
        assert_eq!(failed(execute(&mut live)).0, "deadline", "in every instance");
    }
}

/// Each memory stays far below the limit of one; together they reach it.
#[test]
fn memories_are_summed() {
    let mut guest = guest();
    guest.items = "(memory $second 0 512) (memory $third 0 512)";
    guest.query = "(loop (drop (memory.grow $second (i32.const 16)))
        (drop (memory.grow $third (i32.const 16))) (br 0)) unreachable"
        .into();
    let settings = Settings { query_memory_bytes_max: 48 << 20, ..settings() };
    let (code, message) = failed(query(&load(settings, &guest.build())));
    assert_eq!(code, "memory-limit");
    assert!(message.contains(&(48 << 20).to_string()), "{message}");
}

#[test]
fn a_module_may_limit_its_own_memory() {
    let mut guest = guest();
    guest.items = "(memory $second 0 2)";
    guest.query = "(if (i32.ne (memory.grow $second (i32.const 3)) (i32.const -1))
        (then unreachable)) (i32.const 256)"
        .into();
    query(&load(settings(), &guest.build())).expect("it is told -1");
}

#[test]
fn tables_are_limited() {
    let mut guest = guest();
    guest.items = "(table $funcs 0 funcref)";
    guest.query = "(loop (drop (table.grow $funcs (ref.null func) (i32.const 60000)))
        (br 0)) unreachable"
        .into();
    guest.items = "(table $funcs 0 funcref) (table $more 0 funcref)";
    guest.query = guest
        .query
        .replace("(br 0)", "(drop (table.grow $more (ref.null func) (i32.const 60000))) (br 0)");
    assert_eq!(failed(query(&load(settings(), &guest.build()))).0, "memory-limit");
}

#[test]
fn recursion_ends_at_the_stack() {
    let mut guest = guest();
    guest.items = "(func $deeper (param i64) (result i64)
        (i64.add (local.get 0) (call $deeper (i64.add (local.get 0) (i64.const 1)))))";
    guest.query = "(drop (call $deeper (i64.const 0))) unreachable".into();
    let module = load(settings(), &guest.build());
    // The threads of tests have smaller stacks than the host asks for.
    let thread = std::thread::Builder::new().stack_size(8 << 20);
    let asked = thread.spawn(move || failed(query(&module)).0).expect("a thread");
    assert_eq!(asked.join().expect("the thread survives"), "stack-overflow");
}

#[test]
fn results_are_limited() {
    let mut guest = guest();
    // Bytes from the start of memory: 1 MiB and one.
    guest.items = r#"(data (i32.const 768)
        "\00\00\00\00\01\00\00\00\00\00\00\00\01\00\10\00")"#;
    guest.execute = "(drop (memory.grow (i32.const 20))) (i32.const 768)".into();
    let mut live = load(settings(), &guest.build()).instance();
    let (code, message) = failed(execute(&mut live));
    assert_eq!(code, "output-too-large");
    assert!(message.contains("1048577") && message.contains("1048576"), "{message}");
    assert!(live.spent());
}

/// wasmtime's own limit, which is told by its words.
#[test]
fn what_passes_to_the_host_at_once_is_limited() {
    let mut guest = guest();
    guest.imports = r#"(import "chancery:app/log@0.1.0" "write"
        (func $write (param i32 i32 i32)))"#;
    guest.query = "(drop (memory.grow (i32.const 512)))
        (call $write (i32.const 0) (i32.const 0) (i32.const 33000000)) unreachable"
        .into();
    assert_eq!(failed(query(&load(settings(), &guest.build()))).0, "output-too-large");
}

/// No slot is the host's failure, and no outcome of the command.
#[test]
fn instances_are_limited() {
    let settings = Settings { instances_max: 1, ..settings() };
    let module = load(settings, &guest().build());
    let mut live = module.instance();
    execute(&mut live).expect("there is one slot");
    match query(&module) {
        Err(CallError::Host(reason)) => assert!(reason.contains("instance"), "{reason}"),
        other => panic!("{other:?}"),
    }
    live.forget();
    query(&module).expect("the slot is free again");
}
