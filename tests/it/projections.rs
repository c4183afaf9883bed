//! Projections: tables that follow from events, whenever and however they are built.

mod building;
mod gone;
mod misbehaving;
mod over_http;
mod releasing;

use std::collections::BTreeMap;
use std::sync::Arc;

use chancery::catalog::Which;
use chancery::engine::{Deployment, ProjectionInfo, Standing, Upload};
use chancery::events::{Filter, Limits};
use chancery::receipts::Receipt;
use chancery::state::Order;
use chancery::value::{Position, Value};
use chancery_tests::rig::{PATIENCE, Rig, code, name, result};
use chancery_tests::{block_on, guest};
use serde_json::{Value as Json, json};

/// The guest `tally` with another version of its projection, mended so many times: what
/// differs is in its manifest, which is text in the module.
fn tally(version: u8, mended: u8) -> Vec<u8> {
    let mut bytes = guest("tally");
    for (text, at, digit) in [("\"version\": 1", 11, version), ("mended 0 times", 7, mended)] {
        let found = bytes.windows(text.len()).position(|found| found == text.as_bytes());
        bytes[found.expect("its manifest") + at] = b'0' + digit;
    }
    bytes
}

async fn deploy(rig: &Rig, version: u8, mended: u8) -> Deployment {
    let upload = Upload::Bytes(tally(version, mended).into());
    let deployment = rig.app.deploy(&name("tally"), upload).await.expect("it is accepted");
    if let Some(receipt) = &deployment.receipt {
        assert_eq!(code(receipt), "succeeded");
    }
    deployment
}

/// An app with the guest, whose tables are live.
async fn tallied(change: impl FnOnce(&mut chancery::engine::Settings)) -> Rig {
    let rig = Rig::with(change);
    deploy(&rig, 1, 0).await;
    until(&rig, "live", |info| info.status == Standing::Live).await;
    rig
}

fn info(rig: &Rig) -> ProjectionInfo {
    rig.app.projection("tally").expect("it is there").1
}

/// Waits until a projection is as one wants it.
async fn until(rig: &Rig, what: &str, is_so: impl Fn(&ProjectionInfo) -> bool) -> ProjectionInfo {
    let started = rig.clock.elapsed();
    loop {
        let info = info(rig);
        if is_so(&info) {
            return info;
        }
        let waited = rig.clock.elapsed().saturating_sub(started);
        assert!(waited < PATIENCE, "not {what}: {info:?}");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

fn is_parked(info: &ProjectionInfo) -> bool {
    info.status == Standing::Parked
}

fn is_live(info: &ProjectionInfo) -> bool {
    info.status == Standing::Live
}

async fn note(rig: &Rig, subject: &str, n: u64) -> Receipt {
    rig.command("note", json!({ "type": "item.added", "subject": subject, "data": n })).await
}

async fn bad(rig: &Rig, how: &str) -> Receipt {
    rig.command("note", json!({ "type": "item.bad", "subject": "bad", "data": how })).await
}

type Rows = BTreeMap<String, Value>;

/// The rows of both tables as they are.
async fn rows(rig: &Rig) -> [Rows; 2] {
    let mut tables = [Rows::new(), Rows::new()];
    for (rows, table) in tables.iter_mut().zip(["totals", "latest"]) {
        let found = rig.rows(table).await.expect("a table");
        rows.extend(found.into_iter().map(|(key, value, _)| (key, value)));
    }
    tables
}

/// What the rows have to be, made from the events there are.
fn expected(rig: &Rig, version: u64) -> [Rows; 2] {
    let (mut totals, mut latest) = (BTreeMap::<String, Json>::new(), Rows::new());
    let filter = Filter { types: vec!["item.**".parse().unwrap()], ..Filter::default() };
    let mut from = Some(Position(1));
    while let Some(at) = from {
        let page = rig.app.lane().events().page(at, Order::Ascending, &filter, Limits::of(1_000));
        let page = page.expect("events");
        for event in page.events {
            let subject = event.subject.as_deref().unwrap_or("none").to_owned();
            let added = serde_json::from_str::<Json>(&event.data).unwrap().as_u64().unwrap_or(0);
            let before = totals.get(&subject).cloned().unwrap_or_default();
            let number = |name: &str| before[name].as_u64().unwrap_or(0);
            let total = json!({
                "count": number("count") + 1,
                "sum": number("sum") + added * version,
                "last": event.position.0,
                "of": [event.command_id, event.sequence.0, event.time_ms, &*event.correlation_id],
            });
            totals.insert(subject.clone(), total);
            let position = event.position.0;
            let id = event.id.to_string().into_bytes();
            latest.insert(format!("{position:020}"), Value::Bytes(id.into()));
            for old in position.saturating_sub(14)..position.saturating_sub(9) {
                latest.remove(&format!("{old:020}"));
            }
            if &*event.event_type == "item.cleared" {
                totals.remove(&subject);
            }
        }
        from = page.next;
    }
    let json = |json: Json| Value::Json(json.to_string().into());
    [totals.into_iter().map(|(key, total)| (key, json(total))).collect(), latest]
}

#[test]
fn i5_events_are_folded_in_the_commit_of_their_command() {
    block_on(async {
        let rig = tallied(|_| ()).await;
        let receipt = note(&rig, "lamp", 3).await;
        let outcome = receipt.outcome.as_ref().expect("an outcome");
        let tables: Vec<_> = outcome.changes.tables.iter().map(|it| it.table.as_str()).collect();
        assert_eq!(tables, ["latest", "totals"]);
        let changed = rig.rows("totals").await.unwrap().remove(0).2;
        assert_eq!(changed, receipt.entry.sequence);
        assert_eq!(rows(&rig).await, expected(&rig, 1));
        // Many events of one command, and those of a rejection, in order.
        let many = json!([
            { "subject": "lamp", "data": 1, "times": 30 },
            { "type": "other.thing", "subject": "lamp", "data": 100 },
            { "type": "item.cleared", "subject": "chair", "data": 1 },
            { "type": "item.made.by.hand", "subject": "desk", "data": 2 },
        ]);
        assert_eq!(code(&rig.command("note", many.clone()).await), "succeeded");
        assert_eq!(code(&rig.command("refuse", many).await), "refused");
        assert_eq!(rows(&rig).await, expected(&rig, 1));
        let rig = rig.restart();
        assert_eq!(rows(&rig).await, expected(&rig, 1));
        assert!(is_live(&info(&rig)));
        note(&rig, "lamp", 4).await;
        assert_eq!(rows(&rig).await, expected(&rig, 1));
    });
}

#[test]
fn commands_do_not_write_the_tables_of_a_projection() {
    block_on(async {
        let rig = tallied(|_| ()).await;
        assert_eq!(code(&rig.command("meddle", json!({})).await), "foreign-table");
        assert_eq!(rows(&rig).await, [Rows::new(), Rows::new()]);
    });
}

#[test]
fn one_whose_module_goes_leaves_its_tables_and_is_built_again_when_it_comes_back() {
    block_on(async {
        let rig = tallied(|_| ()).await;
        for n in 0..20 {
            note(&rig, "lamp", n).await;
        }
        let before = rows(&rig).await;
        assert_eq!(code(&rig.app.remove("tally").await.unwrap()), "succeeded");
        assert!(rig.app.projection("tally").is_err());
        assert_eq!(rows(&rig).await, before);
        deploy(&rig, 2, 0).await;
        until(&rig, "live", is_live).await;
        assert_eq!(rows(&rig).await, expected(&rig, 2));
        let state = rig.app.snapshots().current().state.clone();
        assert!(state.tables().all(|(name, _)| !name.as_str().starts_with("$next/")));
        assert_eq!(info(&rig).position(Which::Next), None);
    });
}
