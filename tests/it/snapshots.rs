//! Reading states: the latest, at least one, exactly one.

use std::time::Duration;

use chancery::engine::{At, Error};
use chancery::snapshot::Unavailable;
use chancery::value::Sequence;
use chancery_tests::{Rig, block_on, new_id};
use serde_json::json;

fn as_of(sequence: u64) -> At {
    At { as_of: Some(Sequence(sequence)), ..At::default() }
}

fn at_least(sequence: u64) -> At {
    At { at_least: Some(Sequence(sequence)), ..At::default() }
}

#[test]
fn i6_a_sequence_shows_one_state_only_also_within_a_round() {
    block_on(async {
        let rig = Rig::start();
        rig.deploy("probe", "probe").await;
        // Submitted together, so that rounds hold many.
        let input = json!({ "key": "a", "amount": 1 });
        let submitted: Vec<_> = (0..300)
            .map(|_| rig.app.submit(rig.request(new_id(), "add", &input)).unwrap())
            .collect();
        for submitted in &submitted {
            rig.done(submitted).await;
        }
        for n in (0..=300).rev() {
            let sum = rig.query_at("sum", json!({}), as_of(n + 1)).await.unwrap();
            assert_eq!(sum, json!(n));
            let info = rig.query_at("info", json!({}), as_of(n + 1)).await.unwrap();
            assert_eq!(info["sequence"], json!(n + 1));
        }
    });
}

#[test]
fn as_of_what_is_not_held_is_refused() {
    block_on(async {
        let rig = Rig::with(|settings| settings.lane.held.roots_max = 4);
        rig.deploy("probe", "probe").await;
        for _ in 0..20 {
            rig.succeed("add", json!({ "key": "a", "amount": 1 })).await;
        }
        let gone = rig.query_at("sum", json!({}), as_of(3)).await.unwrap_err();
        let Error::Unavailable(Unavailable::Gone { oldest, .. }) = gone else { panic!("{gone}") };
        assert!(oldest >= Sequence(17) && oldest < Sequence(21), "{oldest}");
        let sum = rig.query_at("sum", json!({}), as_of(oldest.0)).await.unwrap();
        assert_eq!(sum, json!(oldest.0 - 1));
    });
}

#[test]
fn held_roots_keep_to_their_budget_of_bytes() {
    block_on(async {
        let rig = Rig::with(|settings| settings.lane.held.bytes_max = 200_000);
        rig.deploy("probe", "probe").await;
        for _ in 0..20 {
            rig.succeed("fill", json!({ "prefix": "p", "count": 100, "bytes": 1000 })).await;
        }
        let latest = rig.sequence();
        assert!(rig.query_at("count", json!({}), as_of(latest - 10)).await.is_err());
        assert!(rig.query_at("count", json!({}), as_of(latest)).await.is_ok());
    });
}

#[test]
fn at_least_waits_for_what_is_on_its_way_and_refuses_what_is_not() {
    block_on(async {
        let rig = Rig::start();
        rig.deploy("probe", "probe").await;
        let slow = json!({ "iterations": 50_000_000_u64 });
        drop(rig.app.submit(rig.request(new_id(), "spin", &slow)).unwrap());
        let info = rig.query_at("info", json!({}), at_least(2)).await.unwrap();
        assert_eq!(info["sequence"], json!(2));
        let began = std::time::Instant::now();
        let ahead = rig.query_at("info", json!({}), at_least(99)).await.unwrap_err();
        assert!(matches!(ahead, Error::Ahead { .. }), "{ahead}");
        assert!(began.elapsed() < Duration::from_secs(1), "at once");
    });
}
