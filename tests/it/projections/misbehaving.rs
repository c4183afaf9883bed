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
fn one_event_is_skipped_at_a_time_and_both_builds_come_to_the_end() {
    block_on(async {
        let rig = tallied(|_| ()).await;
        bad(&rig, "trap").await;
        // More than one step of the live build, so that rows of it are still to come when
        // the next one is at the end.
        let many = json!({ "type": "item.added", "subject": "lamp", "data": 1, "times": 500 });
        for _ in 0..6 {
            assert_eq!(code(&rig.command("note", many.clone()).await), "succeeded");
        }
        let last = bad(&rig, "trap").await;
        let last = last.outcome.as_ref().expect("an outcome").events[0].position;
        assert!(is_parked(&info(&rig)));
        deploy(&rig, 2, 0).await;
        let next_at = |position: u64| {
            move |info: &ProjectionInfo| {
                let next = info.projecting.row.next.as_ref();
                let parked = next.and_then(|next| next.parked.as_ref());
                parked.is_some_and(|parked| parked.position == position)
            }
        };
        until(&rig, "parked at the first", next_at(1)).await;
        let skipped = steered(&rig, Steer::Skip).await;
        assert_eq!(result(&skipped), json!({ "build": "next", "skipped": 1 }));
        let both = until(&rig, "parked at the last", next_at(last.0)).await;
        assert_eq!(both.position(Which::Live), Some(Position(0)), "its event was not skipped");
        let (next, live) = tokio::join!(steered(&rig, Steer::Skip), steered(&rig, Steer::Skip));
        assert_eq!(result(&next), json!({ "build": "next", "skipped": last.0 }));
        assert_eq!(result(&live), json!({ "build": "live", "skipped": 1 }));
        let is_built = |info: &ProjectionInfo| {
            let live = info.projecting.row.live.as_ref().map(|live| live.version);
            live == Some(2) && is_live(info)
        };
        until(&rig, "built", is_built).await;
        let without_bad = |rig: &Rig| {
            let [mut totals, _] = expected(rig, 2);
            totals.remove("bad");
            totals
        };
        assert_eq!(rows(&rig).await[0], without_bad(&rig));
        let rig = rig.restart();
        note(&rig, "lamp", 1).await;
        assert_eq!(rows(&rig).await[0], without_bad(&rig));
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
