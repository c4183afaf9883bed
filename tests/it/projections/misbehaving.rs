//! Projections that cannot take an event: they are parked there, and nothing else is
//! kept from going on.

use std::time::Duration;

use chancery::engine::Error;
use chancery::record::Steer;

use super::*;

/// What the projection does, and how that is called.
const WAYS: [(&str, &str); 6] = [
    ("trap", "trapped"),
    ("loop", "deadline"),
    ("err", "not-understood"),
    ("foreign", "foreign-table"),
    ("read", "foreign-table"),
    ("write", "too-many-rows"),
];

async fn steered(rig: &Rig, what: Steer) -> Receipt {
    rig.app.steer("tally", what).await.expect("a receipt")
}

#[test]
fn i10_one_that_cannot_take_an_event_is_parked_and_commands_go_on() {
    block_on(async {
        let quick = |settings: &mut chancery::engine::Settings| {
            settings.wasm.command_deadline = Duration::from_secs(1);
            settings.lane.transaction.rows_max = 1_000;
        };
        let mut rig = tallied(quick).await;
        let mut skipped = 0;
        for (n, (how, expected_code)) in (0_u64..).zip(WAYS) {
            note(&rig, "lamp", n).await;
            let before = rows(&rig).await;
            // The events before it in the same command are kept.
            let both = json!([
                { "subject": "lamp", "data": 5 },
                { "type": "item.bad", "subject": "bad", "data": how },
                { "subject": "lamp", "data": 6 },
            ]);
            let receipt = rig.command("note", both).await;
            assert_eq!(code(&receipt), "succeeded", "{how}");
            assert_eq!(receipt.outcome.as_ref().unwrap().events.len(), 3);
            let parked = info(&rig);
            let live = parked.projecting.row.live.as_ref().expect("a live build");
            let why = live.parked.as_ref().expect("it is parked");
            assert_eq!(why.code, expected_code, "{why:?}");
            assert_eq!(why.sequence, receipt.entry.sequence.0);
            assert_eq!(live.position.map(|position| position.0 + 1), Some(why.position));
            assert_eq!(parked.status, Standing::Parked);
            let at = rows(&rig).await;
            assert!(at != before && !at[0].contains_key("misbehaved"), "{at:?}");
            // It stays as it is, whatever happens, and through a restart.
            note(&rig, "lamp", n).await;
            rig = rig.restart();
            note(&rig, "chair", n).await;
            assert_eq!(rows(&rig).await, at, "{how}");
            assert_eq!(info(&rig).projecting.row, parked.projecting.row);
            // Tried again it fails again; left out it goes on.
            assert_eq!(code(&steered(&rig, Steer::Resume).await), "succeeded");
            let again = until(&rig, "parked again", is_parked).await;
            let again = again.projecting.row.live.as_ref().and_then(|it| it.parked.clone());
            assert_eq!(again.map(|why| why.position), Some(why.position));
            assert_eq!(code(&steered(&rig, Steer::Skip).await), "succeeded");
            until(&rig, "live", is_live).await;
            skipped += 1;
            let [mut totals, latest] = expected(&rig, 1);
            totals.remove("bad");
            let [found, found_latest] = rows(&rig).await;
            assert_eq!(found, totals, "{how}");
            assert!(found_latest.len() <= latest.len());
        }
        assert_eq!(skipped, WAYS.len());
        // A mended version takes them all, once it is told to begin anew.
        deploy(&rig, 1, 1).await;
        assert!(is_live(&info(&rig)));
        assert_eq!(code(&steered(&rig, Steer::Rebuild).await), "succeeded");
        until(&rig, "live", is_live).await;
        assert_eq!(rows(&rig).await, expected(&rig, 1));
    });
}

#[test]
fn one_that_was_mended_goes_on_with_the_event_at_which_it_was_parked() {
    block_on(async {
        let rig = tallied(|_| ()).await;
        note(&rig, "lamp", 1).await;
        bad(&rig, "trap").await;
        for n in 0..50 {
            note(&rig, "lamp", n).await;
        }
        deploy(&rig, 1, 1).await;
        assert!(is_parked(&info(&rig)));
        steered(&rig, Steer::Resume).await;
        until(&rig, "live", is_live).await;
        assert_eq!(rows(&rig).await, expected(&rig, 1));
        note(&rig, "lamp", 2).await;
        assert_eq!(rows(&rig).await, expected(&rig, 1));
    });
}

#[test]
fn a_build_that_is_parked_can_be_begun_anew() {
    block_on(async {
        let rig = Rig::start();
        rig.deploy("probe", "probe").await;
        let event = json!({ "type": "item.bad", "subject": "bad", "data": "trap" });
        for _ in 0..3 {
            rig.command("emit", event.clone()).await;
        }
        deploy(&rig, 1, 0).await;
        let parked = until(&rig, "parked", is_parked).await;
        assert_eq!(parked.position(Which::Live), None);
        assert_eq!(parked.position(Which::Next), Some(Position(0)));
        assert_eq!(rows(&rig).await, [Rows::new(), Rows::new()]);
        // Nothing is folded into tables that are not whole.
        note(&rig, "lamp", 1).await;
        assert_eq!(rows(&rig).await, [Rows::new(), Rows::new()]);
        for position in 1..=2 {
            steered(&rig, Steer::Skip).await;
            let is_next = |info: &ProjectionInfo| {
                is_parked(info) && info.position(Which::Next) == Some(Position(position))
            };
            until(&rig, "at the next", is_next).await;
        }
        deploy(&rig, 1, 1).await;
        steered(&rig, Steer::Rebuild).await;
        until(&rig, "live", is_live).await;
        assert_eq!(rows(&rig).await, expected(&rig, 1));
    });
}

#[test]
fn i13_what_cannot_be_done_says_why() {
    block_on(async {
        let rig = tallied(|_| ()).await;
        for what in [Steer::Resume, Steer::Skip] {
            assert_eq!(code(&steered(&rig, what).await), "not-parked");
        }
        let unknown = rig.app.steer("tallly", Steer::Rebuild).await.unwrap_err();
        assert!(matches!(&unknown, Error::UnknownProjection { .. }), "{unknown}");
        assert!(unknown.to_string().contains("`tally`"), "{unknown}");
    });
}
