//! Projections and reactions: what they are given, what they may do with it, and
//! what comes of those that do something else.

use super::guests::{BADLY_FOLLOWED, REFUSAL, follower};
use super::{SOON, execute, failed, json, load, project, query, react, settings};
use crate::transaction::Read;
use crate::value::{ChangeSet, Failure};
use crate::wasm::{CallError, Settings};

const PUT: &str = r#"(import "chancery:app/store@0.1.0" "[method]view.put" (func $put
    (param i32 i32 i32 i32 i32 i32 i32 i32)))"#;
const TIME: &str = r#"(import "chancery:app/store@0.1.0" "[method]snapshot.request-time-ms"
    (func $time (param i32) (result i64)))"#;

/// Puts `7` under the key `boom` of the table that has the name `t` or `d`.
fn put(table: usize) -> String {
    format!(
        "(call $put (i32.load (local.get 0)) (i32.const {table}) (i32.const 1)
          (i32.const 528) (i32.const 4) (i32.const 0) (i32.const 272) (i32.const 1))
        (i32.const 544)"
    )
}

#[test]
fn one_instance_executes_commands_and_projects_events() {
    let mut guest = follower();
    guest.imports = PUT;
    guest.project = put(512);
    let mut live = load(settings(), &guest.build()).instance();
    assert_eq!(json(&execute(&mut live).expect("it succeeds")), "7");
    assert!(!live.spent());
    let projected = project(&mut live);
    assert_eq!(json(&projected.result.expect("it succeeds")), "null");
    let row = projected.transaction.get("t", "boom").expect("its own table");
    assert!(row.is_some_and(|value| value.as_bytes() == b"7"));
    assert!(!live.spent());
}

#[test]
fn a_view_leads_to_no_table_but_the_projections() {
    let mut guest = follower();
    guest.imports = PUT;
    guest.project = put(688);
    let projected = project(&mut load(settings(), &guest.build()).instance());
    let (code, message) = failed(projected.result);
    assert_eq!(code, "foreign-table");
    assert!(message.contains("projection `p`") && message.contains("`d`"), "{message}");
    assert_eq!(projected.transaction.finish().changes, ChangeSet::default());
}

/// The number of a view is none of a transaction's, in the same instance.
#[test]
fn i8_a_view_kept_for_a_command_reaches_nothing() {
    let mut guest = follower();
    guest.imports = PUT;
    guest.items = "(global $kept (mut i32) (i32.const 0))";
    guest.project =
        "(global.set $kept (i32.load (local.get 0))) (i32.store (i32.const 700) (local.get 0))
        (i32.const 544)"
            .into();
    guest.execute = "(call $put (global.get $kept) (i32.const 512) (i32.const 1) (i32.const 528)
        (i32.const 4) (i32.const 0) (i32.const 272) (i32.const 1)) (i32.const 256)"
        .into();
    let mut live = load(settings(), &guest.build()).instance();
    project(&mut live).result.expect("it succeeds");
    assert_eq!(failed(execute(&mut live)).0, "stale-handle");
}

#[test]
fn handlers_are_given_the_event_and_its_time() {
    // After the handle, the name and a gap; the position comes first.
    let checked = "(if (i64.ne (i64.load offset=16 (local.get 0)) (i64.const 5))
        (then unreachable))";
    let mut guest = follower();
    guest.imports = TIME;
    guest.project = format!("{checked} {}", guest.project);
    guest.react = format!(
        "{checked} (if (i64.ne (call $time (i32.load (local.get 0))) (i64.const 3000))
            (then unreachable)) {}",
        guest.react
    );
    let module = load(settings(), &guest.build());
    project(&mut module.instance()).result.expect("it succeeds");
    let commands = react(&module).expect("it succeeds");
    let [command] = &commands[..] else { panic!("{commands:?}") };
    assert_eq!(command.name.as_str(), "do");
    assert_eq!((&*command.input, &*command.metadata), ("7", "{}"));
}

#[test]
fn what_traps_or_loops_is_stopped() {
    let mut guest = follower();
    (guest.project, guest.react) = ("unreachable".into(), "unreachable".into());
    let module = load(settings(), &guest.build());
    let mut live = module.instance();
    let (code, message) = failed(project(&mut live).result);
    assert_eq!(code, "trapped");
    assert!(message.contains("projection `p` trapped"), "{message}");
    assert!(live.spent(), "an instance that trapped is gone");
    let (code, message) = failed(react(&module));
    assert_eq!(code, "trapped");
    assert!(message.contains("reaction `r` trapped"), "{message}");
    (guest.project, guest.react) =
        ("(loop (br 0)) unreachable".into(), "(loop (br 0)) unreachable".into());
    let settings = Settings { query_deadline: SOON, command_deadline: SOON, ..settings() };
    let module = load(settings, &guest.build());
    assert_eq!(failed(project(&mut module.instance()).result).0, "deadline");
    assert_eq!(failed(react(&module)).0, "deadline");
}

#[test]
fn what_errs_is_rejected() {
    let mut guest = follower();
    guest.project = format!("(i32.const {REFUSAL})");
    guest.react = guest.project.clone();
    let module = load(settings(), &guest.build());
    let mut live = module.instance();
    for result in [project(&mut live).result.map(drop), react(&module).map(drop)] {
        match result {
            Err(CallError::Rejected { failure, .. }) => assert_eq!(&*failure.code, "out-of-stock"),
            other => panic!("{other:?}"),
        }
    }
    assert!(!live.spent(), "to refuse is no fault");
}

#[test]
fn a_command_that_is_none_is_a_failure_of_the_reaction() {
    let mut guest = follower();
    guest.react = format!("(i32.const {BADLY_FOLLOWED})");
    let (code, message) = failed(react(&load(settings(), &guest.build())));
    assert_eq!(code, "invalid-command");
    assert!(message.contains("reaction `r`") && message.contains("input of `do`"), "{message}");
}

#[test]
fn a_module_needs_no_handlers_but_those_of_events() {
    let mut guest = follower();
    let handlers = r#""queries":{"ask":{}},"commands":{"do":{}}"#;
    guest.manifest = guest.manifest.replace(&format!(",\n    {handlers}"), "");
    assert!(!guest.manifest.contains("queries"));
    guest.world = "test:worlds/only-projections";
    guest.manifest = guest.manifest.replace(r#""reactions":{"r":{"on":["**"]}},"#, "");
    let module = load(settings(), &guest.build());
    assert!(!module.has_commands() && !module.has_queries());
    project(&mut module.instance()).result.expect("it succeeds");
    assert!(matches!(query(&module), Err(CallError::Host(_))));
}

#[test]
fn only_a_rejection_that_says_so_is_permanent() {
    let rejected = |details: Option<&str>| {
        let failure =
            Failure { code: "no".into(), message: "No.".into(), details: details.map(Into::into) };
        CallError::Rejected { failure, events: Vec::new() }.is_permanent()
    };
    assert!(rejected(Some(r#"{"order":4,"permanent":true}"#)));
    for details in [None, Some("null"), Some("[true]"), Some(r#"{"permanent":false}"#)] {
        assert!(!rejected(details), "{details:?}");
    }
    assert!(!CallError::Host("permanent".into()).is_permanent());
}
