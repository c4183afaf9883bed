//! What a manifest's members become, and what stands in the way of a deployment.

use std::sync::Arc;

use super::{Catalog, Conflict, Deployed, ModuleRow};
use crate::value::{Name, Sequence};
use crate::wasm::tests::guests::follower;
use crate::wasm::{Host, Settings};

/// The guest `follower` with another text in its manifest.
fn deployed(host: &Arc<Host>, module: &str, from: &str, to: &str) -> Result<Deployed, String> {
    let manifest = follower().manifest;
    assert!(manifest.contains(from), "{from}");
    let mut guest = follower();
    guest.manifest = manifest.replace(from, to);
    let module_of = host.load(&guest.build()).expect("the guest is a module");
    let row = ModuleRow { hash: module_of.hash(), sequence: Sequence(1), time_ms: 1 };
    Deployed::new(&name("main"), name(module), module_of, row)
}

fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

fn host() -> Arc<Host> {
    let settings = Settings { instances_max: 4, ..Settings::default() };
    Host::new(settings).expect("this machine can host modules")
}

fn conflicts(catalog: &Catalog, deployed: &Deployed) -> Vec<String> {
    let conflicts = catalog.plan(deployed).expect_err("something is in the way");
    conflicts.iter().map(Conflict::to_string).collect()
}

#[test]
fn what_a_projection_derives_is_owned_but_not_for_commands() {
    let two = deployed(&host(), "m", r#""t":{}"#, r#""t":{},"u":{}"#).expect("it is deployable");
    let names = |tables: &std::collections::BTreeSet<Name>| -> Vec<String> {
        tables.iter().map(Name::to_string).collect()
    };
    assert_eq!(names(&two.tables), ["t", "u"]);
    assert_eq!(names(&two.writable), ["u"]);
    assert_eq!(two.view_tables("p").map(|tables| names(tables)), Some(vec!["t".to_owned()]));
    assert_eq!(two.view_tables("q"), None);
}

#[test]
fn events_with_a_schema_are_checked() {
    let events = r#"{"events":{"a.b":{"schema":{"type":"integer"}},"c":{}},"#;
    let deployed = deployed(&host(), "m", r#"{"projections""#, &format!("{events}\"projections\""))
        .expect("it is deployable");
    assert_eq!(deployed.check_event("a.b", "7"), Some(Ok(())));
    let refused = deployed.check_event("a.b", "\"x\"").expect("it has a schema");
    let refused = refused.expect_err("no integer");
    assert_eq!(refused.violations().len(), 1, "{}", refused.reasons());
    assert_eq!(deployed.check_event("c", "\"x\""), None);
    assert_eq!(deployed.check_event("d", "\"x\""), None, "nothing is said of it");
}

#[test]
fn a_schema_of_an_event_that_is_none_is_named() {
    let events = r#"{"events":{"a.b":{"schema":{"type":7}}},"projections""#;
    let refused = deployed(&host(), "m", r#"{"projections""#, events).expect_err("7 is no type");
    assert!(refused.starts_with("events.a.b.schema is not a JSON Schema: "), "{refused}");
}

#[test]
fn names_are_unique_in_the_app() {
    let host = host();
    let mut catalog = Catalog::default();
    catalog.add(Arc::new(deployed(&host, "first", "{", "{").expect("it is deployable")));
    assert_eq!(catalog.projection("p").map(|owner| owner.name.as_str()), Some("first"));
    assert_eq!(catalog.reaction("r").map(|owner| owner.name.as_str()), Some("first"));
    let second = deployed(&host, "second", "{", "{").expect("it is deployable");
    let conflicts = conflicts(&catalog, &second);
    for kind in ["projection `p`", "reaction `r`"] {
        let words = format!("{kind} belongs to module `first`");
        assert!(conflicts.iter().any(|conflict| conflict.contains(&words)), "{conflicts:?}");
    }
}

#[test]
fn a_projection_that_changes_needs_another_version() {
    let host = host();
    let mut catalog = Catalog::default();
    catalog.add(Arc::new(deployed(&host, "m", "{", "{").expect("it is deployable")));
    let with = |from, to| deployed(&host, "m", from, to).expect("it is deployable");
    let on = r#""version":1,"on":["**"]"#;
    let conflicts = conflicts(&catalog, &with(on, r#""version":1,"on":["a.*"]"#));
    assert!(conflicts[0].contains("`p`") && conflicts[0].contains("version 1"), "{conflicts:?}");
    let plan = catalog.plan(&with(on, r#""version":2,"on":["a.*"]"#)).expect("it is another");
    assert_eq!(plan.projections.rebuilt, ["p"]);
    assert!(plan.projections.added.is_empty() && plan.projections.removed.is_empty());
    let plan = catalog.plan(&with(r#"{"r":{"on":["**"]}}"#, r#"{"s":{"on":["**"]}}"#));
    let reactions = plan.expect("nothing is in the way").reactions;
    assert_eq!((reactions.added, reactions.removed), (vec!["s".to_owned()], vec!["r".to_owned()]));
}
